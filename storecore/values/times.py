"""The time laws: the times that a user may give, and the microsecond that each stands for.

Inside a store an instant is an `int`: microseconds since 1970-01-01 in UTC. It is exact for all
years of `datetime`, compares and sorts as a number, and is the representation of Parquet.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, cast

from storecore.errors import InvalidData, shown

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_FINER = re.compile(r"\[\d*(ns|ps|fs|as)\]")  # numpy's units below a microsecond

EARLIEST = (datetime.min - _EPOCH) // _MICROSECOND
LATEST = (datetime.max - _EPOCH) // _MICROSECOND


class TimeRange(NamedTuple):
    """The instants from `first` to `last`, both included; `aware`: results have aware times.

    `newest` limits the answer to that many records, the last ones (None: all). A collection may
    ignore it and return more. A range between two bounds within one microsecond contains no
    instant: its `first` is after its `last`.
    """

    first: int
    last: int
    aware: bool
    newest: int | None = None


EVER = TimeRange(EARLIEST, LATEST, aware=True)
"""All instants."""


def time_range(start: date, end: date) -> TimeRange:
    """Return the range between two bounds, both included (laws T2 and T3).

    Two dates give a naive range; a date beside a datetime takes the kind of the datetime. Raises
    `InvalidData` for one naive and one aware bound, and for a value that is not a time.
    """
    start, end = _native(start, "start"), _native(end, "end")
    kinds = {_is_aware(bound) for bound in (start, end) if isinstance(bound, datetime)}
    if len(kinds) > 1:
        raise InvalidData(
            f"start={start!r} and end={end!r}: one is naive and one is aware of its time zone; "
            "give both without tzinfo (taken as UTC) or both with it"
        )
    return TimeRange(_micros(start, "start"), _end_micros(end), kinds == {True})


def instant(value: date, what: str) -> int:
    """Return the instant of a datetime, or of the midnight of a date.

    `what` names the value in an error. pandas Timestamps and numpy datetime64 are accepted if they
    are whole microseconds. Raises `InvalidData`.
    """
    return _micros(_native(value, what), what)


def exact_datetime(value: datetime, what: str) -> datetime:
    """Return a value as a plain `datetime` with its time zone. Raises `InvalidData` for a date.

    Law T3: a date would stand for a whole day, not for one moment.
    """
    native = _native(value, what)
    if not isinstance(native, datetime):
        raise InvalidData(
            f"{what}={shown(native)}: expected a datetime, got a date, which is not one moment; "
            "give datetime(year, month, day, hour, minute)"
        )
    return native


def exact_instant(value: datetime, what: str) -> int:
    """Return the instant of a datetime. Raises `InvalidData` for a date."""
    return _micros(exact_datetime(value, what), what)


def instants(values: list[Any], what: str) -> list[int]:
    """Return the instants of many values; `{}` in `what`, which names a value, is its row."""
    if set(map(type, values)) <= {datetime} and all(value.tzinfo is None for value in values):
        return [(value - _EPOCH) // _MICROSECOND for value in values]
    return [instant(value, what.format(row)) for row, value in enumerate(values)]


def to_datetime(micros: int, aware: bool) -> datetime:
    """Return an instant as a datetime in UTC, naive or aware."""
    return (_EPOCH_UTC if aware else _EPOCH) + timedelta(microseconds=micros)


def _native(value: Any, what: str) -> date:
    """Return a value as a plain date or datetime. Raises `InvalidData` if that would change it."""
    if type(value) in (datetime, date):
        return cast(date, value)
    if (type(value).__module__, type(value).__name__) == ("numpy", "datetime64"):
        value = _from_numpy(value, what)
    if not isinstance(value, date) or value != value:  # NaT does not equal itself
        raise InvalidData(
            f"{what}={shown(value)}: expected a datetime or date, got {type(value).__name__}"
        )
    if getattr(value, "nanosecond", 0):
        raise _not_kept(value, what)
    to_pydatetime = getattr(value, "to_pydatetime", None)
    try:
        return value if to_pydatetime is None else cast(datetime, to_pydatetime())
    except ValueError:  # pandas has years that Python does not have
        raise _not_kept(value, what) from None


def _from_numpy(value: Any, what: str) -> Any:
    """Return a datetime64 as date or datetime, NaT unchanged."""
    if value != value:
        return value
    coarse = value.item()  # an int if Python has no such moment
    if isinstance(coarse, date):
        return coarse
    micros = value.astype("datetime64[us]") if _FINER.search(value.dtype.str) else value
    exact = micros.item()
    if micros.astype(value.dtype) != value or not isinstance(exact, datetime):
        raise _not_kept(value, what)
    return exact


def _not_kept(value: Any, what: str) -> InvalidData:
    return InvalidData(
        f"{what}={shown(value)}: a store keeps whole microseconds of the years 1 to 9999 and "
        "does not round; floor a finer time before writing it"
    )


def _is_aware(value: datetime) -> bool:
    return value.utcoffset() is not None


def _micros(value: date, what: str) -> int:
    if not isinstance(value, datetime):
        return (value - _EPOCH.date()).days * _DAY
    if not _is_aware(value):
        return (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    micros = (value - _EPOCH_UTC) // _MICROSECOND
    if not EARLIEST <= micros <= LATEST:
        raise InvalidData(
            f"{what}={shown(value)}: outside the years 1 to 9999 when converted to UTC"
        )
    return micros


def _end_micros(value: date) -> int:
    whole_day = 0 if isinstance(value, datetime) else _DAY - 1
    return _micros(value, "end") + whole_day
