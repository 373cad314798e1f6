"""A small strategy as an example: two moving averages.

In the evening of a day it reads through a view of that time, which shows no later bars. If the fast
average is above the slow one, it holds the symbol. Its orders are filled at the open of the next
trading day. Each decision is logged with the time of the view and the receipt of what was read for
it. After each day the whole state is saved, so that the strategy can stop and continue.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from statistics import fmean
from typing import Any, NamedTuple

from storecore import Action, DataStore, Decision, Event, Order, OrderResult, PriceBar, Read, at

NAME = "moving_average"
FAST, SLOW = 10, 30  # trading days
# Bars are as traded; none of the three symbols was split from this day on.
FIRST_DAY = date(2008, 1, 2)
CASH = 100_000.0
_WINDOW = timedelta(days=60)  # contains SLOW trading days, in spite of holidays
_OPEN = time(14, 30)  # UTC, in summer an hour earlier
_AFTER_CLOSE = time(21)  # UTC; New York closes at 20:00 or, in winter, at 21:00
_SURE = 0.05  # a relative difference of the averages that gives a confidence of 1


class Sitting(NamedTuple):
    """The days of one run, and the number of orders executed on them."""

    days: list[date]
    orders: int


class MovingAverage:
    """Trades some symbols, an equal share each, continuing from the state in the store."""

    def __init__(self, store: DataStore, symbols: tuple[str, ...]) -> None:
        self._store = store
        self._symbols = symbols
        self.state = store.load_strategy_state(NAME) or {
            "last_day": None,
            "cash": CASH,
            "positions": {},
            "pending": [],
            "worth": CASH,
        }

    def trade(self, most_days: int) -> Sitting:
        """Trade the next days of which the store has bars, one by one."""
        days = self._next_days(most_days)
        orders = sum(self._trade_day(day) for day in days)
        return Sitting(days, orders)

    def _next_days(self, most: int) -> list[date]:
        """Return the next days on which all symbols traded: the calendar, not the prices."""
        last = self.state["last_day"]
        first = FIRST_DAY if last is None else date.fromisoformat(last) + timedelta(days=1)
        until = first + timedelta(days=2 * most)
        traded = [
            {bar.date.date() for bar in self._store.read_bars(symbol, first, until)}
            for symbol in self._symbols
        ]
        return sorted(set.intersection(*traded))[:most]

    def _trade_day(self, day: date) -> int:
        """Trade one day: fill at its open, decide at its close, save. Return the fills."""
        view = at(self._store, _evening(day))
        bars: dict[str, list[PriceBar]] = {}
        reads: dict[str, list[Read]] = {}
        for symbol in self._symbols:
            bars[symbol] = view.read_bars(symbol, day - _WINDOW, day)
            reads[symbol] = view.receipt()
        orders = self.state["pending"]
        for order in orders:
            self._fill(order, bars[order["symbol"]][-1].open, day)
        self.state["worth"] = self._worth({symbol: bars[symbol][-1].close for symbol in bars})
        decided = [self._decide(each, bars[each], reads[each], day) for each in self._symbols]
        self.state["pending"] = [order for order in decided if order is not None]
        self.state["last_day"] = str(day)
        self._store.save_strategy_state(NAME, self.state)
        return len(orders)

    def _decide(
        self, symbol: str, bars: list[PriceBar], reads: list[Read], day: date
    ) -> dict[str, Any] | None:
        """Log the decision about a symbol; return the order for tomorrow, if there is one."""
        held = self.state["positions"].get(symbol, 0)
        decision = decide(symbol, [bar.close for bar in bars], bool(held), 1 / len(self._symbols))
        self._store.log_decision(NAME, decision, as_of=_evening(day), reads=reads)
        if decision.action is Action.HOLD:
            return None
        self._store.write_event(_signal(decision, day))
        if decision.action is Action.EXIT:
            return {"symbol": symbol, "action": "SELL", "quantity": held}
        quantity = int(self.state["worth"] * decision.target_weight // bars[-1].close)
        return {"symbol": symbol, "action": "BUY", "quantity": quantity}

    def _fill(self, pending: dict[str, Any], price: float, day: date) -> None:
        """Execute yesterday's order at today's open, as far as the cash goes, and log it."""
        symbol, quantity = pending["symbol"], pending["quantity"]
        positions = self.state["positions"]
        if pending["action"] == "BUY":
            quantity = min(quantity, int(self.state["cash"] // price))
            positions[symbol] = quantity
            self.state["cash"] -= quantity * price
        else:
            del positions[symbol]
            self.state["cash"] += quantity * price
        order = Order(NAME, symbol, pending["action"], pending["quantity"], "MARKET")
        status = "filled" if quantity else "rejected"
        result = OrderResult(f"{day:%Y%m%d}-{symbol}", status, price, quantity)
        self._store.log_order(NAME, order, result, as_of=datetime.combine(day, _OPEN, UTC))

    def _worth(self, closes: dict[str, float]) -> float:
        held: dict[str, int] = self.state["positions"]
        total = sum(quantity * closes[symbol] for symbol, quantity in held.items())
        return float(self.state["cash"] + total)


def decide(symbol: str, closes: list[float], held: bool, share: float) -> Decision:
    """Return the decision after the last of some closes; `share` is the weight of a position."""
    if len(closes) < SLOW:
        return Decision(symbol, Action.HOLD, 0.0, 0.0, f"{len(closes)} bars, {SLOW} are needed")
    fast, slow = fmean(closes[-FAST:]), fmean(closes[-SLOW:])
    rising = fast > slow
    action = Action.HOLD if rising == held else Action.BUY if rising else Action.EXIT
    confidence = min(1.0, abs(fast / slow - 1) / _SURE)
    reasoning = f"{FAST}-day average {fast:.2f}, {SLOW}-day {slow:.2f}"
    return Decision(symbol, action, share if rising else 0.0, round(confidence, 4), reasoning)


def _evening(day: date) -> datetime:
    """Return the end of a day, when its bar is known."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def _signal(decision: Decision, day: date) -> Event:
    payload = {"action": decision.action.value, "reasoning": decision.reasoning}
    moment = datetime.combine(day, _AFTER_CLOSE, UTC)
    return Event("signal", decision.symbol, moment, datetime.now(UTC), NAME, payload)
