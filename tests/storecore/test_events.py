"""Laws E1, E2, S1 and the time laws of events: checked, encoded, decoded and selected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import Event, InvalidData, InvalidName, NotSerializable
from storecore.events import (
    checked_event,
    decode_event,
    encode_event,
    event_types,
    select_events,
)
from storecore.values.times import time_range

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
ALWAYS = time_range(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=5,
)
moments = st.datetimes() | st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()
)
events = st.builds(
    Event,
    type=text,
    symbol=st.none() | st.text("ABC/ü", min_size=1),
    timestamp=moments,
    ingested_at=moments,
    source=text,
    payload=st.dictionaries(text, values.filter(lambda value: "inf" not in repr(value))),
)


def in_utc(moment):
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@given(event=events)
def test_every_event_comes_back_its_times_in_utc(event):
    back = decode_event(encode_event(checked_event(event)))
    assert (back.timestamp, back.ingested_at) == (
        in_utc(event.timestamp).replace(fold=0),
        in_utc(event.ingested_at).replace(fold=0),
    )
    assert [back.type, back.symbol, back.source, back.payload] == [
        event.type,
        event.symbol,
        event.source,
        event.payload,
    ]


@given(event=events)
def test_an_event_that_was_checked_is_its_own_checked_event(event):
    checked = checked_event(event)
    assert checked_event(checked) == checked


def test_a_checked_event_holds_its_own_payload(event):
    given_as = event(payload={"tags": ["up"]})
    checked = checked_event(given_as)
    given_as.payload["tags"].append("down")
    assert checked.payload == {"tags": ["up"]}


def test_an_event_of_the_system_has_no_symbol(event):
    assert checked_event(event(symbol=None)).symbol is None


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"payload": {"a": np.float64(1.5)}}, {"payload": {"a": 1.5}}),
        ({"type": np.str_("news")}, {"type": "news"}),
        ({"timestamp": pd.Timestamp(NOON)}, {"timestamp": NOON}),
        ({"timestamp": np.datetime64("2026-01-05T12", "ns")}, {"timestamp": NOON}),
        ({"ingested_at": NOON.astimezone(NEW_YORK)}, {"ingested_at": NOON}),
        ({"timestamp": datetime(2026, 1, 5, 12, fold=1)}, {"timestamp": NOON}),
    ],
)
def test_values_of_other_types_are_kept_as_the_plain_ones_that_they_equal(event, fields, kept):
    assert checked_event(event(**fields)) == checked_event(event(**kept))


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"symbol": ""}, InvalidName, r"^event\.symbol is empty"),
        ({"symbol": 5}, InvalidName, r"^event\.symbol: expected a str, got 5"),
        ({"symbol": "\ud800"}, InvalidName, r"^event\.symbol .*surrogate"),
        ({"type": None}, InvalidData, r"^event\.type=None: expected a str, got NoneType$"),
        (
            {"source": 5},
            InvalidData,
            r"^event\.source=5: expected a str, got int; convert it to a str$",
        ),
        (
            {"source": "\ud800"},
            InvalidData,
            r"^event\.source='\\ud800': expected a str; a lone surrogate",
        ),
        ({"timestamp": date(2026, 1, 5)}, InvalidData, r"^event\.timestamp=.*got a date"),
        ({"ingested_at": pd.NaT}, InvalidData, r"^event\.ingested_at=NaT"),
        (
            {"timestamp": pd.Timestamp("2026-01-05T12:00:00.000000001")},
            InvalidData,
            r"^event\.timestamp=.*whole microseconds",
        ),
        (
            {"timestamp": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
            InvalidData,
            r"^event\.timestamp=.*outside the years",
        ),
        ({"payload": None}, NotSerializable, r"^event\.payload: \$: expected a dict"),
        ({"payload": {"a": (1,)}}, NotSerializable, r"^event\.payload: \$\.a: \(1,\): JSON"),
        ({"payload": {"a": [float("nan")]}}, NotSerializable, r"^event\.payload: \$\.a\[0\]: nan"),
        ({"payload": {"a": NOON}}, NotSerializable, r"^event\.payload: \$\.a: datetime"),
        ({"payload": {1: 2}}, NotSerializable, r"^event\.payload: \$: 1: a key must be a str"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(event, fields, kind, message):
    with pytest.raises(kind, match=message):
        checked_event(event(**fields))


def test_a_payload_that_holds_itself_is_refused(event):
    loop = {}
    loop["me"] = loop
    with pytest.raises(NotSerializable, match=r"^event\.payload: \$: nested more than 100 deep"):
        checked_event(event(payload=loop))


def test_what_a_subclass_adds_is_refused_not_dropped():
    class Scored(Event):
        score: float = 0.0

    with pytest.raises(
        InvalidData, match=r"^event\.score=0\.5: Event has no such field, so it would be lost"
    ):
        checked_event(Scored("news", None, NOON, NOON, "feed", {}, score=0.5))


@pytest.mark.parametrize("event", [None, {}, "news"])
def test_what_is_no_event_is_refused(event):
    with pytest.raises(InvalidData, match=r"^event: expected an Event, got "):
        checked_event(event)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"type":"news"}', b"\xff"])
def test_what_was_no_encoded_event_is_a_value_error(line):
    with pytest.raises(ValueError, match=r"."):
        decode_event(line)


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (None, None),
        ([], frozenset()),
        (["news", "news"], {"news"}),
        (("news", "split"), {"news", "split"}),
        ({"news": 1}, {"news"}),
        (iter(["news"]), {"news"}),
    ],
)
def test_e2_the_types_asked_for(types, wanted):
    assert event_types(types) == wanted


@pytest.mark.parametrize("types", [5, [5], [None], [["news"]], b"news", ["news", 5]])
def test_e2_types_that_are_no_text_are_refused_rather_than_never_found(types):
    with pytest.raises(InvalidData, match=r"^types=.*expected a list of str, or None for all$"):
        event_types(types)


def test_e2_one_type_alone_is_refused_with_what_to_do():
    with pytest.raises(InvalidData, match=r"^types='news': .*give \['news'\]$"):
        event_types("news")


days = st.integers(0, 3).map(lambda day: NOON + timedelta(days=day))


@given(
    written=st.lists(st.tuples(days, st.sampled_from("ab"))),
    bounds=st.tuples(days, days),
    wanted=st.none() | st.frozensets(st.sampled_from("ab")),
)
def test_e1_the_events_of_a_range_and_types_by_time_and_then_by_order_of_writing(
    written, bounds, wanted
):
    bounds = sorted(bounds)
    batch = [
        Event(type=kind, symbol=None, timestamp=at, ingested_at=at, source="", payload={"n": n})
        for n, (at, kind) in enumerate(written)
    ]
    model = sorted(
        (at, n)
        for n, (at, kind) in enumerate(written)
        if bounds[0] <= at <= bounds[1] and (wanted is None or kind in wanted)
    )
    selected = select_events(batch, time_range(*bounds), wanted)
    assert [(each.timestamp, each.payload["n"]) for each in selected] == model


@pytest.mark.parametrize("zone", [None, UTC])
def test_t2_both_times_of_an_event_are_of_the_kind_asked_for(event, zone):
    span = time_range(datetime(2026, 1, 5, tzinfo=zone), datetime(2026, 1, 6, tzinfo=zone))
    (read,) = select_events([checked_event(event())], span, None)
    assert (read.timestamp, read.ingested_at) == (datetime(2026, 1, 5, tzinfo=zone),) * 2


def test_identical_events_are_all_selected(event):
    assert len(select_events([checked_event(event())] * 2, ALWAYS, None)) == 2
