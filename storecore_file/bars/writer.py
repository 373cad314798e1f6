"""Writes series: the changes of one series, each under its lock.

    plan.py            which partitions an upsert makes
    deletion.py        partitions that lose bars
    compaction.py      partitions that are merged, cut or removed
    consolidation.py   partitions that overlap after a crash, brought together before anything else
    locked_series.py   how drafts of partitions are staged and put in place
    batch.py           an upsert of several series: all or none

A change begins with a look at the partitions and at the journal. If another writer or a question
made that look out of date before the files were exchanged, it is made again.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import partial

import pyarrow as pa

from storecore.bars.table import EMPTY, instants_of
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars import compaction
from storecore_file.bars.consolidation import consolidated
from storecore_file.bars.deletion import delete_range, take_out
from storecore_file.bars.history import BarHistory, Past
from storecore_file.bars.journal import KindsChangedError, Pending
from storecore_file.bars.layout import MARK, Partition, partition_of
from storecore_file.bars.locked_series import LockedSeries, unless_asked
from storecore_file.bars.partition import PartitionFile, encode
from storecore_file.bars.plan import upsert_plan
from storecore_file.bars.recorded import Recorded
from storecore_file.bars.series import Series
from storecore_file.bars.versions import Dated, Replaced
from storecore_file.fs.locks import Locked
from storecore_file.history import ClockMovedError


class SeriesWriter:
    """Writes one series, whose folder exists."""

    def __init__(self, series: Series, lock_timeout: float, history: BarHistory) -> None:
        self.lock = partial(Locked, series.folder / ".lock", lock_timeout)
        self.locked = LockedSeries(series, history)  # to be used under the lock

    def write(self, new: pa.Table) -> None:
        """Upsert a series table, together with what the journal has of the series."""
        with self.lock():
            upsert(self.locked, new)

    def delete(self, first: int, last: int) -> int:
        """Remove the bars from instant `first` to `last`; return how many there were.

        A partition that has taken in rows of the journal stays when it is empty: else the journal's
        would count again. `drop_empty` removes it once they are gone from there.
        """

        def delete() -> int:
            return delete_range(self.locked, *after_flush(self.locked), first, last)

        with self.lock():
            return unless_asked(delete)

    def restore(self, past: Replaced, present: Dated) -> None:
        """Take in versions of another store: what was replaced, and what is held.

        A bar that takes the place of one that ends replaces it with one rename, so that no reader
        misses the date (law B4). Only then are those removed that end without another one.
        """
        ended = {
            *zip(instants_of(past.old.bars), past.old.recorded.column().to_pylist(), strict=True)
        }
        with self.lock():
            self.locked.history.restore(self.locked.key, past)
            unless_asked(lambda: self._put_in(present))
            if ended:
                unless_asked(lambda: take_out(self.locked, *after_flush(self.locked), ended))

    def _put_in(self, present: Dated) -> None:
        """Upsert bars with their instants. What they replace is in the log already."""
        if not len(present.bars):
            return
        partitions, pending = after_flush(self.locked)
        plan = upsert_plan(self.locked, present.bars, partitions, pending, present.recorded)
        put = [each._replace(replaced=()) for each in plan.put]
        self.locked.replace(put, partitions, change=plan.change)
        compaction.tidy(self.locked)

    def merge(self, patient: bool) -> int:
        """Merge small closed partitions into their neighbours.

        Return how many partitions went away.
        """
        with self.lock():
            # partitions with different states of the journal must not be merged
            upsert(self.locked, EMPTY)
            merged = compaction.merge(self.locked, patient)
            self.locked.mark(bool(self.locked.series.kinds()))
            return merged

    def tidy(self) -> None:
        """Merge closed partitions."""
        with self.lock():
            compaction.tidy(self.locked)

    def divide(self, taken: Collection[str]) -> None:
        """Cut partitions that are too long, into others than those with some names.

        A reader that is between two partitions would else find the name of an older one there.
        """
        with self.lock():
            unless_asked(lambda: compaction.divide(self.locked, taken))

    def drop_empty(self) -> None:
        """Remove partitions without bars that the journal does not need any more."""
        with self.lock():
            compaction.drop_empty(self.locked)

    def copy_to(self, other: Series, generation: int) -> None:
        """Write all bars into the folder of another series. The caller holds the locks of both."""
        own, disk = self.locked.series, self.locked.disk
        flushed = own.journal.pending(other.key).through

        def copy(piece: Partition, file: PartitionFile) -> None:
            bars = file.rows(piece.first, piece.last)
            path = other.path(partition_of(piece.first, piece.last))
            disk.replace(path, encode(*other.key, bars, flushed, generation))
            held = Dated(file.rows(EARLIEST, LATEST), file.recorded())
            moved.append(held.between(piece.first, piece.last))

        if own.layout().marked:
            disk.add(other.folder / MARK, b"")
        moved: list[Dated] = []
        own.each(copy)
        gone = tuple(Replaced(each, Recorded(len(each.bars))) for each in moved)
        self.locked.history.keep(own.key, Past(generation, gone))


def upsert(locked: LockedSeries, new: pa.Table) -> None:
    """Upsert a series table, together with what the journal has of the series."""
    while True:
        with suppress(KindsChangedError, ClockMovedError):
            return _try_to_upsert(locked, new)


def _try_to_upsert(locked: LockedSeries, new: pa.Table) -> None:
    partitions, pending = consolidated(locked), locked.pending()
    plan = upsert_plan(locked, new, partitions, pending)
    if not plan.put:
        if pending.rows or len(new):  # who wrote them may have been killed before a sync
            locked.disk.sync_folder(locked.folder)
        return
    locked.replace(plan.put, partitions, change=plan.change)
    if plan.took:
        locked.journal.take(locked.key, pending)
    if any(draft.partition not in partitions for draft in plan.put):
        compaction.tidy(locked)


def after_flush(locked: LockedSeries) -> tuple[list[Partition], Pending]:
    """Return the partitions once they have all rows of the journal, and these rows."""
    upsert(locked, EMPTY)
    return consolidated(locked), locked.pending()
