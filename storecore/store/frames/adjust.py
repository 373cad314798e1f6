"""Bars adjusted for splits and dividends that are stored as events.

Prices before an event are multiplied by its factor, so that the return over the event is that of a
holder: 1 / ratio for a split, and 1 - amount / close for a dividend, with the last close before its
day (the method of CRSP and Yahoo). The factors of all later events are multiplied.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from math import inf, isfinite
from sys import float_info
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import PRICES, instants_of
from storecore.errors import InvalidData, shown, type_name
from storecore.models import Event
from storecore.store.frames.bars import bars_given, known_zone, wall_clock
from storecore.values.batches import listed
from storecore.values.fields import is_number
from storecore.values.timeframes import DAY
from storecore.values.times import instant, to_datetime

FACTOR, VOLUME_FACTOR = "factor", "volume_factor"
_RATIO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?::|/|for)\s*(\d+(?:\.\d+)?)\s*")


class _Change(NamedTuple):
    """What happens to a share of a symbol on a day; `row` is that of the event."""

    symbol: str
    day: int
    is_split: bool
    number: float
    row: int


class _Step(NamedTuple):
    """The bars before row `before` of the table get these factors."""

    before: int
    price: float
    volume: float


def adjust(
    table: Any,
    events: Iterable[Event],
    *,
    split: str = "split",
    dividend: str = "dividend",
    zone: str | None = None,
) -> pa.Table:
    """Return bars with prices and volumes as if all splits and dividends had been before them.

    `table` is one of bars, as `read_bar_table` returns it. `events` are those of a store; the ones
    of the types `split` and `dividend` count. A split has `{"ratio": 2}` in its payload, the new
    shares for an old one, or as text `"2:1"`; a dividend `{"amount": 0.22}`, in the currency of the
    prices and for a share as it is on that day. Its day is the first without it (the ex-date). An
    event that is there twice counts once; several dividends of a day are added.

    `zone` names the time zone whose days are meant, of bars and of events; without it they are days
    of UTC. Give it if bars are stamped at the midnights of an exchange, or within the day. An event
    at midnight in UTC, and bars that are all there, have the day that is written, in any zone.

    The last bar of each symbol stays as it is: events after it do not count. The column `factor` is
    what prices were multiplied by, `volume_factor` what volumes were. Further columns stay as they
    are. Raises `InvalidData`, which names the event.
    """
    bars = bars_given(table, ("symbol", "date", "close"))
    present = [name for name in (FACTOR, VOLUME_FACTOR) if name in bars.column_names]
    if present:
        raise InvalidData(f"table.{present[0]}: these bars are adjusted already; rename the column")
    types = {split: True, dividend: False}
    changes = _changes(
        listed(events, "Event", "events"), types, None if zone is None else known_zone(zone)
    )
    place = bars.column_names.index("date")
    steps = list(_steps(bars.set_column(place, "date", wall_clock(bars, zone)), changes))
    price = _column([(each.before, each.price) for each in steps])
    volume = _column([(each.before, each.volume) for each in steps])
    metadata = bars.schema.metadata
    for place, name in enumerate(bars.column_names):
        if name in PRICES:
            bars = bars.set_column(place, name, pc.multiply(_floats(bars[name]), price))
        elif name == "volume" and pc.any(pc.not_equal(volume, 1.0)).as_py():
            bars = bars.set_column(place, name, pc.multiply(_floats(bars[name]), volume))
    made = bars.append_column(FACTOR, price).append_column(VOLUME_FACTOR, volume)
    return made.replace_schema_metadata(metadata)


def _floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, pa.float64(), safe=False)


def _changes(
    events: list[Event], types: dict[str, bool], zone: ZoneInfo | None
) -> dict[str, list[_Change]]:
    """Return the splits and dividends of each symbol by day, each once, a split first."""
    found: dict[tuple[str, int, bool, float], _Change] = {}
    for row, event in enumerate(events):
        if not isinstance(event, Event):
            raise InvalidData(f"events[{row}]: expected an Event, got {type_name(event)}")
        if event.type in types and event.symbol is not None:
            day = _day(instant(event.timestamp, f"events[{row}].timestamp"), zone)
            is_split = types[event.type]
            number = _ratio(event, row) if is_split else _amount(event, row)
            change = _Change(event.symbol, day, is_split, number, row)
            found.setdefault(change[:4], change)
    ordered = sorted(found.values(), key=lambda each: (each.symbol, each.day, not each.is_split))
    for one, other in pairwise(ordered):
        if other.is_split and one[:3] == other[:3]:
            raise InvalidData(
                f"events[{other.row}]: another split of {other.symbol} on "
                f"{to_datetime(other.day, aware=False):%Y-%m-%d}, of {other.number:g}, beside "
                f"events[{one.row}], of {one.number:g}; leave one of them out"
            )
    return {symbol: list(each) for symbol, each in groupby(ordered, key=lambda each: each.symbol)}


def _day(moment: int, zone: ZoneInfo | None) -> int:
    """Return the midnight of the day of an event, as a clock there shows it."""
    if zone is None or moment % DAY == 0:
        return moment // DAY * DAY
    there = to_datetime(moment, aware=True).astimezone(zone)
    return instant(there.replace(tzinfo=None), "") // DAY * DAY


def _ratio(event: Event, row: int) -> float:
    given: Any = event.payload.get("ratio")
    found = _RATIO.fullmatch(given) if isinstance(given, str) else None
    if found is not None and float(found[2]):
        given = float(found[1]) / float(found[2])
    if not _is_finite(given) or not 1 / float_info.max <= given <= float_info.max:
        raise InvalidData(
            f"events[{row}].payload.ratio={shown(given)}: expected the new shares for an old one, "
            'a number above 0 or a text such as "2:1"'
        )
    return float(given)


def _is_finite(given: Any) -> bool:
    try:
        return is_number(given) and isfinite(given)
    except OverflowError:  # an int beyond all floats
        return False


def _amount(event: Event, row: int) -> float:
    given: Any = event.payload.get("amount")
    if not _is_finite(given) or given < 0:
        raise InvalidData(
            f"events[{row}].payload.amount={shown(given)}: expected the dividend of a share, a "
            "number of 0 or more"
        )
    return float(given)


def _steps(bars: pa.Table, changes: dict[str, list[_Change]]) -> Iterator[_Step]:
    """Yield the factors of all bars, in the order of the rows."""
    if not len(bars):
        return
    dates = instants_of(bars)
    runs = pc.run_end_encode(bars["symbol"].combine_chunks())
    ends = runs.run_ends.to_pylist()
    for symbol, (first, end) in zip(runs.values.to_pylist(), pairwise([0, *ends]), strict=True):
        placed = [
            (bisect_left(dates, each.day, first, end), each) for each in changes.get(symbol, [])
        ]
        within = [(before, each) for before, each in placed if first < before < end]
        yield from _of_symbol(bars["close"], within, end)


def _of_symbol(closes: pa.ChunkedArray, placed: list[tuple[int, _Change]], end: int) -> list[_Step]:
    """Return the factors of the bars of a symbol, given its changes by the bar they come before."""
    steps = [_Step(end, 1.0, 1.0)]
    grouped = [(row, [each for _, each in of]) for row, of in groupby(placed, lambda each: each[0])]
    for before, changes in reversed(grouped):
        price, shares = _factors(float(closes[before - 1].as_py()), changes)
        later = steps[-1]
        step = _Step(before, later.price * price, later.volume * shares)
        if not (0 < step.price < inf and 0 < step.volume < inf):
            raise InvalidData(
                f"events[{changes[-1].row}]: with all later events its factor is {step.price:g}, "
                f"and {step.volume:g} for volumes; check their ratios"
            )
        steps.append(step)
    return steps[::-1]


def _factors(close: float, changes: list[_Change]) -> tuple[float, float]:
    """Return the factors of prices and volumes over some changes after a close."""
    left, shares = 1.0, 1.0  # of the close, and for a share
    for each in changes:
        if each.is_split:
            left, shares = left / each.number, shares * each.number
            continue
        if not each.number:
            continue
        left -= each.number / close if close > 0 else 1.0
        if left <= 0:
            raise InvalidData(
                f"events[{each.row}]: a dividend of {each.number:g} leaves nothing of the close "
                f"before it, {close:g}; check its amount and currency"
            )
    return left, shares


def _column(steps: list[tuple[int, float]]) -> pa.ChunkedArray:
    """Return a column with the factor of each row."""
    starts = [0, *(before for before, _ in steps)]
    pieces = [
        pa.repeat(pa.scalar(factor, pa.float64()), before - start)
        for start, (before, factor) in zip(starts, steps, strict=False)
    ]
    return pa.chunked_array(pieces, pa.float64())
