"""Which files of the journal are retired: all their rows are in the partitions of their series.

    prices/.journal/.past     one line of JSON with its checksum

A file is entered before it is removed. So if it comes back with a copy of an older state, its rows
do not count, and bars that were deleted since stay deleted. For the files that were flushed last
the record also says which rows of which series they had, by the hour: a partition of that hour must
have taken them in, or the partition is of an older state than the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData
from storecore_file.bars.journal_lines import DIGITS, HOUR, Key, Known, Position, number_of
from storecore_file.fs.disk import Disk
from storecore_file.fs.seal import sealed, unsealed

_NO_ROWS: Mapping[str, Known] = {}
_MOST_FILES = 512
_MOST_ROWS = 100_000  # some 4 MB
_Hours = dict[int, Position]
_Rows = dict[str, dict[str, _Hours]]


class Retired(Struct, frozen=True, array_like=True):
    """A retired file of the journal: its name, its number of lines, the end of the last.

    `after` is the file before it, as its first line has it.
    """

    name: str
    lines: int
    end: str
    after: str | None = None


class Past(Struct, frozen=True, dict=True):
    """The retired files, oldest first, and the rows that the last of them had.

    `rows` has for a timeframe, a symbol and an hour since 1970 the number of a file and its line.
    """

    retired: list[Retired] = []
    rows: _Rows = {}

    @cached_property
    def files(self) -> dict[str, Retired]:
        """The files by name."""
        return {each.name: each for each in self.retired}

    @cached_property
    def newest(self) -> dict[str, int]:
        """The newest retired file, and its number of lines."""
        return {each.name: each.lines for each in self.retired[-1:]}

    def of(self, key: Key) -> Mapping[int, Position]:
        """Return the last row of a series in each hour."""
        symbol, timeframe = key
        return self.rows.get(timeframe, {}).get(symbol, {})

    def named(self, number: int) -> str:
        """Return the name of the file of a number; any name of that number if it is forgotten."""
        return self._names.get(number, f"{number:0{DIGITS}}-")

    @cached_property
    def _names(self) -> Mapping[int, str]:
        return {number_of(each.name): each.name for each in self.retired}

    def __contains__(self, name: object) -> bool:
        """Return whether a file is retired: one of these, or older than all that are kept."""
        return name in self.files or (
            len(self.retired) == _MOST_FILES and str(name) < self.retired[0].name
        )

    def is_whole(self, name: str, known: Known) -> bool:
        """Return whether a retired file holds what it held when it was flushed."""
        return self.files.get(name) == _retired(name, known)


class RetiredJournals:
    """The record of retired files. Callers that change it hold the lock of the writers."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk

    def read(self) -> Past:
        """Return the record. Raises `CorruptData`."""
        content = self._disk.read(self.path)
        if content is None:
            return Past()
        try:
            return msgspec.json.decode(unsealed(content), type=Past)
        except ValueError as error:
            message = f"{self.path}: not a whole record of past journals: {error}"
            raise CorruptData(message, self.path) from error

    def add(self, files: Mapping[str, Known]) -> None:
        """Enter flushed files, durably, except for those without a line."""
        new = {name: known for name, known in files.items() if known.line}
        if new:
            self.enter([_retired(name, known) for name, known in new.items()], new)

    def enter(self, files: Iterable[Retired], rows: Mapping[str, Known] = _NO_ROWS) -> None:
        """Enter files and their rows, durably, in place of what was known of them."""
        past = self.read()
        retired = past.files | {each.name: each for each in files}
        newest = sorted(retired.values(), key=lambda each: each.name)[-_MOST_FILES:]
        self._write(Past(newest, _latest(_merged(past.rows, rows))))

    def forget(self, chosen: Callable[[Key, int], bool]) -> None:
        """Expect the rows of some series and hours no more: they are deleted or given up."""
        past = self.read()
        rows: _Rows = {}
        for key, hour, at in rows_of(past):
            if not chosen(key, hour):
                rows.setdefault(key[1], {}).setdefault(key[0], {})[hour] = at
        if rows != past.rows:
            self._write(Past(past.retired, rows))

    def _write(self, past: Past) -> None:
        self._disk.replace(self.path, sealed(msgspec.json.encode(past)))


def rows_of(past: Past) -> Iterator[tuple[Key, int, Position]]:
    """Yield series, hour and position of each known row."""
    for timeframe, symbols in past.rows.items():
        for symbol, hours in symbols.items():
            for hour, at in hours.items():
                yield (symbol, timeframe), hour, at


def _retired(name: str, known: Known) -> Retired:
    return Retired(name, known.line, known.end.decode(), known.after)


def _merged(rows: _Rows, files: Mapping[str, Known]) -> _Rows:
    """Return rows with those of newer files, which replace older ones."""
    merged = {
        timeframe: {symbol: dict(hours) for symbol, hours in symbols.items()}
        for timeframe, symbols in rows.items()
    }
    for name, known in files.items():
        number = number_of(name)
        for (symbol, timeframe), found in known.rows.items():
            hours = merged.setdefault(timeframe, {}).setdefault(symbol, {})
            for row in found:
                hour, at = row.values[0] // HOUR, (number, row.line)
                hours[hour] = max(at, hours.get(hour, at))
    return merged


def _latest(rows: _Rows) -> _Rows:
    """Return the rows of the newest files, up to the number that is kept."""
    positions = sorted(at for _, _, at in rows_of(Past(rows=rows)))
    if len(positions) <= _MOST_ROWS:
        return rows
    since = positions[-_MOST_ROWS]
    kept: _Rows = {}
    for (symbol, timeframe), hour, at in rows_of(Past(rows=rows)):
        if at >= since:
            kept.setdefault(timeframe, {}).setdefault(symbol, {})[hour] = at
    return kept
