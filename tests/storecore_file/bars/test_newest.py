"""The newest bars of a series: as the end of a read of all, from the last partitions alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.values.times import EARLIEST, LATEST, TimeRange, exact_instant
from storecore_file import FileDataStore
from storecore_file.bars.partition import encode
from storecore_file.fs.disk import Disk

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALL = TimeRange(EARLIEST, LATEST, True)


def instant(days):
    return exact_instant(DAY + timedelta(days), "date")


def days(first, count, close=1.0, symbol="AAPL"):
    dates = [DAY + timedelta(first + each) for each in range(count)]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, close, 7) for date in dates]


def journaled(store, first, count, close):
    rows = [bar for symbol in ("AAPL", "MSFT") for bar in days(first, count, close, symbol)]
    columns = {name: [getattr(bar, name) for bar in rows] for name in ("symbol", "date", "close")}
    columns |= dict.fromkeys(("open", "high", "low", "volume"), columns["close"])
    store.write_bar_table(pa.table(columns))


def expect_the_ends(store, spans):
    """Compare each number of newest bars of each range with the end of the whole range."""
    for span in spans:
        whole = store._bars.read("AAPL", "1d", span)
        for count in range(1, len(whole) + 3):
            found = store._bars.read("AAPL", "1d", span._replace(newest=count))
            assert found == whole.slice(max(0, len(whole) - count)), (span, count)


SPANS = [ALL] + [
    TimeRange(instant(first), instant(last), True)
    for first, last in ((0, 31), (10, 40), (33, 33), (60, 300), (-9, -1))
]


@pytest.mark.usefixtures("small")
def test_the_newest_bars_are_the_end_of_all(store):
    store.write_bars("AAPL", days(0, 75))
    for number in range(3):
        store.write_bars("AAPL", days(75 + 8 * number, 8, number))
    expect_the_ends(store, SPANS)


@pytest.mark.usefixtures("small")
def test_the_newest_bars_are_those_of_the_journal_too(store):
    store.write_bars("AAPL", days(0, 75))
    store.delete_bars("AAPL", DAY + timedelta(40), DAY + timedelta(73))
    for first, close in ((74, 5.0), (2, 6.0), (45, 7.0), (80, 8.0)):
        journaled(store, first, 2, close)
    expect_the_ends(store, SPANS)
    store._bars.flush()
    expect_the_ends(store, SPANS)


def test_the_newest_bars_are_those_of_the_journal_alone(store):
    journaled(store, 0, 3, 1.0)
    expect_the_ends(store, SPANS)


@pytest.mark.usefixtures("small")
def test_the_newest_bars_of_partitions_that_overlap_are_those_that_count(store, base):
    store.write_bars("AAPL", days(0, 75))
    newer = store._bars.read("AAPL", "1d", TimeRange(instant(33), instant(36), True))
    folder = base / "prices" / "AAPL"
    folder.joinpath("2026-02.parquet").write_bytes(encode("AAPL", "1d", newer, {}, 2**60))
    expect_the_ends(store, SPANS)
    assert len(store._bars.read("AAPL", "1d", ALL)) == 75 - 28 + 4


@pytest.mark.usefixtures("small")
def test_only_the_partitions_that_are_needed_are_opened(base, monkeypatch):
    store = FileDataStore(base, cache_bytes=0)
    store.write_bars("AAPL", days(0, 200))
    opened = []
    real = Disk.opened
    monkeypatch.setattr(Disk, "opened", lambda self, path: opened.append(path) or real(self, path))
    for count, files in ((1, 1), (20, 1), (21, 2)):
        opened.clear()
        assert len(store._bars.read("AAPL", "1d", ALL._replace(newest=count))) == count
        assert len(opened) == files


def test_only_the_row_groups_that_are_needed_are_read(store, monkeypatch):
    minutes = [
        PriceBar("AAPL", DAY + timedelta(minutes=each), 1.0, 2.0, 0.5, 1.5, each)
        for each in range(14_640)
    ]
    store.write_bars("AAPL", minutes, timeframe="1m")
    found = store._bars._series("AAPL", "1m")._loaded(ALL._replace(newest=2_000), ["close"], False)[
        1
    ]
    assert [len(each.rows()) for each in found] == [14_640 % 2_560 + 2_560]
    table = store._bars.read_many(["AAPL"], "1m", ALL._replace(newest=2_000), ("close",))[0][1]
    assert table.column_names == ["date", "close"]
    assert len(table) == 2_000
