"""Writes one series: where bars go, what is split and merged, what deleting leaves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storecore.bars.rows import BarColumns
from storecore.bars.table import EMPTY, bar_columns_of, series_table
from storecore.errors import CorruptData, LockTimeout, StorageError
from storecore.values.times import EARLIEST, LATEST, TimeRange, exact_instant
from storecore_file.bars import layout, partition
from storecore_file.bars.history import BarHistory
from storecore_file.bars.journal import Journal
from storecore_file.bars.partition import encode
from storecore_file.bars.series import Series
from storecore_file.bars.writer import SeriesWriter
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked

JAN_1 = datetime(2026, 1, 1)


@pytest.fixture
def journal(tmp_path, clock):
    opened = Journal(tmp_path / ".journal", Disk("os"), 1.0, clock)
    yield opened
    opened.close()


@pytest.fixture
def series(tmp_path, journal, small):
    (tmp_path / "AAPL").mkdir()
    return Series(tmp_path / "AAPL", "AAPL", "1d", Disk("os"), journal)


@pytest.fixture
def writer(series, clock):
    return SeriesWriter(series, 0, BarHistory(clock, series.disk))


@pytest.fixture
def names(series):
    """Return the names of the parts, without their ending."""
    return lambda: [part.name.removesuffix(".parquet") for part in series.layout().partitions]


@pytest.fixture
def inodes(series):
    return lambda: {path.name: path.stat().st_ino for path in series.folder.glob("*.parquet")}


def bars(days, close=1.0, step=timedelta(days=1)):
    dates = [exact_instant(JAN_1 + day * step, "date") for day in days]
    same = [[close] * len(dates)] * 4
    return series_table(BarColumns(dates, *same, [7] * len(dates)))


def day(number):
    return exact_instant(JAN_1 + timedelta(number), "date")


def closes(series):
    return bar_columns_of(series.read(TimeRange(EARLIEST, LATEST, True))).close


def test_bars_go_into_the_partition_whose_range_they_lie_in(writer, names, series):
    writer.write(bars([0, 31, 59]))
    assert names() == ["2026-01--2026-03"]
    writer.write(bars([30], 2.0))
    assert names() == ["2026-01--2026-03"]
    assert closes(series) == [1.0, 2.0, 1.0, 1.0]


def test_bars_between_two_partitions_go_into_one_of_their_own_until_it_is_merged(
    writer, names, series
):
    writer.write(bars([0]))
    writer.write(bars([200]))
    writer.write(bars([100], 2.0))
    assert names() == ["2026-01--2026-04", "2026-07"]
    assert closes(series) == [1.0, 2.0, 1.0]


def test_bars_before_all_partitions_and_after_them_in_one_batch(writer, series):
    writer.write(bars([100]))
    writer.write(bars([-100, 100, 300], 2.0))
    assert closes(series) == [2.0, 2.0, 2.0]


def test_a_partition_that_grows_too_large_is_cut(writer, names, series):
    writer.write(bars(range(0, 38, 2), step=timedelta(hours=12)))
    writer.write(bars(range(1, 60, 2), 2.0, step=timedelta(hours=12)))
    assert len(names()) > 2
    assert len(closes(series)) == 49


def test_an_append_to_a_large_part_splits_its_last_month_off_and_leaves_the_rest(
    writer, names, inodes
):
    writer.write(bars(range(0, 58, 5)))
    writer.write(bars([59]))
    assert names() == ["2026-01--2026-02", "2026-03"]
    before = inodes()
    writer.write(bars([60]))
    after = inodes()
    assert [name for name in after if after[name] != before.get(name)] == ["2026-03.parquet"]


def test_an_upsert_of_old_bars_of_the_last_partition_splits_nothing(writer, names):
    writer.write(bars(range(0, 58, 5)))
    writer.write(bars([3, 57]))
    assert names() == ["2026-01--2026-02"]


def test_closed_partitions_are_merged_as_writing_goes_on(writer, names, series):
    for number in range(0, 300, 10):
        writer.write(bars([number]))
    assert len(names()) <= 4
    assert len(closes(series)) == 30


def test_a_merge_is_asked_for_and_says_how_many_partitions_went_away(writer, names, monkeypatch):
    monkeypatch.setattr(layout, "SMALL_BYTES", 0)
    monkeypatch.setattr(layout, "RATIO", 0)  # a patient one never merges
    for start in (0, 60, 120, 180):
        writer.write(bars(range(start, start + 5)))
    before = len(names())
    gone = writer.merge(patient=False)
    assert gone > 0
    assert len(names()) == before - gone
    assert writer.merge(patient=False) == 0


def test_leftovers_are_removed_by_the_next_writer(writer, series, names):
    writer.write(bars([0]))
    old = series.folder.joinpath("2026-01.parquet")
    content = old.read_bytes()
    writer.write(bars([40]))
    writer.merge(patient=False)
    writer.write(bars([80]))
    writer.merge(patient=False)
    assert "2026-01--2026-02" in names()
    old.write_bytes(content)
    writer.write(bars([200]))
    assert not old.exists()
    assert closes(series) == [1.0] * 4


def test_b3_nothing_to_write_writes_nothing(writer, inodes):
    writer.write(bars([0]))
    before = inodes()
    writer.write(EMPTY)
    assert inodes() == before


def test_what_the_journal_has_is_written_too(writer, series, journal):
    journal.append("1d", [("AAPL", bars([0, 1], 2.0))])
    writer.write(bars([1, 2], 3.0))
    (name,) = journal.files()
    notes = series.each(lambda part, file: (file.metadata.rows, file.metadata.flushed))
    assert notes == [(3, {name: 1})]
    assert closes(series) == [2.0, 3.0, 3.0]


def test_a_note_remembers_the_newest_journal_for_ever(writer, series, journal):
    for close in (2.0, 3.0):
        journal.append("1d", [("AAPL", bars([0], close))])
        writer.write(EMPTY)
        names = journal.rotate()
        journal.retire(names)
    writer.write(bars([1]))
    assert series.each(lambda part, file: file.metadata.flushed) == [{names[-1]: 1}]


def test_a_note_of_an_earlier_release_forgets_the_journals_that_nobody_knows(
    writer, series, journal, monkeypatch
):
    monkeypatch.setattr(partition, "SEVEN_COLUMNS", 2)
    content = encode("AAPL", "1d", bars([0]), {"00000001-0123456789abcdef.jsonl": 3})
    series.folder.joinpath("2026-01.parquet").write_bytes(content)
    monkeypatch.undo()
    writer.write(bars([1]))
    assert series.each(lambda part, file: file.metadata.flushed) == [{}]


def test_a_merged_part_has_taken_in_what_each_had(writer, series, journal, names):
    journal.append("1d", [("AAPL", bars([0], 2.0))])
    writer.write(bars([40]))
    journal.append("1d", [("AAPL", bars([0, 100], 3.0))])
    writer.write(bars([200]))
    writer.merge(patient=False)
    assert closes(series) == [3.0, 1.0, 3.0, 1.0]
    assert writer.delete(day(0), day(0)) == 1
    assert closes(series) == [1.0, 3.0, 1.0]


# Deleting.


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [(0, 0, 11), (3, 3, 12), (0, 1_000, 0), (7, 44, 5), (-5, -1, 12), (55, 400, 11)],
)
def test_bars_of_a_range_are_removed_and_counted(writer, series, first, last, left):
    days = [*range(0, 58, 5)]
    writer.write(bars(days))
    gone = [each for each in days if first <= each <= last]
    assert writer.delete(day(first), day(last)) == len(gone) == 12 - left
    assert len(closes(series)) == left


def test_a_partition_without_bars_is_removed(writer, names):
    writer.write(bars([0]))
    writer.write(bars([200]))
    assert writer.delete(day(0), day(10)) == 1
    assert names() == ["2026-07"]


def test_a_deletion_reads_no_bars_of_other_partitions(writer, series):
    writer.write(bars([0]))
    writer.write(bars([200]))
    path = series.folder / "2026-07.parquet"
    content = bytearray(path.read_bytes())
    content[8:200] = bytes(192)  # its bars
    path.write_bytes(content)
    assert writer.delete(day(0), day(10)) == 1
    writer.drop_empty()
    with pytest.raises(CorruptData):
        series.read(TimeRange(EARLIEST, LATEST, True))


def test_a_deletion_opens_no_large_files_to_see_whether_they_are_empty(writer, monkeypatch):
    writer.write(bars([0]))
    writer.write(bars([200]))
    opened = list[str]()
    monkeypatch.setattr("storecore_file.bars.compaction.SMALL_BYTES", 0)
    monkeypatch.setattr(Series, "open", lambda series, part, look: opened.append(part.name))
    writer.drop_empty()
    assert opened == []


def test_a_merge_opens_no_partitions_that_are_too_large_for_one(writer, names, monkeypatch):
    for first in (0, 100, 200, 300):
        writer.write(bars(range(first, first + 5)))
    before = names()
    monkeypatch.setattr(layout, "PARTITION_BYTES", 1)
    monkeypatch.setattr(Series, "open", lambda *_: pytest.fail("opened"))
    writer.tidy()
    assert names() == before


def test_a_partition_stays_empty_while_the_journal_has_its_bars(writer, series, journal, names):
    journal.append("1d", [("AAPL", bars([0, 1], 2.0))])
    assert writer.delete(day(0), day(10)) == 2
    assert closes(series) == []
    assert names() == ["2026-01"]
    writer.drop_empty()
    assert names() == ["2026-01"]
    journal.retire(journal.files())
    writer.drop_empty()
    assert names() == []


# Failure.


def test_d2_of_partitions_that_cannot_all_be_written_none_is(writer, series, failing, monkeypatch):
    writer.write(bars([0]))
    writer.write(bars([200]))
    before = {path.name: path.read_bytes() for path in series.folder.iterdir()}
    failing("write", after=1)
    with pytest.raises(StorageError):
        writer.write(bars([1, 201]))
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in series.folder.iterdir()} == before


def test_a_writer_waits_for_another_and_then_gives_up(writer, series):
    with Locked(series.folder / ".lock", 0), pytest.raises(LockTimeout):
        writer.write(bars([0]))
