"""Brings partitions together that overlap, after a crash or a copy of another state of the store.

A writer does so before it changes anything: everything else may take for granted that each instant
lies in one partition at most. `overlaps.py` says which bars count, and which partitions are
superseded; this module replaces them. What is not proven to be superseded is copied to quarantine
first (laws D5, D6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from storecore.errors import CorruptData
from storecore.values.logger import log as _log
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.drafts import Draft
from storecore_file.bars.journal import Pending
from storecore_file.bars.kinds import union
from storecore_file.bars.layout import Partition, partition_of
from storecore_file.bars.locked_series import KindsChange, LockedSeries
from storecore_file.bars.overlaps import OpenPartition, clusters, older, shown
from storecore_file.bars.unflushed import unflushed
from storecore_file.bars.versions import Dated, Merged, concatenated
from storecore_file.fs.quarantine import copy_to_quarantine, quarantine_path
from storecore_file.history import ClockMovedError

Doubtful = Mapping[Partition, str]
"""Partitions that go to quarantine, and why."""


def consolidated(locked: LockedSeries) -> list[Partition]:
    """Return the partitions, after any that overlap are brought together.

    Raises `RenamingError` if a rename of the symbol has to be settled before.
    """
    layout = locked.layout()
    while layout.overlap:
        pending = locked.pending()
        for cluster in clusters(layout.partitions):
            if len(cluster) > 1:
                with suppress(ClockMovedError):
                    _bring_together(locked, cluster, pending)
        layout = locked.layout()
    return layout.partitions


def consolidated_or_all(locked: LockedSeries) -> list[Partition]:
    """Return the partitions, brought together if none that overlap is damaged."""
    try:
        return consolidated(locked)
    except CorruptData:
        return locked.layout().partitions


def _bring_together(locked: LockedSeries, cluster: list[Partition], pending: Pending) -> None:
    """Replace partitions that overlap by the newest, or by one with all bars that count.

    Those that are not proven to be superseded are copied to quarantine before.
    """
    with locked.series.held(cluster) as held:
        old = older(held)
        doubtful = _diverged(held)
        flushed = {each.partition: each.file.metadata.flushed for each in held}
        needed = [one for one in old if one.shown or pending.needs(flushed[one.partition])]
        whole = _union(locked, held, pending) if needed else None
        kinds = union(each.file.kinds for each in held)
    quarantine(locked, doubtful)
    change = KindsChange({}, pending) if kinds else None
    if whole is not None:
        locked.replace([whole], cluster, change=change)
    else:
        gone = [one.partition for one in old]
        left = [partition for partition in cluster if partition not in gone]
        locked.remove(gone, left, change)


def _union(locked: LockedSeries, held: Sequence[OpenPartition], pending: Pending) -> Draft:
    """Return one partition in place of several, with the journal's rows of its range."""
    partition = partition_of(held[0].partition.first, max(each.partition.last for each in held))
    pieces = shown(held)
    bars = concatenated(
        Dated(file.rows(EARLIEST, LATEST), file.recorded()).between(piece.first, piece.last)
        for piece, file in pieces
    )
    known = [(piece, file.metadata) for piece, file in pieces]
    waiting = unflushed(pending, known, locked.series.recorded_at)
    gaps = waiting.part(partition.first, partition.last)
    drafts = [locked.empty_draft(pending, *each) for each in held]
    return Draft.in_place_of(drafts, partition, gaps.onto(Merged(bars)), pending.through)


def diverged(locked: LockedSeries, partitions: Sequence[Partition]) -> dict[Partition, str]:
    """Return the partitions that newer ones overlap and that have bars which these lack."""
    found = dict[Partition, str]()
    for cluster in clusters(partitions):
        if len(cluster) > 1:
            with locked.series.held(cluster) as held:
                found |= _diverged(held)
    return found


def _diverged(held: Sequence[OpenPartition]) -> dict[Partition, str]:
    found = {one.partition: one.problem for one in older(held) if one.problem}
    return {each: f"of another state than newer ones: {found[each]}" for each in found}


def quarantine(locked: LockedSeries, doubtful: Doubtful) -> None:
    """Copy partitions to quarantine, before they are replaced or removed."""
    base_path = locked.journal.folder.parent.parent
    for partition, problem in doubtful.items():
        path = locked.series.path(partition)
        into = quarantine_path(base_path, path, datetime.now(UTC))
        copy_to_quarantine(locked.disk, path, into)
        _log.warning("%s: %s; kept as %s", path, problem, into)
