"""Writes one series: upserts bars into its parts, splits and merges these, removes bars.

A writer holds the lock of the series. Whatever it does is done in an order in which a reader, or a
crash at any moment, finds every bar: new parts of a split lie inside the range of the old one, and
count for nothing until that is removed; a merged part covers those it replaces before they are
removed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bar_table import EMPTY, between, instants_of, joined, upserted
from storecore.errors import StorageError
from storecore.instants import EARLIEST, LATEST
from storecore_file.bar_file import Note, encode
from storecore_file.bar_reader import BarFile
from storecore_file.floor.disk import Staged
from storecore_file.floor.locks import Locked
from storecore_file.floor.looking import Fingerprint, fingerprint
from storecore_file.floor.rollback import Rollback
from storecore_file.journal_rows import Folded, Pending
from storecore_file.kept_parts import keep
from storecore_file.later import put_off
from storecore_file.parts import Part, part_of
from storecore_file.series import Series
from storecore_file.tiling import BAR_BYTES, PART_ROWS, Tile, mergeable, split_last, tiles

_Answer = TypeVar("_Answer")
Seen = tuple[list[str], list[Fingerprint | None]]


class _Filled(NamedTuple):
    """A part with its bars, and how far it has taken in the journal."""

    part: Part
    bars: pa.Table
    folded: Folded


class _Group(NamedTuple):
    """Rows (start, stop) of a batch that lie in one part, or between two (`part` is None)."""

    part: Part | None
    low: int
    high: int
    start: int
    stop: int


class Prepared(NamedTuple):
    """An upsert that is staged: its files, and the state of the series that they were made from."""

    staged: list[Staged]
    gone: list[Path]
    parts: list[Part]
    pending: Pending
    made: int  # how many of its parts are new
    seen: Seen = ([], [])

    @classmethod
    def nothing(cls) -> Prepared:
        """Return an upsert of nothing."""
        return cls([], [], [], Pending((), ()), 0)

    def names(self) -> set[str]:
        """Return the names of the parts before and after."""
        return {part.name for part in self.parts} | {each.path.name for each in self.staged}

    def is_to_be_merged(self) -> bool:
        """Tell whether there may be closed parts to merge: two of them, beside the open one."""
        return self.made > 0 and len(self.names()) - len(self.gone) > 2


class SeriesWriter:
    """Writes a series, whose folder exists."""

    def __init__(self, series: Series, lock_timeout: float) -> None:
        self._series = series
        self.folder = series.folder
        self.disk = self._disk = series.disk
        self._lock = Locked(series.folder / ".lock", lock_timeout)

    def write(self, new: pa.Table) -> None:
        """Upsert a series table, together with what the journal has of the series."""
        with self._lock:
            self._upsert(new)

    def delete(self, first: int, last: int) -> int:
        """Remove the bars from instant `first` to `last`; return how many there were.

        A part that has taken in rows of the journal stays when it is empty: else the journal's
        would count again. `drop_empty` removes it once they are gone from there.
        """
        with self._lock:
            self._upsert(EMPTY)
            parts, pending = self._parts(), self._series.settled()
            touched = [self._filled(part, pending) for part in parts if _overlap(part, first, last)]
            kept = [_without(filled, first, last) for filled in touched]
            self._replace_or_remove(kept, parts)
            return sum(len(filled.bars) for filled in touched) - sum(
                len(filled.bars) for filled in kept
            )

    def merge(self, patient: bool) -> int:
        """Merge small closed parts into their neighbours; return how many parts went away."""
        with self._lock:
            return self._merge(patient)

    def drop_empty(self) -> None:
        """Remove parts without bars that the journal does not need any more."""
        with self._lock:
            pending = self._series.settled()
            filled = [self._filled(part, pending) for part in self._parts()]
            self._remove([part for part, bars, folded in filled if not len(bars) and not folded])

    def prepare(self, new: pa.Table) -> Prepared:
        """Stage the parts of an upsert for `put`; meanwhile other writers may come."""
        with self._lock:
            return self._prepared(new)

    def put(self, new: pa.Table, prepared: Prepared, rollback: Rollback) -> Prepared:
        """Put a prepared upsert in place, prepared anew if another writer came between.

        Returns what was put. `rollback` keeps what was there before.
        """
        with self._lock:
            if self._seen(prepared) != prepared.seen:
                self._disk.discard(prepared.staged)
                prepared = self._prepared(new)
            for path, temporary in prepared.staged:
                rollback.keep(path, temporary)
            for path in prepared.gone:
                rollback.keep(path, None)
            try:
                self._disk.exchange(prepared.staged, prepared.gone)
            except BaseException:
                with suppress(StorageError):  # the error that matters is on its way
                    rollback.take_back()
                raise
            return prepared

    def take_back(self, new: pa.Table, prepared: Prepared, rollback: Rollback) -> None:
        """Take back what was put: the parts or, if others wrote meanwhile, the bars of `new`.

        The journal is not folded meanwhile: a fold that has passed the series by, since the parts
        that were put have its rows, would remove these with the journal.
        """
        with self._series.no_fold(prepared.pending), self._lock:
            alone = {part.name for part in self._series.layout().parts} <= prepared.names()
            journal_is_there = self._series.has_journal(prepared.pending)
            if alone and journal_is_there and rollback.is_undisturbed():
                rollback.take_back()
            else:
                self._give_back(new, self._before(prepared, rollback))

    def tidy(self) -> None:
        """Merge what has been closed."""
        with self._lock:
            self._tidy()

    def _prepared(self, new: pa.Table) -> Prepared:
        parts, pending = self._parts(), self._series.settled()
        put = self._upsert_of(new, parts, pending)
        staged, gone = self._staged(put, parts)
        made = sum(filled.part not in parts for filled in put)
        prepared = Prepared(staged, gone, parts, pending, made)
        return prepared._replace(seen=self._seen(prepared))

    def _seen(self, prepared: Prepared) -> Seen:
        """Return the parts that there are, and which files those are that will be replaced."""
        layout = self._series.layout()
        replaced = (*(each.path for each in prepared.staged), *prepared.gone)
        names = [part.name for part in (*layout.parts, *layout.leftovers)]
        return names, [fingerprint(path) for path in replaced]

    def _before(self, prepared: Prepared, rollback: Rollback) -> pa.Table:
        """Return the bars of the parts that were replaced, as they were read before."""
        formers = {path.name: former for path, former in rollback.formers()}
        replaced = [part for part in prepared.parts if part.name in formers]
        found = [self._series.open_at(formers[part.name], _all_of) for part in replaced]
        known = [(part, note.folded) for part, (note, _) in zip(replaced, found, strict=True)]
        bars = joined(rows for _, rows in found)
        return upserted(bars, prepared.pending.table(known, EARLIEST, LATEST))

    def _give_back(self, ours: pa.Table, before: pa.Table) -> None:
        """Let bars be as before that still are as they were written; what others wrote stays."""
        self._upsert(EMPTY)
        parts, pending = self._parts(), self._series.settled()
        dates = instants_of(ours)
        touched = [part for part in parts if _overlap(part, dates[0], dates[-1])]
        filled = [self._filled(part, pending) for part in touched]
        kept = [each._replace(bars=_as_before(each.bars, ours, before)) for each in filled]
        self._replace_or_remove(kept, parts)

    def _upsert(self, new: pa.Table) -> None:
        parts, pending = self._parts(), self._series.settled()
        put = self._upsert_of(new, parts, pending)
        if not put:
            if pending.rows:  # whoever has taken them in may have been killed before a sync
                self._disk.settle(self._series.folder)
            return
        self._replace(put, parts)
        if any(filled.part not in parts for filled in put):
            self._tidy()

    def _upsert_of(self, new: pa.Table, parts: list[Part], pending: Pending) -> list[_Filled]:
        """Return the parts that bars and what the journal has of the series make."""
        batch = upserted(self._unfolded(pending), new)
        put: list[_Filled] = []
        for group in _groups(instants_of(batch), parts):
            rows = batch.slice(group.start, group.stop - group.start)
            put += self._grown(group, rows, pending, last=group.part in parts[-1:])
        return put

    def _parts(self) -> list[Part]:
        """Return the parts, once what an interrupted writer left behind is removed."""
        layout = self._series.layout()
        self._remove(layout.leftovers)
        return layout.parts

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
        if group.part is None:
            cut = tiles(dates, group.low, group.high)
        else:
            old = self._filled(group.part, pending)
            rows, folded = upserted(old.bars, rows), old.folded | folded
            cut = _cut(instants_of(rows), group.part, dates[0], last)
            if not cut:
                yield _Filled(group.part, rows, folded)
        for part, start, stop in cut:
            yield _Filled(part, rows.slice(start, stop - start), folded)

    def _filled(self, part: Part, pending: Pending) -> _Filled:
        def filled(part: Part, file: BarFile) -> _Filled:
            folded = pending.live(file.note.folded)
            if folded != file.note.folded:
                self._series.settle_journal()  # or what has been retired may come back to count
            return _Filled(part, file.rows(EARLIEST, LATEST), folded)

        return self._opened(part, filled)

    def _opened(self, part: Part, look: Callable[[Part, BarFile], _Answer]) -> _Answer:
        """Return what `look` answers for a part, which no other writer can take away."""
        return self._series.open(part, look)

    def _replace_or_remove(self, kept: list[_Filled], parts: list[Part]) -> None:
        """Put parts of which bars were taken, and remove those that nobody needs any more."""
        put = [filled for filled in kept if len(filled.bars) or filled.folded]
        emptied = [filled.part for filled in kept if filled not in put]
        self._replace(put, parts, emptied)

    def _replace(self, put: list[_Filled], parts: list[Part], emptied: Sequence[Part] = ()) -> None:
        """Put filled parts in the place of those that they overlap: all, or on an error none."""
        staged, gone = self._staged(put, parts)
        self._disk.exchange(staged, [*gone, *map(self._series.path, emptied)])

    def _staged(self, put: list[_Filled], parts: list[Part]) -> tuple[list[Staged], list[Path]]:
        """Return filled parts, written beside their places, and the files that they replace."""
        staged: list[Staged] = []
        try:
            for part, bars, folded in put:
                content = encode(self._series.symbol, self._series.timeframe, bars, folded)
                staged.append(self._disk.stage(self._series.path(part), content))
                keep(self._series.path(part), content, bars)
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

    def _remove(self, parts: Sequence[Part]) -> None:
        self._disk.remove(*map(self._series.path, parts))

    def _tidy(self) -> None:
        """Merge what has been closed. The bars are safe already: a failure can wait."""
        with put_off(self._series.folder, "merging its parts is put off"):
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
            self._replace([_joined(filled)], closed[run])
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


def _joined(filled: list[_Filled]) -> _Filled:
    part = part_of(filled[0].part.first, filled[-1].part.last)
    folded = reduce(_both, (one.folded for one in filled))
    return _Filled(part, joined(one.bars for one in filled), folded)


def _both(one: Folded, other: Folded) -> Folded:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one | other}


def _without(filled: _Filled, first: int, last: int) -> _Filled:
    before = between(filled.bars, EARLIEST, first - 1)
    return filled._replace(bars=joined([before, between(filled.bars, last + 1, LATEST)]))


def _overlap(part: Part, first: int, last: int) -> bool:
    return part.first <= last and first <= part.last


def _all_of(file: BarFile) -> tuple[Note, pa.Table]:
    return file.note, file.rows(EARLIEST, LATEST)


def _as_before(bars: pa.Table, ours: pa.Table, before: pa.Table) -> pa.Table:
    """Return bars without those that equal ours, as they were before."""
    written = dict(_rows(ours))
    same = pa.array([date for date, row in _rows(bars) if written.get(date) == row], pa.int64())
    kept = bars.filter(pc.invert(pc.is_in(_instants(bars), same)))
    return upserted(kept, before.filter(pc.is_in(_instants(before), same)))


def _rows(bars: pa.Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the date of each bar, and its values: a column may lack where no bar has a value."""
    for date, row in zip(instants_of(bars), bars.to_pylist(), strict=True):
        yield date, {name: value for name, value in row.items() if value is not None}


def _instants(bars: pa.Table) -> pa.ChunkedArray:
    return pc.cast(bars["date"], pa.int64())
