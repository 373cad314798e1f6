"""A table of many symbols, taken apart: each symbol's rows sorted, the last of each date (B1)."""

from __future__ import annotations

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from storecore.bars.groups import grouped
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
