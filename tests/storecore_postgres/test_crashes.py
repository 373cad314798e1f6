"""Laws D1 and D4 under kill -9 of the server, again and again, while processes write all kinds.

A kind of data joins by a line in `KINDS` of the script, which writes number n, and one in `found`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from storecore_postgres import PostgresDataStore

ALL = date.min, date.max
PROCESSES = 4
WRITER = """if True:
    import itertools, logging, sys
    from datetime import datetime, timedelta
    from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
    from storecore_postgres import PostgresDataStore
    from storecore_postgres.database import Pool

    dsn, schema, run = *sys.argv[1:3], int(sys.argv[3])
    day = datetime(2026, 1, 5)
    logging.disable()  # of connections that are tried again
    store = PostgresDataStore(dsn, schema=schema, pool=Pool(timeout=60))

    def event(kind, n):
        return Event(kind, "AAPL", day, day, "test", {"n": n})

    def fundamental(n):
        rest = {"company_name": "Apple", "cik": "1", "employees": n, "raw_xml": "x" * 500}
        at = day + timedelta(seconds=n % 1_000_000)
        return FundamentalData(symbol=f"S{run}", timestamp=at, **rest)

    def bars(n):
        return [PriceBar("AAPL", day + timedelta(seconds=n), 1, 1, 1, 1, n)]

    def save(n):
        store.save_strategy_state(f"s{run}", {"n": n}, expect=n % 1_000_000)

    decision = Decision("AAPL", Action.HOLD, 0, 0, "test")

    def sent(n):
        return Order(str(n), "AAPL", "BUY", 1, "MARKET"), OrderResult(n, "filled")

    KINDS = {
        "event": lambda n: store.write_event(event("event", n)),
        "events": lambda n: store.write_events([event("events", n)] * 2),
        "decision": lambda n: store.log_decision(str(n), decision),
        "orders": lambda n: store.log_orders(str(n), [sent(n)] * 2),
        "fundamental": lambda n: store.write_fundamental(f"S{run}", fundamental(n)),
        "state": save,
        "bars": lambda n: store.write_bars("AAPL", bars(n), timeframe="1s"),
    }
    for each in itertools.count():
        for kind, write in KINDS.items():
            write(run * 1_000_000 + each)
            print(kind, run * 1_000_000 + each, flush=True)
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


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_d1_no_kill_of_the_server_takes_what_was_acknowledged_or_doubles_it(
    place, script, postgres_server, kills
):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    PostgresDataStore(**place).close()
    writing = [
        script(WRITER, place["dsn"], place["schema"], run, traced=False) for run in range(PROCESSES)
    ]
    acknowledged = [[] for _ in writing]
    with ThreadPoolExecutor(PROCESSES) as threads:
        for process, lines in zip(writing, acknowledged, strict=True):
            threads.submit(collect, lines, process.stdout)
        wait_for_more(acknowledged)
        for _ in range(kills):
            time.sleep(moments.uniform(0.1, 0.6))
            postgres_server.kill()
            postgres_server.start()
            wait_for_more(acknowledged)
        assert [process.poll() for process in writing] == [None] * PROCESSES
        for process in writing:
            os.kill(process.pid, signal.SIGKILL)
    check(place, [line.split() for lines in acknowledged for line in lines if line[-1] == "\n"])


def collect(lines, output):
    for line in output:
        lines.append(line)


def wait_for_more(acknowledged):
    """Wait until each writer has been told of more writes; one that was told of an error is not."""
    before = [len(lines) for lines in acknowledged]
    for lines, count in zip(acknowledged, before, strict=True):
        deadline = time.monotonic() + 60
        while len(lines) == count:
            assert time.monotonic() < deadline, "a writer was told of an error"
            time.sleep(0.01)


def check(place, lines):
    acknowledged = {(kind, int(number)) for kind, number in lines}
    times = {"events": 2, "orders": 2}
    with PostgresDataStore(**place) as store:
        there = found(store)
        for kind, number in acknowledged:
            if kind == "fundamental":
                assert store.read_fundamental(f"S{number // 1_000_000}").employees >= number
            elif kind == "state":
                assert store.load_strategy_state(f"s{number // 1_000_000}")["n"] >= number
            else:
                assert there[kind][number] == times.get(kind, 1)
        for kind, counted in there.items():
            assert set(counted.values()) == {times.get(kind, 1)}, "some are there twice"
        assert store.verify().ok
    print(f"{len(acknowledged):,} acknowledged")
