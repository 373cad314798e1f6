"""Files that stay open between writes: opening one costs about as much as all else but the sync."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import naming, refuse
from storecore_file.fs.regular import WRITE, open_regular
from storecore_file.fs.stat import identity

_NOTE = WRITE | os.O_CREAT
_NOTHING = (-1, -1)


class KeptFile:
    """A file that stays open, and makes sure that its descriptor still is its own."""

    number = -1
    identity = _NOTHING  # device and inode of the file that is open

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._flags = flags

    def open(self) -> int:
        """Open the file that is at the path now, made if need be, and return its size."""
        self.close()
        self.number, found = open_regular(self._path, self._flags)
        self.identity = identity(found)
        return found.st_size

    def size_at_path(self) -> int:
        """Return the bytes of the file, or -1 where it is not the one at its path any more."""
        try:
            found = os.stat(self._name)  # noqa: PTH116 - the quicker, before every append
        except OSError:
            return -1
        return found.st_size if (found.st_dev, found.st_ino) == self.identity else -1

    def is_open(self) -> bool:
        """Tell whether the descriptor still is that of the file: others may have closed it."""
        if self.number < 0:
            return False
        try:
            found = os.fstat(self.number)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.identity

    def close(self) -> None:
        """Close the file; fine where it is closed already."""
        if self.is_open():
            os.close(self.number)
        self.number, self.identity = -1, _NOTHING

    def __del__(self) -> None:
        with suppress(OSError, MemoryError):  # nobody is there to be told
            self.close()

    def __reduce__(self) -> tuple[type[KeptFile], tuple[Path, int]]:
        # A copy, in this process or another, opens the file for itself.
        return KeptFile, (self._path, self._flags)


class Note:
    """A small file that is written in place, without a sync: it can be made again from others.

    A crash may leave it torn, so its content proves itself.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = KeptFile(path, _NOTE)

    def write(self, content: bytes, offset: int) -> None:
        """Write at an offset. Raises `StorageError`."""
        try:
            if not self._kept.is_open():
                self._kept.open()
            os.pwrite(self._kept.number, content, offset)
        except OSError as error:
            refuse(error, self._path, "write")

    def read(self, length: int, offset: int) -> bytes:
        """Return bytes from an offset on, fewer at the end of the file. Raises `StorageError`."""
        with naming(self._path, "read"):
            if not self._kept.is_open():
                self._kept.open()
            return os.pread(self._kept.number, length, offset)

    def sync(self, disk: Disk) -> None:
        """Bring what was just written to the medium. Raises `StorageError`."""
        with naming(self._path, "write"):
            disk.sync(self._kept.number)

    def close(self) -> None:
        """Let go of the file: the next write opens what is at the path then."""
        self._kept.close()
