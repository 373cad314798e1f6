"""One Parquet file of bars: a calendar month of one series, its columns those of `PriceBar`.

The symbol is a column, so that a file read alone says whose bars it holds. `storecore` in the
file's metadata holds what the columns cannot: the version of this format, the timeframe, and whole
volumes beyond 2**53 by row. Pages and footer carry checksums, which every read verifies.
Format: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storecore.errors import CorruptData
from storecore_file.bar_table import COLUMNS, PRICES, SCHEMA
from storecore_file.floor.sealing import check_parquet, sealed_parquet

_KEY = b"storecore"
_FILE_SCHEMA = COLUMNS.insert(0, pa.field("symbol", pa.string(), nullable=False))


class FileNote(msgspec.Struct, frozen=True):
    """What a file's metadata say: format version, series, exact whole volumes by row."""

    version: int
    symbol: str
    timeframe: str
    exact_volumes: dict[int, int]


def encode(symbol: str, timeframe: str, table: pa.Table) -> bytes:
    """Return a table of bars as the bytes of a Parquet file."""
    exact = {
        row: value
        for row, value in enumerate(table["exact_volume"].to_pylist())
        if value is not None
    }
    note = msgspec.json.encode(FileNote(1, symbol, timeframe, exact))
    names = pa.repeat(pa.scalar(symbol, pa.string()), len(table))
    bars = pa.Table.from_arrays(
        [names, *(table[name] for name in COLUMNS.names)],
        schema=_FILE_SCHEMA.with_metadata({_KEY: note}),
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        bars,
        sink,
        compression="lz4",
        use_dictionary=["symbol"],
        column_encoding={
            "date": "DELTA_BINARY_PACKED",
            **dict.fromkeys((*PRICES, "volume"), "BYTE_STREAM_SPLIT"),
        },
        write_page_checksum=True,
    )
    return sealed_parquet(sink.getvalue().to_pybytes())


def decode(content: bytes, path: Path, symbol: str, timeframe: str) -> pa.Table:
    """Return the bars of a file. Raises `CorruptData` naming it where it is not of that series."""
    try:
        check_parquet(content)
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            note = _note(file)
            bars = file.read(COLUMNS.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CorruptData(f"{path}: not a whole file of bars: {error}", path) from error
    if (note.symbol, note.timeframe) != (symbol, timeframe):
        raise CorruptData(
            f"{path}: expected bars of {symbol!r} ({timeframe}), found those of {note.symbol!r} "
            f"({note.timeframe})",
            path,
        )
    if not bars.schema.equals(COLUMNS, check_metadata=False):
        raise CorruptData(f"{path}: not the columns of bars: {bars.schema.names}", path)
    exact = [note.exact_volumes.get(row) for row in range(len(bars))]
    return bars.append_column(SCHEMA.field("exact_volume"), pa.array(exact, pa.int64()))


def read_note(content: bytes, path: Path) -> tuple[FileNote, int]:
    """Return what a file's metadata say, and its number of bars. Raises `CorruptData`."""
    try:
        check_parquet(content)
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            return _note(file), file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CorruptData(f"{path}: not a whole file of bars: {error}", path) from error


def _note(file: pq.ParquetFile) -> FileNote:
    metadata = file.schema_arrow.metadata or {}
    return msgspec.json.decode(metadata.get(_KEY, b"{}"), type=FileNote)
