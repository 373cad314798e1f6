"""Lets threads that write at once share a commit: one lock, one write and one sync for all of them.

Each thread puts its item down. The first to do so leads: it waits for the commit that is running,
takes all that has been put down by then, commits it and tells the next, who tells the next. A
thread that is told nothing, since one before it was interrupted, looks for itself, and leads if it
must.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from itertools import pairwise
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from storecore.errors import StorageError

_PATIENCE = 0.1  # seconds
_Item = TypeVar("_Item")


class _Waiting(Generic[_Item]):
    """An item that a thread has put down, and what came of it."""

    __slots__ = ("_told", "done", "error", "following", "item", "key")

    def __init__(self, key: str, item: _Item) -> None:
        self.key = key
        self.item = item
        self.done = False
        self.error: Exception | None = None
        self.following: _Waiting[_Item] | None = None
        self._told = Lock()
        self._told.acquire()

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


class GroupCommit(Generic[_Item]):
    """Commits items of one key together, through a function that commits all of them or none."""

    def __init__(self, commit: Callable[[str, list[_Item]], None]) -> None:
        self._commit = commit
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the threads that wait: those of a parent process, in its child."""
        self._waiting: list[_Waiting[_Item]] = []
        self._putting, self._turn = Lock(), Lock()
        _groups.add(self)

    def write(self, key: str, item: _Item) -> None:
        """Commit an item with those that other threads put down meanwhile.

        Raises what the commit of its key raised. Then it was not committed.
        """
        if not self._waiting and not self._turn.locked():  # alone, as far as can be seen
            with self._turn:
                return self._commit(key, [item])
        return self._write_together(_Waiting(key, item))

    def _write_together(self, own: _Waiting[_Item]) -> None:
        with self._putting:
            leads = not self._waiting
            self._waiting.append(own)
        if not leads:
            own.wait(_PATIENCE)
        led = False
        if not own.done:
            with self._turn:
                led = not own.done
                if led:
                    self._commit_all(own)
        own.tell_following()
        error, own.error = own.error, None
        if error is not None:
            try:
                # An exception for each thread, whose traceback no other one changes.
                raise error if led else copy(error)
            finally:
                del error  # or its traceback keeps it, and open files, until Python collects cycles

    def _commit_all(self, own: _Waiting[_Item]) -> None:
        with self._putting:
            taken, self._waiting = self._waiting, []
        if taken == [own]:
            return self._commit_group(own.key, taken)
        taken = [own, *(each for each in taken if each is not own)]
        for each, following in pairwise(taken):
            each.following = following
        by_key: dict[str, list[_Waiting[_Item]]] = {}
        for each in taken:
            by_key.setdefault(each.key, []).append(each)
        for key, group in by_key.items():
            self._commit_group(key, group)
        return None

    def _commit_group(self, key: str, group: list[_Waiting[_Item]]) -> None:
        error: Exception | None = StorageError(
            f"{key}: the thread that wrote this with its own was interrupted; write it again, "
            "unless it is there"
        )
        try:
            self._commit(key, [each.item for each in group])
            error = None
        except Exception as raised:
            error = raised
        finally:
            for each in group:
                each.error, each.done = error, True
            del error  # or its traceback, which has this frame, keeps it

    def __getstate__(self) -> dict[str, Any]:
        # A copy, in this process or another, has threads of its own.
        return {"_commit": self._commit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._commit = state["_commit"]
        self.start_anew()


_groups: WeakSet[GroupCommit[Any]] = WeakSet()


def _start_all_anew() -> None:
    for group in list(_groups):
        group.start_anew()


# The turn may be held by a thread of the parent that does not exist in the child.
os.register_at_fork(after_in_child=_start_all_anew)
