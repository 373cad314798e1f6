"""How many bars a part holds: where new bars go, when a part is split, when parts are merged.

A part is best at some 100,000 bars: few files to open, and none too large to replace. The last part
of a series, to which bars are appended, is best small, since an append replaces it. So a bulk
write makes full parts; an append to one splits its last month (or day, or hour) off; and once bars
go on in the next month, those before it are merged into their neighbours, as in a log-structured
merge tree (O'Neil and others, 1996): cheaply while a part is small, then only beside a part that is
not much larger, so that each bar is rewritten a few times in all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from storecore_file.bars.layout import UNITS, Part, ceiling, floor, part_of

PART_ROWS = 100_000
OPEN_ROWS = 2_000  # more than that, and the last part is split before it grows
PART_BYTES = 3 * 2**20
BAR_BYTES = 24  # of a usual bar on the disk
SMALL_BYTES = 2**19  # merged without asking: a few milliseconds, once a month
RATIO = 8


class Tile(NamedTuple):
    """A part to be, and the rows (start, stop) that go into it."""

    part: Part
    start: int
    stop: int


def tiles(dates: Sequence[int], low: int, high: int) -> list[Tile]:
    """Return parts within `low` and `high` (the ends of other parts) for bars of these dates."""
    found: list[Tile] = []
    at = 0
    while at < len(dates):
        found.append(next(_tiles_at(dates, at, low, high)))
        at, low = found[-1].stop, found[-1].part.last + 1
    return found


def _tiles_at(dates: Sequence[int], at: int, low: int, high: int) -> Iterator[Tile]:
    """Yield what the next tile may be: of whole months, else of whole days, else of hours.

    None is where one month (or day) has too many bars for a part, or is not all free.
    """
    over = at + PART_ROWS
    for unit in UNITS:
        stop = bisect_left(dates, floor(dates[over], unit)) if over < len(dates) else len(dates)
        if unit == UNITS[-1]:  # an hour is not cut, whatever it holds
            stop = max(stop, bisect_right(dates, ceiling(dates[at], unit), at))
        first = floor(dates[at], unit)
        if first >= low and stop > at:
            free = high if stop == len(dates) else floor(dates[stop], unit) - 1
            ends = (ceiling(dates[stop - 1], end) for end in UNITS)
            yield Tile(part_of(first, next(end for end in ends if end <= free)), at, stop)


def split_last(dates: Sequence[int], part: Part, since: int) -> list[Tile]:
    """Return a part as a closed one and its last month, day or hour; `[]` where it stays whole.

    It stays whole while it is small, and where bars were written (from instant `since` on) before
    that last cell: then it was not an append.
    """
    if len(dates) <= OPEN_ROWS:
        return []
    for unit in UNITS:
        first = floor(dates[-1], unit)
        start = bisect_left(dates, first)
        if start == 0 or (len(dates) - start > OPEN_ROWS and unit != UNITS[-1]):
            continue
        if since < first:
            return []
        closed = Tile(part_of(part.first, first - 1), 0, start)
        return [closed, Tile(part_of(first, ceiling(first, unit)), start, len(dates))]
    return []


def mergeable(sizes: Sequence[int], patient: bool = True) -> slice | None:
    """Return which neighbours to merge next, given the bytes of each part; None where all is well.

    `patient` waits until a merge is cheap beside what it has gained.
    """
    for stop in range(len(sizes), 1, -1):
        start, total = stop - 1, sizes[stop - 1]
        while start > 0 and _worth(sizes[start - 1], total, patient):
            start -= 1
            total += sizes[start]
        if start < stop - 1:
            return slice(start, stop)
    return None


def _worth(one: int, other: int, patient: bool) -> bool:
    if one + other > PART_BYTES:
        return False
    small = one + other <= SMALL_BYTES
    return small or not patient or max(one, other) <= RATIO * min(one, other)
