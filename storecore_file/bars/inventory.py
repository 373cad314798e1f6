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
from storecore_file.bars.partition import (
    Extent,
    Group,
    PartitionFile,
    check_range,
    check_series,
    extent_in,
)
from storecore_file.bars.series import Series
from storecore_file.fs.disk import Disk, is_settled
from storecore_file.fs.stat import State, known_state_at, state_of

_TAILS = (2**13, 2**18)  # bytes: the end of a partition of some ten row groups, and of most others
_MOST_KEPT = 50_000  # partitions, some 2 KB each
_NO_ROWS = Pending((), ())


class SeriesFolder(NamedTuple):
    """A folder with partitions, and the series that its name gives (None: only its files do)."""

    path: str
    symbol: str | None
    timeframe: str | None
    names: list[str]


class _Kept(NamedTuple):
    """The extent of a partition, and the file that it was read from."""

    file: State
    extent: Extent


class _NotSimple(Exception):
    """The extent of a series cannot be had from the ends of its partitions alone."""


class Inventory:
    """The extents of the series of a store. It keeps those of unchanged partitions.

    Paths are text here: to join and convert path objects took more time than the system calls.
    """

    def __init__(
        self,
        disk: Disk,
        journal: Journal,
        series: Callable[[str, str], Series],
        is_hidden: Callable[[Path], bool],
    ) -> None:
        self._disk = disk
        self._journal = journal
        self._series = series
        self._is_hidden = is_hidden
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
        if not layout.partitions or (layout.renaming and self._is_hidden(Path(folder.path))):
            return None
        key = self._key(folder, layout.partitions[0])
        if key is None:
            return None
        try:
            if layout.overlap:
                raise _NotSimple
            found = [self._found(key, folder.path, each) for each in layout.partitions]
            return key, _extent(layout.partitions, found, pending.get(key, _NO_ROWS))
        except _NotSimple:
            return key, self._by_itself(key)

    def _key(self, folder: SeriesFolder, partition: Partition) -> Key | None:
        """Return the series of a folder: its name may be only a hash (law N1)."""
        if folder.symbol is not None and folder.timeframe is not None:
            return folder.symbol, folder.timeframe
        opened = self._disk.opened(Path(folder.path, partition.name))
        if opened is None:
            return None
        with opened as file:
            metadata = PartitionFile(file).metadata
        return folder.symbol or metadata.symbol, folder.timeframe or metadata.timeframe

    def _found(self, key: Key, folder: str, partition: Partition) -> Extent:
        """Return the extent of a partition. Raises `CorruptData`, `_NotSimple` if it is gone."""
        path = f"{folder}/{partition.name}"
        kept = self._kept.get(path)
        if kept is not None and kept.file == known_state_at(path):
            return kept.extent
        now = time.time_ns()  # before the look
        file, extent = self._read(path)
        check_series(path, extent, *key)
        check_range(path, extent, partition.first, partition.last)
        self._keep(path, _Kept(file, extent), now)
        return extent

    def _read(self, path: str) -> _Kept:
        """Read the extent of a partition.

        Raises `_NotSimple` if its end is very long, or if it is gone or shrinks meanwhile.
        """
        for length in _TAILS:
            end = self._disk.end_of(path, length)
            if end is None or len(end.content) < min(length, end.found.st_size):
                break
            extent = extent_in(path, end.content, end.found.st_size)
            if extent is not None:
                return _Kept(state_of(end.found), extent)
        raise _NotSimple

    def _keep(self, path: str, kept: _Kept, now: int) -> None:
        """Keep an extent, if any later change of the file will show."""
        if is_settled(kept.file[-1], now):
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[path] = kept


def _extent(
    partitions: Sequence[Partition], extents: Sequence[Extent], pending: Pending
) -> Coverage:
    """Return the extent of partitions that do not overlap, and of the journal's rows."""
    groups = extents[0].groups if len(extents) == 1 else _groups(extents)
    new = _new_dates(partitions, extents, groups, pending) if pending.rows else []
    ends = [*new, groups[0].first, groups[-1].last] if groups else new
    if not ends:
        return Coverage(None, None, 0)
    first, last = to_datetime(min(ends), aware=True), to_datetime(max(ends), aware=True)
    return Coverage(first, last, sum([group.rows for group in groups]) + len(new))


def _groups(extents: Sequence[Extent]) -> list[Group]:
    return [group for each in extents for group in each.groups]


def _new_dates(
    partitions: Sequence[Partition],
    extents: Sequence[Extent],
    groups: Sequence[Group],
    pending: Pending,
) -> list[int]:
    """Return the dates of the journal's rows that are in no partition."""
    known = zip(partitions, (each.flushed for each in extents), strict=True)
    return [date for date in pending.dates(known) if not _is_in(date, groups)]


def _is_in(date: int, groups: Sequence[Group]) -> bool:
    """Return whether row groups have a bar of a date. Raises `_NotSimple` if they may have."""
    at = bisect_right(groups, date, key=lambda group: group.first) - 1
    if at < 0 or date > groups[at].last:
        return False
    if date in (groups[at].first, groups[at].last):
        return True
    raise _NotSimple
