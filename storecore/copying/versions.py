"""The versions of one item, as a copy reads, compares, restores and digests them.

An item is a series of bars, the fundamentals of a symbol, or all events. It is copied in pieces,
and knows what the target lacks of a piece. `storecore.copying.history` decides what is copied.
Of bars that were never replaced no object is made: they are read, compared and restored in columns,
20 times as fast, if both stores are `Store` and offer it (`unreplaced_bars`, `restore_unreplaced`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple, cast

from storecore.copying.report import Progress
from storecore.knowledge.restoring import AnyVersion, are_restorable
from storecore.knowledge.versions import (
    BarVersion,
    EventVersion,
    FundamentalVersion,
    Recording,
    Unreplaced,
)
from storecore.protocols import Catalog, Transfer
from storecore.store.digests import (
    EVER,
    BarDigest,
    Digest,
    bounds_of,
    canonical,
    canonical_filing,
    content_of,
)
from storecore.store.tables import iter_bar_tables
from storecore.values.times import TimeRange, exact_instant, time_range

Bounds = tuple[datetime, datetime]
_STEP = timedelta(microseconds=1)
_BARS, _EVENTS = 250_000, 10_000  # at once
_OWN = "the target has versions that the source has not; copy into an empty store"


class PresentOnly(Exception):
    """The history cannot be copied; the text is the reason, empty if it needs none."""


class Side:
    """The tallies of one side of an item: what is held, and what was replaced or deleted."""

    def __init__(self, held: Digest | BarDigest) -> None:
        self.held, self.past = held, Digest()

    def add_bars(self, bars: Unreplaced) -> None:
        """Add bars in columns to what is held."""
        if len(bars.bars):
            cast(BarDigest, self.held).add(bars.bars)


class Item(ABC):
    """The versions of a series, of a symbol's fundamentals, or of all events."""

    kind = ""
    key = ""
    timeframe = ""

    def side(self) -> Side:
        """Return the tallies of one side."""
        return Side(Digest())

    def pieces(self, store: Any) -> Iterable[Bounds]:
        """Return ranges that follow each other and together contain all of time."""
        return [EVER]

    @abstractmethod
    def versions(self, store: Any, bounds: Bounds) -> Sequence[AnyVersion]:
        """Return the versions of a range, by their time, then by recording."""

    @abstractmethod
    def content(self, version: Any) -> bytes:
        """Return the value of a version, with its time, as bytes."""

    def unreplaced(
        self, source: Any, target: Any, bounds: Bounds, until: datetime
    ) -> UnreplacedRange | None:
        """Return the sides of a range that has no replaced versions, None if it is not known."""
        return None

    def restore(self, store: Any, versions: Sequence[AnyVersion]) -> None:
        """Write versions into the target."""
        store.restore_versions(versions)

    def missing(self, given: Sequence[AnyVersion], kept: Sequence[AnyVersion]) -> list[AnyVersion]:
        """Return the versions that the target lacks, or whose end it lacks.

        Raises `PresentOnly` if the target has others.
        """
        if not kept:  # as in an empty target: spares a look at each
            return list(given)
        held = {self._key(each): each for each in kept}
        found = []
        for each in given:
            own = held.pop(self._key(each), None)
            if own is None or own.replaced_at is None is not each.replaced_at:
                found.append(each)
            elif own.replaced_at != each.replaced_at:
                raise PresentOnly(_OWN)
        if held:
            raise PresentOnly(_OWN)
        return found

    def _key(self, version: Any) -> tuple[datetime | None, bytes]:
        return version.recorded_at, self.content(version)

    def tell(self, progress: Progress, versions: Sequence[Any]) -> None:
        """Report the progress by what is held."""
        if versions:
            progress(self.kind, self.key, len(versions))

    def add(self, side: Side, versions: Sequence[Any]) -> None:
        """Add versions to the tallies of one side."""
        self._add_held(side, [each for each in versions if each.replaced_at is None])
        for each in versions:
            if each.replaced_at is not None:
                began = each.recorded_at and each.recorded_at.isoformat()
                ended = f"{began} {each.replaced_at.isoformat()} ".encode()
                side.past.add(ended + self.content(each))

    def _add_held(self, side: Any, versions: Sequence[Any]) -> None:
        """Add what is held to the tally of one side."""
        for each in versions:
            side.held.add(self.content(each))


class _Bars(Item):
    kind = "bars"

    def __init__(self, symbol: str, timeframe: str) -> None:
        self.key, self.timeframe = symbol, timeframe

    def side(self) -> Side:
        return Side(BarDigest())

    def pieces(self, store: Any) -> Iterable[Bounds]:
        is_short = (
            isinstance(store, Catalog)
            and store.bar_coverage(self.key, timeframe=self.timeframe).count <= _BARS
        )
        return [EVER] if is_short else self._pieces(store)

    def _pieces(self, store: Any) -> Iterator[Bounds]:
        first, end = EVER
        for table in iter_bar_tables(store, self.key, *EVER, timeframe=self.timeframe):
            last = bounds_of(table)[1]
            if last < end:
                yield first, last
                first = last + _STEP
        yield first, end

    def versions(self, store: Any, bounds: Bounds) -> Sequence[BarVersion]:
        found: list[BarVersion] = store.bar_versions(self.key, *bounds, timeframe=self.timeframe)
        return found

    def unreplaced(
        self, source: Any, target: Any, bounds: Bounds, until: datetime
    ) -> UnreplacedRange | None:
        span = time_range(*bounds)
        given, kept = self.unreplaced_of(source, span), self.unreplaced_of(target, span)
        if given is None or kept is None:
            return None
        return UnreplacedRange(self, span, _recorded_by(given, until), kept)

    def unreplaced_of(self, store: Any, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a store, None if some were replaced or it is not known."""
        ask = getattr(store, "unreplaced_bars", None)  # a store that is no `Store` may lack it
        found: Unreplaced | None = ask(self.key, span, self.timeframe) if ask else None
        return found

    def content(self, version: BarVersion) -> bytes:
        return canonical(version.bar)

    def restore(self, store: Any, versions: Sequence[AnyVersion]) -> None:
        store.restore_versions(versions, timeframe=self.timeframe)

    def _add_held(self, side: Any, versions: Sequence[Any]) -> None:
        from storecore.bars.rows import bar_columns
        from storecore.bars.table import series_table

        if versions:
            bars = [each.bar for each in versions]
            side.held.add(series_table(bar_columns(self.key, bars, extra=True)))


class _Filings(Item):
    kind = "fundamentals"

    def __init__(self, symbol: str) -> None:
        self.key = symbol

    def versions(self, store: Any, bounds: Bounds) -> Sequence[FundamentalVersion]:
        found: list[FundamentalVersion] = store.fundamental_versions(self.key, *bounds)
        return found

    def content(self, version: FundamentalVersion) -> bytes:
        return canonical_filing(version.data)


class _Events(Item):
    kind = "events"

    def pieces(self, store: Any) -> Iterator[Bounds]:
        first, end = EVER
        events = store.iter_events() if isinstance(store, Transfer) else ()
        for number, event in enumerate(events, 1):
            if number % _EVENTS == 0 and first <= event.timestamp < end:
                yield first, event.timestamp
                first = event.timestamp + _STEP
        yield first, end

    def versions(self, store: Any, bounds: Bounds) -> Sequence[EventVersion]:
        found: list[EventVersion] = store.event_versions(*bounds)
        return found

    def content(self, version: EventVersion) -> bytes:
        return canonical(version.event)

    def tell(self, progress: Progress, versions: Sequence[Any]) -> None:
        for each in versions:
            progress(self.kind, each.event.type, 1)

    def missing(self, given: Sequence[AnyVersion], kept: Sequence[AnyVersion]) -> list[AnyVersion]:
        """Return the events that the target lacks: the last ones of an instant."""
        held = {at: list(each) for at, each in groupby(kept, key=_time_of_event)}
        found = []
        for at, each in groupby(given, key=_time_of_event):
            whole, own = list(each), held.pop(at, [])
            if list(map(self._whole, own)) != list(map(self._whole, whole[: len(own)])):
                raise PresentOnly(_OWN)
            found += whole[len(own) :]
        if held:
            raise PresentOnly(_OWN)
        return found

    def _whole(self, version: Any) -> tuple[Any, ...]:
        return *self._key(version), version.replaced_at


class UnreplacedRange(NamedTuple):
    """Both sides of a range of bars without replaced versions, in columns: no object a bar."""

    item: _Bars
    span: TimeRange
    given: Unreplaced
    kept: Unreplaced

    def is_missing(self) -> bool:
        """Return whether the target lacks all."""
        return len(self.given.bars) > 0 == len(self.kept.bars)

    def is_same(self) -> bool:
        """Return whether both sides have the same versions."""
        return self.given.recorded.equals(self.kept.recorded) and content_of(
            self.given.bars
        ) == content_of(self.kept.bars)

    def may_be_copied(self, limit: int | None) -> bool:
        """Return whether the target certainly can become a copy here."""
        if self.is_missing():
            return are_restorable(self.given.recorded, limit)
        return self.is_same()

    def is_copied(self, target: Any) -> bool:
        """Copy what is missing; return False if it has to be done one by one."""
        if not self.is_missing():
            return self.is_same()
        return bool(target.restore_unreplaced(self.item.key, self.item.timeframe, self.given))

    def read_again(self, target: Any) -> Unreplaced | None:
        """Return what the target has now, None if some was replaced."""
        return self.item.unreplaced_of(target, self.span)


def _recorded_by(bars: Unreplaced, until: datetime) -> Unreplaced:
    """Return the bars that were recorded by a moment."""
    import pyarrow.compute as pc

    last = exact_instant(until, "until")
    if not len(bars.bars) or (pc.max(bars.recorded).as_py() or last) <= last:
        return bars
    known = pc.fill_null(pc.less_equal(bars.recorded, last), True)
    return Unreplaced(bars.bars.filter(known), bars.recorded.filter(known))


def _time_of_event(version: Any) -> int:
    return exact_instant(version.event.timestamp, "timestamp")


def items_of(given: Recording, kept: Recording) -> list[Item]:
    """Return what either side has versions of, in the order of reports."""
    series = sorted({*given.series, *kept.series})
    symbols = sorted({*given.symbols, *kept.symbols})
    return [*(_Bars(*each) for each in series), *map(_Filings, symbols), _Events()]
