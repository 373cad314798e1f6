"""The names of a series' files: each tells the range of time whose bars lie in it.

    2026-01.parquet                      a month (UTC)
    2006-01--2025-12.parquet             several whole months
    2026-01-05.parquet                   a day, where a month has too many bars
    2026-01-05T14.parquet                an hour, where a day has
    2026-01-01--2026-01-04.parquet       several days

Parts of a series do not overlap, but while one writer replaces some by others, when it was killed
meanwhile, and when files of another state of the store were copied over it. Then what the parts say
of themselves decides which counts: `storecore_file/overlaps.py`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from storecore.values.times import exact_instant, to_datetime

_STAMP = r"\d{4}-\d\d(?:-\d\d(?:T\d\d)?)?"
_NAME = re.compile(rf"({_STAMP})(?:--({_STAMP}))?\.parquet")
_FORMATS = {7: "%Y-%m", 10: "%Y-%m-%d", 13: "%Y-%m-%dT%H"}
UNITS = ("month", "day", "hour")


class Part(NamedTuple):
    """A file of a series: the first and last instant of its range, and its name."""

    first: int
    last: int
    name: str


class Layout(NamedTuple):
    """The files of a series: all its parts in order of time, and whether any two overlap."""

    parts: list[Part]
    overlap: bool


def part_of(first: int, last: int) -> Part:
    """Return the part of a range that begins and ends with a month, day or hour (UTC)."""
    for unit, length in zip(UNITS, _FORMATS, strict=True):
        if floor(first, unit) == first and ceiling(last, unit) == last:
            low, high = _stamp(first, length), _stamp(last, length)
            return Part(first, last, f"{low if low == high else f'{low}--{high}'}.parquet")
    raise ValueError(f"no whole hours: {first} to {last}")


@lru_cache(maxsize=4_096)
def parsed(name: str) -> Part | None:
    """Return the part that a file name stands for, or None where it is no part's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        first, _ = _range(match[1])
        _, last = _range(match[2] or match[1])
    except ValueError:  # a thirteenth month, say
        return None
    # One range has one name: whatever else says the same is not ours.
    return Part(first, last, name) if first <= last and part_of(first, last)[2] == name else None


def layout_of(names: Iterable[str]) -> Layout:
    """Return the layout of a series' folder."""
    return _layout_of(tuple(names))


@lru_cache(maxsize=256)  # an append to a long series changes no name
def _layout_of(names: tuple[str, ...]) -> Layout:
    found = [part for part in map(parsed, names) if part is not None]
    parts = sorted(found, key=lambda part: (part.first, -part.last, part.name))
    return Layout(parts, overlapping(parts))


def overlapping(parts: Iterable[Part]) -> bool:
    """Tell whether any two of some parts in order of time overlap."""
    return any(one.last >= other.first for one, other in pairwise(parts))


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
    unit = UNITS[list(_FORMATS).index(len(stamp))]
    moment = datetime.strptime(stamp, _FORMATS[len(stamp)])
    first = exact_instant(moment, "date")
    return first, ceiling(first, unit)


def _stamp(instant: int, length: int) -> str:
    return to_datetime(instant, aware=False).isoformat()[:length]
