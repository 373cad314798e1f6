"""Bars of one series as an Arrow table: the form between what users give and what files hold.

A table is sorted by date, one row a date. Volumes are float64, so that every file of a store has
one schema for DuckDB and the others; a whole volume that no float64 equals is kept beside, in
`exact_volume`, which is null for all others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars import BarColumns

DATE = pa.timestamp("us", "UTC")
PRICES = ("open", "high", "low", "close")
COLUMNS = pa.schema(
    [
        pa.field("date", DATE, nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in (*PRICES, "volume")),
    ]
)
SCHEMA = COLUMNS.append(pa.field("exact_volume", pa.int64()))
_EXACT_UP_TO = 2**53


def table_of(columns: BarColumns) -> pa.Table:
    """Return checked columns as a table."""
    exact = _exact_volumes(columns.volume)
    floats = [*columns[1:5], list(map(float, columns.volume))]
    return pa.Table.from_arrays(
        [
            pa.array(columns.date, DATE),
            *(pa.array(values, pa.float64()) for values in floats),
            pa.array(exact, pa.int64()),
        ],
        schema=SCHEMA,
    )


def columns_of(tables: Iterable[pa.Table], first: int, last: int) -> BarColumns:
    """Return the rows of tables, in time order, from instant `first` to `last`, as columns."""
    table = between(pa.concat_tables([SCHEMA.empty_table(), *tables]), first, last)
    table = table.combine_chunks()
    return BarColumns(
        _values(table["date"], "q"),
        _values(table["open"], "d"),
        _values(table["high"], "d"),
        _values(table["low"], "d"),
        _values(table["close"], "d"),
        _volumes(table),
    )


def between(table: pa.Table, first: int, last: int) -> pa.Table:
    """Return the rows from instant `first` to `last`, both included."""
    dates = table["date"]
    if not len(dates) or (first <= dates[0].value and dates[-1].value <= last):
        return table
    low, high = (pa.scalar(bound, pa.int64()).cast(DATE) for bound in (first, last))
    return table.filter(pc.and_(pc.greater_equal(dates, low), pc.less_equal(dates, high)))


def upserted(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the rows of both, those of `new` in place of those of `old` with the same date."""
    kept = old.filter(pc.invert(pc.is_in(old["date"], new["date"].combine_chunks())))
    return pa.concat_tables([kept, new]).sort_by("date")


def _exact_volumes(volumes: list[int | float]) -> list[int | None]:
    if max(volumes) <= _EXACT_UP_TO:
        return [None] * len(volumes)
    return [
        value if isinstance(value, int) and float(value) != value else None for value in volumes
    ]


def _values(column: pa.ChunkedArray, code: Literal["q", "d"]) -> list[Any]:
    """Return a column without nulls as a list, read from its buffer: no object but the values."""
    if not len(column):
        return []
    chunk = column.chunk(0)
    numbers = memoryview(chunk.buffers()[1]).cast(code)
    return numbers[chunk.offset : chunk.offset + len(chunk)].tolist()


def _volumes(table: pa.Table) -> list[int | float]:
    floats = _values(table["volume"], "d")
    exact = table["exact_volume"]
    whole = [_whole(value) for value in floats]
    if exact.null_count == len(exact):
        return whole
    return [
        value if kept is None else kept
        for value, kept in zip(whole, exact.to_pylist(), strict=True)
    ]


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() and value < 2**63 else value
