"""The bars of many symbols as one table, of partitions that are kept decoded and of others.

Short pieces are copied into one column by Python alone: to make an object of Arrow for each takes
longer than to copy its bytes. Long ones stay where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

import pyarrow as pa

from storecore.bars.extra import EVERY
from storecore.bars.extra_values import FIELDS
from storecore.bars.query import Panel
from storecore.bars.table import DATE, SERIES
from storecore_file.bars.decoded import Piece

Pieces = list[Piece]
Names = tuple[str, ...]
ALL: Names = tuple(SERIES.names)
_PLAIN = {*FIELDS, EVERY}
_LONG = 1_000  # rows of a piece, on average
_VALUE = 8  # bytes


def plain_columns(columns: Collection[str]) -> Names | None:
    """Return which columns of a plain partition a query needs, None if it asks for others too."""
    if not _PLAIN.issuperset(columns):
        return None
    return tuple(name for name in SERIES.names if name == "date" or name in columns)


def panel_of(symbols: Sequence[str], kept: Sequence[Pieces], names: Names) -> Panel:
    """Return the bars of each symbol, all of which are kept, as one table."""
    if len(kept) == 1:
        pieces, series = kept[0], [(symbols[0], sum([each.rows for each in kept[0]]))]
    else:
        pieces = [piece for each in kept for piece in each]
        series = _series(symbols, kept)
    return Panel(series if pieces else [], _columns(pieces, names))


def _series(symbols: Sequence[str], kept: Sequence[Pieces]) -> list[tuple[str, int]]:
    """Return the number of rows of each symbol that has some."""
    return [
        (symbol, sum([each.rows for each in pieces]))
        for symbol, pieces in zip(symbols, kept, strict=True)
        if pieces
    ]


def table_of(pieces: Pieces, names: Names) -> pa.Table:
    """Return pieces as a table of these columns, one after another."""
    return pa.Table.from_arrays([*_columns(pieces, names).values()], schema=_schema(names))


@lru_cache
def _schema(names: Names) -> pa.Schema:
    return pa.schema([SERIES.field(name) for name in names])


def _columns(pieces: Pieces, names: Names) -> dict[str, pa.Array | pa.ChunkedArray]:
    if len(pieces) == 1:
        _, columns, start, rows = pieces[0]
        return dict(zip(names, columns.some(names).slice(start, rows).columns, strict=True))
    rows = sum([each.rows for each in pieces])
    if rows < _LONG * len(pieces):
        return dict(zip(names, copied(pieces, names, rows), strict=True))
    batches = [columns.some(names).slice(start, rows) for _, columns, start, rows in pieces]
    return dict(zip(names, pa.Table.from_batches(batches, _schema(names)).columns, strict=True))


def copied(pieces: Pieces, names: Names, rows: int) -> Iterator[pa.Array]:
    """Yield the columns of pieces, copied one after another."""
    columns = [list[memoryview | bytes]() for _ in names]
    adds = [each.append for each in columns]
    for memory, _, start, count in pieces:
        first, end = start * _VALUE, (start + count) * _VALUE
        for add, each in zip(adds, memory, strict=True):
            add(each[first:end])
    for name, parts in zip(names, columns, strict=True):
        kind = DATE if name == "date" else pa.float64()
        yield pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(b"".join(parts))])
