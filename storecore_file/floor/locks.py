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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storecore.errors import LockTimeout
from storecore_file.floor.disk import naming

_FIRST_WAIT, _LONGEST_WAIT = 0.000_1, 0.005

_threads: dict[str, threading.Lock] = {}
# A child process must not inherit a lock that a thread of its parent was holding.
os.register_at_fork(after_in_child=_threads.clear)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock that lies at `path` (its folder exists).

    Raises `LockTimeout` when another holds it for `timeout` seconds, `StorageError` when the file
    cannot be made.
    """
    deadline = time.monotonic() + timeout
    thread_lock = _threads.setdefault(str(path), threading.Lock())
    if not thread_lock.acquire(timeout=timeout):
        raise _timed_out(path, timeout)
    try:
        with naming(path, "lock"):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock_file(file, path, deadline, timeout)
            yield
        finally:
            # Not by closing alone: a child forked meanwhile has the file open, and would keep it.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)
    finally:
        thread_lock.release()


def _lock_file(file: int, path: Path, deadline: float, timeout: float) -> None:
    wait = _FIRST_WAIT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _timed_out(path, timeout) from None
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        else:
            return


def _timed_out(path: Path, timeout: float) -> LockTimeout:
    return LockTimeout(
        f"{path}: another writer has held this lock for {timeout:g} s; end it, or open the store "
        "with a longer lock_timeout"
    )
