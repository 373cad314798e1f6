"""The first question about many series: its answer, and what it leaves in memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore import PriceBar
from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.bars import first_look, partition
from storecore_file.bars.decoded import Decoded
from storecore_file.bars.partition import PartitionFile
from storecore_file.fs import disk
from storecore_file.fs.handles import OpenFile

DAY = datetime(2020, 1, 1, tzinfo=UTC)
SYMBOLS = [f"S{number:02}" for number in range(20)]
MANY = 3_000  # bars of a series: two row groups
TICK = 0.012


def bars(symbol, first, count, close=1.5, volume=7, **extra):
    price = 1 + SYMBOLS.index(symbol) / 100
    return [
        PriceBar(
            symbol, DAY + timedelta(each), price, 2.0, each / 7, close, volume, extra=extra or None
        )
        for each in range(first, first + count)
    ]


def day(number):
    return DAY + timedelta(number)


@pytest.fixture(autouse=True)
def _ticks(monkeypatch):
    monkeypatch.setattr(disk, "_TICK", 10_000_000)


def settle():
    """Wait until any later change of a file or folder gives it other times."""
    time.sleep(TICK)


def fill(base, rows=300):
    with FileDataStore(base, durability="os") as store:
        for each in SYMBOLS:
            store.write_bars(each, bars(each, 0, rows))
        settle()


@pytest.fixture
def filled(base):
    """The folder of a store of many series."""
    fill(base)
    return base


@pytest.fixture
def long(base):
    """The folder of a store of many series of more than one row group."""
    fill(base, MANY)
    return base


@pytest.fixture
def opened(monkeypatch):
    """The files that were opened."""
    paths, real = [], OpenFile.__init__

    def init(self, path):
        paths.append(path)
        real(self, path)

    monkeypatch.setattr(OpenFile, "__init__", init)
    return paths


def one_by_one(base, *bounds, columns=None):
    """Return the bars of all series, each of which is read by itself."""
    with FileDataStore(base, durability="os", cache_bytes=0, create=False) as store:
        tables = [store.read_bar_table(each, *bounds, columns=columns) for each in SYMBOLS]
        return pa.concat_tables(tables)


def first(base, *bounds, columns=None, **options):
    """Return what the first question of a store finds."""
    with FileDataStore(base, durability="os", create=False, **options) as store:
        return store.read_bar_table(SYMBOLS, *bounds, columns=columns)


RANGES = [
    (day(5), day(5)),
    (day(2), day(40)),
    (day(-9), day(3)),
    (day(290), None),
    (None, day(-1)),
    (day(9_000), None),
    (day(5) + timedelta(hours=1), day(5) + timedelta(hours=2)),
    (day(2_550), day(2_570)),
    (None, None),
]


@pytest.mark.parametrize("rows", [2, 40, 300, MANY])
@pytest.mark.parametrize("budget", [0, 2**28])
def test_the_first_question_is_answered_as_any_other(base, rows, budget):
    fill(base, rows)
    for bounds in RANGES:
        for columns in (None, ["symbol", "close"], ["volume", "date"], ["symbol"]):
            expected = one_by_one(base, *bounds, columns=columns)
            found = first(base, *bounds, columns=columns, cache_bytes=budget)
            assert found.equals(expected)
            assert found.schema.equals(expected.schema)


def test_the_newest_bars_are_found_at_first_too(long):
    with FileDataStore(long, create=False) as store:
        found = store.read_bar_table(SYMBOLS, day(0), last=3)
    assert found.equals(one_by_one(long, day(MANY - 3)))


def test_the_first_question_keeps_no_bars_in_memory(long):
    with FileDataStore(long) as store:
        store.read_bar_table(SYMBOLS, day(5), day(300))
        assert store._bars._decoded.bytes < 2_000 * len(SYMBOLS)


def test_what_is_asked_for_a_second_time_is_kept(long, opened):
    with FileDataStore(long, create=False) as store:
        expected = store.read_bar_table(SYMBOLS, day(5), day(300))
        store.read_bar_table(SYMBOLS, day(9), day(9))
        opened.clear()
        assert store.read_bar_table(SYMBOLS, day(5), day(300)).equals(expected)
        assert opened == []


def test_without_a_budget_no_question_keeps_anything(filled, opened):
    with FileDataStore(filled, create=False, cache_bytes=0) as store:
        for _ in range(3):
            opened.clear()
            store.read_bar_table(SYMBOLS, day(5), day(9))
            assert len(opened) == len(SYMBOLS)


def test_many_bars_of_each_series_are_kept_at_once(long, opened):
    with FileDataStore(long, create=False) as store:
        expected = store.read_bar_table(SYMBOLS)
        opened.clear()
        assert store.read_bar_table(SYMBOLS).equals(expected)
        assert opened == []


def test_what_few_series_are_asked_for_is_kept_at_once(filled, opened):
    with FileDataStore(filled, create=False) as store:
        store.read_bar_table(SYMBOLS[:3], day(5), day(9))
        opened.clear()
        store.read_bar_table(SYMBOLS[:3], day(5), day(9))
        assert opened == []


def test_series_that_are_kept_and_others_are_read_in_one_question(filled, opened):
    with FileDataStore(filled, create=False) as store:
        store.read_bar_table(SYMBOLS[:3], day(5), day(9))
        opened.clear()
        found = store.read_bar_table(SYMBOLS, day(5), day(9))
        assert len(opened) == len(SYMBOLS) - 3
    assert found.equals(one_by_one(filled, day(5), day(9)))


def test_few_new_series_beside_kept_ones_are_found(filled):
    with FileDataStore(filled, create=False) as store:
        for _ in range(2):
            store.read_bar_table(SYMBOLS[:17], day(5), day(9))
        found = store.read_bar_table(SYMBOLS, day(5), day(9))
    assert found.equals(one_by_one(filled, day(5), day(9)))


def test_symbols_without_bars_are_passed_over(filled):
    with FileDataStore(filled, create=False) as store:
        found = store.read_bar_table([*SYMBOLS, "NONE"], day(5), day(9))
    assert found.equals(one_by_one(filled, day(5), day(9)))


def write_further(store, symbol):
    store.write_bars(symbol, bars(symbol, 310, 2, trades=4))


def write_null(store, symbol):
    store.write_bars(symbol, bars(symbol, 310, 90, volume=None))


def write_exact(store, symbol):
    store.write_bars(symbol, bars(symbol, 310, 2, volume=2**53 + 1))


def write_late(store, symbol):
    """Write what makes a second partition."""
    store.write_bars(symbol, bars(symbol, 800, 2))


def write_by_another(store, symbol):
    """Write the partition of a series in the encodings of another writer."""
    (path,) = (store._bars._folder / symbol).glob("*.parquet")
    real, codecs = partition.pq.write_table, dict.fromkeys(partition.SCHEMA.names, "lz4")
    codecs["close"] = "zstd"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            partition.pq,
            "write_table",
            lambda *given, **options: real(*given, **(options | {"compression": codecs})),
        )
        store.write_bars(symbol, bars(symbol, 300, 10))
    assert pq.ParquetFile(path).metadata.row_group(0).column(5).compression == "ZSTD"


def write_overlap(store, symbol):
    """Bring an older partition back, as a copy of an older state does."""
    (old,) = (store._bars._folder / symbol).glob("*.parquet")
    content = old.read_bytes()
    store.write_bars(symbol, bars(symbol, 40, 1, close=99.0))
    store.write_bars(symbol, bars(symbol, 310, 2))
    for each in (store._bars._folder / symbol).glob("*.parquet"):
        if each.name != old.name:
            old.write_bytes(content)
            return
    (old.parent / "2019-12--2020-10.parquet").write_bytes(content)


ODD = [write_further, write_null, write_exact, write_late, write_by_another, write_overlap]


@pytest.mark.parametrize("write", ODD)
def test_a_series_that_is_not_plain_is_read_among_others(filled, write):
    with FileDataStore(filled, durability="os") as store:
        write(store, "S07")
    settle()
    columns = ["symbol", "date", "open", "high", "low", "close", "volume"]
    for bounds in ((day(5), day(315)), (day(40), day(40)), (day(311), day(801))):
        with FileDataStore(filled, create=False) as store:
            found = store.read_bar_table(SYMBOLS, *bounds, columns=columns)
        with FileDataStore(filled, create=False, cache_bytes=0) as store:
            for each in SYMBOLS:
                alone = store.read_bars(each, *bounds)
                rows = found.filter(pa.compute.equal(found["symbol"], each)).to_pylist()
                assert [PriceBar(**row) for row in rows] == [
                    PriceBar(each.symbol, each.date, *(getattr(each, name) for name in columns[2:]))
                    for each in alone
                ]


def test_a_column_that_only_some_series_have_is_found_at_first(filled):
    with FileDataStore(filled, durability="os") as store:
        write_further(store, "S07")
    settle()
    found = first(filled, day(310), day(310))
    assert found["trades"].to_pylist() == [4]


def test_a_series_that_cannot_be_looked_at_is_not_tried_again(filled, monkeypatch):
    with FileDataStore(filled, durability="os") as store:
        write_further(store, "S07")
    settle()
    tried, real = [], Decoded.first_listed

    def first_listed(self, key, *given):
        found = real(self, key, *given)
        tried.append((key[0], found is not None))
        return found

    with FileDataStore(filled, create=False) as store:
        store.read_bar_table([*SYMBOLS, "NONE"], day(5), day(9))
        monkeypatch.setattr(Decoded, "first_listed", first_listed)
        listings = []
        monkeypatch.setattr(disk.Disk, "listing", lambda self, folder: listings.append(folder))
        store.read_bar_table(["S07", *(f"NONE{number}" for number in range(20))], day(5), day(9))
    assert tried[-1] == ("S07", False)
    assert [each.endswith("S07") for each in listings].count(True) == 1  # by the read itself


@pytest.mark.parametrize("name", ["S00", "S07"])
def test_a_flipped_bit_is_found_by_the_first_question(filled, name):
    (path,) = (filled / "prices" / name).glob("*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    settle()
    with pytest.raises(CorruptData, match=name):
        first(filled, day(5), day(5))


def test_a_partition_of_another_series_is_refused_at_first(filled):
    (path,) = (filled / "prices" / "S07").glob("*.parquet")
    (filled / "prices" / "S08" / path.name).write_bytes(path.read_bytes())
    settle()
    with pytest.raises(CorruptData, match="expected bars of 'S08'"):
        first(filled, day(5), day(5))


def test_a_partition_with_bars_beyond_its_range_is_refused_at_first(filled):
    (path,) = (filled / "prices" / "S07").glob("*.parquet")
    path.rename(path.with_name("2020-01--2020-03.parquet"))
    settle()
    with pytest.raises(CorruptData, match="of the range that its name tells"):
        first(filled, day(5), day(5))


def test_a_partition_that_cannot_be_read_is_an_error_that_names_it(filled):
    (path,) = (filled / "prices" / "S07").glob("*.parquet")
    path.unlink()
    path.mkdir()
    settle()
    with pytest.raises(StorageError, match="S07"):
        first(filled, day(5), day(5))


def test_a_partition_that_is_replaced_after_the_listing_is_read_again(filled, monkeypatch):
    (path,) = (filled / "prices" / "S07").glob("*.parquet")
    real = first_look.FirstLook._pieces

    def pieces(self, asked, *given):
        if asked.key[0] == "S07" and path.exists():  # others merge it with what comes later
            path.rename(path.with_name("2020-01--2020-12.parquet"))
        return real(self, asked, *given)

    monkeypatch.setattr(first_look.FirstLook, "_pieces", pieces)
    expected = one_by_one(filled, day(5), day(9))
    assert first(filled, day(5), day(9)).equals(expected)
    assert not path.exists()


def test_bars_are_found_without_memory_to_spare(filled, monkeypatch):
    def refuse(*size):
        if size:
            raise MemoryError
        return b""

    monkeypatch.setattr(first_look, "bytearray", refuse, raising=False)
    assert first(filled, day(5), day(9)).equals(one_by_one(filled, day(5), day(9)))


@pytest.mark.parametrize("at", [298, 299, 300, 310])
def test_rows_of_the_journal_are_among_what_is_found_at_first(filled, at):
    with FileDataStore(filled, durability="os") as writer:
        rows = [bar for each in SYMBOLS for bar in bars(each, at, 2, close=5.0)]
        columns = ["symbol", "date", "open", "high", "low", "close", "volume"]
        writer.write_bar_table(
            pa.table({name: [getattr(row, name) for row in rows] for name in columns})
        )
        settle()
        for bounds in ((day(290), day(299)), (day(at), None), (None, day(4))):
            found = first(filled, *bounds)
            assert found.equals(one_by_one(filled, *bounds))
        assert found.num_rows == 5 * len(SYMBOLS)


@pytest.mark.parametrize("at", [-1, 150, 298, 299, 400])
def test_a_view_is_answered_at_first_as_ever(filled, at):
    found = []
    for budget, symbols in ((2**28, [SYMBOLS]), (0, SYMBOLS)):
        with FileDataStore(filled, create=False, cache_bytes=budget) as store:
            view = store.at(day(at))
            found.append(
                pa.concat_tables(view.read_bar_table(each, day(140), None) for each in symbols)
            )
    assert found[0].equals(found[1])


def test_what_changes_after_the_first_question_is_seen(filled):
    with FileDataStore(filled, create=False) as store, FileDataStore(filled) as other:
        store.read_bar_table(SYMBOLS, day(5), day(5))
        other.write_bars("S07", bars("S07", 5, 1, close=77.0))
        found = store.read_bar_table(SYMBOLS, day(5), day(5))
    assert found["close"].to_pylist().count(77.0) == 1


def test_dates_that_series_share_are_decoded_once(long, monkeypatch):
    decoded, real = [], PartitionFile.dates_between

    def between(self, *given):
        decoded.append(given)
        return real(self, *given)

    monkeypatch.setattr(PartitionFile, "dates_between", between)
    first(long, day(5), day(9))
    assert len(decoded) == 1


def test_series_that_begin_on_different_days_have_dates_of_their_own(base):
    with FileDataStore(base, durability="os") as store:
        for number, each in enumerate(SYMBOLS):
            store.write_bars(each, bars(each, 7 * number, 300))
        settle()
    for bounds in ((day(50), day(90)), (day(299), day(299)), (day(0), day(7))):
        assert first(base, *bounds).equals(one_by_one(base, *bounds))


@pytest.mark.parametrize("page", [None, b"\xff"])
def test_dates_that_are_stored_otherwise_are_found(filled, monkeypatch, page):
    expected = one_by_one(filled, day(5), day(9))
    monkeypatch.setattr(partition, "differences", lambda *given: page)
    assert first(filled, day(5), day(9)).equals(expected)


def test_threads_that_ask_at_once_are_answered_alike(filled):
    expected, found = one_by_one(filled, day(5), day(50)), []
    with FileDataStore(filled, create=False) as store:

        def ask():
            found.append(store.read_bar_table(SYMBOLS, day(5), day(50)))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert len(found) == len(threads)
    assert all(each.equals(expected) for each in found)


def test_a_reader_beside_a_writer_sees_each_bar_old_or_new(filled):
    stop = threading.Event()

    def write():
        close = 2.0
        with FileDataStore(filled, durability="os") as store:
            while not stop.is_set():
                close += 1
                store.write_bars("S07", bars("S07", 0, 300, close=close))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(30):
            found = first(filled, day(0), day(299), columns=["symbol", "close"])
            rows = found.filter(pa.compute.equal(found["symbol"], "S07"))
            assert len(found) == 300 * len(SYMBOLS)
            assert len(set(rows["close"].to_pylist())) == 1
    finally:
        stop.set()
        writer.join()


def test_files_are_closed_once_they_were_read(filled):
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else None
    with FileDataStore(filled, create=False) as store:
        store.read_bar_table(SYMBOLS, day(5), day(5))
        gc.collect()
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_reads_load_no_pandas(filled):
    """It takes longer to load than bars of a universe to be read."""
    with FileDataStore(filled, durability="os") as store:
        store.write_bars(
            "LONG",
            [PriceBar("LONG", DAY + timedelta(hours=n), 1, 1, 1, 1, 1) for n in range(9_000)],
        )
    code = f"""
import sys
from datetime import datetime
from storecore import open_store
with open_store("file", base_path={str(filled)!r}) as store:
    rows = len(store.read_bar_table({SYMBOLS!r}, datetime(2020, 1, 5), datetime(2020, 1, 9)))
    rows += len(store.read_bar_table("LONG")) + len(store.read_bars("S03"))
print(rows, "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(5 * len(SYMBOLS) + 9_000 + 300), "False"]
