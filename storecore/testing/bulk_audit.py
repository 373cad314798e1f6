"""The capability `BulkAudit`: many records of the audit log in one call, checked whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from storecore.errors import InvalidData, InvalidName, NotSerializable
from storecore.models import OrderResult
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, NO_NAMES, decision, refused, sent

NO_RESULT = OrderResult("1", None)  # type: ignore[arg-type]
NO_DECISIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    ([decision(), decision(confidence=2)], ("decisions[1]", "confidence")),
    ([decision(), None], ("decisions[1]",)),
    (decision(), ("decisions",)),
    (7, ("decisions",)),
)
NO_ORDERS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    ([sent(), (sent()[0], NO_RESULT)], ("orders[1]", "status")),
    ([sent(), sent(limit_price=float("nan"))], ("orders[1]", "limit_price")),
    ([sent(), sent(strategy_name="momentum")], ("orders[1]", "strategy_name", "momentum")),
    ([sent(), sent()[0]], ("orders[1]",)),
    (None, ("orders",)),
)


class BulkAuditLaws(Fixtures):
    """Batches in the record of every decision and order."""

    @pytest.fixture
    def batches(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it logs batches."""
        return having("BulkAudit")

    @pytest.fixture
    def logged(self, batches: Recorder, having: Callable[[str], Recorder]) -> Recorder:
        """The same, if its audit log can be read back too."""
        return having("AuditTrail")

    def test_a1_a_batch_is_a_record_each_in_the_order_given(self, logged: Recorder) -> None:
        """Among single ones; identical ones are kept, each."""
        logged.log_decision("value", decision(symbol="A"))
        logged.log_decisions("value", (decision(symbol=symbol) for symbol in "BCC"))
        logged.log_decision("momentum", decision(symbol="D"))
        logged.log_orders("value", [sent(symbol=symbol) for symbol in "AB"])
        records = logged.read_decisions(*EVER)
        assert [(each.seq, each.decision.symbol) for each in records] == [*enumerate("ABCCD", 1)]
        assert [each.strategy for each in records] == [*["value"] * 4, "momentum"]
        orders = logged.read_orders(*EVER)
        assert [(each.order, each.result) for each in orders] == [
            sent(symbol="A"),
            sent(symbol="B"),
        ]

    def test_a3_a_batch_is_chained_record_by_record(self, logged: Recorder) -> None:
        """Each to the one before it, within the batch too."""
        logged.log_decision("value", decision())
        logged.log_decisions("value", [decision()] * 3)
        logged.log_orders("value", [sent()] * 2)
        for records in (logged.read_decisions(*EVER), logged.read_orders(*EVER)):
            hashes = [each.hash for each in records]
            assert [each.prev for each in records] == ["", *hashes[:-1]]
        report = logged.verify_audit()
        assert (report.ok, report.checked) == (True, 6), report

    def test_b2_one_wrong_record_refuses_the_batch(self, logged: Recorder) -> None:
        """The error names row and field; none of the batch is logged."""
        for wrong, words in NO_DECISIONS:
            with refused(InvalidData, *words, value=wrong):
                logged.log_decisions("value", wrong)
        for wrong, words in NO_ORDERS:
            with refused(InvalidData, *words, value=wrong):
                logged.log_orders("value", wrong)
        assert logged.verify_audit().checked == 0

    def test_b2_one_wrong_extra_refuses_the_batch_of_records(self, logged: Recorder) -> None:
        """The error names row and path; none of the batch is logged."""
        wrong = {"fees": [{1}]}
        with refused(NotSerializable, "decisions[1]", "$.fees[0]", value=wrong):
            logged.log_decisions("value", [decision(extra={}), decision(extra=wrong)])
        with refused(NotSerializable, "orders[1]", "$.fees[0]", value=wrong):
            logged.log_orders("value", [sent(extra={}), sent(extra=wrong)])
        with refused(NotSerializable, "orders[0].result", "$.fees[0]", value=wrong):
            logged.log_orders("value", [(sent()[0], replace(sent()[1], extra=wrong))])
        assert logged.verify_audit().checked == 0

    def test_b3_an_empty_batch_of_records_does_nothing(self, logged: Recorder) -> None:
        """It is no error, and no record."""
        logged.log_decisions("value", [])
        logged.log_orders("value", iter(()))
        assert logged.verify_audit().checked == 0

    def test_n2_a_batch_of_no_strategy_is_refused(self, batches: Recorder) -> None:
        """As one record of none is, and the empty batch too."""
        for name in NO_NAMES:
            with refused(InvalidName, value=name):
                batches.log_decisions(name, [decision()])
            with refused(InvalidName, value=name):
                batches.log_orders(name, [])

    def test_bulk_audit_takes_what_can_be_gone_through_once(self, batches: Recorder) -> None:
        """A batch needs no list."""
        batches.log_decisions("value", (decision() for _ in range(2)))
        batches.log_orders("value", (sent() for _ in range(2)))
