"""How the benchmarks of bars take time: works in turn, so that a noisy machine is so to each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime

START, END = datetime(1900, 1, 1), datetime(2100, 1, 1)
YEAR = datetime(2020, 1, 1), datetime(2020, 12, 31)


def in_turn(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each work; they take turns, after one round to warm up."""
    return [statistics.median(each) for each in _taken(rounds, works)]


def quietest(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the least seconds of each work, likewise: on a busy machine, of works of a few ms."""
    return list(map(min, _taken(rounds, works)))


def _taken(rounds: int, works: tuple[Callable[[], object], ...]) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for number, work in enumerate(works):
            begin = time.perf_counter()
            work()
            if turn:
                times[number].append(time.perf_counter() - begin)
    return times
