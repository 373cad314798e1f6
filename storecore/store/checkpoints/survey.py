"""Digests of the data of a store: of all data, or within the bounds of an earlier survey."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from storecore.audit.records import end_of
from storecore.errors import CorruptData
from storecore.models import Event, FundamentalData
from storecore.protocols import Catalog, DataStore, Transfer, VersionedState
from storecore.reports.checkpoint import EventDay, Filings, LogEnd, SavedState, Series
from storecore.store.digests import (
    EVER,
    BarDigest,
    Digest,
    Tally,
    bounds_of,
    canonical,
    canonical_filing,
    moment_of,
    pieces_of,
    tally,
)

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 32  # of a SHA-256: 128 bits, so that a document stays small
Bounds = tuple[datetime, datetime]
Written = Callable[[str, str], int]
"""Returns, by symbol and timeframe, the counter of writes to a series (0: unknown)."""

_Extent = tuple[int, datetime, datetime, str, tuple[int, ...]]


class Surveyed(VersionedState, DataStore, Catalog, Transfer, Protocol):
    """A store that can list and stream all its data."""


def all_series(store: Surveyed, written: Written) -> Iterator[Series]:
    """Yield every series of bars."""
    for symbol in store.symbols():
        for timeframe in store.timeframes(symbol):
            number = written(
                symbol, timeframe
            )  # read first: a write during the reading counts as a later one
            found = series_of(store, symbol, timeframe)
            if found is not None:  # otherwise it was deleted meanwhile
                yield replace(found, written=number)


def series_of(
    store: DataStore, symbol: str, timeframe: str, bounds: Bounds = EVER
) -> Series | None:
    """Return one series within bounds, None if it has no bars there."""
    digest, years, ends = BarDigest(), Counter[int](), list[datetime]()
    for piece in pieces_of(store, symbol, timeframe, bounds):
        digest.add(piece)
        years.update(_years_of(piece))
        ends = [*ends[:1], *bounds_of(piece)]
    if not ends:
        return None
    return Series(symbol, timeframe, *_extent(digest.tally(), ends[0], ends[-1], years))


def all_filings(
    fundamentals: Iterable[FundamentalData], within: Mapping[str, Bounds]
) -> Iterator[Filings]:
    """Yield the fundamentals of each symbol, given all of them by symbol, then by timestamp."""
    for symbol, group in groupby(fundamentals, key=attrgetter("symbol")):
        first, last = within.get(symbol, EVER)
        found = filings_of(symbol, (each for each in group if first <= moment_of(each) <= last))
        if found is not None:
            yield found


def filings_of(symbol: str, fundamentals: Iterable[FundamentalData]) -> Filings | None:
    """Return the fundamentals of one symbol, None if there are none."""
    digest, moments = Digest(), list[datetime]()
    for each in fundamentals:
        digest.add(canonical_filing(each))
        moments.append(moment_of(each))
    if not moments:
        return None
    years = Counter(moment.year for moment in moments)
    return Filings(symbol, *_extent(digest.tally(), moments[0], moments[-1], years))


def all_days(events: Iterable[Event], within: Mapping[date, datetime]) -> Iterator[EventDay]:
    """Yield the days of events, given in their order with times in aware UTC.

    For a day in `within`, only events that had been ingested by then are counted.
    """
    for day, group in groupby(events, key=lambda event: event.timestamp.date()):
        limit = within.get(day, EVER[1])
        found = day_of(day, (event for event in group if event.ingested_at <= limit))
        if found is not None:
            yield found


def day_of(day: date, events: Iterable[Event]) -> EventDay | None:
    """Return the events of one day, None if there are none."""
    digest, newest = Digest(), EVER[0]
    for event in events:
        digest.add(canonical(event))
        newest = max(newest, event.ingested_at)
    count, checksum = _parts(digest.tally())
    return EventDay(day, count, newest, checksum) if count else None


def state_of(store: VersionedState, strategy: str) -> SavedState | None:
    """Return the state of a strategy, None if it was never saved."""
    loaded = store.load_versioned_state(strategy)
    if not loaded.version:
        return None
    return SavedState(strategy, loaded.version, tally([canonical(loaded.state)]).checksum[:DIGITS])


def end_of_log(store: Transfer, log: str) -> LogEnd | None:
    """Return the last record of an audit log, None if it has none."""
    for last in deque(store.iter_audit(log), maxlen=1):
        return _end(log, last.line)
    return None


def record_of(store: Transfer, log: str, seq: int) -> LogEnd | None:
    """Return one record of an audit log, None if it is missing."""
    found = next(iter(store.iter_audit(log, seq - 1)), None)
    return None if found is None else _end(log, found.line)


def _end(log: str, line: bytes) -> LogEnd:
    try:
        return LogEnd(log, *end_of(line))
    except ValueError as error:
        raise CorruptData(f"log of {log}: {error}") from error


def _extent(found: Tally, first: datetime, last: datetime, years: Mapping[int, int]) -> _Extent:
    count, checksum = _parts(found)
    by_year = tuple(years.get(year, 0) for year in range(first.year, last.year + 1))
    return count, first, last, checksum, by_year


def _parts(found: Tally) -> tuple[int, str]:
    return found.count, found.checksum[:DIGITS]


def _years_of(piece: pa.Table) -> dict[int, int]:
    """Return the number of bars in each year."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from storecore.bars.table import NAIVE

    counts: Any = pc.value_counts(pc.year(piece["date"].cast(pa.int64()).cast(NAIVE)))
    return {each["values"]: each["counts"] for each in counts.to_pylist()}
