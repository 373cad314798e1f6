"""The histories of several stores, asked as one: each has a clock of recording of its own.

A moment r is a moment of all clocks. A question about it first asks the clock of every store, so
that no write of any kind that becomes visible later is recorded at or before r (law K3). A clock
that is behind, of another machine, is waited for, but not longer than `MOST_APART`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from operator import attrgetter
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from storecore.errors import InvalidData, shown
from storecore.errors.parts import naming
from storecore.knowledge.clock import check_prunable
from storecore.knowledge.versions import (
    BarVersion,
    Correction,
    FundamentalVersion,
    Kind,
    Recording,
    Snapshot,
)
from storecore.store.questions import recording_began
from storecore.values.names import check_name
from storecore.values.times import EARLIEST, exact_instant, latest_instant, to_datetime

if TYPE_CHECKING:
    from storecore.knowledge.restoring import AnyVersion

MOST_APART = 5.0
"""For how many seconds a question waits for a clock that is behind another one."""
RECORDED: tuple[Kind, ...] = ("bars", "fundamentals", "events")
"""The kinds of data that have a history."""


class Part(NamedTuple):
    """One of the stores: its name in errors, and the kinds of data that are asked of it."""

    name: str
    store: Any
    kinds: frozenset[str]


class Histories:
    """Stores with `History`, each for some kinds of data."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = parts
        self._settled = EARLIEST  # up to here all clocks were asked; threads may set it back

    def have(self, method: str) -> bool:
        """Return whether all stores have a method; one for an earlier release may lack it."""
        return all(hasattr(each.store, method) for each in self._parts)

    def began(self) -> int:
        """Return an instant before which none of the stores recorded a version."""
        return min(recording_began(each.store) for each in self._parts)

    def settle(self, at: int) -> None:
        """Move the clock of each store to an instant at least. Raises `InvalidData` if it cannot.

        The clock of a single store is moved by the question itself.
        """
        if at > self._settled and len(self._parts) > 1:
            deadline = monotonic() + MOST_APART
            for part in self._parts:
                with naming(part.name):
                    _wait_for(part.store, at, deadline)
            self._settled = at

    def now(self) -> datetime:
        """Return the moment at which `recorded=` is what the stores hold now."""
        moments: list[datetime] = []
        for name, store, _ in self._parts:
            with naming(name):
                moments.append(store.recorded_now())
        self.settle(_instant(max(moments)))
        return max(moments)

    def corrections(self, since: datetime | None, symbol: str | None) -> list[Correction]:
        """Return what was replaced or removed in the stores, of the kinds asked of each."""
        found: list[Correction] = []
        for name, store, kinds in self._parts:
            with naming(name):
                each = store.corrections(since, symbol=symbol)
            found += [one for one in each if one.kind in kinds]
        return sorted(found, key=lambda each: (each.recorded_at, RECORDED.index(each.kind)))

    def recording(self) -> Recording:
        """Return what the stores have recorded, of the kinds asked of each.

        The last question and the horizon are the latest of all stores.
        """
        of: dict[str, Recording] = {}
        for name, store, kinds in self._parts:
            with naming(name):
                of |= dict.fromkeys(kinds, store.recording())
        asked = (each.asked_at for each in of.values())
        pruned = (each.pruned_before for each in of.values())
        return Recording(
            asked_at=max(filter(None, asked), default=None),
            pruned_before=max(filter(None, pruned), default=None),
            is_kept=all(each.is_kept for each in of.values()),
            series=of["bars"].series,
            symbols=of["fundamentals"].symbols,
        )

    def restore_versions(self, versions: Iterable[AnyVersion], timeframe: str) -> None:
        """Give each store the versions of its kinds; that of the events is the last one.

        So after an error all can be given again: events are appended after everything else.
        """
        timeframe, given = check_name(timeframe, "timeframe"), list(versions)
        for name, store, kinds in sorted(self._parts, key=lambda each: "events" in each.kinds):
            own = [each for each in given if _kind_of(each) in kinds]
            if own:
                with naming(name):
                    store.restore_versions(own, timeframe=timeframe)

    def restore_recording(
        self, recorded: datetime, pruned_before: datetime | None, snapshots: Iterable[Snapshot]
    ) -> None:
        """Move the clock and the horizon of each store on, and add the snapshots to each.

        A snapshot whose name a store has for another one is left out of all.
        """
        kept = [each for _, each in self._kept()]
        added = [one for one in snapshots if all(own.get(one.name, one) == one for own in kept)]
        for name, store, _ in self._parts:
            with naming(name):
                store.restore_recording(recorded, pruned_before=pruned_before, snapshots=added)

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that all stores have, each of the latest moment among them.

        So what it shows is kept in each store, which prunes nothing after its own moment.
        """
        kept = [each for _, each in self._kept()]
        names = set(kept[0]).intersection(*kept)
        found = (
            replace(kept[0][name], recorded_at=max(each[name].recorded_at for each in kept))
            for name in names
        )
        return sorted(found, key=attrgetter("recorded_at", "name"))

    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Name the present moment in each store; after an error in none."""
        name = check_name(name, "name")
        for part, kept in self._kept():
            if name in kept:
                raise InvalidData(
                    f"{part.name}: snapshot {shown(name)} exists already, of "
                    f"{kept[name].recorded_at.isoformat()}; choose another name, or drop it first"
                )
        with ExitStack() as undo:
            added: list[Snapshot] = []
            for part in self._parts:
                with naming(part.name):
                    added.append(part.store.snapshot(name, note))
                undo.callback(part.store.drop_snapshot, name)
            latest = max(each.recorded_at for each in added)
            self.settle(_instant(latest))
            undo.pop_all()
        return replace(added[0], recorded_at=latest)

    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot from each store; return whether any had it."""
        dropped = []
        for part in self._parts:
            with naming(part.name):
                dropped.append(part.store.drop_snapshot(name))
        return any(dropped)

    def prune(self, before: datetime) -> int:
        """Remove the versions that were replaced at or before a moment; return their number.

        A store keeps those that were replaced after its own moment of a snapshot.
        """
        at = latest_instant(before, "before")
        self.settle(at)
        shown_at = self.snapshots()
        check_prunable(at, shown_at)
        limits = [self._limit(each, at, {one.name for one in shown_at}) for each in self._parts]
        number = 0
        for (name, store, _), limit in zip(self._parts, limits, strict=True):
            with naming(name):
                number += store.prune_history(to_datetime(limit, aware=True))
        return number

    def _limit(self, part: Part, at: int, names: set[str]) -> int:
        """Return up to where a store can be pruned, given the snapshots that all have.

        Raises `InvalidData` if the store has an earlier snapshot of its own.
        """
        own = part.store.snapshots()
        limit = min([at, *(_instant(each.recorded_at) for each in own if each.name in names)])
        with naming(part.name):
            check_prunable(limit, own)
        return limit

    def _kept(self) -> Iterator[tuple[Part, dict[str, Snapshot]]]:
        """Yield each store's own snapshots by name."""
        for part in self._parts:
            with naming(part.name):
                yield part, {each.name: each for each in part.store.snapshots()}


def _kind_of(version: AnyVersion) -> Kind:
    if isinstance(version, BarVersion):
        return "bars"
    return "fundamentals" if isinstance(version, FundamentalVersion) else "events"


def _wait_for(store: Any, at: int, deadline: float) -> None:
    """Move the clock of a store to an instant at least, once it shows that."""
    while (now := _instant(store.recorded_now())) < at:
        behind = (at - now) / 1_000_000
        if behind > deadline - monotonic():
            raise InvalidData(
                f"{_text(at)} is in the future: the clock of recording shows {_text(now)}; ask for "
                "a moment up to it, or synchronize the clocks of the machines"
            )
        sleep(behind)


def _instant(moment: datetime) -> int:
    return exact_instant(moment, "recorded_at")


def _text(instant: int) -> str:
    return to_datetime(instant, aware=True).isoformat()
