"""Bars as an Arrow table: nothing that a user gave is changed on the way there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.bars import BarColumns
from storecore.instants import EARLIEST, LATEST
from storecore_file.bar_table import SCHEMA, between, columns_of, table_of, upserted

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


def kinds(given):
    return [type(volume) for volume in given.volume]


@given(bars=series)
def test_columns_come_back_as_they_were_given(bars):
    back = columns_of([table_of(columns(bars))], EARLIEST, LATEST)
    assert (back, kinds(back)) == (columns(bars), kinds(columns(bars)))


@given(bars=series)
def test_every_table_has_one_schema_whatever_its_volumes(bars):
    assert table_of(columns(bars)).schema.equals(SCHEMA)


@given(old=series, new=series, shared=st.data())
def test_b1_what_is_new_takes_the_place_of_what_is_old(old, new, shared):
    again = shared.draw(st.lists(st.sampled_from(sorted(old)), max_size=4))
    new = new | dict.fromkeys(again, new[min(new)])
    table = upserted(table_of(columns(old)), table_of(columns(new)))
    assert columns_of([table], EARLIEST, LATEST) == columns(old | new)


@given(bars=series, bounds=st.data())
def test_t3_a_range_includes_both_ends(bars, bounds):
    near = st.sampled_from(sorted(bars)) | st.integers(EARLIEST, LATEST)
    first, last = bounds.draw(near), bounds.draw(near)
    back = columns_of([between(table_of(columns(bars)), first, last)], EARLIEST, LATEST)
    assert back.date == [date for date in sorted(bars) if first <= date <= last]


@given(bars=series)
def test_tables_in_time_order_are_read_as_one(bars):
    table = table_of(columns(bars))
    halves = [table.slice(0, len(bars) // 2), table.slice(len(bars) // 2)]
    assert columns_of(halves, EARLIEST, LATEST) == columns(bars)


def test_no_tables_are_no_rows():
    assert columns_of([], EARLIEST, LATEST) == BarColumns([], [], [], [], [], [])


@pytest.mark.parametrize("volume", [2**53 + 1, 2**63 - 1, 2**62 + 1])
def test_a_whole_volume_that_no_float_equals_is_kept_beside_the_others(volume):
    table = table_of(columns({0: (1.0, 1.0, 1.0, 1.0, volume), 1: (1.0, 1.0, 1.0, 1.0, 0.5)}))
    assert table["exact_volume"].to_pylist() == [volume, None]
