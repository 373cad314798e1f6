"""A line of the log of a day: an event with its number within the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData
from storecore.models import Event
from storecore_file.fs.seal import too_deep, unsealed


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


class Head(Struct, frozen=True):
    """The members of a line by which a question selects it, decoded without the others."""

    type: str
    symbol: str | None
    timestamp: datetime
    ingested_at: datetime
    n: int = 0


_LINES = msgspec.json.Decoder(Line)
_HEADS = msgspec.json.Decoder(Head)
_Decoded = TypeVar("_Decoded", Line, Head)


def number_of(line: bytes, log: Path) -> int:
    """Return the number of the event of a line. Raises `CorruptData` naming the log."""
    try:
        return int(unsealed(line).rpartition(b":")[2][:-1])
    except ValueError as error:
        raise _not_whole(line, log, error) from error


def decode_line(line: bytes, log: Path) -> Line:
    """Return a line decoded. Raises `CorruptData` naming the log."""
    return _decoded(_LINES, line, log)


def decode_lines(lines: Sequence[bytes], log: Path) -> list[Line]:
    """Return lines decoded, quicker than one by one. Raises as `decode_line` does."""
    try:
        found = [_LINES.decode(unsealed(line)) for line in lines]
    except (ValueError, RecursionError):
        return [decode_line(line, log) for line in lines]  # raises, with the line in its message
    for day in {each.timestamp.date() for each in found}:
        _check_day(day, log)
    return found


def decode_head(line: bytes, log: Path) -> Head:
    """Return the head of a line. Raises `CorruptData` naming the log."""
    return _decoded(_HEADS, line, log)


def _decoded(decoder: msgspec.json.Decoder[_Decoded], line: bytes, log: Path) -> _Decoded:
    try:
        found = decoder.decode(unsealed(line))
    except ValueError as error:
        raise _not_whole(line, log, error) from error
    except RecursionError as error:
        raise too_deep(log, line) from error
    _check_day(found.timestamp.date(), log)
    return found


def _check_day(found: date, log: Path) -> None:
    if found.isoformat() != log.stem:
        raise CorruptData(f"{log}: expected events of its day, found {found}", log)


def _not_whole(line: bytes, log: Path, error: ValueError) -> CorruptData:
    return CorruptData(f"{log}: a line is not whole: {error}: {line[:80]!r}", log)
