"""What the law tests write: records with only the interesting field named."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar

JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def bar():
    """Make a bar of AAPL; any field can be given."""

    def make(date=JAN_5, close=100.0, **fields):
        plain = {"symbol": "AAPL", "open": 99.0, "high": 101.0, "low": 98.0, "volume": 1000}
        return PriceBar(**{**plain, "date": date, "close": close, **fields})

    return make


@pytest.fixture
def fundamental():
    """Make a fundamental of AAPL; any field can be given."""

    def make(timestamp=JAN_5, **fields):
        plain = {"symbol": "AAPL", "company_name": "Apple", "cik": "320193", "raw_xml": "<x/>"}
        return FundamentalData(**{**plain, "timestamp": timestamp, **fields})

    return make


@pytest.fixture
def event():
    """Make an event; any field can be given."""

    def make(timestamp=JAN_5, **fields):
        plain = {"type": "news", "symbol": "AAPL", "source": "feed", "payload": {"text": "up"}}
        return Event(**{**plain, "timestamp": timestamp, "ingested_at": timestamp, **fields})

    return make


@pytest.fixture
def decision():
    """Make a decision; any field can be given."""

    def make(**fields):
        plain = {"symbol": "AAPL", "action": Action.BUY, "target_weight": 0.5, "confidence": 0.9}
        return Decision(**{**plain, "reasoning": "cheap", **fields})

    return make


@pytest.fixture
def order():
    """Make an order and its result; any field of the order can be given."""

    def make(**fields):
        plain = {"strategy_name": "value", "symbol": "AAPL", "action": "BUY", "quantity": 10}
        return Order(**{**plain, "order_type": "MARKET", **fields}), OrderResult("1", "filled")

    return make


@pytest.fixture
def fresh_name():
    """Give a symbol that no other hypothesis example of this test has used."""
    numbers = itertools.count()
    return lambda: f"S{next(numbers)}"
