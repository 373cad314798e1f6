"""Timeframes as names: the length that a name gives, and the usual spelling of that length.

Any text names a timeframe. The lengths of those that consist of a number and a unit can be read:
`5m`, `1h`, `1d`, `1w`, `1mo`, `1y`. Other spellings of the same length (`1D`, `daily`, `60m`) name
other series; `usual_spelling` is for a hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000_000  # microseconds
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
WEEK = 7 * DAY

_FORM = re.compile(r"(\d{0,6})[ _-]?([A-Za-z]+)", re.ASCII)
_FIXED = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}  # the units that divide each other
_WORDS = {
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes minutely",
    "h": "h hr hrs hour hours hourly",
    "d": "d day days daily",
    "w": "w wk wks week weeks weekly",
    "mo": "mo mon mth mths month months monthly",
    "y": "y yr yrs year years yearly annual annually",
}
_UNITS = {word: unit for unit, words in _WORDS.items() for word in words.split()}


class Timeframe(NamedTuple):
    """A length of time: a number of seconds, minutes, hours, days, weeks, months or years."""

    number: int
    unit: str

    @property
    def name(self) -> str:
        """The usual spelling."""
        return f"{self.number}{self.unit}"

    @property
    def micros(self) -> int:
        """The length in microseconds; of a month or year the shortest."""
        lengths = {**_FIXED, "w": WEEK, "mo": 28 * DAY, "y": 365 * DAY}
        return self.number * lengths[self.unit]

    @property
    def is_of_days(self) -> bool:
        """Whether a bar is of one day or longer."""
        return self.micros >= DAY


@lru_cache(maxsize=1024)
def timeframe_of(name: str) -> Timeframe | None:
    """Return the length that a name gives, None if it gives none.

    `M` is a month and `m` a minute; otherwise case does not matter. Without a number it is one.
    """
    form = _FORM.fullmatch(name)
    if form is None:
        return None
    unit = "mo" if form[2] == "M" else _UNITS.get(form[2].casefold())
    count = int(form[1] or 1)
    return None if unit is None or not count else _reduced(count, unit)


def usual_spelling(name: str) -> str | None:
    """Return the usual spelling of a timeframe, None if the name is that, or gives no length."""
    found = timeframe_of(name)
    return None if found is None or found.name == name else found.name


def same_length(name: str, known: Iterable[str]) -> list[str]:
    """Return the other known timeframes that are as long as one."""
    found = timeframe_of(name)
    return [] if found is None else [k for k in known if k != name and timeframe_of(k) == found]


def _reduced(count: int, unit: str) -> Timeframe:
    """Return a length in its greatest unit: 60m is 1h, 12mo is 1y. Seven days are not a week."""
    if unit == "mo" and count % 12 == 0:
        return Timeframe(count // 12, "y")
    if unit not in _FIXED:
        return Timeframe(count, unit)
    length = count * _FIXED[unit]
    whole = next(each for each in reversed(_FIXED) if length % _FIXED[each] == 0)
    return Timeframe(length // _FIXED[whole], whole)
