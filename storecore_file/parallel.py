"""Does the same work for many things at once: Arrow and the disk work outside Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_FEW = 4
_BATCH = 256


def in_parallel(
    work: Callable[[_Item], _Result], items: Sequence[_Item], threads: int | None = None
) -> list[_Result]:
    """Return what work returns for each item, in their order; the first error is raised.

    The threads live for this call: a pool that is kept would be dead in a forked child.
    """
    if len(items) < _FEW:
        return [work(item) for item in items]
    results: dict[int, _Result] = {}
    numbers = iter(range(len(items)))  # shared: each takes the next, a future an item costs more

    def go_on() -> None:
        for number in numbers:
            results[number] = work(items[number])

    count = min(len(items), threads or os.cpu_count() or 1)
    pool = ThreadPoolExecutor(count)
    try:
        helping = _started(pool, [go_on] * (count - 1))
        try:
            go_on()
        finally:
            wait(helping)
    finally:  # twice: an exception of a signal handler may come while one waits
        pool.shutdown()
    for thread in helping:
        thread.result()
    return [results[number] for number in range(len(items))]


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
        with ThreadPoolExecutor(count) as pool:
            others = _started(pool, [partial(_done, share) for share in shares[1:]])
            results += _done(shares[0])
            for other in others:
                results += other.result()
            for share in shares[1 + len(others) :]:
                results += _done(share)
    return results


def _started(pool: ThreadPoolExecutor, works: list[Callable[[], _Result]]) -> list[Future[_Result]]:
    """Return the works that threads have taken on: none once the interpreter is ending."""
    started: list[Future[_Result]] = []
    with suppress(RuntimeError):
        for work in works:
            started.append(pool.submit(work))
    return started


def _done(works: list[Callable[[], _Result]]) -> list[_Result]:
    return [work() for work in works]
