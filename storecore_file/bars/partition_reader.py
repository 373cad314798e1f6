"""Reads a part: its note at once, its columns when they are asked for, each proven whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol
from zlib import crc32

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storecore.bars.table import EMPTY, FIELDS, SERIES, between, owned, with_exact
from storecore.errors import CorruptData, StorageError
from storecore.values.times import to_datetime
from storecore_file.bars.partition import END, MAGIC, SEAL, VERSION, Group, Note, checksum
from storecore_file.fs.decode_errors import decoding

SMALL = 2**12  # up to here, some 80 bars, a part is kept decoded
_WHOLE = 2**18  # a file up to this size is read at once
_TAIL = 2**16
_SHORT = 2**12  # of a footer: some seven row groups
_NOTES = msgspec.json.Decoder(Note)


class _Version(msgspec.Struct):
    """What every note says, whichever release has written it."""

    version: int


_VERSIONS = msgspec.json.Decoder(_Version)
_NUMBERS = {name: number for number, name in enumerate(FIELDS)}


class Source(Protocol):
    """The bytes of a file: one that is open, or has been read."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    def fill(self, view: memoryview, start: int) -> None:
        """Read the bytes from `start` on into a view, which they fill."""
        ...


class Content(NamedTuple):
    """A file that has been read whole."""

    path: Path
    content: bytes

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.content)

    def fill(self, view: memoryview, start: int) -> None:
        """Copy the bytes from `start` on into a view, which they fill."""
        view[:] = self.content[start : start + len(view)]


class BarFile:
    """A part: its note is read at once, its columns when they are asked for.

    Raises `CorruptData` naming the file if it is damaged, `StorageError` if it cannot be read.
    """

    def __init__(self, file: Source) -> None:
        self._file = file
        self._kept: dict[tuple[str, ...], pa.Table] = {}
        with decoding(file.path, "file of bars"):
            self._buffer = pa.allocate_buffer(file.size)
            self._view = memoryview(self._buffer).cast("B")
            self._read_from = file.size
            self._read(0 if file.size <= _WHOLE else file.size - _TAIL)
            self.note, self._footer = self._opened()

    @property
    def identity(self) -> int:
        """The checksum of its end, which covers those of its columns: a number for its content."""
        footer = len(self._view) - END - len(self._footer)
        return int.from_bytes(self._view[footer - 4 : footer], "little")

    def check_series(self, symbol: str, timeframe: str) -> None:
        """Refuse a file that holds the bars of another series: a copy in a wrong place, say."""
        own = self.note
        if (own.symbol, own.timeframe) != (symbol, timeframe):
            raise self._corrupt(
                f"expected bars of {symbol!r} ({timeframe}), found those of {own.symbol!r} "
                f"({own.timeframe})"
            )

    def check_range(self, first: int, last: int) -> None:
        """Refuse a file whose bars are not of the range that its name tells."""
        groups = self.note.groups
        if groups and not first <= groups[0].first <= groups[-1].last <= last:
            found = ", ".join(str(to_datetime(at, aware=False)) for at in _ends(groups))
            raise self._corrupt(f"expected bars of the range that its name tells, found {found}")

    def rows(self, first: int, last: int, columns: Iterable[str] = SERIES.names) -> pa.Table:
        """Return the bars from instant `first` to `last` as a series table of some columns."""
        return self.load(first, last, columns)()

    def load(
        self, first: int, last: int, columns: Iterable[str] = SERIES.names
    ) -> Callable[[], pa.Table]:
        """Read and prove what `rows` needs; what is returned decodes it, on any thread."""
        names = tuple(name for name in SERIES.names if name == "date" or name in columns)
        groups = [
            number
            for number, group in enumerate(self.note.groups)
            if group.first <= last and first <= group.last
        ]
        if not groups:
            return lambda: EMPTY
        if self._file.size <= SMALL:
            return lambda: between(self._kept_table(names), first, last)
        self._prove(groups, names)
        return lambda: between(self._table(groups, names), first, last)

    def hold(self, bars: pa.Table) -> None:
        """Take the bars of the whole part as they are known already."""
        self._kept[tuple(SERIES.names)] = owned(bars)

    def _kept_table(self, names: tuple[str, ...]) -> pa.Table:
        if names not in self._kept:
            groups = list(range(len(self.note.groups)))
            self._prove(groups, names)
            self._kept[names] = self._table(groups, names)
        return self._kept[names]

    def _opened(self) -> tuple[Note, bytes]:
        """Return the note and the footer, both proven whole."""
        view, size = self._view, len(self._view)
        footer = size - END - int.from_bytes(view[-END:-4], "little")
        if footer - SEAL < len(MAGIC):
            raise ValueError("its end is not that of a part")
        self._read(footer - SEAL)
        note = footer - SEAL - int.from_bytes(view[footer - SEAL : footer - 4], "little")
        if note < len(MAGIC):
            raise ValueError("its end is not that of a part")
        self._read(note)
        if checksum(view[note : footer - 4], view[footer:]) != bytes(view[footer - 4 : footer]):
            raise ValueError("the checksum of its end does not match")
        return self._understood(view[note : footer - SEAL]), bytes(view[footer:])

    def _understood(self, text: memoryview) -> Note:
        """Decode a note, or refuse one that a later release has written."""
        try:
            note = _NOTES.decode(text)
        except ValueError:
            version = _VERSIONS.decode(text).version  # it may be one that has other fields
            if version <= VERSION:
                raise
        else:
            version = note.version
            if version <= VERSION and note.columns is None:
                return note
        raise StorageError(
            f"{self._file.path}: written by a newer storecore (format {version} of partitions, "
            f"this one reads up to {VERSION}, without further columns): update storecore",
            self._file.path,
        )

    def _prove(self, groups: list[int], names: tuple[str, ...]) -> None:
        """Read the columns of some groups, where they are not read yet, and check each."""
        numbers = [_NUMBERS[name] for name in names]
        chunks = self.note.chunks
        starts = list(accumulate([size for size, _ in chunks], initial=len(MAGIC)))
        with decoding(self._file.path, "file of bars"):
            for group in groups:
                for number in numbers:
                    chunk = group * len(FIELDS) + number
                    start, (size, checksum) = starts[chunk], chunks[chunk]
                    view = self._view[start : start + size]
                    if start < self._read_from:
                        self._file.fill(view, start)
                    if crc32(view) != checksum:
                        raise ValueError(
                            f"the checksum of bytes {start} to {start + size} is wrong"
                        )

    def _table(self, groups: list[int], names: tuple[str, ...]) -> pa.Table:
        with decoding(self._file.path, "file of bars"):
            source = pa.BufferReader(self._buffer)
            with pq.ParquetFile(source, metadata=self._metadata()) as file:
                table = file.read_row_groups(groups, names, use_threads=False)
            if table.schema != _schema(*names):
                raise ValueError(f"its columns are {table.schema}")
        if not self.note.exact or "volume" not in names:
            return table
        return with_exact(table, self._exact_volumes(groups))

    def _metadata(self) -> pq.FileMetaData:
        """Return the footer as Arrow's reader wants it; kept by its bytes: none is out of date.

        A long one, of many row groups, takes more memory than it saves time.
        """
        return (_parsed_before if len(self._footer) <= _SHORT else _parsed)(self._footer)

    def _exact_volumes(self, groups: list[int]) -> list[int | None]:
        ends = list(accumulate((group.rows for group in self.note.groups), initial=0))
        exact = self.note.exact
        return [exact.get(row) for group in groups for row in range(ends[group], ends[group + 1])]

    def _read(self, start: int) -> None:
        """Read the file from a position on, to where it has been read already."""
        if start < self._read_from:
            self._file.fill(self._view[start : self._read_from], start)
            self._read_from = start

    def _corrupt(self, problem: str) -> CorruptData:
        return CorruptData(f"{self._file.path}: {problem}", self._file.path)


def _parsed(footer: bytes) -> pq.FileMetaData:
    return pq.read_metadata(pa.BufferReader(footer))


_parsed_before = lru_cache(maxsize=4_096)(_parsed)


@lru_cache
def _schema(*names: str) -> pa.Schema:
    return pa.schema([SERIES.field(name) for name in names])


def note_start(content: bytes) -> int:
    """Return where the note of a part begins."""
    return _ends_of(memoryview(content))[1]


def _ends_of(view: memoryview) -> tuple[int, int]:
    """Return where the footer of a part begins, and its note."""
    footer = len(view) - END - int.from_bytes(view[-END:-4], "little")
    length = int.from_bytes(view[max(0, footer - SEAL) : footer - 4], "little")
    return footer, footer - SEAL - length


def _ends(groups: list[Group]) -> tuple[int, int]:
    return groups[0].first, groups[-1].last
