"""Opens regular files only: no call waits for anything else that lies at a path.

An open of a FIFO would wait for its other end. A device returns bytes that nobody stored, or
swallows those that are written. So files are opened without blocking, and `fstat`, which also gives
the size, checks the type.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from storecore.errors import StorageError

_SAFE = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
READ = os.O_RDONLY | _SAFE
WRITE = os.O_RDWR | os.O_NOFOLLOW | _SAFE  # what a link leads to is not the store's to change
_BLOCK = 512  # bytes, in which `stat` counts what a file takes on the disk
_LARGE, _HOLES = 2**36, 1_000  # of a file that large less than a thousandth is on the disk
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def open_regular(path: Path, flags: int) -> tuple[int, os.stat_result]:
    """Open a file; return its descriptor and the result of `fstat`.

    Raises `StorageError` if something other than a regular file lies there, or if `flags` ask to
    write and a symbolic link does, and `OSError` as `os.open` does.
    """
    try:
        number = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP or not flags & os.O_NOFOLLOW:
            raise
        raise _expected_file(path, "symbolic link", errno.ELOOP) from error
    try:
        found = os.fstat(number)
        _check(path, found)
    except BaseException:
        os.close(number)
        raise
    return number, found


def type_of(mode: int) -> str:
    """Return the type of a file by its `st_mode`: "file", "folder", "symbolic link", …."""
    return _TYPES.get(stat.S_IFMT(mode), "thing of no known type")


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise _expected_file(path, type_of(found.st_mode), code)
    if found.st_size > max(_LARGE, found.st_blocks * _BLOCK * _HOLES):
        raise StorageError(
            f"{path}: its {found.st_size:,} bytes are a hole, of which the disk holds "
            f"{found.st_blocks * _BLOCK:,}; it is not read",
            path,
            errno.EFBIG,
        )


def _expected_file(path: Path, found: str, code: int) -> StorageError:
    return StorageError(f"{path}: expected a file, found a {found}", path, code)
