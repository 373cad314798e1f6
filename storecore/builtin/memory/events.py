"""The collection of events of a store in memory.

They are kept encoded, so that no caller can change them, and are decoded by each question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from storecore.builtin.memory.clock import MemoryClock, unpruned
from storecore.events import (
    EventQuery,
    decode_event,
    encode_event,
    event_filter,
    find_events,
    select_events,
)
from storecore.knowledge.versions import Version
from storecore.models import Event
from storecore.store.collections import EventCollection
from storecore.values.times import TimeRange


class MemoryEvents(EventCollection):
    """The versions of encoded events, which no caller can change, in the order of writing."""

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self.held: list[Version[bytes]] = []

    def write(self, batch: list[Event]) -> None:
        """Append events."""
        encoded = [encode_event(event) for event in batch]
        with self._clock.lock:
            now = self._clock.tick()
            self.held.extend([(each, now, None) for each in encoded])

    def _now(self) -> Iterator[Event]:
        """Yield the present events."""
        return (decode_event(each) for each, _, ended in self.held if ended is None)

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range by timestamp, then by order of writing."""
        return select_events(self._now(), span, types)

    def find(self, query: EventQuery) -> list[Event]:
        """Return the events that a query asks for."""
        return find_events(self._now(), query)

    def versions(self, query: EventQuery) -> list[Version[Event]]:
        """Return the versions of the events that a query asks for."""
        is_asked_for = event_filter(query)
        found = [each for each in _decoded(self.held) if is_asked_for(each[0])]
        return sorted(found, key=_timestamp)

    def past(self, since: int) -> list[Version[Event]]:
        """Return the versions that were replaced at or after an instant."""
        return _decoded(each for each in self.held if each[2] is not None and each[2] >= since)

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant."""
        with self._clock.lock:
            held = self.held
            self.held = list(unpruned(tuple(held), before))
            return len(held) - len(self.held)

    def restore(self, versions: list[Version[Event]]) -> None:
        """Append versions of another store."""
        encoded = [(encode_event(event), began, ended) for event, began, ended in versions]
        with self._clock.lock:
            self.held.extend(encoded)

    def symbols(self) -> set[str]:
        """Return the symbols that have events."""
        return {event.symbol for event in self._now() if event.symbol is not None}

    def delete(self, query: EventQuery) -> int:
        """Remove the events that a query asks for; return their number."""
        is_asked_for = event_filter(query)
        with self._clock.lock:
            now = self._clock.tick()
            gone = [each[2] is None and is_asked_for(decode_event(each[0])) for each in self.held]
            held = list(chain.from_iterable(map(self._ended, self.held, gone, repeat(now))))
            if any(gone) and not self._clock.keeps():
                self._clock.prune_to(now)
            self.held = held
            return sum(gone)

    def renamed(self, old: str, new: str, now: int) -> list[Version[bytes]]:
        """Return the events after a renaming. Call it under the lock."""
        held: list[Version[bytes]] = []
        for encoded, began, ended in self.held:
            event = decode_event(encoded)
            is_moved = event.symbol == old and ended is None
            held += self._ended((encoded, began, ended), is_moved, now)
            if is_moved:
                held.append((encode_event(replace(event, symbol=new)), now, None))
        return held

    def _ended(self, each: Version[bytes], is_gone: bool, now: int) -> list[Version[bytes]]:
        """Return a version, ended if it is gone and history is kept."""
        if not is_gone:
            return [each]
        return [(each[0], each[1], now)] if self._clock.keeps() else []

    def all(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        return iter(sorted(self._now(), key=attrgetter("timestamp")))


def _decoded(held: Iterable[Version[bytes]]) -> list[Version[Event]]:
    return [(decode_event(encoded), began, ended) for encoded, began, ended in held]


def _timestamp(version: Version[Event]) -> Any:
    return version[0].timestamp
