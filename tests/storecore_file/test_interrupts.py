"""A write that a signal handler interrupts has taken effect before it raises, or never does.

Whoever it is that interrupts, keeps the exception and goes on writing: no lock is left behind,
nothing is carried out later, nothing that was acknowledged is lost, nothing is there twice.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pytest

from storecore import OrderResult
from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5)
ALL = datetime.min, datetime.max


class Writes(NamedTuple):
    """How a number is written as one kind of data, and how all that are stored are found again."""

    write: Callable
    stored: Callable


@pytest.fixture
def kinds(bar, event, fundamental, decision, order, monkeypatch):
    """All kinds of writes; batches write their number twice, which are there both or not at all."""
    monkeypatch.setattr("storecore_file.bars.MANY_SERIES", 1)
    names = bar().__struct_fields__

    def at(number):
        return JAN_5 + timedelta(number)

    def table(number):
        rows = [bar(at(number), float(number), symbol=symbol) for symbol in ("AAPL", "MSFT")]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    def events(number):
        return [event(JAN_5 + timedelta(each), payload={"n": number}) for each in range(2)]

    def bars_of(*symbols):
        def stored(store):
            found = [bar for symbol in symbols for bar in store.read_bars(symbol, *ALL)]
            return sorted(int(bar.close) for bar in found)

        return stored

    def orders(store):
        return [int(each.order.quantity) for each in store.read_orders(*ALL)]

    def decisions(store):
        return [int(each.decision.reasoning) for each in store.read_decisions(*ALL)]

    def written_events(store):
        return [each.payload["n"] for each in store.read_events(*ALL)]

    def states(store):
        return [each.state["n"] for each in reversed(store.state_history("value"))]

    def sent(number):
        return order(quantity=number), OrderResult("1", "filled")

    return {
        "decision": Writes(
            lambda store, n: store.log_decision("value", decision(reasoning=str(n))), decisions
        ),
        "orders": Writes(lambda store, n: store.log_orders("value", [sent(n)] * 2), orders),
        "event": Writes(
            lambda store, n: store.write_event(event(payload={"n": n})), written_events
        ),
        "events": Writes(lambda store, n: store.write_events(events(n)), written_events),
        "bars": Writes(lambda store, n: store.write_bars("AAPL", [bar(at(n), n)]), bars_of("AAPL")),
        "table": Writes(lambda store, n: store.write_bar_table(table(n)), bars_of("AAPL", "MSFT")),
        "fundamental": Writes(
            lambda store, n: store.write_fundamental("AAPL", fundamental(at(n), cik=str(n))),
            lambda store: [int(each.cik) for each in store.iter_fundamentals()],
        ),
        "state": Writes(lambda store, n: store.save_strategy_state("value", {"n": n}), states),
    }


BATCHES = {"orders", "events", "table"}
KINDS = ["decision", "orders", "event", "events", "bars", "table", "fundamental", "state"]


def from_another_thread(call):
    outcome = []

    def work():
        try:
            outcome.append(call())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    return outcome[0]


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_is_interrupted_at_any_step_is_there_by_then_or_never(
    base, kinds, kind, every, interrupted_at_each_step
):
    times = 2 if kind in BATCHES else 1
    write, stored = kinds[kind]
    acknowledged, wrong, outcomes = [0], [], set()
    with (
        FileDataStore(base, durability="os", lock_timeout=1) as store,
        FileDataStore(base, durability="os", lock_timeout=1) as other,  # as another process does
    ):
        write(store, 0)
        own = 1
        for interrupt in interrupted_at_each_step(lambda: write(store, own), every, every):  # noqa: B023
            then = Counter(stored(other))
            outcomes.add(then[own])
            acknowledged += [] if interrupt else [own]
            for writer in (other, store):
                acknowledged.append(own := own + 1)
                assert from_another_thread(lambda by=writer: write(by, own)) is None  # noqa: B023
            now = Counter(stored(other))
            if now - then != dict.fromkeys(acknowledged[-2:], times):
                wrong.append((own, then, now))
            own += 1
        assert wrong == []
        assert outcomes <= {0, times}
        assert other.verify().findings == ()
        if kind != "state":  # of which a few versions are kept
            assert set(acknowledged) <= set(now)
