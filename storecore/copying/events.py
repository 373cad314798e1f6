"""Copies events in their order.

Both stores are read side by side. If the target's events of an instant are the first of the
source's, the others are appended, so that the order of writing is the source's. If the target has
different events at an instant, nothing is added there: it could not have the source's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from storecore.copying.report import Copied, LeftOut, Progress, batches
from storecore.copying.scope import WHOLE, Scope
from storecore.models import Event
from storecore.protocols import Bulk, DataStore, Transfer
from storecore.store.digests import EVER, Digest, canonical, tally

_AT_ONCE = 2_000


class _Kept(NamedTuple):
    """An event and its bytes."""

    event: Event
    encoded: bytes

    @property
    def at(self) -> datetime:
        return self.event.timestamp


class _Missing:
    """Iterates over the events that the target lacks, reading both sides in parallel."""

    def __init__(self, given: Iterator[Event], kept: Iterator[Event], progress: Progress) -> None:
        self.digest = Digest()
        self.conflicts = list[datetime]()  # the first one, for the report, and the newest
        self._given, self._kept, self._progress = given, _encoded(kept), progress

    def __iter__(self) -> Iterator[Event]:
        head = next(self._kept, None)
        for each in _encoded(self._given):
            self.digest.add(each.encoded)
            self._progress("events", each.event.type, 1)
            while head is not None and head.at < each.at:
                head = next(self._kept, None)
            at_odds = each.at in self.conflicts[-1:]
            if head is None or head.at > each.at:
                yield each.event
            elif head.encoded == each.encoded and not at_odds:
                head = next(self._kept, None)
            elif not at_odds:
                self.conflicts = [*self.conflicts[:1], each.at]


def copy_events(
    source: DataStore, target: DataStore, progress: Progress, scope: Scope = WHOLE
) -> Iterator[Copied | LeftOut]:
    """Copy all events, including identical ones."""
    missing, added = _Missing(_all(source, scope), _all(target, scope), progress), 0
    for batch in batches(missing, _AT_ONCE):
        _write(target, batch)
        added += len(batch)
    given, kept = (
        missing.digest.tally(),
        tally(each.encoded for each in _encoded(_all(target, scope))),
    )
    note = ""
    if missing.conflicts:
        at = missing.conflicts[0].isoformat()
        note = f"from {at} on the target has other events at some instants: none were added there"
    if given.count or kept.count:
        yield Copied("events", "", given, kept, added=added, note=note)


def _all(store: DataStore, scope: Scope) -> Iterator[Event]:
    """Return the events of a store, read at once if it cannot stream them."""
    is_streamed = isinstance(store, Transfer)
    return iter(scope.events(store.iter_events() if is_streamed else store.read_events(*EVER)))  # type: ignore[attr-defined]  # a Transfer


def _encoded(events: Iterator[Event]) -> Iterator[_Kept]:
    return (_Kept(event, canonical(event)) for event in events)


def _write(store: DataStore, events: list[Event]) -> None:
    if isinstance(store, Bulk):
        return store.write_events(events)
    for event in events:
        store.write_event(event)
    return None
