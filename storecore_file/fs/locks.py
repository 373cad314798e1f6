"""Keeps writers of one series apart, threads and processes alike. Readers never lock.

A lock is a file of its own beside the data, locked with `flock` and never removed. If somebody
else removes it, or the folder that it lies in, the next writer makes a new one; a writer that was
waiting for the old one notices, and waits for the new one. Each use opens the file for itself:
`flock` keeps open files apart, those of threads like those of processes.

A signal handler may raise an exception between any two steps, and whoever handles the exception may
keep it, with its traceback and all objects in the frames. So nothing here depends on when an object
is collected: what `with` calls last is `io.FileIO.__exit__`, which closes the file, and with it the
lock, before Python looks for signals again.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Self
from weakref import ref

from storecore.errors import LockTimeout
from storecore_file.fs.errors import naming, refuse

_OPEN = os.O_RDWR | os.O_CLOEXEC
_MAKE = _OPEN | os.O_CREAT  # slower if the file is there: that locks its folder
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_FIRST_WAIT, _LONGEST_WAIT = 0.000_1, 0.002


Count = tuple[int, int, int, int]
"""How often holders of a lock have counted up: its file, the file's length and last change."""


class Locked(FileIO):
    """Holds, as a context manager, the lock that lies at `path` (its folder exists). Used once.

    Entering raises `LockTimeout` when another holds it for `timeout` seconds, `StorageError` when
    the file cannot be made.
    """

    _number = -1
    _found: os.stat_result  # of the open file, since it is locked

    def __init__(self, path: Path, timeout: float) -> None:
        # Opened by `__enter__`: until then this is a closed file.
        self._path = path
        self._name = os.fspath(path)
        self._timeout = timeout

    def __enter__(self) -> Self:
        try:
            self._open()
            try:
                fcntl.flock(self._number, _TRY)
                self._found = os.fstat(self._number)
            except BlockingIOError:
                self._wait()
            if not self._found.st_nlink:  # it was removed since it was opened
                self._wait()
        except OSError as error:
            self.close()
            refuse(error, self._path, "lock")
        except BaseException:
            self.close()
            raise
        return self

    def count(self) -> Count:
        """Return how often those who have held this lock have counted up.

        A file that was removed and made anew never gives an equal answer.
        """
        found = self._found
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def count_up(self) -> None:
        """Let who holds this lock later know that something else than before is to be done."""
        with naming(self._path, "write"):
            os.ftruncate(self._number, self._found.st_size + 1)
            self._found = os.fstat(self._number)

    def forget(self) -> None:
        """Close the file, and keep it locked for others who have it open; fine if it is closed."""
        self.__dict__["flush"] = tuple  # which does nothing
        self.close()

    def unlock_at_close(self) -> None:
        """Do not leave the lock to a child process, which is about to inherit the open file."""
        self.__dict__["flush"] = partial(fcntl.flock, self._number, fcntl.LOCK_UN)

    def _open(self) -> None:
        """Open the file, instead of another one that was open."""
        try:
            number = os.open(self._name, _OPEN)
        except FileNotFoundError:
            number = os.open(self._name, _MAKE, 0o666)
        FileIO.__init__(self, number, "r+")
        self._number = number
        _held[number] = ref(self)

    def _wait(self) -> None:
        deadline, wait = time.monotonic() + self._timeout, _FIRST_WAIT
        while time.monotonic() < deadline:
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            with suppress(BlockingIOError):
                if not self._is_at_path():
                    self._open()
                fcntl.flock(self._number, _TRY)
                if self._is_at_path():
                    return
        raise self._timed_out()

    def _is_at_path(self) -> bool:
        """Tell whether the open file still is the one at the path."""
        self._found = os.fstat(self._number)
        try:
            return os.path.samestat(self._found, os.stat(self._name))  # noqa: PTH116
        except FileNotFoundError:
            return False

    def _timed_out(self) -> LockTimeout:
        return LockTimeout(
            f"{self._path}: another writer has held this lock for {self._timeout:g} s; end it, or "
            "open the store with a longer lock_timeout"
        )


_held: dict[int, ref[Locked]] = {}  # by descriptor: no more than were ever open at once


def _open_locks() -> list[Locked]:
    locks = [held() for held in list(_held.values())]
    return [lock for lock in locks if lock is not None and not lock.closed]


def _unlock_at_close() -> None:
    for lock in _open_locks():
        lock.unlock_at_close()


def _forget_all() -> None:
    for lock in _open_locks():
        lock.forget()


# A child process must not keep the locks that its parent was holding, neither until it gets to run
# (closing a file that it has open too does not unlock it), nor if the parent is killed.
os.register_at_fork(
    before=_unlock_at_close, after_in_parent=_unlock_at_close, after_in_child=_forget_all
)
