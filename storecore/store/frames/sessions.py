"""Trading sessions: which session a bar belongs to, and when that session opened."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import pyarrow as pa

from storecore.errors import InvalidData, shown, type_name
from storecore.values.times import to_datetime

_WEEK = 7 * 86_400_000_000


class Sessions(NamedTuple):
    """The sessions of a calendar as instants: the midnight of their date, open and close."""

    days: list[int]
    opens: list[int]
    closes: list[int]

    def of(self, instants: pa.Array, closed: str) -> pa.Array:
        """Return the number of the session that holds each instant, null if none does.

        With `closed="left"` a session holds its open and not its close, with "right" the reverse.
        """
        numpy: Any = import_module("numpy")  # of who has a calendar, pandas has it too
        side, given = ("right" if closed == "left" else "left"), instants.to_numpy()
        found = numpy.searchsorted(numpy.array(self.opens, dtype="int64"), given, side) - 1
        ends = numpy.searchsorted(numpy.array(self.closes, dtype="int64"), given, side)
        return pa.array(found, pa.int64(), mask=found < ends)


def sessions_of(calendar: Any, first: int, last: int) -> Sessions:
    """Return the sessions from one day of a calendar to another, both included.

    `calendar` is the name of one of `exchange_calendars`, such as "XNYS", or one of its objects.
    Raises `InvalidData` if it is neither, or does not reach so far.
    """
    found = _named(calendar, first, last) if isinstance(calendar, str) else calendar
    try:
        opens, closes = found.opens, found.closes
        days = [_micros(day) for day in opens.index]
        rows = zip(days, map(_micros, opens), map(_micros, closes), strict=True)
    except (AttributeError, TypeError, ValueError):
        raise InvalidData(
            f"calendar={type_name(calendar)}: expected a calendar of exchange_calendars, or its "
            'name, such as "XNYS"'
        ) from None
    if not days or days[0] - _WEEK > first or last > days[-1] + _WEEK:
        raise InvalidData(
            f"calendar={shown(calendar)}: it does not reach from {_text(first)} to {_text(last)}; "
            "make it with get_calendar(name, start, end)"
        )
    kept = [row for row in rows if first <= row[0] <= last]
    return Sessions(*map(list, zip(*kept, strict=True))) if kept else Sessions([], [], [])


def _named(name: str, first: int, last: int) -> Any:
    try:
        library = import_module("exchange_calendars")
    except ImportError as error:
        raise InvalidData(
            f"calendar={name!r}: exchange_calendars is not installed; run: "
            "pip install 'storecore[calendars]'"
        ) from error
    try:  # a calendar needs at least one session
        return library.get_calendar(name, start=_text(first - _WEEK), end=_text(last + _WEEK))
    except Exception as error:  # of several libraries: an unknown name, a year without rules
        raise InvalidData(f"calendar={name!r}: {error}") from error


def _text(instant: int) -> str:
    return f"{to_datetime(instant, aware=False):%Y-%m-%d}"


def _micros(moment: Any) -> int:
    """Return a stamp of pandas as an instant."""
    return int(moment.value) // 1_000
