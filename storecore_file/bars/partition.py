"""The format of a part: a Parquet file whose columns are those of `PriceBar`.

The symbol is a column, so that a file read alone says whose bars it holds. What the columns cannot
say lies in a *note*, JSON between the last column and the footer, where no reader of Parquet looks:

    PAR1 | column chunks | note | its length | CRC-32 of note and footer | footer | length | PAR1

The note holds the series, the generation, the rows and dates of each row group, length and CRC-32
of each column chunk, whole volumes beyond 2**53, and how far the journal was folded in. So every
byte is checked when it is used, the range and count of a part are known from its end alone, and a
few columns of a few row groups are read without the rest.

Versions of the note: 2 has no generation (it counts as 0), 3 is written today. A later version is
refused, and a note that names further columns: a release that cannot say it would drop it.
Format: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storecore.bars.table import EXACT, SERIES, instants_of, repeated

MAGIC = b"PAR1"
VERSION = 3
GROUP_ROWS = 2_560
SCHEMA = SERIES.insert(0, pa.field("symbol", pa.string(), nullable=False))
END = 8  # of the file: length of the footer, and the magic
SEAL = 8  # before the footer: length of the note, and its checksum


class Group(NamedTuple):
    """A row group: its bars, and the first and last of their dates."""

    rows: int
    first: int
    last: int


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a part says of itself; `chunks` has length and CRC-32 of each column of each group.

    `generation` is larger than that of every part which this one was made from; `replaces` holds
    the identities of those (`BarFile.identity`). `folded` says up to which line of which file of
    the journal the part has taken in the rows of its range: of version 3 the newest file only, all
    before it included. `columns` (further ones than the seven, by type) and `recorded` (the instant
    at which the store recorded the part) are absent in what this release writes.
    """

    version: int
    symbol: str
    timeframe: str
    groups: list[Group]
    chunks: list[tuple[int, int]] = []
    exact: dict[int, int] = {}
    folded: dict[str, int] = {}
    generation: int = 0
    replaces: list[int] = []
    columns: dict[str, str] | None = None
    recorded: int | None = None

    @property
    def rows(self) -> int:
        """The number of bars."""
        return sum(group.rows for group in self.groups)


def encode(
    symbol: str,
    timeframe: str,
    table: pa.Table,
    folded: dict[str, int],
    generation: int = 0,
    replaces: Sequence[int] = (),
) -> bytes:
    """Return a series table as the bytes of a part; `Note` says what the rest means."""
    names = repeated(symbol, len(table))
    bars = pa.Table.from_arrays([names, *(table[name] for name in SERIES.names)], schema=SCHEMA)
    sink, written = pa.BufferOutputStream(), list[pq.FileMetaData]()
    pq.write_table(
        bars,
        sink,
        row_group_size=GROUP_ROWS,
        compression="lz4",
        use_dictionary=["symbol"],
        column_encoding={"date": "DELTA_BINARY_PACKED", "volume": "BYTE_STREAM_SPLIT"},
        write_statistics=["symbol", "date"],
        write_page_checksum=True,
        store_schema=False,
        metadata_collector=written,
    )
    content = memoryview(sink.getvalue())
    note = Note(
        VERSION,
        symbol,
        timeframe,
        groups_of(table),
        exact=_exact(table),
        folded=folded,
        generation=generation,
        replaces=list(replaces),
    )
    return _sealed(content, written[0], note)


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


def _sealed(content: memoryview, metadata: pq.FileMetaData, note: Note) -> bytes:
    """Return a Parquet file with a note, completed with its chunks, before its footer."""
    start = len(content) - END - int.from_bytes(content[-END:-4], "little")
    chunks = [(len(chunk), crc32(chunk)) for chunk in _chunks(content, metadata)]
    text = msgspec.json.encode(msgspec.structs.replace(note, chunks=chunks))
    seal = b"%b%b" % (text, len(text).to_bytes(4, "little"))
    footer = content[start:]
    return b"".join((content[:start], seal, checksum(seal, footer), footer))


def _chunks(content: memoryview, metadata: pq.FileMetaData) -> Iterator[memoryview]:
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        for number in range(metadata.num_columns):
            column = columns.column(number)
            start = column.dictionary_page_offset or column.data_page_offset
            yield content[start : start + column.total_compressed_size]


def checksum(seal: bytes | memoryview, footer: bytes | memoryview) -> bytes:
    """Return the checksum of a part's end: of its note and the note's length, and the footer."""
    return crc32(footer, crc32(seal)).to_bytes(4, "little")
