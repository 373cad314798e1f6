"""Does the same work for many things at once: Arrow and the disk work outside Python's lock.

A signal handler may raise an exception in the thread that asks, at any step. Once it leaves,
nothing is begun any more, and nothing goes on. `ThreadPoolExecutor` cannot promise that:
interrupted while it starts a thread, it waits for ever for a lock of its own.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - Arrow needs it, and once Python ends it is too late
import os
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from threading import Lock
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_FEW = 4
_BATCH = 256


def in_parallel(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    threads: int | None = None,
    few: int = _FEW,
) -> list[_Result]:
    """Return what work returns for each item, in their order; the first error is raised.

    After an error the others are done all the same, but for what is left once as many have failed
    as there are threads. Fewer items than `few` are done by the thread that asks.
    """
    if len(items) < few:
        return [work(item) for item in items]
    return _spread(work, items, min(len(items), threads or os.cpu_count() or 1))


def batch_by_batch(works: Iterable[Callable[[], _Result]]) -> list[_Result]:
    """Return what each work returns, in their order, in as many threads as there are processors.

    For works that are made by much Python and done by little: a batch of them is made first, since
    threads that run Python wait for each other.
    """
    coming = iter(works)
    results: list[_Result] = []
    while batch := list(islice(coming, _BATCH)):
        if len(batch) < _FEW:
            results += _done(batch)
            continue
        count = min(os.cpu_count() or 1, len(batch) // _FEW + 1)
        shares = [
            batch[len(batch) * n // count : len(batch) * (n + 1) // count] for n in range(count)
        ]
        for done in _spread(_done, shares, count):
            results += done
    return results


def _spread(
    work: Callable[[_Item], _Result], items: Sequence[_Item], threads: int
) -> list[_Result]:
    results: dict[int, _Result] = {}
    errors: list[Exception] = []
    numbers = iter(range(len(items)))  # shared: each takes the next, a list a thread is less even
    working = [Lock() for _ in range(threads)]

    def go_on(own: Lock) -> None:
        with own:
            for number in numbers:
                try:
                    results[number] = work(items[number])
                except Exception as error:
                    errors.append(error)
                    if len(errors) >= threads:
                        return

    try:
        with suppress(RuntimeError):  # none can be started once the interpreter is ending
            for own in working[1:]:
                start_new_thread(go_on, (own,))
        go_on(working[0])
    finally:
        deque(numbers, maxlen=0)  # a thread that begins only now finds nothing to do
        for own in working:
            with own:
                pass
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # or its traceback, which has this frame, keeps it
    return [results[number] for number in range(len(items))]


def _done(works: list[Callable[[], _Result]]) -> list[_Result]:
    return [work() for work in works]
