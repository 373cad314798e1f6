"""Lets threads that write at once share a commit: one lock, one write and one sync for all of them.

Each thread puts its item down. The first to do so leads: it waits for the commit that is running
and for the lock of the log, then takes all that has been put down, commits it and tells the next,
who tells the next. A thread that is told nothing, since one before it was interrupted, looks for
itself, and leads if it must.

A signal handler may raise an exception in any of these threads at any step. Then the rule is: the
call that raises has committed its item by then, or it never will be. So an item that no leader has
taken is withdrawn, and one that a leader has in hand is waited for; the lock is held by then, so
that takes no longer than a write and a sync. The others of the group are not concerned: what an
interrupted leader has not committed, they commit themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from copy import copy
from itertools import pairwise
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from storecore.errors import StoreError
from storecore_file.fs.logs import Effect

_PATIENCE = 0.1  # seconds
_Held = TypeVar("_Held")
_Item = TypeVar("_Item")


class _Waiting(Generic[_Item]):
    """An item that a thread has put down, and what came of it."""

    __slots__ = ("_told", "effect", "error", "following", "item", "key")

    def __init__(self, key: str, item: _Item) -> None:
        self.key = key
        self.item = item
        self.effect = Effect()  # of the commit that it went into last
        self.error: StoreError | None = None
        self.following: _Waiting[_Item] | None = None
        self._told = Lock()
        self._told.acquire()

    @property
    def is_done(self) -> bool:
        """Tell whether the item is committed, or failed to be."""
        return self.effect.is_there or self.error is not None

    def wait(self, seconds: float) -> None:
        """Wait to be told that the item is done."""
        self._told.acquire(timeout=seconds)

    def tell_following(self) -> None:
        """Tell the next one of the same commit.

        One after the other: all at once would only wait for Python's own lock, on each other.
        """
        if self.following is not None:
            with suppress(RuntimeError):  # it was told before
                self.following._told.release()


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
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the threads that wait: those of a parent process, in its child."""
        self._waiting: list[_Waiting[_Item]] = []
        self._in_hand: list[_Waiting[_Item]] = []  # of the thread whose turn it is
        self._putting, self._turn = Lock(), Lock()
        _groups.add(self)

    def write(self, key: str, item: _Item) -> None:
        """Commit an item with those that other threads put down meanwhile.

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
        own.tell_following()
        error, own.error = own.error, None
        if error is not None:
            try:
                # An exception for each thread, whose traceback no other one changes.
                raise error if led else copy(error)
            finally:
                del error  # or its traceback keeps it, and open files, until Python collects cycles

    def _lead(self, own: _Waiting[_Item]) -> None:
        """Commit all that has been put down, in the own turn."""
        early = self._waiting.copy()  # who waits for the lock as long as this thread
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
        """Take what has been put down (of some), the own item first, each to tell the next."""
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
        own.tell_following()

    def __getstate__(self) -> dict[str, Any]:
        # A copy, in this process or another, has threads of its own.
        return {"_commit": self._commit, "_lock": self._lock}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self.start_anew()


def _by_key(items: Iterable[_Waiting[_Item]]) -> dict[str, list[_Waiting[_Item]]]:
    groups: dict[str, list[_Waiting[_Item]]] = {}
    for each in items:
        groups.setdefault(each.key, []).append(each)
    return groups


def _fail(group: Iterable[_Waiting[Any]], error: StoreError) -> None:
    for each in group:
        each.error = error


_groups: WeakSet[GroupCommit[Any, Any]] = WeakSet()


def _start_all_anew() -> None:
    for group in list(_groups):
        group.start_anew()


# The turn may be held by a thread of the parent that does not exist in the child.
os.register_at_fork(after_in_child=_start_all_anew)
