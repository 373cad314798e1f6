"""The clock of recording of a store in memory, which bars, fundamentals and events share.

Their writes hold its lock until they are visible. So a question about an instant waits for those
that have taken one (law K3).
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import RLock
from typing import Any

from storecore.knowledge.clock import (
    RestorableClock,
    check_asked,
    check_new,
    check_prunable,
    next_instant,
)
from storecore.knowledge.versions import Snapshot, Version
from storecore.values.times import EARLIEST, LATEST, to_datetime


class MemoryClock(RestorableClock):
    """The clock of recording, as numbers in memory."""

    def __init__(self, *, keeps: bool) -> None:
        self.lock = RLock()
        self.pruned = EARLIEST
        self._last = EARLIEST
        self._first: int | None = None
        self._keeps = keeps
        self._named: dict[str, Snapshot] = {}

    def tick(self) -> int:
        """Return the instant of a write. The caller holds the lock until the write is visible."""
        self._last = next_instant(self._last)
        if self._first is None:
            self._first = self._last
        return self._last

    def prune_to(self, now: int) -> None:
        """Move the horizon to the instant of a write that keeps nothing of what it replaces."""
        self.pruned = now

    def keeps(self) -> bool:
        """Return whether a write keeps what it replaces: it does as long as there are snapshots."""
        return self._keeps or bool(self._named)

    def is_kept(self) -> bool:
        """Return whether a write keeps what it replaces."""
        return self.keeps()

    def asked(self) -> int | None:
        """Return the last instant of the clock, of a question or of a write."""
        return None if self._last == EARLIEST else self._last

    def restore(self, recorded: int, pruned: int, snapshots: Iterable[Snapshot]) -> None:
        """Go on from the clock of another store."""
        with self.lock:
            self._named = {each.name: each for each in snapshots} | self._named
            self.pruned = max(self.pruned, pruned)
            self._last, self._first = max(self._last, recorded), EARLIEST

    def ask(self, recorded: int | None) -> int:
        """Move the clock to an instant (None: now)."""
        with self.lock:
            at = check_asked(recorded, self._last)
            self._last = max(self._last, at)
            return at

    def began(self) -> int:
        """Return the instant of the first write; `LATEST` before it."""
        return LATEST if self._first is None else self._first

    def horizon(self) -> int:
        """Return the instant before which history is pruned."""
        return self.pruned

    def prune(self, before: int) -> None:
        """Move the horizon."""
        with self.lock:
            check_prunable(before, self._named.values())
            self.pruned = max(self.pruned, before)

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots."""
        return list(self._named.values())

    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Name the present instant."""
        with self.lock:
            check_new(name, self._named.values())
            added = Snapshot(name, to_datetime(self.ask(None), aware=True), note)
            self._named[name] = added
            return added

    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one."""
        with self.lock:
            return self._named.pop(name, None) is not None


def unpruned(held: tuple[Version[Any], ...], before: int) -> tuple[Version[Any], ...]:
    """Return the versions that were not replaced at or before an instant."""
    return tuple(each for each in held if each[2] is None or each[2] > before)
