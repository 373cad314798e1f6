"""Batches of events and fundamentals: checked whole before the first byte (law B2 for them too)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData, InvalidName, NotSerializable

NOON = datetime(2026, 1, 5, 12)
steps = st.integers(-3, 3).map(lambda half_days: NOON + half_days * timedelta(hours=12))


def read_all(store, types=None):
    return store.read_events(datetime.min, datetime.max, types)


@given(batches=st.lists(st.lists(steps, max_size=6), max_size=4))
def test_e1_events_of_batches_come_back_by_timestamp_then_by_order_of_writing(
    store, event, fresh_name, batches
):
    name, written = fresh_name(), []
    for moments in batches:
        batch = [event(at, type=name, payload={"n": n}) for n, at in enumerate(moments)]
        store.write_events(batch)
        written += batch
    assert read_all(store, [name]) == sorted(written, key=lambda each: each.timestamp)


def test_e1_identical_events_of_a_batch_are_kept_each_among_single_ones(store, event):
    store.write_event(event())
    store.write_events(event() for _ in range(3))
    store.write_event(event())
    assert read_all(store) == [event()] * 5


def test_b3_an_empty_batch_does_nothing(store):
    store.write_events([])
    store.write_fundamentals(iter(()))
    assert read_all(store) == []


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"type": None}, InvalidData, r"^events\[1\]"),
        ({"symbol": ""}, InvalidName, r"^events\[1\]\.symbol"),
        ({"payload": {"x": (1,)}}, NotSerializable, r"^events\[1\]\.payload: \$\.x"),
        ({"ingested_at": "now"}, InvalidData, r"^events\[1\]\.ingested_at"),
    ],
)
def test_b2_one_wrong_event_refuses_the_batch(store, event, wrong, error, message):
    with pytest.raises(error, match=message):
        store.write_events([event(), event(**wrong)])
    assert read_all(store) == []


def test_b2_what_is_no_event_refuses_the_batch(store, event):
    with pytest.raises(InvalidData, match=r"^events\[0\]: expected an Event, got str"):
        store.write_events("ab")
    with pytest.raises(InvalidData, match=r"^events: .* got one Event; put it in a list"):
        store.write_events(event())
    with pytest.raises(InvalidData, match=r"^events: expected an iterable of Event, got int"):
        store.write_events(7)


def test_each_fundamental_of_a_batch_is_filed_under_its_own_symbol(store, fundamental):
    batch = [fundamental(symbol=symbol, employees=n) for n, symbol in enumerate(["A", "B/C", "a"])]
    store.write_fundamentals(batch)
    assert [store.read_fundamental(each.symbol) for each in batch] == batch


def test_f2_the_last_of_one_symbol_and_timestamp_in_a_batch_wins(store, fundamental):
    store.write_fundamentals(fundamental(employees=number) for number in (1, 3, 2))
    assert store.read_fundamental("AAPL").employees == 2


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"employees": "many"}, InvalidData, r"^fundamentals\[1\]"),
        ({"symbol": ""}, InvalidName, r"^fundamentals\[1\]\.symbol"),
        ({"symbol": None}, InvalidData, r"^fundamentals\[1\]"),
        ({"timestamp": "now"}, InvalidData, r"^fundamentals\[1\]\.timestamp"),
    ],
)
def test_b2_one_wrong_fundamental_refuses_the_batch(store, fundamental, wrong, error, message):
    with pytest.raises(error, match=message):
        store.write_fundamentals([fundamental(), fundamental(**wrong)])
    assert store.read_fundamental("AAPL") is None


def test_b2_what_is_no_fundamental_refuses_the_batch(store):
    with pytest.raises(InvalidData, match=r"^fundamentals\[0\]: expected a FundamentalData"):
        store.write_fundamentals([None])
