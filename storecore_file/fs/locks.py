"""Writers take turns: processes by a lock file, and threads of one process share a commit.

Readers never lock. A lock is a file of its own beside the data, locked with `flock` and never
removed. If somebody else removes it, or the folder that it lies in, the next writer makes a new
one; a writer that was waiting for the old one notices, and waits for the new one. Each use opens
the file for itself: `flock` keeps open files apart, those of threads like those of processes.

Threads that write at once share a commit: one lock, one write and one sync for all of them. Each
thread adds its item to a list. The first to do so leads: it waits for the commit that is running
and for the lock of the log, then takes all items, commits them and wakes the next thread, which
wakes the next. A thread that is not woken, since one before it was interrupted, checks for itself,
and leads if it must.

A signal handler may raise an exception in any thread between any two steps, and whoever handles the
exception may keep it, with its traceback and all objects in the frames.

- So no lock depends on when an object is collected: what `with` calls last is
  `io.FileIO.__exit__`, which closes the file, and with it the lock, before Python looks for signals
  again.
- The call that raises has committed its item by then, or it never will be. So an item that no
  leader has taken is withdrawn, and one that a leader has taken is waited for; the lock is held by
  then, so that takes no longer than a write and a sync. The others of the group are not affected:
  what an interrupted leader has not committed, they commit themselves.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from copy import copy
from functools import partial
from io import FileIO
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Generic, Self, TypeVar
from weakref import ref

from storecore.errors import LockTimeout, StoreError
from storecore.values.fork import prepare_around_forks, reset_after_fork
from storecore_file.fs.handles import os_errors, raise_storage_error
from storecore_file.fs.logs import Effect

_OPEN = os.O_RDWR | os.O_CLOEXEC
_MAKE = _OPEN | os.O_CREAT  # slower if the file is there: that locks its folder
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_FIRST_WAIT, _LONGEST_WAIT = 0.000_1, 0.002


Count = tuple[int, int, int, int]
"""How often holders of a lock have raised its count: its file, its length and last change."""


class Locked(FileIO):
    """Holds, as a context manager, the lock that lies at `path` (its folder exists). Used once.

    Entering raises `LockTimeout` when another holds it for `timeout` seconds, `StorageError` when
    the file cannot be made.
    """

    _how = _TRY
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
                fcntl.flock(self._number, self._how)
                self._found = os.fstat(self._number)
            except BlockingIOError:
                self._wait()
            if not self._found.st_nlink:  # it was removed since it was opened
                self._wait()
        except OSError as error:
            self.close()
            raise_storage_error(error, self._path, "lock")
        except BaseException:
            self.close()
            raise
        return self

    def count(self) -> Count:
        """Return how often holders of this lock have raised the count.

        A lock file that was removed and made again never gives an equal count.
        """
        found = self._found
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def count_up(self) -> None:
        """Raise the count, so that later holders of this lock notice that something has changed."""
        with os_errors(self._path, "write"):
            os.ftruncate(self._number, self._found.st_size + 1)
            self._found = os.fstat(self._number)

    def forget(self) -> None:
        """Close the file, and keep it locked for others that have it open."""
        self.__dict__["flush"] = tuple  # which does nothing
        self.close()

    def unlock_at_close(self) -> None:
        """Do not leave the lock to a child process that is about to inherit the open file."""
        self.__dict__["flush"] = partial(fcntl.flock, self._number, fcntl.LOCK_UN)

    def _open(self) -> None:
        """Open the file, instead of another one that was open."""
        try:
            number = os.open(self._name, _OPEN)
        except FileNotFoundError:
            number = os.open(self._name, _MAKE, 0o666)
        FileIO.__init__(self, number, "r+")
        self._number = number
        OPEN_LOCKS.add(number, self)

    def _wait(self) -> None:
        deadline, wait = time.monotonic() + self._timeout, _FIRST_WAIT
        while time.monotonic() < deadline:
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            with suppress(BlockingIOError):
                if not self._is_at_path():
                    self._open()
                fcntl.flock(self._number, self._how)
                if self._is_at_path():
                    return
        raise self._timed_out()

    def _is_at_path(self) -> bool:
        """Return whether the open file still is the one at the path."""
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


class OpenLocks:
    """The locks that are open in this process.

    A child process must not keep the locks that its parent was holding, neither until it gets to
    run (closing a file that it has open too does not unlock it), nor if the parent is killed.
    """

    def __init__(self) -> None:
        self._by_descriptor: dict[int, ref[Locked]] = {}  # no more than were ever open at once

    def add(self, number: int, lock: Locked) -> None:
        """Add a lock whose file has been opened."""
        self._by_descriptor[number] = ref(lock)

    def around_fork(self) -> None:
        """Do not leave the locks to a child that inherits the open files."""
        for lock in self._open():
            lock.unlock_at_close()

    def after_fork(self) -> None:
        """Close the files in a forked child."""
        for lock in self._open():
            lock.forget()

    def _open(self) -> list[Locked]:
        locks = [each() for each in list(self._by_descriptor.values())]
        return [lock for lock in locks if lock is not None and not lock.closed]


OPEN_LOCKS = OpenLocks()
prepare_around_forks(OPEN_LOCKS)


_PATIENCE = 0.1  # seconds
_Held = TypeVar("_Held")
_Item = TypeVar("_Item")


class _Waiting(Generic[_Item]):
    """An item that a thread has added, and the result of its commit."""

    __slots__ = ("_woken", "effect", "error", "following", "item", "key")

    def __init__(self, key: str, item: _Item) -> None:
        self.key = key
        self.item = item
        self.effect = Effect()  # of the commit that it went into last
        self.error: StoreError | None = None
        self.following: _Waiting[_Item] | None = None
        self._woken = Lock()
        self._woken.acquire()

    @property
    def is_done(self) -> bool:
        """Return whether the commit of the item has succeeded or failed."""
        return self.effect.is_there or self.error is not None

    def wait(self, seconds: float) -> None:
        """Wait to be woken once the item is done."""
        self._woken.acquire(timeout=seconds)

    def wake_following(self) -> None:
        """Wake the next thread of the same commit.

        One after the other: all at once would only wait for Python's own lock, on each other.
        """
        if self.following is not None:
            with suppress(RuntimeError):  # it was woken before
                self.following._woken.release()


class Shared(Locked):
    """Holds a lock together with others that share it; `Locked` waits for all of them."""

    _how = fcntl.LOCK_SH | fcntl.LOCK_NB


class GroupCommit(Generic[_Held, _Item]):
    """Commits items of one key together.

    `commit` is given what entering `lock()` returned, a key, its items, and an `Effect` to pass on
    to the append that commits them. It commits all of them or none.
    """

    def __init__(
        self,
        lock: Callable[[], AbstractContextManager[_Held]],
        commit: Callable[[_Held, str, list[_Item], Effect | None], None],
    ) -> None:
        self._lock = lock
        self._commit = commit
        self.after_fork()
        reset_after_fork(self)

    def after_fork(self) -> None:
        """Reset in a forked child: it does not have the thread that may hold the turn."""
        self._waiting: list[_Waiting[_Item]] = []
        self._in_hand: list[_Waiting[_Item]] = []  # of the thread whose turn it is
        self._putting, self._turn = Lock(), Lock()

    def write(self, key: str, item: _Item) -> None:
        """Commit an item with those that other threads add meanwhile.

        Raises what the commit of its key raised. Then it was not committed, but for an exception of
        a signal handler, which may come when it is.
        """
        if not self._waiting and not self._turn.locked():  # alone, as far as can be seen
            with self._turn, self._lock() as held:
                return self._commit(held, key, [item], None)
        own = _Waiting(key, item)
        try:
            return self._write_together(own)
        except StoreError:
            raise
        except BaseException:
            self._let_go(own)
            raise

    def _write_together(self, own: _Waiting[_Item]) -> None:
        with self._putting:
            leads = not self._waiting
            self._waiting.append(own)
        if not leads:
            own.wait(_PATIENCE)
        led = False
        if not own.is_done:
            with self._turn:
                led = not own.is_done
                if led:
                    self._lead(own)
        own.wake_following()
        error, own.error = own.error, None
        if error is not None:
            try:
                # An exception for each thread, whose traceback no other one changes.
                raise error if led else copy(error)
            finally:
                del error  # or its traceback keeps it, and open files, until Python collects cycles

    def _lead(self, own: _Waiting[_Item]) -> None:
        """Commit all items that were added, in the own turn."""
        early = self._waiting.copy()  # items whose threads wait for the lock as long as this one
        try:
            with self._lock() as held:
                for key, group in _by_key(self._taken(own, self._waiting)).items():
                    self._commit_group(held, key, group)
        except StoreError as error:  # of the lock
            _fail(self._taken(own, early), error)
        finally:
            self._in_hand = []

    def _taken(
        self, own: _Waiting[_Item], among: Sequence[_Waiting[_Item]]
    ) -> list[_Waiting[_Item]]:
        """Take the items that were added (of some), the own first; link each to the next."""
        with self._putting:
            wanted = {id(each) for each in (own, *among)}
            others = [each for each in self._waiting if id(each) in wanted and each is not own]
            left = [each for each in self._waiting if id(each) not in wanted]
            self._in_hand, self._waiting = [own, *others], left
        for each, following in pairwise(self._in_hand):
            each.following = following
        return self._in_hand

    def _commit_group(self, held: _Held, key: str, group: list[_Waiting[_Item]]) -> None:
        effect = Effect()
        for each in group:
            each.effect = effect
        try:
            self._commit(held, key, [each.item for each in group], effect)
        except StoreError as error:
            if not effect.is_there:
                _fail(group, error)

    def _let_go(self, own: _Waiting[_Item]) -> None:
        """Make sure that an item of an interrupted thread is committed by now, or never will be."""
        with self._putting:
            self._waiting = [each for each in self._waiting if each is not own]
        while any(each is own for each in self._in_hand) and not own.is_done:
            own.wait(_PATIENCE)
        own.wake_following()

    def __getstate__(self) -> dict[str, Any]:
        # A copy, in this process or another, has threads of its own.
        return {"_commit": self._commit, "_lock": self._lock}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self.after_fork()
        reset_after_fork(self)


def _by_key(items: Iterable[_Waiting[_Item]]) -> dict[str, list[_Waiting[_Item]]]:
    groups: dict[str, list[_Waiting[_Item]]] = {}
    for each in items:
        groups.setdefault(each.key, []).append(each)
    return groups


def _fail(group: Iterable[_Waiting[Any]], error: StoreError) -> None:
    for each in group:
        each.error = error
