"""Rolls back a change of many files, in many folders, when it fails.

Before a file is replaced or removed, it gets a second, hidden name beside it. That is a hard link,
which needs neither a descriptor nor a copy for each of thousands of files. `Disk.exchange` does the
same for the few files of one step, by descriptors.

This is for an error in a process that lives: nothing reads the second names after a kill. FORMAT.md
says what a kill leaves; of bars the newer generation counts (`bars/overlaps.py`).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from storecore.errors import StorageError
from storecore_file.fs.disk import Disk, Staged, put_in_place
from storecore_file.fs.handles import os_errors
from storecore_file.fs.stat import Fingerprint, fingerprint

_BACKUP = re.compile(r"\..+\.([0-9a-f]{8})[0-9a-f]{8}\.rollback", re.S)


class _Change(NamedTuple):
    """A name, its files before and after the change, and the second name of the old file."""

    path: Path
    before: Fingerprint | None
    after: Fingerprint | None
    backup: Path


class Rollback:
    """The files of some names before they were changed."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._changes: list[_Change] = []

    def keep(self, path: Path, new: Path | None) -> None:
        """Back up the file of a name before `new` is renamed to it, or it is removed (None)."""
        before, after = fingerprint(path), None if new is None else fingerprint(new)
        backup = _backup_name(path)
        self._changes.append(_Change(path, before, after, backup))  # first: it may be interrupted
        if before is not None:
            self._disk.keep(path, backup.name)

    def replace(self, path: Path, new: Path) -> None:
        """Rename `new` to a path, with a backup. Raises `StorageError`."""
        self.keep(path, new)
        with os_errors(path, "write"):
            put_in_place(new, path)

    def remove(self, path: Path) -> None:
        """Remove a file, with a backup; no error if it is gone. Raises `StorageError`."""
        self.keep(path, None)
        self._disk.drop(path)

    def sync(self) -> None:
        """Sync the changes to the medium. Raises `StorageError`."""
        for folder in dict.fromkeys(each.path.parent for each in self._changes):
            self._disk.sync_folder(folder)

    def is_empty(self) -> bool:
        """Return whether there is no backup."""
        return not self._changes

    def backups(self) -> list[tuple[Path, Path]]:
        """Return the files that were there, each with its second name."""
        return [(each.path, each.backup) for each in self._changes if each.before is not None]

    def is_undisturbed(self) -> bool:
        """Return whether all names have the files after the change, or all those before.

        If so, no other writer has changed them since; another writer may have removed a file that
        is missing.
        """
        found = [fingerprint(each.path) for each in self._changes]
        return found in (
            [each.after for each in self._changes],
            [each.before for each in self._changes],
        )

    def roll_back(self) -> None:
        """Roll the changes back, the last one first, so that a reader misses nothing meanwhile.

        A name with the file of another writer stays as it is. If some changes cannot be rolled
        back, all others still are; then the first such error is raised as `StorageError`.
        """
        failed: list[StorageError] = []
        for each in reversed(self._changes):
            try:
                self._roll_one_back(each)
            except StorageError as error:
                failed.append(error)
        self.sync()
        if failed:
            raise failed[0]

    def discard(self) -> None:
        """Remove the second names: the change stays."""
        for each in self._changes:
            with suppress(StorageError):  # hidden, and no data
                self._disk.drop(each.backup)
        self._changes.clear()

    def _roll_one_back(self, change: _Change) -> None:
        path, before, after, backup = change
        if before == after or fingerprint(path) != after:
            return
        with os_errors(path, "take back a change of"):
            if before is not None:
                put_in_place(backup, path)
            else:
                os.unlink(path)  # noqa: PTH108 - quicker than `Path`


def made_at(name: str) -> int | None:
    """Return when a second name was made (s since 1970), or None if a file name is not one."""
    match = _BACKUP.fullmatch(name)
    return None if match is None else int(match[1], 16)


def _backup_name(path: Path) -> Path:
    # The time is in the name: the file's own is that of its content, which may be years old.
    return path.with_name(f".{path.name}.{int(time.time()):08x}{token_hex(4)}.rollback")


def replace_all(
    disk: Disk, contents: Iterable[tuple[Path, bytes]], gone: Iterable[Path] = ()
) -> None:
    """Write content to each path, in that order, then remove others.

    On an error all is as before. No path may come twice; others may be gone already. Contents
    are taken one at a time.
    """
    staged: list[Staged] = []
    rollback = Rollback(disk)
    try:
        for path, content in contents:
            disk.stage(path, content, staged)
        for path, temporary in staged:
            rollback.replace(path, temporary)
        for path in gone:
            rollback.remove(path)
        rollback.sync()
    except BaseException:
        with suppress(StorageError):  # the error that matters is on its way
            rollback.roll_back()
        disk.discard(staged)
        rollback.discard()
        raise
    try:
        rollback.discard()
    except BaseException:  # of a signal handler
        rollback.discard()
        raise
