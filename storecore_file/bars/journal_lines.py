"""The files of the journal of bars: their names, their lines, and their rows by series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData
from storecore_file.fs.seal import too_deep, unsealed

LINE_END = 20  # the bytes of a line's checksum
HOUR = 3_600_000_000  # no partition covers less
DIGITS = 16  # of a file's number: microseconds since 1970
Key = tuple[str, str]
Position = tuple[int, int]  # the number of a file, and a line
_NOWHERE = (0, 0)


class Row(NamedTuple):
    """A bar in the journal: its file and line, and its values."""

    journal: str
    line: int
    values: tuple[int, float, float, float, float, int | float]

    def is_expected(self, expected: Mapping[int, Position]) -> bool:
        """Return whether the partition of its hour must have this row, or a later one."""
        at = expected.get(self.values[0] // HOUR, _NOWHERE)
        return (number_of(self.journal), self.line) <= at


class Batch(Struct, frozen=True, omit_defaults=True):
    """A line: bars of one timeframe, as columns of equal length; `date` holds instants.

    The first line of a file names the file that was the newest then ("": none) in `after`.
    """

    timeframe: str
    symbol: list[str]
    date: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int | float | None]
    after: str | None = None
    n: int = 0  # the last, so that it is found without decoding


_BATCHES = msgspec.json.Decoder(Batch)


class Known:
    """What has been read of one file: where to go on, and the bytes before that place."""

    def __init__(self) -> None:
        self.length = 0
        self.line = 0
        self.end = b""
        self.after: str | None = None
        self.changed: int | None = None  # when the file had last changed, once that is sure
        self.rows: dict[Key, list[Row]] = {}


def take_in(known: Known, path: Path, line: bytes) -> None:
    """Add the rows of the next line of a file. Raises `CorruptData` naming it."""
    try:
        batch = _BATCHES.decode(unsealed(line))
    except ValueError as error:
        raise CorruptData(f"{path}: a line is not whole: {error}: {line[:80]!r}", path) from error
    except RecursionError as error:
        raise too_deep(path, line) from error
    if batch.n != known.line + 1:
        raise CorruptData(f"{path}: found line {batch.n}, expected {known.line + 1}", path)
    known.after = batch.after if batch.n == 1 else known.after
    known.line = batch.n
    known.length += len(line)
    known.end = line[-LINE_END:]
    rows = zip(
        batch.date, batch.open, batch.high, batch.low, batch.close, batch.volume, strict=True
    )
    for symbol, values in zip(batch.symbol, rows, strict=True):
        key = (symbol, batch.timeframe)
        known.rows.setdefault(key, []).append(Row(path.name, batch.n, values))


def is_later(one: str, other: str) -> bool:
    """Return whether a file was certainly begun after another.

    Its number is a time if it is long; numbers of earlier releases are short, and smaller.
    """
    return is_dated(one) and one.partition("-")[0] > other.partition("-")[0]


def is_dated(name: str) -> bool:
    """Return whether a file's number is a time: numbers of earlier releases may come again."""
    return name.find("-") == DIGITS


def number_of(name: str) -> int:
    """Return the number of a file of the journal."""
    return int(name.partition("-")[0])
