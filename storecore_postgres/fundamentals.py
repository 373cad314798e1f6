"""Fundamentals: a row for each (symbol, timestamp), with the JSON document as it was written."""

from __future__ import annotations

from collections.abc import Iterator

from storecore.errors import CorruptData, StorageError
from storecore.fundamentals import decode_fundamental, encode_fundamental
from storecore.models import FundamentalData
from storecore.store.collections import FundamentalCollection
from storecore.values.times import EARLIEST, exact_instant, to_datetime
from storecore_postgres.database import Connection, Database
from storecore_postgres.names import checked_length
from storecore_postgres.rows import PAGE, Row, decoding, issue, pages
from storecore_postgres.wire import Timestamptz, instant, text_array, timestamptz, timestamptz_array

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
_AFTER = f"""
SELECT symbol, timestamptz_send(timestamp), document::text FROM {{schema}}.fundamentals
WHERE (symbol, timestamp) > (%s, %s) ORDER BY symbol, timestamp LIMIT {PAGE}
"""


class Fundamentals(FundamentalCollection):
    """All fundamentals of a store."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._table = f"{schema}.fundamentals"
        self._upsert, self._latest, self._after = (
            statement.format(schema=schema) for statement in (_UPSERT, _LATEST, _AFTER)
        )

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace checked fundamentals, all or none; the last one of a key wins."""
        for row, data in enumerate(batch):
            checked_length(data.symbol, f"fundamentals[{row}].symbol")
        # All writers lock rows in the order of the key, so they cannot deadlock.
        by_key = {(each.symbol, exact_instant(each.timestamp, "")): each for each in batch}
        keys = sorted(by_key)
        documents = [encode_fundamental(by_key[key]).decode() for key in keys]
        symbols = text_array(symbol for symbol, _ in keys)
        parameters = [symbols, timestamptz_array(at for _, at in keys), text_array(documents)]

        def put(connection: Connection) -> None:
            connection.execute(self._upsert, parameters)

        self._database.retry(f"writing fundamentals of {keys[0][0]!r}", put)

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental not after an instant, or None."""
        what = f"reading fundamentals of {symbol!r}"
        rows = self._database.rows(what, self._latest, [symbol, timestamptz(limit)])
        return self._decoded(*rows[0]) if rows else None

    def all(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp."""
        return (self._decoded(*row) for row in self._rows())

    def issues(self) -> Iterator[StorageError | None]:
        """Yield for each row its error, or None."""
        return (issue(self._decoded, row) for row in self._rows())

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
