"""The clock of recording: a question about an instant waits for writers that have taken it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, TimeoutError
from datetime import date, datetime
from threading import Event as Flag

import pytest

from storecore.builtin.memory import MemoryDataStore
from storecore.testing.records import bar_table

JAN_5 = datetime(2026, 1, 5)
ALL = (date.min, date.max)


@pytest.fixture
def store(bar, fundamental, event):
    with MemoryDataStore() as store:
        store.write_bars("AAPL", [bar(JAN_5, close=1.0)])
        store.write_fundamental("AAPL", fundamental(JAN_5, employees=1))
        store.write_event(event())
        yield store


@pytest.fixture
def writes(store, bar, fundamental, event):
    """One write of each kind that changes what is held."""
    return {
        "bars": lambda: store.write_bars("AAPL", [bar(JAN_5, close=2.0)]),
        "a table": lambda: store.write_bar_table(bar_table([bar(JAN_5, close=2.0)])),
        "a series": lambda: store.write_bar_table(bar_table([bar(close=2.0)]), replace=True),
        "deleted bars": lambda: store.delete_bars("AAPL", *ALL),
        "a fundamental": lambda: store.write_fundamental("AAPL", fundamental(JAN_5, employees=2)),
        "deleted fundamentals": lambda: store.delete_fundamentals("AAPL", *ALL),
        "an event": lambda: store.write_event(event()),
        "deleted events": lambda: store.delete_events(*ALL),
        "a symbol": lambda: store.rename_symbol("AAPL", "NEW"),
    }


def held(store, at):
    return [
        *store.bar_versions("AAPL", recorded=at),
        *store.fundamental_versions("AAPL", recorded=at),
        *store.event_versions(recorded=at),
    ]


@pytest.mark.parametrize(
    "kind",
    [
        *("bars", "a table", "a series", "deleted bars", "a fundamental", "deleted fundamentals"),
        *("an event", "deleted events", "a symbol"),
    ],
)
def test_k3_a_write_held_between_its_instant_and_its_publication_is_waited_for(
    store, writes, kind, monkeypatch
):
    taken, go = Flag(), Flag()
    tick = store._clock.tick

    def held_tick():
        instant = tick()
        taken.set()
        assert go.wait(30)
        return instant

    def ask():
        at = store.recorded_now()
        return at, held(store, at)

    before = store.recorded_now()
    first = held(store, before)
    monkeypatch.setattr(store._clock, "tick", held_tick)
    with ThreadPoolExecutor(2) as threads:
        written = threads.submit(writes[kind])
        assert taken.wait(30)
        asked = threads.submit(ask)
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.05)
        go.set()
        written.result()
        at, answer = asked.result()
    assert held(store, at) == answer != first
    assert held(store, before) == first
