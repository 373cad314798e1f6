"""Times as people write them: ISO dates and times, with or without an offset.

A date without a time is a day, the same in every time zone: it stands for its midnight in UTC. A
time without an offset is local to a zone; where the clocks go back, the first of two is meant.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import click

from storecore.cli.wording import did_you_mean
from storecore.errors import InvalidData
from storecore.instants import instant, to_datetime

_LONGEST_DATE = len("2026-W01-1")
# datetime.fromisoformat drops what is finer than a microsecond without a word.
_FINER = re.compile(r"[.,]\d{6}\d*[1-9]")


def time_option(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> date | None:
    """Return what an option's ISO text says, for click's `callback`."""
    try:
        return None if value is None else parse_time(value, "time")
    except InvalidData as error:
        raise click.BadParameter(str(error)) from None


def parse_time(text: str, what: str) -> date:
    """Return the `date` or `datetime` that an ISO text says. Raises `InvalidData` naming `what`."""
    if _FINER.search(text):
        raise InvalidData(f"{what}={text!r}: finer than a microsecond; a store rounds nothing")
    try:
        if len(text) <= _LONGEST_DATE:
            return date.fromisoformat(text)
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidData(
            f"{what}={text!r}: expected an ISO date or time, "
            "as 2026-01-05 or 2026-01-05T14:30:00+01:00"
        ) from None


def to_utc(moment: date, zone: tzinfo, what: str) -> datetime:
    """Return a time as a naive datetime in UTC; one without an offset is local to `zone`.

    Raises `InvalidData` for a local time that the clocks skipped.
    """
    if isinstance(moment, datetime) and moment.tzinfo is None and zone is not UTC:
        moment = _in_zone(moment, zone, what)
    return to_datetime(instant(moment, what), aware=False)


def find_zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name. Raises `click.BadParameter` with the nearest names."""
    if name.upper() == "UTC":  # needs no time zone database
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones())
        raise click.BadParameter(
            f"no time zone {name!r}{hint}; expected an IANA name, as America/New_York"
        ) from None


def _in_zone(moment: datetime, zone: tzinfo, what: str) -> datetime:
    local = moment.replace(tzinfo=zone)
    try:
        shown = local.astimezone(UTC).astimezone(zone)
    except OverflowError:  # outside the years 1 to 9999: the law of instants says so
        return local
    if shown.replace(tzinfo=None) != moment:
        raise InvalidData(f"{what}={str(moment)!r}: the clocks of {zone} skipped that time")
    return local
