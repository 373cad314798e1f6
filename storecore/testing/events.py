"""Laws E1 to E3: every event comes back, in order, by type, and a late one is as cheap as a new."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from storecore.errors import InvalidData, NotSerializable
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, NOON, TICK, event, for_all, refused

steps = st.integers(-3, 3).map(lambda half_days: NOON + half_days * timedelta(hours=12))
CROWD, SAMPLES, TOLERATED = 250, 10, 8.0
NO_PAYLOADS: tuple[tuple[Any, str], ...] = (
    ({"legs": [1, (2, 3)]}, "$.legs[1]"),
    ({"at": NOON}, "$.at"),
    ({"price": float("nan")}, "$.price"),
    ({"price": Decimal("1.5")}, "$.price"),
    ({"a": {"c": {1}}}, "$.a.c"),
    ({1: "one"}, "$"),
    ([1], "$"),
    (None, "$"),
)
NO_EVENTS: tuple[Any, ...] = (
    None,
    {},
    "event",
    event(type=None),
    event(source=7),
    event(type="\ud800"),
)


class EventLaws(Fixtures):
    """What the store knows of what happened."""

    def test_e1_identical_events_are_kept_each(self, subject: Recorder) -> None:
        """Two equal trades are two trades."""
        for _ in range(3):
            subject.write_event(event())
        assert subject.read_events(*EVER) == [event()] * 3

    def test_e1_events_of_one_microsecond_keep_the_order_of_writing(
        self, subject: Recorder
    ) -> None:
        """Also where payload, type or time of arrival would sort otherwise."""
        for number in (3, 1, 2):
            late = NOON + timedelta(seconds=5 - number)
            subject.write_event(event(payload={"n": number}, type=f"t{number}", ingested_at=late))
        assert [each.payload["n"] for each in subject.read_events(*EVER)] == [3, 1, 2]

    def test_e1_events_a_microsecond_apart_are_two(self, subject: Recorder) -> None:
        """And the earlier one comes first, though it was written last."""
        subject.write_event(event(NOON + TICK))
        subject.write_event(event(NOON))
        assert subject.read_events(*EVER) == [event(NOON), event(NOON + TICK)]

    @for_all(moments=st.lists(steps, max_size=12))
    def test_e1_any_events_come_back_by_timestamp_then_by_order_of_writing(
        self, subject: Recorder, fresh_name: Callable[[], str], moments: list[datetime]
    ) -> None:
        """None is lost, none is doubled, none is out of order."""
        name = fresh_name()
        written = [event(at, type=name, payload={"n": n}) for n, at in enumerate(moments)]
        for each in written:
            subject.write_event(each)
        expected = sorted(written, key=lambda each: each.timestamp)
        assert subject.read_events(*EVER, [name]) == expected

    def test_e1_what_is_no_event_is_refused_and_not_kept(self, subject: Recorder) -> None:
        """A field of the wrong type, or no Event at all."""
        for wrong in NO_EVENTS:
            with refused(InvalidData, "event", value=wrong):
                subject.write_event(wrong)
        assert subject.read_events(*EVER) == []

    def test_e2_types_none_is_all_and_an_empty_list_is_none(self, subject: Recorder) -> None:
        """Types are any collection of texts, each matched exactly."""
        for kind in ("news", "split", "news", "News"):
            subject.write_event(event(type=kind))
        asked: list[Any] = [None, [], ["split"], ("news", "split"), {"new"}, iter(["News"])]
        counts = [len(subject.read_events(*EVER, types)) for types in asked]
        assert counts == [4, 0, 1, 3, 0, 1]

    def test_e2_a_bare_text_or_what_is_no_list_is_refused(self, subject: Recorder) -> None:
        """`"news"` is five letters, not a type."""
        for types in ("news", 7, [7]):
            with refused(InvalidData, "types", value=types):
                subject.read_events(*EVER, types)

    def test_e3_a_late_event_comes_back_in_its_place(self, subject: Recorder) -> None:
        """Ten years late."""
        subject.write_event(event(NOON))
        subject.write_event(event(NOON - timedelta(3650)))
        read = [each.timestamp for each in subject.read_events(*EVER)]
        assert read == [NOON - timedelta(3650), NOON]

    def test_e3_a_late_event_costs_what_a_new_one_costs(self, subject: Recorder) -> None:
        """Beside a crowd of newer ones, the quickest of several of each kind."""
        for number in range(CROWD):
            subject.write_event(event(NOON + number * TICK))
        late, new = [], []
        for number in range(SAMPLES):
            late.append(_seconds(subject, event(NOON - number * TICK)))
            new.append(_seconds(subject, event(NOON + (CROWD + number) * TICK)))
        ratio = min(late) / min(new)
        assert ratio < TOLERATED, f"a late event costs {ratio:.1f} times what a new one costs"

    def test_s1_a_payload_that_json_would_change_is_refused_by_path(
        self, subject: Recorder
    ) -> None:
        """The error gives the path, and the event is not kept."""
        for payload, path in NO_PAYLOADS:
            with refused(NotSerializable, path, value=payload):
                subject.write_event(event(payload=payload))
        assert subject.read_events(*EVER) == []

    def test_s1_a_payload_is_a_copy_of_what_was_given_and_of_what_was_read(
        self, subject: Recorder
    ) -> None:
        """Nobody changes an event by changing a dict."""
        given_event = event(payload={"list": [1]})
        subject.write_event(given_event)
        given_event.payload["list"].append(2)
        subject.read_events(*EVER)[0].payload["list"].append(3)
        assert subject.read_events(*EVER)[0].payload == {"list": [1]}


def _seconds(subject: Recorder, what: Any) -> float:
    start = time.perf_counter()
    subject.write_event(what)
    return time.perf_counter() - start
