"""The time laws: the times that a user may give, and the microsecond that each stands for.

Inside a store an instant is an `int`: microseconds since 1970-01-01 in UTC. It is exact for all
years of `datetime`, compares and sorts as a number, and is the representation of Parquet.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple, TypeAlias, cast

from storecore.errors import InvalidData, shown

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_FINER = re.compile(r"\[(\d*)(ns|ps|fs|as)\]")  # numpy's units below a microsecond
_ATTOSECONDS = {"ns": 10**9, "ps": 10**6, "fs": 10**3, "as": 1}
_FRACTION = re.compile(r"[.,]\d{6}(\d+)")  # of a second, in ISO text
_PLAIN = (datetime, date)
_ATTOSECONDS_OF_MICROSECOND = 10**12

Bound: TypeAlias = date | str | None
"""A bound of a range: a date or a datetime, one as ISO text, or None for an open end."""

EARLIEST = (datetime.min - _EPOCH) // _MICROSECOND
"""The first instant that a `datetime` can represent: midnight of 0001-01-01."""
LATEST = (datetime.max - _EPOCH) // _MICROSECOND
"""The last instant that a `datetime` can represent: the last microsecond of year 9999."""


class _Span(NamedTuple):
    first: int
    last: int
    aware: bool


class TimeRange(_Span):
    """The instants from `first` to `last`, both included; `aware`: results have aware times.

    `newest` limits the answer to that many records, the last ones (None: all). A collection may
    ignore it and return more. It is not among the items of the tuple, which older backends unpack.
    A range between two bounds within one microsecond contains no instant: its `first` is after its
    `last`.
    """

    newest: int | None = None

    def __new__(cls, first: int, last: int, aware: bool, newest: int | None = None) -> TimeRange:
        """Return a range."""
        span = super().__new__(cls, first, last, aware)
        if newest is not None:
            span.newest = newest
        return span

    def _replace(self, **changes: Any) -> TimeRange:
        """Return the range with some fields changed."""
        fields = {**self._asdict(), "newest": self.newest, **changes}
        return TimeRange(**fields)

    def until(self, last: int) -> TimeRange:
        """Return the range cut at an instant."""
        if last >= self.last:
            return self
        span = _new_range((self.first, last, self.aware))
        if self.newest is not None:
            span.newest = self.newest
        return span

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self.newest == getattr(other, "newest", None)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return super().__hash__()


_new_range = partial(tuple.__new__, TimeRange)  # without the call of a Python function
EVER = TimeRange(EARLIEST, LATEST, aware=True)
"""All instants."""


def time_range(start: Bound = None, end: Bound = None, last: int | None = None) -> TimeRange:
    """Return the range between two bounds, both included (laws T2 and T3).

    None is an open end. A bound may be a date, a datetime, a stamp of pandas or numpy or ISO text.
    A start that is finer than a microsecond is rounded up and an end down: no stored time is
    between. Two dates, or no bounds, give a naive range; a date beside a datetime takes the kind of
    the datetime. `last` is the number of records asked for, the newest of the range.

    Raises `InvalidData` for a start after the end, for one naive and one aware bound, and for a
    value that is not a time or not a number of records.
    """
    finer = finer_end = 0
    if type(start) not in _PLAIN:
        start, finer = _bound(start, "start")
    if type(end) not in _PLAIN:
        end, finer_end = _bound(end, "end")
    is_aware = _is_aware(start) if isinstance(start, datetime) else None
    other = _is_aware(end) if isinstance(end, datetime) else is_aware
    if is_aware is not other and is_aware is not None:
        raise InvalidData(
            f"start={start!r} and end={end!r}: one is naive and one is aware of its time zone; "
            "give both without tzinfo (taken as UTC) or both with it"
        )
    first = EARLIEST if start is None else _micros(cast(date, start), "start")
    until = LATEST if end is None else _end_micros(cast(date, end))
    if finer or first > until:
        if not isinstance(end, datetime):
            finer_end = _ATTOSECONDS_OF_MICROSECOND  # a whole day, or an open end
        if (first, finer) > (until, finer_end):
            raise InvalidData(
                f"start={shown(start)} is after end={shown(end)}: give the earlier one first"
            )
        first, until = _rounded_up(first, until)
    span = _new_range((first, until, bool(other)))
    if last is not None:
        span.newest = _positive(last, "last")
    return span


def bounded_range(start: Bound, end: Bound) -> TimeRange:
    """Return a range whose bounds are both given. Raises `InvalidData` for an open one."""
    for bound, what in ((start, "start"), (end, "end")):
        if bound is None:
            raise InvalidData(
                f"{what}=None: what is deleted needs both bounds; for all, give date.min and "
                "date.max"
            )
    return time_range(start, end)


def latest_instant(value: datetime | str, what: str) -> int:
    """Return the last instant that is not after a moment. Raises `InvalidData` for a date.

    A moment that is finer than a microsecond is rounded down, like the end of a range.
    """
    if type(value) is datetime:
        return _micros(value, what)
    return _micros(_moment(_bound(value, what)[0], what), what)


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
    return _moment(_native(value, what), what)


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


def _moment(native: date | None, what: str) -> datetime:
    if isinstance(native, datetime):
        return native
    found = "None" if native is None else "a date, which is not one moment"
    raise InvalidData(
        f"{what}={shown(native)}: expected a datetime, got {found}; give datetime(year, month, "
        "day, hour, minute)"
    )


def _bound(value: Any, what: str) -> tuple[date | None, int]:
    """Return a bound, rounded down to a microsecond, and the attoseconds that this took away."""
    if value is None:
        return None, 0
    if isinstance(value, str):
        return _parsed(value, what)
    if value != value:  # NaT
        return _native(value, what), 0
    if _is_numpy(value) and (unit := _FINER.search(value.dtype.str)):
        count = int(unit[1] or 1) * _ATTOSECONDS[unit[2]]
        micros, finer = divmod(value.astype("int64").item() * count, _ATTOSECONDS_OF_MICROSECOND)
        return to_datetime(micros, aware=False), finer
    nanoseconds = getattr(value, "nanosecond", 0)
    if nanoseconds and isinstance(value, datetime):
        to_pydatetime = getattr(value, "to_pydatetime", None)
        native = value if to_pydatetime is None else to_pydatetime(warn=False)
        return native, nanoseconds * _ATTOSECONDS["ns"]
    return _native(value, what), 0


def _parsed(text: str, what: str) -> tuple[date, int]:
    """Return a date or a datetime in ISO 8601, and the attoseconds beyond its microsecond."""
    try:
        return date.fromisoformat(text), 0
    except ValueError:
        pass  # it may have a time
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidData(
            f"{what}={shown(text)}: expected a datetime or date, or one as text in ISO 8601, such "
            "as '2026-01-05' or '2026-01-05T09:30+00:00'"
        ) from None
    fraction = _FRACTION.search(text)
    digits = fraction[1] if fraction else ""
    return moment, int(digits[:12].ljust(12, "0")) + bool(digits[12:].strip("0"))


def _rounded_up(first: int, until: int) -> tuple[int, int]:
    """Return a range whose start lies within the microsecond `first`, which is not after it."""
    if first < LATEST:
        return first + 1, until
    return LATEST, LATEST - 1  # nothing is later


def _positive(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InvalidData(f"{what}={shown(value)}: expected a number of records, 1 or more")
    return int(value)


def _is_numpy(value: Any) -> bool:
    return (type(value).__module__, type(value).__name__) == ("numpy", "datetime64")


def _native(value: Any, what: str) -> date:
    """Return a value as a plain date or datetime. Raises `InvalidData` if that would change it."""
    if type(value) in (datetime, date):
        return cast(date, value)
    if _is_numpy(value):
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
    return value.tzinfo is not None and value.utcoffset() is not None


def _micros(value: date, what: str) -> int:
    if not isinstance(value, datetime):
        return (value - _EPOCH.date()).days * _DAY
    if value.tzinfo is None:
        return (value - _EPOCH) // _MICROSECOND
    if value.utcoffset() is None:  # naive by Python's rules
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
