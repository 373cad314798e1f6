"""Laws D1 to D3 and A3 after every crash: what was acknowledged is there, all is whole, it goes on.

A kind of data joins by a line in `KINDS`: how the nth write is done, and of which writes there are
records. Of a batch of events that was not acknowledged a crash may leave a part.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from storecore import (
    Action,
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    StateVersion,
    laws,
)
from storecore_file import FileDataStore
from storecore_file.fs import logs
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import write_all

ALL = datetime.min, datetime.max
JAN_5 = datetime(2026, 1, 5)
ROUNDS = 4


def write_event(store, n, day=JAN_5):
    store.write_event(Event("tick", "AAPL", day, day, "test", {"n": n}))


def write_event_of_a_type(store, n):
    store.write_event(Event(str(n), None, JAN_5, JAN_5, "test", {"n": n}))


def read_events_by_type(store):
    found = [store.read_events(types=[str(n)]) for n in range(20)]
    return [each.payload["n"] for events in found for each in events]


def write_events(store, n):
    days = [JAN_5 + timedelta(n % 2 * each) for each in range(2)]
    store.write_events([Event("tick", None, day, day, "test", {"n": n}) for day in days])


def read_events(store):
    return [each.payload["n"] for each in store.read_events(*ALL)]


def log_decision(store, n):
    store.log_decision(str(n), Decision("AAPL", Action.HOLD, 0, 0, "test"))


def log_decision_of_a_new_day(store, n):
    now = datetime.now(UTC) + timedelta(n)
    clock = type("Clock", (), {"now": staticmethod(lambda zone: now)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("storecore_file.audit.log.datetime", clock)
        log_decision(store, n)


def moved_line(n):
    """Return the nth line of a log of another store."""
    decision = Decision("AAPL", Action.HOLD, 0, 0, "test")
    bodies = [laws.decision_body(str(number), decision) for number in range(n + 1)]
    return laws.chain(bodies, datetime(2026, 1, 5, tzinfo=UTC), laws.GENESIS)[0][n]


def append_audit(store, n):
    store.append_audit("decisions", JAN_5.date() + timedelta(n % 3 // 2), [moved_line(n)])


def restore_state(store, n):
    versions = [StateVersion(number + 1, {"n": number}) for number in range(n, max(n - 2, -1), -1)]
    store.restore_state("value", versions, expect=n)


def log_order(store, n):
    order = Order(str(n), "AAPL", "BUY", 1, "MARKET")
    store.log_orders(str(n), [(order, OrderResult(str(n), "filled"))])


def read_strategies(records):
    return [int(each.strategy) for each in records]


def write_fundamental(store, n):
    at = JAN_5 + timedelta(n % 2)
    data = {"company_name": "Apple", "cik": "1", "employees": n, "raw_xml": ""}
    store.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=at, **data))


def read_fundamentals(store):
    found = [store.read_fundamental("AAPL", JAN_5 + timedelta(day)) for day in (0, 1)]
    newest = max((each.employees for each in found if each), default=-1)
    return list(range(newest + 1))


def read_state(store):
    newest = store.load_versioned_state("value")
    assert newest.version == (newest.state["n"] + 1 if newest.state else 0)
    return list(range(newest.version))


KINDS = {
    "events": (write_event, read_events),
    "events by their index": (write_event_of_a_type, read_events_by_type),
    "event batches": (write_events, read_events),
    "decisions": (log_decision, lambda store: read_strategies(store.read_decisions(*ALL))),
    "decisions of new days": (
        log_decision_of_a_new_day,
        lambda store: read_strategies(store.read_decisions(*ALL)),
    ),
    "decisions of another store": (
        append_audit,
        lambda store: read_strategies(store.read_decisions(*ALL)),
    ),
    "restored states": (restore_state, read_state),
    "orders in batches": (log_order, lambda store: read_strategies(store.read_orders(*ALL))),
    "fundamentals": (write_fundamental, read_fundamentals),
    "states": (lambda store, n: store.save_strategy_state("value", {"n": n}), read_state),
}


@pytest.fixture
def crashed(base, record, after_crashes):
    """Write some records; yield what is wrong after each crash, None where nothing is."""

    def judge(kind, already, every=1):
        write, read = KINDS[kind]
        with FileDataStore(base) as store:
            for number in range(already):
                write(store, number)
        with FileDataStore(base) as store, record(base) as recorder:
            for number in range(already, already + ROUNDS):
                write(store, number)
                recorder.mark(number)
        for steps, folder in after_crashes(recorder, every=every):
            acknowledged = already + sum(step.what == "mark" for step in steps)
            yield wrong_after(folder, write, read, acknowledged)
            shutil.rmtree(folder)

    return judge


def wrong_after(folder, write, read, acknowledged):
    """Return what is wrong with a store after a crash, None where nothing is."""
    size = 2 if write is write_events else 1
    try:
        with FileDataStore(folder) as store:
            found = Counter(read(store))
            begun = found.pop(acknowledged, 0)
            if begun > size or found != dict.fromkeys(range(acknowledged), size):
                return f"{acknowledged} were acknowledged, found {begun} and {found}"
            if not store.verify().ok:
                return str(store.verify().findings)
            following = acknowledged + (begun > 0)
            write(store, following)
            written = {acknowledged: begun, following: size} if begun else {following: size}
            if Counter(read(store)) != {**found, **written}:
                return f"after the next write: {read(store)}"
            if not store.verify().ok:
                return f"after the next write: {store.verify().findings}"
    except Exception as error:  # any is a fault here
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.few(10)
@pytest.mark.parametrize("already", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_d1_no_crash_takes_what_was_acknowledged(crashed, kind, already, every):
    outcomes = list(crashed(kind, already, every))
    print(f"{len(outcomes)} states after a crash")
    assert len(outcomes) > 10 / every
    assert [each for each in outcomes if each] == []


# A fault put into the package must be detected.


def in_place(self, path, content):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    write_all(file, content)
    self.sync(file)
    os.close(file)
    self.created(path)


def rename_before_sync(self, path, content):
    temporary = path.with_name(".temporary")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT)
    write_all(file, content)
    os.replace(temporary, path)
    self.sync(file)
    os.close(file)
    self.created(path)


FAULTS = {
    "no file sync": [
        (Disk, "sync", lambda self, file: None),
        (logs, "sync_data", lambda file: None),
    ],
    "no folder sync": [(Disk, "_sync_folder", lambda self, folder: None)],
    "in-place write": [(Disk, "replace", in_place)],
    "rename before sync": [(Disk, "replace", rename_before_sync)],
}


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *itertools.product(["decisions", "fundamentals", "states"], FAULTS),
        ("events", "no file sync"),
        ("events", "no folder sync"),
    ],
)
def test_a_fault_is_detected(crashed, monkeypatch, kind, fault):
    for each in FAULTS[fault]:
        monkeypatch.setattr(*each)
    assert any(crashed(kind, 0))
