"""The methods of a store about events: they check arguments and call the collection of events.

They need no other collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from storecore.events import (
    EventQuery,
    checked_event,
    checked_events,
    event_symbols,
    event_types,
    naive_event,
)
from storecore.models import Event
from storecore.store.collections import EventCollection
from storecore.store.methods import Methods, offered
from storecore.values.times import Bound, bounded_range, latest_instant, time_range


class EventMethods(Methods):
    """The methods of a store about its events."""

    _events: EventCollection

    def write_event(self, event: Event) -> None:
        """Append an event. Identical events are all kept."""
        self._check_open()
        self._events.write([checked_event(event)])

    def read_events(
        self,
        start: Bound = None,
        end: Bound = None,
        types: Iterable[str] | None = None,
        *,
        symbols: str | Iterable[str | None] | None = None,
        ingested_by: datetime | str | None = None,
    ) -> list[Event]:
        """Return the events of these types (None: all) by timestamp, then by order of writing.

        With `symbols`, return only events of these; None among them is for system events. With
        `ingested_by`, leave out events whose `ingested_at` is later.
        """
        self._check_open()
        span, kinds = time_range(start, end), event_types(types)
        if symbols is None and ingested_by is None:
            return self._events.read(span, kinds)
        limit = None if ingested_by is None else latest_instant(ingested_by, "ingested_by")
        return self._events.find(EventQuery(span, kinds, event_symbols(symbols), limit))

    @offered()
    def write_events(self, events: Iterable[Event]) -> None:
        """Append events in the order given. Identical events are all kept."""
        self._check_open()
        batch = checked_events(events)
        if batch:
            self._events.write(batch)

    @offered("events.delete")
    def delete_events(
        self,
        start: date | str,
        end: date | str,
        types: Iterable[str] | None = None,
        symbols: str | Iterable[str | None] | None = None,
    ) -> int:
        """Remove the events of a range, of these types and symbols (None: all).

        Return their number.
        """
        self._check_open()
        span = bounded_range(start, end)
        return self._events.delete(EventQuery(span, event_types(types), event_symbols(symbols)))

    @offered("events.all")
    def event_symbols(self) -> list[str]:
        """Return the symbols that have events, sorted."""
        self._check_open()
        return sorted(self._events.symbols())

    @offered("events.all")
    def iter_events(self, start: Bound = None, end: Bound = None) -> Iterator[Event]:
        """Yield the events of a range by timestamp, then by order of writing.

        Their times are aware or naive as the bounds are (law T2), without any in aware UTC.
        """
        self._check_open()
        if start is None and end is None:
            return self._while_open(self._events.all())
        span = time_range(start, end)
        found = self._events.stream(span)
        return self._while_open(found if span.aware else map(naive_event, found))
