"""Looks at what lies at paths and in folders, without opening it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from storecore_file.fs.handles import identity, os_errors, raise_storage_error, type_of


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
    """Return all entries of a folder, hidden ones too, sorted; none if it is missing."""
    with os_errors(folder, "list"):
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
    with os_errors(path, "look at"):
        try:
            return type_of(os.lstat(path).st_mode)
        except FileNotFoundError:
            return None


def identity_at(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at a path, or None if there is none."""
    with os_errors(path, "look at"):
        try:
            return identity(os.lstat(path))
        except FileNotFoundError:
            return None


def places(folders: Iterable[Path]) -> frozenset[str]:
    """Return the identities of folders, whatever their paths; a missing one has none."""
    found = set()
    for folder in folders:
        with os_errors(folder, "look at"), suppress(FileNotFoundError):
            device, number = identity(folder.stat())
            found.add(f"folder {device}:{number}")
    return frozenset(found)


Fingerprint = tuple[int, int, int, int]


def fingerprint(path: Path | str) -> Fingerprint | None:
    """Return values that identify the file at a path and its content, None if there is none.

    The inode of a removed file is soon reused, so size and time of modification count too. A hard
    link changes none of them. What is kept longer than a call needs a `State`: a restore may bring
    back another content with the same values.
    """
    found = known_state_at(path)
    return None if found is None else found[:4]


def fingerprint_of(found: os.stat_result) -> Fingerprint:
    """Return the fingerprint of a file that was looked at."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


State = tuple[int, int, int, int, int]
"""Device, inode, bytes, time of modification and time of change of a file or folder (ns)."""


NO_FILE: State = (0, 0, 0, 0, 0)


def state_of(found: os.stat_result) -> State:
    """Return the state of a file that was looked at.

    Any change gives another one, if it comes later than the clock of the file system takes to go on
    (`fs.disk.is_settled`): nobody can set the time of change.
    """
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def known_state_at(path: Path | str) -> State | None:
    """Return the state of the file at a path, None if there is none. Raises `StorageError`."""
    try:
        return state_of(os.stat(path))  # noqa: PTH116 - quicker than `Path`
    except FileNotFoundError:
        return None
    except (OSError, MemoryError) as error:
        raise_storage_error(error, Path(path), "look at")


def state_at(path: str) -> State | None:
    """Return the state of the file or folder at a path, `NO_FILE` if there is none.

    None if it cannot be looked at: then a read of it raises the error.
    """
    try:
        return state_of(os.stat(path))  # noqa: PTH116 - quicker than `Path`
    except FileNotFoundError:
        return NO_FILE
    except (OSError, MemoryError):
        return None
