"""Writes one series: upserts bars into its parts, splits and merges these, removes bars.

A writer holds the lock of the series. Whatever it does is done in an order in which a reader, or a
crash at any moment, finds every bar: new parts of a split lie inside the range of the old one, and
count for nothing until that is removed; a merged part covers those it replaces before they are
removed.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from typing import NamedTuple, TypeVar

import pyarrow as pa

from storecore.bar_table import EMPTY, between, instants_of, joined, upserted
from storecore.errors import StorageError
from storecore.instants import EARLIEST, LATEST
from storecore_file.bar_file import encode
from storecore_file.bar_reader import BarFile
from storecore_file.floor.disk import Staged
from storecore_file.floor.locks import Locked
from storecore_file.journal_rows import Folded, Pending
from storecore_file.kept_parts import keep
from storecore_file.parts import Part, part_of
from storecore_file.series import Series
from storecore_file.tiling import BAR_BYTES, PART_ROWS, Tile, mergeable, split_last, tiles

_log = logging.getLogger("storecore")
_Answer = TypeVar("_Answer")


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


class SeriesWriter:
    """Writes a series, whose folder exists."""

    def __init__(self, series: Series, lock_timeout: float) -> None:
        self._series = series
        self._disk = series.disk
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
            put = [filled for filled in kept if len(filled.bars) or filled.folded]
            emptied = [filled.part for filled in kept if filled not in put]
            self._replace(put, parts, emptied)
            return sum(len(filled.bars) for filled in touched) - sum(
                len(filled.bars) for filled in kept
            )

    def merge(self, patient: bool) -> int:
        """Merge small closed parts into their neighbours; return how many parts went away."""
        with self._locked():
            return self._merge(patient)

    def drop_empty(self) -> None:
        """Remove parts without bars that the journal does not need any more."""
        with self._locked():
            pending = self._series.settled()
            filled = [self._filled(part, pending) for part in self._parts()]
            self._remove([part for part, bars, folded in filled if not len(bars) and not folded])

    def _upsert(self, new: pa.Table) -> None:
        parts, pending = self._parts(), self._series.settled()
        batch = upserted(self._unfolded(pending), new)
        if not len(batch):
            if pending.rows:  # whoever has taken them in may have been killed before a sync
                self._disk.settle(self._series.folder)
            return
        put: list[_Filled] = []
        for group in _groups(instants_of(batch), parts):
            rows = batch.slice(group.start, group.stop - group.start)
            put += self._grown(group, rows, pending, last=group.part in parts[-1:])
        self._replace(put, parts)
        if any(filled.part not in parts for filled in put):
            self._tidy()

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

    def _replace(self, put: list[_Filled], parts: list[Part], emptied: Sequence[Part] = ()) -> None:
        """Put filled parts in the place of those that they overlap: all, or on an error none."""
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
        self._disk.exchange(staged, map(self._series.path, [*replaced, *emptied]))

    def _remove(self, parts: Sequence[Part]) -> None:
        self._disk.remove(*map(self._series.path, parts))

    def _tidy(self) -> None:
        """Merge what has been closed. The bars are safe already: a failure can wait."""
        try:
            self._merge(patient=True)
        except StorageError as error:
            _log.warning("%s: merging its parts is put off: %s", self._series.folder, error)

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
