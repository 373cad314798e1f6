"""The records: immutable, equal by value, unchecked until a store writes them."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import msgspec
import pytest

from storecore import Action, DecisionRecord, OrderRecord, OrderResult, Read
from storecore.models import FundamentalData, PriceBar

FIELDS = {
    "PriceBar": "symbol date open high low close volume extra",
    "FundamentalData": (
        "symbol timestamp company_name cik employees shares_outstanding float_shares "
        "industry category subcategory raw_xml extra"
    ),
    "Event": "type symbol timestamp ingested_at source payload",
    "Decision": "symbol action target_weight confidence reasoning extra",
    "Order": "strategy_name symbol action quantity order_type limit_price extra",
    "OrderResult": "order_id status fill_price fill_quantity message extra",
    "Read": "call arguments rows sha256 as_of recorded read_at",
    "DecisionRecord": "seq timestamp strategy decision prev hash as_of run reads",
    "OrderRecord": "seq timestamp strategy order result prev hash as_of run reads",
}


@pytest.fixture(params=FIELDS)
def record(request, bar, fundamental, event, decision, order):
    """One record of each kind."""
    result = OrderResult(order_id="1", status="filled")
    link = {"seq": 1, "timestamp": datetime(2026, 1, 5, tzinfo=UTC), "strategy": "value"}
    end = {"prev": "", "hash": "00"}
    records = [bar(), fundamental(), event(), decision(), order(), result]
    at = datetime(2026, 1, 5, tzinfo=UTC)
    records.append(Read("symbols", {}, 0, "00" * 32, at, None, at))
    records.append(DecisionRecord(**link, decision=decision(), **end))
    records.append(OrderRecord(**link, order=order(), result=result, **end))
    return next(each for each in records if type(each).__name__ == request.param)


def test_a_record_has_the_fields_that_the_design_names(record):
    assert record.__struct_fields__ == tuple(FIELDS[type(record).__name__].split())


def test_a_record_equals_one_of_the_same_values(record):
    assert type(record)(**msgspec.structs.asdict(record)) == record


def test_a_record_differs_from_one_of_another_value(record):
    assert msgspec.structs.replace(record, **{record.__struct_fields__[0]: "other"}) != record


def test_a_record_cannot_be_changed(record):
    with pytest.raises(AttributeError, match="immutable"):
        setattr(record, record.__struct_fields__[0], "other")


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))]
)
def test_a_record_survives_copy_and_pickle(record, copied):
    assert copied(record) == record


def test_what_a_fundamental_may_leave_out():
    known = FundamentalData(
        symbol="AAPL", timestamp=datetime(2026, 1, 5), company_name="Apple", cik="1", raw_xml=""
    )
    names = FIELDS["FundamentalData"].split()
    assert [field for field in names if getattr(known, field) is None] == [*names[4:-2], "extra"]


def test_what_an_order_and_its_result_may_leave_out(order):
    result = OrderResult("1", "submitted")
    assert (order().limit_price, order().extra) == (None, None)
    assert (result.fill_price, result.fill_quantity) == (None, None)
    assert (result.message, result.extra) == (None, None)


def test_the_actions():
    assert {action.name: action.value for action in Action} == {
        "HOLD": "hold",
        "BUY": "buy",
        "SELL": "sell",
        "EXIT": "exit",
    }


def test_a_whole_volume_stays_an_int():
    volume = PriceBar("AAPL", datetime(2026, 1, 5), 1.0, 1.0, 1.0, 1.0, 5).volume
    assert type(volume) is int
