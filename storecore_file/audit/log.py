"""An audit log, of decisions or of orders: a chain of records over files of a day.

    audit/decisions/2026-01-05.jsonl     one record a line; the day is the machine's local date
    audit/decisions/.head                where the chain ends, so that a cut tail is detected

Lines are never rewritten. The head has number and hash of the last record, its file and that file's
length. It names a file before the first record goes into it, whole and synced. Then it follows each
record without a sync of its own, in the older of its two entries. A crash may tear that entry; then
the record that it named is in the log, and the other entry is whole.

So after a crash the head may be behind the log, and the next writer brings it up to date from the
log's last line. It is ahead of the log only if the log's tail was cut. A damaged entry was torn by
a crash if the log goes on after the other one; otherwise it is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import chain as joined
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from storecore.audit.chain import follow, windows
from storecore.audit.counts import Counts
from storecore.audit.records import (
    GENESIS,
    Link,
    chain,
    end_of,
    is_whole,
    moment_and_day,
    select_records,
)
from storecore.audit.transfer import LOGS, moved_end
from storecore.errors import CorruptData, StorageError
from storecore.reports import AuditLine, Finding
from storecore.store.collections import AuditLog
from storecore.values.logger import log as _log
from storecore.values.times import EARLIEST, LATEST, TimeRange, to_datetime
from storecore_file.audit.days import CheckedFile, DayFile, count, stream
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import InPlaceFile, os_errors
from storecore_file.fs.locks import Count, GroupCommit, Locked
from storecore_file.fs.logs import Effect, Log, NumberedLog, last_line
from storecore_file.fs.seal import sealed, unsealed
from storecore_file.integrity import Files, Issue, agreed, folder_issues, folder_lock
from storecore_file.store_format import StoreFormat

_ENTRY = 512  # bytes, a sector: what a disk writes whole or not at all


class Head(Struct, frozen=True):
    """The end of a chain, and the file and the length at which it was.

    `unproven` is the number of the first record that was logged when no head could rule out that
    others had been cut off before it (0: there is none).
    """

    seq: int
    hash: str
    file: str
    length: int
    unproven: int = 0

    @property
    def link(self) -> Link:
        """The end itself."""
        return Link(self.seq, self.hash)


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(Head)


class Heads(NamedTuple):
    """The whole entries of a head file, the newest first.

    `first_is_newest` says whether the file begins with the newest of them.
    """

    whole: tuple[Head, ...]
    damaged: bool
    first_is_newest: bool = False

    @property
    def newest(self) -> Head | None:
        """The end of the chain as far as it is known here."""
        return self.whole[0] if self.whole else None

    def may_hide_a_cut(self, end: Link) -> bool:
        """Return whether a log that ends here may have been longer, as far as the heads say."""
        if self.newest is None:
            return end.seq > 0 or self.damaged
        return self.damaged and end.seq <= self.newest.seq


class HeadFile:
    """The head of one log. Callers hold the log's lock."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._file = InPlaceFile(path)
        self._next_entry = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self) -> Heads:
        """Return what is known of the chain's end."""
        self._file.close()  # another process may have begun a new one
        known = self.look()
        self._next_entry = int(known.first_is_newest)
        return known

    def look(self) -> Heads:
        """Return what is known of the chain's end; callers need no lock."""
        content = self._disk.read(self.path) or b""
        entries = [content[:_ENTRY], content[_ENTRY : 2 * _ENTRY]]
        heads = [_decoded(entry) for entry in entries]
        whole = sorted((head for head in heads if head), key=lambda head: head.seq, reverse=True)
        pairs = zip(entries, heads, strict=True)
        damaged = any(entry.strip(b" \0") and not head for entry, head in pairs)
        return Heads(tuple(whole), damaged, bool(heads[0]) and heads[0] == whole[0])

    def begin(self, head: Head) -> None:
        """Replace all entries by one head, whole and durable: before a file is begun."""
        self._file.close()
        self._disk.replace(self.path, _encoded(head))
        self._next_entry = 1

    def follow(self, head: Head) -> None:
        """Update the head after a record is written; a failure is logged."""
        try:
            self._file.write(_encoded(head), self._next_entry * _ENTRY)
        except StorageError as error:
            _log.warning("the head of the audit log stays behind: %s", error)
        self._next_entry = 1 - self._next_entry


def _encoded(head: Head) -> bytes:
    return sealed(_ENCODER.encode(head)).ljust(_ENTRY)


def _decoded(entry: bytes) -> Head | None:
    try:
        return _DECODER.decode(unsealed(entry.rstrip(b" \0")))
    except ValueError:
        return None


_DAY_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_HEAD_FILE = re.compile(r"\.head")
_DAY = 86_400_000_000


class FileLog(AuditLog):
    """One log, in one folder."""

    def __init__(self, folder: Path, disk: Disk, lock_timeout: float, number: StoreFormat) -> None:
        self.name = folder.name
        self._folder = folder
        self._kind = kind = LOGS[self.name]
        self._mark = b'"%b":{' % kind.__struct_fields__[3].encode()  # which every line of it has
        self._disk = disk
        self._format = number
        self._lock_path = folder / ".lock"
        self._head = HeadFile(folder / ".head", disk)
        self._unproven = 0  # as in the head
        self._log = NumberedLog[Link](disk, is_whole)  # of the day that is written
        self._begun: Count | None = None  # how often a head had been begun at its last line
        self._lock_timeout = lock_timeout
        self._together = GroupCommit(self._locked, self._commit)

    def write(self, bodies: list[bytes]) -> None:
        """Append checked records to the file of today's local date, all of them or none.

        They share one sync, with those of other threads too.
        """
        self._format.require_for(bodies)
        self._together.write(str(self._folder), bodies)

    def append(self, day: date, lines: list[bytes]) -> None:
        """Append checked records of another store to the file of the day that they have there.

        Raises `StateConflict` if they do not follow the last record.
        """
        name = self.name
        self._format.require_for(lines)
        with self._locked() as lock:
            # Before a file of the day is made.
            moved_end(name, lines, self._end_now(self._head.read().newest))
            self._append(lock, day, lambda end: (lines, moved_end(name, lines, end)))

    def lines(self, after: int) -> Iterator[AuditLine]:
        """Yield all lines after record `after` in the order of `seq`, a block at a time."""
        return stream(self._disk, self._files(), after)

    def counts(self) -> Counts:
        """Return how many records the log has, by strategy and run, without their hashes."""
        return sum((count(self._disk, path) for path in self._files()), Counts())

    def close(self) -> None:
        """Close the file of the day, once no thread writes to it any more."""
        self._log.close()
        self._head.close()

    def read(self, span: TimeRange, strategy: str | None) -> list[Any]:
        """Return the records of a range and a strategy (None: all), in the order of `seq`."""
        files = [self._day_file(path) for path in self._files(span)]
        records = (record for file in files for record in file.records())
        found = select_records(records, span, strategy)
        self._expect_each_once(files)
        return found

    def _expect_each_once(self, files: list[DayFile[Any]]) -> None:
        """Raise `CorruptData` if a record is in two files, which have been read.

        If their numbers do not follow each other, a clock was set back: all are looked at again.
        """
        ranges = sorted(file.numbers for file in files)
        if all(one[1] < other[0] for one, other in pairwise(ranges) if one[1]):
            return
        numbers = [record.seq for file in files for record in file.records()]
        if len(set(numbers)) < len(numbers):
            raise CorruptData(f"{self._folder}: records are in two of its files", self._folder)

    def verify(self) -> tuple[Link, list[Finding]]:
        """Follow the chain; return its end, its first break or a cut, and files out of place.

        It takes no lock (law D7). It reads the heads before the lines, so the log can only have
        more records than they name. A writer that begins another file may make a line look missing,
        or tear a head for a moment. So a break counts only if two looks find it.
        """
        end = GENESIS

        def look() -> list[Finding] | None:
            nonlocal end
            end, found = self._followed()
            return found or None

        with os_errors(self._folder, "verify"):
            found = agreed(look)
        return end, found or []

    def _followed(self) -> tuple[Link, list[Finding]]:
        heads = self._head.look()
        days = [self._checked(path) for path in self._files()]
        end, broken = follow(days, [head.link for head in heads.whole if head.seq])
        broken = broken or self._cut(heads, end)
        logged = heads.newest.seq if heads.newest and broken is None else 0
        found = [] if broken is None else [broken]
        for day in days:
            found += day.findings(logged)
        return end, found

    def _cut(self, heads: Heads, end: Link) -> Finding | None:
        """Return what the heads report of a chain that is whole up to its end."""
        head = heads.newest
        if head is not None and head.seq > end.seq:
            path = self._folder / head.file
            rows, size = self._checked(path).extent()
            detail = f"ends at record {end.seq} of {head.seq}"
            return Finding("truncated", str(path), detail, str(path), rows + 1, size)
        if heads.may_hide_a_cut(end):
            detail = f"it is missing or damaged: whether records followed {end.seq} is not known"
        elif head is not None and head.unproven:
            followed = f"whether records were cut off before record {head.unproven} is not known"
            detail = f"it was missing, damaged or of another log once: {followed}"
        else:
            return None
        return Finding("headless", str(self._head.path), detail)

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each file, None for a whole one; `verify` follows the chain."""
        days = Files(_DAY_FILE, lambda path: self._disk.size(path), None, folder_lock, is_whole)
        heads = Files(_HEAD_FILE, lambda path: self._head.look())
        return folder_issues(self._folder, [days, heads])

    def _locked(self) -> Locked:
        return Locked(self._lock_path, self._lock_timeout)

    def _commit(
        self, lock: Locked, _: str, calls: list[Sequence[bytes]], effect: Effect | None
    ) -> None:
        now, today = moment_and_day(datetime.now)
        bodies = calls[0] if len(calls) == 1 else joined.from_iterable(calls)
        self._append(lock, today, lambda end: chain(bodies, now, end), effect)

    def _append(
        self,
        lock: Locked,
        day: date,
        following: Callable[[Link], tuple[list[bytes], Link]],
        effect: Effect | None = None,
    ) -> None:
        """Append lines that follow the chain's end to the file of a day, under the lock."""
        path = _day_path(self._folder, day)

        def lines_after(last: bytes | None, position: Link | None) -> tuple[Sequence[bytes], Link]:
            # Another process that writes to another file has begun a head for it before.
            known = position if lock.count() == self._begun else None
            if known is None and last is not None and self._mark not in last:
                raise CorruptData(f"{path}: it is no file of the log {self._folder.name}", path)
            return following(known or self._end_before(path, lock))

        length, end = self._log.append(path, lines_after, effect)
        self._head.follow(Head(*end, path.name, length, self._unproven))

    def _end_before(self, path: Path, lock: Locked) -> Link:
        """Return the end of the chain before a record goes to the file at `path`."""
        heads = self._head.read()
        head = heads.newest
        end = self._end_now(head)
        self._unproven = head.unproven if head else 0
        if heads.may_hide_a_cut(end) or not self._follows(head, end):
            self._unproven = self._unproven or end.seq + 1
        if head is None or head.file != path.name:
            # Before the record: otherwise a crash after it would hide it from the next writer.
            lock.count_up()
            self._head.begin(Head(*end, path.name, self._disk.size(path) or 0, self._unproven))
        else:
            self._disk.sync_name(self._head.path)  # a killed process may have begun it
        self._begun = lock.count()
        return end

    def _end_now(self, head: Head | None) -> Link:
        """Return the end of the chain, which may be behind its head, under the lock."""
        if head is None:
            return max((self._end_of(path) for path in self._files()), default=GENESIS)
        path = self._folder / head.file
        if (self._disk.size(path) or 0) <= head.length:
            return head.link
        # What follows the head may not be synced, since its writer was killed. A record of another
        # file must not follow one that a power loss takes.
        Log(self._disk, path, is_whole).truncate_torn_tail()
        return max(head.link, self._end_of(path))

    def _follows(self, head: Head | None, end: Link) -> bool:
        """Return whether the log goes on from the record that its head names.

        Each record has the hash of the one before it. A log that lacks it is of another copy.
        """
        if head is None or end == head.link:
            return True
        files = windows(self._checked(self._folder / head.file))
        return any(head.hash.encode() in lines for _, lines in files)

    def _end_of(self, path: Path) -> Link:
        line = last_line(path, is_whole)
        try:
            return GENESIS if line is None else end_of(line)
        except ValueError as error:
            raise CorruptData(f"{path}: its last line: {error}", path) from error

    def _files(self, span: TimeRange | None = None) -> list[Path]:
        """Return the files that may hold records of a range; local dates are a day off at most."""
        names = [name for name in self._disk.names(self._folder) if _DAY_FILE.fullmatch(name)]
        if span is not None:
            low, high = _date(span.first - _DAY), _date(span.last + _DAY)
            names = [name for name in names if low <= name[: len(low)] <= high]
        return [self._folder / name for name in names]

    def _checked(self, path: Path) -> CheckedFile[Any]:
        return CheckedFile(self._disk, path, self._kind)

    def _day_file(self, path: Path) -> DayFile[Any]:
        return DayFile(self._disk, path, self._kind)


def _date(instant: int) -> str:
    return str(to_datetime(min(max(instant, EARLIEST), LATEST), aware=False).date())


@lru_cache(maxsize=16)
def _day_path(folder: Path, day: date) -> Path:
    return folder / f"{day}.jsonl"
