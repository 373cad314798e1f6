"""Fundamentals come as they were written; events in their order, and never out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import copy_store
from storecore.builtin.memory import MemoryDataStore
from storecore.testing.records import EVER_UTC
from storecore.testing.records import event as an_event

JAN_5 = datetime(2026, 1, 5)
HOUR = timedelta(hours=1)


def numbers(store):
    return [each.payload["n"] for each in store.read_events(*EVER_UTC)]


@pytest.fixture
def put(event):
    """Write events of payloads to a store, all of one time."""

    def write(store, *payloads, at=JAN_5):
        for number in payloads:
            store.write_event(event(at, payload={"n": number}))

    return write


# Fundamentals.


def test_fundamentals_of_symbols_without_bars_are_copied(source, target, fundamental):
    source.write_fundamental("NONE", fundamental(symbol="NONE"))
    assert copy_store(source, target).ok
    assert target.read_fundamental("NONE") == fundamental(symbol="NONE")


def test_one_that_differs_becomes_the_sources(source, target, fundamental, found):
    source.write_fundamental("AAPL", fundamental(employees=2))
    target.write_fundamental("AAPL", fundamental(employees=1))
    copied = found(copy_store(source, target), "fundamentals")
    assert (copied.equal, copied.added) == (True, 1)
    assert target.read_fundamental("AAPL").employees == 2


def test_extras_are_copied_and_the_order_of_their_keys_is_no_difference(
    source, target, fundamental, found
):
    source.write_fundamental("AAPL", fundamental(extra={"b": {"d": 1, "c": 2}, "a": 1}))
    target.write_fundamental("AAPL", fundamental(extra={"a": 1, "b": {"c": 2, "d": 1}}))
    source.write_fundamental("MSFT", fundamental(symbol="MSFT", extra={"a": [1]}))
    target.write_fundamental("MSFT", fundamental(symbol="MSFT"))
    taken = target.checkpoint()
    report = copy_store(source, target)
    assert [each.added for each in report.copied if each.kind == "fundamentals"] == [0, 1]
    assert target.read_fundamental("MSFT").extra == {"a": [1]}
    assert taken.fundamentals[0].digest == source.checkpoint().fundamentals[0].digest
    assert taken.fundamentals[1].digest != source.checkpoint().fundamentals[1].digest


@pytest.mark.parametrize("zone", [None, UTC, ZoneInfo("Europe/Berlin")])
def test_the_same_moment_in_another_zone_is_another_answer(
    source, target, fundamental, found, zone
):
    moment = JAN_5.replace(tzinfo=UTC)
    source.write_fundamental("AAPL", fundamental(moment.astimezone(zone) if zone else JAN_5))
    target.write_fundamental("AAPL", fundamental(moment.astimezone(ZoneInfo("Asia/Tokyo"))))
    assert found(copy_store(source, target), "fundamentals").added == 1
    assert repr(target.read_fundamental("AAPL")) == repr(source.read_fundamental("AAPL"))


def test_a_source_that_cannot_list_them_gives_those_of_symbols_with_bars(
    source, target, limited, fundamental, bar, found
):
    source.write_bars("AAPL", [bar()])
    for symbol in ("AAPL", "NONE"):
        for at in (datetime.min, JAN_5, JAN_5 + HOUR):
            source.write_fundamental(symbol, fundamental(at, symbol=symbol))
    report = copy_store(limited(source, "Catalog"), target)
    copied = found(report, "fundamentals")
    assert (copied.key, copied.equal, copied.added) == ("AAPL", True, 3)
    why = next(each.why for each in report.left_out if each.kind == "fundamentals")
    assert why.endswith("; those of symbols that have bars were copied")


# Events.


def test_identical_events_are_copied_each(source, target, put, found):
    put(source, 1, 1, 1)
    put(target, 1)
    copied = found(copy_store(source, target), "events")
    assert (copied.equal, copied.added) == (True, 2)


def test_late_events_of_the_source_are_added_between_the_others(source, target, put, found):
    put(source, 1)
    put(source, 3, at=JAN_5 + 2 * HOUR)
    copy_store(source, target)
    put(source, 2, at=JAN_5 + HOUR)
    assert found(copy_store(source, target), "events").added == 1
    assert numbers(target) == [1, 2, 3]


def test_where_the_target_holds_others_of_an_instant_none_are_added_there(
    source, target, put, found
):
    put(source, 1, 2)
    put(target, 9)
    for hours in (1, 2):
        put(source, 3, at=JAN_5 + hours * HOUR)
    put(target, 8, at=JAN_5 + 2 * HOUR)
    for _ in range(2):
        copied = found(copy_store(source, target), "events")
        assert not copied.equal
        assert copied.note.startswith(f"from {JAN_5.replace(tzinfo=UTC).isoformat()} on")
    assert numbers(target) == [9, 3, 8]


def test_what_follows_a_common_beginning_is_others_too(source, target, put, found):
    put(source, 1, 2, 3)
    put(target, 1, 9, 3)
    assert found(copy_store(source, target), "events").added == 0
    assert numbers(target) == [1, 9, 3]


def test_events_of_the_target_alone_stay(source, target, put, found):
    put(source, 1)
    put(target, 1, 2)
    put(target, 0, at=JAN_5 - HOUR)
    copied = found(copy_store(source, target), "events")
    assert (copied.equal, copied.added, copied.note) == (False, 0, "")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12),
    st.integers(0, 12),
)
def test_whatever_was_there_of_it_the_rest_is_added_in_order(given_events, kept):
    source, target = MemoryDataStore(), MemoryDataStore()
    events = [an_event(JAN_5 + hour * HOUR, payload={"n": n}) for hour, n in given_events]
    for each in events:
        source.write_event(each)
    for each in source.read_events(*EVER_UTC)[:kept]:
        target.write_event(each)
    assert copy_store(source, target).ok
    assert target.read_events(*EVER_UTC) == source.read_events(*EVER_UTC)


def test_when_an_event_was_ingested_is_copied_too(source, target, event):
    source.write_event(event(ingested_at=JAN_5 + HOUR))
    copy_store(source, target)
    assert target.read_events(JAN_5, JAN_5)[0].ingested_at == JAN_5 + HOUR


def test_many_events_go_in_batches_where_the_target_takes_them(files, limited, put, monkeypatch):
    monkeypatch.setattr("storecore.copying.events._AT_ONCE", 3)
    put(files("data"), *range(10))
    one_by_one = MemoryDataStore()
    assert copy_store(files("data"), files("copy")).ok
    assert found_all(copy_store(files("copy"), limited(one_by_one)))
    assert numbers(one_by_one) == numbers(files("copy")) == list(range(10))


def found_all(report):
    return not report.differences
