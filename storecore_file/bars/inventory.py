"""The extent of every series in one pass: names of folders, ends of partitions, the journal once.

Of each partition only the end is read, which has the rows and dates of its row groups; it is kept
as long as the file is the same, so that the next inventory asks for the names and for each file
whether it has changed. The journal is read once for all series, before the partitions. A series
that needs more (partitions that overlap, a date that may be in a partition or not, files that
vanish meanwhile) is read by itself.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from storecore.reports import Coverage, SeriesCoverage
from storecore.values.times import to_datetime
from storecore_file.bars.journal import Journal, Pending
from storecore_file.bars.journal_lines import Key
from storecore_file.bars.layout import Partition, layout_of
from storecore_file.bars.partition import Group, Metadata, PartitionFile
from storecore_file.bars.series import Series
from storecore_file.fs.disk import Disk, is_settled
from storecore_file.fs.stat import Fingerprint, fingerprint, fingerprint_of

_TAIL = 2**13  # bytes: the end of a partition of some ten row groups
_MOST_KEPT = 50_000  # partitions, some 2 KB each
_NO_ROWS = Pending((), ())


class SeriesFolder(NamedTuple):
    """A folder with partitions, and the series that its name gives (None: only its files do)."""

    path: Path
    symbol: str | None
    timeframe: str | None
    names: list[str]


class _Kept(NamedTuple):
    """The metadata of a partition, and the file that it was read from."""

    file: Fingerprint
    metadata: Metadata


class _NotSimple(Exception):
    """The extent of a series cannot be had from the ends of its partitions alone."""


class Inventory:
    """The extents of the series of a store. It keeps the metadata of unchanged partitions."""

    def __init__(self, disk: Disk, journal: Journal, series: Callable[[str, str], Series]) -> None:
        self._disk = disk
        self._journal = journal
        self._series = series
        self._kept: dict[str, _Kept] = {}

    def read(self, folders: Iterator[SeriesFolder]) -> list[SeriesCoverage]:
        """Return the extent of each series that has bars, sorted. `folders` are listed lazily."""
        pending = self._journal.all_pending()  # before the partitions, which its rows move to
        extents = dict(filter(None, (self._of_folder(folder, pending) for folder in folders)))
        for key in pending.keys() - extents.keys():
            extents[key] = _extent([], [], pending[key])
        if pending and not self._are_there(pending):  # flushed meanwhile
            extents |= {key: self._by_itself(key) for key in pending}
        return [
            SeriesCoverage(*key, extent.first, extent.last, extent.count)
            for key, extent in sorted(extents.items())
            if extent.first is not None and extent.last is not None
        ]

    def _are_there(self, pending: dict[Key, Pending]) -> bool:
        """Return whether the files of all rows have not been retired since these were read."""
        names = {row.journal for each in pending.values() for row in each.rows}
        return names <= set(self._journal.files())

    def _by_itself(self, key: Key) -> Coverage:
        return self._series(*key).coverage()

    def _of_folder(
        self, folder: SeriesFolder, pending: dict[Key, Pending]
    ) -> tuple[Key, Coverage] | None:
        """Return the series of a folder and its extent, None if the folder has no partitions."""
        layout = layout_of(folder.names)
        if not layout.partitions:
            return None
        key = self._key(folder, layout.partitions[0])
        if key is None:
            return None
        try:
            if layout.overlap:
                raise _NotSimple
            found = [self._metadata(key, folder.path, each) for each in layout.partitions]
            return key, _extent(layout.partitions, found, pending.get(key, _NO_ROWS))
        except _NotSimple:
            return key, self._by_itself(key)

    def _key(self, folder: SeriesFolder, partition: Partition) -> Key | None:
        """Return the series of a folder: its name may be only a hash (law N1)."""
        if folder.symbol is not None and folder.timeframe is not None:
            return folder.symbol, folder.timeframe
        opened = self._disk.opened(folder.path / partition.name)
        if opened is None:
            return None
        with opened as file:
            metadata = PartitionFile(file).metadata
        return folder.symbol or metadata.symbol, folder.timeframe or metadata.timeframe

    def _metadata(self, key: Key, folder: Path, partition: Partition) -> Metadata:
        """Return the metadata of a partition. Raises `CorruptData`, `_NotSimple` if it is gone."""
        path = f"{folder}/{partition.name}"
        kept = self._kept.get(path)
        if kept is not None and kept.file == fingerprint(path):
            return kept.metadata
        now = time.time_ns()  # before the look
        opened = self._disk.opened(folder / partition.name)
        if opened is None:
            raise _NotSimple
        with opened as file:
            found = PartitionFile(file, _TAIL, _TAIL)
            found.check_series(*key)
            found.check_range(partition.first, partition.last)
            self._keep(path, _Kept(fingerprint_of(file.found), found.metadata), now)
            return found.metadata

    def _keep(self, path: str, kept: _Kept, now: int) -> None:
        """Keep metadata, if any later change of the file will show."""
        if is_settled(kept.file[-1], now):
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[path] = kept


def _extent(
    partitions: Sequence[Partition], metadata: Sequence[Metadata], pending: Pending
) -> Coverage:
    """Return the extent of partitions that do not overlap, and of the journal's rows."""
    groups = [group for each in metadata for group in each.groups]
    known = zip(partitions, (each.flushed for each in metadata), strict=True)
    dates = pending.dates(known) if pending.rows else set[int]()
    new = [date for date in dates if not _is_in(date, groups)]
    ends = [*new, *(each.first for each in groups[:1]), *(each.last for each in groups[-1:])]
    if not ends:
        return Coverage(None, None, 0)
    first, last = (to_datetime(at, aware=True) for at in (min(ends), max(ends)))
    return Coverage(first, last, sum(group.rows for group in groups) + len(new))


def _is_in(date: int, groups: Sequence[Group]) -> bool:
    """Return whether row groups have a bar of a date. Raises `_NotSimple` if they may have."""
    at = bisect_right(groups, date, key=lambda group: group.first) - 1
    if at < 0 or date > groups[at].last:
        return False
    if date in (groups[at].first, groups[at].last):
        return True
    raise _NotSimple
