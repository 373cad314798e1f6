"""Copies the versions of bars, fundamentals and events, with their instants, and snapshots.

The copy is as of one moment, that of the source's clock of recording when it begins: what the
source records meanwhile is left to the next copy. First the target's versions are compared: all of
them must be the source's, or only the present is copied (`PresentOnly`). Then each piece of a
series is restored, if the target lacks a part of it, and both sides are digested for the report.
Of bars that were never replaced no object is made: they are read, compared and restored in columns,
20 times as fast, if both stores are `Store` and offer it (`unreplaced_bars`, `restore_unreplaced`).
The target's clock, horizon and snapshots come last, unless the target has them already. So a killed
copy can be run again, and a copy to an equal target writes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple, cast

from msgspec.structs import replace

from storecore.copying.report import Copied, LeftOut, Progress
from storecore.copying.trial import Trial
from storecore.errors import CorruptData, HistoryPruned, InvalidData
from storecore.knowledge.clock import machine_now
from storecore.knowledge.restoring import AnyVersion, are_restorable, is_restorable, span_of
from storecore.knowledge.versions import (
    BarVersion,
    EventVersion,
    FundamentalVersion,
    Recording,
    Snapshot,
    Unreplaced,
)
from storecore.protocols import Catalog, DataStore, History, Transfer
from storecore.store.digests import (
    EVER,
    BarDigest,
    Digest,
    bounds_of,
    canonical,
    canonical_filing,
    content_of,
)
from storecore.store.questions import recording_began
from storecore.store.tables import iter_bar_tables
from storecore.values.times import EARLIEST, TimeRange, exact_instant, time_range, to_datetime

_STEP = timedelta(microseconds=1)
_BARS, _EVENTS = 250_000, 10_000  # at once
_Bounds = tuple[datetime, datetime]
_OWN = "the target has versions that the source has not; copy into an empty store"
_ASKED = (
    "the target was asked about a moment at which the source held more, and that answer must not "
    "change; copy into an empty store"
)


class PresentOnly(Exception):
    """The history cannot be copied; the text is the reason, empty if it needs none."""


class _Side:
    """The tallies of one side of an item: what is held, and what was replaced or deleted."""

    def __init__(self, held: Digest | BarDigest) -> None:
        self.held, self.past = held, Digest()


class _Item(ABC):
    """The versions of a series, of a symbol's fundamentals, or of all events."""

    kind = ""
    key = ""
    timeframe = ""

    def side(self) -> _Side:
        """Return the tallies of one side."""
        return _Side(Digest())

    def pieces(self, store: Any) -> Iterable[_Bounds]:
        """Return ranges that follow each other and together contain all of time."""
        return [EVER]

    @abstractmethod
    def versions(self, store: Any, bounds: _Bounds) -> Sequence[AnyVersion]:
        """Return the versions of a range, by their time, then by recording."""

    @abstractmethod
    def content(self, version: Any) -> bytes:
        """Return the value of a version, with its time, as bytes."""

    def unreplaced(self, copy: _Copy, bounds: _Bounds) -> _Unreplaced | None:
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

    def add_held(self, side: Any, versions: Sequence[Any]) -> None:
        """Add what is held to the tally of one side."""
        for each in versions:
            side.held.add(self.content(each))


class _Bars(_Item):
    kind = "bars"

    def __init__(self, symbol: str, timeframe: str) -> None:
        self.key, self.timeframe = symbol, timeframe

    def side(self) -> _Side:
        return _Side(BarDigest())

    def pieces(self, store: Any) -> Iterable[_Bounds]:
        is_short = (
            isinstance(store, Catalog)
            and store.bar_coverage(self.key, timeframe=self.timeframe).count <= _BARS
        )
        return [EVER] if is_short else self._pieces(store)

    def _pieces(self, store: Any) -> Iterator[_Bounds]:
        first, end = EVER
        for table in iter_bar_tables(store, self.key, *EVER, timeframe=self.timeframe):
            last = bounds_of(table)[1]
            if last < end:
                yield first, last
                first = last + _STEP
        yield first, end

    def versions(self, store: Any, bounds: _Bounds) -> Sequence[BarVersion]:
        found: list[BarVersion] = store.bar_versions(self.key, *bounds, timeframe=self.timeframe)
        return found

    def unreplaced(self, copy: _Copy, bounds: _Bounds) -> _Unreplaced | None:
        span = time_range(*bounds)
        given = self.unreplaced_of(copy.source, span)
        kept = self.unreplaced_of(copy.target, span)
        if given is None or kept is None:
            return None
        return _Unreplaced(self, span, _recorded_by(given, copy.until), kept)

    def unreplaced_of(self, store: Any, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a store, None if some were replaced or it is not known."""
        ask = getattr(store, "unreplaced_bars", None)  # a store that is no `Store` may lack it
        found: Unreplaced | None = ask(self.key, span, self.timeframe) if ask else None
        return found

    def content(self, version: BarVersion) -> bytes:
        return canonical(version.bar)

    def restore(self, store: Any, versions: Sequence[AnyVersion]) -> None:
        store.restore_versions(versions, timeframe=self.timeframe)

    def add_held(self, side: Any, versions: Sequence[Any]) -> None:
        from storecore.bars.rows import bar_columns
        from storecore.bars.table import series_table

        if versions:
            bars = [each.bar for each in versions]
            side.held.add(series_table(bar_columns(self.key, bars, extra=True)))


class _Filings(_Item):
    kind = "fundamentals"

    def __init__(self, symbol: str) -> None:
        self.key = symbol

    def versions(self, store: Any, bounds: _Bounds) -> Sequence[FundamentalVersion]:
        found: list[FundamentalVersion] = store.fundamental_versions(self.key, *bounds)
        return found

    def content(self, version: FundamentalVersion) -> bytes:
        return canonical_filing(version.data)


class _Events(_Item):
    kind = "events"

    def pieces(self, store: Any) -> Iterator[_Bounds]:
        first, end = EVER
        events = store.iter_events() if isinstance(store, Transfer) else ()
        for number, event in enumerate(events, 1):
            if number % _EVENTS == 0 and first <= event.timestamp < end:
                yield first, event.timestamp
                first = event.timestamp + _STEP
        yield first, end

    def versions(self, store: Any, bounds: _Bounds) -> Sequence[EventVersion]:
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


class _Unreplaced(NamedTuple):
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


class _Seen:
    """What a copy has found so far: whether the target lacked versions, and the last instant."""

    def __init__(self) -> None:
        self.is_changed = False
        self.last = datetime.min.replace(tzinfo=UTC)

    def see(self, instants: Iterable[datetime | None]) -> None:
        """Look at instants of versions of the source."""
        self.last = max([self.last, *(each for each in instants if each is not None)])

    def see_bars(self, bars: Unreplaced) -> None:
        """Look at the instants of bars in columns."""
        import pyarrow.compute as pc

        last = pc.max(bars.recorded).as_py()
        self.see([] if last is None else [to_datetime(last, aware=True)])


class _Copy(NamedTuple):
    """A copy of versions, as of the moment `until` of the source."""

    source: Any
    target: Any
    until: datetime
    given: Recording
    kept: Recording
    progress: Progress
    seen: _Seen

    def items(self) -> list[_Item]:
        """Return what either side has versions of, in the order of reports."""
        series = sorted({*self.given.series, *self.kept.series})
        symbols = sorted({*self.given.symbols, *self.kept.symbols})
        return [*(_Bars(*each) for each in series), *map(_Filings, symbols), _Events()]

    def sides(self, item: _Item, bounds: _Bounds) -> tuple[list[AnyVersion], list[AnyVersion]]:
        """Return the versions of both sides, as of the moment of the copy."""
        given = _held_by(item.versions(self.source, bounds), self.until)
        return self._unpruned(given), self._unpruned(item.versions(self.target, bounds))

    def _unpruned(self, versions: Iterable[AnyVersion]) -> list[AnyVersion]:
        """Return the versions that questions may show: those after both horizons."""
        both = (self.given.pruned_before, self.kept.pruned_before)
        pruned = max((each for each in both if each is not None), default=None)
        return [
            each
            for each in versions
            if pruned is None or each.replaced_at is None or each.replaced_at > pruned
        ]

    def check(self) -> None:
        """Raise `PresentOnly` if the target cannot become a copy."""
        if not self.kept.is_kept:
            raise PresentOnly("the target keeps no history (option `history`)")
        asked = self.kept.asked_at
        limit = None if asked is None else exact_instant(asked, "asked_at")
        for item in self.items():
            if limit is None and not self._may_hold(item):
                continue
            for bounds in item.pieces(self.source):
                quick = item.unreplaced(self, bounds)
                if quick is not None and quick.may_be_copied(limit):
                    continue
                missing = item.missing(*self.sides(item, bounds))
                if not all(is_restorable(span_of(each), limit) for each in missing):
                    raise PresentOnly(_ASKED)

    def _may_hold(self, item: _Item) -> bool:
        """Return whether the target may have versions of an item."""
        if item.kind == "bars":
            return (item.key, item.timeframe) in self.kept.series
        return item.kind == "events" or item.key in self.kept.symbols

    def copy(self, item: _Item) -> Iterator[Copied]:
        """Copy the versions of an item, and report on both sides."""
        source, target, added = item.side(), item.side(), 0
        for bounds in item.pieces(self.source):
            quick = item.unreplaced(self, bounds)
            if quick is None or not quick.is_copied(self.target):
                added += self._copy_versions(item, bounds, source, target)
                continue
            added += len(quick.given.bars) - len(quick.kept.bars)
            _add_bars(source, quick.given)
            self.seen.see_bars(quick.given)
            kept = quick.kept if quick.is_same() else quick.read_again(self.target)
            if kept is None:  # another writer has replaced some meanwhile
                _add(item, target, self._unpruned(item.versions(self.target, bounds)))
            else:
                _add_bars(target, kept)
            item.tell(self.progress, quick.given.recorded)
        self.seen.is_changed = self.seen.is_changed or added > 0
        yield from _report(item, source, target, added)

    def _copy_versions(self, item: _Item, bounds: _Bounds, source: _Side, target: _Side) -> int:
        """Copy the versions of a range one by one; return how many the target has got."""
        given, kept = self.sides(item, bounds)
        missing = item.missing(given, kept)
        if missing:
            item.restore(self.target, missing)
            kept = self._unpruned(item.versions(self.target, bounds))
        self.seen.see(each.replaced_at or each.recorded_at for each in given)
        _add(item, source, given)
        _add(item, target, kept)
        item.tell(self.progress, [each for each in given if each.replaced_at is None])
        return len(missing)

    def end(self, snapshots: Iterable[Snapshot]) -> None:
        """Move the target's clock and horizon on, and add the snapshots, if it lacks any of it."""
        named = [each for each in snapshots if each.recorded_at <= self.until]
        if self._lacks_recording(named):
            self.target.restore_recording(
                self.until, pruned_before=self.given.pruned_before, snapshots=named
            )

    def _lacks_recording(self, snapshots: list[Snapshot]) -> bool:
        """Return whether the target's clock, horizon or snapshots are behind the source's.

        A clock that is not asked again goes by the machine's, so it need not know `until`, unless
        that is in the future. An earlier copy may have been killed before it moved the clock.
        """
        if self.seen.is_changed or any(each not in self.target.snapshots() for each in snapshots):
            return True
        parts = getattr(self.target, "recorders", None)  # a killed copy may have moved one of them
        clocks = [(self.target, self.kept)]
        if parts is not None:
            clocks = [(each, each.recording()) for each in parts()]
        return any(self._is_behind(*each) for each in clocks)

    def _is_behind(self, store: Any, kept: Recording) -> bool:
        """Return whether the clock or the horizon of a store is behind the source's."""
        is_future = exact_instant(self.until, "until") > machine_now()
        first = datetime.min.replace(tzinfo=UTC)
        return (
            (kept.asked_at or first) < (self.until if is_future else self.seen.last)
            or (kept.pruned_before or first) < (self.given.pruned_before or first)
            or recording_began(store) > EARLIEST
        )


def copy_history(
    source: DataStore, target: DataStore, progress: Progress
) -> Iterator[Copied | LeftOut]:
    """Copy all versions. Raises `PresentOnly`, before a version is written, if it cannot."""
    copy = _begun(source, target, progress)
    snapshots = copy.source.snapshots()
    try:
        _check_snapshots(snapshots, copy)
        copy.check()
    except CorruptData as error:
        raise PresentOnly(str(error)) from error
    for item in copy.items():
        try:
            yield from copy.copy(item)
        except (CorruptData, InvalidData) as error:  # in this item: the others are copied
            where = " ".join(filter(None, (item.key, item.timeframe and f"({item.timeframe})")))
            yield LeftOut(item.kind, f"{where}: {error}" if where else str(error))
    copy.end(snapshots)


def _begun(source: DataStore, target: DataStore, progress: Progress) -> _Copy:
    if not isinstance(source, History):
        raise PresentOnly
    if not isinstance(target, History):
        raise PresentOnly("the target lacks the capability History")
    if not (hasattr(source, "recording") and hasattr(target, "restore_versions")):
        raise PresentOnly("a backend cannot list or take versions yet (`restore_versions`)")
    try:
        # A trial must not ask: a store remembers at which moment it was asked.
        until = EVER[1] if isinstance(target, Trial) else source.recorded_now()
        given, kept = source.recording(), target.recording()
    except (CorruptData, HistoryPruned) as error:
        raise PresentOnly(str(error)) from error
    return _Copy(cast(Any, source), cast(Any, target), until, given, kept, progress, _Seen())


def _check_snapshots(given: Sequence[Snapshot], copy: _Copy) -> None:
    """Raise `PresentOnly` if the target has a snapshot that cannot be beside the source's."""
    named = {each.name: each for each in given}
    pruned = copy.given.pruned_before
    for each in copy.target.snapshots():
        is_pruned = pruned is not None and each.recorded_at < pruned
        if named.get(each.name, each) != each or is_pruned:
            raise PresentOnly(f"the target has its own snapshot {each.name!r}")


def _held_by(versions: Iterable[AnyVersion], until: datetime) -> list[AnyVersion]:
    """Return versions as they were at a moment of recording."""
    return [
        replace(each, replaced_at=None)
        if each.replaced_at is not None and each.replaced_at > until
        else each
        for each in versions
        if each.recorded_at is None or each.recorded_at <= until
    ]


def _add_bars(side: _Side, bars: Unreplaced) -> None:
    """Add bars in columns to the tally of one side."""
    if len(bars.bars):
        cast(BarDigest, side.held).add(bars.bars)


def _add(item: _Item, side: _Side, versions: Sequence[Any]) -> None:
    """Add versions to the tallies of one side."""
    item.add_held(side, [each for each in versions if each.replaced_at is None])
    for each in versions:
        if each.replaced_at is not None:
            began = each.recorded_at and each.recorded_at.isoformat()
            side.past.add(f"{began} {each.replaced_at.isoformat()} ".encode() + item.content(each))


def _report(item: _Item, source: _Side, target: _Side, added: int) -> Iterator[Copied]:
    """Yield the report of what is held, and that of what was replaced or deleted."""
    held, past = (
        (source.held.tally(), target.held.tally()),
        (source.past.tally(), target.past.tally()),
    )
    if any(each.count for each in held):
        yield Copied(item.kind, item.key, *held, timeframe=item.timeframe, added=added)
        added = 0
    if any(each.count for each in past):
        kind = f"history of {item.kind}"
        yield Copied(kind, item.key, *past, timeframe=item.timeframe, added=added)
