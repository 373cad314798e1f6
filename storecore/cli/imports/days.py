"""The text of one date: its day, its time of the day and its zone, as vendors write them.

    2026-01-05  2026/1/5  20260105  05.01.2026  5-Jan-26  Jan 05, 2026  01/05/2026 (by its order)
    09:30  9:30:00.5  093000  4:00 PM  09:30+01:00  09:30 US/Eastern

A day of three numbers that is not written in ISO order needs an order, "dmy" or "mdy", unless it is
written with points, as days are in Europe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

SECOND = 10**6
DAY = 86_400 * SECOND
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_POINTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_ORDERED = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})", re.ASCII)
_SHORT = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d\d)", re.ASCII)
_DAY_MONTH = re.compile(r"(\d{1,2})[- /]([A-Za-z]{3})[a-z]*[-, /]+(\d{4}|\d\d)", re.ASCII)
_MONTH_DAY = re.compile(r"([A-Za-z]{3})[a-z]*\.?[- ](\d{1,2}),?[- ](\d{4}|\d\d)", re.ASCII)
_CLOCK = re.compile(
    r"(\d{1,2})(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s?([AaPp])?(?(5)[Mm])\s*"
    r"(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?|(?:UTC|GMT)[+-]\d\d?(?::?\d\d)?"
    r"|[A-Za-z]+/[A-Za-z_/]+|[A-Z]{3,4})?",
    re.ASCII,
)
_COMPACT = re.compile(r"(\d\d?)(\d\d)(\d\d)?(?:\.(\d+))?", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?(\d\d))?", re.ASCII)
_ZONES = {"EST": "America/New_York", "EDT": "America/New_York", "ET": "America/New_York"}
ORDERS = ("dmy", "mdy")


class Clock(NamedTuple):
    """A time of the day in microseconds, and the zone that is written with it."""

    micros: int
    zone: tzinfo | None = None


class Unreadable(ValueError):
    """A text that is no day or no time of the day."""


def day_of(text: str, order: str | None = None) -> date:
    """Return the day of a text. Raises `Unreadable`."""
    try:
        return _day(text, order)
    except ValueError:
        raise Unreadable(text) from None


def _day(text: str, order: str | None) -> date:
    if found := _ISO.fullmatch(text):
        return date(int(found[1]), int(found[3]), int(found[4]))
    if found := _DIGITS.fullmatch(text):
        return date(*map(int, found.groups()))
    if found := _POINTS.fullmatch(text):
        day, month, year = map(int, found.groups())
        return date(year, *((month, day) if order != "mdy" else (day, month)))
    if order is not None and (found := _ORDERED.fullmatch(text) or _SHORT.fullmatch(text)):
        first, second, year = int(found[1]), int(found[3]), _year(found[4])
        return date(year, *((second, first) if order == "dmy" else (first, second)))
    if found := _DAY_MONTH.fullmatch(text):
        return date(_year(found[3]), _month(found[2]), int(found[1]))
    if found := _MONTH_DAY.fullmatch(text):
        return date(_year(found[3]), _month(found[1]), int(found[2]))
    raise Unreadable(text)


def _month(name: str) -> int:
    return _MONTHS.index(name.lower()) + 1  # raises ValueError


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year < 70 else 1900)


def orders_of(texts: Iterable[str], *, short: bool = False) -> list[str] | None:
    """Return the orders in which days like 01/05/2026 can be read, None if no text is one.

    With `short`, days like 01/05/26.
    """
    found = [each for each in map((_SHORT if short else _ORDERED).fullmatch, texts) if each]
    if not found:
        return None
    firsts, seconds = [int(each[1]) for each in found], [int(each[3]) for each in found]
    return [
        order for order, months in zip(ORDERS, (seconds, firsts), strict=True) if max(months) <= 12
    ]


def clock_of(text: str) -> Clock:
    """Return the time of the day of a text. Raises `Unreadable`."""
    found = _CLOCK.fullmatch(text)
    if found is None or (found[2] is None and found[5] is None and len(found[1]) != 2):
        return Clock(_compact(text))
    hour = int(found[1])
    if found[5]:
        if not 1 <= hour <= 12:
            raise Unreadable(text)
        hour = hour % 12 + (12 if found[5] in "Pp" else 0)
    micros = _micros(hour, int(found[2] or 0), int(found[3] or 0), found[4] or "", text)
    return Clock(micros, _zone(found[6], text) if found[6] else None)


def _compact(text: str) -> int:
    """Return the micros of 930, 0930, 093000 and 000000."""
    found = _COMPACT.fullmatch(text)
    if found is None:
        raise Unreadable(text)
    return _micros(int(found[1]), int(found[2]), int(found[3] or 0), found[4] or "", text)


def _micros(hour: int, minute: int, second: int, fraction: str, text: str) -> int:
    if hour > 23 or minute > 59 or second > 59 or fraction[6:].strip("0"):
        raise Unreadable(text)
    below = int(fraction[:6].ljust(6, "0"))
    return ((hour * 60 + minute) * 60 + second) * SECOND + below


def _zone(text: str, whole: str) -> tzinfo:
    if text in ("Z", "UTC", "GMT"):
        return UTC
    if found := _OFFSET.fullmatch(text):
        hours, minutes = int(found[2]), int(found[3] or 0)
        if hours > 23 or minutes > 59:
            raise Unreadable(whole)
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(_ZONES.get(text, text))
    except (KeyError, ValueError, OSError):
        raise Unreadable(whole) from None
