"""When a bar has ended: its date and the length of its timeframe.

`1s` to `1d` and weeks have a fixed length, whatever the date: a bar of `1d` lasts 24 hours, also if
a clock is set back meanwhile. A month or a year ends at the same day and time of a later month. If
that month has no such day, it ends with that month, so a later date never ends earlier.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from storecore.errors import InvalidData, shown
from storecore.values.names import check_name
from storecore.values.timeframes import DAY, timeframe_of
from storecore.values.times import EARLIEST, LATEST, exact_instant, to_datetime

_MICROSECOND = timedelta(microseconds=1)
_MONTHS = {"mo": 1, "y": 12}
_LONGEST_MONTH = 31 * DAY


class _Length(NamedTuple):
    """The length of a bar: whole months, or microseconds."""

    micros: int
    months: int


def checked_lengths(lengths: Mapping[str, timedelta]) -> dict[str, int]:
    """Return lengths that a user gives, by timeframe, in microseconds. Raises `InvalidData`."""
    if not isinstance(lengths, Mapping):
        raise InvalidData(
            f"lengths={shown(lengths)}: expected a mapping of timeframes to lengths, such as "
            '{"session": timedelta(hours=23)}'
        )
    return {check_name(name, "lengths"): _micros(name, each) for name, each in lengths.items()}


def last_ended(timeframe: str, at: int, lengths: Mapping[str, int]) -> int:
    """Return the last date of a bar that had ended by the instant `at`.

    It may be before the first instant that a store keeps. Raises `InvalidData` if neither the name
    of the timeframe nor `lengths` gives a length.
    """
    given = lengths.get(timeframe)
    if given is not None:
        return at - given
    length = _length_of(timeframe)
    if length is None:
        raise InvalidData(
            f"timeframe {shown(timeframe)}: its name gives no length, so it is not known when its "
            f"bars end; give one, as in at(t, lengths={{{shown(timeframe)}: timedelta(hours=23)}})"
        )
    return _months_before(at, length.months) if length.months else at - length.micros


def begun_by(timeframe: str, at: int, lengths: Mapping[str, int]) -> int:
    """Return the last date of a bar that may have begun by the instant `at`.

    That is a length later than `at`, for bars that are dated at their end.
    """
    given = lengths.get(timeframe)
    length = _length_of(timeframe)
    if given is None and length is not None:
        given = max(length.micros, length.months * _LONGEST_MONTH)
    return min(at + (given or 0), LATEST)


@lru_cache(maxsize=1024)
def _length_of(timeframe: str) -> _Length | None:
    found = timeframe_of(timeframe)
    if found is None:
        return None
    return _Length(found.micros, found.number * _MONTHS.get(found.unit, 0))


def _months_before(at: int, months: int) -> int:
    """Return the last instant after which `months` have passed at `at`."""
    moment = to_datetime(at, aware=False)
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    if year < 1:
        return EARLIEST - 1
    days = monthrange(year, month + 1)[1]
    if moment.day <= days:
        return exact_instant(moment.replace(year=year, month=month + 1), "at")
    midnight = datetime(year, month + 1, days) + timedelta(days=1)
    return exact_instant(midnight, "at") - 1


def _micros(timeframe: str, length: Any) -> int:
    if not isinstance(length, timedelta) or length < timedelta(0):
        raise InvalidData(
            f"lengths[{shown(timeframe)}]={shown(length)}: expected a timedelta of 0 or more; 0 is "
            "for bars that are dated at their end"
        )
    return length // _MICROSECOND
