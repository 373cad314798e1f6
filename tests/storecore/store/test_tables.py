"""Bars as tables from any store: by its own way where it has one, else by the ten methods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
import pytest
from storecore.laws import BarTablesByBars

import storecore
from storecore import InvalidData, InvalidName, PriceBar, StoreClosed
from storecore.bars.extra_values import FIELDS
from storecore.builtin.memory import MemoryDataStore
from storecore.store.tables import bars_by_symbol, kept_table

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class TenMethods:
    """A store that has what every store has, and no more."""

    def __init__(self):
        self._store = MemoryDataStore()
        self.calls = []

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        self.calls.append(("write_bars", symbol, timeframe))
        self._store.write_bars(symbol, bars, timeframe=timeframe)

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        self.calls.append(("read_bars", symbol, timeframe))
        return self._store.read_bars(symbol, start, end, timeframe=timeframe)


@pytest.fixture(params=[TenMethods, MemoryDataStore, "file"])
def any_store(request, tmp_path):
    if request.param == "file":
        with storecore.open_store("file", base_path=tmp_path / "data") as opened:
            yield opened
    else:
        yield request.param()


def table(*rows, volume=7):
    names = FIELDS
    bars = [
        PriceBar(symbol, JAN_5 + timedelta(day), 1.0, 2.0, 0.5, close, volume)
        for symbol, day, close in rows
    ]
    return pa.table({name: [getattr(bar, name) for bar in bars] for name in names})


ROWS = [("MSFT", 1, 2.0), ("AAPL", 1, 4.0), ("AAPL", 0, 3.0), ("MSFT", 0, 1.0)]


def test_a_table_is_written_and_read_with_any_store(any_store):
    storecore.write_bar_table(any_store, table(*ROWS))
    read = storecore.read_bar_table(any_store, ["MSFT", "AAPL", "NONE"], *ALWAYS)
    assert read["close"].to_pylist() == [3.0, 4.0, 1.0, 2.0]
    assert read["symbol"].to_pylist() == ["AAPL", "AAPL", "MSFT", "MSFT"]
    assert [bar.close for bar in any_store.read_bars("AAPL", *ALWAYS)] == [3.0, 4.0]


def test_a_timeframe_is_passed_on(any_store):
    storecore.write_bar_table(any_store, table(*ROWS), timeframe="1m")
    counts = [
        len(storecore.read_bar_table(any_store, "AAPL", *ALWAYS, timeframe=timeframe))
        for timeframe in ("1d", "1m")
    ]
    streamed = storecore.iter_bar_tables(any_store, "AAPL", *ALWAYS, timeframe="1m")
    assert (counts, sum(map(len, streamed))) == ([0, 2], 2)


@pytest.mark.parametrize("max_bytes", [1, 64, 150, 10**9])
@pytest.mark.parametrize("columns", [None, ["close"], ["close", "symbol"]])
def test_a_stream_is_in_order_of_time_with_any_store(any_store, max_bytes, columns):
    storecore.write_bar_table(any_store, table(*ROWS))
    tables = list(
        storecore.iter_bar_tables(
            any_store, ["AAPL", "MSFT"], *ALWAYS, columns=columns, max_bytes=max_bytes
        )
    )
    assert [close for each in tables for close in each["close"].to_pylist()] == [3.0, 1.0, 4.0, 2.0]
    assert all(tables)
    assert all(len(each) for each in tables)
    assert {tuple(each.column_names) for each in tables} == {tuple(columns or FIELDS)}


def test_b3_nothing_to_stream_is_no_table(any_store):
    assert list(storecore.iter_bar_tables(any_store, "AAPL", *ALWAYS)) == []


def test_b2_a_table_is_checked_whole_before_the_first_bar_is_written(any_store):
    bad = table(("AAPL", 0, 1.0), ("MSFT", 0, float("nan")))
    with pytest.raises(InvalidData, match=r"table\[1\]\.close=nan"):
        storecore.write_bar_table(any_store, bad)
    assert len(storecore.read_bar_table(any_store, ["AAPL", "MSFT"], *ALWAYS)) == 0


@pytest.mark.parametrize("name", ["", "\0"])
def test_n2_a_timeframe_that_is_no_name_is_refused(any_store, name):
    with pytest.raises(InvalidName):
        storecore.write_bar_table(any_store, table(*ROWS), timeframe=name)
    with pytest.raises(InvalidName):
        storecore.read_bar_table(any_store, "AAPL", *ALWAYS, timeframe=name)
    with pytest.raises(InvalidName):
        list(storecore.iter_bar_tables(any_store, "AAPL", *ALWAYS, timeframe=name))


def test_an_unknown_column_is_refused_by_any_store(any_store):
    for ask in (storecore.read_bar_table, storecore.iter_bar_tables):
        with pytest.raises(InvalidData, match="did you mean 'close'"):
            list(ask(any_store, "AAPL", *ALWAYS, columns=["clsoe"]))


def test_a_store_of_ten_methods_is_asked_a_symbol_at_a_time():
    store = TenMethods()
    storecore.write_bar_table(store, table(*ROWS), timeframe="1h")
    storecore.read_bar_table(store, "AAPL", *ALWAYS, timeframe="1h")
    assert store.calls == [
        ("write_bars", "AAPL", "1h"),
        ("write_bars", "MSFT", "1h"),
        ("read_bars", "AAPL", "1h"),
    ]


def test_a_stream_is_read_into_memory_where_it_is_needed_twice():
    bars = table(*ROWS)
    assert kept_table(bars.to_reader()).equals(bars)
    assert kept_table(bars) is bars
    assert kept_table(7) == 7


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.large_string()], ids=str)
def test_bars_are_counted_by_symbol(kind):
    bars = table(*ROWS, ("AAPL", 3, 1.0))
    bars = bars.set_column(0, "symbol", bars["symbol"].cast(kind))
    assert bars_by_symbol(bars) == {"AAPL": 3, "MSFT": 2}


@pytest.mark.parametrize("max_bytes", [0, -1, "1MB", True, 1.5])
def test_a_bound_that_is_none_is_refused(any_store, max_bytes):
    with pytest.raises(InvalidData, match=r"max_bytes=.*: expected a number of bytes, 1 or more"):
        list(storecore.iter_bar_tables(any_store, "AAPL", *ALWAYS, max_bytes=max_bytes))


class ByBars(MemoryDataStore):
    """A backend whose tables are written by its ten methods."""

    write_bar_table = BarTablesByBars.write_bar_table


def test_a_table_may_be_written_by_the_ten_methods():
    store = ByBars()
    day = datetime(2026, 1, 5, tzinfo=UTC)
    bars = [PriceBar(symbol, day, 1.0, 2.0, 0.5, 1.5, 7) for symbol in ("A", "B")]
    names = FIELDS
    store.write_bar_table(pa.table({name: [getattr(bar, name) for bar in bars] for name in names}))
    assert [store.read_bars(symbol, day, day) for symbol in ("A", "B")] == [bars[:1], bars[1:]]
    store.close()
    with pytest.raises(StoreClosed):
        store.write_bar_table(None)


# What a table says of itself.


@pytest.mark.parametrize("kind", ["memory", "file", "ten methods"])
def test_a_table_says_its_timeframe_its_store_and_the_version(kind, tmp_path, bar):
    made = {
        "memory": MemoryDataStore,
        "file": partial(storecore.open_store, "file", base_path=tmp_path / "data"),
        "ten methods": TenMethods,
    }
    store = made[kind]()
    store.write_bars("AAPL", [bar()], timeframe="5m")
    read = storecore.read_bar_table(store, "AAPL", *ALWAYS, timeframe="5m")
    streamed = list(storecore.iter_bar_tables(store, "AAPL", *ALWAYS, timeframe="5m"))
    for table in (read, *streamed):
        assert table.schema.metadata == {
            b"storecore.timeframe": b"5m",
            b"storecore.backend": type(store).__name__.encode(),
            b"storecore.version": storecore.__version__.encode(),
        }
    assert len(streamed) == 1
    assert read.equals(read.replace_schema_metadata(None))
    storecore.write_bar_table(store, read, timeframe="1d")
    assert storecore.read_bar_table(store, "AAPL", *ALWAYS) == read
