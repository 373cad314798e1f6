"""Marks: the decisions, orders and events of a symbol, each on the bar that it belongs to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from storecore.models import Action, DecisionRecord, Event, OrderRecord, OrderResult
from storecore.values.timeframes import DAY, timeframe_of

KINDS = {
    "buy": "buy",
    "sell": "sell",
    "hold": "hold",
    "bought": "order: buy",
    "sold": "order: sell",
    "split": "split",
    "dividend": "dividend",
    "event": "event",
}
"""The kinds of marks, and their names in a legend, in its order."""
OF_THE_LOG = ("buy", "sell", "hold", "bought", "sold")
"""The kinds of the marks of decisions and orders."""
_OF_ACTIONS = {Action.BUY: "buy", Action.SELL: "sell", Action.EXIT: "sell", Action.HOLD: "hold"}
_LONGEST = 600
_LATE = 4  # lengths of a bar
_END = datetime.max.replace(tzinfo=UTC)


class Mark(NamedTuple):
    """A mark on the bar of a row, at a price if it has one of its own."""

    kind: str
    row: int
    title: str
    at: datetime
    reason: str
    price: float | None = None


class Placed(NamedTuple):
    """The marks of some records, and the number of those outside of the bars."""

    marks: list[Mark]
    outside: int


def placed(
    records: Iterable[DecisionRecord | OrderRecord | Event],
    dates: Sequence[datetime],
    end: datetime,
) -> Placed:
    """Return the marks of records on bars with these dates, of which the last one ends at `end`.

    An order and an event belong to the bar in which they happened, on a day without a bar to the
    one before. A decision at the moment when a bar begins belongs to the one before it, since
    that is the last one that was known.
    """
    marks, outside = [], 0
    for record in records:
        mark = _mark(record, dates)
        if mark.row < 0 or mark.at > end:
            outside += 1
        else:
            marks.append(mark)
    return Placed(marks, outside)


def _mark(record: DecisionRecord | OrderRecord | Event, dates: Sequence[datetime]) -> Mark:
    if isinstance(record, Event):
        return _event(record, _row(dates, record.timestamp))
    at = record.as_of or record.timestamp
    if isinstance(record, OrderRecord):
        return _order(record, _row(dates, at), at)
    return _decision(record, bisect_left(dates, at) - 1, at)


def _row(dates: Sequence[datetime], at: datetime) -> int:
    return bisect_right(dates, at) - 1


def _decision(record: DecisionRecord, row: int, at: datetime) -> Mark:
    made = record.decision
    weight = f"weight {made.target_weight:.2f}, confidence {made.confidence:.2f}"
    title = f"{record.strategy}: {made.action.value}, {weight}"
    return Mark(_OF_ACTIONS[made.action], row, title, at, shortened(made.reasoning))


def _order(record: OrderRecord, row: int, at: datetime) -> Mark:
    order, result = record.order, record.result
    limit = "" if order.limit_price is None else f" at {order.limit_price:,}"
    title = f"{record.strategy}: {order.action} {order.quantity:,} {order.order_type}{limit}"
    kind = "bought" if order.action == "BUY" else "sold"
    return Mark(kind, row, title, at, shortened(outcome(result)), result.fill_price)


def outcome(result: OrderResult) -> str:
    """Return what became of an order in a line."""
    filled = "" if result.fill_quantity is None else f" {result.fill_quantity:,}"
    price = "" if result.fill_price is None else f" at {result.fill_price:,}"
    message = f": {result.message}" if result.message else ""
    return f"{result.status}{filled}{price}{message}"


def _event(event: Event, row: int) -> Mark:
    kind = event.type if event.type in ("split", "dividend") else "event"
    payload = ", ".join(_pairs(event.payload))
    return Mark(kind, row, f"{event.type} ({event.source})", event.timestamp, shortened(payload))


def _pairs(payload: dict[str, Any]) -> Iterator[str]:
    return (f"{name}: {value}" for name, value in payload.items())


def shortened(text: str) -> str:
    """Return a text that fits a tooltip; a cut is shown."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def last_moment(dates: Sequence[datetime], timeframe: str) -> datetime:
    """Return the latest time of records that are drawn: four bars later, so a long weekend."""
    found = timeframe_of(timeframe)
    length = timedelta(microseconds=DAY if found is None else found.micros)
    return dates[-1] + min(_LATE * length, _END - dates[-1])
