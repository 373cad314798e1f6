"""Keeps writers of one series apart, threads and processes alike. Readers never lock.

A lock is a file of its own beside the data, locked with `flock` and never removed: removing it
would let two writers hold two files of one name. Each use opens the file for itself: `flock` keeps
open files apart, those of threads like those of processes.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from weakref import WeakSet

from storecore.errors import LockTimeout
from storecore_file.floor.naming import naming

_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
_FIRST_WAIT, _LONGEST_WAIT = 0.000_1, 0.002


class _LockFile:
    """An open file, closed when nothing refers to it any more: as Python's own are, but quicker."""

    _number = -1

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """Return the descriptor, for `flock`."""
        return self._number

    def close(self) -> None:
        """Close the file; fine where it is closed already."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    __del__ = close


class Locked:
    """Holds, as a context manager, the lock that lies at `path` (its folder exists).

    Entering raises `LockTimeout` when another holds it for `timeout` seconds, `StorageError` when
    the file cannot be made. The lock belongs to an open file object, so that it goes with it where
    an exception from a signal handler comes between any two steps.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._file: _LockFile | None = None

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._timeout
        with naming(self._path, "lock"):
            self._file = _LockFile(os.open(self._path, _OPEN, 0o666))
            _held.add(self)
            self._lock(self._file, deadline)

    def __exit__(self, *exc: object) -> None:
        # Not by closing alone: a child forked meanwhile may have the file open, and would keep it.
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self.forget()

    def forget(self) -> None:
        """Close the file without unlocking it for others who have it open."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _lock(self, file: _LockFile, deadline: float) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self.forget()
                    raise self._timed_out() from None
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            except OSError:
                self.forget()
                raise

    def _timed_out(self) -> LockTimeout:
        return LockTimeout(
            f"{self._path}: another writer has held this lock for {self._timeout:g} s; end it, or "
            "open the store with a longer lock_timeout"
        )


_held: WeakSet[Locked] = WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


# A child process must not keep the locks that its parent was holding, if the parent is killed.
os.register_at_fork(after_in_child=_forget_all)
