"""The room of audit: two logs, of decisions and of orders, a row a record, each a chain.

    seq, day, strategy, logged_at     to be found by; the day is the local date of who logged it
    record                            the line as the `file` backend has it, byte for byte

The row of a log in `audit_heads` says where its chain ends, so that a cut tail is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import count
from threading import RLock
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from storecore.audit.chain import LogFile, follow
from storecore.audit.records import (
    Link,
    chain,
    decode_record,
    end_of,
    moment_and_day,
    select_records,
)
from storecore.audit.transfer import moved_end
from storecore.errors import StorageError
from storecore.models import DecisionRecord, OrderRecord
from storecore.reports import AuditLine, Finding
from storecore.values.fork import begin_anew_in_children
from storecore.values.names import check_name
from storecore.values.times import TimeRange
from storecore.values.times import instant as instant_of
from storecore_postgres.audit.head import AuditHead
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import TAKEN
from storecore_postgres.rows import PAGE, Row, decoding, pages
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.wire import each_once, instant, moment, moments

_Record = TypeVar("_Record", DecisionRecord, OrderRecord)
_MISPLACED = "the columns that it is found by are not those of its record"
_INSERT = """
INSERT INTO {schema}.{log} (seq, day, strategy, logged_at, record)
SELECT seq, %s, strategy, logged_at, record::json
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[])
    AS given (seq, strategy, logged_at, record)
"""
_FOLLOW = (
    """
WITH moved AS (
    UPDATE {schema}.audit_heads SET seq = %s, hash = %s
    WHERE log = '{log}' AND seq = %s AND hash = %s RETURNING seq
)
"""
    + _INSERT.rstrip()
    + " WHERE EXISTS (SELECT 1 FROM moved)"
)
_RECORD = "SELECT record::text FROM {schema}.{log} WHERE seq = %s"
_READ = """
SELECT seq, record::text FROM {schema}.{log}
WHERE logged_at BETWEEN %s AND %s AND coalesce(strategy = %s, true) ORDER BY seq
"""
_AFTER = f"""
SELECT seq, day, strategy, timestamptz_send(logged_at), record::text FROM {{schema}}.{{log}}
WHERE seq > %s ORDER BY seq LIMIT {PAGE}
"""


class _Found(Struct):
    """What of a record its row is found by."""

    seq: int
    strategy: str
    timestamp: datetime


_FOUND = msgspec.json.Decoder(_Found)


class AuditLog(Generic[_Record]):
    """One log: "decisions" or "orders"."""

    def __init__(
        self,
        database: Database,
        schema: str,
        layout: Distribution,
        log: str,
        kind: type[_Record],
    ) -> None:
        self._database = database
        self._log = log
        self._table = f"{schema}.{log}"
        self._kind: type[_Record] = kind
        self.head = AuditHead(database, schema, log)
        # Threads of one process wait here, not each with a connection of its own. The handler of a
        # signal that logs within a call that logs waits for the server's lock, which is bounded.
        self._turn = RLock()
        begin_anew_in_children(self)
        self._may_follow = layout != "citus"  # which cannot change two tables in one statement
        self._end: Link | None = None  # of the chain, as far as it is known here
        self._insert, self._follow, self._record, self._read, self._after = (
            each.format(schema=schema, log=log)
            for each in (_INSERT, _FOLLOW, _RECORD, _READ, _AFTER)
        )

    def after_fork(self) -> None:
        """Forget the turn, which a thread of the parent may have."""
        self._turn = RLock()

    def write(self, bodies: Sequence[bytes]) -> None:
        """Append checked records, all of them or none, exactly once."""
        if bodies:
            with self._turn:
                if not self._followed(bodies):
                    self._end = self._logged(bodies)

    def append(self, day: date, lines: Sequence[bytes]) -> None:
        """Append records that were logged elsewhere, checked, all of them or none."""

        def put(connection: Connection) -> Link:
            end = moved_end(self._log, lines, self.head.hold(connection))
            return self._put(connection, day, lines, end)

        with self._turn:
            self._once(f"copying {self._log}", put)

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
        """Follow the chain; return its end and its first break, or the findings of its head."""
        # The head before the records: those that are logged meanwhile go beyond it, none is behind.
        known = self.head.known()
        lines, hidden = [], None
        for row in self._rows_after(0):
            lines.append(_line(row[-1]))
            hidden = hidden or self._hidden(*row)
        log = LogFile(self._table, b"".join(lines))
        named = [known.head] if known.head is not None and known.head.seq else []
        end, broken = follow([log], named)
        first = broken or hidden
        return end, [first] if first else self.head.findings(known, end)

    def _logged(self, bodies: Sequence[bytes]) -> Link | None:
        """Append when nobody else can move the end of the chain; return the new one, if of use."""

        def put(connection: Connection) -> Link:
            last, (now, today) = self.head.hold(connection), moment_and_day(datetime.now)
            lines, end = chain(bodies, now, last)
            return self._put(connection, today, lines, end)

        end = self._once(f"logging {self._log}", put)
        return end if self._may_follow else None

    def _once(self, what: str, put: Callable[[Connection], Link]) -> Link:
        """Append exactly once, after the log's last record if the head is behind it."""
        try:
            return self._database.once(what, put, self._is_kept)
        except StorageError as error:
            self.head.forget()
            if not _is_taken(error):
                raise
        return self._database.once(what, put, self._is_kept)

    def _followed(self, bodies: Sequence[bytes]) -> bool:
        """Append in one statement if the chain still ends at the known end; return whether it did.

        If another session has moved the head meanwhile, nothing is changed.
        """
        last = self._end
        if last is None:
            return False
        now, today = moment_and_day(datetime.now)
        lines, end = chain(bodies, now, last)
        self._end = None
        done = self._moved_on(last, end, _found(today, lines))
        self._end = end if done else None
        return done

    def _moved_on(self, last: Link, end: Link, columns: list[object]) -> bool:
        """Move the head from one end to another and insert the records between, if it is there."""
        attempts = count(1)

        def put(connection: Connection) -> bool:
            attempt = next(attempts)
            if connection.execute(self._follow, [*end, *last, *columns]).rowcount:
                return True
            # An earlier attempt may have been committed although its connection was lost.
            return attempt > 1 and self._is_kept(connection, "", end)

        try:
            return self._database.retried(f"logging {self._log}", put)
        except StorageError as error:
            if not _is_taken(error):
                raise
            self.head.forget()
            return False

    def _is_kept(self, connection: Connection, _: str, end: Link) -> bool:
        """Tell whether the record of that number is the one of that hash."""
        rows = connection.execute(self._record, [end.seq]).fetchall()
        return any(end_of(record.encode() + b"\n") == end for (record,) in rows)

    def _put(self, connection: Connection, day: date, lines: Sequence[bytes], end: Link) -> Link:
        connection.execute(self._insert, _found(day, lines))
        self.head.move(connection, end)
        return end

    def _rows_after(self, seq: int) -> Iterator[Row]:
        what = f"reading {self._log}"
        return pages(self._database, what, self._after, [seq], lambda row: [row[0]])

    def _hidden(
        self, seq: int, day: date, strategy: str, logged_at: bytes, record: str
    ) -> Finding | None:
        """Return that a record is found by what it is not, and so not by what it is."""
        try:
            of_record = found_by(record)
        except (ValueError, RecursionError):  # which breaks the chain
            return None
        if of_record == (seq, strategy, instant(logged_at)):
            return None
        return Finding("edited", f"{self._table}, seq {seq}", _MISPLACED)

    def _decoded(self, seq: int, record: str) -> _Record:
        with decoding(f"{self._table}, seq {seq}"):
            return decode_record(_line(record), self._kind)


def _line(record: str) -> bytes:
    return record.encode() + b"\n"


def _is_taken(error: StorageError) -> bool:
    """Return whether the log has a record of that number that the head does not know."""
    return isinstance(error.__cause__, TAKEN)


def found_by(line: bytes | str) -> tuple[int, str, int]:
    """Return what the row of a record is found by: its number, strategy and time, an instant."""
    found = _FOUND.decode(line)
    return found.seq, found.strategy, instant_of(found.timestamp, "timestamp")


def _found(day: date, lines: Sequence[bytes]) -> list[object]:
    """Return the columns of records, a list each."""
    numbers, strategies, times = zip(*map(found_by, lines), strict=True)
    documents = each_once(line[:-1].decode() for line in lines)
    return [day, list(numbers), each_once(strategies), moments(times), documents]
