"""Grouping of a table by symbol: each group sorted by date, one row per date, the last one wins."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.rows import BarColumns
from storecore.bars.table import bar_columns_of
from storecore.errors import InvalidName
from storecore.values.names import check_name


class Grouped(NamedTuple):
    """Rows grouped by symbol; `ends` holds the end of each group in `table`."""

    names: list[str]
    ends: list[int]
    table: pa.Table

    @property
    def counts(self) -> list[int]:
        """The number of rows of each symbol."""
        return [end - start for start, end in pairwise([0, *self.ends])]

    def series(self) -> list[tuple[str, pa.Table]]:
        """Return a table for each symbol, sorted by symbol."""
        starts = zip(self.names, [0, *self.ends], self.counts, strict=False)
        series = [(name, self.table.slice(start, count)) for name, start, count in starts]
        return sorted(series, key=itemgetter(0))

    def columns(self) -> list[tuple[str, BarColumns]]:
        """Return the bars of each symbol as columns of Python numbers, sorted by symbol."""
        return [(symbol, bar_columns_of(table)) for symbol, table in self.series()]

    def in_order(self) -> Grouped:
        """Return the same rows sorted by symbol, without a copy if they are sorted already."""
        if all(before < after for before, after in pairwise(self.names)):
            return self
        series = self.series()
        names, tables = [name for name, _ in series], [table for _, table in series]
        return Grouped(names, list(accumulate(map(len, tables))), pa.concat_tables(tables))


def grouped(symbols: pa.ChunkedArray, table: pa.Table) -> Grouped:
    """Return rows grouped by symbol and sorted by date, only the last of each date (law B1).

    Rows that are in order already are not copied.
    """
    if not len(table):
        return Grouped([], [], table)
    names, ends = _runs(symbols)
    starts = [0, *ends[:-1]]
    if len(set(names)) < len(names) or not set(_falls(table)) <= set(starts):
        order = _sorted_order(symbols, table)
        symbols, table = pc.take(symbols, order), table.take(order)
        names, ends = _runs(symbols)
        table, ends = _last_of_each_date(table, ends)
    for name in names:
        check_name(name, "table.symbol")
    return Grouped(names, ends, table)


def only_value(column: pa.ChunkedArray) -> pa.Array | None:
    """Return the dictionary of a column if all rows have its only value, else None.

    The symbols of a table of one symbol are such a column: not as many equal texts as rows.
    """
    kind = column.type
    if not pa.types.is_dictionary(kind) or kind.value_type != pa.string():
        return None
    if column.num_chunks != 1 or column.null_count:
        return None
    values = column.chunk(0).dictionary
    return values if len(values) == 1 and not values.null_count else None


def _runs(symbols: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    """Return the runs of equal symbols and the end of each run."""
    try:
        one = only_value(symbols)
        if one is not None:
            return one.to_pylist(), [len(symbols)]
        runs = pc.run_end_encode(symbols.combine_chunks())
        return runs.values.to_pylist(), runs.run_ends.to_pylist()
    except UnicodeDecodeError as error:
        raise InvalidName(f"table.symbol: not text: {error}") from None


def _falls(table: pa.Table) -> list[int]:
    """Return the rows whose date is not after that of the row before."""
    column = pc.cast(table["date"], pa.int64())
    dates = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    rises = pc.greater(dates[1:], dates[:-1])
    if not rises.false_count:
        return []
    return [row + 1 for row in pc.indices_nonzero(pc.invert(rises)).to_pylist()]


def _sorted_order(symbols: pa.ChunkedArray, table: pa.Table) -> pa.Array:
    """Return the row numbers by symbol, then date, then position: the sort of Arrow is stable."""
    joint = symbols.combine_chunks()
    encoded = joint if pa.types.is_dictionary(joint.type) else joint.dictionary_encode()
    ranks = pc.rank(encoded.dictionary, "ascending")
    keys = pa.table({"symbol": pc.take(ranks, encoded.indices), "date": table["date"]})
    return pc.sort_indices(keys, [("symbol", "ascending"), ("date", "ascending")])


def _last_of_each_date(table: pa.Table, ends: list[int]) -> tuple[pa.Table, list[int]]:
    """Return sorted rows, only the last of each date, and the ends of their groups."""
    replaced = sorted({row - 1 for row in _falls(table)} - {end - 1 for end in ends})
    kept = bytearray(b"\1") * len(table)
    for row in replaced:
        kept[row] = 0
    mask = pa.Array.from_buffers(pa.uint8(), len(kept), [None, pa.py_buffer(kept)])
    return table.filter(pc.cast(mask, pa.bool_())), [
        end - bisect_left(replaced, end) for end in ends
    ]
