"""The room of bars: where they lie, what a write touches, and what damage does."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from storecore.errors import CorruptData, StorageError
from storecore.reports import Coverage, Footprint
from storecore_file import FileDataStore
from storecore_file.bars.layout import OPEN_END_ROWS, OPEN_ROWS, PARTITION_ROWS
from storecore_file.bars.writer import SeriesWriter
from storecore_file.fs.disk import Disk

FIRST, LAST = datetime.min, datetime.max
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def files(base):
    """Return the files of bars, as paths under `prices`, with what tells that they were touched."""

    def listed():
        parts = sorted((base / "prices").rglob("*.parquet"))
        return {
            str(part.relative_to(base / "prices")): (part.stat().st_ino, part.stat().st_mtime_ns)
            for part in parts
        }

    return listed


@pytest.fixture
def january(base):
    return base / "prices" / "AAPL" / "2026-01.parquet"


# Where bars lie.


@pytest.mark.parametrize(
    ("symbol", "timeframe", "part"),
    [
        ("AAPL", "1d", "AAPL/2026-01.parquet"),
        ("AAPL", "1m", "AAPL/1m/2026-01.parquet"),
        ("AAPL", "1M", "AAPL/1+M/2026-01.parquet"),
        ("aapl", "1d", "+aapl/2026-01.parquet"),
        ("BRK/B", "1h", "BRK%2FB/1h/2026-01.parquet"),
        ("AAPL", "2026-01.parquet", "AAPL/2026-01%2Eparquet/2026-01.parquet"),
    ],
)
def test_a_month_of_a_series_is_a_file(store, files, bar, symbol, timeframe, part):
    store.write_bars(symbol, [bar(symbol=symbol)], timeframe=timeframe)
    assert list(files()) == [part]


@pytest.mark.parametrize(
    ("moment", "part"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, 999_999), "2026-01"),
        (datetime(2026, 2, 1), "2026-02"),
        (datetime(2024, 2, 29, 23, 59, 59, 999_999), "2024-02"),
        (datetime(2025, 12, 31, 23, 59, 59, 999_999), "2025-12"),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999), "1969-12"),
        (datetime.min, "0001-01"),
        (datetime.max, "9999-12"),
        (datetime(2026, 2, 1, 1, tzinfo=UTC) - timedelta(hours=2), "2026-01"),
        (datetime.fromisoformat("2026-01-31T23:30:00-05:00"), "2026-02"),
        (date(2026, 3, 1), "2026-03"),
    ],
)
def test_the_month_is_that_of_utc(store, files, bar, moment, part):
    store.write_bars("AAPL", [bar(moment)])
    assert list(files()) == [f"AAPL/{part}.parquet"]


def test_a_month_ends_at_the_microsecond(store, base, bar):
    march = datetime(2026, 3, 1)
    store.write_bars("AAPL", [bar(march - MICROSECOND)])
    store.write_bars("AAPL", [bar(march), bar(march + MICROSECOND)])
    parts = sorted((base / "prices" / "AAPL").glob("*.parquet"))
    assert [pq.read_metadata(part).num_rows for part in parts] == [1, 2]


def test_the_first_and_the_last_instant_come_back(store, bar):
    bars = [bar(FIRST), bar(LAST)]
    store.write_bars("AAPL", bars)
    assert store.read_bars("AAPL", FIRST, LAST) == bars


def test_b3_an_empty_batch_makes_no_folder(store, base):
    store.write_bars("AAPL", [])
    assert list((base / "prices").iterdir()) == []


# What a write and a read touch.


def test_a_bulk_write_makes_one_part_of_whole_months(store, files, bar):
    store.write_bars("AAPL", [bar(datetime(2006, 1, 5) + timedelta(day)) for day in range(7_300)])
    assert list(files()) == ["AAPL/2006-01--2025-12.parquet"]


def test_a_bulk_write_of_more_makes_partitions_of_about_as_many_bars(store, base, files):
    minutes = 250_000
    dates = pc.multiply(pa.array(range(minutes)), 60).cast(pa.timestamp("s"))
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), pc.random(minutes))
    table = pa.table({"symbol": ["AAPL"] * minutes, "date": dates, **prices})
    store.write_bar_table(table, timeframe="1m")
    counts = [pq.read_metadata(base / "prices" / name).num_rows for name in files()]
    assert sum(counts) == minutes
    assert all(count <= PARTITION_ROWS for count in counts)
    assert len(counts) == 4
    assert counts[-1] <= OPEN_END_ROWS  # an append or a correction replaces few bars


def test_an_append_to_a_long_series_touches_a_small_part_only(store, base, files, bar):
    minutes = [bar(datetime(2026, 1, 5) + timedelta(minutes=at)) for at in range(30_000)]
    store.write_bars("AAPL", minutes, timeframe="1m")
    for at in range(30_000, 30_003):
        before = files()
        store.write_bars(
            "AAPL", [bar(datetime(2026, 1, 5) + timedelta(minutes=at))], timeframe="1m"
        )
        after = files()
    touched = [name for name in after if before.get(name) != after[name]]
    assert len(touched) == 1
    assert pq.read_metadata(base / "prices" / touched[0]).num_rows <= OPEN_ROWS
    assert store.bar_coverage("AAPL", timeframe="1m").count == 30_003


@pytest.mark.parametrize("grown", [600, pytest.param(2_500, marks=pytest.mark.soak)])
def test_a_series_that_grew_a_day_at_a_time_is_a_handful_of_files(base, files, bar, grown):
    days = [datetime(2016, 1, 4) + timedelta(day) for day in range(grown)]
    with FileDataStore(base, durability="os") as store:
        for number, day in enumerate(days):
            store.write_bars("AAPL", [bar(day, float(number))])
        assert len(files()) <= 5
        assert [each.date for each in store.read_bars("AAPL", FIRST, LAST)] == days
        assert store.bar_coverage("AAPL").count == grown


def test_a_universe_that_grew_a_day_at_a_time_is_a_handful_of_files_a_symbol(base, files, bar):
    days = [datetime(2016, 1, 4) + timedelta(day) for day in range(300)]
    with FileDataStore(base, durability="os") as store:
        for day in days:
            bars = [bar(day, symbol=f"S{number}") for number in range(5)]
            names = type(bars[0]).__struct_fields__
            columns = {name: [getattr(each, name) for each in bars] for name in names}
            store.write_bar_table(pa.table(columns))
    assert len(files()) <= 5 * 2
    with FileDataStore(base) as store:
        assert (
            len(store.read_bar_table([f"S{number}" for number in range(5)], FIRST, LAST)) == 1_500
        )


def test_a_read_opens_the_files_of_its_range_only(store, base, bar):
    folder = base / "prices" / "AAPL"
    for year in (2020, 2022, 2024, 2026):
        with FileDataStore(base.with_name(str(year))) as other:
            other.write_bars("AAPL", [bar(datetime(year, 3, 5))])
        folder.mkdir(exist_ok=True)
        name = f"{year}-03.parquet"
        shutil.copy(base.with_name(str(year)) / "prices" / "AAPL" / name, folder)
    for year in (2020, 2026):
        (folder / f"{year}-03.parquet").write_bytes(b"")
    assert len(store.read_bars("AAPL", datetime(2021, 1, 1), datetime(2025, 4, 30))) == 2


def test_a_file_that_is_not_named_like_a_month_is_no_bars(store, base, bar, january):
    store.write_bars("AAPL", [bar()])
    for name in ("2026-01.parquet.bak", "2026-1.parquet", "copy.parquet", ".2026-02.parquet.x.tmp"):
        shutil.copy(january, january.with_name(name))
    assert store.read_bars("AAPL", FIRST, LAST) == [bar()]


def test_b4_a_partition_that_was_merged_away_while_it_was_listed_is_read_from_the_other(
    store, base, bar, monkeypatch, small
):
    store.write_bars("AAPL", [bar(datetime(2026, 1, day)) for day in range(1, 7)])
    store.write_bars("AAPL", [bar(datetime(2026, 2, 5))])
    names = Disk.names

    def then_merged(self, folder):
        listed = names(self, folder)
        if folder.name == "AAPL":
            monkeypatch.setattr(Disk, "names", names)
            with FileDataStore(base) as other:
                other.write_bars("AAPL", [bar(datetime(2026, 3, 5))])
            assert names(self, folder) != listed
        return listed

    monkeypatch.setattr(Disk, "names", then_merged)
    assert len(store.read_bars("AAPL", FIRST, LAST)) == 8


def test_a_folder_whose_partitions_vanish_again_and_again_is_an_error(store, bar, monkeypatch):
    store.write_bars("AAPL", [bar()])
    monkeypatch.setattr(Disk, "opened", lambda self, path: None)
    with pytest.raises(StorageError, match="AAPL: its files vanished 100 times while they were"):
        store.read_bars("AAPL", FIRST, LAST)


def test_b4_a_reader_beside_a_writer_never_misses_a_bar(store, base, bar):
    days = [datetime(2026, 1, 1) + timedelta(days=day) for day in range(60)]
    store.write_bars("AAPL", [bar(day, close=0.0) for day in days])
    done = threading.Event()

    def rewrite():
        with FileDataStore(base_path=base, durability="os") as other:
            for close in range(1, 40):
                other.write_bars("AAPL", [bar(day, close=float(close)) for day in days])
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    reads = []
    while not done.is_set():
        reads.append(store.read_bars("AAPL", FIRST, LAST))
    writer.join()
    assert {tuple(each.date for each in bars) for bars in reads} == {tuple(days)}


# Volumes.


def test_whole_volumes_beyond_2_53_stay_exact_beside_fractional_ones(store, bar):
    volumes = [2**53 + 1, 0.5, 2**63 - 1, 7, 1e300, 2**62 + 1]
    bars = [bar(datetime(2026, 1, day), volume=volume) for day, volume in enumerate(volumes, 1)]
    store.write_bars("AAPL", bars[::2])
    store.write_bars("AAPL", bars[1::2])
    store.write_bars("AAPL", [bars[3]])
    read = [each.volume for each in store.read_bars("AAPL", FIRST, LAST)]
    assert (read, [type(volume) for volume in read]) == (
        volumes,
        [int, float, int, int, float, int],
    )


def test_a_large_volume_that_is_replaced_by_a_small_one_is_gone(store, bar):
    store.write_bars("AAPL", [bar(volume=2**53 + 1)])
    store.write_bars("AAPL", [bar(volume=3)])
    assert store.read_bars("AAPL", FIRST, LAST) == [bar(volume=3)]


def test_months_of_whole_and_of_fractional_volumes_have_one_schema(store, base, bar):
    store.write_bars("AAPL", [bar(volume=1), bar(datetime(2026, 2, 5), volume=0.5)])
    store.write_bars("AAPL", [bar(datetime(2026, 3, 5), volume=2**63 - 1)])
    parts = (base / "prices" / "AAPL").glob("*.parquet")
    assert len({str(pq.read_schema(part).remove_metadata()) for part in parts}) == 1


# Damage (law D5) and failure (law D2).


def flipped(path):
    """Flip a bit of the last page: that of the volumes."""
    content = bytearray(path.read_bytes())
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    content[-footer - 5] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "flipped": flipped,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "emptied": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"garbage" * 100),
    "another symbol's": lambda path: shutil.copy(path.parents[1] / "MSFT" / path.name, path),
    "another timeframe's": lambda path: shutil.copy(path.parent / "1m" / path.name, path),
}


@pytest.fixture(params=DAMAGE)
def damaged(request, store, bar, january):
    """The file of January, damaged, beside a February that is whole."""
    for day in (datetime(2026, 1, 5), datetime(2026, 2, 5)):
        store.write_bars("AAPL", [bar(day)])
        store.write_bars("AAPL", [bar(day)], timeframe="1m")
    store.write_bars("MSFT", [bar(symbol="MSFT")])
    DAMAGE[request.param](january)
    return january


def test_d5_a_damaged_file_is_corrupt_and_named(store, damaged):
    with pytest.raises(CorruptData) as caught:
        store.read_bars("AAPL", FIRST, LAST)
    assert caught.value.path == str(damaged)


def test_d5_a_write_to_a_damaged_month_is_refused_and_leaves_it(store, damaged, bar):
    before = damaged.read_bytes()
    with pytest.raises(CorruptData):
        store.write_bars("AAPL", [bar(datetime(2026, 1, 6))])
    assert damaged.read_bytes() == before


def test_d5_the_other_months_of_a_damaged_one_are_read_and_written(store, damaged, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 2, 6))])
    assert len(store.read_bars("AAPL", datetime(2026, 2, 1), LAST)) == 2


def test_d5_bars_that_lie_in_a_new_partition_are_written_beside_a_damaged_one(store, damaged, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 3, 5))])
    assert len(store.read_bars("AAPL", datetime(2026, 2, 1), LAST)) == 2


def test_d5_a_column_of_a_damaged_series_is_no_guess(store, damaged):
    with pytest.raises(CorruptData):
        store.read_bar_table("AAPL", FIRST, LAST, columns=["volume"])


def test_d5_the_coverage_of_a_damaged_series_is_no_guess(store, damaged):
    with pytest.raises(CorruptData) as caught:
        store.bar_coverage("AAPL")
    assert caught.value.path == str(damaged)


@pytest.mark.parametrize("call", ["write", "fdatasync", "replace"])
def test_d2_a_write_that_fails_leaves_the_bars_that_were_there(
    store, bar, failing, call, monkeypatch, january
):
    store.write_bars("AAPL", [bar()])
    failing(call)
    with pytest.raises(StorageError) as caught:
        store.write_bars("AAPL", [bar(close=1.0), bar(datetime(2026, 1, 6))])
    monkeypatch.undo()
    assert caught.value.path == str(january)
    assert store.read_bars("AAPL", FIRST, LAST) == [bar()]


# What is there.


def test_symbols_are_listed_by_timeframe_or_of_any(store, bar):
    for symbol, timeframe in [("MSFT", "1d"), ("AAPL", "1m"), ("aapl", "1m"), ("AAPL", "1d")]:
        store.write_bars(symbol, [bar(symbol=symbol)], timeframe=timeframe)
    assert store.symbols() == ["AAPL", "MSFT", "aapl"]
    assert store.symbols("1d") == ["AAPL", "MSFT"]
    assert store.symbols("1m") == ["AAPL", "aapl"]
    assert store.symbols("1h") == []


def test_timeframes_of_a_symbol_are_listed(store, bar):
    for timeframe in ("1m", "1d", "1M"):
        store.write_bars("AAPL", [bar()], timeframe=timeframe)
    assert store.timeframes("AAPL") == ["1M", "1d", "1m"]
    assert store.timeframes("MSFT") == []


def test_a_name_too_long_for_a_file_name_is_listed_as_it_is(store, bar):
    long = "Ünïcødé" * 50
    store.write_bars(long, [bar(symbol=long)], timeframe=long)
    assert (store.symbols(), store.timeframes(long)) == ([long], [long])


def test_a_folder_without_bars_is_no_series(store, base):
    (base / "prices" / "MSFT" / "1m").mkdir(parents=True)
    assert (store.symbols(), store.symbols("1m"), store.timeframes("MSFT")) == ([], [], [])


def test_coverage_is_first_last_and_count(store, bar):
    moments = [datetime(2026, 1, 31, 12), datetime(2025, 11, 2), datetime(2026, 3, 5)]
    store.write_bars("AAPL", [bar(moment) for moment in moments])
    first, last = datetime(2025, 11, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    assert store.bar_coverage("AAPL") == Coverage(first, last, 3)


def test_nothing_is_covered_where_nothing_is(store):
    assert store.bar_coverage("AAPL") == Coverage(None, None, 0)


def test_the_footprint_is_files_and_bytes(store, bar, january):
    store.write_bars("AAPL", [bar()])
    store.write_bars("AAPL", [bar(datetime(2026, 2, 5))])
    bytes_ = sum(part.stat().st_size for part in january.parent.glob("*.parquet"))
    assert store.bar_footprint("AAPL") == Footprint(2, bytes_)


def test_the_footprint_of_nothing_is_nothing(store):
    assert store.bar_footprint("AAPL") == Footprint(0, 0)


def test_d5_a_month_copied_under_the_name_of_another_is_corrupt(store, base, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 1, 5))])
    part = base / "prices" / "AAPL" / "2026-01.parquet"
    part.with_name("2026-02.parquet").write_bytes(part.read_bytes())
    with pytest.raises(
        CorruptData, match=r"2026-02\.parquet: expected bars of the range that its name tells"
    ):
        store.read_bars("AAPL", date.min, date.max)


def test_d2_a_batch_that_meets_a_damaged_month_writes_none_of_its_months(store, base, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 2, 5))])
    (base / "prices" / "AAPL" / "2026-02.parquet").write_bytes(b"damaged")
    with pytest.raises(CorruptData):
        store.write_bars("AAPL", [bar(datetime(2026, 1, 5)), bar(datetime(2026, 2, 6))])
    assert not (base / "prices" / "AAPL" / "2026-01.parquet").exists()


# The same bars, wherever they lie.


def test_a_name_too_long_is_read_from_a_partition_that_was_merged_meanwhile(
    store, bar, monkeypatch
):
    long = "x" * 300
    store.write_bars(long, [bar(symbol=long)])
    monkeypatch.setattr("storecore_file.bars.collection.any_metadata", lambda disk, folder: None)
    with pytest.raises(StorageError, match="vanished while they were read"):
        store.symbols()


def test_deleting_leaves_no_empty_partition(store, files, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 1, day)) for day in (5, 6)])
    store.write_bars("AAPL", [bar(datetime(2026, 2, 5))])
    assert store.delete_bars("AAPL", datetime(2026, 1, 1), datetime(2026, 1, 31)) == 2
    assert list(files()) == ["AAPL/2026-02.parquet"]


def test_bars_that_come_to_the_journal_while_others_are_deleted_are_kept(
    store, base, bar, monkeypatch
):
    def batch(close):
        bars = [bar(datetime(2026, 1, 9), close, symbol=f"S{number}") for number in range(5)]
        names = type(bars[0]).__struct_fields__
        return pa.table({name: [getattr(each, name) for each in bars] for name in names})

    store.write_bars("S1", [bar(datetime(2026, 1, 5), symbol="S1")])
    delete = SeriesWriter.delete

    def beside(self, first, last):
        monkeypatch.undo()
        store.write_bar_table(batch(1.0))
        gone = delete(self, first, last)
        store.write_bar_table(batch(2.0))
        return gone

    monkeypatch.setattr(SeriesWriter, "delete", beside)
    assert store.delete_bars("S1", FIRST, LAST) == 2
    assert [each.close for each in store.read_bars("S1", FIRST, LAST)] == [2.0]
    assert store.symbols() == [f"S{number}" for number in range(5)]


def test_compact_says_how_many_files_it_merged(store, bar, files, small):
    for month in range(1, 8):
        store.write_bars("AAPL", [bar(datetime(2026, month, day)) for day in range(1, 16)])
    before = len(files())
    report = store.compact()
    assert before > len(files())
    assert report.actions == (f"merged {before - len(files())} files of bars into others",)


def test_d2_a_deletion_that_is_done_is_no_error_where_an_empty_partition_cannot_be_removed(
    store, bar, monkeypatch, caplog
):
    def full(self):
        raise StorageError("disk full")

    store.write_bars("AAPL", [bar()])
    monkeypatch.setattr(SeriesWriter, "drop_empty", full)
    assert store.delete_bars("AAPL", FIRST, LAST) == 1
    assert store.read_bars("AAPL", FIRST, LAST) == []
    assert "empty partitions are removed later: disk full" in caplog.text


def test_a_merge_that_fails_is_put_off(store, bar, failing, monkeypatch, caplog):
    store.write_bars("AAPL", [bar(datetime(2026, 1, 5))])
    store.write_bars("AAPL", [bar(datetime(2026, 2, 5))])
    failing("replace", after=1)
    store.write_bars("AAPL", [bar(datetime(2026, 3, 5))])
    monkeypatch.undo()
    assert "merging its partitions is put off" in caplog.text
    assert len(store.read_bars("AAPL", FIRST, LAST)) == 3
