"""Copies the versions of bars, fundamentals and events, with their instants, and snapshots.

The copy is as of one moment, that of the source's clock of recording when it begins: what the
source records meanwhile is left to the next copy. First the target's versions are compared: all of
them must be the source's, or only the present is copied (`PresentOnly`). Then each piece of a
series is restored, if the target lacks a part of it, and both sides are digested for the report.
The target's clock, horizon and snapshots come last, unless the target has them already. So a killed
copy can be run again, and a copy to an equal target writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from msgspec.structs import replace

from storecore.copying.report import Copied, LeftOut, Progress
from storecore.copying.trial import Trial
from storecore.copying.versions import Bounds, Item, PresentOnly, Side, items_of
from storecore.errors import CorruptData, HistoryPruned, InvalidData
from storecore.knowledge.clock import machine_now
from storecore.knowledge.restoring import AnyVersion, is_restorable, span_of
from storecore.knowledge.versions import Recording, Snapshot, Unreplaced
from storecore.protocols import DataStore, History
from storecore.store.digests import EVER
from storecore.store.questions import recording_began
from storecore.values.times import EARLIEST, exact_instant, to_datetime

_ASKED = (
    "the target was asked about a moment at which the source held more, and that answer must not "
    "change; copy into an empty store"
)


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

    def sides(self, item: Item, bounds: Bounds) -> tuple[list[AnyVersion], list[AnyVersion]]:
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
        for item in items_of(self.given, self.kept):
            if limit is None and not self._may_hold(item):
                continue
            for bounds in item.pieces(self.source):
                quick = item.unreplaced(self.source, self.target, bounds, self.until)
                if quick is not None and quick.may_be_copied(limit):
                    continue
                missing = item.missing(*self.sides(item, bounds))
                if not all(is_restorable(span_of(each), limit) for each in missing):
                    raise PresentOnly(_ASKED)

    def _may_hold(self, item: Item) -> bool:
        """Return whether the target may have versions of an item."""
        if item.kind == "bars":
            return (item.key, item.timeframe) in self.kept.series
        return item.kind == "events" or item.key in self.kept.symbols

    def copy(self, item: Item) -> Iterator[Copied]:
        """Copy the versions of an item, and report on both sides."""
        source, target, added = item.side(), item.side(), 0
        for bounds in item.pieces(self.source):
            quick = item.unreplaced(self.source, self.target, bounds, self.until)
            if quick is None or not quick.is_copied(self.target):
                added += self._copy_versions(item, bounds, source, target)
                continue
            added += len(quick.given.bars) - len(quick.kept.bars)
            source.add_bars(quick.given)
            self.seen.see_bars(quick.given)
            kept = quick.kept if quick.is_same() else quick.read_again(self.target)
            if kept is None:  # another writer has replaced some meanwhile
                item.add(target, self._unpruned(item.versions(self.target, bounds)))
            else:
                target.add_bars(kept)
            item.tell(self.progress, quick.given.recorded)
        self.seen.is_changed = self.seen.is_changed or added > 0
        yield from _report(item, source, target, added)

    def _copy_versions(self, item: Item, bounds: Bounds, source: Side, target: Side) -> int:
        """Copy the versions of a range one by one; return how many the target has got."""
        given, kept = self.sides(item, bounds)
        missing = item.missing(given, kept)
        if missing:
            item.restore(self.target, missing)
            kept = self._unpruned(item.versions(self.target, bounds))
        self.seen.see(each.replaced_at or each.recorded_at for each in given)
        item.add(source, given)
        item.add(target, kept)
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
    for item in items_of(copy.given, copy.kept):
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


def _report(item: Item, source: Side, target: Side, added: int) -> Iterator[Copied]:
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
