"""Looks at files and folders: parts of a file, and whether anything has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from storecore.errors import StorageError
from storecore_file.fs.errors import naming
from storecore_file.fs.regular import READ, open_regular, type_of

_TICK, _SLOW_TICK = 50_000_000, 3_000_000_000  # ns


class OpenFile:
    """A file to read parts of. It is the file that was opened, whatever replaces it meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open a file. Raises `FileNotFoundError`, `StorageError` if it is no regular file."""
        self.path = path
        self._number, found = open_regular(path, READ)
        self.size = found.st_size

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

    def fill(self, view: memoryview, start: int) -> None:
        """Read the bytes from `start` on into a view, which they fill."""
        with naming(self.path, "read"):
            while view:
                count = os.preadv(self._number, [view], start)
                if not count:
                    raise StorageError(
                        f"{self.path}: it became shorter while it was read", self.path
                    )
                view, start = view[count:], start + count


class Changed(NamedTuple):
    """When a file or folder had last changed (ns), and whether any change from then on shows.

    A change shows when it gives another time than this: once the clock that the kernel keeps for
    files, which ticks each 1 to 10 ms (an old file system's each 1 or 2 s), has gone on.
    """

    at: int
    settled: bool

    @classmethod
    def of(cls, path: Path) -> Changed:
        """Look at a file or folder. Raises `FileNotFoundError`."""
        now = time.time_ns()  # before the look: this thread may be held up after it
        at = os.stat(path).st_mtime_ns  # noqa: PTH116 - the quicker, before every read
        return cls(at, now - at > (_TICK if at % 1_000_000_000 else _SLOW_TICK))


class Listing(NamedTuple):
    """The names in a folder, and when it had last changed."""

    changed: int
    names: list[str]


class Entry(NamedTuple):
    """One entry of a folder: its type, and when it last changed (s since 1970).

    `problem` says why that is unknown, and is None otherwise.
    """

    name: str
    type: str
    changed: float
    problem: str | None = None

    @property
    def is_folder(self) -> bool:
        """True for a folder, and false for a link to one."""
        return self.type == "folder"


def entries(folder: Path) -> list[Entry]:
    """Return all entries of a folder, hidden ones too, sorted; none where it is missing."""
    with naming(folder, "list"):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names only
        except FileNotFoundError:
            return []
    found = []
    for name in names:
        with suppress(FileNotFoundError):  # gone by now
            found.append(_entry(folder, name))
    return found


def _entry(folder: Path, name: str) -> Entry:
    try:
        found = os.lstat(folder / name)
    except FileNotFoundError:
        raise
    except OSError as error:
        return Entry(name, "", 0.0, f"cannot look at it: {error.strerror}")
    return Entry(name, type_of(found.st_mode), found.st_mtime)


def is_there(path: Path) -> bool:
    """Return whether anything lies at a path, as far as is known."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def type_at(path: Path) -> str | None:
    """Return the type of the file at a path, as `Entry.type`, or None if there is none."""
    with naming(path, "look at"):
        try:
            return type_of(os.lstat(path).st_mode)
        except FileNotFoundError:
            return None


def identity_at(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at a path, or None if there is none."""
    with naming(path, "look at"):
        try:
            return identity(os.lstat(path))
        except FileNotFoundError:
            return None


def identity(found: os.stat_result) -> tuple[int, int]:
    """Return what tells a file from every other one that exists."""
    return found.st_dev, found.st_ino


def places(folders: Iterable[Path]) -> frozenset[str]:
    """Return the identities of folders, whatever their paths; a missing one has none."""
    found = set()
    for folder in folders:
        with naming(folder, "look at"), suppress(FileNotFoundError):
            device, number = identity(folder.stat())
            found.add(f"folder {device}:{number}")
    return frozenset(found)


Fingerprint = tuple[int, int, int, int]


def fingerprint(path: Path) -> Fingerprint | None:
    """Return values that identify the file at a path and its content, None if there is none.

    The inode of a removed file is soon reused, so size and time of change count too.
    """
    with naming(path, "look at"):
        try:
            found = os.stat(path)  # noqa: PTH116 - as everywhere on this floor
        except FileNotFoundError:
            return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
