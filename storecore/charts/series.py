"""What a chart shows: the bars of a series, and the marks on them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from storecore.charts.marks import Mark, last_moment, placed
from storecore.errors import InvalidData, shown
from storecore.models import DecisionRecord, Event, OrderRecord, PriceBar
from storecore.protocols import AuditTrail, DataStore
from storecore.store.questions import read_bars, read_decisions, read_events, read_orders
from storecore.values.times import Bound, time_range, to_datetime

MOST_PANELS = 3


class Series(NamedTuple):
    """The bars of a series with aware dates, the marks on them, and the further columns to draw."""

    symbol: str
    timeframe: str
    bars: list[PriceBar]
    marks: list[Mark]
    outside: int
    columns: list[str]
    hidden: list[str]

    @property
    def dates(self) -> list[datetime]:
        """The dates of the bars."""
        return [bar.date for bar in self.bars]


class ChartQuery(NamedTuple):
    """What a chart shows; without `run`, records are those of the live log."""

    symbol: str
    start: Bound = None
    end: Bound = None
    timeframe: str = "1d"
    strategy: str | None = None
    run: str | None = None
    last: int | None = None
    columns: list[str] | None = None


def read_series(store: DataStore, query: ChartQuery) -> Series:
    """Return what a chart shows. Raises `InvalidData` if there are no bars, or no such column."""
    span = time_range(query.start, query.end)
    first, end = (to_datetime(moment, aware=True) for moment in span[:2])
    bars = read_bars(store, query.symbol, first, end, timeframe=query.timeframe, last=query.last)
    if not bars:
        raise InvalidData(f"no {query.timeframe} bars of {shown(query.symbol)} in that range")
    dates = [bar.date for bar in bars]
    found = placed(_records(store, query, dates[0]), dates, last_moment(dates, query.timeframe))
    columns, hidden = _columns(bars, query.columns)
    return Series(query.symbol, query.timeframe, bars, *found, columns, hidden)


def _records(
    store: Any, query: ChartQuery, first: datetime
) -> Iterator[DecisionRecord | OrderRecord | Event]:
    """Yield the events, decisions and orders of a symbol, in that order.

    Records of the log are filtered here: a store finds them by time and strategy only.
    """
    yield from read_events(store, first, symbols=[query.symbol])
    if not isinstance(store, AuditTrail):
        return
    name, run = query.strategy, query.run
    for decided in read_decisions(store, first, None, name, by="as_of", run=run):
        if decided.decision.symbol == query.symbol:
            yield decided
    for ordered in read_orders(store, first, None, name, by="as_of", run=run):
        if ordered.order.symbol == query.symbol:
            yield ordered


def _columns(bars: list[PriceBar], query: list[str] | None) -> tuple[list[str], list[str]]:
    """Return the further columns of numbers that are drawn, and those that are not."""
    names = {name for bar in bars for name in bar.extra or ()}
    numbers = sorted(name for name in names if _is_number(bars, name))
    if query is None:
        return numbers[:MOST_PANELS], numbers[MOST_PANELS:]
    for name in query:
        if name not in numbers:
            there = ", ".join(map(shown, numbers)) or "none"
            raise InvalidData(f"{shown(name)} is no further column of numbers; there is {there}")
    return query, [name for name in numbers if name not in query]


def _is_number(bars: list[PriceBar], name: str) -> bool:
    """Return whether the first value of a column is a number; a value may be missing."""
    found = ((bar.extra or {}).get(name) for bar in bars)
    first = next((value for value in found if value is not None), None)
    return isinstance(first, int | float)
