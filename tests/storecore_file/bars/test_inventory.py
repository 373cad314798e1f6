"""The inventory: the extent of every series in one call, as `bar_coverage` has it for each."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.errors import CorruptData, StorageError
from storecore.values.times import EARLIEST, LATEST, TimeRange
from storecore_file import FileDataStore
from storecore_file.bars.inventory import Inventory
from storecore_file.bars.partition import encode
from storecore_file.bars.series import Series
from storecore_file.fs.disk import Disk

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALL = TimeRange(EARLIEST, LATEST, True)
PASTS = itertools.count(1_600_000_000_000_000_000, 10**9 + 1)  # ns


def days(first, count, symbol="AAPL", close=1.0):
    dates = [DAY + timedelta(first + each) for each in range(count)]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, close, 7) for date in dates]


def table(*bars):
    rows = [bar for some in bars for bar in some]
    return pa.table(
        {name: [getattr(bar, name) for bar in rows] for name in rows[0].__struct_fields__[:7]}
    )


def expect_the_coverage_of_each(store):
    """Compare the inventory with what is asked for each series, and return it."""
    found = store._bars.inventory()
    asked = [(symbol, timeframe) for symbol, timeframe in store._bars.series()]
    coverage = {key: store._bars.coverage(*key) for key in asked}
    told = {(each.symbol, each.timeframe): (each.first, each.last, each.count) for each in found}
    assert told == {
        key: (each.first, each.last, each.count) for key, each in coverage.items() if each.count
    }
    assert list(told) == sorted(told)
    return told


def settled(base):
    """Let all files and folders have changed long ago, so that what is seen of them is kept."""
    at = next(PASTS)  # no two times alike, as on a clock
    for folder, _, files in os.walk(base):
        for name in files:
            os.utime(os.path.join(folder, name), ns=(at, at))
        os.utime(folder, ns=(at, at))
    time.sleep(0.1)  # nobody can set the time of change


def first_of(base, symbol):
    return min((base / "prices" / symbol).glob("*.parquet"))


@pytest.fixture
def filled(store, small):
    """A store with series of several partitions, names that are hashes, and two timeframes."""
    store.write_bars("AAPL", days(0, 75))
    store.write_bars("x" * 300, days(3, 40, "x" * 300))
    store.write_bars("AAPL", days(5, 9), timeframe="1h")
    store.write_bars("AAPL", days(5, 9), timeframe="t" * 300)
    store.write_bars("MSFT", days(0, 30, "MSFT"))
    store.write_bars("GONE", days(0, 3, "GONE"))
    store.delete_bars("GONE", DAY, DAY + timedelta(9))
    return store


def test_an_empty_store_has_an_empty_inventory(store):
    assert store._bars.inventory() == []


def test_the_inventory_is_the_coverage_of_each_series(filled, base):
    found = expect_the_coverage_of_each(filled)
    assert found["AAPL", "1d"] == (DAY, DAY + timedelta(74), 75)
    assert {symbol for symbol, _ in found} == {"AAPL", "MSFT", "x" * 300}
    settled(base)
    for _ in range(2):
        assert expect_the_coverage_of_each(filled) == found


def test_the_inventory_follows_each_write(filled, base):
    for number in range(3):
        settled(base)
        expect_the_coverage_of_each(filled)
        filled.write_bars("AAPL", days(75 + number, 1))
        filled.delete_bars("MSFT", DAY, DAY + timedelta(number))
        expect_the_coverage_of_each(filled)


def test_what_is_kept_of_a_partition_is_that_of_its_file(filled, base, monkeypatch):
    settled(base)
    expect_the_coverage_of_each(filled)
    monkeypatch.setattr(Disk, "end_of", lambda self, path, length: pytest.fail(path))
    expect_the_coverage_of_each(filled)
    monkeypatch.undo()
    path = first_of(base, "MSFT")
    bars = filled._bars.read("MSFT", "1d", ALL)
    path.write_bytes(encode("MSFT", "1d", bars.slice(0, 7), {}))
    expect_the_coverage_of_each(filled)


def test_what_is_kept_has_a_limit(filled, base, monkeypatch):
    monkeypatch.setattr("storecore_file.bars.inventory._MOST_KEPT", 2)
    settled(base)
    found = expect_the_coverage_of_each(filled)
    assert expect_the_coverage_of_each(filled) == found
    assert len(filled._bars._inventory._kept) <= 2


def test_rows_of_the_journal_count_once(filled):
    batches = [
        [days(75, 2), days(30, 1, "MSFT"), days(0, 1, "NEW")],  # after all partitions
        [days(76, 1, close=2.0), days(29, 1, "MSFT"), days(0, 1, "NEW")],  # the last bar
        [days(10, 1, close=3.0), days(-9, 1, "MSFT"), days(0, 2, "NEW")],  # within, and before
    ]
    for batch in batches:
        filled.write_bar_table(table(*batch))
        expect_the_coverage_of_each(filled)
    filled._bars.flush()
    expect_the_coverage_of_each(filled)


def test_a_series_in_the_journal_alone_has_its_extent(store):
    store.write_bar_table(table(days(0, 2), days(4, 1, "MSFT")))
    assert expect_the_coverage_of_each(store)["MSFT", "1d"] == (*[DAY + timedelta(4)] * 2, 1)


def test_partitions_that_overlap_count_as_they_are_read(filled, base):
    newer = filled._bars.read("AAPL", "1d", ALL).slice(33, 4)
    path = base / "prices" / "AAPL" / "2026-02.parquet"
    path.write_bytes(encode("AAPL", "1d", newer, {}, 2**60))
    assert expect_the_coverage_of_each(filled)["AAPL", "1d"][2] == 75 - 28 + 4


def test_a_journal_that_is_flushed_meanwhile_is_read_again(filled, monkeypatch):
    filled.write_bar_table(table(days(75, 2), days(30, 1, "MSFT")))
    before = expect_the_coverage_of_each(filled)
    real = Inventory._of_folder

    def flushed(self, folder, pending):
        filled._bars.flush()
        return real(self, folder, pending)

    monkeypatch.setattr(Inventory, "_of_folder", flushed)
    found = filled._bars.inventory()
    assert {(each.symbol, each.timeframe): each.count for each in found} == {
        key: count for key, (_, _, count) in before.items()
    }


def test_a_partition_that_is_merged_meanwhile_is_not_missed(filled, monkeypatch):
    real = Disk.end_of
    compacted = []

    def end_of(self, path, length):
        if not compacted:
            compacted.append(path)
            filled.compact()
        return real(self, path, length)

    before = expect_the_coverage_of_each(filled)
    monkeypatch.setattr(Disk, "end_of", end_of)
    found = {(each.symbol, each.timeframe): each.count for each in filled._bars.inventory()}
    assert found == {key: count for key, (_, _, count) in before.items()}


def test_a_series_that_is_deleted_meanwhile_is_left_out(store, monkeypatch):
    store.write_bars("x" * 300, days(3, 40, "x" * 300))
    monkeypatch.setattr(Disk, "opened", lambda self, path: None)
    monkeypatch.setattr(Series, "coverage", lambda self: pytest.fail("it has no name"))
    assert store._bars.inventory() == []


def test_what_is_not_of_the_store_is_left_out(filled, base):
    before = filled._bars.inventory()
    prices = base / "prices"
    (prices / "not a symbol").mkdir()
    shutil.copytree(prices / "MSFT", prices / "not a symbol" / "1h")
    (prices / "MSFT" / "notes.txt").write_text("mine")
    (prices / "MSFT" / "1w").mkdir()
    assert filled._bars.inventory() == before


@pytest.mark.parametrize("damage", [lambda data: data[:-9] + b"\xff" + data[-8:], lambda data: b""])
def test_d5_a_damaged_partition_is_not_left_out(filled, base, damage):
    path = first_of(base, "MSFT")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptData, match="MSFT"):
        filled._bars.inventory()


def test_d5_no_flipped_bit_of_a_partition_changes_the_inventory_unnoticed(filled, base):
    path, before = first_of(base, "MSFT"), filled._bars.inventory()
    whole = path.read_bytes()
    noticed = 0
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            assert filled._bars.inventory() == before
        except CorruptData:
            noticed += 1
    assert noticed > 100  # the checksum of the end covers it; columns are not looked at


@pytest.mark.parametrize("tails", [(64, 2**18), (16, 2**18), (4, 64), ()])
def test_a_partition_with_a_long_end_counts_too(filled, monkeypatch, tails):
    monkeypatch.setattr("storecore_file.bars.inventory._TAILS", tails)
    expect_the_coverage_of_each(filled)


def test_a_partition_that_shrinks_while_it_is_read_is_read_by_itself(filled, monkeypatch):
    real = Disk.end_of
    before = filled._bars.inventory()

    def end_of(self, path, length):
        found = real(self, path, length)
        return found._replace(content=found.content[:-300])

    monkeypatch.setattr(Disk, "end_of", end_of)
    assert filled._bars.inventory() == before


def test_a_partition_of_a_later_release_is_an_error(filled, base, monkeypatch):
    monkeypatch.setattr("storecore_file.bars.partition.VERSION", 2)
    with pytest.raises(StorageError, match="newer storecore"):
        filled._bars.inventory()


def test_d5_a_partition_of_another_series_is_damage(filled, base):
    shutil.copy(first_of(base, "MSFT"), first_of(base, "AAPL"))
    with pytest.raises(CorruptData, match="MSFT"):
        filled._bars.inventory()


def test_a_partition_that_cannot_be_looked_at_is_an_error(filled, base, failing):
    settled(base)
    filled._bars.inventory()
    count = len([each for each in (base / "prices").rglob("*") if each.is_dir()])
    failing("stat", only=count)
    with pytest.raises(StorageError):
        filled._bars.inventory()


def test_a_partition_without_bars_is_no_series(filled, base):
    empty = filled._bars.read("AAPL", "1d", ALL).slice(0, 0)
    path = base / "prices" / "GONE" / "2026-01.parquet"
    path.write_bytes(encode("GONE", "1d", empty, {}))
    assert "GONE" not in {each.symbol for each in filled._bars.inventory()}


def test_a_partition_that_is_gone_when_it_is_opened_is_not_missed(filled, base, monkeypatch):
    path, real, gone = first_of(base, "MSFT"), Disk.end_of, []
    before = {(each.symbol, each.timeframe): each.count for each in filled._bars.inventory()}

    def end_of(self, asked, length):
        if asked == str(path) and not gone:
            gone.append(asked)
            return None
        return real(self, asked, length)

    monkeypatch.setattr(Disk, "end_of", end_of)
    with FileDataStore(base) as fresh:  # which keeps nothing of what it has read
        found = {(each.symbol, each.timeframe): each.count for each in fresh._bars.inventory()}
    assert (found, gone) == (before, [str(path)])
