"""Laws E1 to E3: every event comes back, in order, by type."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData, NotSerializable

NOON = datetime(2026, 1, 5, 12)
steps = st.integers(-3, 3).map(lambda half_days: NOON + half_days * timedelta(hours=12))


def read_all(store, types=None):
    return store.read_events(datetime.min, datetime.max, types)


def test_e1_identical_events_are_kept_each(store, event):
    for _ in range(3):
        store.write_event(event())
    assert read_all(store) == [event()] * 3


def test_e1_events_of_one_microsecond_keep_the_order_of_writing(store, event):
    for number in (3, 1, 2):
        store.write_event(event(payload={"number": number}))
    assert [each.payload["number"] for each in read_all(store)] == [3, 1, 2]


@given(moments=st.lists(steps, max_size=12))
def test_e1_any_events_come_back_by_timestamp_then_by_order_of_writing(
    store, event, fresh_name, moments
):
    name = fresh_name()
    written = [event(at, type=name, payload={"n": n}) for n, at in enumerate(moments)]
    for each in written:
        store.write_event(each)
    assert read_all(store, [name]) == sorted(written, key=lambda each: each.timestamp)


def test_e2_types_none_is_all_and_an_empty_list_is_none(store, event):
    for kind in ("news", "split", "news"):
        store.write_event(event(type=kind))
    counts = [
        len(read_all(store, types)) for types in (None, [], ["split"], ("news", "split"), {"x"})
    ]
    assert counts == [3, 0, 1, 3, 0]


def test_e2_a_bare_string_of_types_is_refused(store):
    with pytest.raises(InvalidData, match=r"give \['news'\]"):
        read_all(store, "news")


def test_e2_types_that_are_no_list_are_refused(store):
    with pytest.raises(InvalidData, match="expected a list of str"):
        read_all(store, 7)


def test_e3_a_late_event_comes_back_in_its_place(store, event):
    store.write_event(event(NOON))
    store.write_event(event(NOON - timedelta(3650)))
    assert [each.timestamp for each in read_all(store)] == [NOON - timedelta(3650), NOON]


@pytest.mark.parametrize("moment", [datetime.min, datetime.max, datetime(999, 12, 31, tzinfo=UTC)])
def test_events_of_any_year_come_back(store, event, moment):
    store.write_event(event(moment))
    (read,) = read_all(store)
    assert read.timestamp == moment.replace(tzinfo=None)


def test_an_event_of_the_system_has_no_symbol(store, event):
    store.write_event(event(symbol=None))
    (read,) = read_all(store)
    assert read.symbol is None


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"legs": [1, (2, 3)]}, r"\$\.legs\[1\]"),
        ({"at": NOON}, r"\$\.at"),
        ({"price": float("nan")}, r"\$\.price"),
        ({"price": Decimal("1.5")}, r"\$\.price"),
        ({1: "one"}, r"\$: 1"),
        ({"a b": {"c": {1}}}, r"\$\['a b'\]\.c"),
        ([1], r"\$: expected a dict"),
        (None, r"\$: expected a dict"),
    ],
)
def test_s1_a_payload_that_json_would_change_is_refused_by_path(store, event, payload, path):
    with pytest.raises(NotSerializable, match=path):
        store.write_event(event(payload=payload))
    assert read_all(store) == []


def test_s1_a_payload_of_numpy_floats_is_kept_as_floats(store, event):
    store.write_event(event(payload={"price": np.float64(1.5)}))
    (read,) = read_all(store)
    assert type(read.payload["price"]) is float


@pytest.mark.parametrize("wrong", [{"type": None}, {"source": 7}, {"type": "\ud800"}], ids=repr)
def test_a_field_of_the_wrong_type_is_refused(store, event, wrong):
    with pytest.raises(InvalidData, match="event"):
        store.write_event(event(**wrong))
    assert read_all(store) == []


@pytest.mark.parametrize("what", [None, {}, "event"])
def test_what_is_no_event_is_refused(store, what):
    with pytest.raises(InvalidData, match="expected an Event"):
        store.write_event(what)


def test_an_event_is_a_copy_of_what_was_given_and_of_what_was_read(store, event):
    given_event = event(payload={"list": [1]})
    store.write_event(given_event)
    given_event.payload["list"].append(2)
    read_all(store)[0].payload["list"].append(3)
    assert read_all(store)[0].payload == {"list": [1]}


def test_a_range_of_dates_takes_whole_days(store, event):
    for hours in (-13, -12, 11, 12):
        store.write_event(event(NOON + timedelta(hours=hours)))
    assert len(store.read_events(date(2026, 1, 5), date(2026, 1, 5))) == 2
