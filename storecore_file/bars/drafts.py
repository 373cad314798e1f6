"""Drafts: partitions in memory, as a write is about to stage them.

An upsert, a deletion and a compaction turn partitions into drafts, change these, and have them put
in place by `LockedSeries`. A draft carries what the new file must say beside its bars: the files
that it is made from, and how far it has taken in the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from storecore.bars.table import EMPTY
from storecore_file.bars.journal import Flushed, furthest
from storecore_file.bars.layout import Partition, partition_of
from storecore_file.bars.recorded import Recorded
from storecore_file.bars.versions import NOTHING, Dated, Merged, Replaced, concatenated


class Origin(NamedTuple):
    """A partition that another is made from."""

    name: str
    generation: int
    identity: int


class Draft(NamedTuple):
    """A partition with its bars, how far it has taken in the journal, and its origins.

    `recorded` says when the bars were recorded, `replaced` which versions the write has replaced.
    """

    partition: Partition
    bars: pa.Table
    flushed: Flushed
    origins: tuple[Origin, ...] = ()
    recorded: Recorded = NOTHING.recorded
    replaced: tuple[Replaced, ...] = ()

    @classmethod
    def in_place_of(
        cls, drafts: Sequence[Draft], partition: Partition, merged: Merged, flushed: Flushed
    ) -> Draft:
        """Return one partition that replaces several; `flushed` holds for all of them."""
        origins = tuple(origin for each in drafts for origin in each.origins)
        flushed = furthest([flushed, *(each.flushed for each in drafts)])
        return cls(partition, EMPTY, flushed, origins).with_bars(merged)

    @property
    def merged(self) -> Merged:
        """Its bars, to be changed."""
        return Merged(Dated(self.bars, self.recorded), self.replaced)

    def instants(self) -> Iterator[int]:
        """Yield what a generation of it has to be above."""
        yield from (origin.generation for origin in self.origins)
        yield self.recorded.newest()
        yield from (each.newest() for each in self.replaced)

    def with_bars(self, merged: Merged) -> Draft:
        """Return the partition with changed bars."""
        (bars, recorded), replaced, _ = merged
        return self._replace(bars=bars, recorded=recorded, replaced=replaced)

    def part(self, partition: Partition, start: int, stop: int) -> Draft:
        """Return a partition of some of its rows."""
        bars, recorded = self.merged.bars.part(start, stop)
        return self._replace(partition=partition, bars=bars, recorded=recorded)


def in_one(drafts: Sequence[Draft], flushed: Flushed) -> Draft:
    """Return partitions as one that also covers the time between them."""
    partition = partition_of(drafts[0].partition.first, drafts[-1].partition.last)
    bars = concatenated(each.merged.bars for each in drafts)
    return Draft.in_place_of(drafts, partition, Merged(bars), flushed)


def without_overlaps(drafts: Sequence[Draft]) -> Merged:
    """Return the bars of the partitions that no other overlaps.

    Of those that overlap after a crash or a restore, nothing becomes history: quarantine has what
    may be missed.
    """
    alone = [
        each
        for each in drafts
        if not any(
            other is not each
            and other.partition.overlaps(each.partition.first, each.partition.last)
            for other in drafts
        )
    ]
    return Merged(concatenated(each.merged.bars for each in alone))
