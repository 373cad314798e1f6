"""Bars whose dates do not fit the timeframe of their series, as far as its name gives a length.

Two things do not fit, and both lose or double data in silence:

- several bars in one period: two bars on a day under `1d`, which two vendors give that stamp days
  at midnights of different zones, or minutes under `1d`;
- bars that are all much further apart than the timeframe: days under `1m`.

A period is a UTC day, a week from Monday, a month or a year, or a step since 1970 of a shorter
timeframe. Of a timeframe of many days, weeks or months only the unit counts, since nobody knows
where its first period begins.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.values.timeframes import DAY, HOUR, WEEK, Timeframe, timeframe_of
from storecore.values.times import EARLIEST, to_datetime

_NEARLY_DAY = 20 * HOUR  # a day on which clocks change, and some slack
_FEW_DAYS, _FEW_HOURS = 3, 10  # fewer bars prove no rhythm
_FEW_CLOCKS = 4
_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}


class Misfit(NamedTuple):
    """What does not fit, what it looks like, and the timeframe that would fit ("": none)."""

    what: str
    looks_like: str
    timeframe: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.looks_like}"


def misfit(dates: pa.Array, timeframe: str) -> Misfit | None:
    """Return what does not fit a timeframe in the instants of a series, sorted and unique.

    None if everything fits, or if the name of the timeframe gives no length.
    """
    length = timeframe_of(timeframe)
    if length is None or len(dates) < 2:
        return None
    shared = shares_period(dates, length)
    if pc.any(shared).as_py():
        return _crowded(dates, shared, length)
    return _sparse(dates, length)


def shares_period(dates: pa.Array, length: Timeframe) -> pa.Array:
    """Return for each instant but the first whether it is in the same period as the one before."""
    periods = _periods(dates, length)
    return pc.equal(periods[1:], periods[:-1])


def _periods(dates: pa.Array, length: Timeframe) -> pa.Array:
    """Return the number of the period of each instant."""
    if length.unit in ("mo", "y"):
        moments = dates.view(pa.timestamp("us"))
        years = pc.year(moments)
        if length.unit == "y":
            return years
        return pc.add(pc.multiply(years, 12), pc.month(moments))
    # The first instant is a Monday at midnight, so weeks begin on Monday and nothing is negative.
    step = {"w": WEEK, "d": DAY}.get(length.unit, length.micros)
    return pc.divide(pc.subtract(dates, EARLIEST), step)


def _crowded(dates: pa.Array, shared: pa.Array, length: Timeframe) -> Misfit:
    periods = _periods(dates, length)
    crowded = pc.count_distinct(periods[1:].filter(shared)).as_py()
    first = dates[pc.index(shared, True).as_py()].as_py()
    unit = _NAMES.get(length.unit, "year")
    period = unit if length.number == 1 or length.is_of_days else f"{length.number} {unit}s"
    what = f"{crowded:,} of {pc.count_distinct(periods).as_py():,} periods of one {period} have "
    what += f"several bars, the first {_text(first)}"
    clocks = pc.unique(_clocks(dates)).to_pylist() if length.unit == "d" else []
    if 1 < len(clocks) <= _FEW_CLOCKS and pc.min(_steps(dates)).as_py() >= HOUR:
        times = " and ".join(_text(each)[11:16] for each in sorted(clocks))
        looks = f"it looks like days that are stamped in different ways, at {times} UTC"
        return Misfit(what, looks)
    usual = _named(pc.mode(_steps(dates))[0]["mode"].as_py())
    looks = f"it looks like bars of {usual}" if usual else "its bars are closer than the timeframe"
    return Misfit(what, looks, usual)


def _sparse(dates: pa.Array, length: Timeframe) -> Misfit | None:
    """Return a misfit if all bars are a day or more apart, or all at whole hours, in minutes."""
    span = dates[-1].as_py() - dates[0].as_py()
    for few, step, unit, name in (
        (_FEW_DAYS, _NEARLY_DAY, DAY, "1d"),
        (_FEW_HOURS, HOUR, HOUR, "1h"),
    ):
        is_shorter = length.micros < unit and len(dates) >= few and span >= step * (len(dates) - 1)
        if is_shorter and pc.min(_steps(dates)).as_py() >= step and _is_on(dates, unit):
            what = f"all of its {len(dates):,} bars are {name[1:]} or more apart"
            return Misfit(
                what.replace(" d ", " a day ").replace(" h ", " an hour "),
                f"it looks like bars of {name}",
                name,
            )
    return None


def _is_on(dates: pa.Array, unit: int) -> bool:
    """Return whether days are at some hours of the day, and hours at one minute of the hour."""
    return len(pc.unique(_clocks(dates, unit))) <= (2 if unit == DAY else 1)


def _steps(dates: pa.Array) -> pa.Array:
    return pc.subtract(dates[1:], dates[:-1])


def _clocks(dates: pa.Array, unit: int = DAY) -> pa.Array:
    """Return the time since the beginning of the day, or of another unit, of each instant."""
    since = pc.subtract(dates, EARLIEST)
    return pc.subtract(since, pc.multiply(pc.divide(since, unit), unit))


def _named(step: int) -> str:
    """Return the usual name of a step, an empty string if it has none."""
    found = timeframe_of(f"{step // 1_000_000}s") if 0 < step < 7 * DAY else None
    return found.name if found is not None and found.micros == step else ""


def _text(instant: int) -> str:
    return to_datetime(instant, aware=False).isoformat(" ")
