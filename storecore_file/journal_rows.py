"""What lies in the journal of bars: its rows by series, and its lines as they are read.

A part says in its note up to which line of which file it has taken in the rows of its range: so no
order of reading counts a row twice or takes an old one for the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Struct

from storecore.bar_table import EMPTY, series_table
from storecore.bars import BarColumns
from storecore.errors import CorruptData
from storecore_file.decode_errors import too_deep
from storecore_file.floor.sealing import unsealed
from storecore_file.parts import Part

LINE_END = 20  # the bytes of a line's checksum
Folded = dict[str, int]
Key = tuple[str, str]


class Row(NamedTuple):
    """A bar in the journal: its file and line, and its values."""

    journal: str
    line: int
    values: tuple[int, float, float, float, float, int | float]


class Pending(NamedTuple):
    """The rows of a series in the journal, in the order of writing, and the files there are."""

    rows: Sequence[Row]
    journals: Sequence[str]

    @property
    def through(self) -> Folded:
        """Up to which line of which file the rows go."""
        return {row.journal: row.line for row in self.rows}

    def live(self, folded: Folded) -> Folded:
        """Return what a note says of the files that there still are."""
        return {name: line for name, line in folded.items() if name in self.journals}

    def table(self, parts: Iterable[tuple[Part, Folded]], first: int, last: int) -> pa.Table:
        """Return the rows from instant `first` to `last` that are not in `parts` yet."""
        known = list(parts)
        newest = {
            row.values[0]: row.values
            for row in self.rows
            if first <= row.values[0] <= last and not _is_in(row, known)
        }
        if not newest:
            return EMPTY
        rows = [newest[date] for date in sorted(newest)]
        return series_table(BarColumns(*map(list, zip(*rows, strict=True))))


class Batch(Struct, frozen=True):
    """A line: bars of one timeframe, as columns of equal length; `date` holds instants."""

    timeframe: str
    symbol: list[str]
    date: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int | float]
    n: int


_BATCHES = msgspec.json.Decoder(Batch)


class Known:
    """What has been read of one file: where to go on, and by which bytes to know that place."""

    def __init__(self) -> None:
        self.length = 0
        self.line = 0
        self.end = b""
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
    known.line = batch.n
    known.length += len(line)
    known.end = line[-LINE_END:]
    rows = zip(
        batch.date, batch.open, batch.high, batch.low, batch.close, batch.volume, strict=True
    )
    for symbol, values in zip(batch.symbol, rows, strict=True):
        key = (symbol, batch.timeframe)
        known.rows.setdefault(key, []).append(Row(path.name, batch.n, values))


def _is_in(row: Row, parts: Iterable[tuple[Part, Folded]]) -> bool:
    """Tell whether the part in whose range a row lies has it already."""
    date = row.values[0]
    return any(
        part.first <= date <= part.last and folded.get(row.journal, 0) >= row.line
        for part, folded in parts
    )
