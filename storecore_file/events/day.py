"""A day of events in its two files, read as one.

A sealed day says up to which number it has events. Lines of the log with these numbers are
leftovers of a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from heapq import merge
from pathlib import Path

from storecore.errors import CorruptData
from storecore.events import EventQuery
from storecore.values.times import EVER
from storecore_file.events.history import Held
from storecore_file.events.open_day import OpenDay, digest_of
from storecore_file.events.sealed import SealedDay
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.stat import fingerprint_of

_ALL = EventQuery(EVER)


class Day:
    """A day as its files were when they were opened."""

    def __init__(self, log: OpenDay | None, sealed: SealedDay | None) -> None:
        self._log = log
        self._sealed = sealed

    @property
    def through(self) -> int:
        """The number of the last sealed event, 0 if none was sealed."""
        return 0 if self._sealed is None else self._sealed.through

    @property
    def changed(self) -> int:
        """The highest number of an event that was deleted or renamed since it was written."""
        return 0 if self._sealed is None else self._sealed.changed

    @property
    def last(self) -> int:
        """The number of the last event."""
        return max(self.through, 0 if self._log is None else self._log.last)

    @property
    def gap(self) -> str | None:
        """Which events are in none of the files, None if all are there."""
        first = 0 if self._log is None else self._log.first
        return f"events {self.through + 1} to {first - 1}" if first > self.through + 1 else None

    def rows(self, query: EventQuery = _ALL) -> Iterator[Held]:
        """Yield the events that a query asks for, by timestamp, then in the order of writing.

        A few of them are held at a time.
        """
        if self._sealed is None:
            return self._late_rows(query)
        if self._log is None:
            return self._sealed_rows(query)
        return merge(self._sealed_rows(query), self._late_rows(query), key=_time)

    def answer(self, query: EventQuery) -> list[Held]:
        """Return what `rows` yields."""
        late = self._log.rows(query, self.through) if self._log else ()
        return sorted((*self._sealed_rows(query), *late), key=_time)

    def _sealed_rows(self, query: EventQuery) -> Iterator[Held]:
        return self._sealed.rows(query) if self._sealed else iter(())

    def _late_rows(self, query: EventQuery) -> Iterator[Held]:
        return self._log.sorted_rows(query, self.through) if self._log else iter(())

    def symbols(self) -> set[str | None]:
        """Return the symbols of its events."""
        late = self._log.symbols(self.through) if self._log else set()
        return late | (self._sealed.symbols() if self._sealed else set())

    def hidden(self) -> int:
        """Return how many lines differ from the sealed events of the same numbers.

        A kill while a day is sealed leaves lines that are equal; others are of another copy of the
        store. Events that were deleted or renamed since are not compared.
        """
        if self._log is None or self._sealed is None or self._log.first > self.through:
            return 0
        first, digests = self._log.digests(self.changed, self.through)
        equal = sum(
            0 <= (row := each.place - first) < len(digests)
            and digests[row] == digest_of(each.event)
            for each in (self._sealed.rows() if digests else ())
        )
        return len(digests) - equal


def _time(held: Held) -> datetime:
    return held.event.timestamp


@contextmanager
def opened(disk: Disk, log: Path, sealed: Path) -> Iterator[Day]:
    """Return a day whose files are open: none, one or both.

    Raises `CorruptData` if events before those of the log are missing.
    """
    seen = None
    while True:
        with ExitStack() as files:
            # The log first: sealing removes it after it has put its lines into the sealed file.
            open_log = _entered(files, disk.opened(log))
            open_sealed = _entered(files, disk.opened(sealed))
            day = Day(
                None if open_log is None else OpenDay(disk, open_log),
                None if open_sealed is None else SealedDay(open_sealed),
            )
            gap = day.gap
            if open_log is None or gap is None:
                yield day
                return
            before, seen = seen, fingerprint_of(open_log.found)
        if before == seen:  # else a day without events was removed meanwhile
            raise CorruptData(f"{sealed}: {gap} are missing", sealed)


def _entered(files: ExitStack, file: OpenFile | None) -> OpenFile | None:
    return None if file is None else files.enter_context(file)
