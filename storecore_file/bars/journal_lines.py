"""What lies in the journal of bars: its rows by series, and its lines as they are read.

A part says in its note up to which line of which file it has taken in the rows of its range: so no
order of reading counts a row twice or takes an old one for the newest. It says so for ever, of the
newest file: all rows of the series in files before that one are in it too, whatever comes back.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Struct

from storecore.bars.rows import BarColumns
from storecore.bars.table import EMPTY, series_table
from storecore.errors import CorruptData
from storecore_file.bars.layout import Part
from storecore_file.fs.decode_errors import too_deep
from storecore_file.fs.seal import unsealed

LINE_END = 20  # the bytes of a line's checksum
HOUR = 3_600_000_000  # no part is of less
DIGITS = 16  # of a file's number: microseconds since 1970
Folded = dict[str, int]
Key = tuple[str, str]
Position = tuple[int, int]  # the number of a file, and a line
_NOWHERE = (0, 0)
_NOTHING: Folded = {}
_EXPECTED: Mapping[int, Position] = {}


class Row(NamedTuple):
    """A bar in the journal: its file and line, and its values."""

    journal: str
    line: int
    values: tuple[int, float, float, float, float, int | float]

    def is_expected(self, expected: Mapping[int, Position]) -> bool:
        """Tell whether the part of its hour must have this row, or a later one."""
        at = expected.get(self.values[0] // HOUR, _NOWHERE)
        return (number_of(self.journal), self.line) <= at


class Pending(NamedTuple):
    """The rows of a series in the journal, in the order of writing, and the files there are.

    `journals` are the files with lines that are not past, `past` the names of those that are: they
    may have come back. `folded` says up to where all rows of the journal are past, `expected` which
    of them must be in a part, by hour: the others may have been deleted.
    """

    rows: Sequence[Row]
    journals: Sequence[str]
    past: Container[str] = ()
    folded: Folded = _NOTHING
    expected: Mapping[int, Position] = _EXPECTED

    @property
    def through(self) -> Folded:
        """Up to which line of which file the rows go: how far a part is that takes them in."""
        return furthest([self.folded, {row.journal: row.line for row in self.rows}])

    def known(self, folded: Folded) -> Folded:
        """Return what a note says of the files that there still are, or that are known to be past.

        A release before generations let numbers of files begin at 1 again.
        """
        return {
            name: line
            for name, line in folded.items()
            if name in self.journals or name in self.past
        }

    def needs(self, folded: Folded) -> bool:
        """Tell whether the journal has rows yet that count, but for what a note says."""
        return any(
            name in folded or any(is_later(other, name) for other in folded)
            for name in self.journals
        )

    def table(self, parts: Iterable[tuple[Part, Folded]], first: int, last: int) -> pa.Table:
        """Return the rows from instant `first` to `last` that are not in `parts` yet."""
        known = list(parts)
        newest = {
            row.values[0]: row.values
            for row in self.rows
            if first <= row.values[0] <= last and self._counts(row, known)
        }
        if not newest:
            return EMPTY
        rows = [newest[date] for date in sorted(newest)]
        return series_table(BarColumns(*map(list, zip(*rows, strict=True))))

    def _counts(self, row: Row, parts: Iterable[tuple[Part, Folded]]) -> bool:
        """Tell whether a row is newer than the part in whose range it lies.

        Where there is no such part, a row that is past has been deleted, unless it is expected:
        then the part has not come along with the journal.
        """
        date = row.values[0]
        for part, folded in parts:
            if part.first <= date <= part.last:
                return not is_in(row.journal, row.line, folded)
        return row.journal not in self.past or row.is_expected(self.expected)


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
    volume: list[int | float]
    after: str | None = None
    n: int = 0  # the last, where it is found without decoding


_BATCHES = msgspec.json.Decoder(Batch)


class Known:
    """What has been read of one file: where to go on, and by which bytes to know that place."""

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


def is_in(journal: str, line: int, folded: Folded) -> bool:
    """Tell whether a part with such a note has taken in a line of a file."""
    known = folded.get(journal)
    if known is not None:
        return known >= line
    return any(is_later(name, journal) for name in folded)


def furthest(many: Iterable[Folded]) -> Folded:
    """Return how far a part is that is as far as each of many: in the newest file alone."""
    merged: Folded = {}
    for folded in many:
        for name, line in folded.items():
            merged[name] = max(line, merged.get(name, 0))
    return {
        name: line
        for name, line in merged.items()
        if not any(is_later(other, name) for other in merged)
    }


def is_later(one: str, other: str) -> bool:
    """Tell whether a file was begun after another for sure.

    Its number is a time, if it is a long one; those of earlier releases are short, and smaller.
    """
    return is_dated(one) and one.partition("-")[0] > other.partition("-")[0]


def is_dated(name: str) -> bool:
    """Tell whether a file's number is a time: those of earlier releases may come again."""
    return name.find("-") == DIGITS


def number_of(name: str) -> int:
    """Return the number of a file of the journal."""
    return int(name.partition("-")[0])
