"""Sealed days of events: Parquet files whose rows are sorted, in row groups that are read apart.

The rows are in the order of their timestamps, those of one timestamp in the order of writing. `n`
is the number of an event within its day, `recorded` the instant at which it was recorded. What the
columns do not say lies in the *metadata*, JSON between the last column and the footer:

    PAR1 | column chunks | metadata | length | CRC-32 of metadata and footer | footer | …

It has the first and last timestamp of each row group, its types and symbols unless they are many,
its bytes and their CRC-32. So a question reads only the row groups that may answer it, and each
byte that it uses is proven.

A release before wrote all rows in the order of writing, in one checksum, with the metadata in the
footer (version 1). Such a day is read whole, but only the rows that are asked for become events.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storecore.bars.table import text_column, whole_scalar
from storecore.errors import CorruptData
from storecore.events import EventQuery
from storecore.models import Event
from storecore.values.times import EVER, LATEST, TimeRange, exact_instant, to_datetime
from storecore_file.events.history import Held
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.seal import (
    check_parquet,
    decode_errors,
    footer_start,
    parquet_checksum,
    sealed_parquet,
)

GROUP_ROWS = 4_096
VERSION = 2
_ALL = EventQuery(EVER)
_MOST_NAMED = 64  # types, or symbols, that a row group lists
_MAGIC, _SEAL = b"PAR1", 8  # the seal: length of the metadata, and its checksum
_TAIL = 2**16
_KEY = b"storecore"
_STAMP = pa.timestamp("us", "UTC")
_EVENT = [
    pa.field("type", pa.string(), nullable=False),
    pa.field("symbol", pa.string()),
    pa.field("timestamp", _STAMP, nullable=False),
    pa.field("ingested_at", _STAMP, nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("payload", pa.string(), nullable=False),
]
_OLD_SCHEMA = pa.schema(_EVENT)
SCHEMA = pa.schema(
    [*_EVENT, pa.field("recorded", pa.int64()), pa.field("n", pa.int64(), nullable=False)]
)
_DELTAS = dict.fromkeys(("timestamp", "ingested_at", "recorded", "n"), "DELTA_BINARY_PACKED")
_PAYLOADS = msgspec.json.Decoder(dict[str, Any])
_Names = tuple[str | None, ...] | None


class Group(NamedTuple):
    """A row group: its rows, first and last timestamp, bytes and their CRC-32, types and symbols.

    None for types or symbols: there are many.
    """

    rows: int
    first: int
    last: int
    size: int
    checksum: int
    types: _Names
    symbols: _Names

    def may_answer(self, query: EventQuery) -> bool:
        """Return whether it may have events that a query asks for."""
        return (
            self.first <= query.span.last
            and query.span.first <= self.last
            and may_have(self.types, query.types)
            and may_have(self.symbols, query.symbols)
        )


def may_have(names: Iterable[str | None] | None, asked: frozenset[Any] | None) -> bool:
    """Return whether some of the names (None: not known) are among those asked for (None: all)."""
    return names is None or asked is None or not asked.isdisjoint(names)


class _Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """`changed` is the highest number of an event that was deleted or renamed since.

    Events with higher numbers are all there, as they were written.
    """

    version: int
    through: int
    changed: int = 0
    groups: tuple[Group, ...] = ()


class _OldMetadata(msgspec.Struct, frozen=True):
    version: int
    through: int
    changed: int = 0
    recorded: list[int | None] = []  # each as its difference to the one before, from 0
    places: list[int] = []  # in the same way


class _OldDay:
    """The content of a day of version 1; `_Metadata` says what the numbers are."""

    def __init__(self, content: bytes) -> None:
        check_parquet(content)
        self._content = content
        with self._file() as file:
            text = (file.schema_arrow.metadata or {}).get(_KEY, b"{}")
        self.metadata = msgspec.json.decode(text, type=_OldMetadata)

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(pa.BufferReader(self._content), page_checksum_verification=True)

    def table(self) -> pa.Table:
        """Return its rows with the columns and the order of this version."""
        with self._file() as file:
            table = file.read(use_threads=False)  # Arrow may get no thread of its own
        if not table.schema.equals(_OLD_SCHEMA, check_metadata=False):
            raise ValueError(f"its columns are {table.schema.names}")
        count, metadata = len(table), self.metadata
        recorded, places = _sums(metadata.recorded), list(accumulate(metadata.places))
        for said in (recorded, places):
            if said and len(said) != count:
                raise ValueError(f"it says of {len(said)} events when they were written")
        first = metadata.through - count + 1
        added = (recorded or [None] * count, places or range(first, first + count))
        for name, values in zip(("recorded", "n"), added, strict=True):
            table = table.append_column(SCHEMA.field(name), pa.array(values, pa.int64()))
        return table.sort_by([("timestamp", "ascending"), ("n", "ascending")])


class SealedDay:
    """A sealed day that is open: its metadata is read at once, its rows when they are needed.

    `through` is the number of the last event of the day that is in it, or was until a deletion.
    """

    def __init__(self, file: OpenFile) -> None:
        """Read the end of a file. Raises `CorruptData` naming it if it is damaged."""
        self.path = file.path
        self._file = file
        self._old: _OldDay | None = None
        self._groups: tuple[Group, ...] = ()
        with decode_errors(self.path, "file of events"):
            end = self._proven_end()
            if end is None:
                self._old = _OldDay(file.read(0))
                self.through, self.changed = self._old.metadata.through, self._old.metadata.changed
            else:
                text, self._footer = end
                metadata = msgspec.json.decode(text, type=_Metadata)
                _check_version(metadata.version)
                self.through, self.changed = metadata.through, metadata.changed
                self._groups = metadata.groups
        self._starts = list(accumulate((each.size for each in self._groups), initial=len(_MAGIC)))
        self._check_day([at for group in self._groups for at in (group.first, group.last)])

    def _proven_end(self) -> tuple[memoryview, bytes] | None:
        """Return metadata and footer, proven whole; None if it is not of this version."""
        size, view = self._file.size, memoryview(self._bytes(self._file.size - _TAIL))
        while True:
            footer = footer_start(view)
            if footer < _SEAL:
                wanted = size - len(view) + footer - _SEAL
            else:
                start = footer - _SEAL - _number(view[footer - 8 : footer - 4])
                if start >= 0:
                    break
                wanted = size - len(view) + start
            if wanted < len(_MAGIC):
                return None
            view = memoryview(self._bytes(wanted))
        if parquet_checksum(view[start : footer - 4], view[footer:]) != view[footer - 4 : footer]:
            return None
        return view[start : footer - _SEAL], bytes(view[footer:])

    def _bytes(self, start: int) -> bytes:
        content = self._file.read(max(start, 0))
        if len(content) < 2 * _SEAL:
            raise ValueError("it is too short")
        return content

    def _check_day(self, instants: Iterable[int]) -> None:
        """Raise `CorruptData` if it holds events of another day, as a misnamed copy does."""
        days = {str(to_datetime(at, aware=True).date()) for at in instants}
        if days - {self.path.stem}:
            found = sorted(days)
            raise CorruptData(f"{self.path}: expected events of its day, found {found}", self.path)

    def _old_table(self, old: _OldDay) -> pa.Table:
        with decode_errors(self.path, "file of events"):
            table = old.table()
            extremes = pc.min_max(_instants(table)).as_py().values()
        self._check_day(at for at in extremes if at is not None)
        return table

    def tables(self, query: EventQuery = _ALL) -> Iterator[pa.Table]:
        """Yield the rows that a query asks for, sorted, at most `GROUP_ROWS` at a time."""
        if self._old is not None:
            found = _asked_for(self._old_table(self._old), query)
            yield from (found.slice(at, GROUP_ROWS) for at in range(0, len(found), GROUP_ROWS))
            return
        for number, group in enumerate(self._groups):
            if group.may_answer(query):
                table = _asked_for(self._group(number), query)
                if len(table):
                    yield table

    def _group(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a row group, read and proven."""
        group, start = self._groups[number], self._starts[number]
        # Of the file's length, so that the offsets of the footer hold; only what is read is used.
        buffer = pa.allocate_buffer(self._file.size)
        view = memoryview(buffer).cast("B")[start : start + group.size]
        self._file.fill(view, start)
        with decode_errors(self.path, "file of events"):
            if crc32(view) != group.checksum:
                end = start + group.size
                raise ValueError(f"the checksum of bytes {start} to {end} is wrong")
            with pq.ParquetFile(pa.BufferReader(buffer), metadata=_parsed(self._footer)) as file:
                table = file.read_row_group(number, columns, use_threads=False)
            if len(table) != group.rows or (not columns and not table.schema.equals(SCHEMA)):
                raise ValueError(f"it has {len(table)} rows of {table.schema.names}")
        return table

    def rows(self, query: EventQuery = _ALL) -> Iterator[Held]:
        """Yield the events that a query asks for, by timestamp, then in the order of writing."""
        for table in self.tables(query):
            with decode_errors(self.path, "file of events"):
                found = _held(table)
            yield from found

    def check(self) -> None:
        """Read and decode all of it. Raises `CorruptData`."""
        for _ in self.rows():
            pass

    def symbols(self) -> set[str | None]:
        """Return the symbols of its events."""
        if self._old is not None:
            return set(self._old_table(self._old)["symbol"].unique().to_pylist())
        found = set[str | None]()
        for number, group in enumerate(self._groups):
            known = group.symbols
            if known is None:
                known = self._group(number, ["symbol"])["symbol"].unique().to_pylist()
            found.update(known)
        return found


def encode(rows: Iterable[Held], through: Callable[[], tuple[int, int]]) -> bytes:
    """Return events, by timestamp and then in the order of writing, as the bytes of a sealed day.

    `through` is asked at the end for `SealedDay.through` and `.changed`.
    """
    written, groups = list[pq.FileMetaData](), list[Group]()
    sink, rest = pa.BufferOutputStream(), iter(rows)
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",
        use_dictionary=["type", "symbol", "source"],
        column_encoding=_DELTAS,
        write_statistics=["type", "symbol", "timestamp"],
        write_page_checksum=True,
        store_schema=False,
        metadata_collector=written,
    ) as writer:
        while some := list(islice(rest, GROUP_ROWS)):
            writer.write_table(_table(some), row_group_size=GROUP_ROWS)
            groups.append(_described([each.event for each in some]))
    content = memoryview(sink.getvalue())
    metadata = _Metadata(VERSION, *through(), tuple(_placed(groups, written[0], content)))
    text = msgspec.json.encode(metadata)
    return sealed_parquet(content, b"%b%b" % (text, struct.pack("<I", len(text))))


def _table(rows: Sequence[Held]) -> pa.Table:
    events = [each.event for each in rows]
    payloads = [msgspec.json.encode(event.payload).decode() for event in events]
    names = ("type", "symbol", "timestamp", "ingested_at", "source")
    columns = [[getattr(event, name) for event in events] for name in names]
    columns += [payloads, [each.recorded for each in rows], [each.place for each in rows]]
    arrays = [pa.array(*each) for each in zip(columns, SCHEMA.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _described(events: Sequence[Event]) -> Group:
    """Return a row group without its place."""
    first, last = (exact_instant(events[at].timestamp, "timestamp") for at in (0, -1))
    types = _few({event.type for event in events})
    return Group(len(events), first, last, 0, 0, types, _few({event.symbol for event in events}))


def _few(names: set[Any]) -> _Names:
    return tuple(sorted(names, key=str)) if len(names) <= _MOST_NAMED else None


def _placed(groups: Sequence[Group], file: pq.FileMetaData, content: memoryview) -> Iterator[Group]:
    sizes = [
        sum(file.row_group(number).column(each).total_compressed_size for each in range(8))
        for number in range(len(groups))
    ]
    starts = accumulate(sizes, initial=len(_MAGIC))
    for group, start, size in zip(groups, starts, sizes, strict=False):
        yield group._replace(size=size, checksum=crc32(content[start : start + size]))


def _number(four: memoryview) -> int:
    return int.from_bytes(four, "little")


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ValueError(f"it has version {version}, this release reads up to {VERSION}")


@lru_cache(maxsize=32)
def _parsed(footer: bytes) -> pq.FileMetaData:
    return pq.read_metadata(pa.BufferReader(footer))


def _sums(differences: Iterable[int | None]) -> list[int | None]:
    found, last = list[int | None](), 0
    for each in differences:
        last += each or 0
        found.append(None if each is None else last)
    return found


def _asked_for(table: pa.Table, query: EventQuery) -> pa.Table:
    conditions = [*_between(table, query.span), *_among(table, query)]
    if query.ingested_by is not None and query.ingested_by < LATEST:
        ingested = table["ingested_at"].cast(pa.int64())
        conditions.append(pc.less_equal(ingested, whole_scalar(query.ingested_by)))
    for each in conditions[1:]:
        conditions[0] = pc.and_(conditions[0], each)
    return table.filter(conditions[0]) if conditions else table


def _between(table: pa.Table, span: TimeRange) -> Iterator[pa.ChunkedArray]:
    if span[:2] != EVER[:2]:
        instants = _instants(table)
        yield pc.greater_equal(instants, whole_scalar(span.first))
        yield pc.less_equal(instants, whole_scalar(span.last))


def _among(table: pa.Table, query: EventQuery) -> Iterator[pa.ChunkedArray]:
    for name, asked in (("type", query.types), ("symbol", query.symbols)):
        if asked is not None:
            texts = text_column([each for each in asked if each is not None])
            found = pc.is_in(table[name], value_set=texts)
            yield pc.or_(found, pc.is_null(table[name])) if None in asked else found


def _instants(table: pa.Table) -> pa.ChunkedArray:
    return table["timestamp"].cast(pa.int64())


def _held(table: pa.Table) -> list[Held]:
    """Return rows as events. Raises `ValueError` for a payload that is no JSON object."""
    moments = (_moments(table[name]) for name in ("timestamp", "ingested_at"))
    texts = (table[name].to_pylist() for name in ("type", "symbol", "source", "payload"))
    (happened, ingested), (types, symbols, sources, payloads) = moments, texts
    decoded = map(_PAYLOADS.decode, payloads)
    events = map(Event, types, symbols, happened, ingested, sources, decoded)
    rows = zip(events, table["recorded"].to_pylist(), table["n"].to_pylist(), strict=True)
    return [Held(event, recorded, None, place) for event, recorded, place in rows]


def _moments(column: pa.ChunkedArray) -> list[datetime]:
    # Without its time zone: Arrow would ask for a database of zones to name UTC.
    return [to_datetime(at, aware=True) for at in column.cast(pa.int64()).to_pylist()]
