"""A partition: a Parquet file of bars, whose columns are those of `PriceBar`, then further ones.

The symbol is a column, so that a file read alone says whose bars it holds. What the columns cannot
say lies in its *metadata*, JSON between the last column and the footer, which Parquet readers skip:

    PAR1 | column chunks | block | metadata | length | CRC-32 of metadata and footer | footer | …

It holds the series, the generation, the rows and dates of each row group, length and CRC-32 of each
column chunk, whole volumes beyond 2**53, and how far the journal was flushed into the partition. So
every byte is checked when it is used, the range and count of a partition are known from its end
alone, and a few columns of a few row groups are read without the rest.

Versions of the metadata: 2 has no generation (it counts as 0); 3 has the seven columns, all of them
required. 4 has further columns, which its metadata names with their kinds, or a volume that is
null. 5 has a block that says when its rows were recorded (see `recorded.py`); in its metadata the
last column chunk includes that block, so that the checksum covers it. 4 and 5 are written only
then, so that an earlier release refuses what it would drop. A later version is refused.
Format: https://parquet.apache.org/docs/file-format/

A generation says which of two partitions was written later, whatever the clock says. It is the time
of writing in microseconds, or one more than the highest generation among the partitions that it was
made from, if that is larger (a hybrid logical clock, Kulkarni and others, 2014). So a partition is
newer than those that it replaces even after the clock was set back, and a partition for a new range
is newer than a file that comes back from an older copy.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar
from zlib import crc32

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storecore.bars.extra import EXACT, TYPES, is_asked, kinds_of
from storecore.bars.extra_values import FIELDS
from storecore.bars.table import (
    EMPTY,
    SERIES,
    between,
    instants_of,
    owned,
    repeated,
    repeated_once,
    with_exact,
)
from storecore.errors import CorruptData, StorageError
from storecore.knowledge.versions import Forming
from storecore.values.times import to_datetime
from storecore_file.bars.date_pages import between as between_dates
from storecore_file.bars.pages import (
    differences,
    known_dates,
    learned_dates,
    some_values,
    values,
)
from storecore_file.bars.parallel import in_parallel
from storecore_file.bars.recorded import Recorded
from storecore_file.fs.seal import decode_errors, footer_start, parquet_checksum, sealed_parquet

MAGIC = b"PAR1"
VERSION = 5
WITH_FURTHER = 4  # the version from which on a partition may have further columns and null volumes
SEVEN_COLUMNS = 3  # the version of a partition of the seven columns, all of them required
GROUP_ROWS = 2_560
SCHEMA = SERIES.insert(0, pa.field("symbol", pa.string(), nullable=False))
_SYMBOLS = pa.field("symbol", pa.dictionary(pa.int8(), pa.string()), nullable=False)
_LONG = 8_192  # rows
_MOST_KEPT = 2  # choices of columns of a small partition: all, and others
_VALUE = 8  # bytes
_REQUIRED = b"\x15\x0a\x25\x00\x18\x06volume"  # its type, that it has no nulls, and its name
_SCHEMA_END = 512  # bytes of a footer: the seven columns are described before
SMALL = 2**12  # bytes, of some 80 bars: up to here a partition is kept decoded
_SEAL = 8  # bytes before the footer: length of the metadata, and its checksum
_WHOLE = 2**14  # bytes: a file up to this size is read at once
_TAIL = 2**13  # bytes: of a larger one these; more are read if its end is longer
_SHORT = 2**12  # bytes of a footer of some seven row groups
_MANY_GROUPS = 16  # of some 3 ms: they are decoded by several threads
_FEW_GROUPS = 2  # of a long partition: what is asked for is small beside its footer
_NEAR = 2**12  # bytes: to read them takes less than another call
_NUMBERS = {name: number for number, name in enumerate(FIELDS)}
_DATE = _NUMBERS["date"]
_ALL = tuple(SERIES.names)
_ENCODINGS = {"date": "DELTA_BINARY_PACKED", "volume": "BYTE_STREAM_SPLIT"}
_WHOLE_NUMBERS = ("int64", "timestamp")
_Kinds = tuple[tuple[str, str], ...]
_Found = TypeVar("_Found", "Metadata", "Extent")


class Group(NamedTuple):
    """A row group: its bars, and the first and last of their dates."""

    rows: int
    first: int
    last: int


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a partition says of itself.

    `chunks` has length and CRC-32 of each column of each group. `generation` is larger than that of
    every partition which this one was made from; `replaces` holds the identities of those
    (`PartitionFile.identity`). `flushed` says up to which line of which journal file the partition
    has taken in the rows of its range: in version 3 of the newest file only, which includes all
    rows before it. `columns` has the kinds of the further columns, in their order. `recorded` is
    absent in what any release writes.
    """

    version: int
    symbol: str
    timeframe: str
    groups: list[Group]
    chunks: list[tuple[int, int]] = []
    exact: dict[int, int] = {}
    flushed: dict[str, int] = msgspec.field(default_factory=dict, name="folded")
    generation: int = 0
    replaces: list[int] = []
    columns: dict[str, str] | None = None
    recorded: int | None = None

    @property
    def rows(self) -> int:
        """The number of bars."""
        return sum(group.rows for group in self.groups)


class Extent(msgspec.Struct, frozen=True, gc=False):
    """The members of `Metadata` that say which bars a partition has, decoded without the others."""

    version: int
    symbol: str
    timeframe: str
    groups: list[Group]
    flushed: dict[str, int] = msgspec.field(default_factory=dict, name="folded")
    columns: dict[str, str] | None = None


class _Version(msgspec.Struct):
    """What all metadata holds, whichever release has written it."""

    version: int


_METADATA = msgspec.json.Decoder(Metadata)
_EXTENTS = msgspec.json.Decoder(Extent)
_VERSIONS = msgspec.json.Decoder(_Version)


def next_generation(seen: Iterable[int]) -> int:
    """Return a generation for partitions that are made from others of these generations."""
    return max(time.time_ns() // 1_000, max(seen, default=0) + 1)


def encode(
    symbol: str,
    timeframe: str,
    table: pa.Table,
    flushed: dict[str, int],
    generation: int = 0,
    replaces: Sequence[int] = (),
    block: bytes = b"",
) -> bytes:
    """Return a series table as the bytes of a partition; see `Metadata` for the rest.

    `block` says when its rows were recorded (empty: at the generation).
    """
    kinds = kinds_of(table) if table.num_columns > len(_ALL) else {}
    nulls = table["volume"].null_count > 0
    form = _form(tuple(kinds.items()), nulls, is_long := len(table) > _LONG)
    # So the writer of Arrow need not look up as many equal texts. For few rows that is quicker.
    names = (repeated_once if is_long else repeated)(symbol, len(table))
    columns = [names, *(table[name] for name in form.schema.names[1:])]
    bars = pa.Table.from_arrays(columns, schema=form.schema)
    sink, written = pa.BufferOutputStream(), list[pq.FileMetaData]()
    pq.write_table(
        bars,
        sink,
        row_group_size=GROUP_ROWS,
        write_batch_size=GROUP_ROWS,  # the same bytes, in fewer steps than of 1,024 rows
        compression="lz4",
        use_dictionary=form.dictionaries,
        column_encoding=form.encodings,
        write_statistics=["symbol", "date"],
        write_page_checksum=True,
        store_schema=False,
        metadata_collector=written,
    )
    content = memoryview(sink.getvalue())
    version = WITH_FURTHER if kinds or nulls else SEVEN_COLUMNS
    metadata = Metadata(
        VERSION if block else version,
        symbol,
        timeframe,
        groups_of(table),
        exact=_exact(table),
        flushed=flushed,
        generation=generation,
        replaces=list(replaces),
        columns=kinds or None,
    )
    return _sealed(content, written[0], metadata, block)


class _Form(NamedTuple):
    """How the columns of a partition are written."""

    schema: pa.Schema
    dictionaries: list[str]
    encodings: dict[str, str]


@lru_cache(maxsize=1_024)
def _form(kinds: _Kinds, nulls: bool, is_long: bool) -> _Form:
    """Return the form of a partition with some further columns, and whether volumes are null.

    Of a long one the symbols are given as `repeated_once` returns them.

    Whole numbers are stored by their differences, text by a dictionary, as long as that is short.
    """
    deltas = {name: "DELTA_BINARY_PACKED" for name, kind in kinds if kind in _WHOLE_NUMBERS}
    texts = [name for name, kind in kinds if kind == "string"]
    schema = schema_of(dict(kinds), nulls)
    schema = schema.set(0, _SYMBOLS) if is_long else schema
    return _Form(schema, ["symbol", *texts], _ENCODINGS | deltas)


def schema_of(kinds: dict[str, str] | None, nulls: bool) -> pa.Schema:
    """Return the schema of a partition's columns, given its further ones.

    `nulls`: whether volumes are null.
    """
    schema = SCHEMA.set(6, SCHEMA.field(6).with_nullable(True)) if nulls else SCHEMA
    further = [pa.field(name, TYPES[kind]) for name, kind in (kinds or {}).items()]
    return pa.schema([*schema, *further]) if further else schema


def groups_of(table: pa.Table) -> list[Group]:
    """Return the row groups in which a series table is written."""
    dates = instants_of(table)
    starts = range(0, len(dates), GROUP_ROWS)
    ends = [min(start + GROUP_ROWS, len(dates)) for start in starts]
    return [
        Group(end - start, dates[start], dates[end - 1])
        for start, end in zip(starts, ends, strict=True)
    ]


def _exact(table: pa.Table) -> dict[int, int]:
    exact = table[EXACT].to_pylist() if EXACT in table.column_names else []
    return {row: value for row, value in enumerate(exact) if value is not None}


def _sealed(content: memoryview, file: pq.FileMetaData, metadata: Metadata, block: bytes) -> bytes:
    """Return a Parquet file with its metadata, completed with the chunks, before its footer."""
    starts = list(accumulate(_sizes(file), initial=len(MAGIC)))
    views = (content[start:end] for start, end in pairwise(starts))
    chunks = [(len(view), crc32(view)) for view in views]
    if block:
        size, checksum = chunks[-1]
        chunks[-1] = size + len(block), crc32(block, checksum)
    text = msgspec.json.encode(msgspec.structs.replace(metadata, chunks=chunks))
    return sealed_parquet(content, b"%b%b" % (text, len(text).to_bytes(4, "little")), block)


def _sizes(file: pq.FileMetaData) -> Iterator[int]:
    """Yield the bytes of the column chunks, which follow each other without a gap."""
    for group in range(file.num_row_groups):
        columns = file.row_group(group)
        for number in range(file.num_columns):
            yield columns.column(number).total_compressed_size


def _place(column: pq.ColumnChunkMetaData) -> tuple[int, int]:
    """Return where a column chunk begins, and its bytes."""
    start: int = column.dictionary_page_offset or column.data_page_offset
    return start, column.total_compressed_size


class Source(Protocol):
    """The bytes of a file: one that is open, or has been read."""

    @property
    def path(self) -> Path:
        """The path of the file."""
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


Keep = Callable[[Sequence[int], pa.Table], None]
"""Takes the numbers of row groups, and a table that has them one after another."""


def columns_of(metadata: Metadata, columns: Collection[str] | None) -> tuple[str, ...]:
    """Return the date and those of some columns (None: of all) that a partition has."""
    kinds = metadata.columns or {}
    if columns is None:
        return (*_ALL, *kinds)
    names = tuple(name for name in _ALL if name == "date" or name in columns)
    return (*names, *(name for name in kinds if is_asked(name, columns)))


class _Recorded(Protocol):
    """A partition that says when its rows were recorded."""

    @property
    def metadata(self) -> Metadata:
        """Its metadata."""
        ...

    def recorded(self) -> Recorded:
        """Return when the rows of the whole partition were recorded."""
        ...

    def rows_until(self, last: int) -> int:
        """Return how many of its bars are dated not after an instant."""
        ...


def known(
    file: _Recorded, load: Callable[[], pa.Table], last: int, forming: Forming
) -> Callable[[], pa.Table]:
    """Return a function that returns what a view shows of the bars up to an instant.

    `load` returns these bars.
    """
    groups = file.metadata.groups
    if last <= forming.ended or not groups or groups[-1].last <= forming.ended:
        return load
    recorded = file.recorded()
    reaches_end = groups[-1].last <= last
    until = file.metadata.rows if reaches_end else file.rows_until(forming.ended)  # of an open file

    def decode() -> pa.Table:
        table = load()
        ended = bisect_right(instants_of(table), forming.ended)
        if ended == len(table):
            return table
        late = len(table) - ended
        start = until - late if reaches_end else until
        found = recorded.between(start, start + late)
        rows = [row for row, at in enumerate(found, ended) if 0 < at <= forming.at]
        if len(rows) == len(found):
            return table
        kept = table.slice(0, ended)
        return pa.concat_tables([kept, table.take(rows)]) if rows else kept

    return decode


class PartitionFile:
    """A file of bars: its metadata is read at once, its columns when they are needed.

    Raises `CorruptData` naming the file if it is damaged, `StorageError` if it cannot be read.
    """

    def __init__(self, file: Source, memory: bytearray | None = None) -> None:
        """Read the end of a file, or all of a small one.

        `memory` is what is read into, if nothing of it is to stay: it has at least as many bytes.
        """
        self._file = file
        self._kept: dict[tuple[str, ...], pa.Table] = {}
        self._recorded: Recorded | None = None
        with decode_errors(file.path, "file of bars"):
            if memory is None:
                self._buffer = pa.allocate_buffer(file.size)
            else:
                self._buffer = pa.py_buffer(memoryview(memory)[: file.size])
            self._view = memoryview(self._buffer).cast("B")
            self._read_from = file.size
            self._read(0 if file.size <= _WHOLE else file.size - _TAIL)
            self.metadata, self._footer = self._opened()
        further = self.metadata.columns
        self._names = _ALL if further is None else (*_ALL, *further)

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of its further columns."""
        return self.metadata.columns or {}

    @property
    def decoded_bytes(self) -> int:
        """The most memory that its columns take once they are kept decoded, without text."""
        return _MOST_KEPT * _VALUE * self.metadata.rows * len(self._names)

    @property
    def identity(self) -> int:
        """A number for its content: the checksum of its end, which covers those of its columns."""
        footer = footer_start(self._view)
        return int.from_bytes(self._view[footer - 4 : footer], "little")

    def check_series(self, symbol: str, timeframe: str) -> None:
        """Raise `CorruptData` if the file holds bars of another series: a misplaced copy."""
        check_series(self._file.path, self.metadata, symbol, timeframe)

    def check_range(self, first: int, last: int) -> None:
        """Raise `CorruptData` if bars lie outside the range of the file's name."""
        check_range(self._file.path, self.metadata, first, last)

    def rows(self, first: int, last: int, columns: Collection[str] | None = None) -> pa.Table:
        """Return the bars from instant `first` to `last` as a series table of some columns.

        None: of all. Those that the partition does not have are left out.
        """
        return self.load(first, last, columns)()

    def load(
        self,
        first: int,
        last: int,
        columns: Collection[str] | None = None,
        keep: Keep | None = None,
    ) -> Callable[[], pa.Table]:
        """Read and check what `rows` needs.

        What needs no reader of Arrow is decoded at once, the rest by the function that is returned,
        on any thread. It gives the row groups to `keep`.
        """
        names = columns_of(self.metadata, columns)
        all_groups = self.metadata.groups
        groups = [
            number
            for number, group in enumerate(all_groups)
            if group.first <= last and first <= group.last
        ]
        if not groups:
            return lambda: EMPTY
        table: Callable[[], pa.Table]
        if self._file.size <= SMALL:
            groups = list(range(len(all_groups)))
            table = partial(self._kept_table, groups, names)
        else:
            self._prove(groups, self._numbers(names))
            ready = self._of_pages(groups, names)
            table = partial(self._by_arrow, groups, names) if ready is None else lambda: ready
        is_whole = first <= all_groups[groups[0]].first and all_groups[groups[-1]].last <= last

        def decode() -> pa.Table:
            decoded = table()
            if keep is not None:
                keep(groups, decoded)
            return decoded if is_whole else between(decoded, first, last)

        return decode

    def load_known(
        self, first: int, last: int, columns: Collection[str] | None, forming: Forming
    ) -> Callable[[], pa.Table]:
        """Read and check what a view shows of the bars from instant `first` to `last`.

        The function that is returned decodes it, as that of `load` does.
        """
        return known(self, self.load(first, last, columns), last, forming)

    def is_plain(self) -> bool:
        """Return whether the bars have the seven columns alone, all of them in floats."""
        return self.metadata.columns is None and not self.metadata.exact

    def date_chunk(self, group: int, names: tuple[str, ...]) -> memoryview:
        """Read and check some columns of a row group, and return its dates as they are stored."""
        self._prove([group], self._numbers(names))
        return self._chunk(group, _DATE)

    def dates_between(self, group: int, first: int, last: int) -> tuple[int, bytes] | None:
        """Return how many dates that `date_chunk` has read are before a range, and those in it.

        None if they are not stored as `pages` decodes them.
        """
        with decode_errors(self._file.path, "file of bars"):
            page = differences(self._chunk(group, _DATE), self.metadata.groups[group].rows)
            if page is None:
                return None
            start, dates = between_dates(page, first, last)
            return start, dates.tobytes()

    def copied(
        self, group: int, names: tuple[str, ...], start: int, rows: int
    ) -> tuple[bytes, ...] | None:
        """Return the bytes of rows of columns that `date_chunk` has read, without the dates.

        None if a column is not as `pages` decodes it.
        """
        if "volume" in names and self._may_lack_volumes():
            return None
        whole = self.metadata.groups[group].rows
        found = list[bytes]()
        with decode_errors(self._file.path, "file of bars"):
            for number in self._numbers(names)[1:]:
                some = some_values(self._chunk(group, number), whole, start, rows)
                if some is None:
                    return None
                found.append(some)
        return tuple(found)

    def rows_until(self, last: int) -> int:
        """Return how many bars of the whole partition are dated not after an instant in it."""
        ended = [group.rows for group in self.metadata.groups if group.last <= last]
        cut = self.metadata.groups[len(ended)]
        return sum(ended) + len(self.rows(cut.first, last, ["date"]))

    def prove(self) -> None:
        """Read and check all columns, without decoding them."""
        self._prove(list(range(len(self.metadata.groups))), range(1 + len(self._names)))

    def recorded(self) -> Recorded:
        """Return when the rows of the whole partition were recorded."""
        if self._recorded is None:
            self._recorded = Recorded(self.metadata.rows, self._block(), self.metadata.generation)
        return self._recorded

    def _block(self) -> bytes:
        """Return the bytes between the last column and the metadata, checked."""
        groups = len(self.metadata.groups)
        if self.metadata.version < VERSION or not groups:
            return b""
        self._prove([groups - 1], self._numbers(self._names[-1:]))
        with decode_errors(self._file.path, "file of bars"):
            row_group = self._parquet_metadata(groups).row_group(groups - 1)
            start, size = _place(row_group.column(len(self._names)))
            return bytes(self._view[start + size : metadata_start(self._view)])

    def hold(self, bars: pa.Table, recorded: Recorded) -> None:
        """Keep the bars of the whole partition, which the caller knows already."""
        self._kept = {self._names: owned(bars)}
        self._recorded = recorded

    def _kept_table(self, groups: list[int], names: tuple[str, ...]) -> pa.Table:
        kept = self._kept  # which threads replace as a whole
        if names not in kept:
            self._prove(groups, self._numbers(names))
            others = {} if len(kept) >= _MOST_KEPT else kept
            kept = self._kept = {**others, names: self._table(groups, names)}
        return kept[names]

    def _opened(self) -> tuple[Metadata, bytes]:
        """Return the metadata and the footer, both checked."""
        text, footer = _proven_end(self._view, 0, self._read)
        return _understood(self._file.path, text, _metadata_in), bytes(footer)

    def _numbers(self, names: tuple[str, ...]) -> list[int]:
        """Return the places of columns in the file, in which 0 is that of the symbol."""
        places = _NUMBERS
        if self.kinds:
            places = {name: number for number, name in enumerate(self._names, 1)}
        return [places[name] for name in names]

    def _prove(self, groups: list[int], numbers: Sequence[int]) -> None:
        """Read the columns of some groups, unless they are read already, and check each."""
        width = 1 + len(self._names)
        chunks, starts = self.metadata.chunks, self._starts
        asked = [group * width + number for group in groups for number in numbers]
        with decode_errors(self._file.path, "file of bars"):
            for start, end in _stretches((starts[each], starts[each + 1]) for each in asked):
                if start < self._read_from:
                    end = min(end, self._read_from)
                    self._file.fill(self._view[start:end], start)
            for each in asked:
                start, end = starts[each], starts[each + 1]
                if crc32(self._view[start:end]) != chunks[each][1]:
                    raise ValueError(f"the checksum of bytes {start} to {end} is wrong")

    @cached_property
    def _starts(self) -> list[int]:
        """Where the column chunks begin, and the last one ends."""
        return list(accumulate([size for size, _ in self.metadata.chunks], initial=len(MAGIC)))

    def _chunk(self, group: int, number: int) -> memoryview:
        """Return the bytes of a column of a row group, which `_prove` has read."""
        at = group * (1 + len(self._names)) + number
        return self._view[self._starts[at] : self._starts[at + 1]]

    def _table(self, groups: list[int], names: tuple[str, ...]) -> pa.Table:
        table = self._of_pages(groups, names)
        return self._by_arrow(groups, names) if table is None else table

    def _of_pages(self, groups: list[int], names: tuple[str, ...]) -> pa.Table | None:
        """Return columns of some row groups, None unless all are as `pages` decodes them."""
        schema = _schema(*names)
        if schema is None or ("volume" in names and self._may_lack_volumes()):
            return None
        numbers, columns = self._numbers(names)[1:], list[list[pa.Array]]()
        with decode_errors(self._file.path, "file of bars"):
            for group in groups:
                rows = self.metadata.groups[group].rows
                columns.append([values(self._chunk(group, number), rows) for number in numbers])
                if any(each is None for each in columns[-1]):
                    return None
            batches = [
                pa.RecordBatch.from_arrays([dates, *others], schema=schema)
                for dates, others in zip(self._dates(groups), columns, strict=True)
            ]
            table = pa.Table.from_batches(batches)
        return self._exactly(table, groups, names)

    def _may_lack_volumes(self) -> bool:
        """Return whether volumes may be null: the page of a few says so in as many bytes."""
        is_required = self._footer.find(_REQUIRED, 0, _SCHEMA_END) >= 0
        return self.metadata.version >= WITH_FURTHER and not is_required

    def _dates(self, groups: list[int]) -> list[pa.Array]:
        """Return the dates of some row groups."""
        known = {group: known_dates(self._chunk(group, _DATE)) for group in groups}
        missing = [group for group, dates in known.items() if dates is None]
        if missing:
            table, at = self._by_arrow(missing, ("date",)), 0
            for group in missing:
                rows = self.metadata.groups[group].rows
                dates = table["date"].slice(at, rows)
                known[group] = learned_dates(self._chunk(group, _DATE), dates)
                at += rows
        return [known[group] for group in groups]

    def _by_arrow(self, groups: list[int], names: tuple[str, ...]) -> pa.Table:
        """Return columns of some row groups, as the Parquet reader of Arrow decodes them."""
        with decode_errors(self._file.path, "file of bars"):
            footer = self._parquet_metadata(len(groups))
            decode = partial(self._decoded, footer, names)
            tables = in_parallel(decode, _shares(groups), few=2)
            table = pa.concat_tables(tables) if len(tables) > 1 else tables[0]
            if table.schema != _schema(*names) and not self._is_wider(table.schema, names):
                raise ValueError(f"its columns are {table.schema}")
        return self._exactly(table, groups, names)

    def _exactly(self, table: pa.Table, groups: list[int], names: tuple[str, ...]) -> pa.Table:
        """Return bars with the whole volumes that a float cannot hold."""
        if not self.metadata.exact or "volume" not in names:
            return table
        return with_exact(table, self._exact_volumes(groups))

    def _decoded(
        self, footer: pq.FileMetaData, names: tuple[str, ...], groups: list[int]
    ) -> pa.Table:
        with pq.ParquetFile(pa.BufferReader(self._buffer), metadata=footer) as file:
            return file.read_row_groups(groups, names, use_threads=False)

    def _is_wider(self, schema: pa.Schema, names: tuple[str, ...]) -> bool:
        """Return whether columns are those of a partition with nulls or further columns."""
        if self.metadata.version < WITH_FURTHER:
            return False
        own = schema_of(self.metadata.columns, nulls=True)
        required = schema_of(self.metadata.columns, nulls=False)
        return any(
            schema == pa.schema([each.field(name) for name in names]) for each in (own, required)
        )

    def _parquet_metadata(self, groups: int) -> pq.FileMetaData:
        """Return the footer as Arrow's reader needs it, cached by its bytes.

        A long one, of many row groups, takes more memory than it saves time, unless little of the
        partition is read: the newest bars are asked for again and again.
        """
        if len(self._footer) <= _SHORT:
            return _parsed_before(self._footer)
        return (_long_before if groups <= _FEW_GROUPS else _parsed)(self._footer)

    def _exact_volumes(self, groups: list[int]) -> list[int | None]:
        ends = list(accumulate((group.rows for group in self.metadata.groups), initial=0))
        exact = self.metadata.exact
        return [exact.get(row) for group in groups for row in range(ends[group], ends[group + 1])]

    def _read(self, start: int) -> None:
        """Read the file from a position on, up to what has been read already."""
        if start < self._read_from:
            self._file.fill(self._view[start : self._read_from], start)
            self._read_from = start


def _stretches(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return places (start, end) in a file, in order, as few longer ones to be read at once."""
    found: list[tuple[int, int]] = []
    for start, end in places:
        if found and start - found[-1][1] <= _NEAR:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def _shares(groups: list[int]) -> list[list[int]]:
    """Return row groups in as many shares as there are processors, if they are many."""
    count = os.cpu_count() or 1 if len(groups) >= _MANY_GROUPS else 1
    ends = [len(groups) * n // count for n in range(count + 1)]
    return [groups[start:end] for start, end in pairwise(ends)]


class _TooShort(Exception):
    """The end of a partition is longer than the bytes that were read of it."""


def extent_in(path: str, end: bytes, size: int) -> Extent | None:
    """Return what the end of a partition of `size` bytes says of its bars, proven.

    None if it needs more bytes than `end`. Raises `CorruptData`, or `StorageError` if a later
    release has written it.
    """
    try:
        with decode_errors(path, "file of bars"):
            text, _ = _proven_end(memoryview(end), size - len(end), _expect_read)
            return _understood(path, text, _EXTENTS.decode)
    except _TooShort:
        return None


def _expect_read(start: int) -> None:
    if start < 0:
        raise _TooShort


def _proven_end(
    view: memoryview, before: int, read: Callable[[int], None]
) -> tuple[memoryview, memoryview]:
    """Return metadata and footer in a view of a file from byte `before` on, once proven whole.

    `read` is called before a byte is used, with the first one that must have been read.
    """
    footer = footer_start(view)
    if before + footer - _SEAL < len(MAGIC):
        raise ValueError("its end is not that of a partition")
    read(footer - _SEAL)
    start = metadata_start(view)
    if before + start < len(MAGIC):
        raise ValueError("its end is not that of a partition")
    read(start)
    if parquet_checksum(view[start : footer - 4], view[footer:]) != view[footer - 4 : footer]:
        raise ValueError("the checksum of its end does not match")
    return view[start : footer - _SEAL], view[footer:]


def _understood(
    path: Path | str, text: memoryview, decode: Callable[[memoryview], _Found]
) -> _Found:
    """Decode metadata. Raises `StorageError` if a later release has written it."""
    try:
        metadata = decode(text)
    except ValueError:
        version = _VERSIONS.decode(text).version  # it may be one that has other fields
        if version <= VERSION:
            raise
    else:
        version = metadata.version
        if version <= VERSION and _is_known(metadata):
            return metadata
    raise StorageError(
        f"{path}: written by a newer storecore (format {version} of partitions, "
        f"this one reads up to {VERSION}): update storecore",
        Path(path),
    )


def check_series(path: Path | str, found: Metadata | Extent, symbol: str, timeframe: str) -> None:
    """Raise `CorruptData` if a partition is one of another series: a misplaced copy."""
    if found.symbol != symbol or found.timeframe != timeframe:
        raise CorruptData(
            f"{path}: expected bars of {symbol!r} ({timeframe}), found those of {found.symbol!r} "
            f"({found.timeframe})",
            Path(path),
        )


def check_range(path: Path | str, found: Metadata | Extent, first: int, last: int) -> None:
    """Raise `CorruptData` if bars of a partition lie outside the range of its name."""
    groups = found.groups
    if groups and not first <= groups[0].first <= groups[-1].last <= last:
        ends = (groups[0].first, groups[-1].last)
        bars = ", ".join(str(to_datetime(at, aware=False)) for at in ends)
        raise CorruptData(
            f"{path}: expected bars of the range that its name tells, found {bars}", Path(path)
        )


def _parsed(footer: bytes) -> pq.FileMetaData:
    return pq.read_metadata(pa.BufferReader(footer))


_parsed_before = lru_cache(maxsize=4_096)(_parsed)
_long_before = lru_cache(maxsize=32)(_parsed)


def _metadata_in(text: memoryview) -> Metadata:
    """Decode metadata; that of a long partition is cached by its bytes, as its footer is."""
    return _METADATA.decode(text) if len(text) <= _SHORT else _decoded_before(bytes(text))


_decoded_before = lru_cache(maxsize=64)(_METADATA.decode)


@lru_cache
def _schema(*names: str) -> pa.Schema | None:
    """Return the schema of some of the seven columns, None if there are others among them."""
    if not set(names) <= set(_ALL):
        return None
    return pa.schema([SERIES.field(name) for name in names])


def _is_known(metadata: Metadata | Extent) -> bool:
    """Return whether this release knows all columns of a partition."""
    if metadata.columns is None:
        return True
    return metadata.version >= WITH_FURTHER and set(metadata.columns.values()) <= TYPES.keys()


def metadata_start(view: memoryview) -> int:
    """Return where the metadata of a partition begins."""
    footer = footer_start(view)
    length = int.from_bytes(view[max(0, footer - _SEAL) : footer - 4], "little")
    return footer - _SEAL - length
