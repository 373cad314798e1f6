"""Bars of many series that were not asked for before, copied out of memory that is used again.

New memory is what the first question about a universe took longest for: of a day of 300 symbols,
each row group that was decoded and kept took 100 KB, which the system hands out page by page. And
whoever asks once needs none of it. So such a question decodes each row group into memory that the
next one is decoded into, and copies the rows that it asks for. A series that is asked for again is
kept decoded. Whatever is not plain, is damaged or changes meanwhile is left to those who read the
files one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa

from storecore.bars.table import DATE, SERIES
from storecore.errors import StoreError
from storecore.values.times import LATEST, TimeRange
from storecore_file.bars.decoded import Dates, Decoded, Flushed, Piece
from storecore_file.bars.journal_lines import Key
from storecore_file.bars.layout import Partition
from storecore_file.bars.panel import Names, Pieces
from storecore_file.bars.partition import Group, PartitionFile
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile

MANY = 16  # series: what is decoded of fewer takes little memory, and is soon asked for again
_MOST = 1_280  # rows of a row group: more are kept as soon as they are copied
_VALUE = 8  # bytes
_Cut = tuple[int, bytes]
Looked = list[tuple[Partition, Flushed]]


class PiecesOf(Protocol):
    """Finds the bars of a range, as `Decoded.pieces` does."""

    def __call__(
        self, key: Key, span: TimeRange, names: Names, ended: int, partitions: Looked | None = None
    ) -> Pieces | None:
        """Return them, None if they are to be read otherwise."""
        ...


class Copied:
    """Rows that were copied, by the bytes of their columns."""

    __slots__ = ("_memory", "_names")

    def __init__(self, memory: tuple[memoryview | bytes, ...], names: Names) -> None:
        self._memory = memory
        self._names = names

    @property
    def dates(self) -> Dates:
        """Their dates."""
        return Dates(self._array("date"))

    def some(self, names: Names) -> pa.RecordBatch:
        """Return some of the columns that were copied."""
        schema = pa.schema([SERIES.field(name) for name in names])
        return pa.RecordBatch.from_arrays([self._array(name) for name in names], schema=schema)

    def _array(self, name: str) -> pa.Array:
        memory = self._memory[self._names.index(name)]
        kind = DATE if name == "date" else pa.float64()
        return pa.Array.from_buffers(kind, len(memory) // _VALUE, [None, pa.py_buffer(memory)])


class _OtherwiseError(Exception):
    """A series that is to be read otherwise."""


class _Question(NamedTuple):
    """What is asked of a series, and from when on its bars may still be forming."""

    key: Key
    span: TimeRange
    names: Names
    ended: int

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether something from instant `first` to `last` is asked for."""
        return first <= self.span.last and self.span.first <= last


class FirstLook:
    """A look at one series after another, by one thread, for one question."""

    def __init__(self, decoded: Decoded, disk: Disk, folder_of: Callable[[str, str], Path]) -> None:
        """Take what is kept, and what returns the folder of a symbol and timeframe."""
        self._decoded = decoded
        self._disk = disk
        self._folder_of = folder_of
        self._memory = bytearray()
        self._cuts: dict[bytes, _Cut | None] = {}
        self._is_long = False

    def pieces(
        self,
        key: Key,
        span: TimeRange,
        names: Names,
        ended: int = LATEST,
        partitions: Looked | None = None,
    ) -> Pieces | None:
        """Return what `Decoded.pieces` does, of a series that was not asked for before.

        None if it is to be read otherwise.
        """
        if self._is_long or span.newest is not None:
            return None
        listed = self._decoded.first_listed(key, str(self._folder_of(*key)), self._disk)
        if listed is None:
            return None
        asked, looked = _Question(key, span, names, ended), Looked()
        try:
            parts = [self._pieces(asked, *each, looked) for each in listed]
        except (_OtherwiseError, StoreError, MemoryError):  # the other way raises it again
            return None
        if partitions is not None:
            partitions += looked
        return [piece for part in parts for piece in part]

    def _pieces(self, asked: _Question, first: int, last: int, path: str, looked: Looked) -> Pieces:
        """Return what is asked for of a partition, which is added to `looked`."""
        if not asked.overlaps(first, last):
            return []
        file = self._disk.opened(Path(path))
        if file is None:
            raise _OtherwiseError
        with file:
            bars = self._bars_in(file)
            bars.check_series(*asked.key)
            bars.check_range(first, last)
            groups = bars.metadata.groups
            is_forming = groups and groups[-1].last > asked.ended < asked.span.last
            if is_forming or not bars.is_plain() or self._wants_much(groups, asked.span):
                raise _OtherwiseError
            looked.append((Partition(first, last, path), bars.metadata.flushed))
            found = [self._piece(asked, bars, number) for number in range(len(groups))]
            return [piece for piece in found if piece is not None]

    def _bars_in(self, file: OpenFile) -> PartitionFile:
        """Return a partition that is read into the memory of the one before."""
        if len(self._memory) < file.size:
            self._memory = bytearray(file.size)
        return PartitionFile(file, self._memory)

    def _wants_much(self, groups: Sequence[Group], span: TimeRange) -> bool:
        """Return whether a range has many rows of a group: then it has of other series too."""
        self._is_long = any(_has_many(group, span) for group in groups)
        return self._is_long

    def _piece(self, asked: _Question, bars: PartitionFile, number: int) -> Piece | None:
        """Return what is asked for of a row group, None if that is nothing."""
        _, first, last = bars.metadata.groups[number]
        if not asked.overlaps(first, last):
            return None
        cut = self._cut(asked, bars, number)
        if cut is None:
            raise _OtherwiseError
        start, dates = cut
        if not dates:
            return None
        rows = len(dates) // _VALUE
        others = bars.copied(number, asked.names, start, rows)
        if others is None:
            raise _OtherwiseError
        memory = (dates, *others)
        return Piece(memory, Copied(memory, asked.names), 0, rows)

    def _cut(self, asked: _Question, bars: PartitionFile, number: int) -> _Cut | None:
        """Return how many dates of a row group are before the range, and those in it, by bytes.

        Many series have the same dates.
        """
        stored = bytes(bars.date_chunk(number, asked.names))
        if stored not in self._cuts:
            self._cuts[stored] = bars.dates_between(number, asked.span.first, asked.span.last)
        return self._cuts[stored]


def _has_many(group: Group, span: TimeRange) -> bool:
    """Return whether a range has many rows of a group, if their dates are evenly spread."""
    first, last = max(group.first, span.first), min(group.last, span.last)
    return group.rows * (last - first + 1) > _MOST * (group.last - group.first + 1)
