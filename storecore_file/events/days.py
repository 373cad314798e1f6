"""The two forms of a day of events: the log being written, and the sealed Parquet file.

A line of the log is an event with its number within the day. The rows of a sealed day are in the
order of writing; the payload is a column of JSON text. `storecore` in the metadata of the Parquet
file holds the version of this format and `through`, the number of the last event that was sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from storecore.errors import CorruptData
from storecore.models import Event
from storecore_file.fs.seal import check_parquet, decode_errors, sealed_parquet, too_deep, unsealed


class Line(Struct, frozen=True):
    """A line of a day being written: an event and its number within the day, from 1."""

    type: str
    symbol: str | None
    timestamp: datetime
    ingested_at: datetime
    source: str
    payload: dict[str, Any]
    recorded: int | None = None
    n: int = 0

    def event(self) -> Event:
        """Return the event."""
        own = self.type, self.symbol, self.timestamp, self.ingested_at, self.source, self.payload
        return Event(*own)


_LINES = msgspec.json.Decoder(Line)


def check_day(events: Iterable[Event | Line], day: str, path: Path) -> None:
    """Raise `CorruptData` if a file holds events of another day, as a misnamed copy does."""
    days = {str(event.timestamp.date()) for event in events}
    if days - {day}:
        raise CorruptData(f"{path}: expected events of its day, found {sorted(days)}", path)


def number_of(line: bytes, log: Path) -> int:
    """Return the number of the event of a line. Raises `CorruptData` naming the log."""
    try:
        return int(unsealed(line).rpartition(b":")[2][:-1])
    except ValueError as error:
        raise _not_whole(line, log, error) from error


def decode_line(line: bytes, log: Path) -> Line:
    """Return a line decoded. Raises `CorruptData` naming the log."""
    try:
        return _LINES.decode(unsealed(line))
    except ValueError as error:
        raise _not_whole(line, log, error) from error
    except RecursionError as error:
        raise too_deep(log, line) from error


def _not_whole(line: bytes, log: Path, error: ValueError) -> CorruptData:
    return CorruptData(f"{log}: a line is not whole: {error}: {line[:80]!r}", log)


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
    """The sealed events of a day and the number of the last of them (0: none was sealed).

    `changed` is the highest number of an event that was deleted or renamed since it was written.
    Events with higher numbers are all there, as they were written. `recorded` says when each event
    was recorded (None: not known); an empty list stands for events none of which says so. `places`
    has the numbers with which the events were written; if empty, they are those of `numbered`.
    """

    through: int
    events: list[Event]
    changed: int = 0
    recorded: Sequence[int | None] = ()
    places: Sequence[int] = ()

    def order(self) -> Sequence[int]:
        """Return the place of each event in the order of writing, deleted ones counted."""
        return self.places or [number for number, _ in self.numbered()]

    def instants(self) -> Sequence[int | None]:
        """Return when each event was recorded."""
        return self.recorded or [None] * len(self.events)

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """Yield the events with their numbers, or higher ones for those up to `changed`."""
        return enumerate(self.events, self.through - len(self.events) + 1)

    def with_events(self, events: list[Event | None], instant: int) -> SealedDay:
        """Return the day with other events in the place of its own; None for a deleted one.

        The others are recorded at an instant.
        """
        pairs = zip(self.numbered(), events, strict=True)
        changed = [number for (number, own), new in pairs if new is not own]
        recorded = [
            at if new is own else instant
            for own, new, at in zip(self.events, events, self.instants(), strict=True)
            if new is not None
        ]
        order = zip(self.order(), events, strict=True)
        places = [place for place, event in order if event is not None]
        kept = [event for event in events if event is not None]
        return SealedDay(self.through, kept, max(self.changed, *changed, 0), recorded, places)


class _Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    version: int
    through: int
    changed: int = 0
    recorded: list[int | None] = []  # each as its difference to the one before, from 0
    places: list[int] = []  # in the same way


def encode_day(day: SealedDay) -> bytes:
    """Return a sealed day as the bytes of a Parquet file."""
    rows = [_row(event) for event in day.events]
    recorded = _differences(day.recorded) if any(day.recorded) else []
    is_plain = list(day.places) == [number for number, _ in day.numbered()]
    places = [] if is_plain else [b - a for a, b in pairwise([0, *day.places])]
    metadata = msgspec.json.encode(_Metadata(1, day.through, day.changed, recorded, places))
    table = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({_KEY: metadata}))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sealed_parquet(sink.getvalue().to_pybytes())


def decode_day(content: bytes, path: Path) -> SealedDay:
    """Return a sealed day. Raises `CorruptData`."""
    with decode_errors(path, "file of events"):
        metadata, table = _table(content)
        # Without its time zone: Arrow would ask for a database of zones to name UTC.
        events = [_event(row) for row in table.cast(_NAIVE).to_pylist()]
        recorded = tuple(_sums(metadata.recorded))
        places = tuple(accumulate(metadata.places))
        for said in (recorded, places):
            if said and len(said) != len(events):
                raise ValueError(f"it says of {len(said)} events when they were written")
        return SealedDay(metadata.through, events, metadata.changed, recorded, places)


def _differences(instants: Iterable[int | None]) -> list[int | None]:
    found, last = list[int | None](), 0
    for at in instants:
        found.append(None if at is None else at - last)
        last = last if at is None else at
    return found


def _sums(differences: Iterable[int | None]) -> list[int | None]:
    found, last = list[int | None](), 0
    for each in differences:
        last += each or 0
        found.append(None if each is None else last)
    return found


def decode_symbols(content: bytes, path: Path) -> tuple[int, set[str | None]]:
    """Return the number of the last sealed event of a day, and its symbols.

    Raises `CorruptData`.
    """
    with decode_errors(path, "file of events"):
        metadata, table = _table(content)
        return metadata.through, set(table["symbol"].unique().to_pylist())


def _table(content: bytes) -> tuple[_Metadata, pa.Table]:
    check_parquet(content)
    with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
        metadata = _metadata(file)
        table = file.read(use_threads=False)  # Arrow may get no thread of its own
    if not table.schema.equals(_SCHEMA, check_metadata=False):
        raise ValueError(f"its columns are {table.schema.names}")
    return metadata, table


def read_through(content: bytes, path: Path) -> int:
    """Return the number of the last sealed event, from the footer alone. Raises `CorruptData`."""
    with decode_errors(path, "file of events"):
        check_parquet(content)
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            return _metadata(file).through


def _metadata(file: pq.ParquetFile) -> _Metadata:
    return msgspec.json.decode((file.schema_arrow.metadata or {}).get(_KEY, b"{}"), type=_Metadata)


def _row(event: Event) -> dict[str, Any]:
    row = msgspec.structs.asdict(event)
    return {**row, "payload": msgspec.json.encode(event.payload).decode()}


def _event(row: dict[str, Any]) -> Event:
    times = {name: row[name].replace(tzinfo=UTC) for name in ("timestamp", "ingested_at")}
    return Event(**{**row, **times, "payload": msgspec.json.decode(row["payload"])})
