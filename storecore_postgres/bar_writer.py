"""Writes bars: a few by an upsert of arrays, many new ones by COPY, always in the order of the key.

Writers that take their rows in one order cannot wait for each other in a circle.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bar_groups import Grouped
from storecore.bar_table import EXACT, SERIES
from storecore_postgres.database import Connection, Database
from storecore_postgres.failing import TAKEN
from storecore_postgres.wire import (
    COPY_END,
    COPY_HEAD,
    copied_rows,
    floats,
    instants,
    moment,
    texts,
)

_MANY = 5_000  # bars, from which on COPY is quicker, where each series has some of them
_SOME = 50
_BATCH = 20_000  # bars an upsert
_NUMBERS = tuple(SERIES.names[1:])

_UPSERT = """
INSERT INTO {schema}.bars (symbol, timeframe, date, open, high, low, close, volume, exact_volume)
SELECT symbol, %s, date, open, high, low, close, volume, exact_volume
FROM unnest(
    %s::text[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
    %s::float8[], %s::int8[]
) AS given (symbol, date, open, high, low, close, volume, exact_volume)
ON CONFLICT (symbol, timeframe, date) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, exact_volume = excluded.exact_volume
"""
_COPY = """
COPY {schema}.bars (symbol, timeframe, date, open, high, low, close, volume)
FROM STDIN (FORMAT binary)
"""
_ANY = """
SELECT EXISTS (
    SELECT 1 FROM {schema}.bars
    WHERE symbol = ANY(%s::text[]) AND timeframe = %s AND date BETWEEN %s AND %s
)
"""


class BarWriter:
    """Writes to the table of bars. Every write may be done twice: the last one wins."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._upsert, self._copy, self._any = (
            statement.format(schema=schema) for statement in (_UPSERT, _COPY, _ANY)
        )

    def write(self, timeframe: str, given: Grouped) -> None:
        """Insert or replace checked bars: all of them or none."""
        if not len(given.table):
            return
        rows = given.in_order()
        what = f"writing bars of {rows.names[0]!r}"
        if len(rows.names) > 1:
            what += f" and {len(rows.names) - 1} others"
        if _is_for_copy(rows) and self._database.retried(what, self._copied(timeframe, rows)):
            return
        batches = [self._parameters(timeframe, rows, start) for start in _starts(rows)]
        self._database.retried(what, lambda connection: self._put(connection, batches))

    def _copied(self, timeframe: str, rows: Grouped) -> Callable[[Connection], bool]:
        """Return what copies bars straight into place, or tells that some are there already."""
        ends = pc.min_max(rows.table["date"].cast(pa.int64())).as_py()
        asked = [rows.names, timeframe, moment(ends["min"]), moment(ends["max"])]

        def copied(connection: Connection) -> bool:
            ((there,),) = connection.execute(self._any, asked).fetchall()
            if there:
                return False
            try:
                self._copy_rows(connection, timeframe, rows)
            except TAKEN:  # another writer was here meanwhile; else the upsert says what is wrong
                return False
            return True

        return copied

    def _copy_rows(self, connection: Connection, timeframe: str, rows: Grouped) -> None:
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.write(COPY_HEAD)
            for symbol, table in rows.series():
                columns = (table[name] for name in SERIES.names)
                copy.write(copied_rows((symbol, timeframe), *columns))
            copy.write(COPY_END)

    def _parameters(self, timeframe: str, rows: Grouped, start: int) -> list[object]:
        table = rows.table.slice(start, _BATCH)
        exact = table[EXACT].to_pylist() if EXACT in table.column_names else None
        return [
            timeframe,
            texts(_runs(rows, start, start + len(table))),
            instants(table["date"]),
            *(floats(table[name]) for name in _NUMBERS),
            exact,
        ]

    def _put(self, connection: Connection, batches: list[list[object]]) -> None:
        # One statement is a transaction by itself, in one round trip.
        with nullcontext() if len(batches) == 1 else connection.transaction():
            for parameters in batches:
                connection.execute(self._upsert, parameters)


def _is_for_copy(rows: Grouped) -> bool:
    many = len(rows.table) >= max(_MANY, _SOME * len(rows.names))
    return many and EXACT not in rows.table.column_names


def _starts(rows: Grouped) -> Iterable[int]:
    return range(0, len(rows.table), _BATCH)


def _runs(rows: Grouped, start: int, stop: int) -> Iterator[tuple[str, int]]:
    """Yield the symbols of some rows, each with how many of them are its own."""
    some = slice(bisect_right(rows.ends, start), bisect_left(rows.ends, stop) + 1)
    for name, end in zip(rows.names[some], rows.ends[some], strict=True):
        yield name, min(end, stop) - start
        start = end
