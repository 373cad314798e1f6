"""The journal of bars: a batch of a few bars for many symbols, appended and synced once.

    prices/.journal/1764104110123456-5f0c….jsonl     one line a batch, its bars as columns

A day of the universe would else replace a file a symbol. Rows lie in the journal until they are
folded into the parts of their series. Each line carries `n`, its number within its file, and a part
says in its note up to which line of which file it has taken in the rows of its range: so a write to
one series folds that series alone, a fold may be interrupted anywhere, and no order of reading
counts a row twice or takes an old one for the newest.

A file's number is the time at which it was begun, and larger than those before. A store appends to
files only that were begun while it was open: in one that was there before, which may have been
copied from an older state, the next line could have a number that parts have seen already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from secrets import token_hex
from threading import RLock

import msgspec
import pyarrow as pa

from storecore.bars.table import bar_columns_of, joined
from storecore.errors import CorruptData, StoreError
from storecore.values.fork import begin_anew_in_children
from storecore_file.bars.generations import next_generation
from storecore_file.bars.journal_lines import (
    DIGITS,
    Batch,
    Key,
    Known,
    Pending,
    Row,
    number_of,
    take_in,
)
from storecore_file.bars.retired_journals import Past, PastJournals, Retired
from storecore_file.fs.best_effort import best_effort
from storecore_file.fs.disk import Disk
from storecore_file.fs.high_water_marks import End, LogEnds
from storecore_file.fs.locks import Locked
from storecore_file.fs.logs import Log, lacks_newline, whole_lines
from storecore_file.fs.seal import is_sealed, sealed, unsealed
from storecore_file.integrity import (
    ASIDE,
    Kind,
    Trouble,
    agreed,
    folder_lock,
    guarded,
    problem_of,
    troubles_in,
)

_ENDS = re.compile(r"\.ends")
_TAKEN = re.compile(r"\..+\.jsonl\.taken")
_PAST = re.compile(r"\.past")
_NAME = re.compile(rf"(\d{{8}}|\d{{{DIGITS}}})-[0-9a-f]{{16}}\.jsonl")


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
        self._written = ("", 0)  # the file that was appended to last, and its length then
        self._since = 0  # the number of the first file that was begun while this store was open
        self._known: dict[str, Known] = {}
        self._record = PastJournals(folder / ".past", disk)
        self._past: Past | None = None
        self._listed: list[str] = []  # the names in the folder, as they were seen last
        self._reading = RLock()  # threads read the new lines one after another
        begin_anew_in_children(self)

    def append(self, timeframe: str, series: list[tuple[str, pa.Table]], reached: int = 0) -> int:
        """Append the bars of many symbols as one line; return the length of its file.

        `reached` is the highest number of a file that partitions of these series know. The line
        goes into a file with a higher one, or it would count as taken in already.
        """
        columns = bar_columns_of(joined(table for _, table in series))
        symbols = [name for symbol, table in series for name in repeat(symbol, len(table))]

        def line_after(last: bytes | None) -> list[bytes]:
            number = self._number(last, name) + 1
            after = self._before(name) if number == 1 else None
            batch = Batch(timeframe, symbols, *columns, after, number)
            self._newest = sealed(msgspec.json.encode(batch)), number
            return [self._newest[0]]

        self._disk.make_folder(self.folder, within=self.folder.parent)
        with Locked(self._lock_path, self._lock_timeout):
            name = self._open_file(reached)
            self._log = log = self._log.at(self.folder / name)
            length = log.append(line_after)
            self._written = name, length
            self._ends.follow(name, self._newest[1])
            return length

    def _open_file(self, reached: int) -> str:
        """Return the file to append to, under the lock."""
        names = self.files()
        if names and self._may_grow(names[-1], reached):
            return names[-1]
        name = self._new_name(names, reached)
        self._since = number_of(name)
        return name

    def _may_grow(self, name: str, reached: int) -> bool:
        """Return whether a new line in a file is beyond every line that partitions know.

        A file that is shorter than this store has left it has been replaced by an older copy.
        """
        number, (own, length) = number_of(name), self._written
        if not 0 < self._since <= number or number <= reached:
            return False
        return name != own or (self._disk.size(self.folder / name) or 0) >= length

    def _new_name(self, names: Sequence[str], reached: int = 0) -> str:
        """Return a name whose number is higher than all that are known, whatever the clock."""
        known = [*names, *self._ends.known()]
        with suppress(StoreError):  # a damaged record is reported by verify
            known += [*self._record.read().newest, *self._ends.retired()]
        number = next_generation([reached, *map(number_of, _files(known))])
        return f"{number:0{DIGITS}}-{token_hex(8)}.jsonl"

    def _before(self, name: str) -> str:
        """Return the newest file with lines but for one, of those that are past too."""
        found = [each for each in self.files() if self._disk.size(self.folder / each)]
        with suppress(StoreError):  # a damaged record is told where it is needed
            found += self._record.read().newest
        return max((each for each in found if each != name), default="")

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
                self._disk.replace(self.folder / self._new_name(names), b"")
            return names

    def retire(self, names: Iterable[str]) -> None:
        """Remove files whose rows have all been folded, once they are entered as past.

        One that was past before stays where it holds other lines than it did then. Where one ended
        that has lost its last lines stays known: folding the rest brings nothing back.
        """
        with self._reading:
            self._refresh()
            gone = {name: self._known[name] for name in names if name in self._known}
        with Locked(self._lock_path, self._lock_timeout):
            past = self._record.read()
            kept = {name for name in gone if name in past and not past.is_whole(name, gone[name])}
            self._record.add({name: known for name, known in gone.items() if name not in past})
            ends = self._ends.known()
            cut = {
                name for name in ends.keys() & gone if ends[name].trouble(gone[name].line, "line")
            }
            self._ends.forget(*(gone.keys() - cut))
        names = [name for name in gone if name not in kept]
        self._disk.remove(*(self.folder / each for name in names for each in (name, _taken(name))))

    def take(self, key: Key, pending: Pending) -> None:
        """Note, for a verify, that parts of a series have taken in rows of files that there are.

        A part of another state that is copied over them has not: then an old row would count again.
        """
        symbol, timeframe = key
        for name, line in pending.through.items():
            if name in pending.journals:
                mark = sealed(msgspec.json.encode(Taken(symbol, timeframe, line)))
                with best_effort(self.folder / name, "what was taken in of it is not noted"):
                    self._disk.add(self.folder / _taken(name), mark)

    def taken(self) -> dict[str, dict[Key, int]]:
        """Return up to which line parts have taken in the rows of a series, by file."""
        found = {}
        for name in self.files():
            with suppress(StoreError):  # it is told by itself
                found[name] = _taken_in(self._disk.read(self.folder / _taken(name)) or b"")
        return found

    def rows(self, name: str, key: Key) -> Sequence[Row]:
        """Return the rows of a series in a file."""
        with self._reading:
            self._refresh()
            known = self._known.get(name)
            return known.rows.get(key, ()) if known else ()

    def forget(self, chosen: Callable[[Key, int], bool]) -> None:
        """Expect rows that were folded in no part any more, by series and hour since 1970."""
        if self._disk.size(self._record.path) is not None:
            with Locked(self._lock_path, self._lock_timeout):
                self._record.forget(chosen)

    def enter(self, lines: dict[str, int]) -> None:
        """Enter files as past that only parts know of."""
        self._disk.make_folder(self.folder, within=self.folder.parent)
        with Locked(self._lock_path, self._lock_timeout):
            self._record.enter([Retired(name, line, "") for name, line in lines.items()])

    def named(self) -> list[str]:
        """Return the files that other records name: each was there once."""
        with self._reading:
            self._refresh()
            before = [known.after for known in self._known.values() if known.after]
        return [*self._ends.retired(), *before]

    @property
    def record_path(self) -> Path:
        """The file that says which files are past."""
        return self._record.path

    def lines(self) -> dict[str, int]:
        """Return the number of lines of each file."""
        with self._reading:
            self._refresh()
            return {name: known.line for name, known in self._known.items()}

    def past(self) -> Past:
        """Return which files are past, as it says on the disk now. Raises `CorruptData`."""
        return self._record.read()

    def _past_now(self) -> Past:
        """Return which files are past, read again when other files are in the folder."""
        if self._past is None:
            self._past = self._record.read()
        return self._past

    def settle(self) -> None:
        """Make durable which files there are; a process may have been killed while it retired."""
        self._disk.settle(self.folder)

    def pending(self, key: Key) -> Pending:
        """Return the rows of a series, those that are folded already too."""
        with self._reading:
            self._refresh()
            rows = [row for file in self._known.values() for row in file.rows.get(key, ())]
            return self._beside_past(key, rows) if rows else Pending(rows, tuple(self._known))

    def settled(self, key: Key) -> Pending:
        """Return the rows of a series once none of them is still being written, for a writer.

        A line may be seen before its sync; where that fails it is cut off, and its number is that
        of another line then: a part must not have taken it in.
        """
        found = self.pending(key)
        if found.rows:
            with Locked(self._lock_path, self._lock_timeout):
                found = self.pending(key)
        with self._reading:
            return self._beside_past(key, found.rows) if self._known else found

    def _beside_past(self, key: Key, rows: Sequence[Row]) -> Pending:
        past = self._past_now()
        live = tuple(name for name, each in self._known.items() if each.line and name not in past)
        return Pending(rows, live, past, past.newest, past.of(key))

    def after_fork(self) -> None:
        """Begin anew in a child: a thread that is not there may have been reading."""
        self._reading = RLock()
        self._known = {}
        self._past = None

    def series(self, names: Iterable[str] | None = None) -> set[Key]:
        """Return the symbol and timeframe of each series that has rows in some of the files.

        Without names: those that have rows which may count.
        """
        with self._reading:
            self._refresh()
            chosen = set(self._known if names is None else names)
            found = {
                key for name in self._known if name in chosen for key in self._known[name].rows
            }
            if names is not None or not found:
                return found
            past = self._past_now()
            return {key for key in found if self._may_count(key, past)}

    def _may_count(self, key: Key, past: Past) -> bool:
        """Tell whether a series has rows that are not past, or that a part must have."""
        expected = past.of(key)
        return any(
            name not in past or row.is_expected(expected)
            for name, file in self._known.items()
            for row in file.rows.get(key, ())
        )

    def files(self) -> list[str]:
        """Return the names of the files, in the order of writing."""
        return _files(self._disk.names(self.folder))

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
        taken = Kind(_TAKEN, lambda path: None, ASIDE, folder_lock)
        past = Kind(_PAST, lambda path: self._record.read(), ASIDE, folder_lock)
        broken = set()
        for trouble in troubles_in(self.folder, [lines, known, past, taken]):
            broken |= {trouble.path.name} if trouble and trouble.kind != "torn" else set()
            yield trouble
        for name in sorted(ends.keys() - broken):
            yield from guarded(self.folder / name, self._cut(name, ends[name]))
        if self._record.path.name not in broken:
            names = [name for name in self.files() if name not in broken]
            yield from guarded(self.folder, self._returned(names))

    def _returned(self, names: Sequence[str]) -> Iterator[Trouble]:
        """Yield which files are past, or are of another history than the rest."""
        past, lock = self._record.read(), self.folder / ".lock"
        before = {name: each.after for name, each in past.files.items()}
        before |= {name: self._grown(name, None).after for name in names}
        others = list(before)

        def _are_twins(one: str, other: str) -> bool:
            after = before[one], before[other]
            return number_of(one) == number_of(other) or (
                after[0] is not None and after[0] == after[1]
            )

        for name in names:
            path = self.folder / name
            twins = sorted(each for each in others if each != name and _are_twins(each, name))
            if twins:
                detail = f"begun in another copy of the store, written to apart, as {twins[0]} was"
                yield Trouble("diverged", path, detail)
            elif name in past:
                problem = problem_of(path, self._check_past)
                detail = "it was folded: its bars count only where a partition lacks them"
                kind, remedy = ("diverged", ASIDE) if problem else ("leftover", None)
                detail = problem.detail if problem else detail
                yield Trouble(kind, path, detail, remedy, lock, self._check_past)

    def _check_past(self, path: Path) -> None:
        """Refuse a file that is past and holds other lines than when it was folded."""
        past, known = self._record.read(), self._grown(path.name, None)
        if path.name in past and not past.is_whole(path.name, known):
            raise CorruptData(
                f"{path}: it was folded with other lines than these, in a copy of the store that "
                "was written to apart from this one: bars of it may be in neither",
                path,
            )

    def _cut(self, name: str, end: End) -> Iterator[Trouble]:
        """Yield an issue if a file has lost its last lines."""

        def look() -> str | None:
            without = lacks_newline(self.folder / name, is_sealed)
            return end.trouble(self._grown(name, None).line, "line", without)

        detail = agreed(look)
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
        listed = self._disk.names(self.folder)  # the same list while nothing has changed
        if listed is not self._listed:
            self._listed, self._past = listed, None
        try:
            self._known = {
                name: self._grown(name, self._known.get(name)) for name in _files(listed)
            }
        except BaseException:  # a line may have been taken in by half
            self._known = {}
            raise

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


class Taken(msgspec.Struct, frozen=True):
    """Up to which line of a file the parts of a series have taken in its rows."""

    symbol: str
    timeframe: str
    line: int


def _taken(name: str) -> str:
    return f".{name}.taken"


def _taken_in(content: bytes) -> dict[Key, int]:
    """Return the furthest marks that are whole; a kill may have torn one."""
    found: dict[Key, int] = {}
    for line in content.splitlines(keepends=True):
        with suppress(ValueError):
            mark = msgspec.json.decode(unsealed(line), type=Taken)
            key = mark.symbol, mark.timeframe
            found[key] = max(mark.line, found.get(key, 0))
    return found


def _files(names: Iterable[str]) -> list[str]:
    return [name for name in names if _NAME.fullmatch(name)]
