"""What a catalog listed at a time: series, fundamentals and events that were known by then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from storecore.knowledge.lengths import last_ended
from storecore.reports import Coverage, SeriesCoverage
from storecore.store.questions import read_events
from storecore.store.tables import read_bar_table
from storecore.store.wrapper import method_of
from storecore.values.names import check_name
from storecore.values.suggestions import nearest as most_alike
from storecore.values.times import exact_instant, to_datetime


class Known(NamedTuple):
    """A store, the instant up to which something may be known, and lengths of timeframes."""

    store: Any
    at: int
    lengths: Mapping[str, int]

    def ended(self, timeframe: str) -> int:
        """Return the last date of a bar that had ended."""
        return last_ended(timeframe, self.at, self.lengths)


def symbols(known: Known, timeframe: str | None = None) -> list[str]:
    """Return the symbols of which a bar had ended."""
    asked = None if timeframe is None else check_name(timeframe, "timeframe")
    return sorted({each.symbol for each in _begun(known, timeframe=asked)})


def timeframes(known: Known, symbol: str) -> list[str]:
    """Return the timeframes in which a bar of a symbol had ended."""
    asked = check_name(symbol, "symbol")
    return [each.timeframe for each in _begun(known, symbol=asked)]


def bar_coverage(known: Known, symbol: str, *, timeframe: str = "1d") -> Coverage:
    """Return the extent of the bars of a series that had ended."""
    whole: Coverage = known.store.bar_coverage(symbol, timeframe=timeframe)
    return _covered(known, symbol, timeframe, whole)


def inventory(known: Known) -> list[SeriesCoverage]:
    """Return each series of which a bar had ended, and its extent by then."""
    return [
        replace(each, last=found.last, count=found.count)
        for each in _begun(known)
        for found in [_covered(known, each.symbol, each.timeframe, each)]
        if found.last is not None
    ]


def nearest(known: Known, symbol: str) -> list[str]:
    """Return the symbols of which a bar had ended, the one spelled most like a symbol first."""
    return most_alike(check_name(symbol, "symbol"), symbols(known))


def fundamental_symbols(known: Known) -> list[str]:
    """Return the symbols that had fundamentals."""
    limit = to_datetime(known.at, aware=True)
    listed = method_of(known.store, "fundamental_symbols")()
    return [each for each in listed if known.store.read_fundamental(each, limit) is not None]


def event_symbols(known: Known) -> list[str]:
    """Return the symbols that had events."""
    found = read_events(known.store, ingested_by=to_datetime(known.at, aware=True))
    return sorted({each.symbol for each in found if each.symbol is not None})


def _begun(
    known: Known, *, symbol: str | None = None, timeframe: str | None = None
) -> Iterator[SeriesCoverage]:
    """Yield each series whose first bar had ended, with its extent today.

    A timeframe without a length matters only if a bar of it has begun.
    """
    for each in method_of(known.store, "inventory")():
        if symbol not in (None, each.symbol) or timeframe not in (None, each.timeframe):
            continue
        first = exact_instant(each.first, "first")
        if first <= known.at and first <= known.ended(each.timeframe):
            yield each


def _covered(
    known: Known, symbol: str, timeframe: str, whole: Coverage | SeriesCoverage
) -> Coverage:
    """Return the part of an extent whose bars had ended."""
    if whole.first is None or whole.last is None or exact_instant(whole.first, "first") > known.at:
        return Coverage(None, None, 0)
    until = known.ended(timeframe)
    if exact_instant(whole.last, "last") <= until:
        return Coverage(whole.first, whole.last, whole.count)
    if exact_instant(whole.first, "first") > until:
        return Coverage(None, None, 0)
    span = whole.first, to_datetime(until, aware=True)
    dates = read_bar_table(known.store, symbol, *span, timeframe=timeframe, columns=["date"])
    if not len(dates):  # deleted meanwhile
        return Coverage(None, None, 0)
    return Coverage(dates["date"][0].as_py(), dates["date"][-1].as_py(), len(dates))
