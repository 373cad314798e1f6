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

import msgspec
import pyarrow as pa

from storecore.bar_table import bar_columns_of, joined
from storecore.forking import begin_anew_in_children
from storecore_file.floor.appending import Log, whole_lines
from storecore_file.floor.disk import Disk
from storecore_file.floor.locks import Locked
from storecore_file.floor.sealing import is_sealed, sealed, unsealed
from storecore_file.journal_rows import Batch, Key, Known, Pending, take_in
from storecore_file.log_ends import End, LogEnds
from storecore_file.troubles import (
    ASIDE,
    Kind,
    Trouble,
    agreed,
    folder_lock,
    guarded,
    troubles_in,
)

_ENDS = re.compile(r"\.ends")
_NAME = re.compile(r"(\d{8})-[0-9a-f]{16}\.jsonl")


class Journal:
    """The journal of a store, in one folder, which is made when it is first written."""

    def __init__(self, folder: Path, disk: Disk, lock_timeout: float) -> None:
        self.folder = folder
        self._disk = disk
        self._lock_path = folder / ".lock"
        self._lock_timeout = lock_timeout
        self._log = Log(disk, folder / "none yet", is_sealed)
        self._newest: tuple[bytes, int] = (b"", 0)  # a line that was written here, and its number
        self._ends = LogEnds(folder / ".ends", disk)
        self._known: dict[str, Known] = {}
        self._reading = RLock()  # threads read the new lines one after another
        begin_anew_in_children(self)

    def append(self, timeframe: str, series: list[tuple[str, pa.Table]]) -> int:
        """Append the bars of many symbols as one line; return the length of its file."""
        columns = bar_columns_of(joined(table for _, table in series))
        symbols = [name for symbol, table in series for name in repeat(symbol, len(table))]

        def line_after(last: bytes | None) -> list[bytes]:
            number = self._number(last, name) + 1
            batch = Batch(timeframe, symbols, *columns, n=number)
            self._newest = sealed(msgspec.json.encode(batch)), number
            return [self._newest[0]]

        self._disk.make_folder(self.folder, within=self.folder.parent)
        with Locked(self._lock_path, self._lock_timeout):
            name = (self.files() or [_new_name([])])[-1]
            self._log = log = self._log.at(self.folder / name)
            length = log.append(line_after)
            self._ends.follow(name, self._newest[1])
            return length

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
        gone = list(names)
        with Locked(self._lock_path, self._lock_timeout):
            self._ends.forget(*gone)
        self._disk.remove(*(self.folder / name for name in gone))

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
        """Let go of the files that are open."""
        self._log.close()
        self._ends.close()

    def are_there(self, pending: Pending) -> bool:
        """Tell whether the files of some rows have not been retired since these were read."""
        return {row.journal for row in pending.rows} <= set(self.files())

    def troubles(self) -> Iterator[Trouble | None]:
        """Yield for each file what is wrong with it, None where nothing is."""
        ends = self._ends.known()  # before the files, which are longer by then
        lines = Kind(_NAME, lambda path: self._grown(path.name, None), None, folder_lock, is_sealed)
        known = Kind(_ENDS, lambda path: self._ends.read(), ASIDE, folder_lock)
        broken = set()
        for trouble in troubles_in(self.folder, [lines, known]):
            broken |= {trouble.path.name} if trouble else set()
            yield trouble
        for name in sorted(ends.keys() - broken):
            yield from guarded(self.folder / name, self._cut(name, ends[name]))

    def _cut(self, name: str, end: End) -> Iterator[Trouble]:
        """Yield that a file has lost its last lines."""
        detail = agreed(lambda: end.trouble(self._grown(name, None).line, "line"))
        if detail and name in self._ends.known():  # not retired meanwhile
            yield Trouble("truncated", self.folder / name, detail)

    def __reduce__(self) -> tuple[type[Journal], tuple[Path, Disk, float]]:
        # A copy, in another process, reads and opens for itself.
        return Journal, (self.folder, self._disk, self._lock_timeout)

    def _number(self, last: bytes | None, name: str) -> int:
        """Return the number of the last line of a file."""
        line, number = self._newest
        if line is last:
            return number
        number = 0 if last is None else int(unsealed(last).rpartition(b":")[2][:-1])
        self._ends.meet(name, number)
        return number

    def _refresh(self) -> None:
        """Read what has been written since the last time."""
        self._known = {name: self._grown(name, self._known.get(name)) for name in self.files()}

    def _grown(self, name: str, known: Known | None) -> Known:
        """Return what is known of a file, with the lines that have come to it.

        A line may have been read before its sync failed and it was cut off again: then another
        stands in its place, and all is read anew.
        """
        path = self.folder / name
        changed = self._disk.changed(path)
        known = known or Known()
        if changed is not None and known.changed == changed.at:
            return known
        content = self._disk.read(path, known.length - len(known.end)) or b""
        if not content.startswith(known.end):
            known, content = Known(), self._disk.read(path) or b""
        for line in whole_lines(content[len(known.end) :], is_sealed):
            take_in(known, path, line)
        known.changed = changed.at if changed is not None and changed.settled else None
        return known


def _new_name(names: Sequence[str]) -> str:
    number = int(names[-1][:8]) + 1 if names else 1
    return f"{number:08}-{token_hex(8)}.jsonl"
