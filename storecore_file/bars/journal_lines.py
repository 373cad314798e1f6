"""The files of the journal of bars: their names, their lines, and their rows by series.

A line of bars with further columns, or with a volume that is null, has its volumes as `volumes`. An
earlier release does not find `volume`, and refuses the line: it would drop what it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, structs

from storecore.bars.extra import TYPES, kinds_of
from storecore.bars.rows import BarColumns
from storecore.bars.table import bar_columns_of, series_table
from storecore.errors import CorruptData, StorageError
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.kinds import joined
from storecore_file.fs.seal import too_deep, unsealed

LINE_END = 20  # the bytes of a line's checksum
HOUR = 3_600_000_000  # no partition covers less
DIGITS = 16  # of a file's number: microseconds since 1970
Key = tuple[str, str]
Position = tuple[int, int]  # the number of a file, and a line
_NOWHERE = (0, 0)
_NO_TYPES: Mapping[str, str] = {}
_UNFIT = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}  # numbers that JSON has not


class Row(NamedTuple):
    """A bar in the journal: its file and line, its values, and those of further columns.

    `recorded` is the instant at which it was recorded, 0 if that is not known.
    """

    journal: str
    line: int
    values: tuple[int, float, float, float, float, int | float | None]
    kinds: Mapping[str, str] = _NO_TYPES
    further: tuple[Any, ...] = ()
    recorded: int = 0

    def is_expected(self, expected: Mapping[int, Position]) -> bool:
        """Return whether the partition of its hour must have this row, or a later one."""
        at = expected.get(self.values[0] // HOUR, _NOWHERE)
        return (number_of(self.journal), self.line) <= at


class Batch(Struct, frozen=True, omit_defaults=True):
    """A line: bars of one timeframe, as columns of equal length; `date` holds instants.

    `columns` has kind and values of further columns. If there are any, or if a volume is null, the
    volumes are in `volumes`.

    The first line of a file names the file that was the newest then ("": none) in `after`.
    `recorded` is the instant at which the line was recorded; earlier releases did not write it.
    """

    timeframe: str
    symbol: list[str]
    date: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int | float] = []
    volumes: list[int | float | None] = []
    columns: dict[str, tuple[str, list[Any]]] = {}
    after: str | None = None
    recorded: int = 0
    n: int = 0  # the last, so that it is found without decoding


_BATCHES = msgspec.json.Decoder(Batch)


def batch_of(timeframe: str, symbols: list[str], table: pa.Table) -> Batch:
    """Return the bars of many symbols as a line without its number."""
    kinds = kinds_of(table)
    seven = table.drop_columns([*kinds]) if kinds else table
    bars = bar_columns_of(seven)
    batch = Batch(timeframe, symbols, bars.date, bars.open, bars.high, bars.low, bars.close)
    if not kinds and not table["volume"].null_count:
        return structs.replace(batch, volume=bars.volume)
    columns = {name: (kind, _values(table[name], kind)) for name, kind in kinds.items()}
    return structs.replace(batch, volumes=bars.volume, columns=columns)


def _values(column: pa.ChunkedArray, kind: str) -> list[Any]:
    """Return a further column as values of JSON: moments as instants, unfit numbers as text."""
    if kind == "float64":
        return [
            value if value is None or isfinite(value) else _UNFIT[str(value)]
            for value in column.to_pylist()
        ]
    whole = pc.cast(column, pa.int64()) if kind == "timestamp" else column
    values: list[Any] = whole.to_pylist()
    return values


def table_of(rows: Iterable[Row]) -> pa.Table:
    """Return rows of a series, one a date and in order of time, as a series table."""
    groups: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.kinds.items()), []).append(row)
    tables = [_table(*group) for group in groups.items()]
    return tables[0] if len(tables) == 1 else joined(tables).sort_by("date")


def _table(kinds: tuple[tuple[str, str], ...], rows: list[Row]) -> pa.Table:
    """Return rows with further columns of the same kinds as a series table."""
    values = zip(*(row.values for row in rows), strict=True)
    table = series_table(BarColumns(*map(list, values)))
    further = zip(*(row.further for row in rows), strict=True)
    for (name, kind), column in zip(kinds, further, strict=True):
        table = table.append_column(pa.field(name, TYPES[kind]), array_of(column, kind))
    return table


def array_of(values: Sequence[Any], kind: str) -> pa.Array:
    """Return values of a line as a further column."""
    if kind == "float64":
        return pa.array(
            [float(each) if isinstance(each, str) else each for each in values], pa.float64()
        )
    if kind == "timestamp":
        return pa.array(values, pa.int64()).cast(TYPES[kind])
    return pa.array(values, TYPES[kind])


class Known:
    """What has been read of one file: where to go on, and the bytes before that place."""

    def __init__(self) -> None:
        self.length = 0
        self.line = 0
        self.end = b""
        self.after: str | None = None
        self.changed: tuple[int, int, int, int] | None = (
            None  # when the file had last changed, once that is sure
        )
        self.recorded = 0  # of the last line
        self.rows: dict[Key, list[Row]] = {}
        self.first, self.last = LATEST, EARLIEST  # of their dates


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
    known.first = min(known.first, min(batch.date, default=LATEST))
    known.last = max(known.last, max(batch.date, default=EARLIEST))
    known.recorded = max(batch.recorded or _begun(path.name), known.recorded + 1)
    known.length += len(line)
    known.end = line[-LINE_END:]
    volumes = batch.volumes or batch.volume
    rows = zip(batch.date, batch.open, batch.high, batch.low, batch.close, volumes, strict=True)
    kinds, further = _further(batch, path)
    for symbol, values, more in zip(batch.symbol, rows, further, strict=True):
        key = (symbol, batch.timeframe)
        row = Row(path.name, batch.n, values, kinds, more, known.recorded)
        known.rows.setdefault(key, []).append(row)


def _further(batch: Batch, path: Path) -> tuple[Mapping[str, str], Iterable[tuple[Any, ...]]]:
    """Return the kinds of the further columns of a line, and for each bar their values."""
    if not batch.columns:
        return _NO_TYPES, repeat((), len(batch.symbol))
    kinds = {name: kind for name, (kind, _) in batch.columns.items()}
    if not set(kinds.values()) <= TYPES.keys():
        raise StorageError(
            f"{path}: written by a newer storecore: line {batch.n} has columns of the kinds "
            f"{', '.join(sorted(set(kinds.values())))}; update storecore",
            path,
        )
    return kinds, zip(*(values for _, values in batch.columns.values()), strict=True)


def _begun(name: str) -> int:
    """Return when a file was begun, 0 if its number is not a time."""
    return number_of(name) if is_dated(name) else 0


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
