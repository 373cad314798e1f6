"""Fundamentals, events, states and audit records of an export, one JSON object each.

They are read as a stream if the store can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from storecore.cli.names import matcher
from storecore.events import encode_event
from storecore.fundamentals import encode_fundamental
from storecore.models import Event, FundamentalData
from storecore.protocols import AuditTrail, Catalog, DataStore, Transfer, VersionedState
from storecore.store.questions import all_strategies, read_events
from storecore.values.times import exact_instant, instant

Bounds = tuple[datetime, datetime]
_DECISIONS, _ORDERS = "decisions", "orders"


def records_of(
    store: DataStore, kind: str, names: Sequence[str], bounds: Bounds
) -> Iterator[msgspec.Raw]:
    """Yield the records of a kind with these names (all if there are none) as JSON."""
    return _KINDS[kind](store, names, bounds)


def _events(store: DataStore, names: Sequence[str], bounds: Bounds) -> Iterator[msgspec.Raw]:
    is_named, (first, last) = matcher(names), bounds
    found: Any = store.iter_events() if isinstance(store, Transfer) else read_events(store, *bounds)
    event: Event
    for event in found:
        if first <= event.timestamp <= last and is_named(event.symbol):
            yield msgspec.Raw(encode_event(event))


def _fundamentals(store: DataStore, names: Sequence[str], bounds: Bounds) -> Iterator[msgspec.Raw]:
    is_named = matcher(names)
    first, last = (instant(bound, "bound") for bound in bounds)
    for data in _all_fundamentals(store):
        at = exact_instant(data.timestamp, "timestamp")
        if first <= at <= last and is_named(data.symbol):
            yield msgspec.Raw(encode_fundamental(data))


def _all_fundamentals(store: DataStore) -> Iterator[FundamentalData]:
    if not isinstance(store, Transfer):
        raise click.ClickException(
            "this store cannot list its fundamentals: it lacks the capability Transfer"
        )
    return store.iter_fundamentals()


def _states(store: DataStore, names: Sequence[str], bounds: Bounds) -> Iterator[msgspec.Raw]:
    if not isinstance(store, Catalog):
        raise click.ClickException(
            "this store cannot list its states: it lacks the capability Catalog"
        )
    for name in filter(matcher(names), all_strategies(store)):
        yield msgspec.Raw(msgspec.json.encode({"strategy": name, **_state(store, name)}))


def _state(store: DataStore, name: str) -> dict[str, Any]:
    if not isinstance(store, VersionedState):
        return {"state": store.load_strategy_state(name)}
    found = store.load_versioned_state(name)
    saved = {} if found.saved_at is None else {"saved_at": found.saved_at}
    return {"version": found.version, **saved, "state": found.state}


def _log(name: str) -> Callable[..., Iterator[msgspec.Raw]]:
    def records(store: DataStore, names: Sequence[str], bounds: Bounds) -> Iterator[msgspec.Raw]:
        is_named, (first, last) = matcher(names), bounds
        for line in _lines(store, name):
            about = msgspec.json.decode(line, type=_About)
            if is_named(about.strategy) and first <= about.timestamp <= last:
                yield msgspec.Raw(line.rstrip(b"\n"))

    return records


class _About(msgspec.Struct):
    """The fields of a record of a log by which it is selected."""

    strategy: str
    timestamp: datetime


def _lines(store: DataStore, name: str) -> Iterator[bytes]:
    if isinstance(store, Transfer):
        yield from (each.line for each in store.iter_audit(name))
        return
    if not isinstance(store, AuditTrail):
        raise click.ClickException(
            f"this store cannot read its {name} back: it lacks the capability AuditTrail"
        )
    read = store.read_decisions if name == _DECISIONS else store.read_orders
    first, last = (each.replace(tzinfo=UTC) for each in (datetime.min, datetime.max))
    for record in read(first, last, run="*"):
        yield msgspec.json.encode(record)


_KINDS: dict[str, Callable[..., Iterator[msgspec.Raw]]] = {
    "fundamentals": _fundamentals,
    "events": _events,
    "states": _states,
    _DECISIONS: _log(_DECISIONS),
    _ORDERS: _log(_ORDERS),
}
KINDS = ("bars", *_KINDS)
