"""Open files: regular ones only, to read parts of, or kept open between writes.

An open of a FIFO would wait for its other end. A device returns bytes that nobody stored, or
swallows those that are written. So files are opened without blocking, and `fstat`, which also gives
the size, checks the type.

Opening a file costs about as much as all else of an append but its sync. So a file that is
appended to stays open; before each write its descriptor is checked, since other code may have
closed it.

Each error of a system call becomes a `StorageError` that names the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn, Self

from storecore.errors import StorageError, StoreError

_SAFE = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
READ = os.O_RDONLY | _SAFE
WRITE = os.O_RDWR | os.O_NOFOLLOW | _SAFE  # the target of a link is not the store's to change
_IN_PLACE = WRITE | os.O_CREAT
_BLOCK = 512  # bytes; `stat` counts the space of a file on the disk in these
_LARGE, _HOLES = 2**36, 1_000  # of a file that large less than a thousandth is on the disk
_NO_FILE = (-1, -1)
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync stops at the drive
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def open_regular(path: Path | str, flags: int) -> tuple[int, os.stat_result]:
    """Open a file; return its descriptor and the result of `fstat`.

    Raises `StorageError` if something other than a regular file lies there, or if `flags` ask to
    write and a symbolic link does, and `OSError` as `os.open` does.
    """
    try:
        number = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP or not flags & os.O_NOFOLLOW:
            raise
        raise _expected_file(Path(path), "symbolic link", errno.ELOOP) from error
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


def identity(found: os.stat_result) -> tuple[int, int]:
    """Return device and inode, which no two files have that exist at the same time."""
    return found.st_dev, found.st_ino


def write_all(file: int, content: bytes) -> None:
    """Write all of content: `write` may take a part only, near a full disk for one."""
    written = os.write(file, content)
    if written == len(content):
        return
    view = memoryview(content)[written:]
    while view:
        view = view[os.write(file, view) :]


def sync_data(file: int) -> None:
    """Sync the data and length of a file as deep as the platform can."""
    if _FULL_SYNC is not None:
        fcntl.fcntl(file, _FULL_SYNC)
    else:
        os.fdatasync(file)


class os_errors:
    """Turns an `OSError` or `MemoryError` inside into a `StorageError` with the file and cause."""

    __slots__ = ("_doing", "_path")

    def __init__(self, path: Path | str, doing: str) -> None:
        self._path = path
        self._doing = doing

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError | MemoryError):
            raise_storage_error(error, Path(self._path), self._doing)


def raise_storage_error(error: OSError | MemoryError, path: Path, doing: str) -> NoReturn:
    """Raise a system error as a `StorageError` that names the file; a `StoreError` unchanged."""
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, MemoryError):
        raise StorageError(f"{path}: cannot {doing}: out of memory", path, errno.ENOMEM) from error
    cause = error.strerror or str(error)
    raise StorageError(f"{path}: cannot {doing}: {cause}", path, error.errno) from error


class FileEnd(NamedTuple):
    """The last bytes of a file, and what `fstat` has found of it."""

    content: bytes
    found: os.stat_result


def end_of(path: str, length: int) -> FileEnd:
    """Return the last bytes of a file: `length`, all if it has fewer, or fewer if it shrinks.

    Raises `FileNotFoundError`, `StorageError` if it is no regular file.
    """
    number, found = open_regular(path, READ)
    try:
        return FileEnd(os.pread(number, length, max(0, found.st_size - length)), found)
    finally:
        os.close(number)


class OpenFile:
    """A file to read parts of. It is the file that was opened, whatever replaces it meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open a file. Raises `FileNotFoundError`, `StorageError` if it is no regular file."""
        self.path = path
        self.looked_at = time.time_ns()  # before the look: this thread may be held up after it
        self._number, self.found = open_regular(path, READ)
        self.size = self.found.st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._number)

    def read(self, start: int) -> bytes:
        """Return the bytes from `start` on, as far as the file goes."""
        wanted = max(self.size - start, 0)
        content = os.pread(self._number, wanted, start)
        while len(content) < wanted:  # a call reads 2 GiB at most
            more = os.pread(self._number, wanted - len(content), start + len(content))
            if not more:
                break
            content += more
        return content

    def part(self, start: int, length: int) -> bytes:
        """Return some bytes from `start` on, fewer if the file ends before."""
        wanted, parts = max(min(length, self.size - start), 0), list[bytes]()
        with os_errors(self.path, "read"):
            while wanted and (part := os.pread(self._number, wanted, start)):
                parts.append(part)
                wanted, start = wanted - len(part), start + len(part)
        return b"".join(parts)

    def fill(self, view: memoryview, start: int) -> None:
        """Read the bytes from `start` on into a view, which they fill."""
        with os_errors(self.path, "read"):
            while view:
                count = os.preadv(self._number, [view], start)
                if not count:
                    raise StorageError(
                        f"{self.path}: it became shorter while it was read", self.path
                    )
                view, start = view[count:], start + count


class KeptFile:
    """A file that stays open, and checks that its descriptor still is its own."""

    number = -1
    identity = _NO_FILE  # device and inode of the file that is open

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._flags = flags

    def open(self) -> int:
        """Open the file that is at the path now (`flags` may make it) and return its size."""
        self.close()
        self.number, found = open_regular(self._path, self._flags)
        self.identity = identity(found)
        return found.st_size

    def size_at_path(self) -> int:
        """Return the bytes of the file, or -1 if it is not the one at its path any more."""
        try:
            found = os.stat(self._name)  # noqa: PTH116 - the quicker, before every append
        except OSError:
            return -1
        return found.st_size if (found.st_dev, found.st_ino) == self.identity else -1

    def is_open(self) -> bool:
        """Return whether the descriptor still is that of the file: others may have closed it."""
        if self.number < 0:
            return False
        try:
            found = os.fstat(self.number)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.identity

    def close(self) -> None:
        """Close the file; no error if it is closed already."""
        if self.is_open():
            os.close(self.number)
        self.number, self.identity = -1, _NO_FILE

    def __del__(self) -> None:
        with suppress(OSError, MemoryError):  # nobody can handle it here
            self.close()

    def __reduce__(self) -> tuple[type[KeptFile], tuple[Path, int]]:
        # A copy, in this process or another, opens the file for itself.
        return KeptFile, (self._path, self._flags)


class InPlaceFile:
    """A small file that is written in place, without a sync: it can be derived from others again.

    A crash may leave it torn, so its content needs checksums of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = KeptFile(path, _IN_PLACE)

    def write(self, content: bytes, offset: int) -> None:
        """Write at an offset. Raises `StorageError`."""
        try:
            kept = self._opened()
            os.pwrite(kept.number, content, offset)
        except OSError as error:
            raise_storage_error(error, self._path, "write")

    def read(self, length: int, offset: int) -> bytes:
        """Return bytes from an offset on, fewer at the end of the file. Raises `StorageError`."""
        with os_errors(self._path, "read"):
            kept = self._opened()
            return os.pread(kept.number, length, offset)

    def sync(self, durable: bool) -> None:
        """Sync what was just written, if the store is to be durable. Raises `StorageError`."""
        if durable:
            with os_errors(self._path, "write"):
                kept = self._opened()
                sync_data(kept.number)

    def close(self) -> None:
        """Close the file, once no thread uses it; the next write opens the one at the path then.

        A store may be closed beside a write: a descriptor that is closed in the midst of it may be
        that of another file by then.
        """
        self._kept = KeptFile(self._path, _IN_PLACE)

    def _opened(self) -> KeptFile:
        """Return the open file. It stays open as long as the caller refers to it."""
        kept = self._kept
        if not kept.is_open():
            kept.open()
        return kept


def _check(path: Path | str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise _expected_file(Path(path), type_of(found.st_mode), code)
    if found.st_size > max(_LARGE, found.st_blocks * _BLOCK * _HOLES):
        raise StorageError(
            f"{path}: its {found.st_size:,} bytes are a hole, of which the disk holds "
            f"{found.st_blocks * _BLOCK:,}; it is not read",
            Path(path),
            errno.EFBIG,
        )


def _expected_file(path: Path, found: str, code: int) -> StorageError:
    return StorageError(f"{path}: expected a file, found a {found}", path, code)
