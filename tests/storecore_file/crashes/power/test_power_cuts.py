"""Law D1 where the power fails: what was acknowledged is on the disk, and each file is whole.

What counts is what was acknowledged before the cut began. A sync that runs while it is made may
succeed and yet be lost, which no failing power could do: of a bare loop of write + fdatasync, 19 of
120 cuts took the last line that was acknowledged.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from storecore_file import FileDataStore

pytestmark = pytest.mark.soak
CUTS, WRITERS = 60, 2
CORRECTIONS = {"correction": "V", "journaled": "XY"}
DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
WRITER = """if True:
    import itertools, os, sys
    from datetime import UTC, datetime, timedelta
    import pyarrow as pa
    from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
    from storecore_file import FileDataStore

    day, run = datetime(2026, 1, 5, tzinfo=UTC), int(sys.argv[1])
    decision = Decision("AAPL", Action.HOLD, 0, 0, "test")

    def sent(n):
        return Order(str(n), "AAPL", "BUY", 1, "MARKET"), OrderResult(n, "filled")

    names = PriceBar.__struct_fields__

    def event(n):
        return Event("tick", "AAPL", day + timedelta(n % 3), day, "test", {"n": n})

    def fundamental(n):
        rest = {"company_name": "x", "cik": "1", "employees": n, "raw_xml": "x" * 500}
        return FundamentalData(symbol=f"S{run}", timestamp=day + timedelta(n), **rest)

    def bar(n, symbol, hour=None):
        date = day + timedelta(hours=n if hour is None else hour)
        return PriceBar(symbol, date, 1, 2, 0.5, 1.5, n)

    def table(n, symbols="ABCDE", hour=None):
        rows = [bar(n, symbol, hour) for symbol in symbols]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    KINDS = {
        "bars": lambda store, n: store.write_bars("AAPL", [bar(n, "AAPL")]),
        "table": lambda store, n: store.write_bar_table(table(n)),
        "correction": lambda store, n: store.write_bars("V", [bar(n, "V", n % 3)]),
        "journaled": lambda store, n: store.write_bar_table(table(n, "XY", n % 3)),
        "event": lambda store, n: store.write_event(event(n)),
        "decision": lambda store, n: store.log_decision(str(n), decision),
        "orders": lambda store, n: store.log_orders(str(n), [sent(n)]),
        "fundamental": lambda store, n: store.write_fundamental(f"S{run}", fundamental(n)),
        "state": lambda store, n: store.save_strategy_state(f"s{run}", {"n": n}),
    }

    def write(base, durability, first):
        store = FileDataStore(base, durability=durability)
        for n in itertools.count(first):
            for kind, write in KINDS.items():
                write(store, 2 * n + run)
                print(kind, 2 * n + run, flush=True)
            if n % 5 == run:
                store.compact()

    for line in sys.stdin:
        base, durability, first = line.split("\t")
        child = os.fork()  # Python's start would take longer than what is to be cut
        if child == 0:
            try:
                write(base, durability, int(first))
            except OSError:
                os._exit(0)
        failed = os.waitpid(child, 0)[1]
        print("failed" if failed else "cut", flush=True)
"""


class Writers:
    """Processes that write all kinds of data until the power fails, and what they acknowledge."""

    def __init__(self, script, base, durability):
        self.base, self.durability = base, durability
        self.acknowledged = set()  # before the power failed
        self._told, self._next = [], 0
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        self._moments = random.Random(seed)
        self._processes = [script(WRITER, run, traced=False) for run in range(WRITERS)]

    def until(self, cut):
        """Let them write; `cut` the power, which ends them."""
        self._next = max([self._next, *(number for _, number in self._told)]) + WRITERS
        self._told = []
        for process in self._processes:
            asked = self.base, self.durability, self._next // WRITERS
            print(*asked, sep="\t", file=process.stdin, flush=True)
        following = [threading.Thread(target=self._follow, args=[each]) for each in self._processes]
        for thread in following:
            thread.start()
        time.sleep(self._moments.uniform(0.02, 0.4))
        self.acknowledged |= set(self._told)
        cut()
        for thread in following:
            thread.join()

    def _follow(self, process):
        for line in iter(process.stdout.readline, "cut\n"):
            kind, number = line.split()
            self._told.append((kind, int(number)))


def wrong_after(base, acknowledged, wrong_versions):
    """Return what is wrong with a store after the power failed, an empty list where nothing is."""
    with FileDataStore(base) as store:
        found = there(store, acknowledged)
        single = [each for each in acknowledged if each[0] not in CORRECTIONS]
        missing = [(kind, number) for kind, number in single if found[kind][number] != 1]
        past = [
            wrong
            for kind, symbols in CORRECTIONS.items()
            for symbol in symbols
            for wrong in wrong_versions(
                store, symbol, {n for own, n in acknowledged if own == kind}
            )
        ]
        doubled = [kind for kind in ("event", "decision", "orders") if most(found[kind]) > 1]
        return [*missing, *doubled, *past, *store.verify().findings, *store.verify_audit().findings]


def there(store, acknowledged):
    """Return which numbers of each kind are there, as often as they are."""
    tables = [{bar.volume for bar in store.read_bars(symbol, *ALWAYS)} for symbol in "ABCDE"]
    states = {n for kind, n in acknowledged if kind == "state" and state_of(store, n) >= n}
    filings = {n for kind, n in acknowledged if kind == "fundamental" and filing_of(store, n) == n}
    return {
        "bars": Counter(bar.volume for bar in store.read_bars("AAPL", *ALWAYS)),
        "table": Counter(set.intersection(*tables)),
        "event": Counter(each.payload["n"] for each in store.read_events(*ALWAYS)),
        "decision": Counter(int(each.strategy) for each in store.read_decisions(*ALWAYS)),
        "orders": Counter(int(each.strategy) for each in store.read_orders(*ALWAYS)),
        "fundamental": Counter(filings),
        "state": Counter(states),
    }


def state_of(store, number):
    state = store.load_strategy_state(f"s{number % WRITERS}")
    return state["n"] if state else -1


def filing_of(store, number):
    filing = store.read_fundamental(f"S{number % WRITERS}", DAY + timedelta(number))
    return filing.employees if filing else None


def most(counts):
    return max(counts.values(), default=0)


@pytest.fixture
def cuts(disk, script, wrong_versions):
    """Cut the power at random moments; yield how much is acknowledged, and what is wrong then."""

    def of(durability):
        writers = Writers(script, disk.folder / "data", durability)
        for _ in range(CUTS):
            writers.until(disk.cut_power)
            disk.power_on()
            wrong = wrong_after(writers.base, writers.acknowledged, wrong_versions)
            yield len(writers.acknowledged), wrong

    return of


def test_d1_no_power_cut_takes_what_was_acknowledged(cuts):
    outcomes = list(cuts("full"))
    print(f"{len(outcomes)} power cuts, {outcomes[-1][0]} writes acknowledged")
    assert [wrong for _, wrong in outcomes if wrong] == []
    assert outcomes[-1][0] > CUTS  # it is ten times that and more, unless the machine is busy


def test_a_store_that_does_not_sync_is_detected(cuts):
    assert any(wrong for _, wrong in cuts("os"))
