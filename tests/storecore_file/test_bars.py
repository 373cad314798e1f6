"""The room of bars: where they lie, what a write touches, and what damage does."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, date, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from storecore.capabilities import Coverage, Footprint
from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore

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


def test_a_batch_is_split_at_the_microsecond(store, base, bar):
    march = datetime(2026, 3, 1)
    store.write_bars("AAPL", [bar(march - MICROSECOND), bar(march), bar(march + MICROSECOND)])
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


def test_an_append_touches_the_file_of_its_month_only(store, files, bar):
    store.write_bars("AAPL", [bar(datetime(2026, month, 5)) for month in range(1, 13)])
    store.write_bars("AAPL", [bar()], timeframe="1m")
    before = files()
    store.write_bars("AAPL", [bar(datetime(2026, 12, 6))])
    after = files()
    assert [part for part in before if before[part] != after[part]] == ["AAPL/2026-12.parquet"]


def test_a_read_opens_the_files_of_its_range_only(store, base, bar, monkeypatch):
    store.write_bars("AAPL", [bar(datetime(2026, month, 5)) for month in range(1, 13)])
    for month in (1, 2, 5, 12):
        (base / "prices" / "AAPL" / f"2026-{month:02}.parquet").write_bytes(b"")
    assert len(store.read_bars("AAPL", datetime(2026, 3, 1), datetime(2026, 4, 30))) == 2


def test_a_file_that_is_not_named_like_a_month_is_no_bars(store, base, bar, january):
    store.write_bars("AAPL", [bar()])
    for name in ("2026-01.parquet.bak", "2026-1.parquet", "copy.parquet", ".2026-02.parquet.x.tmp"):
        shutil.copy(january, january.with_name(name))
    assert store.read_bars("AAPL", FIRST, LAST) == [bar()]


def test_a_file_that_was_removed_while_it_was_listed_is_no_error(store, bar, january, monkeypatch):
    store.write_bars("AAPL", [bar(), bar(datetime(2026, 2, 5))])
    names = type(store._bars._disk).names

    def then_removed(self, folder):
        listed = names(self, folder)
        january.unlink()
        return listed

    monkeypatch.setattr(type(store._bars._disk), "names", then_removed)
    assert store.read_bars("AAPL", FIRST, LAST) == [bar(datetime(2026, 2, 5))]


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
    store.write_bars("AAPL", [bar(), bar(datetime(2026, 2, 5))])
    store.write_bars("AAPL", [bar(), bar(datetime(2026, 2, 5))], timeframe="1m")
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
    store.write_bars("AAPL", [bar(), bar(datetime(2026, 2, 5))])
    bytes_ = sum(part.stat().st_size for part in january.parent.glob("*.parquet"))
    assert store.bar_footprint("AAPL") == Footprint(2, bytes_)


def test_the_footprint_of_nothing_is_nothing(store):
    assert store.bar_footprint("AAPL") == Footprint(0, 0)


def test_d5_a_month_copied_under_the_name_of_another_is_corrupt(store, base, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 1, 5))])
    part = base / "prices" / "AAPL" / "2026-01.parquet"
    part.with_name("2026-02.parquet").write_bytes(part.read_bytes())
    with pytest.raises(CorruptData, match=r"2026-02\.parquet: expected bars of its month"):
        store.read_bars("AAPL", date.min, date.max)


def test_d2_a_batch_that_meets_a_damaged_month_writes_none_of_its_months(store, base, bar):
    store.write_bars("AAPL", [bar(datetime(2026, 2, 5))])
    (base / "prices" / "AAPL" / "2026-02.parquet").write_bytes(b"damaged")
    with pytest.raises(CorruptData):
        store.write_bars("AAPL", [bar(datetime(2026, 1, 5)), bar(datetime(2026, 2, 6))])
    assert not (base / "prices" / "AAPL" / "2026-01.parquet").exists()


def test_d5_no_byte_set_to_zero_changes_what_a_read_returns(store, base, bar):
    # A zero in a page's header ends it before its checksum: the page's own would not be looked at.
    store.write_bars("AAPL", [bar(datetime(2026, 1, day)) for day in (5, 6)])
    part = base / "prices" / "AAPL" / "2026-01.parquet"
    whole = part.read_bytes()
    for position in range(len(whole)):
        damaged = whole[:position] + b"\0" + whole[position + 1 :]
        if damaged != whole:
            part.write_bytes(damaged)
            with pytest.raises(CorruptData):
                store.read_bars("AAPL", date.min, date.max)
