"""Keeps writers of one series apart, threads and processes alike. Readers never lock.

A lock is a file of its own beside the data, locked with `flock` and never removed: removing it
would let two writers hold two files of one name. The threads of a process queue on an ordinary
lock first, so that only one of them has to ask the file system again and again.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from storecore.errors import LockTimeout
from storecore_file.floor.disk import naming

_FIRST_WAIT, _LONGEST_WAIT = 0.000_1, 0.005

_threads: dict[str, threading.Lock] = {}
# A child process must not inherit a lock that a thread of its parent was holding.
os.register_at_fork(after_in_child=_threads.clear)


class Locked:
    """Holds, as a context manager, the lock that lies at `path` (its folder exists).

    Entering raises `LockTimeout` when another holds it for `timeout` seconds, `StorageError` when
    the file cannot be made.
    """

    __slots__ = ("_file", "_path", "_thread_lock", "_timeout")

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._thread_lock = _threads.setdefault(str(path), threading.Lock())
        self._file = -1

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._timeout
        if not self._thread_lock.acquire(timeout=self._timeout):
            raise self._timed_out()
        try:
            with naming(self._path, "lock"):
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                self._lock_file(deadline)
        except BaseException:
            self._release()
            raise

    def __exit__(self, *exc: object) -> None:
        # Not by closing alone: a child forked meanwhile has the file open, and would keep it.
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._release()

    def _lock_file(self, deadline: float) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._timed_out() from None
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)

    def _release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._thread_lock.release()

    def _timed_out(self) -> LockTimeout:
        return LockTimeout(
            f"{self._path}: another writer has held this lock for {self._timeout:g} s; end it, or "
            "open the store with a longer lock_timeout"
        )
