"""Keeps writers of one series apart, threads and processes alike. Readers never lock.

A lock is a file of its own beside the data, locked with `flock` and never removed: removing it
would let two writers hold two files of one name. Each use opens the file for itself: `flock` keeps
open files apart, those of threads like those of processes.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from weakref import ref

from storecore.errors import LockTimeout
from storecore_file.floor.naming import naming, refuse

_OPEN = os.O_RDWR | os.O_CLOEXEC
_MAKE = _OPEN | os.O_CREAT  # slower where the file is there: that locks its folder
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_FIRST_WAIT, _LONGEST_WAIT = 0.000_1, 0.002


class Locked:
    """Holds, as a context manager, the lock that lies at `path` (its folder exists).

    Entering raises `LockTimeout` when another holds it for `timeout` seconds, `StorageError` when
    the file cannot be made. The open file goes with this object, and the lock with it, where an
    exception from a signal handler comes between any two steps.
    """

    _number = -1

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._timeout = timeout

    def __enter__(self) -> Self:
        try:
            try:
                self._number = number = os.open(self._name, _OPEN)
            except FileNotFoundError:
                self._number = number = os.open(self._name, _MAKE, 0o666)
            _held[number] = ref(self)
            try:
                fcntl.flock(number, _TRY)
            except BlockingIOError:
                self._wait(number)
        except OSError as error:
            self.forget()
            refuse(error, self._path, "lock")
        return self

    def __exit__(self, *exc: object) -> None:
        # Not by closing alone: a child forked meanwhile may have the file open, and would keep it.
        if self._number >= 0:
            fcntl.flock(self._number, fcntl.LOCK_UN)
        self.forget()

    def count(self) -> int:
        """Return how often those who have held this lock have counted up: the file's length."""
        return os.lseek(self._number, 0, os.SEEK_END)

    def count_up(self) -> None:
        """Let who holds this lock later know that something else than before is to be done."""
        with naming(self._path, "write"):
            os.ftruncate(self._number, self.count() + 1)

    def forget(self) -> None:
        """Close the file without unlocking it for others who have it open; fine where it is."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    __del__ = forget

    def _wait(self, number: int) -> None:
        deadline, wait = time.monotonic() + self._timeout, _FIRST_WAIT
        while time.monotonic() < deadline:
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            with suppress(BlockingIOError):
                fcntl.flock(number, _TRY)
                return
        raise self._timed_out()

    def _timed_out(self) -> LockTimeout:
        return LockTimeout(
            f"{self._path}: another writer has held this lock for {self._timeout:g} s; end it, or "
            "open the store with a longer lock_timeout"
        )


_held: dict[int, ref[Locked]] = {}  # by descriptor: no more than were ever open at once


def _forget_all() -> None:
    for lock in [held() for held in _held.values()]:
        if lock is not None:
            lock.forget()


# A child process must not keep the locks that its parent was holding, if the parent is killed.
os.register_at_fork(after_in_child=_forget_all)
