"""Bars as Arrow columns: nothing that a user gave is changed on the way there and back."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import PriceBar
from storecore.bars.rows import BarColumns
from storecore.bars.table import (
    DATE,
    EMPTY,
    EXACT,
    FIELDS,
    SERIES,
    all_whole,
    bar_columns_of,
    bars_of,
    between,
    buffer_of,
    instants_of,
    joined,
    number_column,
    repeated,
    repeated_once,
    series_table,
    text_column,
    upserted,
    values,
    with_exact,
)
from storecore.values.times import EARLIEST, LATEST, to_datetime

prices = st.floats(allow_nan=False, allow_infinity=False)
volumes = (
    st.integers(0, 2**63 - 1)
    | st.integers(2**53 - 2, 2**53 + 2)
    | st.floats(0, allow_infinity=False).filter(lambda volume: not volume.is_integer())
    | st.just(1e300)
)
rows = st.tuples(prices, prices, prices, prices, volumes)
series = st.dictionaries(st.integers(EARLIEST, LATEST), rows, min_size=1, max_size=8)


def columns(bars):
    dates = sorted(bars)
    return BarColumns(dates, *map(list, zip(*(bars[date] for date in dates), strict=True)))


def table_of(bars):
    return series_table(columns(bars))


def kinds(given):
    return [type(volume) for volume in given.volume]


@given(bars=series)
def test_columns_come_back_as_they_were_given(bars):
    back = bar_columns_of(table_of(bars))
    assert (back, kinds(back)) == (columns(bars), kinds(columns(bars)))


@given(bars=series, aware=st.booleans())
def test_bars_come_back_as_they_were_given_in_the_kind_asked_for(bars, aware):
    expected = [PriceBar("AAPL", to_datetime(date, aware), *bars[date]) for date in sorted(bars)]
    back = bars_of("AAPL", table_of(bars), aware)
    assert back == expected
    assert [bar.date.tzinfo for bar in back] == [bar.date.tzinfo for bar in expected]
    assert kinds(columns(bars)) == [type(bar.volume) for bar in back]


def test_an_empty_table_is_no_bars():
    assert bars_of("AAPL", EMPTY, aware=True) == []
    assert bar_columns_of(EMPTY) == BarColumns([], [], [], [], [], [])
    assert list(instants_of(SERIES.empty_table().slice(0, 0))) == []


@given(bars=series)
def test_every_table_has_one_schema_but_for_exact_volumes(bars):
    table = table_of(bars)
    exact = any(isinstance(row[-1], int) and float(row[-1]) != row[-1] for row in bars.values())
    assert table.column_names == [*SERIES.names, *([EXACT] if exact else [])]
    assert table.select(SERIES.names).schema.equals(SERIES)


def test_the_fields_are_those_of_a_price_bar():
    assert PriceBar.__struct_fields__ == (*FIELDS, "extra")


@given(old=series, new=series, shared=st.data())
def test_b1_what_is_new_takes_the_place_of_what_is_old(old, new, shared):
    again = shared.draw(st.lists(st.sampled_from(sorted(old)), max_size=4))
    new = new | dict.fromkeys(again, new[min(new)])
    assert bar_columns_of(upserted(table_of(old), table_of(new))) == columns(old | new)


@given(bars=series)
def test_b3_nothing_new_changes_nothing_and_nothing_old_is_no_hindrance(bars):
    table = table_of(bars)
    assert upserted(table, EMPTY) is table
    assert upserted(EMPTY, table) is table


@given(bars=series, bounds=st.data())
def test_t3_a_range_includes_both_ends(bars, bounds):
    near = st.sampled_from(sorted(bars)) | st.integers(EARLIEST, LATEST)
    first, last = bounds.draw(near), bounds.draw(near)
    back = bar_columns_of(between(table_of(bars), first, last))
    assert back.date == [date for date in sorted(bars) if first <= date <= last]


def test_a_range_that_holds_all_is_the_table_itself():
    table = table_of({0: (1.0, 1.0, 1.0, 1.0, 1)})
    assert between(table, 0, 0) is table


@given(bars=series, cut=st.integers(0, 8))
def test_tables_in_time_order_are_read_as_one(bars, cut):
    dates = sorted(bars)
    halves = [{date: bars[date] for date in some} for some in (dates[:cut], dates[cut:])]
    assert bar_columns_of(joined(table_of(half) for half in halves if half)) == columns(bars)


def test_no_tables_are_no_rows():
    assert joined([]) is EMPTY


@pytest.mark.parametrize("volume", [2**53 + 1, 2**63 - 1, 2**62 + 1])
def test_a_whole_volume_that_no_float_equals_is_kept_beside_the_others(volume):
    table = table_of({0: (1.0, 1.0, 1.0, 1.0, volume), 1: (1.0, 1.0, 1.0, 1.0, 0.5)})
    assert table[EXACT].to_pylist() == [volume, None]


def test_tables_with_and_without_exact_volumes_are_joined():
    plain, exact = (table_of({at: (1.0, 1.0, 1.0, 1.0, at)}) for at in (3, 2**53 + 1))
    assert joined([plain, exact])[EXACT].to_pylist() == [None, 2**53 + 1]
    assert with_exact(plain, [])[EXACT].to_pylist() == [None]


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([[1.0, 2.0, 3.0]]).slice(1),
        pa.chunked_array([[2.0], [3.0]]),
        pa.chunked_array([[9.0, 2.0], [3.0, 9.0]]).slice(1, 2),
    ],
    ids=["one slice", "two chunks", "a slice of two chunks"],
)
def test_values_are_those_of_slices_and_chunks(column):
    assert values(column, "d") == [2.0, 3.0]
    assert list(buffer_of(column, "d")) == [2.0, 3.0]


@pytest.mark.parametrize(
    ("floats", "whole"),
    [([], True), ([1.0, 2.0**62], True), ([0.5], False), ([2.0**63], False), ([-0.0], True)],
)
def test_whole_numbers_below_2_63_are_distinguished_from_others(floats, whole):
    assert all_whole(pa.chunked_array([floats], pa.float64())) is whole


def test_a_column_that_repeats_a_symbol_holds_it_once():
    column = repeated_once("BRK/Ä", 3)
    assert column.to_pylist() == ["BRK/Ä"] * 3
    assert column.dictionary.to_pylist() == ["BRK/Ä"]
    assert repeated_once("A", 0).to_pylist() == []


def test_a_column_repeats_a_long_symbol_and_a_symbol_of_many_rows_too():
    assert repeated("S" * 300, 2).to_pylist() == ["S" * 300] * 2
    assert repeated("A", 10_000).to_pylist() == ["A"] * 10_000


@pytest.mark.parametrize("texts", [[], [""], ["A", "", "BRK/B"], ["Ünï", "aapl", "日本", ""]])
def test_texts_are_a_column(texts):
    found = text_column(texts)
    found.validate(full=True)
    assert found.equals(pa.array(texts, pa.string()))


def test_numbers_are_a_column_of_their_kind():
    assert number_column([1, 2.5], pa.float64(), "d").equals(pa.array([1.0, 2.5], pa.float64()))
    assert number_column([], DATE, "q").equals(pa.array([], DATE))


@pytest.mark.parametrize("rows", [0, 1, 1_023, 1_024, 1_025, 8_192, 8_193])
def test_a_symbol_is_repeated(rows):
    for symbol in ("A", "Ünï", "x" * 300):
        found = repeated(symbol, rows)
        found.validate(full=True)
        assert found.to_pylist() == [symbol] * rows
