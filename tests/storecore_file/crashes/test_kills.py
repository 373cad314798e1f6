"""Laws D1, D3 and D4 under kill -9 at random moments: three processes write all kinds of data.

A kind of data joins by a line in `KINDS` of the script, which writes number n, and one in `found`.
Corrections are of three bars that all processes rewrite: each number is a version of one of them.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from datetime import date

import pytest

from storecore_file import FileDataStore

ALL = date.min, date.max
PROCESSES = 3
CORRECTIONS = {"correction": ["C"], "journaled": ["J1", "J2"]}
WRITER = """if True:
    import itertools, sys
    from datetime import datetime, timedelta
    import pyarrow as pa
    from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
    from storecore_file import FileDataStore

    base, run = sys.argv[1], int(sys.argv[2])
    day = datetime(2026, 1, 5)
    store = FileDataStore(base)

    def event(kind, n):
        return Event(kind, "AAPL", day, day, "test", {"n": n})

    def fundamental(n):
        rest = {"company_name": "Apple", "cik": "1", "employees": n, "raw_xml": "x" * 500}
        return FundamentalData(symbol=f"S{run}", timestamp=day + timedelta(n % 1000), **rest)

    decision = Decision("AAPL", Action.HOLD, 0, 0, "test")

    def sent(n):
        return Order(str(n), "AAPL", "BUY", 1, "MARKET"), OrderResult(n, "filled")

    def corrected(n, symbol):
        return PriceBar(symbol, day + timedelta(n % 3), 1, 1, 1, 1, n)

    def table(n):
        rows = [corrected(n, symbol) for symbol in ("J1", "J2")]
        names = PriceBar.__struct_fields__[:7]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    KINDS = {
        "event": lambda n: store.write_event(event("event", n)),
        "events": lambda n: store.write_events([event("events", n)] * 2),
        "decision": lambda n: store.log_decision(str(n), decision),
        "orders": lambda n: store.log_orders(str(n), [sent(n)]),
        "fundamental": lambda n: store.write_fundamental(f"S{run}", fundamental(n)),
        "state": lambda n: store.save_strategy_state(f"s{run}", {"n": n}),
        "bars": lambda n: store.write_bars(
            "AAPL", [PriceBar("AAPL", day + timedelta(seconds=n), 1, 1, 1, 1, n)], timeframe="1s"
        ),
        "correction": lambda n: store.write_bars("C", [corrected(n, "C")]),
        "journaled": lambda n: store.write_bar_table(table(n)),
    }
    for each in itertools.count():
        for kind, write in KINDS.items():
            write(run * 1000 + each)
            print(kind, run * 1000 + each, flush=True)
"""


def found(store):
    """Return which numbers of each kind are there, as often as they are."""
    events = {kind: store.read_events(*ALL, [kind]) for kind in ("event", "events")}
    return {
        **{kind: Counter(each.payload["n"] for each in read) for kind, read in events.items()},
        "decision": Counter(int(each.strategy) for each in store.read_decisions(*ALL)),
        "orders": Counter(int(each.strategy) for each in store.read_orders(*ALL)),
        "bars": Counter(each.volume for each in store.read_bars("AAPL", *ALL, timeframe="1s")),
    }


@pytest.mark.parametrize("kills", [15, pytest.param(200, marks=pytest.mark.soak)])
def test_d1_no_kill_takes_what_was_acknowledged(base, script, kills, wrong_versions):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments, runs = random.Random(seed), iter(range(kills + PROCESSES))
    writing = [script(WRITER, base, next(runs), traced=False) for _ in range(PROCESSES)]
    acknowledged = []
    for _ in range(kills):
        process = writing.pop(0)
        acknowledged.append(process.stdout.readline())
        time.sleep(moments.uniform(0, 0.03))
        acknowledged += killed(process)
        writing.append(script(WRITER, base, next(runs), traced=False))
    for process in writing:
        acknowledged += killed(process)
    assert len(acknowledged) > kills / 4  # it is eight times that, unless the machine is busy
    check(base, [line.split() for line in acknowledged], wrong_versions)


def killed(process):
    """Kill a process; return the lines that it had written whole."""
    os.kill(process.pid, signal.SIGKILL)
    return process.stdout.read().splitlines(keepends=True)[:-1]


def check(base, lines, wrong_versions):
    acknowledged = {(kind, int(number)) for kind, number in lines}
    with FileDataStore(base, lock_timeout=5) as store:
        there = found(store)
        for kind, number in acknowledged:
            if kind == "fundamental":
                assert store.read_fundamental(f"S{number // 1000}").employees >= number
            elif kind == "state":
                assert store.load_strategy_state(f"s{number // 1000}")["n"] >= number
            elif kind not in CORRECTIONS:
                assert there[kind][number] == (2 if kind == "events" else 1)
        assert max(there["event"].values()) == 1
        assert max(there["decision"].values()) == max(there["orders"].values()) == 1
        for kind, symbols in CORRECTIONS.items():
            numbers = {number for own, number in acknowledged if own == kind}
            assert [wrong_versions(store, symbol, numbers) for symbol in symbols] == [[]] * len(
                symbols
            )
        assert store.verify_audit().ok
        assert store.verify().findings == ()
