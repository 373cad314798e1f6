"""The files of an audit log, one a day: what a name promises, and all lines as a stream.

A name says which log a file belongs to, and which day. The day is the local date of the machine
that logged; the records have their time in UTC, which is at most a day off.

Days follow each other, but if a clock was set back two files take turns. So lines are merged by
their numbers, and a file is opened when its first line is next.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from datetime import date
from heapq import merge
from pathlib import Path
from typing import Generic, TypeVar

from storecore.audit.chain import windows
from storecore.audit.counts import Counts, counts_of
from storecore.audit.records import day_bounds, decode_record, is_whole
from storecore.errors import CorruptData
from storecore.models import DecisionRecord, OrderRecord
from storecore.reports import AuditLine, Finding
from storecore_file.fs.disk import Disk
from storecore_file.fs.logs import (
    iter_blocks,
    iter_lines,
    lacks_newline,
    last_line,
    lines_from,
    whole_lines,
)
from storecore_file.fs.seal import too_deep

_STAMPS = re.compile(rb'^\{"seq":\d+,"timestamp":"(\d{4}-\d{2}-\d{2})T', re.M)
_WINDOW = 2**22  # bytes that are verified at a time
_NUMBER = len(b'{"seq":')
_SEQ = re.compile(rb'\{"seq":(\d+),')
_Record = TypeVar("_Record", DecisionRecord, OrderRecord)


class DayFile(Generic[_Record]):
    """A file of one log and one day, some of its lines read at a time.

    `numbers` are those of the first and the last record that were read.
    """

    def __init__(self, disk: Disk, path: Path, kind: type[_Record]) -> None:
        self.path = path
        self.numbers = (0, 0)
        self._disk = disk
        self._kind: type[_Record] = kind

    def records(self) -> Iterator[_Record]:
        """Yield the records. Raises `CorruptData` if one is damaged, or not in its place."""
        file = self._disk.opened(self.path)
        if file is not None:
            with file:
                yield from self._records_of(iter_lines(file, is_whole))

    def _records_of(self, lines: Iterator[bytes]) -> Iterator[_Record]:
        first, last = day_bounds(day_of(self.path))
        seq = 0
        for line in lines:
            record = self._decoded(line)
            if not first <= record.timestamp <= last:
                raise CorruptData(f"{self.path}: {_another_day(self.path, record)}", self.path)
            if record.seq <= seq:
                found = f"record {record.seq} follows record {seq}"
                raise CorruptData(
                    f"{self.path}: lines are doubled or out of order: {found}", self.path
                )
            seq = record.seq
            self.numbers = (self.numbers[0] or seq, seq)
            yield record

    def _decoded(self, line: bytes) -> _Record:
        try:
            return decode_record(line, self._kind)
        except ValueError as error:
            raise CorruptData(f"{self.path}: {error}: {line[:80]!r}", self.path) from error
        except RecursionError as error:
            raise too_deep(self.path, line) from error


def _another_day(path: Path, record: DecisionRecord | OrderRecord) -> str:
    return (
        f"expected records of {path.stem}, give or take a day, found record {record.seq} of "
        f"{record.timestamp:%Y-%m-%d}"
    )


class CheckedFile(Generic[_Record]):
    """A file of one log and one day that is verified, some of its lines read at a time."""

    def __init__(self, disk: Disk, path: Path, kind: type[_Record]) -> None:
        self.path = path
        self.place = str(path)
        self._disk = disk
        self._kind: type[_Record] = kind

    def window(self, at: int) -> tuple[bytes, int]:
        """Return some of the lines from an offset on, without one that is still being written."""
        file = self._disk.opened(self.path)
        if file is None:
            return b"", 0
        with file:
            return lines_from(file, is_whole, at, _WINDOW), 0

    def extent(self) -> tuple[int, int]:
        """Return the number of its lines and their bytes."""
        found = [(content.count(b"\n"), len(content)) for _, content in windows(self)]
        return sum(rows for rows, _ in found), sum(size for _, size in found)

    def findings(self, logged: int) -> Iterator[Finding]:
        """Yield the findings of the file itself: the chain may be whole all the same.

        `logged` is the number of the last record that is known to have been logged.
        """
        problem = self._misplaced()
        if problem is not None:
            yield Finding("misplaced", self.place, problem, self.place)
        last = last_line(self.path, is_whole) if lacks_newline(self.path, is_whole) else None
        if last is not None and _number(last) <= logged:
            detail = f"the newline of record {_number(last)} was cut off"
            rows, size = self.extent()
            yield Finding("truncated", self.place, detail, self.place, rows, size - 1)

    def _misplaced(self) -> str | None:
        """Return which content contradicts the name and folder of the file, None if all matches."""
        try:
            first, last = day_bounds(day_of(self.path))
        except CorruptData as error:
            return str(error).removeprefix(f"{self.path}: ")
        allowed = {
            str(date.fromordinal(each)).encode()
            for each in range(first.toordinal(), last.toordinal() + 1)
        }
        for offset, lines in windows(self):
            has_others = bool(set(_STAMPS.findall(lines)) - allowed)
            for line in _looked_at(lines, has_others, is_first=offset == 0):
                try:
                    record = decode_record(line, self._kind)
                except ValueError as error:
                    return f"it is no file of the log {self.path.parent.name}: {error}"
                except RecursionError:  # that proves nothing about the file
                    return None
                if not first <= record.timestamp <= last:
                    return _another_day(self.path, record)
        return None


def _looked_at(lines: bytes, has_others: bool, is_first: bool) -> Iterator[bytes]:
    """Return the lines to decode: all if some seem to be of other days, else the first one."""
    if not has_others:
        lines = lines[: lines.find(b"\n") + 1] if is_first else b""
    return filter(is_whole, whole_lines(lines, is_whole))


def _number(line: bytes) -> int:
    """Return the number of a line, 0 if it has none: then it breaks the chain."""
    found = _SEQ.match(line)
    return int(found[1]) if found else 0


def day_of(path: Path) -> date:
    """Return the day that a file is named after. Raises `CorruptData`."""
    try:
        return date.fromisoformat(path.stem)
    except ValueError as error:
        raise CorruptData(f"{path}: its name is no date", path) from error


def stream(disk: Disk, files: Sequence[Path], after: int) -> Iterator[AuditLine]:
    """Yield the lines of a log's files after record `after`. Raises `CorruptData`."""
    for number, day, line in merge(*(_numbered(disk, path) for path in files)):
        if number > after:
            yield AuditLine(day, line)


def count(disk: Disk, path: Path) -> Counts:
    """Return how many records a file has, by strategy and run. Raises `CorruptData`."""
    day_of(path)
    counts, file = Counts(), disk.opened(path)
    if file is None:
        return counts
    with file:
        for block in iter_blocks(file, is_whole):
            try:
                counts.update(counts_of(block))
            except ValueError as error:
                raise CorruptData(f"{path}: a line is no record: {error}", path) from error
            except RecursionError as error:
                raise too_deep(path, block) from error
    return counts


def _numbered(disk: Disk, path: Path) -> Iterator[tuple[int, date, bytes]]:
    """Yield number, day and bytes of each line of a file, which is closed after the first one.

    A merge asks for the first line of every file, and there may be more of them than can be open.
    """
    day, lines = day_of(path), _lines(disk, path)
    first = next(lines, None)
    lines.close()
    if first is None:
        return
    yield _seq(first), day, first
    lines = _lines(disk, path)
    next(lines)
    for line in lines:
        yield _seq(line), day, line


def _lines(disk: Disk, path: Path) -> Generator[bytes, None, None]:
    file = disk.opened(path)
    if file is not None:
        with file:
            for line in iter_lines(file, is_whole):
                if not is_whole(line):
                    raise CorruptData(f"{path}: a line is not whole: {line[:80]!r}", path)
                yield line


def _seq(line: bytes) -> int:
    return int(line[_NUMBER : line.index(b",")])
