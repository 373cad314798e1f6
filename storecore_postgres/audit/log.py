"""A log of the audit: a row for each record, with the same bytes as a line of the `file` backend.

A store that wrote last knows the end of the chain. It appends in one statement that moves the head
only if it is still there. If another session has moved it, nothing changes, and the store locks the
head, reads it and appends after it. So writers on all machines take turns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import count
from threading import RLock
from typing import Any

import msgspec
from msgspec import Struct

from storecore.audit.chain import follow
from storecore.audit.context import needs_newer_release
from storecore.audit.records import (
    Link,
    chain,
    decode_record,
    end_of,
    moment_and_day,
    select_records,
)
from storecore.audit.transfer import LOGS, moved_end
from storecore.errors import StorageError
from storecore.reports import AuditLine, Finding
from storecore.store.collections import AuditLog
from storecore.values.fork import reset_after_fork
from storecore.values.times import TimeRange
from storecore.values.times import instant as instant_of
from storecore_postgres.audit.head import AuditHead
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import KEY_TAKEN
from storecore_postgres.rows import PAGE, Row, decoding, pages
from storecore_postgres.schema.layouts import Distribution
from storecore_postgres.schema.version import SchemaVersion
from storecore_postgres.wire import instant, text_array, timestamptz, timestamptz_array

_MISPLACED = "its columns seq, strategy or logged_at differ from those of its record"
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


class _Indexed(Struct):
    """The fields of a record that its row has as columns too."""

    seq: int
    strategy: str
    timestamp: datetime


_INDEXED = msgspec.json.Decoder(_Indexed)


class _Table:
    """The table of a log as the lines of a file, of which one page is in memory at a time.

    `page_after` returns the rows after a number, and `misplaced` the finding about one, or None;
    `hidden` is the first such finding. The pages that were read begin at the offsets `_starts`,
    after the records `_numbers`. A chain is followed once; what looks back reads pages again.
    """

    def __init__(
        self,
        place: str,
        page_after: Callable[[int], Sequence[Row]],
        misplaced: Callable[..., Finding | None],
    ) -> None:
        self.place = place
        self.hidden: Finding | None = None
        self._page_after = page_after
        self._misplaced = misplaced
        self._starts = [0]
        self._numbers = [0]
        self._read: tuple[int, bytes] = (-1, b"")  # a page, and its lines

    def window(self, at: int) -> tuple[bytes, int]:
        """Return the lines of the page with an offset, and the position of the offset in them."""
        page = bisect_right(self._starts, at) - 1
        if self._read[0] != page:
            self._read = page, self._lines_of(page)
        return self._read[1], at - self._starts[page]

    def _lines_of(self, page: int) -> bytes:
        rows = self._page_after(self._numbers[page])
        lines = b"".join(_line(row[-1]) for row in rows)
        if rows and page + 1 == len(self._starts):
            self._starts.append(self._starts[page] + len(lines))
            self._numbers.append(rows[-1][0])
            found = (self._misplaced(*row) for row in rows)
            self.hidden = self.hidden or next((each for each in found if each), None)
        return lines


class PostgresLog(AuditLog):
    """One log: "decisions" or "orders"."""

    def __init__(
        self,
        database: Database,
        schema: str,
        layout: Distribution,
        log: str,
        version: SchemaVersion,
    ) -> None:
        self._database = database
        self._version = version
        self.name = log
        self._table = f"{schema}.{log}"
        self.chain_head = AuditHead(database, schema, log)
        # Threads of a process wait here, without a connection. The lock is reentrant: a signal
        # handler that logs inside a call that logs waits for the server's lock, with a timeout.
        self._lock = RLock()
        reset_after_fork(self)
        self._can_follow = layout != "citus"  # Citus cannot change two tables in one statement
        self._end: Link | None = None  # of the chain, if this store wrote last
        self._insert, self._follow, self._record, self._read, self._after = (
            each.format(schema=schema, log=log)
            for each in (_INSERT, _FOLLOW, _RECORD, _READ, _AFTER)
        )

    def after_fork(self) -> None:
        """Use a new lock: a thread of the parent may hold this one."""
        self._lock = RLock()

    def write(self, bodies: list[bytes]) -> None:
        """Append checked records, all or none, exactly once."""
        self._version.require_for(f"logging {self.name}", bodies, needs_newer_release)
        with self._lock:
            if not self._append_after_known_end(bodies):
                self._end = self._append_locked(bodies)

    def append(self, day: date, lines: list[bytes]) -> None:
        """Append checked records that were logged in another store, all or none."""
        self._version.require_for(f"copying {self.name}", lines, needs_newer_release)

        def put(connection: Connection) -> Link:
            end = moved_end(self.name, lines, self.chain_head.lock(connection))
            return self._insert_records(connection, day, lines, end)

        with self._lock:
            self._append_once(f"copying {self.name}", put)

    def read(self, span: TimeRange, strategy: str | None) -> list[Any]:
        """Return the records of a range and a strategy (None: all), in the order of `seq`."""
        parameters = [timestamptz(span.first), timestamptz(span.last), strategy]
        rows = self._database.rows(f"reading {self.name}", self._read, parameters)
        return select_records((self._decoded(*row) for row in rows), span, strategy)

    def lines(self, after: int) -> Iterator[AuditLine]:
        """Yield the records after a number, in the order of `seq`."""
        for _, day, *_, record in self._rows_after(after):
            yield AuditLine(day, _line(record))

    def verify(self) -> tuple[Link, list[Finding]]:
        """Follow the chain; return its end and its first break, or the findings about its head."""
        # The head is read first: records that are appended meanwhile are beyond it, not missing.
        known = self.chain_head.known()
        table = _Table(self._table, self._page_after, self._misplaced)
        named = [known.head] if known.head is not None and known.head.seq else []
        end, broken = follow([table], named)
        first = broken or table.hidden
        return end, [first] if first else self.chain_head.findings(known, end)

    def _append_locked(self, bodies: Sequence[bytes]) -> Link | None:
        """Append after the locked head; return the new end, or None if it is of no use."""

        def put(connection: Connection) -> Link:
            last, (now, today) = self.chain_head.lock(connection), moment_and_day(datetime.now)
            lines, end = chain(bodies, now, last)
            return self._insert_records(connection, today, lines, end)

        end = self._append_once(f"logging {self.name}", put)
        return end if self._can_follow else None

    def _append_once(self, what: str, put: Callable[[Connection], Link]) -> Link:
        """Append exactly once; if the number is taken, again after the log's last record."""
        try:
            return self._database.exactly_once(what, put, self._is_committed)
        except StorageError as error:
            self.chain_head.distrust()
            if not _is_key_taken(error):
                raise
        return self._database.exactly_once(what, put, self._is_committed)

    def _append_after_known_end(self, bodies: Sequence[bytes]) -> bool:
        """Append in one statement if the chain still ends at the known end; return whether it did.

        If another session has moved the head meanwhile, nothing is changed.
        """
        last = self._end
        if last is None:
            return False
        now, today = moment_and_day(datetime.now)
        lines, end = chain(bodies, now, last)
        self._end = None
        done = self._follow_known_end(last, end, _columns(today, lines))
        self._end = end if done else None
        return done

    def _follow_known_end(self, last: Link, end: Link, columns: list[object]) -> bool:
        """Move the head to `end` and insert the records, if the head is still at `last`."""
        attempts = count(1)

        def put(connection: Connection) -> bool:
            attempt = next(attempts)
            if connection.execute(self._follow, [*end, *last, *columns]).rowcount:
                return True
            # An earlier attempt may have been committed although its connection was lost.
            return attempt > 1 and self._is_committed(connection, "", end)

        try:
            return self._database.retry(f"logging {self.name}", put)
        except StorageError as error:
            if not _is_key_taken(error):
                raise
            self.chain_head.distrust()
            return False

    def _is_committed(self, connection: Connection, _: str, end: Link) -> bool:
        """Return whether the record of that number has that hash."""
        rows = connection.execute(self._record, [end.seq]).fetchall()
        return any(end_of(record.encode() + b"\n") == end for (record,) in rows)

    def _insert_records(
        self, connection: Connection, day: date, lines: Sequence[bytes], end: Link
    ) -> Link:
        connection.execute(self._insert, _columns(day, lines))
        self.chain_head.move(connection, end)
        return end

    def _rows_after(self, seq: int) -> Iterator[Row]:
        what = f"reading {self.name}"
        return pages(self._database, what, self._after, [seq], lambda row: [row[0]])

    def _page_after(self, seq: int) -> Sequence[Row]:
        return self._database.rows(f"reading {self.name}", self._after, [seq])

    def _misplaced(
        self, seq: int, day: date, strategy: str, logged_at: bytes, record: str
    ) -> Finding | None:
        """Return the finding that the columns of a row differ from its record, or None."""
        try:
            of_record = indexed_by(record)
        except (ValueError, RecursionError):  # a break of the chain, reported there
            return None
        if of_record == (seq, strategy, instant(logged_at)):
            return None
        return Finding("edited", f"{self._table}, seq {seq}", _MISPLACED)

    def _decoded(self, seq: int, record: str) -> Any:
        with decoding(f"{self._table}, seq {seq}"):
            return decode_record(_line(record), LOGS[self.name])


def _line(record: str) -> bytes:
    return record.encode() + b"\n"


def _is_key_taken(error: StorageError) -> bool:
    """Return whether the log has a record of that number already."""
    return isinstance(error.__cause__, KEY_TAKEN)


def indexed_by(line: bytes | str) -> tuple[int, str, int]:
    """Return the number, strategy and instant of a record."""
    found = _INDEXED.decode(line)
    return found.seq, found.strategy, instant_of(found.timestamp, "timestamp")


def _columns(day: date, lines: Sequence[bytes]) -> list[object]:
    """Return the parameters of an insert: one array for each column."""
    numbers, strategies, times = zip(*map(indexed_by, lines), strict=True)
    documents = text_array(line[:-1].decode() for line in lines)
    return [day, list(numbers), text_array(strategies), timestamptz_array(times), documents]
