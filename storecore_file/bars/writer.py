"""Writes one series: upserts bars into its parts, splits and merges these, removes bars.

A writer holds the lock of the series. Whatever it does is done in an order in which a reader, or a
crash at any moment, finds every bar: new parts are put before those they replace are removed, and
count before these, as they are of a higher generation. Parts that overlap from before, a crash or a
copy of another state having left them so, are brought together first.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import EMPTY, between, instants_of, joined, upserted
from storecore.errors import StorageError
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.compaction import BAR_BYTES, PART_ROWS, Tile, mergeable, split_last, tiles
from storecore_file.bars.generations import next_generation
from storecore_file.bars.journal_lines import Folded, Pending, furthest
from storecore_file.bars.kept import keep
from storecore_file.bars.layout import Part, parsed, part_of
from storecore_file.bars.overlaps import Held, clusters, gaps, older, shown
from storecore_file.bars.partition import VERSION, Note, encode
from storecore_file.bars.partition_reader import BarFile
from storecore_file.bars.series import Series
from storecore_file.fs.best_effort import best_effort
from storecore_file.fs.disk import Staged
from storecore_file.fs.locks import Locked
from storecore_file.fs.quarantine import copy_aside
from storecore_file.fs.rollback import Rollback
from storecore_file.fs.stat import Fingerprint, fingerprint

_log = logging.getLogger("storecore")
_Answer = TypeVar("_Answer")
Seen = tuple[list[str], list[Fingerprint | None]]


class _Origin(NamedTuple):
    """A part that another is made from."""

    name: str
    generation: int
    identity: int


class _Filled(NamedTuple):
    """A part with its bars, how far it has taken in the journal, and which it is made from."""

    part: Part
    bars: pa.Table
    folded: Folded
    origins: tuple[_Origin, ...] = ()


class _Group(NamedTuple):
    """Rows (start, stop) of a batch that lie in one part, or between two (`part` is None)."""

    part: Part | None
    low: int
    high: int
    start: int
    stop: int


class Prepared(NamedTuple):
    """A staged upsert: its files, and the state of the series that they were made from."""

    staged: list[Staged]
    gone: list[Path]
    parts: list[Part]
    pending: Pending
    made: int  # how many of its parts are new
    seen: Seen = ([], [])
    took: bool = False  # rows of the journal that were in no part

    @classmethod
    def nothing(cls) -> Prepared:
        """Return an upsert of nothing."""
        return cls([], [], [], Pending((), ()), 0)

    def names(self) -> set[str]:
        """Return the names of the parts before and after."""
        return {part.name for part in self.parts} | {each.path.name for each in self.staged}

    def is_to_be_merged(self) -> bool:
        """Return whether there may be closed parts to merge: two of them, beside the open one."""
        return self.made > 0 and len(self.names()) - len(self.gone) > 2


class SeriesWriter:
    """Writes a series, whose folder exists."""

    def __init__(self, series: Series, lock_timeout: float) -> None:
        self._series = series
        self.folder = series.folder
        self.disk = self._disk = series.disk
        self._locked = partial(Locked, series.folder / ".lock", lock_timeout)

    def write(self, new: pa.Table) -> None:
        """Upsert a series table, together with what the journal has of the series."""
        with self._locked():
            self._upsert(new)

    def delete(self, first: int, last: int) -> int:
        """Remove the bars from instant `first` to `last`; return how many there were.

        A part that has taken in rows of the journal stays when it is empty: else the journal's
        would count again. `drop_empty` removes it once they are gone from there.
        """
        with self._locked():
            self._upsert(EMPTY)
            parts, pending = self._parts(), self._series.settled()
            touched = [self._filled(part, pending) for part in parts if _overlap(part, first, last)]
            kept = [_without(filled, first, last) for filled in touched]
            self._replace_or_remove(kept, parts, pending)
            return sum(len(filled.bars) for filled in touched) - sum(
                len(filled.bars) for filled in kept
            )

    def merge(self, patient: bool) -> int:
        """Merge small closed parts into their neighbours; return how many parts went away."""
        with self._locked():
            self._upsert(EMPTY)  # parts that took in the journal half must not become one
            return self._merge(patient)

    def drop_empty(self) -> None:
        """Remove parts without bars that the journal does not need any more."""
        with self._locked():
            pending = self._series.settled()
            filled = [self._filled(part, pending) for part in self._parts()]
            empty = [each for each in filled if not len(each.bars)]
            gone = [each.part for each in empty if not pending.needs(each.folded)]
            self._remove(gone)

    def prepare(self, new: pa.Table) -> Prepared:
        """Stage the parts of an upsert for `put`; other writers may come between."""
        with self._locked():
            return self._prepared(new)

    def put(self, new: pa.Table, prepared: Prepared, rollback: Rollback) -> Prepared:
        """Put a prepared upsert in place, prepared again if another writer came between.

        Returns what was put. `rollback` backs up what was there before.
        """
        with self._locked():
            if self._seen(prepared) != prepared.seen:
                self._disk.discard(prepared.staged)
                prepared = self._prepared(new)
            for path, temporary in prepared.staged:
                rollback.keep(path, temporary)
            for path in prepared.gone:
                rollback.keep(path, None)
            try:
                self._exchange(prepared.staged, prepared.gone)
            except BaseException:
                with suppress(StorageError):  # the error that matters is on its way
                    rollback.roll_back()
                raise
            if prepared.took:
                self._series.note_taken(prepared.pending)
            return prepared

    def roll_back(self, new: pa.Table, prepared: Prepared, rollback: Rollback) -> None:
        """Roll back what was put: the parts or, if others wrote meanwhile, the bars of `new`.

        The journal is not folded meanwhile. A fold that has skipped the series, since the new parts
        have its rows, would remove these rows with the journal.
        """
        with self._series.fold_lock(prepared.pending), self._locked():
            alone = {part.name for part in self._series.layout().parts} <= prepared.names()
            journal_is_there = self._series.has_journal(prepared.pending)
            if alone and journal_is_there and rollback.is_undisturbed():
                rollback.roll_back()
            else:
                self._give_back(new, self._before(prepared, rollback))

    def tidy(self) -> None:
        """Merge what has been closed."""
        with self._locked():
            self._tidy()

    def _prepared(self, new: pa.Table) -> Prepared:
        parts, pending = self._parts(), self._series.settled()
        put, took = self._upsert_of(new, parts, pending)
        staged, gone = self._staged(put, parts)
        made = sum(filled.part not in parts for filled in put)
        prepared = Prepared(staged, gone, parts, pending, made, took=took)
        return prepared._replace(seen=self._seen(prepared))

    def _seen(self, prepared: Prepared) -> Seen:
        """Return the existing parts, and the identities of those that will be replaced."""
        replaced = (*(each.path for each in prepared.staged), *prepared.gone)
        names = [part.name for part in self._series.layout().parts]
        return names, [fingerprint(path) for path in replaced]

    def _before(self, prepared: Prepared, rollback: Rollback) -> pa.Table:
        """Return the bars of the replaced parts, as they were read before."""
        backups = {path.name: backup for path, backup in rollback.backups()}
        replaced = [part for part in prepared.parts if part.name in backups]
        found = [self._series.open_at(backups[part.name], _all_of) for part in replaced]
        known = [(part, note.folded) for part, (note, _) in zip(replaced, found, strict=True)]
        bars = joined(rows for _, rows in found)
        return upserted(bars, prepared.pending.table(known, EARLIEST, LATEST))

    def _give_back(self, ours: pa.Table, before: pa.Table) -> None:
        """Restore bars that are unchanged since they were written; bars of other writers stay."""
        self._upsert(EMPTY)
        parts, pending = self._parts(), self._series.settled()
        dates = instants_of(ours)
        touched = [part for part in parts if _overlap(part, dates[0], dates[-1])]
        filled = [self._filled(part, pending) for part in touched]
        kept = [each._replace(bars=_as_before(each.bars, ours, before)) for each in filled]
        self._replace_or_remove(kept, parts, pending)

    def _upsert(self, new: pa.Table) -> None:
        parts, pending = self._parts(), self._series.settled()
        put, took = self._upsert_of(new, parts, pending)
        if not put:
            if pending.rows:  # whoever has taken them in may have been killed before a sync
                self._disk.settle(self._series.folder)
            return
        self._replace(put, parts)
        if took:
            self._series.note_taken(pending)
        if any(filled.part not in parts for filled in put):
            self._tidy()

    def _upsert_of(
        self, new: pa.Table, parts: list[Part], pending: Pending
    ) -> tuple[list[_Filled], bool]:
        """Return the parts that bars and what the journal has of the series make.

        And whether the bars are laid over rows that were in no part yet.
        """
        unfolded = self._unfolded(pending)
        batch = upserted(unfolded, new)
        put: list[_Filled] = []
        for group in _groups(instants_of(batch), parts):
            rows = batch.slice(group.start, group.stop - group.start)
            put += self._grown(group, rows, pending, last=group.part in parts[-1:])
        return put, len(unfolded) > 0 and len(new) > 0

    def _parts(self) -> list[Part]:
        """Return the parts, none of which overlaps another then."""
        layout = self._series.layout()
        while layout.overlap:
            pending = self._series.settled()
            for cluster in clusters(layout.parts):
                if len(cluster) > 1:
                    self._bring_together(cluster, pending)
            layout = self._series.layout()
        return layout.parts

    def _bring_together(self, cluster: list[Part], pending: Pending) -> None:
        """Leave of parts that overlap the newest, or one that holds all bars that count.

        What is not proven to be superseded is copied into quarantine before.
        """
        with self._series.held(cluster) as held:
            old = older(held)
            folded = {each.part: each.file.note.folded for each in held}
            needed = [one for one in old if one.shown or pending.needs(folded[one.part])]
            union = self._union(held, pending) if needed else None
        for part, _, problem in old:
            if problem is not None:
                self._quarantine(part, problem)
        if union is not None:
            self._replace([union], cluster)
        else:
            gone = [one.part for one in old]
            self._remove(gone, left=[part for part in cluster if part not in gone])

    def _union(self, held: Sequence[Held], pending: Pending) -> _Filled:
        """Return one part in place of several, with what the journal has of its range."""
        part = part_of(held[0].part.first, max(each.part.last for each in held))
        pieces = shown(held)
        bars = joined(file.rows(piece.first, piece.last) for piece, file in pieces)
        known = [(piece, file.note.folded) for piece, file in pieces]
        gaps = pending.table(known, part.first, part.last)
        filled = [self._taken(*each, pending) for each in held]
        folded = furthest([pending.through, *(each.folded for each in filled)])
        origins = tuple(origin for each in filled for origin in each.origins)
        return _Filled(part, upserted(bars, gaps), folded, origins)

    def _quarantine(self, part: Part, problem: str) -> None:
        into = self._series.quarantine(part)
        copy_aside(self._disk, self._series.path(part), into)
        path = self._series.path(part)
        _log.warning("%s: of another state than newer ones: %s; kept as %s", path, problem, into)

    def _unfolded(self, pending: Pending) -> pa.Table:
        """Return the journal's rows that are in no part yet."""
        if not pending.rows:
            return EMPTY
        known = self._series.each(lambda part, file: (part, file.note.folded))
        return pending.table(known, EARLIEST, LATEST)

    def _grown(
        self, group: _Group, rows: pa.Table, pending: Pending, last: bool
    ) -> Iterator[_Filled]:
        """Yield the parts that rows of one group make, or make of the part that they lie in."""
        folded, dates = pending.through, instants_of(rows)
        origins: tuple[_Origin, ...] = ()
        if group.part is None:
            cut = tiles(dates, group.low, group.high)
        else:
            old = self._filled(group.part, pending)
            rows, origins = upserted(old.bars, rows), old.origins
            folded = furthest([old.folded, folded])
            cut = _cut(instants_of(rows), group.part, dates[0], last)
            if not cut:
                yield _Filled(group.part, rows, folded, origins)
        for part, start, stop in cut:
            yield _Filled(part, rows.slice(start, stop - start), folded, origins)

    def _filled(self, part: Part, pending: Pending) -> _Filled:
        def filled(part: Part, file: BarFile) -> _Filled:
            return self._taken(part, file, pending)._replace(bars=file.rows(EARLIEST, LATEST))

        return self._opened(part, filled)

    def _taken(self, part: Part, file: BarFile, pending: Pending) -> _Filled:
        """Return what a part says of itself, without its bars."""
        folded = file.note.folded
        if file.note.version < VERSION and folded != (folded := pending.known(folded)):
            self._series.settle_journal()  # or what has been retired may come back to count
        origin = _Origin(part.name, file.note.generation, file.identity)
        return _Filled(part, EMPTY, folded, (origin,))

    def _opened(self, part: Part, look: Callable[[Part, BarFile], _Answer]) -> _Answer:
        """Return what `look` answers for a part, which no other writer can take away."""
        return self._series.open(part, look)

    def _replace_or_remove(self, kept: list[_Filled], parts: list[Part], pending: Pending) -> None:
        """Replace parts that lost bars, and remove those that are empty and not needed any more."""
        put = [each for each in kept if len(each.bars) or pending.needs(each.folded)]
        emptied = [filled.part for filled in kept if filled not in put]
        self._replace(put, parts, emptied)

    def _replace(self, put: list[_Filled], parts: list[Part], emptied: Sequence[Part] = ()) -> None:
        """Put filled parts in the place of those that they overlap: all, or on an error none."""
        staged, gone = self._staged(put, parts)
        try:
            self._exchange(staged, [*gone, *map(self._series.path, emptied)])
        except BaseException:
            self._disk.discard(staged)
            raise

    def _exchange(self, staged: list[Staged], gone: list[Path]) -> None:
        """Put staged parts in place and remove others, whose rows of the journal may go too."""
        if gone:
            new = [part for part in (parsed(each.path.name) for each in staged) if part]
            self._forget([part for part in (parsed(path.name) for path in gone) if part], new)
        self._disk.exchange(staged, gone)

    def _staged(self, put: list[_Filled], parts: list[Part]) -> tuple[list[Staged], list[Path]]:
        """Return filled parts, written beside their places, and the files that they replace."""
        staged: list[Staged] = []
        generation = next_generation(
            origin.generation for filled in put for origin in filled.origins
        )
        try:
            for filled in put:
                path, content = self._series.path(filled.part), self._encoded(filled, generation)
                staged.append(self._disk.stage(path, content))
                keep(path, content, filled.bars)
        except BaseException:
            self._disk.discard(staged)
            raise
        kept = {filled.part for filled in put}
        replaced = [
            part
            for part in parts
            if part not in kept and any(_overlap(part, new.first, new.last) for new in kept)
        ]
        return staged, list(map(self._series.path, replaced))

    def _encoded(self, filled: _Filled, generation: int) -> bytes:
        others = [each.identity for each in filled.origins if each.name != filled.part.name]
        symbol, timeframe = self._series.symbol, self._series.timeframe
        return encode(symbol, timeframe, filled.bars, filled.folded, generation, others)

    def _remove(self, parts: Sequence[Part], left: Sequence[Part] = ()) -> None:
        self._forget(parts, left)
        self._disk.remove(*map(self._series.path, parts))

    def _forget(self, gone: Sequence[Part], left: Sequence[Part]) -> None:
        """Expect no rows of the journal in time that is in no part any more: they are deleted."""
        covered = [(part.first, part.last) for part in left]
        for part in gone:
            for gap in gaps(part, covered):
                self._series.forget_journaled(*gap)

    def _tidy(self) -> None:
        """Merge what has been closed. The bars are safe already: a failure can wait."""
        with best_effort(self._series.folder, "merging its parts is put off"):
            self._merge(patient=True)

    def _weight(self, part: Part) -> int:
        """Return the bytes of a part, or of as many usual bars where its own are very small."""
        rows = self._opened(part, lambda _, file: file.note.rows)
        return max(self._disk.size(self._series.path(part)) or 0, rows * BAR_BYTES)

    def _merge(self, patient: bool) -> int:
        merged = 0
        while True:
            closed, pending = self._parts()[:-1], self._series.settled()
            run = mergeable([self._weight(part) for part in closed], patient)
            if run is None:
                return merged
            filled = [self._filled(part, pending) for part in closed[run]]
            self._replace([_joined(filled, pending.folded)], closed[run])
            merged += len(filled) - 1


def _groups(dates: Sequence[int], parts: Sequence[Part]) -> Iterator[_Group]:
    """Yield the rows of each part, and those between two parts, in order of time."""
    starts = [part.first for part in parts]
    at = 0
    while at < len(dates):
        before = bisect_right(starts, dates[at]) - 1
        part = parts[before] if before >= 0 and dates[at] <= parts[before].last else None
        low = parts[before].last + 1 if before >= 0 else EARLIEST
        high = starts[before + 1] - 1 if before + 1 < len(parts) else LATEST
        stop = bisect_right(dates, high if part is None else part.last, at)
        yield _Group(part, low, high, at, stop)
        at = stop


def _cut(dates: Sequence[int], part: Part, since: int, last: bool) -> list[Tile]:
    """Return how a part is cut that has grown: one too large anywhere, the last one before that."""
    if len(dates) > 2 * PART_ROWS:
        return tiles(dates, part.first, part.last)
    return split_last(dates, part, since) if last else []


def _joined(filled: list[_Filled], past: Folded) -> _Filled:
    """Return parts as one, which takes in time between them too: all that is past is in it."""
    part = part_of(filled[0].part.first, filled[-1].part.last)
    origins = tuple(origin for one in filled for origin in one.origins)
    folded = furthest([past, *(one.folded for one in filled)])
    return _Filled(part, joined(one.bars for one in filled), folded, origins)


def _without(filled: _Filled, first: int, last: int) -> _Filled:
    before = between(filled.bars, EARLIEST, first - 1)
    return filled._replace(bars=joined([before, between(filled.bars, last + 1, LATEST)]))


def _overlap(part: Part, first: int, last: int) -> bool:
    return part.first <= last and first <= part.last


def _as_before(bars: pa.Table, ours: pa.Table, before: pa.Table) -> pa.Table:
    """Return bars with those that equal ours as they were before."""
    written = dict(_rows(ours))
    same = pa.array([date for date, row in _rows(bars) if written.get(date) == row], pa.int64())
    kept = bars.filter(pc.invert(pc.is_in(_instants(bars), same)))
    return upserted(kept, before.filter(pc.is_in(_instants(before), same)))


def _all_of(file: BarFile) -> tuple[Note, pa.Table]:
    return file.note, file.rows(EARLIEST, LATEST)


def _rows(bars: pa.Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the date and the values of each bar: a column may be absent if no bar has a value."""
    for date, row in zip(instants_of(bars), bars.to_pylist(), strict=True):
        yield date, {name: value for name, value in row.items() if value is not None}


def _instants(bars: pa.Table) -> pa.ChunkedArray:
    return pc.cast(bars["date"], pa.int64())
