"""The journal of bars: a batch of a few bars for many symbols, appended and synced once.

    prices/.journal/1764104110123456-5f0c….jsonl     one line a batch, its bars as columns

Without it, one day of many symbols would replace a file for each. Rows stay in the journal until
they are flushed into the partitions of their series. Each line carries `n`, its number within its
file. The metadata of a partition says up to which line of which file it has taken in the rows of
its range. So a write to one series flushes that series alone, a flush may be interrupted anywhere,
and no order of reading counts a row twice or takes an old row for the newest. Of the newest file
that stays true for ever: all rows of the series in earlier files are in the partition too, even if
these files come back with a copy of an older state.

A file's number is the time at which it was begun, and larger than all earlier ones. A store only
appends to files that were begun while it was open: in an existing one, which may be a copy of an
older state, the next line could have a number that partitions know already.

Kinds of further columns: an append does not hold the locks of its series, so another writer could
give a column another kind meanwhile, and no partition could take in the row. Therefore a line has
only columns that partitions of its series have, in the kind that they have there. A writer that
changes the kinds of a series holds the lock of appends while it does, and raises the count of that
lock; an append that finds another count than that at which it has looked at the partitions looks at
them again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from secrets import token_hex
from threading import RLock
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from storecore.bars.table import EMPTY, joined
from storecore.errors import StoreError
from storecore.values.fork import reset_after_fork
from storecore.values.times import TimeRange
from storecore_file.bars.journal_lines import (
    DIGITS,
    Key,
    Known,
    Position,
    Row,
    batch_of,
    is_later,
    number_of,
    table_of,
    take_in,
)
from storecore_file.bars.layout import Partition
from storecore_file.bars.partition import next_generation
from storecore_file.bars.retired_journals import Past, Retired, RetiredJournals
from storecore_file.fs.disk import Disk, is_settled
from storecore_file.fs.errors import best_effort
from storecore_file.fs.high_water_marks import HighWaterMarks
from storecore_file.fs.locks import Count, Locked
from storecore_file.fs.logs import NumberedLog, whole_lines
from storecore_file.fs.seal import is_sealed, sealed, unsealed
from storecore_file.fs.stat import NO_FILE, State, state_at
from storecore_file.history import FileClock
from storecore_file.rename_intent import Renames

NAME = re.compile(rf"(\d{{8}}|\d{{{DIGITS}}})-[0-9a-f]{{16}}\.jsonl")


Flushed = dict[str, int]
_NOTHING: Flushed = {}
_States = Sequence[tuple[str, State | None]]
_EXPECTED: Mapping[int, Position] = {}


class KindsChangedError(Exception):
    """Further columns of a series may have other kinds by now than when they were looked at."""


class Pending(NamedTuple):
    """The rows of a series in the journal, in the order of writing, and the journal's files.

    `journals` are the files with lines that are not retired; `past` has the names of retired ones,
    which may have come back. `flushed` says up to where all rows of the journal are retired, and
    `expected`, by hour, which rows must be in a partition: the others may have been deleted.
    """

    rows: Sequence[Row]
    journals: Sequence[str]
    past: Container[str] = ()
    flushed: Flushed = _NOTHING
    expected: Mapping[int, Position] = _EXPECTED

    @property
    def through(self) -> Flushed:
        """The last line and file of the rows: how far a partition is that takes them in."""
        return furthest([self.flushed, {row.journal: row.line for row in self.rows}])

    def known(self, flushed: Flushed) -> Flushed:
        """Return what metadata says of existing files, and of those that are known to be past.

        Releases before generations let numbers of files begin at 1 again.
        """
        return {
            name: line
            for name, line in flushed.items()
            if name in self.journals or name in self.past
        }

    def needs(self, flushed: Flushed) -> bool:
        """Return whether the journal has rows that would count if this metadata were lost."""
        return any(
            name in flushed or any(is_later(other, name) for other in flushed)
            for name in self.journals
        )

    def table(
        self, partitions: Iterable[tuple[Partition, Flushed]], first: int, last: int
    ) -> pa.Table:
        """Return the rows from instant `first` to `last` that are not in `partitions` yet."""
        newest = {row.values[0]: row for row in self.counting(list(partitions), first, last)}
        if not newest:
            return EMPTY
        return table_of(newest[date] for date in sorted(newest))

    def counting(
        self, partitions: Sequence[tuple[Partition, Flushed]], first: int, last: int
    ) -> list[Row]:
        """Return the rows from instant `first` to `last` that are not in `partitions` yet."""
        return [
            row
            for row in self.rows
            if first <= row.values[0] <= last and self._counts(row, partitions)
        ]

    def since(self, number: int) -> Pending:
        """Return it without the first rows."""
        return self._replace(rows=self.rows[number:])

    def not_in(self, partitions: Sequence[tuple[Partition, Flushed]]) -> list[Row]:
        """Return the rows that are not in `partitions` yet."""
        return [row for row in self.rows if self._counts(row, partitions)]

    def dates(self, partitions: Iterable[tuple[Partition, Flushed]]) -> set[int]:
        """Return the dates of the rows that are not in `partitions` yet."""
        known = list(partitions)
        return {row.values[0] for row in self.rows if self._counts(row, known)}

    def _counts(self, row: Row, partitions: Iterable[tuple[Partition, Flushed]]) -> bool:
        """Return whether a row is newer than the partition in whose range it lies.

        If there is no such partition, a retired row has been deleted, unless it is expected: then
        the partition was not copied along with the journal.
        """
        date = row.values[0]
        for partition, flushed in partitions:
            if partition.first <= date <= partition.last:
                return not is_in(row.journal, row.line, flushed)
        return row.journal not in self.past or row.is_expected(self.expected)


class Waiting:
    """The rows of a series in the journal, and what a reader has made of them, for the next one.

    It is the same object as long as the journal has no other rows of the series. `first` and `last`
    are the first and last date of the rows, `files` the names of theirs.
    """

    __slots__ = ("files", "first", "last", "made", "pending")

    def __init__(self, pending: Pending, before: Waiting | None = None) -> None:
        """Take rows; those of `before`, with which they begin, are not looked at again."""
        self.pending = pending
        rows = pending.rows if before is None else pending.rows[len(before.pending.rows) :]
        dates = [row.values[0] for row in rows]
        self.first, self.last = min(dates), max(dates)
        self.files = {row.journal for row in rows}
        self.made: Any = None
        if before is not None:
            self.first, self.last = min(self.first, before.first), max(self.last, before.last)
            self.files |= before.files
            self.made = before.made


class Journal:
    """The journal of a store, in one folder, which is made when it is first written."""

    def __init__(self, folder: Path, disk: Disk, lock_timeout: float, clock: FileClock) -> None:
        self.folder = folder
        self._disk = disk
        self._clock = clock
        self._lock_path = folder / ".lock"
        self._lock_timeout = lock_timeout
        self._log = NumberedLog[int](disk, is_sealed)
        self.marks = HighWaterMarks(folder / ".ends", disk)
        self._written = ("", 0)  # the file that was appended to last, and its length then
        self._since = 0  # the number of the first file that was begun while this store was open
        self._known: dict[str, Known] = {}
        self._waiting: dict[Key, tuple[list[int], Waiting]] = {}
        self.record = RetiredJournals(folder / ".past", disk)
        self._past: Past | None = None
        self._listed: list[str] = []  # the names in the folder, as last seen
        self.renames = Renames(disk, folder.parent.parent)
        self._reading = RLock()  # threads read the new lines one after another
        self._path = os.fspath(folder)
        self._quiet: _States = ()  # of the folder and its files, when they had no rows
        reset_after_fork(self)

    def append(
        self,
        timeframe: str,
        series: list[tuple[str, pa.Table]],
        reached: int = 0,
        kinds_at: Count | None = None,
    ) -> int:
        """Append the bars of many symbols as one line; return the length of its file.

        `reached` is the highest number of a file that partitions of these series know. The line
        goes into a file with a higher one, or it would count as taken in already.

        If the line has further columns, `kinds_at` is the count at which the kinds in these
        partitions were looked at. Raises `KindsChangedError` if it is another one by now.
        """
        symbols = [name for symbol, table in series for name in repeat(symbol, len(table))]
        bars = batch_of(timeframe, symbols, joined(table for _, table in series))

        def line_after(last: bytes | None, known: int | None) -> tuple[list[bytes], int]:
            number = (self._number(last, name) if known is None else known) + 1
            after = self._before(name) if number == 1 else None
            batch = msgspec.structs.replace(bars, after=after, recorded=at, n=number)
            return [sealed(msgspec.json.encode(batch))], number

        with self.kinds_lock() as lock:
            if kinds_at is not None and lock.count() != kinds_at:
                raise KindsChangedError
            name = self._open_file(reached)
            with self._clock.published() as at:
                length, number = self._log.append(self.folder / name, line_after)
            self._written = name, length
            self.marks.follow(name, number)
            return length

    def kinds_lock(self) -> Locked:
        """Return the lock of appends, whose count is raised when kinds of columns change."""
        self._disk.make_folder(self.folder, within=self.folder.parent)
        return Locked(self._lock_path, self._lock_timeout)

    def expect_kinds(self, key: Key, known: Pending, kinds: Mapping[str, str]) -> None:
        """Raise `KindsChangedError` if newer rows of a series have columns of other kinds.

        `known` are the rows that were taken into account when the kinds were chosen.
        """
        seen = {row[:2] for row in known.rows}
        for row in self.pending(key).rows if kinds else ():
            if row[:2] not in seen and any(
                kinds[name] != row.kinds[name] for name in kinds.keys() & row.kinds.keys()
            ):
                raise KindsChangedError

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
        known = [*names, *self.marks.known()]
        with suppress(StoreError):  # a damaged record is reported by verify
            known += [*self.record.read().newest, *self.marks.retired()]
        number = next_generation([reached, *map(number_of, _files(known))])
        return f"{number:0{DIGITS}}-{token_hex(8)}.jsonl"

    def _before(self, name: str) -> str:
        """Return the newest file with lines, retired ones included, except for one."""
        found = [each for each in self.files() if self._disk.size(self.folder / each)]
        with suppress(StoreError):  # a damaged record is reported when it is needed
            found += self.record.read().newest
        return max((each for each in found if each != name), default="")

    def flush_lock(self) -> Locked:
        """Return the lock for flushes of the journal, which exists."""
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
        """Remove files whose rows have all been flushed, once they are entered as retired.

        One that was retired before stays if it holds other lines now. The high-water mark of one
        that has lost its last lines stays: flushing the rest brings nothing back.
        """
        with self._reading:
            self._refresh()
            gone = {name: self._known[name] for name in names if name in self._known}
        with Locked(self._lock_path, self._lock_timeout):
            past = self.record.read()
            kept = {name for name in gone if name in past and not past.is_whole(name, gone[name])}
            self.record.add({name: known for name, known in gone.items() if name not in past})
            marks = self.marks.known()
            cut = {
                name for name in marks.keys() & gone if marks[name].issue(gone[name].line, "line")
            }
            self.marks.forget(*(gone.keys() - cut))
        names = [name for name in gone if name not in kept]
        self._disk.remove(*(self.folder / each for name in names for each in (name, _taken(name))))

    def take(self, key: Key, pending: Pending) -> None:
        """Note, for a verify, that partitions of a series have taken in rows of existing files.

        If a partition of an older state is copied over them, these rows would count again.
        """
        symbol, timeframe = key
        for name, line in pending.through.items():
            if name in pending.journals:
                mark = sealed(msgspec.json.encode(Taken(symbol, timeframe, line)))
                with best_effort(self.folder / name, "what was taken in of it is not noted"):
                    self._disk.add(self.folder / _taken(name), mark)

    def taken(self) -> dict[str, dict[Key, int]]:
        """Return up to which line partitions have taken in the rows of a series, by file."""
        found = {}
        for name in self.files():
            with suppress(StoreError):  # that is an issue of its own
                found[name] = _taken_in(self._disk.read(self.folder / _taken(name)) or b"")
        return found

    def rows(self, name: str, key: Key) -> Sequence[Row]:
        """Return the rows of a series in a file."""
        with self._reading:
            self._refresh()
            known = self._known.get(name)
            return known.rows.get(key, ()) if known else ()

    def forget(self, chosen: Callable[[Key, int], bool]) -> None:
        """Expect flushed rows in partitions no more, chosen by series and hour since 1970."""
        if self._disk.size(self.record.path) is not None:
            with Locked(self._lock_path, self._lock_timeout):
                self.record.forget(chosen)

    def enter(self, lines: dict[str, int]) -> None:
        """Enter files as retired that only partitions know of."""
        self._disk.make_folder(self.folder, within=self.folder.parent)
        with Locked(self._lock_path, self._lock_timeout):
            self.record.enter([Retired(name, line, "") for name, line in lines.items()])

    def named(self) -> list[str]:
        """Return the files that other records name: each was there once."""
        with self._reading:
            self._refresh()
            before = [known.after for known in self._known.values() if known.after]
        return [*self.marks.retired(), *before]

    def lines(self) -> dict[str, int]:
        """Return the number of lines of each file."""
        with self._reading:
            self._refresh()
            return {name: known.line for name, known in self._known.items()}

    def _past_now(self) -> Past:
        """Return which files are retired, read again if the folder has other files."""
        if self._past is None:
            self._past = self.record.read()
        return self._past

    def pending(self, key: Key) -> Pending:
        """Return the rows of a series, flushed ones included."""
        with self._reading:
            self._refresh()
            rows = [row for file in self._known.values() for row in file.rows.get(key, ())]
            return self._beside_past(key, rows) if rows else Pending(rows, tuple(self._known))

    def all_pending(self) -> dict[Key, Pending]:
        """Return the rows of each series as `pending` does, all as they are at one moment."""
        with self._reading:
            self._refresh()
            rows: dict[Key, list[Row]] = {}
            for file in self._known.values():
                for key, some in file.rows.items():
                    rows.setdefault(key, []).extend(some)
            return {key: self._beside_past(key, each) for key, each in rows.items()}

    def waiting(
        self, symbols: Iterable[str], timeframe: str, span: TimeRange
    ) -> dict[str, Waiting]:
        """Return the rows of the symbols that may have some of a range."""
        if self._is_quiet():
            return {}
        now, before = time.time_ns(), self._states()
        with self._reading:
            self._refresh()
            self._quiet = before if self._has_no_rows(before, now) else ()
            first, last, _ = span
            files = self._known.values()
            if not any(each.first <= last and first <= each.last for each in files):
                return {}
            found = {symbol: self._waiting_of((symbol, timeframe)) for symbol in symbols}
            return {
                symbol: each
                for symbol, each in found.items()
                if each is not None and each.first <= last and first <= each.last
            }

    def _is_quiet(self) -> bool:
        """Return whether no file has rows, as one look at each of them says.

        A flush leaves the last file, without rows.
        """
        quiet = self._quiet
        if quiet:
            return all(state_at(path) == state for path, state in quiet)
        return state_at(self._path) == NO_FILE

    def _states(self) -> _States:
        """Return the states of the folder and of the files that are known, by their paths."""
        return [(path, state_at(path)) for path in self._paths()]

    def _paths(self) -> list[str]:
        return [self._path, *[f"{self._path}/{name}" for name in self._known]]

    def _has_no_rows(self, before: _States, now: int) -> bool:
        """Return whether the files have no rows, and would look different if they got some.

        `before` is what they looked like before they were read, at a time `now`.
        """
        if any(each.rows for each in self._known.values()):
            return False
        if [path for path, _ in before] != self._paths():
            return False
        return all(
            state not in (None, NO_FILE) and is_settled(state[-1], now) for _, state in before
        )

    def _waiting_of(self, key: Key) -> Waiting | None:
        """Return the rows of a series, the same object as before if there are no others."""
        found = [each.rows.get(key, ()) for each in self._known.values()]
        lengths = list(map(len, found))
        kept = self._waiting.get(key)
        if kept is None or kept[0] != lengths:
            if not any(lengths):
                return None
            rows = [row for each in found for row in each]
            # Lines are added to the end of the last file: its rows follow those that are known.
            before = kept[1] if kept is not None and kept[0][:-1] == lengths[:-1] else None
            kept = self._waiting[key] = lengths, Waiting(self._beside_past(key, rows), before)
        return kept[1]

    def settled(self, key: Key) -> Pending:
        """Return the rows of a series once none of them is still being written, for a writer.

        A line may be seen before its sync. If that fails, the line is removed, and another line
        gets its number: a partition must not have taken it in.
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
        """Reset in a forked child: a thread that it does not have may have been reading."""
        self._reading = RLock()
        self._known, self._waiting = {}, {}
        self._past = None

    def series(self, names: Iterable[str] | None = None) -> set[Key]:
        """Return the symbol and timeframe of each series that has rows in some of the files.

        Without names: the series whose rows may count.
        """
        with self._reading:
            self._refresh()
            if names is None:
                return self._counting(key for file in self._known.values() for key in file.rows)
            chosen = set(names)
            files = [file for name, file in self._known.items() if name in chosen]
            return {key for file in files for key in file.rows}

    def series_of(self, *symbols: str) -> set[Key]:
        """Return those of `series()` that some symbols have, without a look at others' rows."""
        with self._reading:
            self._refresh()
            files = self._known.values()
            return self._counting(key for file in files for key in file.rows if key[0] in symbols)

    def _counting(self, keys: Iterable[Key]) -> set[Key]:
        """Return those of some series whose rows may count."""
        found = set(keys)
        if not found:
            return found
        past = self._past_now()
        return {key for key in found if self._may_count(key, past)}

    def _may_count(self, key: Key, past: Past) -> bool:
        """Return whether a series has rows that are not retired, or that a partition must have."""
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
        """Close the files that are open."""
        self._log.close()
        self.marks.close()

    def file(self, name: str) -> Known:
        """Return what a file holds, read from its beginning. Raises `CorruptData`."""
        return self._grown(name, None)

    def are_there(self, *pending: Pending) -> bool:
        """Return whether the files of some rows have not been retired since these were read."""
        names = {row.journal for each in pending for row in each.rows}
        return self.has_all(names)

    def has_all(self, names: Iterable[str]) -> bool:
        """Return whether all of some files are there, none of them retired."""
        return set(names) <= set(self.files())

    def __reduce__(self) -> tuple[type[Journal], tuple[Path, Disk, float, FileClock]]:
        # A copy, in another process, reads and opens for itself.
        return Journal, (self.folder, self._disk, self._lock_timeout, self._clock)

    def _number(self, last: bytes | None, name: str) -> int:
        """Return the number of the last line of a file."""
        number = 0 if last is None else int(unsealed(last).rpartition(b":")[2][:-1])
        self.marks.meet(name, number)
        return number

    def _refresh(self) -> None:
        """Read what has been written since the last time."""
        listed = self._disk.names(self.folder)  # the same list while nothing has changed
        if listed is not self._listed:
            self._listed, self._past, self._waiting = listed, None, {}
        try:
            self._known = {
                name: self._grown(name, self._known.get(name)) for name in _files(listed)
            }
        except BaseException:  # a line may have been taken in half
            self._known, self._waiting = {}, {}
            raise

    def _grown(self, name: str, known: Known | None) -> Known:
        """Return what is known of a file, with the lines appended since.

        A line may have been read before its sync failed and it was removed: then another is in its
        place, and the whole file is read again.
        """
        path = self.folder / name
        changed = self._disk.changed(path)
        known = known or Known()
        if changed is not None and known.changed == changed.at:
            return known
        content = self._disk.read(path, known.length - len(known.end)) or b""
        if not content.startswith(known.end):
            known, content = Known(), self._disk.read(path) or b""
            self._waiting = {}
        for line in whole_lines(content[len(known.end) :], is_sealed):
            take_in(known, path, line)
        known.changed = changed.at if changed is not None and changed.settled else None
        return known


class Taken(msgspec.Struct, frozen=True):
    """Up to which line of a file the partitions of a series have taken in its rows."""

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
    return [name for name in names if NAME.fullmatch(name)]


def is_in(journal: str, line: int, flushed: Flushed) -> bool:
    """Return whether a partition with such metadata has taken in a line of a file."""
    known = flushed.get(journal)
    if known is not None:
        return known >= line
    return any(is_later(name, journal) for name in flushed)


def furthest(many: Iterable[Flushed]) -> Flushed:
    """Return the furthest of several positions, of the newest file only."""
    merged: Flushed = {}
    for flushed in many:
        for name, line in flushed.items():
            merged[name] = max(line, merged.get(name, 0))
    return {
        name: line
        for name, line in merged.items()
        if not any(is_later(other, name) for other in merged)
    }
