"""The head of a log: a row of `audit_heads` with the number and hash of the chain's last record.

The transaction that appends records also moves the head. So the head is ahead of the log only if
records were cut off, and behind it only if the tables were not restored together. The next record
then continues the chain:

    head ahead of the log    after the record that the head names; `verify_audit()` reports the gap
    head behind the log      after the last record of the log
    no head                  after the last record of the log; it is unknown whether more existed

In doubt, a row `decisions unproven` keeps a finding alive. It has the number of the first record
that was appended when earlier records might have been cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import sleep
from typing import NamedTuple

from storecore.audit.records import GENESIS, Link, end_of
from storecore.errors import CorruptData
from storecore.reports import Finding
from storecore_postgres.database import Connection, Database

_LOCK_HEAD = "SELECT seq, hash FROM {schema}.audit_heads WHERE log = '{log}' FOR UPDATE"
_MAKE = """
INSERT INTO {schema}.audit_heads VALUES ('{log}', 0, '') ON CONFLICT (log) DO NOTHING RETURNING log
"""
_DOUBT = """
INSERT INTO {schema}.audit_heads VALUES ('{log} unproven', %s, '') ON CONFLICT (log) DO NOTHING
"""
_MOVE = "UPDATE {schema}.audit_heads SET seq = %s, hash = %s WHERE log = '{log}'"
_LAST = "SELECT seq, record::text FROM {schema}.{log} ORDER BY seq DESC LIMIT 1"
_RECORD = "SELECT record::text FROM {schema}.{log} WHERE seq = %s"
_KNOWN = """
SELECT log, seq, hash FROM {schema}.audit_heads WHERE log IN ('{log}', '{log} unproven')
UNION ALL SELECT 'last', coalesce(max(seq), 0), '' FROM {schema}.{log}
"""
_DELAYS = (0.0, 0.1, 0.4)  # seconds; a cluster does not commit on all nodes at once


class KnownEnd(NamedTuple):
    """The end of a log, as its head and its table have it at one time."""

    head: Link | None
    unproven: int  # the number in the row `unproven`, or 0
    last: int  # the number of the last record, or 0

    @property
    def is_behind(self) -> bool:
        """Return whether the log has records after the one that its head names."""
        return self.head is not None and self.head.seq < self.last


class AuditHead:
    """The head of one log: "decisions" or "orders"."""

    def __init__(self, database: Database, schema: str, log: str) -> None:
        self._database = database
        self._log = log
        self.table = f"{schema}.{log}"
        # Where this store has left the head, with no record of the log after it.
        self._last_seen: Link | None = None
        (
            self._lock_head,
            self._make,
            self._doubt,
            self._move,
            self._last,
            self._record,
            self._known,
        ) = (
            each.format(schema=schema, log=log)
            for each in (_LOCK_HEAD, _MAKE, _DOUBT, _MOVE, _LAST, _RECORD, _KNOWN)
        )

    def lock(self, connection: Connection) -> Link:
        """Return the end of the chain, and lock it until the transaction ends."""
        rows = connection.execute(self._lock_head, binary=True).fetchall()
        is_made = not rows and bool(connection.execute(self._make).fetchall())
        rows = rows or connection.execute(self._lock_head, binary=True).fetchall()
        head = Link(*rows[0])
        if self._last_seen is None or head.seq < self._last_seen.seq or is_made:
            return self._resolved(connection, head, is_made)
        return head

    def move(self, connection: Connection, end: Link) -> None:
        """Set the head to a new end, in the transaction that has locked it."""
        connection.execute(self._move, end)
        self._last_seen = end

    def distrust(self) -> None:
        """Compare the head with the last record before it is used again."""
        self._last_seen = None

    def _resolved(self, connection: Connection, head: Link, is_made: bool) -> Link:
        """Return the end of a chain whose head may not match its log; keep a doubt."""
        last = self._last_record(connection)
        end = head if last.seq <= head.seq else last
        if is_made or not (end == head or self._has(connection, head)):
            connection.execute(self._doubt, [end.seq + 1])
        return end

    def _last_record(self, connection: Connection) -> Link:
        rows = connection.execute(self._last).fetchall()
        return self._link(*rows[0]) if rows else GENESIS

    def _has(self, connection: Connection, head: Link) -> bool:
        """Return whether the log has the record that a head names."""
        if head == GENESIS:
            return True
        rows = connection.execute(self._record, [head.seq]).fetchall()
        return any(self._link(head.seq, record) == head for (record,) in rows)

    def _link(self, seq: int, record: str) -> Link:
        place = f"{self.table}, seq {seq}"
        try:
            link = end_of(record.encode() + b"\n")
        except ValueError as error:
            raise CorruptData(f"{place}: {error}", place) from error
        if link.seq != seq:
            raise CorruptData(f"{place}: its record has number {link.seq}", place)
        return link

    def known(self) -> KnownEnd:
        """Read the end of the log."""
        rows = self._database.rows(f"reading {self._log}", self._known, [])
        found = {log: Link(*place) for log, *place in rows}
        doubt = found.get(f"{self._log} unproven", GENESIS)
        return KnownEnd(found.get(self._log), doubt.seq, found["last"].seq)

    def known_at_rest(self) -> KnownEnd:
        """Read the end of the log, repeatedly while a commit may be in progress."""
        for pause in _DELAYS:
            sleep(pause)
            known = self.known()
            if not known.is_behind:
                break
        return known

    def findings(self, before: KnownEnd, end: Link) -> list[Finding]:
        """Return the findings about the head of a log whose chain ends at `end`.

        `before` was read before the chain was followed, so records that are appended meanwhile are
        no finding.
        """
        now = self.known_at_rest()
        if before.head is None:
            return [Finding("headless", self.table, "its row in audit_heads is missing")]
        if now.head is not None and now.is_behind:
            names = f"its row in audit_heads names record {now.head.seq}"
            detail = f"{names}, the log goes up to record {now.last}: restored without it?"
            return [Finding("behind", self.table, detail)]
        if before.head.seq > end.seq:
            missing = f"records {end.seq + 1} to {before.head.seq} are missing"
            detail = f"{missing}; its row in audit_heads names the last one"
            return [Finding("truncated", self.table, detail)]
        if now.unproven:
            followed = f"records may have been cut off before record {now.unproven}"
            return [Finding("headless", self.table, f"its head was missing once: {followed}")]
        return []

    def repair(self, *, dry_run: bool) -> str | None:
        """Set a missing head, or one that is behind, to the end of the log.

        Return a sentence about it, or None if there is nothing to repair.
        """
        known = self.known_at_rest()
        if known.head is not None and not known.is_behind:
            return None
        if dry_run:
            return f"would set the head of {self.table} to record {known.last}"

        def put(connection: Connection) -> Link:
            self.distrust()
            end = self.lock(connection)
            self.move(connection, end)
            return end

        end = self._database.exactly_once(f"repairing {self._log}", put, self._is_moved)
        return f"set the head of {self.table} to record {end.seq}"

    def _is_moved(self, connection: Connection, _: str, end: Link) -> bool:
        rows: Sequence[tuple[int, str]] = connection.execute(
            self._lock_head, binary=True
        ).fetchall()
        return any(Link(*row) == end for row in rows)
