"""The journal of bars: a batch of a few bars for many symbols, appended and synced once.

    prices/.journal/00000001-5f0c….jsonl     one line a batch, its bars as columns

A day of the universe would else replace a file a symbol. Rows lie in the journal until they are
folded into the parts of their series. Each line carries `n`, its number within its file, and a part
says in its note up to which line of which file it has taken in the rows of its range: so a write to
one series folds that series alone, a fold may be interrupted anywhere, and no order of reading
counts a row twice or takes an old one for the newest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from secrets import token_hex
from threading import RLock
from typing import NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Struct

from storecore.bar_table import EMPTY, bar_columns_of, joined, series_table
from storecore.bars import BarColumns
from storecore.errors import CorruptData
from storecore.forking import begin_anew_in_children
from storecore_file.floor.appending import Log, whole_lines
from storecore_file.floor.disk import Disk
from storecore_file.floor.locks import Locked
from storecore_file.floor.sealing import is_sealed, sealed, unsealed
from storecore_file.parts import Part
from storecore_file.troubles import Kind, Trouble, folder_lock, troubles_in

_NAME = re.compile(r"(\d{8})-[0-9a-f]{16}\.jsonl")
_END = 20  # the bytes of a line's checksum
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


class _Batch(Struct, frozen=True):
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


_BATCHES = msgspec.json.Decoder(_Batch)


class _Known:
    """What has been read of one file: where to go on, and by which bytes to know that place."""

    def __init__(self) -> None:
        self.length = 0
        self.line = 0
        self.end = b""
        self.changed: int | None = None  # when the file had last changed, once that is sure
        self.rows: dict[Key, list[Row]] = {}


class Journal:
    """The journal of a store, in one folder, which is made when it is first written."""

    def __init__(self, folder: Path, disk: Disk, lock_timeout: float) -> None:
        self.folder = folder
        self._disk = disk
        self._lock_path = folder / ".lock"
        self._lock_timeout = lock_timeout
        self._log = Log(disk, folder / "none yet", is_sealed)
        self._known: dict[str, _Known] = {}
        self._reading = RLock()  # threads read the new lines one after another
        begin_anew_in_children(self)

    def append(self, timeframe: str, series: list[tuple[str, pa.Table]]) -> int:
        """Append the bars of many symbols as one line; return the length of its file."""
        columns = bar_columns_of(joined(table for _, table in series))
        symbols = [name for symbol, table in series for name in repeat(symbol, len(table))]

        def line_after(last: bytes | None) -> list[bytes]:
            batch = _Batch(timeframe, symbols, *columns, n=_number(last) + 1)
            return [sealed(msgspec.json.encode(batch))]

        self._disk.make_folder(self.folder, within=self.folder.parent)
        with Locked(self._lock_path, self._lock_timeout):
            names = self.files() or [_new_name([])]
            self._log = log = self._log.at(self.folder / names[-1])
            return log.append(line_after)

    def folding(self) -> Locked:
        """Return the lock of those who fold the journal, which exists."""
        return Locked(self.folder / ".fold.lock", self._lock_timeout)

    def rotate(self) -> list[str]:
        """Let appends go to a new file from now on; return those before it."""
        with Locked(self._lock_path, self._lock_timeout):
            names = self.files()
            if names and not self._disk.size(self.folder / names[-1]):
                return names[:-1]  # nothing was appended since the last time
            if names:
                self._disk.replace(self.folder / _new_name(names), b"")
            return names

    def retire(self, names: Iterable[str]) -> None:
        """Remove files whose rows have all been folded."""
        self._disk.remove(*(self.folder / name for name in names))

    def settle(self) -> None:
        """Make durable which files there are; a process may have been killed while it retired."""
        self._disk.settle(self.folder)

    def pending(self, key: Key) -> Pending:
        """Return the rows of a series, those that are folded already too."""
        with self._reading:
            self._refresh()
            rows = [row for file in self._known.values() for row in file.rows.get(key, ())]
            return Pending(rows, tuple(self._known))

    def settled(self, key: Key) -> Pending:
        """Return the rows of a series once none of them is still being written.

        A line may be seen before its sync; where that fails it is cut off, and its number is that
        of another line then: a part must not have taken it in.
        """
        found = self.pending(key)
        if not found.rows:
            return found
        with Locked(self._lock_path, self._lock_timeout):
            return self.pending(key)

    def after_fork(self) -> None:
        """Begin anew in a child: a thread that is not there may have been reading."""
        self._reading = RLock()
        self._known = {}

    def series(self, names: Iterable[str] | None = None) -> set[Key]:
        """Return the symbol and timeframe of each series that has rows (in some of the files)."""
        with self._reading:
            self._refresh()
            chosen = self._known.keys() if names is None else self._known.keys() & set(names)
            return {key for name in chosen for key in self._known[name].rows}

    def files(self) -> list[str]:
        """Return the names of the files, in the order of writing."""
        return [name for name in self._disk.names(self.folder) if _NAME.fullmatch(name)]

    def close(self) -> None:
        """Let go of the file that is open."""
        self._log.close()

    def are_there(self, pending: Pending) -> bool:
        """Tell whether the files of some rows have not been retired since these were read."""
        return {row.journal for row in pending.rows} <= set(self.files())

    def troubles(self) -> Iterator[Trouble | None]:
        """Yield for each file what is wrong with it, None where nothing is."""
        lines = Kind(_NAME, lambda path: self._grown(path.name, None), None, folder_lock, is_sealed)
        return troubles_in(self.folder, [lines])

    def __reduce__(self) -> tuple[type[Journal], tuple[Path, Disk, float]]:
        # A copy, in another process, reads and opens for itself.
        return Journal, (self.folder, self._disk, self._lock_timeout)

    def _refresh(self) -> None:
        """Read what has been written since the last time."""
        self._known = {name: self._grown(name, self._known.get(name)) for name in self.files()}

    def _grown(self, name: str, known: _Known | None) -> _Known:
        """Return what is known of a file, with the lines that have come to it.

        A line may have been read before its sync failed and it was cut off again: then another
        stands in its place, and all is read anew.
        """
        path = self.folder / name
        changed = self._disk.changed(path)
        known = known or _Known()
        if changed is not None and known.changed == changed.at:
            return known
        content = self._disk.read(path, known.length - len(known.end)) or b""
        if not content.startswith(known.end):
            known, content = _Known(), self._disk.read(path) or b""
        for line in whole_lines(content[len(known.end) :], is_sealed):
            _take_in(known, path, line)
        known.changed = changed.at if changed is not None and changed.settled else None
        return known


def _take_in(known: _Known, path: Path, line: bytes) -> None:
    try:
        batch = _BATCHES.decode(unsealed(line))
    except ValueError as error:
        raise CorruptData(f"{path}: a line is not whole: {error}: {line[:80]!r}", path) from error
    if batch.n != known.line + 1:
        raise CorruptData(f"{path}: found line {batch.n}, expected {known.line + 1}", path)
    known.line = batch.n
    known.length += len(line)
    known.end = line[-_END:]
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


def _number(last: bytes | None) -> int:
    return 0 if last is None else int(unsealed(last).rpartition(b":")[2][:-1])


def _new_name(names: Sequence[str]) -> str:
    number = int(names[-1][:8]) + 1 if names else 1
    return f"{number:08}-{token_hex(8)}.jsonl"
