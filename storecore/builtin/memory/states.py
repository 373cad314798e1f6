"""The collection of states of a store in memory.

Their versions are numbered, and none of them is recorded by the clock: states have a lock of their
own.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import RLock
from typing import Any

from storecore.knowledge.clock import machine_now
from storecore.reports import StateVersion
from storecore.states import KEPT_VERSIONS, KeptVersion, check_expected, saved_at_of
from storecore.store.collections import StateCollection
from storecore.values.documents import decode_document
from storecore.values.times import to_datetime


class MemoryStates(StateCollection):
    """The last versions of each state, newest first, as JSON documents."""

    def __init__(self, kept_versions: int = KEPT_VERSIONS) -> None:
        self.kept_versions = kept_versions
        self.lock = RLock()
        self.versions: dict[str, list[KeptVersion]] = {}
        self.deleted: dict[str, int] = {}  # the last version of each state that was deleted

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace the state of a strategy."""
        with self.lock:
            kept = self.versions.get(strategy, [])
            stored = self._stored(strategy)
            check_expected(strategy, expect, stored)
            number = (stored or self.deleted.get(strategy, 0)) + 1
            saved = KeptVersion(number, document, to_datetime(machine_now(), aware=True))
            self.versions[strategy] = [saved, *kept[: self.kept_versions - 1]]

    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return the state of a strategy, or None."""
        return self.version(strategy).state

    def history(self, strategy: str) -> list[StateVersion]:
        """Return the kept versions of a state, newest first."""
        kept = self.versions.get(strategy, [])
        return [
            StateVersion(each.version, decode_document(each.document), each.saved_at)
            for each in kept
        ]

    def restore(self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None) -> None:
        """Replace a state and its history by versions of another store."""
        with self.lock:
            check_expected(strategy, expect, self._stored(strategy))
            if versions:
                self.versions[strategy] = [
                    KeptVersion(*each, saved_at=saved_at_of(each)) for each in versions
                ]

    def delete(self, strategy: str, expect: int | None) -> bool:
        """Remove all versions of a state; return whether there was one."""
        with self.lock:
            stored = self._stored(strategy)
            check_expected(strategy, expect, stored)
            if stored:
                self.deleted[strategy] = stored
            return self.versions.pop(strategy, None) is not None

    def strategies(self) -> Iterable[str]:
        """Return the strategies that have a state."""
        return list(self.versions)

    def _stored(self, strategy: str) -> int:
        kept = self.versions.get(strategy)
        return kept[0].version if kept else 0
