"""Laws A1 to A4, and the capability `AuditTrail`, without which nobody could see them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from storecore.audit import records as audit
from storecore.errors import InvalidData, NotSerializable
from storecore.models import Action, OrderResult
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, EVER_UTC, HOSTILE, decision, refused, sent

WEIGHTS = (0.0, 1.0, -0.5, 2.5, -3.0, 1e6)
IDS = (7, "7", 0, -1, "", "007", 2**63, 10**30, "Ünïcødé")
NO_IDS: tuple[Any, ...] = (None, True, 7.0, b"7")
ANY_PRICES: tuple[Any, ...] = ("10", float("nan"))
CHANGED: tuple[tuple[Any, str], ...] = (
    ({"fees": [1, (2, 3)]}, "$.fees[1]"),
    ({"a": {"b": datetime(2026, 1, 5)}}, "$.a.b"),
    ({"x": float("nan")}, "$.x"),
    ({"x": Decimal("1.10")}, "$.x"),
    ({"x": {1: 2}}, "$.x"),
    ([1, 2], "$"),
    ("text", "$"),
)
NO_DECISIONS: tuple[Any, ...] = (
    *(decision(target_weight=value) for value in (True, float("nan"), float("inf"), "0.5")),
    *(decision(confidence=value) for value in (1.5, -0.1, "high", None)),
    *(decision(action=value) for value in ("buy", None)),
    *(decision(reasoning=None), decision(symbol=7), None, {}, "buy"),
)
NO_ORDERS: tuple[Any, ...] = (
    *(sent(action="HOLD"), sent(order_type=None), sent(limit_price=float("nan"))),
    *(sent(action=value) for value in ("buy", Action.BUY, None)),
    *(sent(quantity=value) for value in ("10", float("inf"), None, True)),
    *((sent()[0], OrderResult("1", "filled", fill_price=value)) for value in ANY_PRICES),
    *((sent()[0], OrderResult(value, "filled")) for value in NO_IDS),
    (None, sent()[1]),
)


class _AnyDatetime(type):
    """The type of a datetime that takes every other for one of its own."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class _ClockSetBack(datetime, metaclass=_AnyDatetime):
    """A clock that goes back by an hour whenever it is read."""

    reading = datetime(2026, 1, 5, 12, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        cls.reading -= timedelta(hours=1)
        return cls.reading


def _clock_readers(kind: type) -> list[Any]:
    """Return the modules that read the time for a store: of its packages, and storecore's own."""
    packages = {each.__module__.partition(".")[0] for each in kind.__mro__} - {"builtins"}
    packages |= {name.partition(".")[0] for name in sys.modules if name.startswith("storecore")}
    passed_over = ("storecore.testing", "storecore.models")  # these only name the type
    return [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages
        and not name.startswith(passed_over)
        and vars(module).get("datetime") is datetime
    ]


class AuditLaws(Fixtures):
    """The record of every decision and order."""

    @pytest.fixture
    def trail(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if its audit log can be read back."""
        return having("AuditTrail")

    def test_a1_what_is_no_decision_or_order_is_refused(self, subject: Recorder) -> None:
        """A weight that is no number, a text in place of an Action, an id that is neither kind."""
        for wrong in NO_DECISIONS:
            with refused(InvalidData, "decision", value=wrong):
                subject.log_decision("value", wrong)
        for order, result in NO_ORDERS:
            with refused(InvalidData, value=(order, result)):
                subject.log_order("value", order, result)

    def test_a1_what_was_refused_is_not_logged(self, trail: Recorder) -> None:
        """The log holds what was done, not what was tried."""
        for wrong in NO_DECISIONS:
            with refused(InvalidData, value=wrong):
                trail.log_decision("value", wrong)
        for order, result in NO_ORDERS:
            with refused(InvalidData, value=(order, result)):
                trail.log_order("value", order, result)
        assert (trail.read_decisions(*EVER), trail.read_orders(*EVER)) == ([], [])

    def test_a1_each_call_is_one_record_with_what_was_logged(self, trail: Recorder) -> None:
        """Identical ones too, each with the moment at which it was logged."""
        before = datetime.now(UTC)
        for _ in range(3):
            trail.log_decision("value", decision())
            trail.log_order("value", *sent(quantity=2**60 + 1))
        after = datetime.now(UTC)
        decided, ordered = trail.read_decisions(*EVER_UTC), trail.read_orders(*EVER_UTC)
        assert [(each.strategy, each.decision) for each in decided] == [("value", decision())] * 3
        expected = ("value", *sent(quantity=2**60 + 1))
        assert [(each.strategy, each.order, each.result) for each in ordered] == [expected] * 3
        assert all(before <= each.timestamp <= after for each in (*decided, *ordered))

    def test_a1_quantities_stay_whole_or_fractional(self, trail: Recorder) -> None:
        """A whole number stays an int, whatever its size."""
        quantities = [10, 0.5, 2**60 + 1]
        for quantity in quantities:
            trail.log_order("value", *sent(quantity=quantity))
        read = [each.order.quantity for each in trail.read_orders(*EVER)]
        assert (read, [type(each) for each in read]) == (quantities, [int, float, int])

    def test_a1_a_weight_is_any_finite_number(self, trail: Recorder) -> None:
        """A short position is below 0, one with leverage above 1."""
        for weight in WEIGHTS:
            trail.log_decision("value", decision(target_weight=weight))
        read = [each.decision.target_weight for each in trail.read_decisions(*EVER)]
        assert read == list(WEIGHTS)

    def test_a1_the_id_of_an_order_comes_back_as_given(self, trail: Recorder) -> None:
        """Brokers number their orders or name them; 7 and "7" are two."""
        for each in IDS:
            trail.log_order("value", sent()[0], OrderResult(each, "filled"))
        read = [each.result.order_id for each in trail.read_orders(*EVER)]
        assert (read, [type(each) for each in read]) == (list(IDS), [type(each) for each in IDS])

    def test_a1_numbers_of_other_types_are_logged_as_the_plain_ones(self, trail: Recorder) -> None:
        """A `Decimal` as the int or the float that is written with the same digits."""
        order, _ = sent(quantity=Decimal("10"), limit_price=Decimal("0.1"))
        trail.log_order("value", order, OrderResult("1", "filled", fill_quantity=Fraction(1, 2)))  # type: ignore[arg-type]
        with refused(InvalidData, "quantity", value="more digits than a float has"):
            trail.log_order("value", *sent(quantity=Decimal("0." + "3" * 30)))
        (read,) = trail.read_orders(*EVER)
        kept = [read.order.quantity, read.order.limit_price, read.result.fill_quantity]
        assert (kept, [type(each) for each in kept]) == ([10, 0.1, 0.5], [int, float, float])

    def test_s1_an_extra_that_json_would_change_is_refused_by_path_and_nothing_is_logged(
        self, trail: Recorder
    ) -> None:
        """As in a state: of a decision, of an order and of a result."""
        order, result = sent()
        for extra, path in CHANGED:
            with refused(NotSerializable, "decision.extra", path, value=extra):
                trail.log_decision("value", decision(extra=extra))
            with refused(NotSerializable, "order.extra", path, value=extra):
                trail.log_order("value", replace(order, extra=extra), result)
            with refused(NotSerializable, "result.extra", path, value=extra):
                trail.log_order("value", order, replace(result, extra=extra))
        assert (trail.read_decisions(*EVER), trail.read_orders(*EVER)) == ([], [])

    def test_s1_an_extra_that_is_logged_is_a_copy_of_what_was_given_and_of_what_is_read(
        self, trail: Recorder
    ) -> None:
        """Nobody changes a record."""
        given: dict[str, Any] = {"fees": [1]}
        trail.log_decision("value", decision(extra=given))
        trail.log_order("value", sent(extra=given)[0], replace(sent()[1], extra=given))
        given["fees"].append(2)
        for _ in range(2):
            (decided,), (ordered,) = trail.read_decisions(*EVER), trail.read_orders(*EVER)
            for each in (decided.decision, ordered.order, ordered.result):
                assert each.extra == {"fees": [1]}
                each.extra["fees"].append(3)

    def test_n3_an_order_of_another_strategy_is_refused(self, trail: Recorder) -> None:
        """The error names the field and both strategies, and nothing is logged."""
        with refused(InvalidData, "strategy_name", "value", "momentum", value="of value"):
            trail.log_order("momentum", *sent(strategy_name="value"))
        assert trail.read_orders(*EVER) == []

    def test_n1_any_strategy_name_comes_back_from_the_log(self, trail: Recorder) -> None:
        """And is distinguished from every other."""
        for name in HOSTILE:
            trail.log_decision(name, decision())
        assert [each.strategy for each in trail.read_decisions(*EVER)] == list(HOSTILE)
        for number, name in enumerate(HOSTILE, 1):
            assert [each.seq for each in trail.read_decisions(*EVER, name)] == [number]

    def test_a2_later_records_leave_the_earlier_ones_as_they_are(self, trail: Recorder) -> None:
        """Down to their hashes."""
        trail.log_decision("value", decision())
        trail.log_order("value", *sent())
        before = trail.read_decisions(*EVER), trail.read_orders(*EVER)
        for _ in range(3):
            trail.log_decision("value", decision(reasoning="dear"))
            trail.log_order("value", *sent(quantity=1))
        assert (trail.read_decisions(*EVER)[:1], trail.read_orders(*EVER)[:1]) == before

    def test_a3_records_are_numbered_and_chained_by_the_hash_of_their_bytes(
        self, trail: Recorder
    ) -> None:
        """Each record's hash is the one that core computes from the record before it."""
        for name in ("value", "Ünïcødé", "value"):
            trail.log_decision(name, decision())
            trail.log_order(name, *sent(strategy_name=name))
        for records in (trail.read_decisions(*EVER_UTC), trail.read_orders(*EVER_UTC)):
            last = audit.GENESIS
            for record in records:
                prev, (_, link) = last.hash, audit.chained(record, last)
                assert (record.seq, record.prev, record.hash) == (link.seq, prev, link.hash)
                last = link

    def test_a3_a_log_that_nobody_touched_verifies(self, trail: Recorder) -> None:
        """Its heads are the last hashes, to be kept elsewhere."""
        empty = trail.verify_audit()
        assert (empty.ok, empty.checked) == (True, 0)
        assert empty.heads == {"decisions": "", "orders": ""}
        for _ in range(3):
            trail.log_decision("value", decision())
        trail.log_order("value", *sent())
        report = trail.verify_audit()
        assert (report.ok, report.checked) == (True, 4), report
        decided, ordered = trail.read_decisions(*EVER), trail.read_orders(*EVER)
        assert report.heads == {"decisions": decided[-1].hash, "orders": ordered[-1].hash}

    def test_a4_order_is_seq_though_the_clock_is_set_back(
        self, trail: Recorder, writer: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Wherever Python reads the time for core's functions or in the package of the store."""
        with monkeypatch.context() as patched:
            for module in _clock_readers(type(writer)):
                patched.setattr(module, "datetime", _ClockSetBack)
            for _ in range(3):
                trail.log_decision("value", decision())
                trail.log_order("value", *sent())
        assert trail.verify_audit().ok
        for records in (trail.read_decisions(*EVER), trail.read_orders(*EVER)):
            assert [each.seq for each in records] == [1, 2, 3]
            moments = [each.timestamp for each in records]
            if moments == sorted(moments):
                pytest.skip("not tried: the store's clock is not one that the kit can set back")

    def test_audit_trail_is_read_by_strategy_and_by_time_both_ends_included(
        self, trail: Recorder
    ) -> None:
        """A strategy that never logged has no records."""
        for name in ("value", "momentum", "value"):
            trail.log_decision(name, decision())
            trail.log_order(name, *sent(strategy_name=name))
        assert [each.seq for each in trail.read_orders(*EVER, "momentum")] == [2]
        assert [each.seq for each in trail.read_decisions(*EVER, "value")] == [1, 3]
        assert trail.read_orders(*EVER, "val") == trail.read_decisions(*EVER, "Value") == []
        first, second, third = (each.timestamp for each in trail.read_decisions(*EVER))
        seqs = [each.seq for each in trail.read_decisions(second, third)]
        assert seqs[-2:] == [2, 3]
        assert trail.read_decisions(first - timedelta(9), first - timedelta(1)) == []

    def test_t2_records_come_back_in_the_kind_asked_for(self, trail: Recorder) -> None:
        """Naive for naive bounds and for dates, aware UTC for aware ones."""
        trail.log_decision("value", decision())
        (in_utc,) = trail.read_decisions(*EVER_UTC)
        (naive,) = trail.read_decisions(date.min, date.max)
        assert (in_utc.timestamp.tzinfo, naive.timestamp.tzinfo) == (UTC, None)
        assert replace(naive, timestamp=in_utc.timestamp) == in_utc
        assert naive.timestamp == in_utc.timestamp.replace(tzinfo=None)
