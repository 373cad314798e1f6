"""Laws A1 to A4 as far as every backend shares them: one record a call, in order, in a chain."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from storecore import Decision, InvalidData, OrderResult

ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def test_a1_each_call_is_one_record_with_what_was_logged(store, decision, sent):
    before = datetime.now(UTC)
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    (decided,) = store.read_decisions(*ALWAYS)
    (ordered,) = store.read_orders(*ALWAYS)
    assert (decided.strategy, decided.decision) == ("value", decision())
    assert (ordered.strategy, ordered.order, ordered.result) == ("value", *sent())
    assert before <= decided.timestamp <= ordered.timestamp <= datetime.now(UTC)


def test_a1_identical_records_are_kept_each(store, decision):
    for _ in range(3):
        store.log_decision("value", decision())
    assert len(store.read_decisions(*ALWAYS)) == 3


def test_a3_records_are_numbered_and_chained(store, decision, sent):
    for _ in range(3):
        store.log_decision("value", decision())
        store.log_order("momentum", *sent())
    for records in (store.read_decisions(*ALWAYS), store.read_orders(*ALWAYS)):
        assert [record.seq for record in records] == [1, 2, 3]
        assert [record.prev for record in records] == ["", *(each.hash for each in records[:2])]


def test_a3_a_log_that_nobody_touched_verifies(store, decision, sent):
    for _ in range(3):
        store.log_decision("value", decision())
    store.log_order("value", *sent())
    report = store.verify_audit()
    assert (report.ok, report.checked) == (True, 4)
    assert report.heads == {
        "decisions": store.read_decisions(*ALWAYS)[-1].hash,
        "orders": store.read_orders(*ALWAYS)[-1].hash,
    }


def test_a3_an_empty_log_verifies(store):
    report = store.verify_audit()
    assert (report.ok, report.checked, report.heads) == (True, 0, {"decisions": "", "orders": ""})


def test_records_are_read_by_strategy(store, decision, sent):
    for name in ("value", "momentum", "value"):
        store.log_decision(name, decision())
        store.log_order(name, *sent())
    assert [each.seq for each in store.read_decisions(*ALWAYS, "value")] == [1, 3]
    assert [each.seq for each in store.read_orders(*ALWAYS, "momentum")] == [2]
    assert store.read_orders(*ALWAYS, "unknown") == []


def test_records_are_read_by_time_both_ends_included(store, decision):
    for _ in range(3):
        store.log_decision("value", decision())
    first, second, third = (each.timestamp for each in store.read_decisions(*ALWAYS))
    assert [each.seq for each in store.read_decisions(second, third)] == [2, 3]
    assert store.read_decisions(first - timedelta(9), first - timedelta(1)) == []


def test_t2_records_come_back_in_the_kind_asked_for(store, decision):
    store.log_decision("value", decision())
    (in_utc,) = store.read_decisions(*ALWAYS)
    (naive,) = store.read_decisions(date.min, date.max)
    assert in_utc.timestamp.tzinfo is UTC
    assert naive.timestamp == in_utc.timestamp.replace(tzinfo=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"target_weight": 1.5},
        {"target_weight": -0.1},
        {"target_weight": True},
        {"confidence": float("nan")},
        {"confidence": "high"},
        {"action": "buy"},
        {"action": None},
        {"reasoning": None},
        {"symbol": 7},
    ],
    ids=repr,
)
def test_a_decision_that_is_none_is_refused_and_not_logged(store, decision, wrong):
    with pytest.raises(InvalidData, match="decision"):
        store.log_decision("value", decision(**wrong))
    assert store.read_decisions(*ALWAYS) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "HOLD"},
        {"quantity": "10"},
        {"quantity": float("inf")},
        {"quantity": None},
        {"limit_price": float("nan")},
        {"order_type": None},
    ],
    ids=repr,
)
def test_an_order_that_is_none_is_refused_and_not_logged(store, sent, wrong):
    with pytest.raises(InvalidData, match="order"):
        store.log_order("value", *sent(**wrong))
    assert store.read_orders(*ALWAYS) == []


def test_a_result_that_is_none_is_refused_and_not_logged(store, sent):
    with pytest.raises(InvalidData, match=r"result.*fill_price"):
        store.log_order("value", sent()[0], OrderResult("1", "filled", fill_price="10"))
    assert store.read_orders(*ALWAYS) == []


@pytest.mark.parametrize("what", [None, {}, "buy"])
def test_what_is_no_decision_is_refused(store, what):
    with pytest.raises(InvalidData, match="expected Decision"):
        store.log_decision("value", what)


def test_whole_quantities_stay_whole_and_numpy_numbers_become_plain(store, sent):
    quantities = [10, 0.5, np.int64(7), np.float64(2.5), 2**60 + 1]
    for quantity in quantities:
        store.log_order("value", *sent(quantity=quantity, limit_price=np.float64(9.5)))
    read = [record.order for record in store.read_orders(*ALWAYS)]
    assert [each.quantity for each in read] == [10, 0.5, 7, 2.5, 2**60 + 1]
    assert [type(each.quantity) for each in read] == [int, float, int, float, int]
    assert {type(each.limit_price) for each in read} == {float}


def test_a_decision_of_numpy_numbers_comes_back_plain(store, decision):
    store.log_decision("value", decision(target_weight=np.float64(0.25), confidence=1))
    (record,) = store.read_decisions(*ALWAYS)
    assert record.decision == decision(target_weight=0.25, confidence=1.0)
    assert isinstance(record.decision, Decision)


def test_a1_a_batch_is_a_record_each_in_the_order_given(store, decision, sent):
    store.log_decision("value", decision(symbol="A"))
    store.log_decisions("value", (decision(symbol=symbol) for symbol in "BC"))
    store.log_decision("momentum", decision(symbol="D"))
    store.log_orders("value", [sent(symbol=symbol) for symbol in "AB"])
    records = store.read_decisions(*ALWAYS)
    assert [(each.seq, each.decision.symbol) for each in records] == [*enumerate("ABCD", 1)]
    assert [each.order.symbol for each in store.read_orders(*ALWAYS)] == ["A", "B"]
    assert store.verify_audit().ok


def test_b3_an_empty_batch_of_records_does_nothing(store):
    store.log_decisions("value", [])
    store.log_orders("value", iter(()))
    assert store.verify_audit().checked == 0


def test_b2_one_wrong_record_refuses_the_batch(store, decision, sent):
    with pytest.raises(InvalidData, match=r"^decisions\[1\]: .*\$\.confidence"):
        store.log_decisions("value", [decision(), decision(confidence=2)])
    with pytest.raises(InvalidData, match=r"^decisions\[1\]: expected Decision, got NoneType"):
        store.log_decisions("value", [decision(), None])
    with pytest.raises(InvalidData, match=r"^decisions: expected an iterable .* put it in a list"):
        store.log_decisions("value", decision())
    with pytest.raises(InvalidData, match=r"^orders\[1\]\.result: .*\$\.status"):
        store.log_orders("value", [sent(), (sent()[0], OrderResult("1", None))])
    with pytest.raises(InvalidData, match=r"^orders\[1\]\.limit_price=nan: it would be kept as"):
        store.log_orders("value", [sent(), sent(limit_price=float("nan"))])
    assert store.verify_audit().checked == 0
