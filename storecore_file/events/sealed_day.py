"""One sealed day of events as a Parquet file, its rows in the order of writing.

The payload is a column of JSON text. `storecore` in the file's metadata holds the version of this
format and `through`, the number of the last event that was sealed.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storecore.models import Event
from storecore_file.fs.decode_errors import decoding
from storecore_file.fs.seal import check_parquet, sealed_parquet

_KEY = b"storecore"
_STAMP = pa.timestamp("us", "UTC")
_SCHEMA = pa.schema(
    [
        pa.field("type", pa.string(), nullable=False),
        pa.field("symbol", pa.string()),
        pa.field("timestamp", _STAMP, nullable=False),
        pa.field("ingested_at", _STAMP, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
    ]
)
_NAIVE = pa.schema(
    [field.with_type(pa.timestamp("us")) if field.type == _STAMP else field for field in _SCHEMA]
)


class SealedDay(NamedTuple):
    """The sealed events of a day and the number of the last of them (0: none was sealed)."""

    through: int
    events: list[Event]


class _Note(msgspec.Struct, frozen=True):
    version: int
    through: int


def encode(day: SealedDay) -> bytes:
    """Return a sealed day as the bytes of a Parquet file."""
    rows = [_row(event) for event in day.events]
    note = msgspec.json.encode(_Note(1, day.through))
    table = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({_KEY: note}))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sealed_parquet(sink.getvalue().to_pybytes())


def decode(content: bytes, path: Path) -> SealedDay:
    """Return a sealed day. Raises `CorruptData` naming the file where it is none."""
    with decoding(path, "file of events"):
        check_parquet(content)
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            through = _note(file).through
            table = file.read(use_threads=False)  # Arrow's own may not be there to be had
        if not table.schema.equals(_SCHEMA, check_metadata=False):
            raise ValueError(f"its columns are {table.schema.names}")
        # Without its time zone: Arrow would ask for a database of zones to name UTC.
        events = [_event(row) for row in table.cast(_NAIVE).to_pylist()]
        return SealedDay(through, events)


def read_through(content: bytes, path: Path) -> int:
    """Return the number of the last sealed event, from the footer alone. Raises `CorruptData`."""
    with decoding(path, "file of events"):
        check_parquet(content)
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            return _note(file).through


def _note(file: pq.ParquetFile) -> _Note:
    return msgspec.json.decode((file.schema_arrow.metadata or {}).get(_KEY, b"{}"), type=_Note)


def _row(event: Event) -> dict[str, Any]:
    row = msgspec.structs.asdict(event)
    return {**row, "payload": msgspec.json.encode(event.payload).decode()}


def _event(row: dict[str, Any]) -> Event:
    times = {name: row[name].replace(tzinfo=UTC) for name in ("timestamp", "ingested_at")}
    return Event(**{**row, **times, "payload": msgspec.json.decode(row["payload"])})
