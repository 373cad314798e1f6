"""The event laws: checks and codec of events, and the selection by time and type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from storecore.errors import InvalidData, shown
from storecore.models import Event
from storecore.values.batches import listed
from storecore.values.documents import checked, decode_document, encode_document, is_shallow
from storecore.values.names import check_name
from storecore.values.times import LATEST, TimeRange, exact_instant, to_datetime

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def checked_event(event: Event, what: str = "event") -> Event:
    """Return a copy of an event with plain values and its times in aware UTC.

    Raises `InvalidData` naming the field, `InvalidName` for its symbol, `NotSerializable` for its
    payload.
    """
    if not isinstance(event, Event):
        raise InvalidData(f"{what}: expected an Event, got {type(event).__name__}")
    if event.symbol is not None:
        check_name(event.symbol, f"{what}.symbol")
    timed = replace(
        event,
        timestamp=_utc(event.timestamp, f"{what}.timestamp"),
        ingested_at=_utc(event.ingested_at, f"{what}.ingested_at"),
    )
    try:
        encoded = encode_event(timed)
        if is_shallow(timed.payload, encoded) and (plain := decode_event(encoded)) == timed:
            return plain
    except (TypeError, ValueError, RecursionError):
        pass  # checked part by part below, to name the wrong one
    return _checked_by_part(timed, what)


def checked_events(events: Iterable[Event]) -> list[Event]:
    """Return a batch of checked events, in the order given. An error names the row."""
    batch = listed(events, "Event", "events")
    return [checked_event(event, f"events[{row}]") for row, event in enumerate(batch)]


class EventQuery(NamedTuple):
    """Which events a caller asks for; None for a filter is all.

    `symbols` may hold None, for system events. `ingested_by` is an instant: events with a later
    `ingested_at` are left out.
    """

    span: TimeRange
    types: frozenset[str] | None = None
    symbols: frozenset[str | None] | None = None
    ingested_by: int | None = None


def event_types(types: Iterable[str] | None) -> frozenset[str] | None:
    """Return the requested types as a set, None for all (law E2). Raises `InvalidData`."""
    if types is None:
        return None
    if isinstance(types, str):
        raise InvalidData(f"types={types!r}: expected a list of types; give [{types!r}]")
    given = list(types) if isinstance(types, Iterable) else [types]
    if not all(isinstance(kind, str) for kind in given):
        raise InvalidData(f"types={shown(types)}: expected a list of str, or None for all")
    return frozenset(given)


def event_symbols(
    symbols: str | Iterable[str | None] | None,
) -> frozenset[str | None] | None:
    """Return the requested symbols as a set, None for all; None within it is for system events.

    Raises `InvalidData` or `InvalidName`.
    """
    if symbols is None:
        return None
    given = [symbols] if isinstance(symbols, str) or not isinstance(symbols, Iterable) else symbols
    return frozenset(
        each if each is None else check_name(each, f"symbols[{row}]")
        for row, each in enumerate(given)
    )


def encode_event(event: Event) -> bytes:
    """Return a checked event as one JSON object."""
    return _ENCODER.encode(event)


def decode_event(encoded: bytes) -> Event:
    """Return the encoded event, its times in aware UTC. Raises `ValueError` for any other bytes."""
    return _DECODER.decode(encoded)


def select_events(
    events: Iterable[Event], span: TimeRange, types: frozenset[str] | None
) -> list[Event]:
    """Return the events of a range and of some types (None: all), sorted by timestamp.

    Events with equal timestamps stay in the order given (law E1). Their times are in aware UTC; the
    times of the result are aware or naive as the range is (law T2).
    """
    first, last = (to_datetime(at, aware=True) for at in span[:2])
    kept = [
        event
        for event in events
        if first <= event.timestamp <= last and (types is None or event.type in types)
    ]
    kept.sort(key=attrgetter("timestamp"))
    return kept if span.aware else [naive_event(event) for event in kept]


def between(events: Iterable[Event], span: TimeRange) -> Iterator[Event]:
    """Yield the events of a range, of events by timestamp, with times in aware UTC."""
    first, last = (to_datetime(at, aware=True) for at in span[:2])
    for event in events:
        if event.timestamp > last:
            return
        if event.timestamp >= first:
            yield event


def find_events(events: Iterable[Event], query: EventQuery) -> list[Event]:
    """Return the events, with times in aware UTC, that a query asks for.

    They are in the order of `select_events`, and their times are naive if the range is.
    """
    return select_events(filter(event_filter(query), events), query.span, query.types)


class Selectable(Protocol):
    """What of an event decides whether a query asks for it."""

    @property
    def type(self) -> str:
        """Return the type."""
        ...

    @property
    def symbol(self) -> str | None:
        """Return the symbol, None for a system event."""
        ...

    @property
    def timestamp(self) -> datetime:
        """Return when it happened."""
        ...

    @property
    def ingested_at(self) -> datetime:
        """Return when the system learned of it."""
        ...


def event_filter(query: EventQuery) -> Callable[[Selectable], bool]:
    """Return whether an event, with times in aware UTC, is one that a query asks for."""
    first, last = (to_datetime(at, aware=True) for at in query.span[:2])
    limit = LATEST if query.ingested_by is None else query.ingested_by
    known = to_datetime(limit, aware=True)

    def is_asked_for(event: Selectable) -> bool:
        return (
            first <= event.timestamp <= last
            and event.ingested_at <= known
            and (query.types is None or event.type in query.types)
            and (query.symbols is None or event.symbol in query.symbols)
        )

    return is_asked_for


def _checked_by_part(event: Event, what: str) -> Event:
    """Return an event with plain values, or raise an error that names the part that has none."""
    payload = decode_document(encode_document(event.payload, f"{what}.payload"))
    return replace(checked(replace(event, payload={}), Event, what), payload=payload)


def _utc(value: datetime, what: str) -> datetime:
    if type(value) is datetime and (value.tzinfo is None or value.tzinfo is UTC):
        return value.replace(tzinfo=UTC)
    return to_datetime(exact_instant(value, what), aware=True)


def naive_event(event: Event) -> Event:
    """Return an event, with times in aware UTC, with naive ones."""
    return replace(
        event,
        timestamp=event.timestamp.replace(tzinfo=None),
        ingested_at=event.ingested_at.replace(tzinfo=None),
    )
