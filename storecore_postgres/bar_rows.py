"""The rows of a write of bars: as parameters of an upsert, as keys, and as rows for COPY."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from storecore.bars.extra import EXACT, extra_names
from storecore.bars.groups import Grouped
from storecore.bars.table import PRICES, SERIES
from storecore_postgres.names import checked_length
from storecore_postgres.wire import (
    Timestamptz,
    copy_rows,
    copy_rows_of,
    date_array,
    float_array,
    repeated_texts,
    value_array,
)

_COPY_FROM = 5_000  # bars; from here on COPY is faster, if each series has enough of them
_COPY_PER_SERIES = 50
_UPSERT_ROWS = 20_000  # bars in an upsert


class GivenRows(NamedTuple):
    """The rows of a write, and the values of their further columns by quoted column.

    `recorded` is the instant of a write of several statements.
    """

    grouped: Grouped
    further: dict[str, pa.ChunkedArray]
    recorded: Timestamptz | None = None

    @property
    def table(self) -> pa.Table:
        """The rows without their further columns."""
        return self.grouped.table

    @property
    def is_plain(self) -> bool:
        """Whether all values are numbers, and none is null."""
        return not (self.further or self.table["volume"].null_count)

    def parameters(self, timeframe: str, start: int) -> list[Any]:
        """Return some rows as the parameters of an upsert."""
        table = self.table
        if len(table) > _UPSERT_ROWS:
            table = table.slice(start, _UPSERT_ROWS)
        volume = table["volume"]
        is_seven = table.num_columns == len(SERIES)  # to list the names takes longer
        return [
            timeframe,
            *([] if self.recorded is None else [self.recorded]),
            repeated_texts(_runs(self.grouped, start, start + len(table))),
            date_array(table["date"]),
            *(float_array(table[name]) for name in PRICES),
            value_array(volume) if volume.null_count else float_array(volume),
            None if is_seven or EXACT not in table.column_names else table[EXACT].to_pylist(),
            *(value_array(each.slice(start, len(table))) for each in self.further.values()),
        ]

    def keys(self) -> list[Any]:
        """Return the symbol and the date of each row as two arrays."""
        return [
            repeated_texts(_runs(self.grouped, 0, len(self.table))),
            date_array(self.table["date"]),
        ]

    def copied(self, timeframe: str) -> Iterator[bytes]:
        """Yield the rows of each series for COPY."""
        start = 0
        for symbol, table in self.grouped.series():
            columns = [table[name] for name in SERIES.names]
            if self.is_plain:
                yield copy_rows((symbol, timeframe), *columns, recorded=self.recorded)
            else:
                columns += [each.slice(start, len(table)) for each in self.further.values()]
                yield copy_rows_of((symbol, timeframe), columns, self.recorded)
            start += len(table)


def checked(batch: Grouped) -> Grouped:
    """Return a batch in order, if its symbols are not too long."""
    for symbol in batch.names:
        checked_length(symbol, "table.symbol")
    return batch.in_order()


def what_of(rows: Grouped) -> str:
    """Describe a write."""
    what = f"writing bars of {rows.names[0]!r}"
    return f"{what} and {len(rows.names) - 1} others" if len(rows.names) > 1 else what


def has_further(table: pa.Table) -> bool:
    """Return whether a table has columns beyond the seven."""
    return table.num_columns > len(SERIES) and bool(extra_names(table.column_names))


def is_for_copy(rows: Grouped) -> bool:
    """Return whether COPY is faster than an upsert, if all rows are new."""
    many = len(rows.table) >= max(_COPY_FROM, _COPY_PER_SERIES * len(rows.names))
    return many and EXACT not in rows.table.column_names


def _runs(rows: Grouped, start: int, stop: int) -> Iterator[tuple[str, int]]:
    """Yield the symbols of a slice of rows, each with the number of its rows."""
    some = slice(bisect_right(rows.ends, start), bisect_left(rows.ends, stop) + 1)
    for name, end in zip(rows.names[some], rows.ends[some], strict=True):
        yield name, min(end, stop) - start
        start = end


def is_one_upsert(rows: Grouped) -> bool:
    """Return whether one statement can upsert all rows."""
    return len(rows.table) <= _UPSERT_ROWS


def upsert_parts(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Yield the parts of a table that a statement upserts, each with its start."""
    for start in range(0, len(table), _UPSERT_ROWS):
        yield start, table.slice(start, _UPSERT_ROWS)
