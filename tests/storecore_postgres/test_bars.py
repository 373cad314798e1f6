"""Reads of bars, in pages and in windows: the same results as `memory`."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from math import copysign

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from storecore import PriceBar
from storecore.builtin.memory import MemoryDataStore
from storecore.reports import Coverage
from storecore_postgres import bar_pages, bar_rows, bars

ALL = date.min, date.max
SYMBOLS = ["A", "B", "a", "Ü", "A\\", "%s", "A'"]
NOON = datetime(2026, 1, 5, 12)
VOLUMES = st.integers(0, 2**63 - 1) | st.floats(0, 1e300) | st.sampled_from([2**53 + 1, 0.5])
CLOSES = st.floats(allow_nan=False, allow_infinity=False)
_numbers = itertools.count()


@st.composite
def batches(draw):
    """Batches of bars of some symbols, days that meet."""
    row = st.tuples(st.sampled_from(SYMBOLS), st.integers(-9, 9), CLOSES, VOLUMES)
    drawn = draw(st.lists(st.lists(row, max_size=12), max_size=4))
    return [
        [PriceBar(name, NOON + timedelta(day), 1, 2, 0.5, close, volume) for name, day, *_ in batch
         for close, volume in [_]]
        for batch in drawn
    ]  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Make sizes so small that a few bars are copied, in batches, and read in pages."""
    for module, name, value in [
        (bar_pages, "_PAGE_ROWS", 7),
        (bar_rows, "_COPY_FROM", 5),
        (bar_rows, "_COPY_PER_SERIES", 1),
        (bar_rows, "_UPSERT_ROWS", 4),
    ]:
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def models(store):
    """Return a store in memory beside the one of the test, and a timeframe that is still empty."""
    return lambda: (MemoryDataStore(), f"session {next(_numbers)}")


@settings(max_examples=30)
@given(batches())
def test_upserts_are_those_of_memory_whatever_the_size_of_batches_and_pages(
    store, small, models, batches
):
    memory, timeframe = models()
    for batch in batches:
        for each in (store, memory):
            for symbol in {bar.symbol for bar in batch}:
                own = [bar for bar in batch if bar.symbol == symbol]
                each.write_bars(symbol, own, timeframe=timeframe)
    for start, end in [ALL, (NOON - timedelta(3), NOON + timedelta(3)), (NOON, NOON)]:
        table = store.read_bar_table(SYMBOLS, start, end, timeframe=timeframe)
        assert table.equals(memory.read_bar_table(SYMBOLS, start, end, timeframe=timeframe))
        for symbol in SYMBOLS:
            asked = symbol, start, end
            read = store.read_bars(*asked, timeframe=timeframe)
            assert read == memory.read_bars(*asked, timeframe=timeframe)
            assert [type(bar.volume) for bar in read] == [
                type(bar.volume) for bar in memory.read_bars(*asked, timeframe=timeframe)
            ]
    assert store.symbols(timeframe) == memory.symbols(timeframe)


@settings(max_examples=30)
@given(batches(), st.integers(1, 9))
def test_windows_follow_each_other_and_hold_few_bars_or_one_instant(
    store, small, models, batches, most
):
    memory, timeframe = models()
    for batch in batches:
        table = MemoryDataStore()
        for bar in batch:
            # Else the numbers of a window decide of what type they are.
            table.write_bars(bar.symbol, [replace(bar, volume=1.0)])
        both = table.read_bar_table(SYMBOLS, *ALL)
        for each in (store, memory):
            each.write_bar_table(both, timeframe=timeframe)
    asked = {"timeframe": timeframe, "max_bytes": most * bars.ROW_BYTES}
    windows = list(store.iter_bar_tables(SYMBOLS, *ALL, **asked))
    rows = [row for window in windows for row in window.to_pylist()]
    expected = memory.read_bar_table(SYMBOLS, *ALL, timeframe=timeframe).to_pylist()
    assert rows == sorted(expected, key=lambda row: (row["date"], row["symbol"]))
    for window in windows:
        assert len(window) <= most or len(set(window["date"].to_pylist())) == 1


def test_an_answer_may_have_some_columns_only(store, bar):
    store.write_bars("AAPL", [bar(volume=2**53 + 1)])
    table = store.read_bar_table(["AAPL"], *ALL, columns=["close", "symbol"])
    assert table.to_pydict() == {"symbol": ["AAPL"], "close": [100.0]}
    exact = store.read_bar_table(["AAPL"], *ALL, columns=["volume"])
    assert store.read_bars("AAPL", *ALL) == [bar(volume=2**53 + 1)]
    assert len(exact) == 1


@pytest.mark.parametrize("at", [datetime.min, datetime.max, datetime(1999, 12, 31, 23, 59, 59)])
def test_the_extremes_of_time_come_back(store, bar, at):
    store.write_bars("AAPL", [bar(date=at)])
    assert store.read_bars("AAPL", at, at) == [bar(date=at)]
    aware = at.replace(tzinfo=UTC)
    assert store.bar_coverage("AAPL") == Coverage(aware, aware, 1)
    assert [len(table) for table in store.iter_bar_tables(["AAPL"], *ALL)] == [1]
    assert store.delete_bars("AAPL", at, at) == 1


def test_a_negative_zero_stays_one(store, bar):
    store.write_bars("AAPL", [bar(close=-0.0)])
    assert copysign(1, store.read_bars("AAPL", *ALL)[0].close) == -1


def test_what_a_series_covers_is_reported(store, bar):
    assert store.bar_coverage("AAPL") == Coverage(None, None, 0)
    days = [bar(date=datetime(2026, 1, day)) for day in (5, 7, 9)]
    store.write_bars("AAPL", days)
    first, last = (datetime(2026, 1, day, tzinfo=UTC) for day in (5, 9))
    assert store.bar_coverage("AAPL") == Coverage(first, last, 3)
    assert store.delete_bars("AAPL", date(2026, 1, 6), date(2026, 1, 9)) == 2
    assert store.read_bars("AAPL", *ALL) == days[:1]


@pytest.mark.parametrize("at", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
def test_a_time_that_no_store_would_have_written_is_not_answered_with(
    layout, store, admin, bar, at
):
    if layout == "timescale":
        pytest.skip("its tables take no such time")
    store.write_bars("AAPL", [bar(), bar(date=NOON)])
    admin.execute(f"UPDATE {store._quoted}.bars SET date = '{at}' WHERE date = '{NOON}+00'")
    assert store.bar_coverage("AAPL").count == 1
    assert store.read_bars("AAPL", *ALL) == [bar()]
    assert [len(table) for table in store.iter_bar_tables(["AAPL"], *ALL)] == [1]


def test_symbols_and_timeframes_are_found_and_sorted(store, bar):
    for symbol in ("B", "A", "Ü", "a"):
        store.write_bars(symbol, [bar(symbol=symbol)], timeframe="1m" if symbol < "B" else "1d")
    assert store.symbols() == ["A", "B", "a", "Ü"]
    assert store.symbols("1m") == ["A"]
    assert store.timeframes("A") == ["1m"]
    assert store.timeframes("Z") == []


def test_no_symbols_are_no_bars(store, bar):
    store.write_bars("AAPL", [bar()])
    assert len(store.read_bar_table([], *ALL)) == 0
    assert list(store.iter_bar_tables([], *ALL)) == []


@pytest.mark.parametrize("count", [4_000, pytest.param(40_000, marks=pytest.mark.soak)])
def test_a_batch_of_thousands_of_symbols_is_written_and_read(store, count):
    names = [f"S{number:05}" for number in range(count)]
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * len(names))
    store.write_bar_table(pa.table({"symbol": names, "date": [NOON] * len(names), **prices}))
    assert store.read_bar_table(names, *ALL)["symbol"].to_pylist() == names
    assert store.symbols() == names
