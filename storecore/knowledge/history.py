"""Answers about the history of a store, composed of its collections' versions (law K1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from storecore.bars.rows import BarColumns, price_bars
from storecore.knowledge.versions import (
    BarVersion,
    Correction,
    EventVersion,
    FundamentalVersion,
    Kind,
    Version,
    Versions,
    columns_of,
    moment,
)
from storecore.models import Event, FundamentalData, PriceBar
from storecore.values.times import EVER, exact_instant, to_datetime

if TYPE_CHECKING:
    from storecore.store.collections import BarCollection, EventCollection, FundamentalCollection

_Value = TypeVar("_Value")
_Shown = TypeVar("_Shown", BarVersion, FundamentalVersion, EventVersion)


def bars_with_instants(symbol: str, versions: Versions, aware: bool) -> list[Version[PriceBar]]:
    """Return the versions of the bars of a series as objects."""
    bars = price_bars(symbol, columns_of(versions.bars), aware)
    return list(zip(bars, versions.recorded, versions.replaced, strict=True))


def shown(
    kind: Callable[[_Value, Any, Any], _Shown], versions: Iterable[Version[_Value]], at: int | None
) -> list[_Shown]:
    """Return versions as values of the API; with `at`, only those held at that instant.

    Then what replaced them later does not show, so that the answer stays the same (law K3).
    """
    found = [kind(value, moment(began), moment(ended)) for value, began, ended in versions]
    if at is None:
        return found
    now = to_datetime(at, aware=True)
    return [
        replace(each, replaced_at=None)
        for each in found
        if (each.recorded_at is None or each.recorded_at <= now)
        and (each.replaced_at is None or each.replaced_at > now)
    ]


def all_corrections(
    bars: BarCollection,
    fundamentals: FundamentalCollection,
    events: EventCollection,
    since: int,
    symbol: str | None,
) -> list[Correction]:
    """Return what was replaced or removed at or after an instant, by time of recording.

    At one instant, bars are before fundamentals and these before events, each by symbol, timeframe
    and timestamp.
    """
    found = [
        *_bar_corrections(bars, since, symbol),
        *_filing_corrections(fundamentals, since, symbol),
        *_event_corrections(events, since, symbol),
    ]
    return sorted(found, key=attrgetter("recorded_at"))


def _bar_corrections(bars: BarCollection, since: int, only: str | None) -> Iterator[Correction]:
    for symbol, timeframe, span in sorted(
        bars.corrected(since), key=lambda each: (*each[:2], each[2].first)
    ):
        if only in (None, symbol):
            versions = bars.versions(symbol, timeframe, span._replace(aware=True, newest=None))
            objects = bars_with_instants(symbol, _replaced_since(versions, since), aware=True)
            yield from _corrections("bars", symbol, timeframe, objects, since)


def _replaced_since(versions: Versions, since: int) -> Versions:
    """Return those that were replaced since an instant, each with the version after it.

    A table may have many others, of which no objects are made then.
    """
    bars, recorded, replaced = versions
    if isinstance(bars, BarColumns):
        return versions
    from storecore.bars.table import taken

    ended = {row for row, end in enumerate(replaced) if end is not None and end >= since}
    rows = [row for row in range(len(replaced)) if row in ended or row - 1 in ended]
    return Versions(
        taken(bars, rows), [recorded[row] for row in rows], [replaced[row] for row in rows]
    )


def _filing_corrections(
    fundamentals: FundamentalCollection, since: int, only: str | None
) -> Iterator[Correction]:
    for symbol in sorted(fundamentals.corrected(since)):
        if only in (None, symbol):
            versions = fundamentals.versions_of(symbol, EVER)
            yield from _corrections("fundamentals", symbol, None, versions, since)


def _event_corrections(
    events: EventCollection, since: int, only: str | None
) -> Iterator[Correction]:
    past = sorted(events.past(since), key=lambda each: each[0].timestamp)
    for event, _, replaced in past:
        if only in (None, event.symbol) and replaced is not None:
            at, removed = event.timestamp, to_datetime(replaced, aware=True)
            yield Correction("events", event.symbol, None, at, removed, event, None)


def _corrections(
    kind: Kind,
    symbol: str,
    timeframe: str | None,
    versions: Sequence[Version[Any]],
    since: int,
) -> Iterator[Correction]:
    """Yield the corrections among the versions of one series of bars, or of fundamentals."""
    keyed = [(_key(value), value, began, ended) for value, began, ended in versions]
    following = {(key, began): value for key, value, began, _ in keyed}
    for key, value, _, ended in keyed:
        if ended is not None and ended >= since:
            at, recorded_at = to_datetime(key, aware=True), to_datetime(ended, aware=True)
            after = following.get((key, ended))
            yield Correction(kind, symbol, timeframe, at, recorded_at, value, after)


def _key(value: PriceBar | FundamentalData | Event) -> int:
    """Return the instant that identifies a bar in its series, or a fundamental of a symbol."""
    return exact_instant(value.date if isinstance(value, PriceBar) else value.timestamp, "date")
