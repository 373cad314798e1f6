"""Events: any type, any payload, in the order of writing."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore import Event
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import CorruptData
from storecore_postgres.events import Events
from storecore_postgres.rows import PAGE

ALL = date.min, date.max
DAY = datetime(2026, 1, 5)
TYPES = ["news", "", "\0", "␀", "x" * 200, "x" * 300, "x" * 301, "%s", "é" * 250]
EXTREMES = {
    "floats": [1e308, 5e-324, -0.0, 0.1, 1.7976931348623157e308],
    "whole": [2**63 - 1, -(2**63), 2**64 - 1, 0],
    "text": ["\0", "\\u0000", "𝄞", "\u2028", '"', "\x7f", "a" * 10_000, ""],
    "\0": {"": None},
}


@pytest.mark.parametrize("kind", TYPES)
def test_any_type_is_found_by_itself_and_by_no_other(store, event, kind):
    store.write_events([event(type=each) for each in TYPES])
    assert store.read_events(*ALL, [kind]) == [event(type=kind)]


def test_a_type_that_is_no_text_is_the_type_of_none(store, event):
    store.write_event(event(type="?"))
    assert store.read_events(*ALL, ["\ud800"]) == []


def test_a_payload_may_hold_what_json_can(store, event):
    store.write_event(event(payload=EXTREMES))
    (read,) = store.read_events(*ALL)
    assert read == event(payload=EXTREMES)
    assert str(read.payload["floats"][2]) == "-0.0"


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([datetime.min, datetime.max, DAY]) | st.datetimes(),
                st.sampled_from(TYPES),
                st.none() | st.sampled_from(["AAPL", "é"]),
            ),
            max_size=6,
        ),
        max_size=4,
    ),
    st.lists(st.sampled_from(TYPES), max_size=3),
)
def test_e1_events_come_back_as_memory_has_them(opened, always, batches, types):
    with opened() as store, MemoryDataStore() as memory:
        before = store.read_events(*ALL)
        for batch in batches:
            events = [Event(kind, name, at, at, "feed", {"n": 1}) for at, kind, name in batch]
            for each in (store, memory):
                each.write_events(events)
        known = [event for event in before if event.type in types]
        read = store.read_events(*ALL, types)
        new = memory.read_events(*ALL, types)
        assert sorted(read, key=repr) == sorted(known + new, key=repr)
        assert [event.timestamp for event in read] == sorted(event.timestamp for event in read)
        assert list(store.iter_events()) == store.read_events(*always)


def test_events_of_one_time_keep_the_order_of_writing_over_pages(store, event, monkeypatch):
    monkeypatch.setattr(
        "storecore_postgres.events._AFTER",
        Events.__init__.__globals__["_AFTER"].replace(f"LIMIT {PAGE}", "LIMIT 3"),
    )
    numbers = [{"n": number} for number in range(10)]
    store.write_events([event(payload=each) for each in numbers[:7]])
    for each in numbers[7:]:
        store.write_event(event(payload=each))
    paged = Events(store._database, store._quoted, "none")
    assert [each.payload for each in paged.all()] == numbers
    assert [each.payload for each in store.read_events(*ALL)] == numbers


def test_an_empty_batch_writes_nothing(store):
    store.write_events([])
    assert store.read_events(*ALL) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("document = '{}'", "missing required field"),
        ("document = '5'", "Expected"),
        ("type = 'other'", "its document has another timestamp or type"),
        (
            "timestamp = '2026-01-05 00:00:00.000001+00'",
            "its document has another timestamp or type",
        ),
    ],
)
def test_d5_an_event_that_is_not_what_was_written_is_corrupt(
    store, admin, schema, event, change, wrong
):
    store.write_event(event())
    admin.execute(f"UPDATE {schema}.events SET {change}")
    with pytest.raises(CorruptData, match=f'"{schema}".events, id 1: .*{wrong}'):
        store.read_events(*ALL)
    (finding,) = store.verify().findings
    assert (finding.kind, finding.place) == ("damaged", f'"{schema}".events, id 1')
