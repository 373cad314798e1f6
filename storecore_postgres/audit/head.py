"""The head of a log: a row of `audit_heads` with the number and hash of the chain's last record.

The transaction that logs also moves the head. So the head is never behind the log, and ahead of it
only if records were cut off, unless the tables were not restored together. Then the chain goes on:

    head ahead of the log    after the record that it names: `verify_audit()` reports the gap
    head behind the log      after the log's last record
    no head                  after the log's last record; whether more records existed is unknown

That doubt stays a finding, in a row `decisions unproven`. It has the number of the first record
that was logged when earlier records might have been cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import sleep
from typing import NamedTuple

from storecore.audit.records import GENESIS, Link, end_of
from storecore.errors import CorruptData
from storecore.reports import Finding
from storecore_postgres.database import Connection, Database

_HELD = "SELECT seq, hash FROM {schema}.audit_heads WHERE log = '{log}' FOR UPDATE"
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
_LOOKS = (0.0, 0.1, 0.4)  # seconds before each: a cluster does not commit everywhere at once


class Known(NamedTuple):
    """What is known of a log's end at one time."""

    head: Link | None
    unproven: int  # 0: nothing is
    last: int  # the number of the log's last record, 0: it is empty

    @property
    def is_behind(self) -> bool:
        """Return whether the log has records behind its head."""
        return self.head is not None and self.head.seq < self.last


class AuditHead:
    """The head of one log: "decisions" or "orders"."""

    def __init__(self, database: Database, schema: str, log: str) -> None:
        self._database = database
        self._log = log
        self.table = f"{schema}.{log}"
        self._left: Link | None = None  # where this store has seen it, with the log not beyond it
        self._held, self._make, self._doubt, self._move, self._last, self._record, self._known = (
            each.format(schema=schema, log=log)
            for each in (_HELD, _MAKE, _DOUBT, _MOVE, _LAST, _RECORD, _KNOWN)
        )

    def hold(self, connection: Connection) -> Link:
        """Lock and return the end of the chain, until the transaction is over."""
        rows = connection.execute(self._held, binary=True).fetchall()
        is_made = not rows and bool(connection.execute(self._make).fetchall())
        rows = rows or connection.execute(self._held, binary=True).fetchall()
        head = Link(*rows[0])
        if self._left is None or head.seq < self._left.seq or is_made:
            return self._healed(connection, head, is_made)
        return head

    def move(self, connection: Connection, end: Link) -> None:
        """Set the head to another end, in the transaction that holds it."""
        connection.execute(self._move, end)
        self._left = end

    def forget(self) -> None:
        """Read the log's last record before the head is trusted again."""
        self._left = None

    def _healed(self, connection: Connection, head: Link, is_made: bool) -> Link:
        """Return the end of a chain whose head may not match its log."""
        last = self._last_record(connection)
        end = head if last.seq <= head.seq else last
        if is_made or not (end == head or self._has(connection, head)):
            connection.execute(self._doubt, [end.seq + 1])
        return end

    def _last_record(self, connection: Connection) -> Link:
        rows = connection.execute(self._last).fetchall()
        return self._link(*rows[0]) if rows else GENESIS

    def _has(self, connection: Connection, head: Link) -> bool:
        """Return whether the record that a head names is in the log."""
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
            raise CorruptData(f"{place}: its record is the one of number {link.seq}", place)
        return link

    def known(self) -> Known:
        """Return what is known of the log's end."""
        rows = self._database.rows(f"reading {self._log}", self._known, [])
        found = {log: Link(*place) for log, *place in rows}
        doubt = found.get(f"{self._log} unproven", GENESIS)
        return Known(found.get(self._log), doubt.seq, found["last"].seq)

    def settled(self) -> Known:
        """Return what is known, read again while a commit may be under way."""
        for pause in _LOOKS:
            sleep(pause)
            known = self.known()
            if not known.is_behind:
                break
        return known

    def findings(self, before: Known, end: Link) -> list[Finding]:
        """Return the findings of the head of a log whose chain was followed to its end.

        `before` is what was known before that: records that are logged meanwhile are no excess.
        """
        now = self.settled()
        if before.head is None:
            return [Finding("headless", self.table, "its row in audit_heads is missing")]
        if now.head is not None and now.is_behind:
            names = f"its row in audit_heads names record {now.head.seq}"
            detail = f"{names}, and it goes on to record {now.last}: restored without it?"
            return [Finding("behind", self.table, detail)]
        if before.head.seq > end.seq:
            missing = f"records {end.seq + 1} to {before.head.seq} are missing"
            detail = f"{missing}, which its row in audit_heads names"
            return [Finding("truncated", self.table, detail)]
        if now.unproven:
            followed = f"whether records were cut off before record {now.unproven} is not known"
            return [Finding("headless", self.table, f"its head was missing once: {followed}")]
        return []

    def heal(self, *, dry_run: bool) -> str | None:
        """Set a head that is behind or missing to the log's end; return what was done, in words.

        None if there is nothing to repair.
        """
        known = self.settled()
        if known.head is not None and not known.is_behind:
            return None
        if dry_run:
            return f"would set the head of {self.table} to record {known.last}"

        def put(connection: Connection) -> Link:
            self.forget()
            end = self.hold(connection)
            self.move(connection, end)
            return end

        end = self._database.once(f"repairing {self._log}", put, self._is_moved)
        return f"set the head of {self.table} to record {end.seq}"

    def _is_moved(self, connection: Connection, _: str, end: Link) -> bool:
        rows: Sequence[tuple[int, str]] = connection.execute(self._held, binary=True).fetchall()
        return any(Link(*row) == end for row in rows)
