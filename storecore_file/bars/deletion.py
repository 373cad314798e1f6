"""Deletions: partitions that lose bars, and what the series keeps of their further columns.

The caller has brought the journal's rows into the partitions before. A column keeps its kind until
the series is deleted whole, so another partition takes over a kind that the last bars with it had.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from storecore.bars.extra import kinds_of
from storecore.bars.table import EMPTY, instants_of
from storecore_file.bars.drafts import Draft
from storecore_file.bars.journal import Pending
from storecore_file.bars.kinds import union, with_kinds
from storecore_file.bars.layout import Partition
from storecore_file.bars.locked_series import KindsChange, LockedSeries
from storecore_file.bars.versions import Dated, Merged


def delete_range(
    locked: LockedSeries,
    partitions: Sequence[Partition],
    pending: Pending,
    first: int,
    last: int,
) -> int:
    """Remove the bars from instant `first` to `last`; return how many there were."""
    touched = [
        locked.draft(partition, pending)
        for partition in partitions
        if partition.overlaps(first, last)
    ]
    kept = [each.with_bars(each.merged.without(first, last)) for each in touched]
    _shrink(locked, touched, kept, partitions, pending)
    return sum(len(draft.bars) for draft in touched) - sum(len(draft.bars) for draft in kept)


def take_out(
    locked: LockedSeries,
    partitions: Sequence[Partition],
    pending: Pending,
    ended: Collection[tuple[int, int]],
) -> None:
    """Remove bars that are versions in the log by now, given by date and `recorded`."""
    touched, kept = list[Draft](), list[Draft]()
    for partition in partitions:
        if any(partition.first <= date <= partition.last for date, _ in ended):
            draft = locked.draft(partition, pending)
            left = _without(draft.merged.bars, ended)
            if len(left.bars) < len(draft.bars):
                touched.append(draft)
                kept.append(draft.with_bars(Merged(left)))
    if touched:
        _shrink(locked, touched, kept, partitions, pending)


def _without(bars: Dated, ended: Collection[tuple[int, int]]) -> Dated:
    """Return bars without some, given by date and `recorded`."""
    keys = zip(instants_of(bars.bars), bars.recorded.column().to_pylist(), strict=True)
    return Dated.of(bars.table().filter(pa.array([key not in ended for key in keys], pa.bool_())))


def _shrink(
    locked: LockedSeries,
    touched: list[Draft],
    kept: list[Draft],
    partitions: Sequence[Partition],
    pending: Pending,
) -> None:
    """Put partitions in place that have lost bars."""
    written = _with_kinds_of(locked, touched, kept, partitions, pending)
    has_left = any(len(each.bars) for each in written)
    lost = {} if has_left else union(kinds_of(each.bars) for each in touched)
    change = KindsChange({}, pending) if lost else None
    locked.replace_or_remove(written, partitions, pending, change)


def _with_kinds_of(
    locked: LockedSeries,
    before: list[Draft],
    kept: list[Draft],
    partitions: Sequence[Partition],
    pending: Pending,
) -> list[Draft]:
    """Return partitions after a deletion, and one more if it has to keep kinds of the series.

    An empty partition has none.
    """
    kinds = union(kinds_of(each.bars) for each in before)
    if not kinds:
        return kept
    left = [each for each in kept if len(each.bars)]
    emptied = [each._replace(bars=EMPTY) for each in kept if not len(each.bars)]
    done = {each.partition for each in before}
    others = [each for each in partitions if each not in done and locked.rows(each)]
    known = union([*(kinds_of(each.bars) for each in left), *map(locked.series.kinds_in, others)])
    lost = {name: kind for name, kind in kinds.items() if known.get(name) != kind}
    if lost and (left or others):
        holder = left.pop() if left else locked.draft(others[-1], pending)
        left.append(holder._replace(bars=with_kinds(holder.bars, lost)))
    return [*left, *emptied]
