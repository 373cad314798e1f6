"""Logs: whole lines appended at the end of a file, durable before they count.

Callers hold the log's lock. A line that was being written when its process died has no newline: it
is moved to a sidecar before the next line is written (law D3), and readers never saw it as data. If
a line proves that it is whole and lacks only its newline, it is data: it may have been acknowledged
and its newline cut off since. The next writer adds the newline.

A sync that failed is not tried again on the same file: the system may have dropped what it could
not write, and would report success. The acknowledged lines are copied to a fresh file, which
replaces the old one, and the log goes on there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from storecore.errors import CorruptData, StorageError
from storecore.values.logger import log as _log
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import (
    READ,
    WRITE,
    KeptFile,
    OpenFile,
    open_regular,
    os_errors,
    raise_storage_error,
    sync_data,
    write_all,
)

_APPEND = WRITE | os.O_APPEND | os.O_CREAT
_BLOCK, _LARGE_BLOCK = 4_096, 2**20
_UNKNOWN = -2  # not the length of any file
_Position = TypeVar("_Position")
_doubtful: set[tuple[int, int]] = set()  # files whose sync failed, until a fresh one replaced them


class Effect:
    """Whether lines are in their log, for callers that an exception of a signal may interrupt.

    `before` is the length of the log before them.
    """

    __slots__ = ("before", "is_there")

    def __init__(self) -> None:
        self.before = 0
        self.is_there = False


class Log:
    """A log that stays open between appends, each of which checks that it still is the log.

    Opening a file and reading its tail cost about as much as all else but the sync. Not for
    concurrent threads: callers hold a lock. `is_whole` returns whether a line proves itself whole.
    """

    def __init__(self, disk: Disk, path: Path, is_whole: Callable[[bytes], bool]) -> None:
        self._path = path
        self._disk = disk
        self._is_whole = is_whole
        self._kept = KeptFile(path, _APPEND)
        self._length = _UNKNOWN  # of that file, when it ended with `_last`
        self._last: bytes | None = None
        self._position: Any = None  # of `_last`, if it was written here
        self._is_named = False  # durably

    def append(self, lines_after: Callable[[bytes | None], Sequence[bytes]]) -> int:
        """Append the lines that follow the last one (None: there is none); return the length.

        On an error the log is as it was before. Raises `StorageError`, and `CorruptData` if the
        last line is damaged.
        """
        return self.append_numbered(lambda last, _: (lines_after(last), None))[0]

    def append_numbered(
        self,
        lines_after: Callable[[bytes | None, Any], tuple[Sequence[bytes], Any]],
        effect: Effect | None = None,
    ) -> tuple[int, Any]:
        """Append lines as `NumberedLog.append` does; return the length and the last position."""
        try:
            if not self._is_current():
                self._open()
            lines, position = lines_after(self._last, self._position)
            content = lines[0] if len(lines) == 1 else b"".join(lines)
            before, self._length = self._length, _UNKNOWN  # should the write fail
            self._write(content, before, lines[-1], position, effect)
        except (OSError, MemoryError) as error:
            raise_storage_error(error, self._path, "append to")
        return self._length, position

    def truncate_torn_tail(self) -> None:
        """Move a torn tail to the sidecar, and sync the log: its last lines may not be durable yet.

        Raises as `append` does.
        """
        try:
            self._open()
            before, self._length = self._length, _UNKNOWN
            self._write(b"", before, self._last, self._position, None)
        except (OSError, MemoryError) as error:
            raise_storage_error(error, self._path, "append to")

    def close(self) -> None:
        """Close the file. A later append opens it again."""
        self._kept.close()

    def __reduce__(self) -> tuple[type[Log], tuple[Disk, Path, Callable[[bytes], bool]]]:
        # A copy, in this process or another, opens the file for itself.
        return Log, (self._disk, self._path, self._is_whole)

    def _is_current(self) -> bool:
        """Return whether the open file is the one at the path, and as it was left.

        It ends with other bytes if a backup was restored into it, and another process has appended
        a line of the same length since.
        """
        if self._kept.size_at_path() != self._length or not self._kept.is_open():
            return False
        end = (self._last or b"")[-_BLOCK:]
        return os.pread(self._kept.number, len(end), self._length - len(end)) == end

    def _open(self) -> None:
        """Open the log, and move its torn tail to the sidecar."""
        size = self._kept.open()
        self._is_named = False
        self._position = None
        if self._kept.identity in _doubtful:
            self._renew(size)
            size = self._kept.open()
        self._length, self._last = _tail(self._kept.number, size)
        if self._length < size:
            self._end_tail(self._length, size)

    def _end_tail(self, end: int, size: int) -> None:
        """Move what follows the last newline to the sidecar, unless it is a whole line."""
        torn = os.pread(self._kept.number, size - end, end)
        line = as_line(torn, self._is_whole)
        if line == torn:
            raise CorruptData(f"{self._path}: the newline of its last line is damaged", self._path)
        if line is not None:
            return self._end_line(line, size)
        sidecar = self._path.with_name(f"{self._path.name}.torn")
        Log(self._disk, sidecar, self._is_whole).append(lambda _: [torn + b"\n"])
        os.ftruncate(self._kept.number, end)
        torn_of, moved_to = self._path, sidecar.name
        return _log.warning(
            "%s: a torn line of %d bytes was moved to %s", torn_of, size - end, moved_to
        )

    def _end_line(self, line: bytes, size: int) -> None:
        """Add the newline to a last line that lacks it."""
        write_all(self._kept.number, b"\n")
        self._length, self._last = size + 1, line
        _log.warning("%s: the newline of its last line was missing", self._path)

    def _write(
        self,
        content: bytes,
        before: int,
        last: bytes | None,
        position: Any,
        effect: Effect | None,
    ) -> None:
        after = before + len(content)
        try:
            write_all(self._kept.number, content)
            self._sync()
            if not self._is_named:
                self._disk.named(self._path, self._kept.identity, new=before == 0)
                self._is_named = True
            # No signal handler runs between these: the lines are there, or they are removed again.
            self._length, self._last, self._position = after, last, position
            if effect is not None:
                effect.before, effect.is_there = before, True
        except BaseException:
            with suppress(OSError):  # what cannot be undone now, the next writer finds
                self._undo(before)
            raise

    def _sync(self) -> None:
        try:
            if self._disk.durable:
                sync_data(self._kept.number)
        except OSError:
            _doubtful.add(self._kept.identity)
            raise

    def _undo(self, before: int) -> None:
        """Restore the log as it was, in a file whose syncs can be trusted."""
        if before == 0:
            self._path.unlink()  # the next one is a new file, whose name is synced
            return _doubtful.discard(self._kept.identity)
        os.ftruncate(self._kept.number, before)
        return self._renew(before) if self._kept.identity in _doubtful else None

    def _renew(self, length: int) -> None:
        """Replace this file by a fresh one with the same bytes."""
        self._disk.replace(self._path, self._path.read_bytes()[:length])
        _doubtful.discard(self._kept.identity)
        _log.warning("%s: its sync failed; the log goes on in a fresh copy of it", self._path)


class NumberedLog(Generic[_Position]):
    """The log of a folder that is appended to: one file after another, each line with a position.

    A position is what the next line follows from: a number, a link of a chain. That of the last
    line is kept, so that this line is decoded only if another process has written it.
    """

    def __init__(self, disk: Disk, is_whole: Callable[[bytes], bool]) -> None:
        self._disk = disk
        self._is_whole = is_whole
        self._path: Path | None = None
        self._log: Log | None = None

    def append(
        self,
        path: Path,
        lines_after: Callable[[bytes | None, _Position | None], tuple[Sequence[bytes], _Position]],
        effect: Effect | None = None,
    ) -> tuple[int, _Position]:
        """Append lines to the log at a path; return its length and the position of its last line.

        `lines_after` is given the last line there (None: there is none) and its position, None if
        it was not written here. It returns the lines and the position of their last one.

        On an error the log is as it was before, unless `effect` says that the lines are there: an
        exception of a signal handler may come when they are. Raises as `Log.append` does.
        """
        log = self._log
        if log is None or (path is not self._path and path != self._path):
            log = self._log = Log(self._disk, path, self._is_whole)
            self._path = path
        return log.append_numbered(lines_after, effect)

    def close(self) -> None:
        """Close the log, once no thread writes to it any more. A later append opens it again."""
        self._log = None


def cut(path: Path, length: int) -> None:
    """Remove lines that were appended after a length and never acknowledged."""
    with os_errors(path, "take lines back from"):
        if length:
            os.truncate(path, length)
        else:
            path.unlink()


def whole_lines(content: bytes | None, is_whole: Callable[[bytes], bool]) -> list[bytes]:
    """Return the lines of a log, newlines kept, without one that is still being written.

    A last line that is whole but for another byte in place of its newline is not being written, it
    is damaged: it is returned too, for the caller to reject.
    """
    *lines, tail = (content or b"").split(b"\n")
    last = as_line(tail, is_whole)
    return [line + b"\n" for line in lines] + ([] if last is None else [last])


def iter_lines(file: OpenFile, is_whole: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Yield the lines of an open log as `whole_lines` returns them, a block at a time."""
    for _, lines in line_blocks(file, is_whole, 0, file.size):
        yield from lines


def line_blocks(
    file: OpenFile,
    is_whole: Callable[[bytes], bool],
    start: int,
    end: int,
    size: int = _LARGE_BLOCK,
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the lines of a part of an open log, those of some `size` bytes at a time.

    Each list comes with its offset. `start` is that of a line; at `end` a line ends, or the log.
    """
    at, rest = start, list[bytes]()  # what is read of a line that goes on
    for position in range(start, end, size):
        block = file.part(position, min(size, end - position))  # less if a torn end was removed
        first, *lines = block.split(b"\n")
        rest.append(first)
        if lines:
            whole = [line + b"\n" for line in (b"".join(rest), *lines[:-1])]
            yield at, whole
            at, rest = position + len(block) - len(lines[-1]), lines[-1:]
    last = as_line(b"".join(rest), is_whole)
    if last is not None:
        yield at, [last]


def iter_blocks(file: OpenFile, is_whole: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Yield the lines of an open log as `whole_lines` returns them, some megabyte at a time."""
    at = 0
    while block := lines_from(file, is_whole, at, _LARGE_BLOCK):
        yield block
        at += len(block)


def lines_from(file: OpenFile, is_whole: Callable[[bytes], bool], at: int, size: int) -> bytes:
    """Return whole lines of an open log from the beginning of one on, `size` bytes or less.

    It is more if the first line is longer, and nothing at the end of the log.
    """
    while True:
        content = file.part(at, size)
        end = content.rfind(b"\n") + 1
        if len(content) < size:
            return content[:end] + (as_line(content[end:], is_whole) or b"")
        if end:
            return content[:end]
        size *= 4


def last_line_in(file: OpenFile, is_whole: Callable[[bytes], bool]) -> bytes | None:
    """Return the last whole line of an open log, read from its end; None if there is none."""
    length = _BLOCK
    while True:
        start = max(0, file.size - length)
        *lines, tail = file.part(start, file.size - start).split(b"\n")
        if start == 0 or len(lines) > 1:
            return as_line(tail, is_whole) or (lines[-1] + b"\n" if lines else None)
        length *= 4


def last_line(path: Path, is_whole: Callable[[bytes], bool]) -> bytes | None:
    """Return the last whole line of a log, read from its end; None if there is none."""
    last, tail = _end(path)
    return as_line(tail, is_whole) or last


def torn_end(path: Path, is_whole: Callable[[bytes], bool]) -> tuple[int, bool]:
    """Return how many bytes of a torn line a log ends with, and whether it only lacks its newline.

    A crash left these bytes after the last whole line. A log that is gone has none.
    """
    try:
        _, tail = _end(path)
    except StorageError as error:
        if error.errno == errno.ENOENT:
            return 0, False
        raise
    line = as_line(tail, is_whole)
    return (0 if line else len(tail)), line is not None and line != tail


def lacks_newline(path: Path, is_whole: Callable[[bytes], bool]) -> bool:
    """Return whether there is a log that ends with a line that is whole but for its newline."""
    return torn_end(path, is_whole)[1]


def as_line(tail: bytes, is_whole: Callable[[bytes], bool]) -> bytes | None:
    """Return what follows the last newline of a log as a whole line; None if it is not whole.

    If it lacks its newline, that is added; if it has another byte there, that stays.
    """
    if not tail:
        return None
    if is_whole(tail + b"\n"):
        return tail + b"\n"
    return tail if is_whole(tail[:-1] + b"\n") else None


def _end(path: Path) -> tuple[bytes | None, bytes]:
    """Return the last line of a log that has a newline, and what follows it."""
    with os_errors(path, "read"):
        file, found = open_regular(path, READ)
    with os_errors(path, "read"):
        try:
            end, last = _tail(file, found.st_size)
            return last, os.pread(file, found.st_size - end, end)
        finally:
            os.close(file)


def _tail(file: int, size: int) -> tuple[int, bytes | None]:
    """Return where the last whole line of a log ends, and that line, read from the log's end."""
    length = _BLOCK
    while True:
        start = max(0, size - length)
        block = os.pread(file, size - start, start)
        end = block.rfind(b"\n") + 1
        begin = block.rfind(b"\n", 0, max(0, end - 1)) + 1
        if begin > 0 or start == 0:
            return start + end, block[begin:end] or None
        length *= 4
