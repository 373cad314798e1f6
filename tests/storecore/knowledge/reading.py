"""A strategy that reads through a view, and decides with the receipt of what it has read."""

from __future__ import annotations

from datetime import datetime, timedelta

from storecore import Action, Decision, FundamentalData, Order, OrderResult, PriceBar
from storecore.testing.records import event

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 5)
SYMBOLS = ("AAPL", "MSFT")


def bar(symbol, day, close=None, **fields):
    """Return the bar of a day, the 5th of January or later."""
    numbers = {"open": 99.5, "high": 120.0, "low": 90.0, "close": close or 100.0 + day}
    return PriceBar(
        symbol=symbol, date=FIRST + day * DAY, **{**numbers, "volume": 1000 + day, **fields}
    )


def filing(symbol, day, **fields):
    """Return a filing of a day."""
    plain = {"company_name": "Inc", "cik": "1", "raw_xml": "", "extra": {"eps": 1.5}}
    return FundamentalData(symbol=symbol, timestamp=FIRST + day * DAY, **{**plain, **fields})


def fill(store, days=10):
    """Write bars of each day, with and without further columns, filings and events."""
    for symbol in SYMBOLS:
        extra = {"vwap": 100.25, "trades": 7, "venue": "X"} if symbol == "AAPL" else None
        store.write_bars(symbol, [bar(symbol, day, extra=extra) for day in range(days)])
        store.write_fundamental(symbol, filing(symbol, 2))
    for day in range(days):
        store.write_event(event(FIRST + day * DAY, payload={"n": [day]}))
    store.save_strategy_state("value", {"cash": 1.0})


def decide(store, day, symbol="AAPL", **about):
    """Read what is known after a day, and log a decision and an order with the receipt."""
    view = store.at(FIRST + (day + 1) * DAY)
    view.read_bars(symbol, last=3)
    view.read_fundamental(symbol)
    view.read_events(FIRST, types=["news"])
    receipt = view.receipt()
    decision = Decision(symbol, Action.BUY, 0.5, 0.5, f"day {day}")
    store.log_decision("value", decision, as_of=FIRST + (day + 1) * DAY, reads=receipt, **about)
    return receipt


def order(store, reads=None):
    """Log an order."""
    sent = Order("value", "AAPL", "BUY", 1, "MARKET")
    store.log_order("value", sent, OrderResult("1", "filled"), reads=reads)


class Bare:
    """A store that reads by the ten methods as they were at first, and has no history."""

    def __init__(self, nested):
        self._nested = nested

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        """Return the bars of a range."""
        return self._nested.read_bars(symbol, start, end, timeframe=timeframe)
