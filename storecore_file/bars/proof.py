"""Proves a part whole, byte by byte: more than a read needs, which proves what it answers with."""

from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from storecore.bars.table import instants_of
from storecore_file.bars.layout import Part
from storecore_file.bars.partition import MAGIC, SCHEMA, Note, groups_of
from storecore_file.bars.partition_reader import BarFile, Content, note_start
from storecore_file.fs.decode_errors import decoding


def proven(content: bytes, path: Path, part: Part) -> tuple[Note, pa.Table]:
    """Return the note and the bars of a part, as any reader of Parquet sees them.

    Raises `CorruptData` if a byte is damaged or the content does not match the note, `StorageError`
    if the file could not be checked.
    """
    bars = BarFile(Content(path, content))
    bars.check_range(part.first, part.last)
    with decoding(path, "file of bars"):
        _check_bytes(bars.note, content)
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        _check_bars(bars.note, table)
    return bars.note, table.drop_columns(["symbol"])


def _check_bytes(note: Note, content: bytes) -> None:
    if content[:4] != MAGIC or content[-4:] != MAGIC:
        raise ValueError("it does not begin and end as a Parquet file does")
    starts = list(accumulate((size for size, _ in note.chunks), initial=len(MAGIC)))
    if starts[-1] != note_start(content):
        raise ValueError("it holds bytes that are of no column")
    view = memoryview(content)
    for (start, end), (_, checksum) in zip(pairwise(starts), note.chunks, strict=True):
        if crc32(view[start:end]) != checksum:
            raise ValueError(f"the checksum of bytes {start} to {end} is wrong")


def _check_bars(note: Note, table: pa.Table) -> None:
    if table.schema != SCHEMA:
        raise ValueError(f"its columns are {table.schema}")
    if table["symbol"].unique().to_pylist() not in ([], [note.symbol]):
        raise ValueError(f"it holds bars of other symbols than {note.symbol!r}")
    dates = instants_of(table)
    if any(one >= other for one, other in pairwise(dates)) or groups_of(table) != note.groups:
        raise ValueError("its bars are not in order of time, one a date")
