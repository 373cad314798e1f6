"""What a catalog listed at a time: series, fundamentals and events that were known by then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from storecore.knowledge.known import Known
from storecore.knowledge.lengths import begun_by
from storecore.models import PriceBar
from storecore.reports import Coverage, SeriesCoverage
from storecore.store.tables import read_bar_table
from storecore.store.wrapper import method_of
from storecore.values.names import check_name
from storecore.values.suggestions import nearest as most_alike
from storecore.values.times import EVER, exact_instant, to_datetime

_NOTHING = Coverage(None, None, 0)
_ANY = "any"


def symbols(known: Known, timeframe: str | None = None) -> list[str]:
    """Return the symbols of which a bar was known."""
    asked = None if timeframe is None else check_name(timeframe, "timeframe")
    return sorted({each.symbol for each in _series(known, timeframe=asked)})


def timeframes(known: Known, symbol: str) -> list[str]:
    """Return the timeframes in which a bar of a symbol was known."""
    asked = check_name(symbol, "symbol")
    return [each.timeframe for each in _series(known, symbol=asked)]


def bar_coverage(known: Known, symbol: str, *, timeframe: str = "1d") -> Coverage:
    """Return the extent of the bars of a series that were known."""
    whole: Coverage = known.store.bar_coverage(symbol, timeframe=timeframe)
    return _extent(known, symbol, timeframe, whole)


def inventory(known: Known) -> list[SeriesCoverage]:
    """Return each series of which a bar was known, and its extent by then."""
    found = ((each, _extent(known, *each)) for each in _series(known))
    return [
        SeriesCoverage(each.symbol, each.timeframe, extent.first, extent.last, extent.count)
        for each, extent in found
        if extent.first is not None and extent.last is not None  # not deleted meanwhile
    ]


def nearest(known: Known, symbol: str) -> list[str]:
    """Return the symbols of which a bar was known, the one spelled most like a symbol first."""
    return most_alike(check_name(symbol, "symbol"), symbols(known))


def fundamental_symbols(known: Known) -> list[str]:
    """Return the symbols of which a fundamental was known."""
    listed = {*method_of(known.store, "fundamental_symbols")(), *_removed(known, "fundamentals")}
    _check_kept(known, "fundamental_versions")
    return [each for each in sorted(listed) if known.fundamental(each, known.at)]


def event_symbols(known: Known) -> list[str]:
    """Return the symbols of which an event was known."""
    return sorted({each.symbol for each in known.events() if each.symbol is not None})


class _Series(NamedTuple):
    """A series, and its extent today; empty if it has no bars any more."""

    symbol: str
    timeframe: str
    whole: Coverage


def _series(
    known: Known, *, symbol: str | None = None, timeframe: str | None = None
) -> Iterator[_Series]:
    """Yield each series of which a bar was known, sorted."""
    listed = method_of(known.store, "inventory")()
    series = {
        (each.symbol, each.timeframe): Coverage(each.first, each.last, each.count)
        for each in listed
        if symbol in (None, each.symbol) and timeframe in (None, each.timeframe)
    }
    if not known.is_present():
        removed = _removed_series(known, symbol, timeframe)
        series = dict.fromkeys(removed, _NOTHING) | series
        _check_kept(known, "bar_versions")
    for key, whole in sorted(series.items()):
        if _is_known(known, *key, whole):
            yield _Series(*key, whole)


def _is_known(known: Known, symbol: str, timeframe: str, whole: Coverage) -> bool:
    """Return whether a bar of a series was known.

    A timeframe without a length matters only if a bar of it may have begun.
    """
    if known.recorded is None and whole.first is not None:
        first = exact_instant(whole.first, "first")
        if first <= known.at and first <= known.ended(timeframe):
            return True
        if known.is_present() or first > begun_by(timeframe, known.at, known.lengths):
            return False
    return bool(_known_bars(known, symbol, timeframe))


def _known_bars(known: Known, symbol: str, timeframe: str) -> list[PriceBar]:
    """Return the bars of a recording, or those that were still forming."""
    if known.recorded is None:
        return known.forming(symbol, EVER, timeframe)
    return known.bars(symbol, EVER, timeframe)


def _extent(known: Known, symbol: str, timeframe: str, whole: Coverage) -> Coverage:
    """Return the extent of the bars of a series that were known, given that of today."""
    ended = _NOTHING if known.recorded is not None else _ended(known, symbol, timeframe, whole)
    more = [] if known.is_present() else _known_bars(known, symbol, timeframe)
    if not more:
        return ended
    return Coverage(ended.first or more[0].date, more[-1].date, ended.count + len(more))


def _removed_series(
    known: Known, symbol: str | None, timeframe: str | None
) -> set[tuple[str, str]]:
    """Return the series of which something was replaced or removed since."""
    found = known.store.corrections(to_datetime(known.limit, aware=True), symbol=symbol)
    return {
        (each.symbol, each.timeframe)
        for each in found
        if each.kind == "bars" and timeframe in (None, each.timeframe)
    }


def _removed(known: Known, kind: str) -> set[str]:
    """Return the symbols of which something was replaced or removed since `recorded`."""
    if known.recorded is None:
        return set()
    found = known.store.corrections(to_datetime(known.recorded, aware=True))
    return {each.symbol for each in found if each.kind == kind}


def _check_kept(known: Known, versions: str) -> None:
    """Raise `HistoryPruned` if `recorded` was pruned: what is gone since may have gone whole.

    Any name will do: a pruned moment is refused for all of them (law K3).
    """
    if known.recorded is not None:
        moment = to_datetime(known.recorded, aware=True)
        getattr(known.store, versions)(_ANY, moment, moment, recorded=moment)


def _ended(known: Known, symbol: str, timeframe: str, whole: Coverage) -> Coverage:
    """Return the part of an extent of today whose bars had ended."""
    if whole.first is None or whole.last is None or exact_instant(whole.first, "first") > known.at:
        return _NOTHING
    until = known.ended(timeframe)
    if exact_instant(whole.last, "last") <= until:
        return whole
    if exact_instant(whole.first, "first") > until:
        return _NOTHING
    span = whole.first, to_datetime(until, aware=True)
    table = read_bar_table(known.store, symbol, *span, timeframe=timeframe, columns=["date"])
    dates = table["date"]
    if not len(dates):  # deleted meanwhile
        return _NOTHING
    return Coverage(dates[0].as_py(), dates[-1].as_py(), len(dates))
