"""Grows logs: whole lines at the end of a file, synced before they count.

Callers hold the log's lock. A line that was being written when its process died has no newline: it
is moved to a sidecar before the next line is written (law D3) and was never data to a reader.

A sync that failed is not tried again on the same file: the system may have forgotten what it could
not write, and would say that all is well. The lines that were acknowledged are copied to a fresh
file, which takes the place of the old one, and the log goes on there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from storecore.errors import CorruptData
from storecore_file.floor.disk import Disk, write_all
from storecore_file.floor.keeping import KeptFile
from storecore_file.floor.looking import OpenFile
from storecore_file.floor.naming import naming, refuse
from storecore_file.floor.regular import READ, WRITE, open_regular

_APPEND = WRITE | os.O_APPEND | os.O_CREAT
_BLOCK, _LARGE_BLOCK = 4_096, 2**20
_UNKNOWN = -2  # no length that a file may be found to have
_log = logging.getLogger("storecore")
_doubtful: set[tuple[int, int]] = set()  # files whose sync failed, until a fresh one replaced them


class Log:
    """A log that stays open between appends, each of which makes sure that it still is the log.

    Opening a file and reading its tail cost about as much as all else but the sync. Not for threads
    at once: the lock that callers hold is what keeps them apart. `is_whole` tells whether a line
    proves itself.
    """

    def __init__(self, disk: Disk, path: Path, is_whole: Callable[[bytes], bool]) -> None:
        self._path = path
        self._disk = disk
        self._is_whole = is_whole
        self._kept = KeptFile(path, _APPEND)
        self._length = _UNKNOWN  # of that file, when it ended with `_last`
        self._last: bytes | None = None
        self._is_named = False  # durably

    def at(self, path: Path) -> Log:
        """Return this log if it is the one at a path, else that one."""
        if path is self._path or path == self._path:  # most often the same object: quicker
            return self
        return Log(self._disk, path, self._is_whole)

    def append(self, lines_after: Callable[[bytes | None], Sequence[bytes]]) -> int:
        """Append the lines that follow the last one (None: there is none); return the length.

        On an error the log is as it was before. Raises `StorageError`, `CorruptData` where its last
        line is a damaged one.
        """
        try:
            if not self._is_current():
                self._open()
            lines = lines_after(self._last)
            content = lines[0] if len(lines) == 1 else b"".join(lines)
            before, self._length = self._length, _UNKNOWN  # should the write fail
            self._write(content, before)
        except (OSError, MemoryError) as error:
            refuse(error, self._path, "append to")
        self._length, self._last = before + len(content), lines[-1] if lines else self._last
        return self._length

    def cut(self, length: int) -> None:
        """Take back what was appended after a length, none of which was acknowledged."""
        with naming(self._path, "take lines back from"):
            if length:
                os.truncate(self._path, length)
            else:
                self._path.unlink()

    def close(self) -> None:
        """Close the file. A later append opens it again."""
        self._kept.close()

    def __reduce__(self) -> tuple[type[Log], tuple[Disk, Path, Callable[[bytes], bool]]]:
        # A copy, in this process or another, opens the file for itself.
        return Log, (self._disk, self._path, self._is_whole)

    def _is_current(self) -> bool:
        """Tell whether the open file is the one at the path, and as it was left."""
        return self._kept.size_at_path() == self._length and self._kept.is_open()

    def _open(self) -> None:
        """Open the log, its torn tail moved aside."""
        size = self._kept.open()
        self._is_named = False
        if self._kept.identity in _doubtful:
            self._renew(size)
            size = self._kept.open()
        self._length, self._last = _tail(self._kept.number, size)
        if self._length < size:
            self._set_aside(self._length, size)

    def _set_aside(self, end: int, size: int) -> None:
        """Move what follows the last newline to the sidecar."""
        torn = os.pread(self._kept.number, size - end, end)
        if self._is_whole(torn[:-1] + b"\n"):
            raise CorruptData(f"{self._path}: the newline of its last line is damaged", self._path)
        sidecar = self._path.with_name(f"{self._path.name}.torn")
        Log(self._disk, sidecar, self._is_whole).append(lambda _: [torn + b"\n"])
        os.ftruncate(self._kept.number, end)
        torn_of, moved_to = self._path, sidecar.name
        _log.warning("%s: a torn line of %d bytes was moved to %s", torn_of, size - end, moved_to)

    def _write(self, content: bytes, before: int) -> None:
        try:
            write_all(self._kept.number, content)
            self._sync()
            if not self._is_named:
                self._disk.named(self._path, self._kept.identity)
                self._is_named = True
        except BaseException:
            with suppress(OSError):  # what cannot be taken back now is met by the next writer
                self._take_back(before)
            raise

    def _sync(self) -> None:
        try:
            self._disk.sync(self._kept.number)
        except OSError:
            _doubtful.add(self._kept.identity)
            raise

    def _take_back(self, before: int) -> None:
        """Leave the log as it was, in a file whose syncs can be believed."""
        if before == 0:
            self._path.unlink()  # the next one is a new name, which is synced anew
            return _doubtful.discard(self._kept.identity)
        os.ftruncate(self._kept.number, before)
        return self._renew(before) if self._kept.identity in _doubtful else None

    def _renew(self, length: int) -> None:
        """Put a fresh file with the same bytes in the place of this one."""
        self._disk.replace(self._path, self._path.read_bytes()[:length])
        _doubtful.discard(self._kept.identity)
        _log.warning("%s: its sync failed; the log goes on in a fresh copy of it", self._path)


def whole_lines(content: bytes | None, is_whole: Callable[[bytes], bool]) -> list[bytes]:
    """Return the lines of a log, newlines kept, without one that is still being written.

    A last line that is whole but for another byte in place of its newline is not being written, it
    is damaged: it is among the lines, for the caller to refuse.
    """
    *lines, tail = (content or b"").split(b"\n")
    damaged = [tail] if is_whole(tail[:-1] + b"\n") else []
    return [line + b"\n" for line in lines] + damaged


def lines_in(file: OpenFile, is_whole: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Yield the lines of an open log as `whole_lines` returns them, a block at a time."""
    rest = b""
    for start in range(0, file.size, _LARGE_BLOCK):
        block = bytearray(min(_LARGE_BLOCK, file.size - start))
        file.fill(memoryview(block), start)
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if is_whole(rest[:-1] + b"\n"):
        yield rest


def last_line(path: Path) -> bytes | None:
    """Return the last whole line of a log, read from its end; None where there is none."""
    with naming(path, "read"):
        file, found = open_regular(path, READ)
        try:
            return _tail(file, found.st_size)[1]
        finally:
            os.close(file)


def torn_bytes(path: Path, is_whole: Callable[[bytes], bool]) -> int:
    """Return how many bytes of a log lie behind its last whole line: of one that a crash tore.

    None do in a log that is gone.
    """
    with naming(path, "read"):
        try:
            file, found = open_regular(path, READ)
        except FileNotFoundError:
            return 0
        try:
            size = found.st_size
            end = _tail(file, size)[0]
            torn = os.pread(file, size - end, end)
        finally:
            os.close(file)
    return 0 if is_whole(torn[:-1] + b"\n") else len(torn)


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
