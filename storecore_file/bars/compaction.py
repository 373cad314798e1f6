"""Compaction: partitions of a series that are merged, cut, or removed once they are empty.

None of this changes a bar, so all of it may be put off: a failure costs nothing but time. What
sizes are best, `layout.py` says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial

from storecore.bars.table import instants_of
from storecore_file.bars.consolidation import consolidated
from storecore_file.bars.drafts import Draft, in_one
from storecore_file.bars.layout import (
    BAR_BYTES,
    SMALL_BYTES,
    Partition,
    covering,
    is_too_long,
    may_merge,
    mergeable,
    new_partitions,
)
from storecore_file.bars.locked_series import LockedSeries
from storecore_file.fs.errors import best_effort
from storecore_file.history import ClockMovedError

_SHARES = (100, 85, 70, 55, 120, 140)  # percent of the usual rows, until all names are new


def tidy(locked: LockedSeries) -> None:
    """Merge closed partitions. The bars are safe already: a failure is logged."""
    with best_effort(locked.folder, "merging its partitions is put off"):
        merge(locked, patient=True)


def merge(locked: LockedSeries, patient: bool) -> int:
    """Merge small closed partitions into their neighbours; return how many went away.

    `patient` waits until a merge is cheap beside what it gains.
    """
    merged = 0
    while True:
        closed, pending = consolidated(locked)[:-1], locked.pending()
        run = mergeable(_weights(locked, closed), patient)
        if run is None:
            return merged
        drafts = [locked.draft(partition, pending) for partition in closed[run]]
        with suppress(ClockMovedError):
            locked.replace([in_one(drafts, pending.flushed)], closed[run])
            merged += len(drafts) - 1


def _weights(locked: LockedSeries, partitions: Sequence[Partition]) -> list[int]:
    """Return the bytes of partitions, or of as many usual bars if their own are very small.

    One that is too large to be merged is not opened: it has the bytes of its file.
    """
    sizes = [_size(locked, partition) for partition in partitions]
    return [
        max(size, locked.rows(partition) * BAR_BYTES) if asked else size
        for partition, size, asked in zip(partitions, sizes, may_merge(sizes), strict=True)
    ]


def _size(locked: LockedSeries, partition: Partition) -> int:
    return locked.disk.size(locked.series.path(partition)) or 0


def divide(locked: LockedSeries, taken: Collection[str]) -> None:
    """Cut partitions that are too long, into others than those with some names."""
    partitions, pending = consolidated(locked), locked.pending()
    for partition in partitions:
        if is_too_long(locked.rows(partition)):
            _divide_one(locked, locked.draft(partition, pending), taken)


def _divide_one(locked: LockedSeries, draft: Draft, taken: Collection[str]) -> None:
    dates, partition = instants_of(draft.bars), draft.partition
    for percent in _SHARES:
        cut = new_partitions(dates, partition.first, partition.last, percent)
        cut = covering(cut, partition)  # rows of the journal that were dropped stay so
        if len(cut) > 1 and not any(each.partition.name in taken for each in cut):
            return locked.replace([draft.part(*each) for each in cut], [partition])
    return None  # the next write to it does so


def drop_empty(locked: LockedSeries) -> None:
    """Remove partitions without bars that the journal does not need any more.

    Large files are not opened: they have bars.
    """
    pending = locked.pending()
    empty = [
        locked.series.open(partition, partial(locked.empty_draft, pending))
        for partition in consolidated(locked)
        if _size(locked, partition) <= SMALL_BYTES and not locked.rows(partition)
    ]
    locked.remove([each.partition for each in empty if not pending.needs(each.flushed)])
