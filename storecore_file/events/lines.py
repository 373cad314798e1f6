"""A day of events that is being written: a line an event, with its number within the day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData
from storecore.models import Event
from storecore_file.fs.decode_errors import too_deep
from storecore_file.fs.seal import unsealed


class Line(Struct, frozen=True):
    """A line of a day being written: an event and its number within the day, from 1."""

    type: str
    symbol: str | None
    timestamp: datetime
    ingested_at: datetime
    source: str
    payload: dict[str, Any]
    n: int


_LINES = msgspec.json.Decoder(Line)


def check_day(events: Iterable[Event | Line], day: str, path: Path) -> None:
    """Refuse a file that holds events of another day: a copy under a wrong name, say."""
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
