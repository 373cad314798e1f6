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
def kinds(bar, event, fundamental, decision, order):
    """All kinds of writes; of a batch all is there or nothing."""
    names = bar().__struct_fields__

    def at(number):
        return JAN_5 + timedelta(number)

    def table(number):
        rows = [bar(at(number), float(number), symbol=symbol) for symbol in ("AAPL", "MSFT")]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    def history(number):
        """More bars a symbol than the journal takes."""
        minutes = [at(number) + timedelta(minutes=each) for each in range(33)]
        rows = [
            bar(each, float(number), symbol=name) for name in ("AAPL", "MSFT") for each in minutes
        ]
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
        "history": Writes(
            lambda store, n: store.write_bar_table(history(n)), bars_of("AAPL", "MSFT")
        ),
        "fundamental": Writes(
            lambda store, n: store.write_fundamental("AAPL", fundamental(at(n), cik=str(n))),
            lambda store: [int(each.cik) for each in store.iter_fundamentals()],
        ),
        "state": Writes(lambda store, n: store.save_strategy_state("value", {"n": n}), states),
    }


TIMES = {"orders": 2, "events": 2, "table": 2, "history": 66}  # that a batch holds its number
KINDS = [
    "decision",
    "orders",
    "event",
    "events",
    "bars",
    "table",
    "history",
    "fundamental",
    "state",
]


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


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_is_interrupted_at_any_step_is_there_by_then_or_never(
    base, kinds, kind, every, interrupted_at_each_step
):
    times = TIMES.get(kind, 1)
    every *= 40 if kind == "history" else 1  # of some thousand steps, and much to read again
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


SIGNALLED = """if True:
    import random, signal, sys, threading, time
    from datetime import datetime, timedelta
    import pyarrow as pa
    from storecore import (
        Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar, StoreError,
    )
    from storecore_file import FileDataStore

    base, hits, seed = sys.argv[1], *map(int, sys.argv[2:])
    chosen, names, day = random.Random(seed), PriceBar.__struct_fields__, datetime(2026, 1, 5)

    def at(n):
        return day + timedelta(minutes=n)

    def bar(symbol, n):
        return PriceBar(symbol, at(n), 1.0, 2.0, 0.5, float(n), 7)

    def table(n):
        rows = [bar(symbol, n) for symbol in "AB"]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    def decision(n):
        return Decision("A", Action.HOLD, 0, 0, str(n))

    def event(n, day=day):
        return Event("tick", "A", day, day, "test", {"n": n})

    def order(n):
        return Order("value", "A", "BUY", n, "MARKET"), OrderResult("1", "filled")

    def filing(n):
        plain = dict(symbol="A", company_name="A", raw_xml="")
        return FundamentalData(timestamp=at(n), cik=str(n), **plain)

    WRITES = {
        "bars": lambda store, n: store.write_bars("own", [bar("own", n)]),
        "decision": lambda store, n: store.log_decision("value", decision(n)),
        "decisions": lambda store, n: store.log_decisions("value", [decision(n)] * 2),
        "order": lambda store, n: store.log_order("value", *order(n)),
        "event": lambda store, n: store.write_event(event(n)),
        "events": lambda store, n: store.write_events(
            [event(n, day - timedelta(1)), event(n, day - timedelta(2))]
        ),
        "table": lambda store, n: store.write_bar_table(table(n)),
        "fundamental": lambda store, n: store.write_fundamental("A", filing(n)),
        "state": lambda store, n: store.save_strategy_state("value", {"n": n}),
    }
    numbers, done, kept, wrong = iter(range(1, 10**9)), threading.Event(), [], []
    acknowledged = {kind: set() for kind in WRITES}
    raised = {kind: {} for kind in WRITES}  # and the number of the write after it
    sys.unraisablehook = lambda _: None

    def also(store, own):
        n = own * 10**7
        while not done.is_set():
            n += 1
            kind = ("decision", "order", "event")[n % 3]
            WRITES[kind](store, n)
            acknowledged[kind].add(n)
            time.sleep(0.001)

    def interrupt(*_):
        raise KeyboardInterrupt

    with FileDataStore(base, durability="os", lock_timeout=5) as store:
        threads = [threading.Thread(target=also, args=(store, own)) for own in (1, 2)]
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        for thread in threads:
            thread.start()
        spent = {kind: 0.002 for kind in WRITES}
        while len(kept) < hits:
            kind, number = chosen.choice(list(WRITES)), next(numbers)
            began = time.perf_counter()
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, chosen.uniform(2e-6, 1.1 * spent[kind]))
                    WRITES[kind](store, number)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt as error:
                kept.append(error)  # and with it all frames and what is in them
                raised[kind][number] = after = next(numbers)
                WRITES[kind](store, after)
                acknowledged[kind].add(after)
            except StoreError as error:
                wrong.append((kind, str(error)))
            else:
                acknowledged[kind].add(number)
                spent[kind] = 0.9 * spent[kind] + 0.1 * (time.perf_counter() - began)
        done.set()
        for thread in threads:
            thread.join()
    with FileDataStore(base, lock_timeout=1) as store:
        always = datetime.min, datetime.max
        logged = [int(each.decision.reasoning) for each in store.read_decisions(*always)]
        batches = acknowledged["decisions"] | raised["decisions"].keys()
        read = store.read_events(*always)
        found = {
            "bars": [int(bar.close) for bar in store.read_bars("own", *always)],
            "decision": [n for n in logged if n not in batches],
            "decisions": [n for n in logged if n in batches],
            "order": [int(each.order.quantity) for each in store.read_orders(*always)],
            "event": [each.payload["n"] for each in read if each.timestamp == day],
            "events": [each.payload["n"] for each in read if each.timestamp < day],
            "table": [int(bar.close) for each in "AB" for bar in store.read_bars(each, *always)],
            "fundamental": [int(each.cik) for each in store.iter_fundamentals()],
        }
        for kind, numbers in found.items():
            times = 2 if kind in ("decisions", "events", "table") else 1
            known = acknowledged[kind] | raised[kind].keys()
            wrong += [(kind, "lost", n) for n in acknowledged[kind] - set(numbers)]
            wrong += [(kind, "not once", n) for n in set(numbers) if numbers.count(n) != times]
            wrong += [(kind, "of nobody", n) for n in set(numbers) - known]
            if kind in ("decision", "decisions", "order", "event"):  # in the order of writing
                wrong += [
                    (kind, "later", n) for n, after in raised[kind].items()
                    if n in numbers and numbers.index(n) > numbers.index(after)
                ]
        wrong += store.verify().findings
        there = sum(n in found.get(kind, ()) for kind in found for n in raised[kind])
    print(f"{len(kept)} interrupts, {there} of writes that are there:", *wrong[:9])
"""


@pytest.mark.parametrize("hits", [100, pytest.param(2_000, marks=pytest.mark.soak)])
def test_writes_of_all_kinds_are_interrupted_at_random_beside_other_threads(base, script, hits):
    """By a real SIGINT; each is followed by a write in the `except` block."""
    process = script(SIGNALLED, base, hits, 7, traced=False)
    out = process.communicate(timeout=280)[0]
    assert out.startswith(f"{hits} interrupts, "), out
    assert out.endswith("of writes that are there:\n"), out
