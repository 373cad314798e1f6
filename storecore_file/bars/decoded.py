"""The partitions that were read last, decoded, within a budget of bytes.

An entry is kept by what its file is: device, inode, size and times (`fs.stat.State`). A writer
replaces a partition by another file, so the next look at the path finds that the entry is out of
date, whichever process has written. The time of change of an inode cannot be set, so a file of a
backup that comes back with its old times is another one too. A file is kept only if it had not
changed for longer than the clock of its file system takes to go on; else a second change could
leave the same times.

The bytes were proven when they were decoded. A row group is kept with the columns that were asked
so far. A listing of a folder is kept likewise, so that a question about a partition that is kept
costs a look at the folder, a look at the file and two bisections.

A small partition is kept by its bytes as well: the open month of a daily series is appended to more
often than its times settle.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple, Protocol
from weakref import WeakValueDictionary
from zlib import crc32

import pyarrow as pa
from msgspec import structs

from storecore.bars.extra import EXACT
from storecore.bars.table import EMPTY, SERIES, buffer_of
from storecore.knowledge.versions import Forming
from storecore.values.fork import reset_after_fork
from storecore.values.times import EARLIEST, LATEST, TimeRange
from storecore_file.bars.journal_lines import Key
from storecore_file.bars.layout import Partition, layout_of
from storecore_file.bars.partition import (
    SMALL,
    Content,
    Group,
    Metadata,
    PartitionFile,
    columns_of,
    known,
)
from storecore_file.bars.recorded import Recorded
from storecore_file.fs.disk import Disk, is_settled
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.stat import State, state_at, state_of

CACHE_BYTES = 256 * 2**20
_ENTRY, _GROUP, _SPAN, _NAME = 2_048, 1_536, 160, 256  # bytes, beside those of the columns
_SMALL = 4_096
Flushed = dict[str, int]
_VALUE = 8  # bytes
_NO_STATE = (-1, -1, -1, -1, -1)  # of no file or folder
_SEVEN = frozenset(SERIES.names)
_MOST_CHOICES = 8  # of columns
_Names = tuple[str, ...]
_Looked = tuple[int, int, str, "DecodedPartition"]  # first and last instant, path
_Place = str | Key | Path  # of a partition, of a series, of a small partition


class NotKeptError(Exception):
    """A row group, or a column of one, is not kept."""


class Dates:
    """The dates of a row group. Those of series that trade on the same days are one object.

    So a question about many series bisects once, and their dates are in memory once.
    """

    __slots__ = ("__weakref__", "_cut", "array", "instants")

    def __init__(self, array: pa.Array) -> None:
        self.array = array
        self.instants: memoryview[int] = buffer_of(pa.chunked_array([array]), "q")
        self._cut = (LATEST, EARLIEST, 0, 0)

    def is_at(self, place: int, array: pa.Array) -> bool:
        """Return whether an array, whose values are at an address in memory, is that of these."""
        own = self.array
        same = len(own), own.offset, own.buffers()[1].address
        return same == (len(array), array.offset, place)

    def shared(self) -> pa.Array:
        """Return the dates for another partition, in memory that has no others.

        They may stay longer than the partition that they were decoded with.
        """
        if self.array.get_total_buffer_size() > self.array.nbytes:
            own = pa.py_buffer(bytes(self.instants))
            self.array = pa.Array.from_buffers(self.array.type, len(self.array), [None, own])
            self.instants = buffer_of(pa.chunked_array([self.array]), "q")
        return self.array

    def cut(self, first: int, last: int) -> tuple[int, int, int, int]:
        """Return a range, where it begins in the dates, and how many of them it has."""
        cut = self._cut  # of the last question: one object, so that threads need no lock
        if cut[0] != first or cut[1] != last:
            start = bisect_left(self.instants, first)
            rows = bisect_right(self.instants, last, start) - start
            cut = self._cut = (first, last, start, rows)
        return cut


class Spans:
    """The extents of the row groups of a partition, one object for partitions of equal ones."""

    __slots__ = ("__weakref__", "_within", "groups")

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = groups
        self._within: tuple[int, int, Sequence[int]] = (LATEST, EARLIEST, ())

    def within(self, first: int, last: int) -> Sequence[int]:
        """Return the numbers of the row groups that overlap a range."""
        found = self._within
        if found[0] != first or found[1] != last:
            numbers = [
                n for n, (_, low, high) in enumerate(self.groups) if low <= last and first <= high
            ]
            found = self._within = (first, last, numbers)
        return found[2]


class Columns:
    """A row group: its dates, and the columns that were decoded."""

    __slots__ = ("_chosen", "_memory", "batch", "bytes", "dates")

    def __init__(self, batch: pa.RecordBatch, dates: Dates) -> None:
        self.batch = batch
        self.dates = dates
        is_plain = _SEVEN.issuperset(batch.schema.names)
        self.bytes: int = _VALUE * batch.num_rows * batch.num_columns if is_plain else batch.nbytes
        self._chosen: dict[_Names, pa.RecordBatch] = {tuple(batch.schema.names): batch}
        self._memory: dict[_Names, tuple[memoryview, ...]] = {}

    def memory(self, names: _Names) -> tuple[memoryview, ...]:
        """Return the bytes of some columns of 8-byte values.

        Raises `NotKeptError` if one is missing, or has nulls.
        """
        memory = self._memory.get(names)
        if memory is None:
            memory = tuple(map(_bytes_of, self.some(names).columns))
            self._memory[names] = memory
        return memory

    def some(self, names: _Names) -> pa.RecordBatch:
        """Return some of the columns. Raises `NotKeptError` if one is missing."""
        chosen = self._chosen.get(names)
        if chosen is None:
            if not set(names) <= set(self.batch.schema.names):
                raise NotKeptError
            if len(self._chosen) >= _MOST_CHOICES:
                self._chosen, self._memory = {}, {}
            chosen = self._chosen[names] = self.batch.select(list(names))
        return chosen

    def with_more(self, other: Columns) -> Columns:
        """Return the columns of another one, and those of these that it lacks."""
        own, given = self.batch.schema.names, other.batch.schema.names
        if set(own) <= set(given):
            return other
        names = [*given, *(name for name in own if name not in given)]
        both = [(other if name in given else self).batch for name in names]
        fields = [each.schema.field(name) for each, name in zip(both, names, strict=True)]
        arrays = [each[name] for each, name in zip(both, names, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
        return Columns(batch, other.dates)


class Rows(Protocol):
    """What rows are of: a row group that is kept, or what was copied of one."""

    @property
    def dates(self) -> Dates:
        """The dates of all of them."""
        ...

    def some(self, names: _Names) -> pa.RecordBatch:
        """Return some of the columns."""
        ...


class Piece(NamedTuple):
    """Rows of a row group that follow each other, and the bytes of the columns asked for."""

    memory: tuple[memoryview | bytes, ...]
    columns: Rows
    start: int
    rows: int


class DecodedPartition(NamedTuple):
    """A partition: the state of its file, its metadata, and the row groups that are kept.

    It is plain if its bars have the seven columns alone, and no volume that needs another one.
    """

    state: State
    metadata: Metadata
    spans: Spans
    groups: dict[int, Columns]
    is_plain: bool
    has_exact: bool
    times: Recorded | None = None

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        columns: int = sum([_GROUP + each.bytes for each in self.groups.values()])
        return _ENTRY + _SPAN * len(self.metadata.groups) + columns

    def load(
        self, first: int, last: int, columns: Collection[str] | None = None
    ) -> Callable[[], pa.Table]:
        """Return a function that returns the bars of a range. Raises `NotKeptError`."""
        names = columns_of(self.metadata, columns)
        if self.has_exact and "volume" in names:
            names = (*names, EXACT)
        found = self._within(first, last, names)
        return lambda: pa.Table.from_batches(found) if found else EMPTY

    def load_known(
        self, first: int, last: int, columns: Collection[str] | None, forming: Forming
    ) -> Callable[[], pa.Table]:
        """Return a function that returns what a view shows of a range. Raises `NotKeptError`."""
        return known(self, self.load(first, last, columns), last, forming)

    def recorded(self) -> Recorded:
        """Return when its rows were recorded. Raises `NotKeptError`."""
        if self.times is None:
            raise NotKeptError
        return self.times

    def rows_until(self, last: int) -> int:
        """Return how many bars are dated not after an instant, after which there are others.

        Raises `NotKeptError`.
        """
        groups = self.metadata.groups
        number = next(number for number, each in enumerate(groups) if each.last > last)
        low, before = groups[number].first, sum(each.rows for each in groups[:number])
        return before + (self._columns(number).dates.cut(low, last)[3] if low <= last else 0)

    def _within(self, first: int, last: int, names: _Names) -> list[pa.RecordBatch]:
        found = []
        for number in self.spans.within(first, last):
            columns = self._columns(number)
            _, _, start, rows = columns.dates.cut(first, last)
            found.append(columns.some(names).slice(start, rows))
        return found

    def pieces(self, first: int, last: int, names: _Names) -> list[Piece]:
        """Return the bars of a range of a plain partition. Raises `NotKeptError`."""
        found = []
        groups = self.groups
        for number in self.spans.within(first, last):
            columns = groups.get(number)
            if columns is None:
                raise NotKeptError
            memory = columns.memory(names)
            _, _, start, rows = columns.dates.cut(first, last)
            if rows:
                found.append(Piece(memory, columns, start, rows))
        return found

    def _columns(self, number: int) -> Columns:
        columns = self.groups.get(number)
        if columns is None:
            raise NotKeptError
        return columns


class _SmallPartition(NamedTuple):
    """A partition that is kept by its bytes."""

    content: bytes
    file: PartitionFile

    @property
    def bytes(self) -> int:
        return max(4 * len(self.content), self.file.decoded_bytes) + _SMALL


class _Folder(NamedTuple):
    """The folder of a series as it was listed: its partitions, of which no two overlap."""

    path: str
    state: State
    partitions: Sequence[tuple[int, int, str]]

    @property
    def bytes(self) -> int:
        return _NAME * (2 + len(self.partitions))


class Decoded:
    """The partitions of a store that are kept decoded; what was used last stays the longest.

    With a budget of 0 bytes nothing is kept. Threads share it. A forked child begins with nothing.
    """

    def __init__(self, budget: int = 0) -> None:
        self.budget = budget
        self.after_fork()
        reset_after_fork(self)

    def after_fork(self) -> None:
        """Reset in a forked child: a thread that it does not have may have held the lock."""
        self._lock = RLock()  # a signal handler that reads may come while it is held
        self._forget()

    def _forget(self) -> None:
        self._partitions: dict[str, DecodedPartition] = {}
        self._folders: dict[Key, _Folder] = {}
        self._small: dict[Path, _SmallPartition] = {}
        self._sizes: OrderedDict[_Place, int] = OrderedDict()
        self._dates: WeakValueDictionary[int, Dates] = WeakValueDictionary()
        self._dates_at: WeakValueDictionary[int, Dates] = WeakValueDictionary()  # by their address
        self._spans: WeakValueDictionary[tuple[Group, ...], Spans] = WeakValueDictionary()
        self.bytes = 0

    def __reduce__(self) -> tuple[type[Decoded], tuple[int]]:
        return Decoded, (self.budget,)  # a copy, in another process, reads for itself

    def close(self) -> None:
        """Forget everything, and keep nothing from now on."""
        self.budget = 0
        with self._lock:
            self._forget()

    def has_some(self, symbols: Iterable[str], timeframe: str) -> bool:
        """Return whether the folder of one of the series is kept."""
        folders = self._folders
        return any((symbol, timeframe) in folders for symbol in symbols)

    def partition(self, path: str) -> DecodedPartition | None:
        """Return the partition at a path, None if it is not kept, or its file has changed."""
        kept = self._partitions.get(path)
        if kept is None or state_at(path) != kept.state:
            return None
        self._use([path])
        return kept

    def pieces(
        self,
        key: Key,
        span: TimeRange,
        names: _Names,
        ended: int = LATEST,
        partitions: list[tuple[Partition, Flushed]] | None = None,
    ) -> list[Piece] | None:
        """Return some columns of the bars of a range, in order of time.

        None if something of it is not kept, or is not plain, or if it reaches beyond `ended`. If
        `span.newest` is set, these are exactly the newest bars. The partitions that were looked at
        are added to `partitions`, with how far the journal was flushed into them.
        """
        folder = self._folders.get(key)
        if folder is None or state_at(folder.path) != folder.state:
            return None
        looked: list[_Looked] = []
        try:
            if span.newest is None:
                found = self._all(folder, span, names, ended, looked)
            else:
                found = self._newest(folder, span, names, ended, looked)
        except NotKeptError:
            return None
        self._use([key, *[each[2] for each in looked]])
        if partitions is not None:
            partitions += [(Partition(*each[:3]), each[3].metadata.flushed) for each in looked]
        return found

    def _all(
        self, folder: _Folder, span: TimeRange, names: _Names, ended: int, looked: list[_Looked]
    ) -> list[Piece]:
        first, last, _ = span
        found: list[Piece] = []
        for low, high, path in folder.partitions:
            if low > last:
                break
            if high >= first:
                kept = self._plain(path, last, ended)
                found += kept.pieces(first, last, names)
                looked.append((low, high, path, kept))
        return found

    def _plain(self, path: str, last: int, ended: int) -> DecodedPartition:
        """Return a plain partition as its file is now. Raises `NotKeptError`."""
        kept = self._partitions.get(path)
        if kept is None or not kept.is_plain or state_at(path) != kept.state:
            raise NotKeptError
        if last > ended and kept.metadata.groups and kept.metadata.groups[-1].last > ended:
            raise NotKeptError
        return kept

    def _newest(
        self, folder: _Folder, span: TimeRange, names: _Names, ended: int, looked: list[_Looked]
    ) -> list[Piece]:
        first, last, _ = span
        found: list[Piece] = []
        count = span.newest or 0
        for low, high, path in reversed(folder.partitions):
            if count <= 0 or high < first:
                break
            if low <= last:
                kept = self._plain(path, last, ended)
                some = kept.pieces(first, last, names)
                count -= sum(each.rows for each in some)
                found = some + found
                looked.append((low, high, path, kept))
        return newest(found, span.newest)

    def keep(
        self,
        path: str,
        state: State,
        metadata: Metadata,
        numbers: Sequence[int],
        table: pa.Table,
    ) -> None:
        """Keep the columns of some row groups, which a table has one after another."""
        kept = self._partitions.get(path)
        if kept is None or kept.state != state:
            has_exact, plain = bool(metadata.exact), metadata.columns is None
            short = structs.replace(metadata, chunks=[], exact={}, replaces=[])
            kept = DecodedPartition(
                state, short, self._spans_of(short), {}, plain and not has_exact, has_exact
            )
        groups, at = dict(kept.groups), 0
        for number in numbers:
            rows = metadata.groups[number].rows
            columns = self._columns_of(_batch(table.slice(at, rows)))
            before = groups.get(number)
            groups[number] = columns if before is None else before.with_more(columns)
            at += rows
        self._keep(self._partitions, path, kept._replace(groups=groups))

    def _spans_of(self, metadata: Metadata) -> Spans:
        key = tuple(metadata.groups)
        return self._spans.setdefault(key, Spans(key))

    def _columns_of(self, batch: pa.RecordBatch) -> Columns:
        """Return a row group, with the dates of another one if they are equal."""
        column = batch.column(0)
        place = column.buffers()[1].address
        known = self._dates_at.get(place)
        if known is not None and known.is_at(place, column):
            return Columns(batch, known)
        dates = self._dates_at[place] = Dates(column)
        key = crc32(memoryview(dates.instants).cast("B"))
        known = self._dates.setdefault(key, dates)
        if known is dates or not known.array.equals(dates.array):
            return Columns(batch, dates)
        return Columns(batch.set_column(0, batch.schema.field(0), known.shared()), known)

    def keep_times(self, path: str, state: State, times: Recorded) -> None:
        """Keep when the rows of a partition were recorded, if it is kept."""
        kept = self._partitions.get(path)
        if kept is not None and kept.state == state:
            self._keep(self._partitions, path, kept._replace(times=times))

    def keep_folder(self, key: Key, folder: str, disk: Disk) -> None:
        """Keep how the folder of a series is listed, if a listing alone says what counts in it."""
        known = self._folders.get(key)
        if not self.budget or (known is not None and known.state == state_at(folder)):
            return
        listed = _listed(folder, disk)
        if listed is not None:
            self._keep(self._folders, key, listed)

    def first_listed(
        self, key: Key, folder: str, disk: Disk
    ) -> Sequence[tuple[int, int, str]] | None:
        """Return the ranges and paths of the partitions of a series that was not asked for before.

        None if it was, or if a listing alone does not say what counts. From now on it was.
        """
        if key in self._folders:
            return None
        listed = _listed(folder, disk)
        self._keep(self._folders, key, listed or _Folder(folder, _NO_STATE, []))
        return None if listed is None else listed.partitions

    def bars_in(self, file: OpenFile) -> PartitionFile:
        """Return the partition in an open file. A small one is kept decoded, by its bytes."""
        if file.size > SMALL:
            return PartitionFile(file)
        content = bytearray(file.size)
        file.fill(memoryview(content), 0)
        return self.small(file.path, bytes(content))

    def small(self, path: Path, content: bytes) -> PartitionFile:
        """Return the small partition with these bytes. Raises `CorruptData`."""
        kept = self._small.get(path)
        if kept is None or kept.content != content:
            kept = _SmallPartition(content, PartitionFile(Content(path, content)))
            self._keep(self._small, path, kept)
        else:
            self._use([path])
        return kept.file

    def hold(self, path: Path, content: bytes, bars: pa.Table, recorded: Recorded) -> None:
        """Keep a partition that is about to be written, for the next append or read."""
        if len(content) <= SMALL and self.budget:
            self.small(path, content).hold(bars, recorded)

    def _keep(self, kept: dict[Any, Any], place: _Place, entry: Any) -> None:
        size = entry.bytes
        kinds: tuple[dict[Any, Any], ...] = (self._partitions, self._folders, self._small)
        with self._lock:
            self.bytes -= self._sizes.pop(place, 0)
            if size > self.budget:
                kept.pop(place, None)
                return
            self.bytes += size
            kept[place] = entry
            self._sizes[place] = size
            while self.bytes > self.budget and self._sizes:
                oldest, freed = self._sizes.popitem(last=False)
                self.bytes -= freed
                for each in kinds:
                    each.pop(oldest, None)
            if not self._sizes:
                self.bytes = 0  # also if an exception of a signal handler left another number

    def _use(self, places: Iterable[_Place]) -> None:
        sizes = self._sizes
        with self._lock:
            for place in places:
                if place in sizes:  # not evicted meanwhile
                    sizes.move_to_end(place)


class Keeping:
    """A partition that is read from its file; what is decoded of it is kept."""

    def __init__(self, decoded: Decoded, path: str, file: PartitionFile, state: State) -> None:
        self.metadata = file.metadata
        self._decoded = decoded
        self._path = path
        self._file = file
        self._state = state
        self._times: Recorded | None = None

    def load(
        self, first: int, last: int, columns: Collection[str] | None = None
    ) -> Callable[[], pa.Table]:
        """Read and check what is needed of a range; the function that is returned decodes it."""
        return self._file.load(first, last, columns, self._keep)

    def load_known(
        self, first: int, last: int, columns: Collection[str] | None, forming: Forming
    ) -> Callable[[], pa.Table]:
        """Read and check what a view shows of a range; see `load`."""
        return known(self, self.load(first, last, columns), last, forming)

    def recorded(self) -> Recorded:
        """Return when the rows were recorded."""
        self._times = self._file.recorded()
        return self._times

    def rows_until(self, last: int) -> int:
        """Return how many bars are dated not after an instant."""
        return self._file.rows_until(last)

    def _keep(self, numbers: Sequence[int], table: pa.Table) -> None:
        with suppress(MemoryError):  # then it is not kept
            self._decoded.keep(self._path, self._state, self.metadata, numbers, table)
            if self._times is not None:
                self._decoded.keep_times(self._path, self._state, self._times)


def state_to_keep(file: OpenFile) -> State | None:
    """Return the state of an open file, None if a later change may not show in it."""
    state = state_of(file.found)
    return state if is_settled(state[-1], file.looked_at) else None


def _listed(folder: str, disk: Disk) -> _Folder | None:
    """Return how a folder is listed now, None if that does not say what counts in it."""
    listing = disk.listing(folder)
    if listing is None:
        return None
    state, names = listing
    layout = layout_of(sorted(names))
    if layout.overlap or layout.marked or layout.renaming:
        return None
    return _Folder(
        folder, state, [(*each[:2], f"{folder}/{each[2]}") for each in layout.partitions]
    )


def _batch(table: pa.Table) -> pa.RecordBatch:
    """Return a table as one batch, without a copy if its columns are in one piece."""
    batches = table.to_batches()
    return batches[0] if len(batches) == 1 else table.combine_chunks().to_batches()[0]


def _bytes_of(array: pa.Array) -> memoryview:
    """Return the bytes of 8-byte values. Raises `NotKeptError` if some are null."""
    if array.null_count:
        raise NotKeptError
    first = array.offset * _VALUE
    return memoryview(array.buffers()[1]).cast("B")[first : first + len(array) * _VALUE]


def newest(pieces: list[Piece], number: int | None) -> list[Piece]:
    """Return the last rows of pieces, all if `number` is None."""
    if number is None:
        return pieces
    found: list[Piece] = []
    for piece in reversed(pieces):
        rows = min(piece.rows, number)
        if rows:
            found.append(piece._replace(start=piece.start + piece.rows - rows, rows=rows))
        number -= rows
    return found[::-1]
