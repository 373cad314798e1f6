"""The bar laws for tables: what a list of bars keeps, a table keeps, for many symbols at once."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import BarTables, InvalidData, InvalidName, PriceBar, StoreClosed

DAY = datetime(2026, 1, 31)
FIELDS = PriceBar.__struct_fields__
ALWAYS = datetime.min, datetime.max
prices = st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(["AAPL", "aapl", "BRK/B", "MSFT", "Ünïcødé"])
dates = st.integers(0, 60).map(lambda day: DAY + timedelta(day))
rows = st.lists(st.tuples(names, dates, prices), max_size=20)


def table_of(bars, volume=None):
    kinds = {"date": pa.timestamp("us"), "symbol": pa.string(), "volume": volume or pa.float64()}
    return pa.table(
        {
            name: pa.array([getattr(bar, name) for bar in bars], kinds.get(name, pa.float64()))
            for name in FIELDS
        }
    )


def read(store, symbols, **asked):
    return store.read_bar_table(symbols, *ALWAYS, **asked)


def test_a_store_of_either_backend_reads_and_writes_tables(store):
    assert isinstance(store, BarTables)


@given(batches=st.lists(rows, max_size=4))
def test_b1_any_tables_leave_the_last_write_of_each_symbol_and_date(
    store, bar, fresh_name, batches
):
    prefix, expected = fresh_name(), {}
    for batch in batches:
        bars = [
            bar(at, close, symbol=f"{prefix}{name}", volume=row)
            for row, (name, at, close) in enumerate(batch)
        ]
        store.write_bar_table(table_of(bars))
        expected |= {(each.symbol, each.date): each for each in bars}
    symbols = {symbol for symbol, _ in expected}
    found = [expected[key] for key in sorted(expected)]
    assert read(store, symbols).to_pylist() == table_of(found).to_pylist()
    assert [
        each for symbol in sorted(symbols) for each in store.read_bars(symbol, *ALWAYS)
    ] == found


def test_b1_a_table_and_a_list_replace_each_other(store, bar):
    store.write_bar_table(table_of([bar(DAY, 1.0)]))
    store.write_bars("AAPL", [bar(DAY, 2.0)])
    assert read(store, "AAPL")["close"].to_pylist() == [2.0]
    store.write_bar_table(table_of([bar(DAY, 3.0)]))
    assert read(store, "AAPL")["close"].to_pylist() == [3.0]


def test_b2_a_table_with_one_bad_row_changes_nothing(store, bar):
    store.write_bar_table(table_of([bar(DAY, 1.0)]))
    bad = table_of([bar(DAY, 5.0), bar(DAY, 6.0, symbol="MSFT"), bar(DAY, close=math.nan)])
    with pytest.raises(InvalidData, match=r"^table\[2\]\.close=nan"):
        store.write_bar_table(bad)
    assert read(store, ["AAPL", "MSFT"])["close"].to_pylist() == [1.0]


def test_n2_a_table_with_one_bad_name_changes_nothing(store, bar):
    with pytest.raises(InvalidName):
        store.write_bar_table(table_of([bar(DAY), bar(DAY, symbol="")]))
    assert store.symbols() == []


def test_b3_an_empty_table_does_nothing(store):
    store.write_bar_table(table_of([]))
    assert store.symbols() == []
    assert len(read(store, "AAPL")) == 0


@given(closes=st.lists(prices, min_size=1, max_size=5))
def test_b5_prices_come_back_bit_for_bit(store, bar, fresh_name, closes):
    symbol = fresh_name()
    bars = [bar(DAY + timedelta(day), each, symbol=symbol) for day, each in enumerate(closes)]
    store.write_bar_table(table_of(bars))
    assert [each.hex() for each in read(store, symbol)["close"].to_pylist()] == [
        each.hex() for each in closes
    ]


def test_b5_whole_volumes_beyond_2_53_stay_exact(store, bar):
    volumes = [2**53 + 1, 7, 2**63 - 1]
    bars = [bar(DAY + timedelta(day), volume=each) for day, each in enumerate(volumes)]
    store.write_bar_table(table_of(bars, pa.int64()))
    assert read(store, "AAPL")["volume"].to_pylist() == volumes
    assert [each.volume for each in store.read_bars("AAPL", *ALWAYS)] == volumes


@pytest.mark.parametrize("columns", [["close"], ["volume"], ["symbol"], ["low", "date"]])
def test_a_table_has_the_columns_that_were_asked_for(store, bar, columns):
    bars = [bar(DAY, volume=2**53 + 1), bar(DAY, symbol="MSFT")]
    store.write_bar_table(table_of(bars, pa.int64()))
    whole = read(store, ["AAPL", "MSFT"])
    assert read(store, ["AAPL", "MSFT"], columns=columns).equals(whole.select(columns))


def test_t2_dates_are_of_the_kind_asked_for(store, bar):
    store.write_bars("AAPL", [bar(DAY)])
    naive = store.read_bar_table("AAPL", DAY, DAY)
    aware = store.read_bar_table("AAPL", DAY.replace(tzinfo=UTC), DAY.replace(tzinfo=UTC))
    assert naive["date"].to_pylist() == [DAY]
    assert [each.isoformat() for each in aware["date"].to_pylist()] == ["2026-01-31T00:00:00+00:00"]
    with pytest.raises(ValueError, match="aware"):
        store.read_bar_table("AAPL", DAY, DAY.replace(tzinfo=UTC))


@given(first=st.integers(-1, 8), last=st.integers(-1, 8))
def test_t3_a_range_includes_both_ends(store, bar, fresh_name, first, last):
    symbol = fresh_name()
    store.write_bars(
        symbol, [bar(DAY + timedelta(day), float(day), symbol=symbol) for day in range(8)]
    )
    found = store.read_bar_table(symbol, DAY + timedelta(first), DAY + timedelta(last))
    assert found["close"].to_pylist() == [day for day in range(8) if first <= day <= last]


def test_t3_a_date_stands_for_its_whole_day_as_an_end(store, bar):
    store.write_bars("AAPL", [bar(DAY + timedelta(hours=hour)) for hour in (0, 23, 24)])
    assert len(store.read_bar_table("AAPL", date(2026, 1, 31), date(2026, 1, 31))) == 2


def test_a_frame_of_another_library_is_written(store, bar):
    store.write_bar_table(pl.from_arrow(table_of([bar(DAY), bar(DAY, symbol="MSFT")])))
    assert store.symbols() == ["AAPL", "MSFT"]


def test_the_catalog_knows_what_a_table_brought(store, bar):
    bars = [bar(DAY, symbol=f"S{number}") for number in range(6)]
    store.write_bar_table(table_of(bars), timeframe="1h")
    assert store.symbols("1h") == [f"S{number}" for number in range(6)]
    assert (store.symbols("1d"), store.timeframes("S3")) == ([], ["1h"])
    coverage = store.bar_coverage("S3", timeframe="1h")
    assert (coverage.first, coverage.count) == (DAY.replace(tzinfo=UTC), 1)


@pytest.mark.parametrize("days", [(0, 9), (3, 4), (8, 20), (20, 30), (7, 3)])
def test_deleted_bars_are_gone_and_counted(store, bar, days):
    bars = [bar(DAY + timedelta(day), symbol=f"S{each}") for each in range(5) for day in range(10)]
    store.write_bar_table(table_of(bars))
    start, end = (DAY + timedelta(day) for day in days)
    gone = [day for day in range(10) if days[0] <= day <= days[1]]
    assert store.delete_bars("S1", start, end) == len(gone)
    assert store.delete_bars("S1", start, end) == 0
    left = [each.date for each in store.read_bars("S1", *ALWAYS)]
    assert left == [DAY + timedelta(day) for day in range(10) if day not in gone]
    assert len(read(store, ["S0", "S2"])) == 20


def test_a_series_whose_bars_are_all_deleted_is_no_series(store, bar):
    store.write_bar_table(table_of([bar(DAY, symbol=f"S{each}") for each in range(5)]))
    assert store.delete_bars("S1", *ALWAYS) == 1
    assert store.symbols() == ["S0", "S2", "S3", "S4"]
    assert (store.timeframes("S1"), store.bar_coverage("S1").count) == ([], 0)
    store.write_bars("S1", [bar(DAY, symbol="S1")])
    assert store.symbols() == ["S0", "S1", "S2", "S3", "S4"]


def test_nothing_is_deleted_where_nothing_is(store):
    assert store.delete_bars("AAPL", *ALWAYS) == 0
    assert store.symbols() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.write_bar_table(table_of([])),
        lambda store: store.read_bar_table("AAPL", *ALWAYS),
        lambda store: store.delete_bars("AAPL", *ALWAYS),
    ],
    ids=["write_bar_table", "read_bar_table", "delete_bars"],
)
def test_l1_a_closed_store_is_no_more_asked(store, call):
    store.close()
    with pytest.raises(StoreClosed):
        call(store)
