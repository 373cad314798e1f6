"""Looks at files and folders: parts of a file, and whether anything has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from storecore.errors import StorageError
from storecore_file.floor.naming import naming

_TICK, _SLOW_TICK = 50_000_000, 3_000_000_000  # ns


class OpenFile:
    """A file to read parts of. It is the file that was opened, whatever replaces it meanwhile."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self._number = number
        self.size = os.fstat(number).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._number)

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
    """One entry of a folder, and when it has last changed (s since 1970)."""

    name: str
    is_folder: bool
    changed: float


def entries(folder: Path) -> list[Entry]:
    """Return all entries of a folder, hidden ones too, sorted; none where it is missing."""
    found = []
    with naming(folder, "list"):
        try:
            listed = list(os.scandir(folder))
        except FileNotFoundError:
            return []
        for each in listed:
            with suppress(FileNotFoundError):  # gone by now
                changed = each.stat(follow_symlinks=False).st_mtime
                found.append(Entry(each.name, each.is_dir(), changed))
    return sorted(found)


def identity(found: os.stat_result) -> tuple[int, int]:
    """Return what tells a file from every other one that exists."""
    return found.st_dev, found.st_ino


def places(folders: Iterable[Path]) -> frozenset[str]:
    """Return which folders these are, by whatever paths they are reached; a missing one is none."""
    found = set()
    for folder in folders:
        with naming(folder, "look at"), suppress(FileNotFoundError):
            device, number = identity(folder.stat())
            found.add(f"folder {device}:{number}")
    return frozenset(found)


Fingerprint = tuple[int, int, int, int]


def fingerprint(path: Path) -> Fingerprint | None:
    """Return what tells the file at a path from any that was or will be there, None if none is.

    The number of a removed file is soon given to another one, so size and time of change count too.
    """
    with naming(path, "look at"):
        try:
            found = os.stat(path)  # noqa: PTH116 - as everywhere on this floor
        except FileNotFoundError:
            return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
