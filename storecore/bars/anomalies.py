"""Anomalies in the bars of a series, which real markets produce, and broken feeds too.

They are neither refused nor changed (law B2), but reported by `verify()`. A gap is recognized by
the rhythm of the series. The steps from one bar to the next are divided into two groups, steps
within a day (UTC) and steps from one day to another, so that a night is not a gap between minutes.
A step is a gap if it is longer than 10 times the median of its group, 5 times the 99th percentile,
and twice the length of a step that occurs on every 20th day. So a recurring weekend, holiday or
lunch break is not a gap. Dates that do not fit the timeframe are an anomaly too
(`storecore.bars.regularity`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.regularity import misfit, mixed_stamps
from storecore.values.times import to_datetime

_DAY = 86_400_000_000
_FEW = 20  # fewer steps have no rhythm
_OFTEN = 20  # days
_PIECE = 2**18  # dates whose steps are looked at together, to bound memory


class Anomaly(NamedTuple):
    """One kind of anomaly in a series, and how often and where it occurs."""

    kind: str
    detail: str


class Seen(NamedTuple):
    """What the anomalies of a series need to know of some of its bars: little beside the bars."""

    dates: pa.ChunkedArray
    crossed: list[int]
    outside: list[int]


def anomalies(tables: Iterable[pa.Table], timeframe: str = "") -> list[Anomaly]:
    """Return the anomalies of a series, given as series tables in order of time.

    Without a timeframe, dates are not compared with it.
    """
    return anomalies_of(map(seen, tables), timeframe)


def seen(table: pa.Table) -> Seen:
    """Return what the anomalies need to know of a series table."""
    dates = table["date"].cast(pa.int64())
    crossed = pc.less(table["high"], table["low"])
    outside = pc.and_not(_outside(table), crossed)
    return Seen(dates, *(dates.filter(mask).to_pylist() for mask in (crossed, outside)))


def anomalies_of(found: Iterable[Seen], timeframe: str = "") -> list[Anomaly]:
    """Return the anomalies of a series, given what was seen of its bars, in order of time."""
    each = list(found)
    by_kind = {
        "high below low": [at for one in each for at in one.crossed],
        "open or close outside its bar": [at for one in each for at in one.outside],
    }
    counted = [_counted(kind, instants) for kind, instants in by_kind.items() if instants]
    joined = _joined([one.dates for one in each])
    irregular = misfit(joined, timeframe) or mixed_stamps(joined, timeframe)
    counted += [Anomaly("irregular", str(irregular))] if irregular is not None else []
    return [*counted, *_gaps(joined)]


def _joined(dates: list[pa.ChunkedArray]) -> pa.Array:
    chunks = [chunk for date in dates for chunk in date.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.int64())


def _outside(table: pa.Table) -> pa.ChunkedArray:
    highest = pc.max_element_wise(table["open"], table["close"])
    lowest = pc.min_element_wise(table["open"], table["close"])
    return pc.or_(pc.greater(highest, table["high"]), pc.less(lowest, table["low"]))


def _counted(kind: str, instants: list[int]) -> Anomaly:
    bars = "bar" if len(instants) == 1 else "bars"
    return Anomaly(kind, f"{len(instants):,} {bars}, the first of {_text(instants[0])}")


def _gaps(joined: pa.Array) -> Iterator[Anomaly]:
    """Yield one anomaly for all gaps, with the longest of them."""
    if len(joined) <= _FEW:
        return
    within, across = _Steps(), _Steps()
    for at in range(0, len(joined) - 1, _PIECE):  # the last of a piece is the first of the next
        piece = joined[at : at + _PIECE + 1]
        starts, steps = piece[:-1], pc.subtract(piece[1:], piece[:-1])
        days = pc.floor(pc.divide(piece.cast(pa.float64()), float(_DAY)))
        crosses = pc.not_equal(days[1:], days[:-1])
        for group, steps_of in ((crosses, across), (pc.invert(crosses), within)):
            steps_of.add(starts.filter(group), steps.filter(group))
    often = (across.number + 1) // _OFTEN
    found = [(each.gaps(often), each.longest) for each in (across, within)]
    gaps = sum(number for number, _ in found)
    if gaps:
        step, start = max(longest for number, longest in found if number)
        span = f"{_text(start)} to {_text(start + step)}"
        yield Anomaly("gap", f"{gaps:,} longer than its rhythm, the longest from {span}")


class _Steps:
    """How often each length of step occurs in a group: little of a series with a rhythm."""

    def __init__(self) -> None:
        self.number = 0
        self.longest = 0, 0  # and its start, the last one if there are several
        self._counted = list[pa.StructArray]()

    def add(self, starts: pa.Array, steps: pa.Array) -> None:
        """Add the steps of a piece of the series."""
        if not len(steps):
            return
        self.number += len(steps)
        most = pc.max(steps)
        last = starts.filter(pc.equal(steps, most))[-1]
        self.longest = max(self.longest, (most.as_py(), last.as_py()))
        self._counted.append(pc.value_counts(steps))

    def gaps(self, often: int) -> int:
        """Return how many steps are gaps, given how often a length may occur that is none."""
        if self.number < _FEW:
            return 0
        lengths, counts = pa.concat_arrays(self._counted).flatten()
        order = pc.sort_indices(lengths)
        lengths, counts = lengths.take(order), counts.take(order)
        ranks = pc.cumulative_sum(counts)

        def at(rank: int) -> int:
            """Return the step of a rank, by length."""
            return int(lengths[pc.index(pc.greater(ranks, rank), True).as_py()].as_py())

        last = self.number - 1
        median, most = (at(int(share * last)) for share in (0.5, 0.99))
        recurring = at(last - min(often, last))
        limit = max(10 * median, 5 * most, 2 * recurring if often else 0)
        return pc.sum(counts.filter(pc.greater(lengths, limit))).as_py() or 0


def _text(instant: int) -> str:
    return to_datetime(instant, aware=False).isoformat(" ")
