"""Grows logs: whole lines at the end of a file, synced before they count.

Callers hold the log's lock. A line that was being written when its process died has no newline: it
is moved to a sidecar before the next line is written (law D3) and was never data to a reader.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from storecore_file.floor.disk import Disk, naming, write_all

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_BLOCK = 4_096
_log = logging.getLogger("storecore")


def append(disk: Disk, path: Path, line_after: Callable[[bytes | None], bytes]) -> int:
    """Append the line that follows the last one (None: there is none); return the log's length.

    On an error the log is as it was before. Raises `StorageError`.
    """
    with naming(path, "append to"):
        file = os.open(path, _APPEND, 0o666)
        try:
            size = os.fstat(file).st_size
            before, last = _tail(file, size)
            if before < size:
                _set_aside(disk, file, path, before, size)
            line = line_after(last)
            _append(disk, file, path, line, before)
        finally:
            os.close(file)
    return before + len(line)


def settle(disk: Disk, path: Path) -> None:
    """Move a torn line at the end of a log aside, as the next append would."""
    append(disk, path, lambda _: b"")


def whole_lines(content: bytes | None) -> list[bytes]:
    """Return the lines of a log, newlines kept, without one that is still being written."""
    return [line + b"\n" for line in (content or b"").split(b"\n")[:-1]]


def last_line(path: Path) -> bytes | None:
    """Return the last whole line of a log, read from its end; None where there is none."""
    with naming(path, "read"):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _tail(file, os.fstat(file).st_size)[1]
        finally:
            os.close(file)


def _append(disk: Disk, file: int, path: Path, line: bytes, before: int) -> None:
    try:
        write_all(file, line)
        disk.sync(file)
        if before == 0:
            disk.created(path)
    except BaseException:
        with suppress(OSError):  # what cannot be cut off now is a torn tail to the next writer
            os.ftruncate(file, before)
        raise


def _set_aside(disk: Disk, file: int, path: Path, end: int, size: int) -> None:
    """Move what follows the last newline of a log to its sidecar."""
    torn = os.pread(file, size - end, end) + b"\n"
    sidecar = path.with_name(f"{path.name}.torn")
    append(disk, sidecar, lambda _: torn)
    os.ftruncate(file, end)
    _log.warning("%s: a torn line of %d bytes was moved to %s", path, size - end, sidecar.name)


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
