"""Plans of a write: which partitions new bars make of those that a series has.

Planning reads and changes nothing: `LockedSeries` stages what a plan says. An upsert merges its
bars, and the journal's rows of the series, into the partitions in whose ranges they lie, and cuts
what has grown too long. A replacement makes one partition of everything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from storecore.bars.extra import agreed, kinds_of
from storecore.bars.table import EMPTY, SERIES, instants_of
from storecore.errors import CorruptData
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.consolidation import Doubtful, diverged
from storecore_file.bars.drafts import Draft, without_overlaps
from storecore_file.bars.journal import Pending, furthest
from storecore_file.bars.kinds import union, with_kinds
from storecore_file.bars.layout import (
    NewPartition,
    Partition,
    ceiling,
    covering,
    floor,
    is_too_long,
    new_partitions,
    partition_of,
    split_last,
    with_open_end,
)
from storecore_file.bars.locked_series import KindsChange, LockedSeries
from storecore_file.bars.partition import Metadata, PartitionFile
from storecore_file.bars.recorded import Recorded
from storecore_file.bars.unflushed import Known, Layer, Unflushed, unflushed
from storecore_file.bars.versions import Dated

NOTHING_DOUBTFUL: Doubtful = MappingProxyType({})


class Plan(NamedTuple):
    """Partitions to write: with rows of the journal that were in none yet, with other kinds."""

    put: list[Draft]
    took: bool
    change: KindsChange | None
    doubtful: Doubtful = NOTHING_DOUBTFUL


class _Group(NamedTuple):
    """The dates of a batch, from first to last, in one partition or between two (None)."""

    partition: Partition | None
    low: int
    high: int
    first: int
    last: int

    def has_all(self, dates: Sequence[int]) -> bool:
        """Return whether all of a batch's dates are in it."""
        return dates[0] == self.first and dates[-1] == self.last


def upsert_plan(
    locked: LockedSeries,
    new: pa.Table,
    partitions: Sequence[Partition],
    pending: Pending,
    recorded: Recorded | None = None,
) -> Plan:
    """Return the partitions to write for new bars and for the journal's rows of the series.

    A partition in which no bar would change, and that knows the journal's rows, is left out.
    With `recorded`, the bars replace equal ones too.
    """
    waiting = _unflushed(locked, pending)
    new, change = _agreed(locked, new, waiting, pending)
    layer = Layer(Dated.now(new)) if recorded is None else Layer(Dated(new, recorded), recorded)
    layers = (*waiting.layers, layer)
    batch = waiting._replace(layers=layers) if len(new) else waiting
    put: list[Draft] = []
    dates = batch.dates()
    for group in _groups(dates, partitions):
        rows = batch if group.has_all(dates) else batch.part(group.first, group.last)
        grown = _grown(locked, group, rows, pending, change)
        if grown is not None:
            put += _divided(grown, group, pending, group.partition in partitions[-1:])
    return Plan(put, bool(waiting.layers) and len(new) > 0, change)


def _unflushed(locked: LockedSeries, pending: Pending) -> Unflushed:
    """Return the journal's rows that are in no partition yet."""
    if not pending.rows:
        return Unflushed()
    known = locked.series.each(lambda partition, file: (partition, file.metadata))
    return unflushed(pending, known, locked.series.recorded_at)


def _agreed(
    locked: LockedSeries, new: pa.Table, waiting: Unflushed, pending: Pending
) -> tuple[pa.Table, KindsChange | None]:
    """Return new bars with the columns of the series, and what they change of their kinds.

    Raises `InvalidData` for a column of another kind (law B6).
    """
    if new.num_columns == len(SERIES):
        return new, None
    rows = waiting.tables()
    stored_kinds = map(locked.series.kinds_in, locked.found.partitions)
    known = union([*stored_kinds, *map(kinds_of, rows)])
    stored = partial(_stored, locked, rows)
    kinds, bars = agreed(known, new, stored, locked.series.symbol)
    if locked.found.marked:
        kinds = {name: kind for name, kind in kinds.items() if known.get(name) != kind}
    return bars, KindsChange(kinds, pending) if kinds else None


def _stored(locked: LockedSeries, rows: Sequence[pa.Table], name: str) -> Iterator[pa.ChunkedArray]:
    """Yield all stored values of a further column."""
    tables = (
        locked.series.open(partition, lambda _, file: file.rows(EARLIEST, LATEST, [name]))
        for partition in locked.series.layout().partitions
    )
    for table in (*rows, *tables):
        if name in table.column_names:
            yield table[name]


def _groups(dates: Sequence[int], partitions: Sequence[Partition]) -> Iterator[_Group]:
    """Yield the dates in each partition, and those between two partitions, in order of time."""
    starts = [partition.first for partition in partitions]
    at = 0
    while at < len(dates):
        before = bisect_right(starts, dates[at]) - 1
        partition = (
            partitions[before] if before >= 0 and dates[at] <= partitions[before].last else None
        )
        low = partitions[before].last + 1 if before >= 0 else EARLIEST
        high = starts[before + 1] - 1 if before + 1 < len(partitions) else LATEST
        stop = bisect_right(dates, high if partition is None else partition.last, at)
        yield _Group(partition, low, high, dates[at], dates[stop - 1])
        at = stop


def _grown(
    locked: LockedSeries,
    group: _Group,
    rows: Unflushed,
    pending: Pending,
    change: KindsChange | None,
) -> Draft | None:
    """Return the partition of a group with its rows, None if it stays as it is."""
    if group.partition is None:
        draft = Draft(Partition(group.low, group.high, ""), EMPTY, pending.through)
    else:
        draft = locked.draft(group.partition, pending)
    grown = rows.onto(draft.merged)
    if change is not None and change.kinds:
        bars, recorded = grown.bars
        bars = with_kinds(bars, change.kinds)
        grown = grown._replace(bars=Dated(bars, recorded), changed=True)
    if not grown.changed and not pending.rows:
        return None
    draft = draft.with_bars(grown)
    return draft._replace(flushed=furthest([draft.flushed, pending.through]))


def _divided(draft: Draft, group: _Group, pending: Pending, last: bool) -> Iterator[Draft]:
    """Yield a partition that has grown, or what it is cut into."""
    dates = instants_of(draft.bars)
    if group.partition is None:
        cut = new_partitions(dates, group.low, group.high)
        cut = with_open_end(cut, dates) if group.high == LATEST else cut
    else:
        cut = _cut(dates, group.partition, group.first, last)
        if not cut:
            yield draft
        elif pending.rows:  # those that were taken in and deleted must not count again
            cut = covering(cut, group.partition)
    for number, each in enumerate(cut):
        part = draft.part(*each)
        yield part if number == 0 else part._replace(replaced=())


def _cut(dates: Sequence[int], partition: Partition, since: int, last: bool) -> list[NewPartition]:
    """Return how to cut a partition that has grown; the last one is cut while it is smaller."""
    if is_too_long(len(dates)):
        return new_partitions(dates, partition.first, partition.last)
    return split_last(dates, partition, since) if last else []


def replacement_plan(
    locked: LockedSeries, new: pa.Table, partitions: Sequence[Partition], pending: Pending
) -> Plan:
    """Return one partition that covers all the series had, and holds exactly the new bars.

    So the series changes with one rename. It takes in the journal's rows, and drops them. What
    it had is not needed: a damaged partition, or one of another state of the store, is replaced
    once a copy of it is in quarantine (laws D5, D6). One that cannot be read is an error.
    """
    known, old, damaged = _proven(locked, partitions, pending)
    waiting = unflushed(pending, known, locked.series.recorded_at)
    kinds = kinds_of(new)
    change = KindsChange(kinds, pending) if kinds or locked.found.marked else None
    doubtful = damaged | diverged(locked, [each.partition for each in old])
    whole = _covering_all(new, partitions, pending)
    exactly = waiting.onto(without_overlaps(old)).exactly(new)
    put = Draft.in_place_of(old, whole, exactly, pending.through)
    return Plan([put], bool(waiting.layers), change, doubtful)


def _covering_all(new: pa.Table, partitions: Sequence[Partition], pending: Pending) -> Partition:
    """Return a partition of whole months for new bars, all others and the journal's rows."""
    dates = instants_of(new)
    ends = [dates[0], dates[-1], *(row.values[0] for row in pending.rows)]
    ends += [end for each in partitions for end in (each.first, each.last)]
    return partition_of(floor(min(ends), "month"), ceiling(max(ends), "month"))


def _proven(
    locked: LockedSeries, partitions: Sequence[Partition], pending: Pending
) -> tuple[Known, list[Draft], dict[Partition, str]]:
    """Return the partitions that are whole, with their metadata, and which are damaged."""
    known, old = list[tuple[Partition, Metadata]](), list[Draft]()
    damaged = dict[Partition, str]()

    def proof(partition: Partition, file: PartitionFile) -> tuple[Metadata, Draft]:
        file.prove()
        return file.metadata, locked.draft_of(pending, partition, file)

    for partition in partitions:
        try:
            metadata, draft = locked.series.open(partition, proof)
        except CorruptData as error:
            damaged[partition] = str(error).removeprefix(f"{locked.series.path(partition)}: ")
        else:
            known.append((partition, metadata))
            old.append(draft)
    return known, old, damaged
