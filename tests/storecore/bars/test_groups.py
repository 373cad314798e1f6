"""A table of many symbols, taken apart: each symbol's rows sorted, the last of each date (B1)."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.bars.groups import grouped, only_value
from storecore.bars.table import DATE

rows = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 5)), max_size=12)


def taken_apart(rows, chunks=1):
    """Return what becomes of rows whose `row` tells where they stood."""
    symbols = pa.array([symbol for symbol, _ in rows], pa.string())
    dates = pa.array([at for _, at in rows], pa.int64()).view(DATE)
    table = pa.table({"date": dates, "row": pa.array(range(len(rows)), pa.int64())})
    cuts = [len(rows) * number // chunks for number in range(chunks + 1)]
    slices = [(start, end - start) for start, end in itertools.pairwise(cuts)]
    return grouped(
        pa.chunked_array([symbols.slice(*each) for each in slices]),
        pa.concat_tables([table.slice(*each) for each in slices]),
    ).series()


@given(rows=rows, chunks=st.integers(1, 3))
def test_b1_each_symbol_keeps_the_last_row_of_each_date_in_order(rows, chunks):
    last = {key: row for row, key in enumerate(rows)}
    found = taken_apart(rows, chunks)
    assert [symbol for symbol, _ in found] == sorted({symbol for symbol, _ in rows})
    assert [row for _, table in found for row in table["row"].to_pylist()] == [
        last[key] for key in sorted(last)
    ]


def test_rows_that_come_in_order_are_not_moved():
    rows = [("B", 1), ("B", 2), ("A", 1), ("A", 2)]
    found = dict(taken_apart(rows))
    columns = [found[symbol]["row"].chunk(0).buffers()[1].address for symbol in "AB"]
    assert columns[0] == columns[1]  # slices of one buffer


def test_b3_no_rows_are_no_series():
    assert taken_apart([]) == []


def one_symbol(dates, name="A"):
    """Return what becomes of rows whose symbols are a dictionary of one value."""
    places = pa.array([0] * len(dates), pa.int8())
    symbols = pa.DictionaryArray.from_arrays(places, pa.array([name]))
    table = pa.table({"date": pa.array(dates, pa.int64()).view(DATE), "row": range(len(dates))})
    return grouped(pa.chunked_array([symbols]), table).series()


@pytest.mark.parametrize(
    ("dates", "rows"), [([1, 2, 3], [0, 1, 2]), ([3, 1, 2, 1], [3, 2, 0])], ids=["sorted", "not"]
)
def test_rows_of_one_symbol_are_grouped_without_a_text_for_each(dates, rows):
    ((symbol, table),) = one_symbol(dates)
    assert (symbol, table["row"].to_pylist()) == ("A", rows)


def encoded(*values, chunks=1):
    return pa.chunked_array([pa.array(values).dictionary_encode()] * chunks)


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([["A", "A"]]),
        encoded("A", "B"),
        encoded("A", None),
        encoded("A", chunks=2),
        encoded(1, 1),
        pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), [None, "A"])]),
    ],
    ids=["plain", "two", "null", "chunks", "number", "null value"],
)
def test_other_columns_are_not_taken_for_one_value(column):
    assert only_value(column) is None


def test_the_only_value_of_a_dictionary_is_found():
    assert only_value(encoded("A", "A")).to_pylist() == ["A"]
