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

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.midnights import clock_names, midnights_of
from storecore.values.timeframes import DAY, HOUR, WEEK, Timeframe, timeframe_of
from storecore.values.times import EARLIEST, to_datetime

_PIECE = 2**18  # instants that are looked at together, to bound memory
_FEW_CLOCKS = 4  # in which vendors stamp the same days
_FEW_STAMPS = 2  # one alone is an odd bar
_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_NAMES |= {"w": "week", "mo": "month", "y": "year"}


class _Rhythm(NamedTuple):
    """Bars of a timeframe: their least step, and at how many times of the unit they may be.

    Days are at two times if clocks change. Fewer bars than `fewest` prove no rhythm.
    """

    name: str
    text: str
    unit: int
    step: int
    clocks: int
    fewest: int

    def suits(self, span: int, count: int, length: Timeframe) -> bool:
        """Return whether a series of a shorter timeframe may have this rhythm, by its extent."""
        if length.micros >= self.unit or count < self.fewest:
            return False
        return span >= self.step * (count - 1)


_RHYTHMS = (
    _Rhythm("1d", "a day", DAY, 23 * HOUR, 2, 3),
    _Rhythm("1h", "an hour", HOUR, HOUR, 1, 10),
)


class Misfit(NamedTuple):
    """What does not fit, what it looks like, and what to do; `timeframe` would fit ("": none)."""

    what: str
    looks_like: str
    advice: str
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
    if _is_crowded(dates, length):
        return _crowded(dates, shares_period(dates, length), length)
    return _sparse(dates, length)


def mixed_stamps(dates: pa.Array, timeframe: str) -> Misfit | None:
    """Return the misfit of days that are stamped in different ways, though no day has two bars.

    One vendor after another has given them: what the first one corrects is a second bar of its day.
    """
    length = timeframe_of(timeframe)
    if length is None or not length.is_of_days or len(dates) < 2:
        return None
    counts = {
        each["values"]: each["counts"] for each in pc.value_counts(_clocks(dates)).to_pylist()
    }
    others = len(dates) - counts.get(0, 0)
    if not 1 < len(counts) <= _FEW_CLOCKS or min(counts.get(0, 0), others) < _FEW_STAMPS:
        return None
    if midnights_of(dates) is not None:
        return None
    what = f"{counts[0]:,} bars are at midnight in UTC and {others:,} are not"
    looks = (
        f"it looks like days that are stamped in different ways, at {clock_names([*counts])} UTC"
    )
    return Misfit(what, looks, 'with day="written" each is filed under the day that is written')


def named_step(dates: pa.Array) -> str:
    """Return the timeframe of the most frequent step between sorted instants, or an empty text."""
    step = pc.mode(_steps(dates))[0]["mode"].as_py()
    longer = ((28 * DAY, "1mo"), (7 * DAY, "1w"), (23 * HOUR, "1d"))
    return next((name for least, name in longer if step >= least), "") or _named(step)


def shares_period(dates: pa.Array, length: Timeframe) -> pa.Array:
    """Return for each instant but the first whether it is in the same period as the one before."""
    periods = _periods(dates, length)
    return pc.equal(periods[1:], periods[:-1])


def _is_crowded(dates: pa.Array, length: Timeframe) -> bool:
    """Return whether a period has several bars; a long series is looked at piece by piece."""
    if len(dates) <= _PIECE:
        return bool(pc.any(shares_period(dates, length)).as_py())
    return any(
        pc.any(shares_period(dates[at : at + _PIECE + 1], length)).as_py()
        for at in range(0, len(dates) - 1, _PIECE)
    )


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
    """Return the misfit of several bars in one period."""
    periods = _periods(dates, length)
    crowded = pc.count_distinct(periods[1:].filter(shared)).as_py()
    first = dates[pc.index(shared, True).as_py()].as_py()
    units = f"{_NAMES[length.unit]}s"
    is_one = length.number == 1 or length.unit not in ("s", "m", "h")
    periods_of = units if is_one else f"periods of {length.number} {units}"
    what = f"{crowded:,} of {pc.count_distinct(periods).as_py():,} {periods_of} have several bars, "
    what += f"the first {_text(first)}"
    clocks = pc.unique(_clocks(dates)).to_pylist() if length.unit == "d" else []
    if 1 < len(clocks) <= _FEW_CLOCKS and _are_days(dates, periods, clocks):
        times = " and ".join(_text(each)[11:16] for each in sorted(clocks))
        looks = f"it looks like days that are stamped in different ways, at {times} UTC"
        return Misfit(what, looks, 'with day="written" each is filed under the day that is written')
    step = pc.mode(_steps(dates))[0]["mode"].as_py()
    return _of_another(what, _named(step))


def _are_days(dates: pa.Array, periods: pa.Array, clocks: list[int]) -> bool:
    """Return whether several bars on a day may be days of vendors that stamp them differently.

    One of them stamps at midnight in UTC, no day has more than two, and their steps are not even,
    as those of bars within the day are.
    """
    steps = _steps(dates)
    least, most = pc.min_max(steps).as_py().values()
    most_a_day = pc.max(pc.value_counts(periods).field("counts")).as_py()
    is_even = len(steps) > 1 and least == most
    return 0 in clocks and least >= HOUR and most_a_day == 2 and not is_even


def _of_another(what: str, name: str) -> Misfit:
    """Return the misfit of bars of another timeframe."""
    if not name:
        looks = "its bars are closer than the timeframe"
        return Misfit(what, looks, "give the timeframe that they have")
    return Misfit(what, f"it looks like bars of {name}", f"if so, give timeframe {name!r}", name)


def may_be_sparse(dates: Sequence[int], start: int, end: int, length: Timeframe) -> bool:
    """Return whether the bars of rows may be days or hours apart in a shorter timeframe.

    This looks at the first and the last, and so costs nothing.
    """
    span, count = dates[end - 1] - dates[start], end - start
    return any(rhythm.suits(span, count, length) for rhythm in _RHYTHMS)


def _sparse(dates: pa.Array, length: Timeframe) -> Misfit | None:
    """Return a misfit if all bars are days, or whole hours, apart in a shorter timeframe."""
    span, count = dates[-1].as_py() - dates[0].as_py(), len(dates)
    for rhythm in _RHYTHMS:
        if not rhythm.suits(span, count, length):
            continue
        clocks = pc.count_distinct(_clocks(dates, rhythm.unit)).as_py()
        if clocks <= rhythm.clocks and pc.min(_steps(dates)).as_py() >= rhythm.step:
            what = f"all of its {count:,} bars are {rhythm.text} or more apart"
            return _of_another(what, rhythm.name)
    return None


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
