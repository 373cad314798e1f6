"""A log of decisions or orders of a store in memory: chained JSON lines.

It knows its own lock and no clock of recording, as nothing in it is ever replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from threading import RLock

from storecore.audit.records import GENESIS, Link, logged_now
from storecore.audit.transfer import moved_end
from storecore.reports import AuditLine
from storecore.store.collections import AuditLog


class MemoryLog(AuditLog):
    """The lines of a log, the local day of each, and the end of their chain."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = RLock()
        self.kept: list[bytes] = []
        self.days: list[date] = []
        self.end: Link = GENESIS

    def write(self, bodies: list[bytes]) -> None:
        """Append records that are logged now."""
        with self.lock:
            today, lines, end = logged_now(bodies, self.end)
            self._keep(lines, [today] * len(lines), end)

    def head(self) -> Link:
        """Return the end of the chain."""
        return self.end

    def lines(self, after: int) -> Iterator[AuditLine]:
        """Yield the records from number `after` + 1 on."""
        with self.lock:
            days, lines = self.days[after:], self.kept[after:]
        return map(AuditLine, days, lines)

    def append(self, day: date, lines: list[bytes]) -> None:
        """Append records that were logged elsewhere."""
        with self.lock:
            self._keep(lines, [day] * len(lines), moved_end(self.name, lines, self.end))

    def _keep(self, lines: list[bytes], days: list[date], end: Link) -> None:
        """Append records and their days, under the lock.

        No function is called in between, so an exception of a signal handler leaves all or none.
        """
        self.kept += lines
        self.days += days
        self.end = end
