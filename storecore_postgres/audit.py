"""The room of audit: two logs, of decisions and of orders, a row a record, each a chain.

    seq, day, strategy, logged_at     to be found by; the day is the local date of who logged it
    record                            the line as the `file` backend has it, byte for byte

The row of a log in `audit_heads` says where its chain ends. A writer moves it on and appends in one
transaction, so that writers on all machines come one after another, and a cut tail is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from threading import Lock
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from storecore.audit import Link, chain, decode_record, end_of, select_records
from storecore.capabilities import Finding
from storecore.chain import LogFile, follow
from storecore.chain_moves import moved_end
from storecore.errors import CorruptData
from storecore.forking import begin_anew_in_children
from storecore.instants import TimeRange
from storecore.instants import instant as instant_of
from storecore.models import DecisionRecord, OrderRecord
from storecore.names import check_name
from storecore.transfer import AuditLine
from storecore_postgres.database import Connection, Database
from storecore_postgres.paging import PAGE, Row, pages
from storecore_postgres.wire import each_once, instant, moment, moments

_Record = TypeVar("_Record", DecisionRecord, OrderRecord)
_MISPLACED = "the columns that it is found by are not those of its record"
_HEAD = "SELECT seq, hash FROM {schema}.audit_heads WHERE log = '{log}'"
_HELD = _HEAD + " FOR UPDATE"
_MOVE = "UPDATE {schema}.audit_heads SET seq = %s, hash = %s WHERE log = '{log}'"
_INSERT = """
INSERT INTO {schema}.{log} (seq, day, strategy, logged_at, record)
SELECT seq, %s, strategy, logged_at, record::json
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[])
    AS given (seq, strategy, logged_at, record)
"""
_READ = """
SELECT seq, record::text FROM {schema}.{log}
WHERE logged_at BETWEEN %s AND %s AND coalesce(strategy = %s, true) ORDER BY seq
"""
_AFTER = f"""
SELECT seq, day, strategy, timestamptz_send(logged_at), record::text FROM {{schema}}.{{log}}
WHERE seq > %s ORDER BY seq LIMIT {PAGE}
"""
_LAST = "SELECT record::text FROM {schema}.{log} WHERE seq = %s"


class _Found(Struct):
    """What of a record its row is found by."""

    seq: int
    strategy: str
    timestamp: datetime


_FOUND = msgspec.json.Decoder(_Found)


class AuditLog(Generic[_Record]):
    """One log: "decisions" or "orders"."""

    def __init__(self, database: Database, schema: str, log: str, kind: type[_Record]) -> None:
        self._database = database
        self._log = log
        self._table = f"{schema}.{log}"
        self._kind: type[_Record] = kind
        # Threads of one process wait here, not each with a connection of its own.
        self._turn = Lock()
        begin_anew_in_children(self)
        self._head, self._held, self._move, self._insert = (
            each.format(schema=schema, log=log) for each in (_HEAD, _HELD, _MOVE, _INSERT)
        )
        self._read, self._after, self._last = (
            each.format(schema=schema, log=log) for each in (_READ, _AFTER, _LAST)
        )

    def after_fork(self) -> None:
        """Forget the turn, which a thread of the parent may have."""
        self._turn = Lock()

    def write(self, bodies: Sequence[bytes]) -> None:
        """Append checked records, all of them or none, exactly once."""
        if not bodies:
            return

        def put(connection: Connection) -> Link:
            now = datetime.now(UTC)
            lines, end = chain(bodies, now, self._held_end(connection))
            today = date.fromtimestamp(now.timestamp())  # local
            return self._put(connection, today, lines, end)

        with self._turn:
            self._database.once(f"logging {self._log}", put, self._is_kept)

    def append(self, day: date, lines: Sequence[bytes]) -> None:
        """Append records that were logged elsewhere, checked, all of them or none."""

        def put(connection: Connection) -> Link:
            end = moved_end(self._log, lines, self._held_end(connection))
            return self._put(connection, day, lines, end)

        with self._turn:
            self._database.once(f"copying {self._log}", put, self._is_kept)

    def read(self, span: TimeRange, strategy: str | None) -> list[_Record]:
        """Return the records of a range and a strategy (None: all), in the order of `seq`."""
        if strategy is not None:
            check_name(strategy, "strategy_name")  # no server takes a NUL
        asked = [moment(span.first), moment(span.last), strategy]
        rows = self._database.rows(f"reading {self._log}", self._read, asked)
        return select_records((self._decoded(*row) for row in rows), span, strategy)

    def lines(self, after: int) -> Iterator[AuditLine]:
        """Yield the records behind a number, in the order of `seq`."""
        for _, day, *_, record in self._rows_after(after):
            yield AuditLine(day, _line(record))

    def verify(self) -> tuple[Link, list[Finding]]:
        """Follow the chain; return its end and its first break, or a cut behind its end."""
        # The head before the records: those that are logged meanwhile go beyond it, none is behind.
        heads = self._database.rows(f"reading {self._log}", self._head, [])
        known = [Link(*row) for row in heads]
        lines, hidden = [], None
        for row in self._rows_after(0):
            lines.append(_line(row[-1]))
            hidden = hidden or self._hidden(*row)
        log = LogFile(self._table, b"".join(lines))
        end, broken = follow([log], [head for head in known if head.seq])
        broken = broken or self._cut(known, end) or hidden
        return end, [] if broken is None else [broken]

    def _rows_after(self, seq: int) -> Iterator[Row]:
        what = f"reading {self._log}"
        return pages(self._database, what, self._after, [seq], lambda row: [row[0]])

    def _cut(self, heads: list[Link], end: Link) -> Finding | None:
        place = self._table
        if not heads:
            return Finding("headless", place, "its row in audit_heads is missing")
        if heads[0].seq > end.seq:
            missing = f"records {end.seq + 1} to {heads[0].seq} are missing"
            return Finding("truncated", place, f"{missing}, which its row in audit_heads names")
        return None

    def _hidden(
        self, seq: int, day: date, strategy: str, logged_at: bytes, record: str
    ) -> Finding | None:
        """Return that a record is found by what it is not, and so not by what it is."""
        try:
            found = _FOUND.decode(record)
            of_record = found.seq, found.strategy, instant_of(found.timestamp, "timestamp")
        except ValueError:  # which breaks the chain
            return None
        if of_record == (seq, strategy, instant(logged_at)):
            return None
        return Finding("edited", f"{self._table}, seq {seq}", _MISPLACED)

    def _held_end(self, connection: Connection) -> Link:
        """Return the end of the chain; nobody else can move it until the transaction is over."""
        rows = connection.execute(self._held, binary=True).fetchall()
        if not rows:
            raise CorruptData(
                f"{self._table}: its row in audit_heads is missing, so that nobody knows where its "
                "chain ends; put it back with the seq and hash of the last record"
            )
        return Link(*rows[0])

    def _put(self, connection: Connection, day: date, lines: Sequence[bytes], end: Link) -> Link:
        found = [_FOUND.decode(line) for line in lines]
        asked = [
            day,
            [each.seq for each in found],
            each_once(each.strategy for each in found),
            moments(instant_of(each.timestamp, "timestamp") for each in found),
            each_once(line[:-1].decode() for line in lines),
        ]
        connection.execute(self._insert, asked)
        connection.execute(self._move, end)
        return end

    def _is_kept(self, connection: Connection, _: str, end: Link) -> bool:
        """Tell whether the record of that number is the one of that hash."""
        rows = connection.execute(self._last, [end.seq]).fetchall()
        return any(end_of(_line(record)) == end for (record,) in rows)

    def _decoded(self, seq: int, record: str) -> _Record:
        try:
            return decode_record(_line(record), self._kind)
        except ValueError as error:
            raise CorruptData(f"{self._table}, seq {seq}: {error}") from error


def _line(record: str) -> bytes:
    return record.encode() + b"\n"
