"""Any history: what writes add or replace is no finding, and what is taken away is one, by name."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storecore.builtin.memory import MemoryDataStore
from storecore.testing.records import bar, decision, event, fundamental, sent

JAN_5 = datetime(2026, 1, 5)
names = st.sampled_from("AB")
days = st.integers(0, 5).map(lambda day: JAN_5 + timedelta(300 * day))
numbers = st.integers(0, 3)
writes = st.lists(
    st.tuples(
        st.sampled_from(["bar", "fundamental", "event", "state", "record"]), names, days
    ).flatmap(lambda given: numbers.map(lambda number: (*given, number)))
)


def write(store, kind, name, day, number):
    if kind == "bar":
        timeframe = ("1d", "1h")[number % 2]
        store.write_bars(name, [bar(day, number, symbol=name)], timeframe=timeframe)
    elif kind == "fundamental":
        store.write_fundamental(name, fundamental(day, symbol=name, employees=number))
    elif kind == "event":
        ingested = day + timedelta(number)
        store.write_event(event(day, type=name, ingested_at=ingested, payload={"n": number}))
    elif kind == "state":
        store.save_strategy_state(name, {"n": number})
    else:
        store.log_decision(name, decision())
        store.log_order(name, *sent(strategy_name=name))


def filled(history):
    store = MemoryDataStore()
    for each in history:
        write(store, *each)
    return store


@given(writes, writes)
def test_what_writes_add_or_replace_is_no_finding(before, after):
    store = filled(before)
    taken = store.checkpoint()
    for each in after:
        write(store, *each)
    assert store.verify(against=taken).findings == ()


@given(writes, writes, st.data())
def test_what_is_taken_away_whole_is_found_by_name(before, after, data):
    store = filled(before)
    taken = store.checkpoint()
    entries = (*taken.bars, *taken.fundamentals, *taken.events, *taken.states, *taken.audit)
    if not entries:
        return
    gone = data.draw(st.sampled_from(entries))
    for each in after:
        write(store, *each)
    remove(store, gone)
    assert gone.place in {each.place for each in store.verify(against=taken).findings}


def remove(store, entry):
    """Take away what an entry stands for, behind the store's back."""
    kind = type(entry).__name__
    if kind == "Series":
        del store._bars.by_series[entry.symbol, entry.timeframe]
    elif kind == "Filings":
        del store._fundamentals.by_symbol[entry.symbol]
    elif kind == "EventDay":
        store._events.held = [
            each for each in store._events.held if f"{entry.day}T00" not in each[0].decode()
        ]
    elif kind == "SavedState":
        del store._states.versions[entry.strategy]
    else:
        store._logs[entry.log].kept = store._logs[entry.log].kept[: entry.seq - 1]


def test_beside_writers_there_is_no_false_alarm(store):
    stop, failed = threading.Event(), list[BaseException]()

    def go_on(thread):
        try:
            for number in range(10_000):
                for kind in ("bar", "fundamental", "event", "state", "record"):
                    write(store, kind, f"S{thread}", JAN_5 + timedelta(number % 40), number % 4)
                if stop.is_set():
                    return
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            taken = store.checkpoint()
            report = store.verify(against=taken)
            assert report.findings == ()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
