"""The events of a store: a file a day (UTC) of the event's timestamp, in two forms read as one.

    events/2026-01-05.jsonl     the day being written: an append costs the same whatever its length
    events/.2026-01-05.index    what lies where in it, once it is long
    events/2026-01-05.parquet   the day sealed by `compact()`: small and quick

Each event carries `n`, its number within its day. A sealed day says up to which number it holds;
lines up to there that a crash left in the JSONL are not counted twice. So a late event is appended
like any other, and sealing can be interrupted anywhere.

A question reads what may answer it. Who needs all events of a day holds a few of them at a time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from heapq import merge
from pathlib import Path
from typing import NamedTuple

from storecore.errors import CorruptData, StorageError
from storecore.events import EventQuery, encode_event, event_filter, naive_event
from storecore.knowledge.versions import Version
from storecore.models import Event
from storecore.store.collections import EventCollection
from storecore.values.logger import log as _logger
from storecore.values.times import EARLIEST, EVER, TimeRange, to_datetime
from storecore_file.events.day import Day, opened
from storecore_file.events.days import number_of
from storecore_file.events.history import EventHistory, Held
from storecore_file.events.index import Appended, IndexWriter, check_index, index_path
from storecore_file.events.open_day import OpenDay
from storecore_file.events.sealed import SealedDay, encode
from storecore_file.fs.disk import Disk, Staged, is_settled
from storecore_file.fs.errors import Attempt, best_effort
from storecore_file.fs.high_water_marks import HighWaterMarks, Mark
from storecore_file.fs.locks import GroupCommit, Locked
from storecore_file.fs.logs import Effect, Log, NumberedLog, cut, lacks_newline
from storecore_file.fs.quarantine import copy_to_quarantine, quarantine_path
from storecore_file.fs.rollback import Rollback
from storecore_file.fs.seal import is_sealed, sealed
from storecore_file.fs.stat import State, known_state_at
from storecore_file.history import FileClock
from storecore_file.integrity import (
    QUARANTINE,
    Files,
    Issue,
    agreed,
    folder_issues,
    folder_lock,
    guarded,
)
from storecore_file.rename_intent import MARK, Intent, Renames, is_marked
from storecore_file.store_format import SEALED, StoreFormat

_HIDDEN = "of another copy of the store: {} of its events differ from the sealed ones, which count"
_AT_ONCE = 64
_DAY_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})\.(jsonl|parquet)")
_INDEX_FILE = re.compile(r"\.\d{4}-\d{2}-\d{2}\.index")
_LOG_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_MARKS_FILE = re.compile(r"\.ends")
_RENAME_MARK = re.compile(re.escape(MARK))
_SEALED_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.parquet")


Change = Callable[[str, int, Event], Event | None]
Seen = tuple[State | None, State | None]


class _Listing(NamedTuple):
    """The days that have files, and a rename that counts but is not done in all of them yet."""

    days: list[str]
    renamed: Intent | None


class _Survey(NamedTuple):
    """The symbols of a day and the number of its last event, as its files were then."""

    seen: Seen
    through: int
    symbols: frozenset[str | None]


_Recorded = int | Sequence[int | None]
"""The instant at which events are recorded: that of all, or of each (None: not known)."""

_Lines = tuple[Path, int, Sequence[bytes], list[Appended], int]
"""Lines that were appended: their log, its length by then, they, their events, the last number."""


class Rewriting(NamedTuple):
    """What is to become of some events: `change` takes the day, number and event.

    It returns the event as it is, another in its place, which is recorded at `instant`, or None to
    delete it. Only events that `query` asks for may change.
    """

    query: EventQuery
    change: Change
    instant: int = 0

    def changes(self, day: str, held: Held) -> bool:
        """Return whether an event of a day changes."""
        return self.change(day, held.place, held.event) is not held.event


class _Change:
    """Applies a rewriting to the events of a day, one after the other, and counts."""

    def __init__(self, day: str, what: Rewriting) -> None:
        self._day = day
        self._what = what
        self.count = self.highest = self.left = 0
        self.gone: list[Held] = []

    def applied(self, held: Held) -> Held | None:
        """Return what becomes of an event, None if it is deleted."""
        new = self._what.change(self._day, held.place, held.event)
        if new is held.event:
            self.left += 1
            return held
        self.count += 1
        self.highest = max(self.highest, held.place)
        if new is None:
            self.gone.append(held)
            return None
        self.left += 1
        return held._replace(event=new, recorded=self._what.instant)


class Rewritten(NamedTuple):
    """A staged day: the files that it was made from, and how many of its events change.

    `gone` are those that are deleted.

    `hidden` is how many lines of its log are of another copy of the store.
    """

    day: str
    seen: Seen
    staged: Staged
    changes: int
    hidden: int
    is_empty: bool
    gone: Sequence[Held] = ()


class _SealedFurther(Exception):
    """The log of a day ends before its sealed events do: the next line in it would be hidden."""


class Events(EventCollection):
    """The events of a store, in one folder."""

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        lock_timeout: float,
        clock: FileClock,
        number: StoreFormat,
    ) -> None:
        self._folder = folder
        self._format = number
        self._clock = clock
        self._history = EventHistory(clock, disk)
        self._disk = disk
        self._lock_path = folder / ".lock"
        self._log = NumberedLog[int](disk, is_sealed)  # of the day that is written
        self._marks = HighWaterMarks(folder / ".ends", disk)
        self._index = IndexWriter(disk)
        self._lock_timeout = lock_timeout
        self._together = GroupCommit(self._locked, self._commit)
        self.renames = Renames(disk, folder.parent)
        self._surveyed: dict[str, _Survey] = {}

    def write(self, batch: list[Event]) -> None:
        """Append checked events to their days, all or, on an error, none.

        A single event shares one sync with those of other threads.
        """
        if len(batch) == 1:
            (event,) = batch
            self._together.write(event.timestamp.date().isoformat(), (event, encode_event(event)))
            return
        by_day: dict[str, list[Appended]] = {}
        for event in batch:
            by_day.setdefault(event.timestamp.date().isoformat(), []).append(
                (event, encode_event(event))
            )
        effects = {day: Effect() for day in by_day}
        with self._locked(), self._clock.published() as at:
            try:
                appended = {
                    day: self._append(day, given, effects[day], at) for day, given in by_day.items()
                }
            except BaseException:
                self._roll_back(effects)
                raise
            for day, lines in appended.items():
                self._follow(day, lines)

    def close(self) -> None:
        """Close the files that are open, once no thread writes to them any more."""
        self._log.close()
        self._marks.close()

    def locked(self) -> Locked | nullcontext[None]:
        """Return the lock of all events, none if no event was ever written."""
        return self._locked() if self._days() else nullcontext()

    def _locked(self) -> Locked:
        return Locked(self._lock_path, self._lock_timeout)

    def _commit(self, _: Locked, day: str, given: list[Appended], effect: Effect | None) -> None:
        with self._clock.published() as at:
            appended = self._append(day, given, effect, at)
        self._follow(day, appended)

    def _append(
        self, day: str, given: list[Appended], effect: Effect | None, at: _Recorded
    ) -> _Lines:
        """Append events to their day, under the lock. `at` is when they are recorded."""
        try:
            return self._append_to_log(day, given, effect, at)
        except _SealedFurther:
            self._seal_locked(day)
            return self._append_to_log(day, given, effect, at)

    def _append_to_log(
        self, day: str, given: list[Appended], effect: Effect | None, at: _Recorded
    ) -> _Lines:
        lines: Sequence[bytes] = ()

        def lines_after(last: bytes | None, number: int | None) -> tuple[Sequence[bytes], int]:
            nonlocal lines
            first = (self._number(last, day) if number is None else number) + 1
            lines = (
                [
                    sealed(b'%b,"recorded":%d,"n":%d}' % (encoded[:-1], at, number))
                    for number, (_, encoded) in enumerate(given, first)
                ]
                if isinstance(at, int)
                else _restored_lines(given, at, first)
            )
            return lines, first + len(lines) - 1

        path = self._log_path(day)
        length, last = self._log.append(path, lines_after, effect)
        return path, length, lines, given, last

    def _follow(self, day: str, appended: _Lines) -> None:
        """Update the mark and the index of a day, once its lines will not be removed again."""
        self._marks.follow(day, appended[-1])
        self._index.follow(*appended)

    def _roll_back(self, effects: dict[str, Effect]) -> None:
        """Remove what was appended to some days and never acknowledged."""
        for day, effect in effects.items():
            if effect.is_there:
                cut(self._log_path(day), effect.before)

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range and of some types (None: all), in order."""
        return self.find(EventQuery(span, types))

    def find(self, query: EventQuery) -> list[Event]:
        """Return the events that a query asks for, in order.

        If a symbol is renamed meanwhile, some days would have its old name and others its new one:
        then all are read again.
        """
        while True:
            listing = self._listing()
            days = _within(listing.days, query.span)
            found = [
                held.event for day in days for held in self._answer(day, query, listing.renamed)
            ]
            if len(days) < 2 or self._listing().renamed == listing.renamed:
                return found if query.span.aware else list(map(naive_event, found))

    def _answer(self, day: str, query: EventQuery, renamed: Intent | None) -> list[Held]:
        """Return the events of a day that a query asks for, with the symbols that count now."""
        with self._opened(day) as files:
            if renamed is None:
                return files.answer(query)
            found = files.answer(query._replace(symbols=None))
        is_asked_for = event_filter(query)
        shown = (_shown(day, each, renamed) for each in found)
        return [each for each in shown if is_asked_for(each.event)]

    def _opened(self, day: str) -> AbstractContextManager[Day]:
        return opened(self._disk, self._log_path(day), self._sealed_path(day))

    def _listing(self) -> _Listing:
        """Return the days that have files, and the rename that is not done yet in all of them."""
        names = self._disk.names(self._folder)
        matches = map(_DAY_FILE.fullmatch, names)
        renamed = self.renames.committed() if is_marked(names) else None
        return _Listing(sorted({match[1] for match in matches if match}), renamed)

    def symbols(self) -> set[str]:
        """Return the symbols that have events."""
        days, renamed = self._listing()
        if renamed is None:
            found = {symbol for day in days for symbol in self._survey(day).symbols}
        else:
            found = {
                _shown(day, each, renamed).event.symbol
                for day in days
                for each in self._rows(day, EventQuery(EVER))
            }
        return {symbol for symbol in found if symbol is not None}

    def _rows(self, day: str, query: EventQuery) -> Iterator[Held]:
        """Yield the events of a day, as they are stored, a few of them held at a time."""
        with self._opened(day) as files:
            yield from files.rows(query)

    def days_with(self, symbol: str) -> dict[str, int]:
        """Return the days that have events of a symbol, and the number of the last one of each."""
        surveys = ((day, self._survey(day)) for day in self._days())
        return {day: each.through for day, each in surveys if symbol in each.symbols}

    def rename(self, intent: Intent) -> None:
        """Rewrite the days of a rename, whose events have the new symbol for readers already."""
        days = [day for day in self._days() if day in intent.days]
        query = EventQuery(EVER, symbols=frozenset([intent.old]))
        self._rewrite(days, Rewriting(query, intent.applied, intent.generation))

    def folders_to_mark(self, days: Mapping[str, int]) -> list[Path]:
        """Return the folder of events if a rename concerns any."""
        return [self._folder] if days else []

    def marked_folders(self) -> list[Path]:
        """Return the folder of events if a rename has marked it."""
        return [self._folder] if is_marked(self._disk.names(self._folder)) else []

    def _survey(self, day: str) -> _Survey:
        """Return the symbols of a day and the number of its last event, kept until it changes."""
        now, seen = time.time_ns(), self._seen(day)
        kept = self._surveyed.get(day)
        if kept is not None and kept.seen == seen:
            return kept
        with self._opened(day) as files:
            survey = _Survey(seen, files.last, frozenset(files.symbols()))
        if all(file is None or is_settled(file[-1], now) for file in seen):
            self._surveyed[day] = survey
        return survey

    def delete(self, query: EventQuery) -> int:
        """Remove the events that a query asks for, all or none; return their number."""
        is_asked_for = event_filter(query)
        if self._listing().renamed is not None:
            self.renames.settle()

        def kept(day: str, number: int, event: Event) -> Event | None:
            return None if is_asked_for(event) else event

        return self._rewrite(_within(self._days(), query.span), Rewriting(query, kept))

    def versions(self, query: EventQuery) -> list[Version[Event]]:
        """Return the versions of the events that a query asks for."""
        is_asked_for = event_filter(query)

        def held(day: str, renamed: Intent | None) -> list[Held]:
            present = self._answer(day, query, renamed)
            found = [*self._history.past(day, EARLIEST, lambda _: present), *present]
            return [each for each in found if is_asked_for(each.event)]

        return self._of_days(query.span, held)

    def past(self, since: int) -> list[Version[Event]]:
        """Return the versions that were deleted or renamed at or after an instant.

        Of days without such versions only the names are read.
        """

        def past(day: str, renamed: Intent | None) -> list[Held]:
            return self._history.past(day, since, lambda asked: self._present(day, asked, renamed))

        return self._of_days(EVER, past)

    def _of_days(
        self, span: TimeRange, found_in: Callable[[str, Intent | None], list[Held]]
    ) -> list[Version[Event]]:
        """Return what is found in each day of a range, by timestamp, then in order of writing.

        If a writer deletes or renames events meanwhile, all days are read again.
        """
        while True:
            before, listing = self._history.seen(), self._listing()
            days = sorted({*listing.days, *self._history.days()})
            found = [each for day in _within(days, span) for each in found_in(day, listing.renamed)]
            if (self._history.seen(), self._listing()) == (before, listing):
                break
        found.sort(key=lambda each: (each.event.timestamp, each.place, each.recorded or 0))
        return [(each.event, each.recorded, each.until) for each in found]

    def _present(self, day: str, query: EventQuery, renamed: Intent | None) -> Iterator[Held]:
        """Yield what a query asks for with the symbols that count now, a few events held.

        While a rename is not done, there may be events of other symbols among it.
        """
        if renamed is None:
            yield from self._rows(day, query)
            return
        for each in self._rows(day, query._replace(symbols=None)):
            yield _shown(day, each, renamed)

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        if not self._disk.is_folder(self._folder):
            return 0
        with self._locked():
            number = len(self.past(EARLIEST))
            self._history.prune(before)
            return number - len(self.past(EARLIEST))

    def restore(self, versions: list[Version[Event]]) -> None:
        """Append versions of another store, day by day.

        A day is sealed with them, unless it has more sealed events than others by then: a copy of a
        long day comes in parts, and would rewrite it for each of them.
        """
        by_day: dict[str, list[Version[Event]]] = {}
        for version in versions:
            by_day.setdefault(version[0].timestamp.date().isoformat(), []).append(version)
        for day, found in by_day.items():
            with self._locked():
                if self._may_stay_open(day, found):
                    self._restore_lines(day, found)
                else:
                    self._restore_day(day, found)

    def _may_stay_open(self, day: str, versions: list[Version[Event]]) -> bool:
        with self._opened(day) as old:
            late = old.last - old.through + len(versions)
            return late < old.through and all(until is None for _, _, until in versions)

    def _restore_lines(self, day: str, versions: list[Version[Event]]) -> None:
        given = [(event, encode_event(event)) for event, _, _ in versions]
        recorded = [recorded for _, recorded, _ in versions]
        self._follow(day, self._append(day, given, None, recorded))

    def _restore_day(self, day: str, versions: list[Version[Event]]) -> None:
        with self._opened(day) as old:
            placed = [Held(*each, place) for place, each in enumerate(versions, old.last + 1)]
            new = [each for each in placed if each.until is None]
            self._history.restore([each for each in placed if each.until is not None])
            if not new:
                return
            through = old.last + len(placed)
            changed = old.changed if len(new) == len(placed) else through
            new.sort(key=_time)
            content = encode(merge(old.rows(), new, key=_time), lambda: (through, changed))
            hidden = old.hidden()
        self._put_sealed(day, content, hidden)
        self._marks.follow(day, through)

    def settle_clock(self) -> None:
        """Wait for a writer that may not have seen the clock of recording, just made."""
        if self._disk.size(self._lock_path) is not None:
            with self._locked():
                pass

    def keep_renamed(self, old: str, days: Iterable[str], instant: int) -> None:
        """Keep the events of a symbol that is about to be renamed, under the lock."""
        query = EventQuery(EVER, symbols=frozenset([old]))
        for day in days:
            self._history.keep(self._answer(day, query, None), instant)

    def _rewrite(self, days: Iterable[str], what: Rewriting) -> int:
        """Change events of some days, all or none; return their number.

        The new days are staged before the lock is taken; one that others have written to since is
        staged again.
        """
        days_before, staged = list[Rewritten](), list[Staged]()
        try:
            for day in days:
                days_before += self._rewritten(day, what, staged)
            if not days_before:
                return 0
            self._format.require(SEALED)
            with self._locked():
                put = self._put(days_before, what, staged)
            return sum(each.changes for each in put)
        except BaseException:
            self._disk.discard(staged)
            raise

    def _rewritten(self, day: str, what: Rewriting, into: list[Staged]) -> list[Rewritten]:
        """Stage a day with its events changed; `[]` if none changes, and the day is not empty."""
        seen = self._seen(day)
        if seen == (None, None):
            return []
        with self._opened(day) as old:
            asked_for = old.rows(what.query)
            if next(old.rows(), None) and not any(map(partial(what.changes, day), asked_for)):
                return []
            change = _Change(day, what)
            content = encode(
                filter(None, map(change.applied, old.rows())),
                lambda: (old.last, max(old.changed, change.highest)),
            )
            hidden = old.hidden()
        self._disk.stage(self._sealed_path(day), content, into)
        return [Rewritten(day, seen, into[-1], change.count, hidden, not change.left, change.gone)]

    def _seen(self, day: str) -> Seen:
        return known_state_at(self._log_path(day)), known_state_at(self._sealed_path(day))

    def _put(
        self, rewritten: list[Rewritten], what: Rewriting, staged: list[Staged]
    ) -> list[Rewritten]:
        """Put days in place, under the lock; return those that were put.

        `staged` gets what is staged again.

        The logs go once the sealed files are durable: their lines count no more by then.
        """
        current: list[Rewritten] = []
        rollback = Rollback(self._disk)
        try:
            for each in rewritten:
                current += self._current(each, what, staged)
            gone = [past for each in current for past in each.gone]
            with self._clock.published(max((each.recorded or 0 for each in gone), default=0)) as at:
                self._history.keep(gone, at)
                self._exchange(current, rollback)
        except BaseException:
            rollback.discard()
            raise
        try:
            rollback.discard()
        except BaseException:  # of a signal handler
            rollback.discard()
            raise
        with best_effort(self._folder, "files of days without events are removed later"):
            self._tidy(current)
        return current

    def _exchange(self, current: Sequence[Rewritten], rollback: Rollback) -> None:
        """Put days in place of what they were: all or, on an error, none."""
        try:
            for each in current:
                self._end_log(each.day, each.hidden)
                rollback.replace(*each.staged)
            rollback.sync()
        except BaseException:
            with suppress(StorageError):  # the error that matters is on its way
                rollback.roll_back()
            raise

    def _current(
        self, rewritten: Rewritten, what: Rewriting, staged: list[Staged]
    ) -> list[Rewritten]:
        """Return a staged day, staged again if others have written to it since."""
        if rewritten.seen == self._seen(rewritten.day):
            return [rewritten]
        self._disk.discard([rewritten.staged])
        return self._rewritten(rewritten.day, what, staged)

    def _tidy(self, rewritten: Sequence[Rewritten]) -> None:
        """Remove the logs of days that were put in place, and days without events.

        The mark of an empty day is retired before its file goes, or the day would be missing.
        """
        logs = [self._log_path(each.day) for each in rewritten if each.seen[0]]
        self._remove(logs)
        for log in logs:
            self._forget_index(log)
        empty = [each.day for each in rewritten if each.is_empty]
        if empty:
            self._marks.forget(*empty)
            self._remove([*map(self._sealed_path, empty)])

    def _remove(self, paths: list[Path]) -> None:
        """Remove files durably, a few at a time: each is held open until then."""
        for start in range(0, len(paths), _AT_ONCE):
            self._disk.remove(*paths[start : start + _AT_ONCE])

    def all(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        return self.stream(EVER)

    def stream(self, span: TimeRange) -> Iterator[Event]:
        """Yield the events of a range as `all` does; a few of them are held at a time."""
        days, renamed = self._listing()
        query = EventQuery(span)
        for day in _within(days, span):
            for each in self._present(day, query, renamed):
                yield each.event

    def compact(self, tried: Attempt) -> list[str]:
        """Seal every day that is being written, and return those days."""
        return [day for day in self._days() if tried(partial(self._seal, day))]

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each file, None for a whole one."""
        marks = self._marks.known()  # before the logs, which are longer by then
        logs = Files(_LOG_FILE, self._check_log, None, folder_lock, is_sealed)
        days = Files(
            _SEALED_FILE,
            self._check_sealed,
            QUARANTINE,
            folder_lock,
            moved=lambda path: self._marks.forget(path.stem),
        )
        known = Files(_MARKS_FILE, lambda path: self._marks.read(), QUARANTINE, folder_lock)
        renamed = Files(_RENAME_MARK, lambda path: None)
        index = Files(_INDEX_FILE, self._check_index, QUARANTINE, folder_lock)
        broken = set()
        for issue in folder_issues(self._folder, [logs, days, known, renamed, index]):
            broken |= {issue.path.stem} if issue and issue.kind != "torn" else set()
            yield issue
        for day in sorted({*self._days(), *marks} - broken):
            yield from guarded(self._log_path(day), self._incomplete(day, marks.get(day)))
        yield from guarded(self._history.folder, self._history.issues())

    def _check_log(self, path: Path) -> None:
        file = self._disk.opened(path)
        if file is not None:
            with file:
                OpenDay(self._disk, file).check()

    def _check_index(self, path: Path) -> None:
        file = self._disk.opened(self._log_path(path.stem[1:]))
        if file is not None:
            with file:
                check_index(self._disk, file)

    def _check_sealed(self, path: Path) -> None:
        file = self._disk.opened(path)
        if file is not None:
            with file:
                SealedDay(file).check()

    def _incomplete(self, day: str, mark: Mark | None) -> Iterator[Issue]:
        """Yield what a day of whole files lacks."""
        lack = agreed(lambda: self._lack(day, mark))
        if lack and (mark is None or day in self._marks.known()):  # not quarantined meanwhile
            yield lack

    def _lack(self, day: str, mark: Mark | None) -> Issue | None:
        try:
            with self._opened(day) as files:
                through, hidden = files.last, files.hidden()
        except CorruptData as error:
            path = self._sealed_path(day)
            return Issue("damaged", path, str(error).removeprefix(f"{path}: "))
        log = self._log_path(day)
        detail = mark.issue(through, "event", lacks_newline(log, is_sealed)) if mark else None
        if detail:
            return Issue("truncated", log, detail)
        if hidden:
            detail = f"{_HIDDEN.format(hidden)}; `storecore compact` keeps the log in aside/"
            return Issue("diverged", log, detail)
        return None

    def _number(self, last: bytes | None, day: str) -> int:
        """Return the number of the last event of a day, given the last line of its log."""
        through = self._sealed_through(day)
        number = number_of(last, self._log_path(day)) if last else through
        if number < through:
            raise _SealedFurther
        self._marks.meet(day, number)
        return number

    def _seal(self, day: str) -> bool:
        with self._locked():  # a day at a time: writers come between
            return self._seal_locked(day)

    def _seal_locked(self, day: str) -> bool:
        if self._disk.size(self._log_path(day)) is None:
            return False
        with self._opened(day) as files:
            content = encode(files.rows(), lambda: (files.last, files.changed))
            hidden = files.hidden()
        self._put_sealed(day, content, hidden)
        return True

    def _put_sealed(self, day: str, content: bytes, hidden: int) -> None:
        """Replace the files of a day by a sealed one, under the lock."""
        log = self._log_path(day)
        self._format.require(SEALED)
        self._end_log(day, hidden)
        self._disk.replace(self._sealed_path(day), content)
        self._disk.remove(log)
        self._forget_index(log)

    def _forget_index(self, log: Path) -> None:
        with best_effort(log, "its index stays, and counts for nothing"):
            self._disk.drop(index_path(log))

    def _end_log(self, day: str, hidden: int) -> None:
        """Keep what is no event of the sealed day elsewhere, before the log of it is removed."""
        log = self._log_path(day)
        if hidden:
            self._quarantine(log, hidden)
        if self._disk.size(log) is not None:
            Log(self._disk, log, is_sealed).truncate_torn_tail()

    def _quarantine(self, log: Path, hidden: int) -> None:
        into = quarantine_path(self._folder.parent, log, datetime.now(UTC))
        copy_to_quarantine(self._disk, log, into)
        _logger.warning("%s: %s; kept as %s", log, _HIDDEN.format(hidden), into)

    def _days(self) -> list[str]:
        return self._listing().days

    def _sealed_through(self, day: str) -> int:
        file = self._disk.opened(self._sealed_path(day))
        if file is None:
            return 0
        with file:
            return SealedDay(file).through

    def _log_path(self, day: str) -> Path:
        return _day_path(self._folder, f"{day}.jsonl")

    def _sealed_path(self, day: str) -> Path:
        return _day_path(self._folder, f"{day}.parquet")


def _within(days: list[str], span: TimeRange) -> list[str]:
    first, last = (str(to_datetime(at, aware=False).date()) for at in span[:2])
    return [day for day in days if first <= day <= last]


def _restored_lines(
    given: Sequence[Appended], recorded: Sequence[int | None], first: int
) -> list[bytes]:
    lines = list[bytes]()
    for number, ((_, encoded), at) in enumerate(zip(given, recorded, strict=True), first):
        known = b"" if at is None else b',"recorded":%d' % at
        lines.append(sealed(b'%b%b,"n":%d}' % (encoded[:-1], known, number)))
    return lines


def _time(held: Held) -> datetime:
    return held.event.timestamp


def _shown(day: str, held: Held, renamed: Intent) -> Held:
    """Return an event as it is to be read while a rename counts that is not done yet."""
    event = renamed.applied(day, held.place, held.event)
    return held if event is held.event else Held(event, renamed.generation, None, held.place)


@lru_cache(maxsize=64)
def _day_path(folder: Path, name: str) -> Path:
    # Cached: joining a path costs as much as encoding an event.
    return folder / name
