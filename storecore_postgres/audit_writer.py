"""Appends to a log of the audit: the head of its chain is moved on in the same transaction.

Who wrote last knows where the chain ends, and moves it on from there in one round trip; where
somebody else has written meanwhile that moves nothing, and the end is looked up and held. So
writers on all machines come one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from threading import RLock

import msgspec
from msgspec import Struct

from storecore.audit import Link, chain, end_of, moment_and_day
from storecore.chain_moves import moved_end
from storecore.errors import StorageError
from storecore.forking import begin_anew_in_children
from storecore.instants import instant as instant_of
from storecore_postgres.audit_head import AuditHead
from storecore_postgres.database import Connection, Database
from storecore_postgres.distribution import Distribution
from storecore_postgres.failing import TAKEN
from storecore_postgres.wire import each_once, moments

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


class _Found(Struct):
    """What of a record its row is found by."""

    seq: int
    strategy: str
    timestamp: datetime


_FOUND = msgspec.json.Decoder(_Found)


class AuditWriter:
    """Writes to one log: "decisions" or "orders"."""

    def __init__(self, database: Database, schema: str, layout: Distribution, log: str) -> None:
        self._database = database
        self._log = log
        self.head = AuditHead(database, schema, log)
        # Threads of one process wait here, not each with a connection of its own. The handler of a
        # signal that logs within a call that logs waits for the server's lock, which is bounded.
        self._turn = RLock()
        begin_anew_in_children(self)
        self._may_follow = layout != "citus"  # which cannot change two tables in one statement
        self._end: Link | None = None  # of the chain, as far as it is known here
        self._insert, self._follow, self._record = (
            each.format(schema=schema, log=log) for each in (_INSERT, _FOLLOW, _RECORD)
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
        """Append in one statement if the chain ends where it is known to; tell whether it did."""
        if self._end is None:
            return False
        last, (now, today) = self._end, moment_and_day(datetime.now)
        lines, end = chain(bodies, now, last)
        asked = [*end, *last, *_found(today, lines)]
        tries = 0

        def put(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            if connection.execute(self._follow, asked).rowcount:
                return True
            # A try whose connection was lost may have done it.
            return tries > 1 and self._is_kept(connection, "", end)

        self._end = None
        try:
            done = self._database.retried(f"logging {self._log}", put)
        except StorageError as error:
            if not _is_taken(error):
                raise
            self.head.forget()
            return False
        self._end = end if done else None
        return done

    def _is_kept(self, connection: Connection, _: str, end: Link) -> bool:
        """Tell whether the record of that number is the one of that hash."""
        rows = connection.execute(self._record, [end.seq]).fetchall()
        return any(end_of(record.encode() + b"\n") == end for (record,) in rows)

    def append(self, day: date, lines: Sequence[bytes]) -> None:
        """Append records that were logged elsewhere, checked, all of them or none."""

        def put(connection: Connection) -> Link:
            end = moved_end(self._log, lines, self.head.hold(connection))
            return self._put(connection, day, lines, end)

        with self._turn:
            self._once(f"copying {self._log}", put)

    def _put(self, connection: Connection, day: date, lines: Sequence[bytes], end: Link) -> Link:
        connection.execute(self._insert, _found(day, lines))
        self.head.move(connection, end)
        return end


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
