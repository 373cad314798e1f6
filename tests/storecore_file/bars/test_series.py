"""A series in its folder: its parts and what the journal has of it, read as one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from storecore.bars.extra import EXACT
from storecore.bars.rows import BarColumns
from storecore.bars.table import bar_columns_of, instants_of, series_table
from storecore.errors import CorruptData
from storecore.reports import Coverage
from storecore.values.times import EARLIEST, LATEST, TimeRange, exact_instant
from storecore_file.bars.journal import Journal
from storecore_file.bars.partition import encode
from storecore_file.bars.series import Series, any_metadata
from storecore_file.fs.disk import Disk

ALL = TimeRange(EARLIEST, LATEST, True)


def at(month, day=5):
    return exact_instant(datetime(2026, month, day), "date")


def bars(dates, close=1.0, volume=7):
    same = [[close] * len(dates)] * 4
    return series_table(BarColumns(list(dates), *same, [volume] * len(dates)))


@pytest.fixture
def journal(tmp_path, clock):
    opened = Journal(tmp_path / ".journal", Disk("os"), 1.0, clock)
    yield opened
    opened.close()


@pytest.fixture
def series(tmp_path, journal):
    return Series(tmp_path / "AAPL", "AAPL", "1d", Disk("os"), journal)


@pytest.fixture
def put(series):
    """Put a part with these bars under a name."""

    def put(stem, dates, close=1.0, folded=None, **own):
        series.folder.mkdir(exist_ok=True)
        symbol, generation = own.get("symbol", "AAPL"), own.get("generation", 0)
        content = encode(symbol, "1d", bars(dates, close), folded or {}, generation)
        (series.folder / f"{stem}.parquet").write_bytes(content)

    return put


def closes(table):
    return bar_columns_of(table).close


def test_a_series_without_a_folder_is_empty(series, tmp_path):
    assert len(series.read(ALL)) == 0
    assert series.coverage() == Coverage(None, None, 0)
    assert series.groups(ALL) == []
    assert (series.footprint().files, series.footprint().bytes) == (0, 0)
    assert any_metadata(Disk("os"), tmp_path / "AAPL") is None


def test_partitions_are_read_in_order_of_time(series, put):
    put("2026-02", [at(2)], 2.0)
    put("2026-01", [at(1)], 1.0)
    put("2026-03--2026-04", [at(3), at(4)], 3.0)
    assert closes(series.read(ALL)) == [1.0, 2.0, 3.0, 3.0]
    assert closes(series.read(TimeRange(at(2), at(3), True))) == [2.0, 3.0]
    assert series.coverage() == Coverage(
        datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC), 4
    )
    assert [group.rows for group in series.groups(TimeRange(at(2), at(3), True))] == [1, 2]


def test_d6_of_partitions_that_overlap_the_newest_counts_at_each_instant(series, put):
    put("2026-01--2026-03", [at(1), at(2), at(3)], 2.0, generation=2)
    put("2026-02", [at(2)], 3.0, generation=3)
    put("2026-03--2026-04", [at(3), at(4)], 1.0, generation=1)
    assert closes(series.read(ALL)) == [2.0, 3.0, 2.0, 1.0]
    assert closes(series.read(TimeRange(at(1), at(2), True))) == [2.0, 3.0]
    assert closes(series.read(TimeRange(at(4), at(4), True))) == [1.0]
    assert series.coverage() == Coverage(
        datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC), 4
    )
    assert series.footprint().files == 3
    groups = series.groups(ALL)
    assert [group.first for group in groups] == sorted(group.first for group in groups)


def test_d6_a_newer_part_without_bars_hides_older_ones(series, put):
    put("2026-01", [at(1)], generation=1)
    put("2026-01--2026-02", [], generation=2)
    assert closes(series.read(ALL)) == []
    assert series.coverage() == Coverage(None, None, 0)


def test_d6_of_partitions_without_generation_the_narrowest_counts(series, put):
    put("2026-01--2026-02", [at(1), at(2)], 2.0)
    put("2026-01", [at(1)], 1.0)
    assert closes(series.read(ALL)) == [1.0, 2.0]


def test_d5_a_part_of_another_series_or_range_is_corrupt(series, put):
    put("2026-01", [at(1)], symbol="MSFT")
    with pytest.raises(CorruptData, match="expected bars of 'AAPL'"):
        series.read(ALL)
    put("2026-01", [at(2)])
    with pytest.raises(CorruptData, match="the range that its name tells"):
        series.coverage()


def test_an_empty_partition_is_no_first_and_no_last(series, put):
    put("2026-01", [])
    put("2026-02", [at(2)])
    put("2026-03", [])
    assert series.coverage().count == 1
    assert series.coverage().first == series.coverage().last
    assert closes(series.read(ALL)) == [1.0]


# The journal.


def test_rows_of_the_journal_are_laid_over_the_partitions(series, put, journal):
    put("2026-01", [at(1), at(1, 6)], 1.0)
    journal.append("1d", [("AAPL", bars([at(1), at(2)], 2.0)), ("MSFT", bars([at(1)], 9.0))])
    assert closes(series.read(ALL)) == [2.0, 1.0, 2.0]
    assert closes(series.read(TimeRange(at(2), at(2), True))) == [2.0]
    assert series.coverage().count == 3
    assert series.coverage().last == datetime(2026, 2, 5, tzinfo=UTC)


def test_rows_that_a_partition_has_taken_in_are_not_laid_over_it(series, put, journal):
    journal.append("1d", [("AAPL", bars([at(1), at(2)], 1.0))])
    (name,) = journal.files()
    put("2026-01", [at(1)], 2.0, folded={name: 1})
    assert closes(series.read(ALL)) == [2.0, 1.0]
    assert series.coverage().count == 2
    journal.append("1d", [("AAPL", bars([at(1)], 3.0))])
    assert closes(series.read(ALL)) == [3.0, 1.0]


def test_an_empty_partition_holds_what_was_deleted_out_of_the_journal(series, put, journal):
    journal.append("1d", [("AAPL", bars([at(1)], 1.0))])
    put("2026-01", [], folded={journal.files()[0]: 1})
    assert closes(series.read(ALL)) == []
    assert series.coverage() == Coverage(None, None, 0)


@pytest.mark.parametrize("columns", [["close"], ["date"], ["volume"], []])
@pytest.mark.parametrize("volume", [7, 2**53 + 1])
def test_columns_of_partitions_and_journal_are_those_asked_for(
    series, put, journal, columns, volume
):
    put("2026-01", [at(1)])
    journal.append("1d", [("AAPL", bars([at(2)], 2.0, volume))])
    found = series.read(ALL, columns)
    assert list(instants_of(found)) == [at(1), at(2)]
    assert {"date", *columns} <= set(found.column_names) <= {"date", *columns, EXACT}


def test_a_note_tells_whose_folder_it_is(series, put):
    put("2026-01", [at(1)])
    assert any_metadata(Disk("os"), series.folder).symbol == "AAPL"
