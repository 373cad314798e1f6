"""The capability `Transfer`: all that a store holds, in order, and what another store held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from storecore.errors import InvalidData, StoreClosed
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    HOSTILE,
    NOON,
    TICK,
    decision,
    event,
    for_all,
    fundamental,
    refused,
    sent,
)
from storecore.testing.transfer_into import TransferIntoLaws

steps = st.integers(-3, 3).map(lambda half_days: NOON + half_days * timedelta(hours=12))
STAMPS = (
    NOON,
    (NOON + TICK).replace(tzinfo=UTC),
    (NOON + timedelta(1)).replace(tzinfo=timezone(timedelta(hours=5, minutes=30))),
    (NOON + timedelta(2)).replace(tzinfo=ZoneInfo("America/New_York")),
)
NO_QUESTIONS: tuple[dict[str, Any], ...] = (
    {"log": "trades"},
    {"log": None},
    {"log": "orders", "after": -1},
    {"log": "orders", "after": True},
    {"log": "orders", "after": "1"},
)


class TransferLaws(TransferIntoLaws):
    """What is given to a copy; what is taken from one is inherited."""

    @pytest.fixture
    def transfer(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it gives all that it holds and takes what another held."""
        return having("Transfer")

    def test_transfer_of_a_new_store_gives_nothing(self, transfer: Recorder) -> None:
        """Each iterator ends at once."""
        assert [*transfer.iter_fundamentals(), *transfer.iter_events()] == []
        assert [*transfer.iter_audit("decisions"), *transfer.iter_audit("orders")] == []

    def test_transfer_gives_all_fundamentals_by_symbol_then_by_timestamp(
        self, transfer: Recorder
    ) -> None:
        """Of symbols without bars too, each exactly as it was last written, its time zone too."""
        written = {}
        for symbol in reversed(HOSTILE):
            for number, stamp in enumerate(reversed(STAMPS)):
                for name in ("old", "new"):
                    data = fundamental(stamp, symbol=symbol, company_name=name, employees=number)
                    transfer.write_fundamental(symbol, data)
                    written[symbol, stamp.replace(tzinfo=stamp.tzinfo or UTC)] = data
        given = list(transfer.iter_fundamentals())
        assert given == [written[key] for key in sorted(written)]
        zones = [getattr(each.timestamp.tzinfo, "key", None) for each in given]
        assert zones == [None, None, None, "America/New_York"] * len(HOSTILE)

    @for_all(moments=st.lists(steps, max_size=12))
    def test_e1_all_events_are_given_by_timestamp_then_by_order_of_writing(
        self, transfer: Recorder, fresh_name: Callable[[], str], moments: list[datetime]
    ) -> None:
        """Identical ones each, their times in aware UTC."""
        name = fresh_name()
        for number, at in enumerate(moments):
            transfer.write_event(event(at, type=name, payload={"n": number // 2}))
        given = [each for each in transfer.iter_events() if each.type == name]
        moment = sorted(enumerate(moments), key=lambda pair: pair[1])
        expected = [(at.replace(tzinfo=UTC), number // 2) for number, at in moment]
        assert [(each.timestamp, each.payload["n"]) for each in given] == expected
        assert all(each.ingested_at.tzinfo is not None for each in given)

    @for_all(
        moments=st.lists(steps, max_size=12),
        bounds=st.tuples(st.none() | steps, st.none() | steps),
        aware=st.booleans(),
    )
    def test_t3_events_of_a_range_are_given_both_ends_included(
        self,
        offering: Callable[..., Recorder],
        fresh_name: Callable[[], str],
        moments: list[datetime],
        bounds: tuple[datetime | None, datetime | None],
        aware: bool,
    ) -> None:
        """As `iter_events` without bounds gives them, with times of the kind that is asked for."""
        transfer, name = offering("iter_events"), fresh_name()
        for number, at in enumerate(moments):
            transfer.write_event(event(at, type=name, payload={"n": number // 2}))
        start, end = sorted(bounds) if None not in bounds else bounds  # type: ignore[type-var]
        zone = UTC if aware else None
        asked = [at and at.replace(tzinfo=zone) for at in (start, end)]
        given = [each for each in transfer.iter_events(*asked) if each.type == name]
        expected = [
            (at.replace(tzinfo=UTC if aware or asked == [None, None] else None), number // 2)
            for number, at in sorted(enumerate(moments), key=lambda pair: pair[1])
            if (start is None or start <= at) and (end is None or at <= end)
        ]
        assert [(each.timestamp, each.payload["n"]) for each in given] == expected

    def test_t2_iter_events_refuses_a_range_of_two_kinds_at_once(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Not when the events are gone through."""
        transfer = offering("iter_events")
        for start, end in ((NOON, NOON.replace(tzinfo=UTC)), (NOON + TICK, NOON)):
            with refused(InvalidData, value=(start, end)):
                transfer.iter_events(start, end)

    def test_transfer_goes_on_while_earlier_events_are_written(self, transfer: Recorder) -> None:
        """A copy writes behind what it has gone through in the same store."""
        for day in range(4):
            transfer.write_event(event(NOON + timedelta(day), payload={"n": day}))
        seen = []
        for each in islice(transfer.iter_events(), 8):  # it may go on for ever
            seen.append(each.payload["n"])
            transfer.write_event(event(NOON - timedelta(1), payload={"n": -1}))
        assert seen == [0, 1, 2, 3]
        assert len(transfer.read_events(*EVER)) == 8

    def test_a3_the_records_of_a_log_are_given_as_they_were_logged(
        self, transfer: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """Number, time and hashes are those that are read; the day is this machine's local one."""
        trail = having("AuditTrail")
        for number in range(3):
            transfer.log_decision(f"S{number}", decision())
            transfer.log_order("value", *sent(quantity=number))
        for log, read in (("decisions", trail.read_decisions), ("orders", trail.read_orders)):
            records = read(*EVER)
            lines = [each.line for each in transfer.iter_audit(log)]
            assert [line.rpartition(b'"hash":')[2] for line in lines] == [
                b'"%b"}\n' % record.hash.encode() for record in records
            ]
            logged = [each.timestamp.replace(tzinfo=UTC).timestamp() for each in records]
            days = [each.day for each in transfer.iter_audit(log)]
            assert days == [date.fromtimestamp(each) for each in logged]

    def test_transfer_gives_the_records_behind_a_number(self, transfer: Recorder) -> None:
        """None where there are no more."""
        for _ in range(3):
            transfer.log_decision("value", decision())
        whole = list(transfer.iter_audit("decisions"))
        for after in range(5):
            assert list(transfer.iter_audit("decisions", after)) == whole[after:]
            assert list(transfer.iter_audit("orders", after)) == []

    def test_transfer_refuses_what_is_no_log_or_number_at_once(self, transfer: Recorder) -> None:
        """Not when the records are gone through."""
        for wrong in NO_QUESTIONS:
            with refused(InvalidData, next(reversed(wrong)), value=wrong):
                transfer.iter_audit(**wrong)

    def test_l1_what_is_being_gone_through_ends_with_the_store(
        self, transfer: Recorder, store: Any
    ) -> None:
        """An iterator of a store that is closed says so."""
        for day in range(2):
            transfer.write_event(event(NOON + timedelta(day)))
            transfer.write_fundamental("AAPL", fundamental(NOON + timedelta(day)))
            transfer.log_decision("value", decision())
        given = (
            transfer.iter_fundamentals(),
            transfer.iter_events(),
            transfer.iter_audit("decisions"),
        )
        for each in given:
            next(each)
        store.close()
        for each in given:
            with refused(StoreClosed, value="an iterator of a closed store"):
                next(each)
