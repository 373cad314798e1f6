"""How the benchmarks of bars take time: works in turn, so that a noisy machine is so to each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

START, END = datetime(1900, 1, 1), datetime(2100, 1, 1)
YEAR = datetime(2020, 1, 1), datetime(2020, 12, 31)
_TURN = 0.01  # seconds


def in_turn(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each work; they take turns, after one round to warm up."""
    times = _taken(rounds, [partial(_timed, each) for each in works])
    return [statistics.median(each) for each in times]


def quietest(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the least seconds of each work, likewise: a busy machine adds to each.

    A short work is repeated in its turn, or it would begin with the processor's caches full of
    what another one needs.
    """
    return list(map(min, _taken(rounds, [partial(_repeated, each) for each in works])))


def _taken(rounds: int, timed: list[Callable[[], float]]) -> list[list[float]]:
    for each in timed:
        each()
    turns = [[each() for each in timed] for _ in range(rounds)]
    return [list(each) for each in zip(*turns, strict=True)]


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _repeated(work: Callable[[], object]) -> float:
    least, until = _timed(work), time.perf_counter() + _TURN
    while time.perf_counter() < until:
        least = min(least, _timed(work))
    return least
