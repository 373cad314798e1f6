"""The choice between the two instants of a local time that occurs twice, when the clocks go back.

Only the order of the rows can decide. An instant is possible if the rows of the symbol, within a
day, are in order of time with it, all rising or all falling. If both instants are possible, or
neither, the time stays ambiguous.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

_NEAR = timedelta(days=1)
Readings = Sequence[datetime]  # of one row: one instant, or two in order


class Resolved(NamedTuple):
    """The index of a row, and its instant (None: ambiguous)."""

    at: int
    meant: datetime | None


def resolved_by_order(rows: Sequence[Readings]) -> Iterator[Resolved]:
    """Yield the instant of each row with two readings, given all rows of one symbol."""
    nights = list(_nights(readings for readings in rows if len(readings) > 1))
    starts = [first for first, _ in nights]
    near: list[list[int]] = [[] for _ in nights]
    for at, readings in enumerate(rows):
        night = bisect_right(starts, readings[0]) - 1
        if night >= 0 and readings[-1] <= nights[night][1]:
            near[night].append(at)
    for night_rows in near:
        meant = _meant([rows[at] for at in night_rows])
        pairs = zip(night_rows, meant, strict=True)
        yield from (Resolved(at, each) for at, each in pairs if len(rows[at]) > 1)


def _nights(twice: Iterable[Readings]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the bounds of the rows that decide about repeated times, night by night."""
    ordered = sorted(twice, key=itemgetter(0))
    for at, readings in enumerate(ordered):
        if at == 0 or readings[0] - ordered[at - 1][0] > 2 * _NEAR:
            first = readings[0]
        if at + 1 == len(ordered) or ordered[at + 1][0] - readings[0] > 2 * _NEAR:
            yield first - _NEAR, readings[-1] + _NEAR


def _meant(rows: Sequence[Readings]) -> list[datetime | None]:
    """Return the only instant of each row with which all rows are in order, else None."""
    orders = [*_rising(rows), *(found[::-1] for found in _rising(rows[::-1]))]
    possible = [set(each) for each in zip(*orders, strict=True)] or [set[datetime]()] * len(rows)
    return [each.pop() if len(each) == 1 else None for each in possible]


def _rising(rows: Sequence[Readings]) -> list[list[datetime]]:
    """Return the earliest and the latest instants with which all rows rise; `[]` if they cannot.

    Every other choice is between them, so a row has only one if the two are equal.
    """
    earliest, latest = list[datetime](), list[datetime]()
    for readings in rows:
        later = [each for each in readings if not earliest or each > earliest[-1]]
        if not later:
            return []
        earliest.append(later[0])
    for readings in reversed(rows):
        latest.append([each for each in readings if not latest or each < latest[-1]][-1])
    return [earliest, latest[::-1]]
