"""Times as text: ISO dates and times, with or without an offset.

A date without a time is a day, the same in every time zone: its midnight in UTC. A time without an
offset is local to a zone.

The whole text must match. A number of eight digits is a day, `20260105`. Other numbers are refused:
`2026010514` may be an hour or seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

import click

from storecore.errors import InvalidData
from storecore.values.suggestions import did_you_mean
from storecore.values.times import instant, time_range, to_datetime

_DATE = r"\d{4}(?:-\d\d-\d\d|\d{4}|-W\d\d-\d)"
_HOUR = r"(?:[01]\d|2[0-3])"  # not 24:00, which only newer versions of Python accept
_TIME = rf"{_HOUR}(?::\d\d(?::\d\d(?:[.,]\d+)?)?|\d\d(?:\d\d(?:[.,]\d+)?)?)?"
_OFFSET = r"Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?"
_FORM = re.compile(rf"{_DATE}(?:([Tt ]){_TIME}(?:{_OFFSET})?)?", re.ASCII)
_DIGITS = re.compile(r"\d{9,20}", re.ASCII)
# datetime.fromisoformat silently drops digits below a microsecond.
_FINER = re.compile(r"[.,]\d{6}\d*[1-9]")
_EPOCH = datetime(1970, 1, 1)
_CALENDAR = {10: "YYYYMMDDHH", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}
_UNITS = (  # (name, digits of a time before the year 5138, number per second)
    ("seconds", 11, 1),
    ("milliseconds", 14, 10**3),
    ("microseconds", 17, 10**6),
    ("nanoseconds", 20, 10**9),
)


def time_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> date | None:
    """Return the date, or the naive time in UTC, of an option's ISO text; a `callback` of click."""
    try:
        return None if value is None else _utc(parse_time(value, "time"))
    except InvalidData as error:
        raise click.BadParameter(str(error).removeprefix("time=")) from None


def moment_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Return the naive time in UTC of an option's ISO text, which must not be a date alone."""
    found = time_option(context, parameter, value)
    if found is None or isinstance(found, datetime):
        return found
    raise click.BadParameter(
        f"{value!r}: a date is not one moment; give a time too, as in {value}T21:00"
    )


def check_order(start: date | None, end: date | None) -> None:
    """Raise an error that names both options if `--start` is after `--end`."""
    try:
        time_range(start, end)
    except InvalidData:
        raise click.UsageError(
            f"--start {start} is after --end {end}: give the earlier one first",
            click.get_current_context(),
        ) from None


def parse_time(text: str, what: str) -> date:
    """Return the `date` or `datetime` of an ISO text. Raises `InvalidData` naming `what`."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise InvalidData(f"{what}={text!r}: {_expected(text)}")
    if _FINER.search(text):
        raise InvalidData(f"{what}={text!r}: finer than a microsecond; a store does not round")
    try:
        return datetime.fromisoformat(text) if form[1] else date.fromisoformat(text)
    except ValueError:
        raise InvalidData(f"{what}={text!r}: {_expected(text)}") from None


def _utc(moment: date) -> date:
    """Return a time as a naive one in UTC, a date as it is."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise InvalidData(
            f"time={moment.isoformat()!r}: expected a time in the years 1 to 9999 in UTC"
        ) from None


def to_utc(moment: datetime, zone: tzinfo, what: str) -> list[datetime]:
    """Return the naive UTC datetimes that a local time may mean: one, or two in order.

    It has two meanings if the clocks went back and it occurred twice. Raises `InvalidData` if the
    clocks skipped it.
    """
    local = moment.replace(tzinfo=zone)
    first = cast(timedelta, local.utcoffset())
    second = cast(timedelta, local.replace(fold=1).utcoffset())
    if first == second:
        with suppress(OverflowError):
            return [moment - first]
        return [to_datetime(instant(local, what), aware=False)]  # raises InvalidData
    if first < second:
        raise InvalidData(f"{what}={str(moment)!r}: the clocks of {zone} skipped that time")
    return [moment - first, moment - second]


def find_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name. Raises `click.BadParameter` with the nearest names."""
    if name.upper() == "UTC":  # needs no time zone database
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones(), most=3)
        raise click.BadParameter(
            f"no time zone {name!r}{hint}; expected an IANA name such as America/New_York"
        ) from None


def with_offset(moment: datetime, zone: tzinfo) -> str:
    """Return a time in UTC as local text with its offset."""
    return moment.replace(tzinfo=UTC).astimezone(zone).isoformat()


def local_text(moment: datetime, zone: tzinfo) -> str:
    """Return a time in UTC as local text without its offset."""
    return str(moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None))


def _expected(text: str) -> str:
    """Return the expectation of an error message, with the possible readings of a number."""
    readings = list(_readings(text)) if _DIGITS.fullmatch(text) else []
    if not readings:
        return "expected an ISO date or time such as 2026-01-05 or 2026-01-05T14:30:00+01:00"
    meant = " or ".join(f"{moment.isoformat()} ({how})" for how, moment in readings)
    return f"a number may mean {meant}: write it as an ISO time"


def _readings(digits: str) -> Iterator[tuple[str, datetime]]:
    """Yield the possible readings of a number: a description and the time."""
    length = len(digits)
    if length in _CALENDAR:
        with suppress(ValueError):
            moment = datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
            yield f"as {_CALENDAR[length]}", moment
    unit, _, a_second = next(each for each in _UNITS if length <= each[1])
    yield f"{unit} since 1970", _EPOCH + timedelta(microseconds=int(digits) * 10**6 // a_second)
