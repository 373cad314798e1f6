"""The room of audit: two logs, of decisions and of orders, each a chain over files of a day.

    audit/decisions/2026-01-05.jsonl     one record a line; the day is the machine's local date
    audit/decisions/.head                where the chain ends: number, hash, file and its length

The head names the file before the first record goes into it, and follows each record without a
sync of its own: after a crash it may be behind the log, which is healed by the log's last line, but
it is ahead of the log only where the log's tail was cut. Lines are never rewritten.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import merge
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.audit import (
    GENESIS,
    Link,
    chained,
    decode_record,
    end_of,
    follow_chain,
    is_whole,
    select_records,
)
from storecore.capabilities import Finding
from storecore.errors import CorruptData, StorageError
from storecore.instants import EARLIEST, LATEST, TimeRange, to_datetime
from storecore.models import DecisionRecord, OrderRecord
from storecore_file.floor.appending import Log, last_line, whole_lines
from storecore_file.floor.disk import Disk
from storecore_file.floor.locks import Locked
from storecore_file.floor.sealing import sealed, unsealed

_DAY_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_SEQ = re.compile(rb'\{"seq":(\d+),')
_DAY = 86_400_000_000
_log = logging.getLogger("storecore")
_Record = TypeVar("_Record", DecisionRecord, OrderRecord)


class _Head(Struct, frozen=True):
    """The end of the chain, and the file and length at which it was."""

    seq: int
    hash: str
    file: str
    length: int


class AuditLog(Generic[_Record]):
    """One log, in one folder."""

    def __init__(self, folder: Path, kind: type[_Record], disk: Disk, lock_timeout: float) -> None:
        self._folder = folder
        self._kind: type[_Record] = kind
        self._disk = disk
        self._lock_path = folder / ".lock"
        self._log = Log(disk, folder / "no day yet", is_whole)  # the day that is written stays open
        self._lock_timeout = lock_timeout

    def write(self, entry: _Record) -> None:
        """Append a checked record to the file of today's local date."""
        with Locked(self._lock_path, self._lock_timeout):
            now = datetime.now(UTC)
            path = self._folder / f"{now.astimezone().date()}.jsonl"
            last = self._last(path)
            line, link = chained(replace(entry, timestamp=now), last)
            self._log = log = self._log.at(path)
            length = log.append(lambda _: [line])
            self._note_end(_Head(*link, path.name, length))

    def close(self) -> None:
        """Let go of the day that is open, once nobody is writing to it any more."""
        self._log = Log(self._disk, self._folder / "closed", is_whole)

    def read(self, span: TimeRange, strategy: str | None) -> list[_Record]:
        """Return the records of a range and a strategy (None: all), in the order of `seq`."""
        records = (record for path in self._files(span) for record in self._records(path))
        return select_records(records, span, strategy)

    def verify(self) -> tuple[Link, list[Finding]]:
        """Follow the chain; return its end and its first break, or a cut behind its end."""
        with Locked(self._lock_path, self._lock_timeout):  # a writer would change it meanwhile
            head = self._head()
        files = [self._placed_lines(path) for path in self._files()]
        # Days follow each other, but for a clock that was set back: then seq tells the order.
        end, broken = follow_chain(merge(*files, key=_seq))
        if broken is None and head is None and end.seq:
            broken = Finding("headless", str(self._head_path), "the head is missing or damaged")
        if broken is None and head is not None and head.seq > end.seq:
            place = str(self._folder / head.file)
            broken = Finding("truncated", place, f"ends at record {end.seq} of {head.seq}")
        return end, [] if broken is None else [broken]

    def _last(self, path: Path) -> Link:
        """Return the end of the chain before a record goes to the file at `path`."""
        head = self._head()
        link = self._healed(head)
        if head is None or head.file != path.name:
            # Before the record: else a crash right after it would hide it from the next writer.
            self._note(_Head(*link, path.name, self._disk.size(path) or 0), durable=True)
        return link

    def _healed(self, head: _Head | None) -> Link:
        if head is None:
            return max((self._end_of(path) for path in self._files()), default=GENESIS)
        path = self._folder / head.file
        if (self._disk.size(path) or 0) <= head.length:
            return Link(head.seq, head.hash)
        return max(Link(head.seq, head.hash), self._end_of(path))

    def _end_of(self, path: Path) -> Link:
        line = last_line(path)
        try:
            return GENESIS if line is None else end_of(line)
        except ValueError as error:
            raise CorruptData(f"{path}: its last line: {error}", path) from error

    def _head(self) -> _Head | None:
        """Return the head, or None where there is none or a crash has torn it."""
        try:
            return msgspec.json.decode(
                unsealed(self._disk.read(self._head_path) or b""), type=_Head
            )
        except ValueError:
            return None

    def _note_end(self, head: _Head) -> None:
        """Let the head follow a record that is written: a head left behind is healed by the log."""
        try:
            self._note(head, durable=False)
        except StorageError as error:
            _log.warning("the head of the audit log stays behind: %s", error)

    def _note(self, head: _Head, durable: bool) -> None:
        self._disk.note(self._head_path, sealed(msgspec.json.encode(head)), durable)

    @property
    def _head_path(self) -> Path:
        return self._folder / ".head"

    def _files(self, span: TimeRange | None = None) -> list[Path]:
        """Return the files that may hold records of a range; local dates are a day off at most."""
        names = [name for name in self._disk.names(self._folder) if _DAY_FILE.fullmatch(name)]
        if span is not None:
            low, high = _date(span.first - _DAY), _date(span.last + _DAY)
            names = [name for name in names if low <= name[: len(low)] <= high]
        return [self._folder / name for name in names]

    def _records(self, path: Path) -> Iterator[_Record]:
        for line in whole_lines(self._disk.read(path), is_whole):
            yield self._decoded(line, path)

    def _placed_lines(self, path: Path) -> Iterator[tuple[str, bytes]]:
        for row, line in enumerate(whole_lines(self._disk.read(path), is_whole), 1):
            yield f"{path}, line {row}", line

    def _decoded(self, line: bytes, path: Path) -> _Record:
        try:
            return decode_record(line, self._kind)
        except ValueError as error:
            raise CorruptData(f"{path}: {error}: {line[:80]!r}", path) from error


def _date(instant: int) -> str:
    return str(to_datetime(min(max(instant, EARLIEST), LATEST), aware=False).date())


def _seq(placed: tuple[str, bytes]) -> int:
    match = _SEQ.match(placed[1])
    return int(match[1]) if match else 0
