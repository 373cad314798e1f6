"""Fixtures for the tests of core: packages that are really installed, and a call of each write."""

from __future__ import annotations

import importlib
import sys
from datetime import datetime
from pathlib import Path
from textwrap import dedent

import pytest

from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar

JAN_5 = datetime(2026, 1, 5)


class Site:
    """A folder of installed distributions: for each its `.dist-info` and its modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name, version="1.0", *, modules=None, metadata="", **groups):
        """Install a distribution; a group `backends` or `plugins` maps names to entry points."""
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        header = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(header + dedent(metadata).lstrip())
        (info / "entry_points.txt").write_text(
            "".join(
                f"[storecore.{group}]\n"
                + "".join(f"{key} = {value}\n" for key, value in of.items())
                for group, of in groups.items()
            )
        )
        for module, source in (modules or {}).items():
            (self.folder / f"{module}.py").write_text(dedent(source))
        importlib.invalidate_caches()
        return info

    def backend(self, source, *, name="broken", entry_point=None, metadata=""):
        """Install the distribution `acme-NAME` 1.5, whose module is the backend of that name."""
        module = f"acme_{name}"
        return self.install(
            f"acme-{name}",
            "1.5",
            modules={module: source},
            backends={name: entry_point or module},
            metadata=metadata,
        )


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site folder on `sys.path`, forgotten after the test with all that was imported from it."""
    monkeypatch.setattr("storecore.observers._loaded", None)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Site(folder)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def bar():
    """Make a bar of AAPL; any field can be given."""

    def make(date=JAN_5, **fields):
        prices = {"open": 99.0, "high": 101.0, "low": 98.0, "close": 100.0, "volume": 1000}
        return PriceBar(**{"symbol": "AAPL", "date": date, **prices, **fields})

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
    """Make an order; any field can be given."""

    def make(**fields):
        plain = {"strategy_name": "value", "symbol": "AAPL", "action": "BUY", "quantity": 10}
        return Order(**{**plain, "order_type": "MARKET", **fields})

    return make


@pytest.fixture
def writes(bar, fundamental, event, decision, order):
    """The arguments, by name, of one good call of each of the six writes."""
    return {
        "write_bars": {"symbol": "AAPL", "bars": [bar()]},
        "write_fundamental": {"symbol": "AAPL", "data": fundamental()},
        "write_event": {"event": event()},
        "save_strategy_state": {"strategy_name": "value", "state": {"cash": 1}},
        "log_decision": {"strategy_name": "value", "decision": decision()},
        "log_order": {
            "strategy_name": "value",
            "order": order(),
            "result": OrderResult(order_id="1", status="filled"),
        },
    }
