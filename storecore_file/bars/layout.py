"""The layout of a series: which files hold its bars, by name, and how many bars each holds.

    2026-01.parquet                      a month (UTC)
    2006-01--2025-12.parquet             several whole months
    2026-01-05.parquet                   a day, if a month has too many bars
    2026-01-05T14.parquet                an hour, if a day has too many bars
    2026-01-01--2026-01-04.parquet       several days
    further.columns                      empty: bars of the series have further columns

The name of a partition is its range of time. Partitions of a series overlap only while a writer
replaces some by others, after it was killed in between, and after files of another state of the
store were copied over it. Then their metadata decides which count: see `overlaps.py`.

A partition is best at some 100,000 bars: few files to open, and none too large to replace. The last
partition of a series, to which bars are appended, is best small, since an append replaces it. So a
bulk write makes full partitions; an append to a full one splits off its last month (or day, or
hour). Once bars go on in the next month, earlier partitions are merged into their neighbours, as in
a log-structured merge tree (O'Neil and others, 1996): cheaply while a partition is small, then only
beside one that is not much larger, so that each bar is rewritten a few times in all.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from storecore.values.times import exact_instant, to_datetime
from storecore_file.rename_intent import MARK as RENAMING

_STAMP = r"\d{4}-\d\d(?:-\d\d(?:T\d\d)?)?"
_NAME = re.compile(rf"({_STAMP})(?:--({_STAMP}))?\.parquet")
_PARTS = re.compile("[-T]")
_FIRST = (1, 1, 1, 0)  # year, month, day, hour: those that a stamp leaves out
_LENGTHS = (7, 10, 13)  # of a stamp, by its unit
UNITS = ("month", "day", "hour")
PARTITION_ROWS = 100_000
OPEN_ROWS = 2_000  # more than that, and the last partition is split before it grows
OPEN_END_ROWS = 16_384  # of what a bulk write leaves as the last partition
PARTITION_BYTES = 3 * 2**20
MARK = "further.columns"  # an empty file: partitions of the series have further columns
BAR_BYTES = 24  # of a usual bar on the disk
SMALL_BYTES = 2**19  # merged without asking: a few milliseconds, once a month
RATIO = 8


class Partition(NamedTuple):
    """A file of a series by name: the first and last instant of its range, and its name."""

    first: int
    last: int
    name: str

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether its range has an instant of another one in common."""
        return self.first <= last and first <= self.last


class Layout(NamedTuple):
    """The partitions of a series in order of time, and whether any two overlap.

    `marked`: whether some may have further columns, so that a question about others has to look.
    `renaming`: whether a rename of the symbol says whether they count.
    """

    partitions: list[Partition]
    overlap: bool
    marked: bool = False
    renaming: bool = False


def partition_of(first: int, last: int) -> Partition:
    """Return the partition of a range that begins and ends with a month, day or hour (UTC)."""
    for unit, length in zip(UNITS, _LENGTHS, strict=True):
        if floor(first, unit) == first and ceiling(last, unit) == last:
            low, high = _stamp(first, length), _stamp(last, length)
            return Partition(first, last, f"{low if low == high else f'{low}--{high}'}.parquet")
    raise ValueError(f"no whole hours: {first} to {last}")


@lru_cache(maxsize=4_096)
def parsed(name: str) -> Partition | None:
    """Return the partition of a file name, None if it is not the name of one."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        first, _ = _range(match[1])
        _, last = _range(match[2] or match[1])
    except ValueError:  # a thirteenth month, say
        return None
    # One range has one name: no other name for it is ours.
    return (
        Partition(first, last, name)
        if first <= last and partition_of(first, last)[2] == name
        else None
    )


def layout_of(names: Iterable[str]) -> Layout:
    """Return the layout of a series' folder."""
    return _layout_of(tuple(names))


@lru_cache(maxsize=256)  # an append to a long series changes no name
def _layout_of(names: tuple[str, ...]) -> Layout:
    found = [partition for partition in map(parsed, names) if partition is not None]
    partitions = sorted(
        found, key=lambda partition: (partition.first, -partition.last, partition.name)
    )
    return Layout(partitions, overlapping(partitions), MARK in names, RENAMING in names)


def overlapping(partitions: Iterable[Partition]) -> bool:
    """Return whether any two of some partitions, in order of time, overlap."""
    return any(one.last >= other.first for one, other in pairwise(partitions))


def floor(instant: int, unit: str) -> int:
    """Return the first instant of the month, day or hour in which an instant lies."""
    moment = to_datetime(instant, aware=False)
    day = 1 if unit == "month" else moment.day
    hour = moment.hour if unit == "hour" else 0
    return exact_instant(datetime(moment.year, moment.month, day, hour), "date")


def ceiling(instant: int, unit: str) -> int:
    """Return the last instant of the month, day or hour in which an instant lies."""
    moment = to_datetime(floor(instant, unit), aware=False)
    days = monthrange(moment.year, moment.month)[1] if unit == "month" else 1
    length = timedelta(hours=1) if unit == "hour" else timedelta(days=days)
    return exact_instant(moment, "date") + length // timedelta(microseconds=1) - 1


def _range(stamp: str) -> tuple[int, int]:
    unit = UNITS[_LENGTHS.index(len(stamp))]
    parts = [int(part) for part in _PARTS.split(stamp)]  # `strptime` compiles its formats first
    year, month, day, hour = (*parts, *_FIRST[len(parts) :])
    first = exact_instant(datetime(year, month, day, hour), "date")
    return first, ceiling(first, unit)


def _stamp(instant: int, length: int) -> str:
    return to_datetime(instant, aware=False).isoformat()[:length]


class NewPartition(NamedTuple):
    """A partition to be written, and the rows (start, stop) of a batch that go into it."""

    partition: Partition
    start: int
    stop: int


def new_partitions(
    dates: Sequence[int], low: int, high: int, percent: int = 100
) -> list[NewPartition]:
    """Return partitions within `low` and `high` (the ends of others) for bars of these dates.

    Each has at most `PARTITION_ROWS` bars, or a part of that, in percent.
    """
    most = PARTITION_ROWS * percent // 100
    found: list[NewPartition] = []
    at = 0
    while at < len(dates):
        found.append(next(_candidates(dates, at, low, high, most)))
        at, low = found[-1].stop, found[-1].partition.last + 1
    return found


def _candidates(
    dates: Sequence[int], at: int, low: int, high: int, most: int
) -> Iterator[NewPartition]:
    """Yield what the next partition may be: of whole months, of whole days, or of hours.

    Some may be missing: one month (or day) may have too many bars, or lie partly in others.
    """
    over = at + most
    for unit in UNITS:
        stop = bisect_left(dates, floor(dates[over], unit)) if over < len(dates) else len(dates)
        if unit == UNITS[-1]:  # an hour is not cut, whatever it holds
            stop = max(stop, bisect_right(dates, ceiling(dates[at], unit), at))
        first = floor(dates[at], unit)
        if first >= low and stop > at:
            free = high if stop == len(dates) else floor(dates[stop], unit) - 1
            ends = (ceiling(dates[stop - 1], end) for end in UNITS)
            yield NewPartition(
                partition_of(first, next(end for end in ends if end <= free)), at, stop
            )


def is_too_long(rows: int) -> bool:
    """Return whether a partition has so many bars that it is best cut."""
    return rows > 2 * PARTITION_ROWS


def covering(cut: Sequence[NewPartition], whole: Partition) -> list[NewPartition]:
    """Return partitions that a longer one is cut into, so that they cover all of its range."""
    starts = [whole.first, *(each.partition.first for each in cut[1:])]
    lasts = [*(start - 1 for start in starts[1:]), whole.last]
    return [
        each._replace(partition=partition_of(first, last))
        for each, first, last in zip(cut, starts, lasts, strict=True)
    ]


def with_open_end(cut: Sequence[NewPartition], dates: Sequence[int]) -> list[NewPartition]:
    """Return new partitions at the end of a series, with the last month, day or hour apart.

    Else the first append or correction would replace a large partition to add a few bars.
    """
    *before, (whole, at, stop) = cut
    for unit in UNITS if stop - at > OPEN_END_ROWS else ():
        first = floor(dates[stop - 1], unit)
        start = bisect_left(dates, first, at)
        if start > at and stop - start <= OPEN_END_ROWS:
            closed = NewPartition(partition_of(whole.first, first - 1), at, start)
            return [*before, closed, NewPartition(partition_of(first, whole.last), start, stop)]
    return list(cut)


def split_last(dates: Sequence[int], partition: Partition, since: int) -> list[NewPartition]:
    """Return a partition as a closed one and its last month, day or hour; `[]` if it stays whole.

    It stays whole while it is small, and if bars were written (from instant `since` on) before that
    last month, day or hour: then it was not an append.
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
        closed = NewPartition(partition_of(partition.first, first - 1), 0, start)
        return [closed, NewPartition(partition_of(first, ceiling(first, unit)), start, len(dates))]
    return []


def mergeable(sizes: Sequence[int], patient: bool = True) -> slice | None:
    """Return which neighbours to merge next, given the bytes of each partition; None if none.

    `patient` waits until a merge is cheap beside what it gains.
    """
    for stop in range(len(sizes), 1, -1):
        start, total = stop - 1, sizes[stop - 1]
        while start > 0 and _worth(sizes[start - 1], total, patient):
            start -= 1
            total += sizes[start]
        if start < stop - 1:
            return slice(start, stop)
    return None


def may_merge(sizes: Sequence[int]) -> list[bool]:
    """Return which partitions `mergeable` may merge, given at most the bytes of each."""
    pairs = [one + other <= PARTITION_BYTES for one, other in pairwise(sizes)]
    return [any(pairs[max(0, number - 1) : number + 1]) for number in range(len(sizes))]


def _worth(one: int, other: int, patient: bool) -> bool:
    if one + other > PARTITION_BYTES:
        return False
    small = one + other <= SMALL_BYTES
    return small or not patient or max(one, other) <= RATIO * min(one, other)
