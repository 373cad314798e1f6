"""Fundamentals: a row for each (symbol, timestamp), with the JSON document as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from msgspec.structs import replace

from storecore.errors import CorruptData, StorageError
from storecore.fundamentals import decode_fundamental, encode_fundamental
from storecore.knowledge.versions import Version
from storecore.models import FundamentalData
from storecore.store.collections import FundamentalCollection
from storecore.values.times import EARLIEST, EVER, TimeRange, exact_instant, to_datetime
from storecore_postgres.database import Connection, Database
from storecore_postgres.names import checked_length
from storecore_postgres.past import FUNDAMENTALS, GIVEN, Past, limited, prune
from storecore_postgres.rows import PAGE, Row, decoding, issue, pages, symbols_statement
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.schema.version import SchemaVersion
from storecore_postgres.wire import (
    Timestamptz,
    instant,
    moment,
    spans_of,
    text_array,
    timestamptz,
    timestamptz_array,
)

_UPSERT = """
INSERT INTO {schema}.fundamentals (symbol, timestamp, document)
SELECT symbol, timestamp, document::json
FROM unnest(%s::text[], %s::timestamptz[], %s::text[]) AS given (symbol, timestamp, document)
ON CONFLICT (symbol, timestamp) DO UPDATE SET document = excluded.document
"""
_LATEST = """
SELECT symbol, timestamptz_send(timestamp), document::text FROM {schema}.fundamentals
WHERE symbol = %s AND timestamp <= %s ORDER BY timestamp DESC LIMIT 1
"""
_VERSIONS = """
SELECT symbol, timestamptz_send(timestamp), document::text FROM {schema}.fundamentals
WHERE symbol = %s AND timestamp BETWEEN %s AND %s ORDER BY timestamp
"""
_WHERE = "WHERE symbol = %s AND timestamp BETWEEN %s AND %s"
_THESE = f"FROM {{schema}}.fundamentals {_WHERE}"
_GIVEN_ROWS = """
    SELECT symbol, timestamp, document::json, {instant}
    FROM unnest(%s::text[], %s::timestamptz[], %s::text[]) AS given (symbol, timestamp, document)"""
_RESTORED = """
    SELECT symbol, timestamp, document::json, recorded, replaced
    FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::timestamptz[])
        AS given (symbol, timestamp, document, recorded, replaced)"""
_ALL_VERSIONS = """
SELECT symbol, timestamptz_send(timestamp), document::text,
    timestamptz_send(recorded), timestamptz_send(replaced)
FROM (
    SELECT symbol, timestamp, document, recorded, 'infinity'::timestamptz AS replaced
    FROM {schema}.fundamentals WHERE symbol = %s AND timestamp BETWEEN %s AND %s
    UNION ALL
    SELECT symbol, timestamp, document, recorded, replaced
    FROM {schema}.fundamental_history WHERE symbol = %s AND timestamp BETWEEN %s AND %s
) AS found ORDER BY timestamp, recorded, replaced
"""
_CORRECTED = "SELECT DISTINCT symbol FROM {schema}.fundamental_history WHERE replaced >= %s"
_PAST_AFTER = f"""
SELECT symbol, timestamptz_send(timestamp), document::text, timestamptz_send(replaced)
FROM {{schema}}.fundamental_history
WHERE (symbol, timestamp, replaced) > (%s, %s, %s)
ORDER BY symbol, timestamp, replaced LIMIT {PAGE}
"""
_AFTER = f"""
SELECT symbol, timestamptz_send(timestamp), document::text FROM {{schema}}.fundamentals
WHERE (symbol, timestamp) > (%s, %s) ORDER BY symbol, timestamp LIMIT {PAGE}
"""


class Fundamentals(FundamentalCollection):
    """All fundamentals of a store."""

    def __init__(
        self,
        database: Database,
        schema: str,
        distribution: Distribution,
        version: SchemaVersion,
        past: Past | None = None,
    ) -> None:
        self._database = database
        self._schema = schema
        self._table = f"{schema}.fundamentals"
        self._past = past
        self._version = version
        self._symbols = symbols_statement(schema, "fundamentals", distribution)
        self._upsert, self._latest, self._versions, self._these, self._after = (
            each.format(schema=schema) for each in (_UPSERT, _LATEST, _VERSIONS, _THESE, _AFTER)
        )
        self._removal = f"WITH gone AS (DELETE {self._these} RETURNING 1) SELECT count(*) FROM gone"
        self._all_versions, self._past_after = (
            each.format(schema=schema) for each in (_ALL_VERSIONS, _PAST_AFTER)
        )
        self._upsert_one = self._upsert
        if past is not None:
            given = _GIVEN_ROWS.format(instant=past.recording.instant)
            self._upsert = past.upsert(FUNDAMENTALS, given, "1")
            self._upsert_one = past.upsert(FUNDAMENTALS, given + limited(1), "1")
            self._removal = past.delete(FUNDAMENTALS, _WHERE)

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace checked fundamentals, all or none; the last one of a key wins."""
        for row, data in enumerate(batch):
            checked_length(data.symbol, f"fundamentals[{row}].symbol")
        # All writers lock rows in the order of the key, so they cannot deadlock.
        by_key = {(each.symbol, exact_instant(each.timestamp, "")): each for each in batch}
        keys = sorted(by_key)
        what = f"writing fundamentals of {keys[0][0]!r}"
        documents = [encode_fundamental(by_key[key]) for key in keys]
        self._version.require_for(what, documents)
        parameters = _parameters([symbol for symbol, _ in keys], [at for _, at in keys], documents)
        statement = self._upsert_one if len(keys) == 1 else self._upsert
        self._database.retry(what, lambda each: each.execute(statement, parameters))

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental not after an instant, or None."""
        what = f"reading fundamentals of {symbol!r}"
        rows = self._database.rows(what, self._latest, [symbol, timestamptz(limit)])
        return self._decoded(*rows[0]) if rows else None

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        """Return the fundamentals of a symbol and range by timestamp."""
        rows = self._database.rows(
            f"reading fundamentals of {symbol!r}", self._versions, _key(symbol, span)
        )
        return [self._decoded(*row) for row in rows]

    def symbols(self) -> list[str]:
        """Return the symbols that have fundamentals."""
        rows = self._database.rows("reading symbols of fundamentals", self._symbols, [])
        return [name for (name,) in rows]

    def delete(self, symbol: str, span: TimeRange) -> int:
        """Remove the fundamentals of a symbol and range; return how many there were."""
        key = _key(symbol, span)

        def removed(connection: Connection) -> int:
            if self._past is not None:
                self._past.recording.lock(connection, FUNDAMENTALS.name, alone=True)
            ((count, *_),) = connection.execute(self._removal, key).fetchall()
            return int(count)

        def are_gone(connection: Connection, _: str, count: int) -> bool:
            return not connection.execute(f"SELECT 1 {self._these} LIMIT 1", key).fetchall()

        what = f"deleting fundamentals of {symbol!r}"
        return self._database.exactly_once(what, removed, are_gone)

    def has(self, connection: Connection, symbol: str) -> bool:
        """Return whether a symbol has fundamentals."""
        statement = f"SELECT 1 FROM {self._table} WHERE symbol = %s LIMIT 1"
        return bool(connection.execute(statement, [symbol]).fetchall())

    def rename(
        self, connection: Connection, old: str, new: str, at: Timestamptz | None = None
    ) -> None:
        """Give the fundamentals of a symbol another one, within a transaction."""
        rows = connection.execute(self._versions, _key(old, EVER), binary=True).fetchall()
        if not rows:
            return
        renamed = [replace(self._decoded(*row), symbol=new) for row in rows]
        documents = [encode_fundamental(data) for data in renamed]
        times = [instant(timestamp) for _, timestamp, _ in rows]
        given = _parameters([new] * len(rows), times, documents)
        if self._past is None or at is None:
            connection.execute(self._upsert, given)
            connection.execute(f"DELETE FROM {self._table} WHERE symbol = %s", [old])
        else:
            put = self._past.upsert(FUNDAMENTALS, _GIVEN_ROWS.format(instant=GIVEN), "1")
            connection.execute(put, [at, *given])
            removal = self._past.delete(FUNDAMENTALS, "WHERE symbol = %s", instant=GIVEN)
            connection.execute(removal, [old, at])

    # Versions. Without a history, what is held was recorded before it.

    def versions_of(self, symbol: str, span: TimeRange) -> list[Version[FundamentalData]]:
        """Return the versions of a symbol, by timestamp, then by `recorded`."""
        if self._past is None:
            return [(data, None, None) for data in self.versions(symbol, span)]
        what = f"reading versions of fundamentals of {symbol!r}"
        rows = self._database.rows(what, self._all_versions, 2 * _key(symbol, span))
        return [
            (self._decoded(*row), moment(recorded), moment(replaced))
            for *row, recorded, replaced in rows
        ]

    def restore(self, versions: list[Version[FundamentalData]]) -> None:
        """Take in versions of another store, all or none."""
        past = cast(Past, self._past)  # `Unrecorded` has refused
        values = [data for data, _, _ in versions]
        for row, data in enumerate(values):
            checked_length(data.symbol, f"versions[{row}].symbol")
        documents = [encode_fundamental(data) for data in values]
        what = f"restoring versions of fundamentals of {values[0].symbol!r}"
        self._version.require_for(what, documents)
        times = [exact_instant(data.timestamp, "timestamp") for data in values]
        parameters = _parameters([data.symbol for data in values], times, documents)
        parameters += spans_of((began, ended) for _, began, ended in versions)
        statements, recording = past.restore(FUNDAMENTALS, _RESTORED), past.recording

        def put(connection: Connection) -> None:
            with connection.transaction():
                recording.lock(connection, FUNDAMENTALS.name, alone=True)
                for statement in statements:
                    connection.execute(statement, parameters)

        self._database.retry(what, put)

    def corrected(self, since: int) -> list[str]:
        """Return the symbols with versions replaced at or after an instant."""
        if self._past is None:
            return []
        statement = _CORRECTED.format(schema=self._schema)
        rows = self._database.rows("reading corrections", statement, [timestamptz(since)])
        return [name for (name,) in rows]

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        return prune(self._database, self._schema, FUNDAMENTALS, before)

    def all(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp."""
        return (self._decoded(*row) for row in self._rows())

    def issues(self) -> Iterator[StorageError | None]:
        """Yield for each row its error, or None; replaced versions are rows too."""
        yield from (issue(self._decoded, row) for row in self._rows())
        if self._past is not None:
            yield from (issue(self._decoded, row[:3]) for row in self._past_rows())

    def _past_rows(self) -> Iterator[Row]:
        def key_of(row: Row) -> list[object]:
            return [row[0], Timestamptz(row[1]), Timestamptz(row[3])]

        start = ["", timestamptz(EARLIEST), timestamptz(EARLIEST)]
        return pages(self._database, "reading fundamentals", self._past_after, start, key_of)

    def _rows(self) -> Iterator[Row]:
        def key_of(row: Row) -> list[object]:
            return [row[0], Timestamptz(row[1])]

        start = ["", timestamptz(EARLIEST)]
        return pages(self._database, "reading fundamentals", self._after, start, key_of)

    def _decoded(self, symbol: str, timestamp: bytes, document: str) -> FundamentalData:
        at = instant(timestamp)
        place = f"{self._table}, symbol {symbol!r}, {to_datetime(at, aware=True)}"
        with decoding(place):
            data = decode_fundamental(document.encode())
        if (data.symbol, exact_instant(data.timestamp, "timestamp")) != (symbol, at):
            raise CorruptData(f"{place}: its document has another symbol or timestamp", place)
        return data


def _key(symbol: str, span: TimeRange) -> list[object]:
    return [symbol, timestamptz(span.first), timestamptz(span.last)]


def _parameters(
    symbols: Sequence[str], times: Sequence[int], documents: Sequence[bytes]
) -> list[object]:
    """Return the parameters of an upsert."""
    texts = text_array(each.decode() for each in documents)
    return [text_array(symbols), timestamptz_array(times), texts]
