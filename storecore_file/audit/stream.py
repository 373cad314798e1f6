"""Streams the lines of a log in the order of `seq`, a block of one file at a time.

Days follow each other, but where a clock was set back two files take turns: they are merged by the
numbers of their lines, and a file is opened when its first line is the next.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import date
from heapq import merge
from pathlib import Path

from storecore.audit.records import is_whole
from storecore.errors import CorruptData
from storecore.reports import AuditLine
from storecore_file.audit.days import day_of
from storecore_file.fs.disk import Disk
from storecore_file.fs.logs import lines_in

_NUMBER = len(b'{"seq":')


def stream(disk: Disk, files: Sequence[Path], after: int) -> Iterator[AuditLine]:
    """Yield the lines of a log's files behind record `after`. Raises `CorruptData`."""
    for number, day, line in merge(*(_numbered(disk, path) for path in files)):
        if number > after:
            yield AuditLine(day, line)


def _numbered(disk: Disk, path: Path) -> Iterator[tuple[int, date, bytes]]:
    """Yield number, day and bytes of each line of a file, which is closed after the first one.

    A merge asks for the first line of every file, and there may be more of them than can be open.
    """
    day, lines = day_of(path), _lines(disk, path)
    first = next(lines, None)
    lines.close()
    if first is None:
        return
    yield _number(first), day, first
    lines = _lines(disk, path)
    next(lines)
    for line in lines:
        yield _number(line), day, line


def _lines(disk: Disk, path: Path) -> Generator[bytes, None, None]:
    file = disk.opened(path)
    if file is not None:
        with file:
            for line in lines_in(file, is_whole):
                if not is_whole(line):
                    raise CorruptData(f"{path}: a line is not whole: {line[:80]!r}", path)
                yield line


def _number(line: bytes) -> int:
    return int(line[_NUMBER : line.index(b",")])
