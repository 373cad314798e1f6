"""Writes bars: a few by an upsert of arrays, many new ones by COPY, always in the order of the key.

Writers that take their rows in one order cannot wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import psycopg
import pyarrow as pa

from storecore.bar_table import EXACT, SERIES, instants_of, joined
from storecore_postgres.database import Connection, Database
from storecore_postgres.wire import (
    COPY_END,
    COPY_HEAD,
    copied_rows,
    floats,
    instants,
    moment,
    texts,
)

Named = list[tuple[str, pa.Table]]
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
    SELECT FROM {schema}.bars
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

    def write(self, timeframe: str, series: Named) -> None:
        """Insert or replace the bars of series, sorted by symbol: all of them or none."""
        if not series:
            return
        what = f"writing bars of {series[0][0]!r}"
        if len(series) > 1:
            what += f" and {len(series) - 1} others"
        if _is_for_copy(series) and self._database.retried(what, self._copied(timeframe, series)):
            return
        batches = [self._parameters(timeframe, batch) for batch in _batches(series)]
        self._database.retried(what, lambda connection: self._put(connection, batches))

    def _copied(self, timeframe: str, series: Named) -> Callable[[Connection], bool]:
        """Return what copies bars straight into place, or tells that some are there already."""
        first = min(instants_of(table)[0] for _, table in series)
        last = max(instants_of(table)[-1] for _, table in series)
        asked = [[symbol for symbol, _ in series], timeframe, moment(first), moment(last)]

        def copied(connection: Connection) -> bool:
            ((there,),) = connection.execute(self._any, asked).fetchall()
            if there:
                return False
            try:
                self._copy_rows(connection, timeframe, series)
            except psycopg.errors.UniqueViolation:  # another writer was here meanwhile
                return False
            return True

        return copied

    def _copy_rows(self, connection: Connection, timeframe: str, series: Named) -> None:
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.write(COPY_HEAD)
            for symbol, table in series:
                columns = (table[name] for name in SERIES.names)
                copy.write(copied_rows((symbol, timeframe), *columns))
            copy.write(COPY_END)

    def _parameters(self, timeframe: str, batch: Named) -> list[object]:
        rows = joined(table for _, table in batch)
        exact = rows[EXACT].to_pylist() if EXACT in rows.column_names else None
        return [
            timeframe,
            texts((symbol, len(table)) for symbol, table in batch),
            instants(rows["date"]),
            *(floats(rows[name]) for name in _NUMBERS),
            exact,
        ]

    def _put(self, connection: Connection, batches: list[list[object]]) -> None:
        # One statement is a transaction by itself, in one round trip.
        with nullcontext() if len(batches) == 1 else connection.transaction():
            for parameters in batches:
                connection.execute(self._upsert, parameters)


def _is_for_copy(series: Named) -> bool:
    rows = sum(len(table) for _, table in series)
    exact = any(EXACT in table.column_names for _, table in series)
    return rows >= max(_MANY, _SOME * len(series)) and not exact


def _batches(series: Named) -> Iterator[Named]:
    """Yield the bars of series in their order, at most `_BATCH` at once."""
    batch: Named = []
    room = _BATCH
    for symbol, table in series:
        while len(table):
            batch.append((symbol, table.slice(0, room)))
            taken = len(batch[-1][1])
            table, room = table.slice(taken), room - taken
            if not room:
                yield batch
                batch, room = [], _BATCH
    if batch:
        yield batch
