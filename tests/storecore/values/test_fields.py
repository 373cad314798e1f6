"""Each field of a record: what users really have in it is kept exactly, or refused by its name."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from uuid import UUID

import msgspec
import numpy as np
import pandas as pd
import pytest

from storecore import (
    Action,
    Decision,
    Event,
    FundamentalData,
    InvalidData,
    NotSerializable,
    Order,
    OrderResult,
)
from storecore.audit.records import order_body
from storecore.values import fields
from storecore.values.documents import checked


class Side(str, Enum):  # noqa: UP042 - as brokers' libraries have them
    BUY = "BUY"
    SELL = "sell"


class PlainSide(Enum):
    BUY = "BUY"


class Venue(IntEnum):
    NYSE = 11


class OwnText(str):
    pass


class MuteText(str):
    def upper(self):
        raise RuntimeError("not today")

    def __eq__(self, other):
        raise RuntimeError("not today")

    __hash__ = str.__hash__


class OwnInt(int):
    pass


class OwnFloat(float):
    pass


class NoNumber(float):
    def __float__(self):
        raise ValueError("not today")


PLAIN = {
    Decision: {
        "symbol": "AAPL",
        "action": Action.BUY,
        "target_weight": 0.5,
        "confidence": 0.9,
        "reasoning": "cheap",
    },
    Order: {
        "strategy_name": "value",
        "symbol": "AAPL",
        "action": "BUY",
        "quantity": 10,
        "order_type": "MARKET",
    },
    OrderResult: {"order_id": "1", "status": "filled"},
    FundamentalData: {
        "symbol": "AAPL",
        "timestamp": pd.Timestamp("2026-01-05").to_pydatetime(),
        "company_name": "Apple",
        "cik": "0000320193",
        "raw_xml": "<x/>",
    },
}


def kept(kind, field, value):
    return getattr(checked(kind(**{**PLAIN[kind], field: value}), kind, "given"), field)


@pytest.mark.parametrize("kind", [FundamentalData, Event, Decision, Order, OrderResult])
def test_each_field_of_each_record_says_what_it_takes(kind):
    assert tuple(fields.FIELDS[kind]) == kind.__struct_fields__


@pytest.mark.parametrize(
    ("kind", "field", "given_as", "plain"),
    [
        (OrderResult, "order_id", 7, 7),
        (OrderResult, "order_id", "7", "7"),
        (OrderResult, "order_id", 2**63, 2**63),
        (OrderResult, "order_id", -(2**63) - 1, -(2**63) - 1),
        (OrderResult, "order_id", 10**30, 10**30),
        (OrderResult, "order_id", np.int64(7), 7),
        (OrderResult, "order_id", OwnInt(7), 7),
        (OrderResult, "order_id", np.str_("7"), "7"),
        (OrderResult, "order_id", OwnText("7"), "7"),
        (OrderResult, "status", Side.SELL, "sell"),
        (OrderResult, "fill_price", Decimal("258.31"), 258.31),
        (OrderResult, "fill_price", 258, 258.0),
        (OrderResult, "fill_quantity", Decimal("0.00000001"), 1e-8),
        (OrderResult, "fill_quantity", Decimal("1E+2"), 100),
        (OrderResult, "message", None, None),
        (Order, "action", Side.BUY, "BUY"),
        (Order, "action", np.str_("SELL"), "SELL"),
        (Order, "action", OwnText("SELL"), "SELL"),
        (Order, "action", MuteText("SELL"), "SELL"),
        (Order, "quantity", Decimal("10"), 10),
        (Order, "quantity", Decimal("10.00"), 10),
        (Order, "quantity", Decimal("0.1"), 0.1),
        (Order, "quantity", Decimal(0.1), 0.1),  # noqa: RUF032 - what the float is exactly
        (Order, "quantity", Decimal(2**70 + 1), 2**70 + 1),
        (Order, "quantity", np.int64(10), 10),
        (Order, "quantity", np.uint8(10), 10),
        (Order, "quantity", np.float32(0.5), 0.5),
        (Order, "quantity", np.longdouble(0.5), 0.5),
        (Order, "quantity", Fraction(1, 2), 0.5),
        (Order, "quantity", OwnInt(10), 10),
        (Order, "quantity", OwnFloat(0.5), 0.5),
        (Order, "quantity", Venue.NYSE, 11),
        (Order, "quantity", 2**64, 2**64),
        (Order, "quantity", -1, -1),
        (Order, "limit_price", Decimal("-37.63"), -37.63),
        (Order, "limit_price", OwnInt(9), 9.0),
        (Decision, "target_weight", -0.5, -0.5),
        (Decision, "target_weight", 3, 3.0),
        (Decision, "target_weight", Decimal("1.5"), 1.5),
        (Decision, "confidence", Decimal(1), 1.0),
        (Decision, "confidence", OwnFloat(0.25), 0.25),
        (FundamentalData, "employees", 164000.0, 164_000),
        (FundamentalData, "employees", np.float64(164000.0), 164_000),
        (FundamentalData, "employees", Decimal("164000"), 164_000),
        (FundamentalData, "employees", OwnInt(5), 5),
        (FundamentalData, "shares_outstanding", Decimal("14655000000"), 14_655_000_000),
        (FundamentalData, "float_shares", 0.5, 0.5),
        (FundamentalData, "cik", OwnText("0000320193"), "0000320193"),
    ],
)
def test_a_value_is_kept_as_the_plain_one_that_equals_it(kind, field, given_as, plain):
    value = kept(kind, field, given_as)
    assert (value, type(value)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        (Order, "action", "buy", '=\'buy\': expected "BUY" or "SELL", got \'buy\'; give "BUY"'),
        (
            Order,
            "action",
            Side.SELL,
            '=<Side.SELL: \'sell\'>: expected "BUY" or "SELL", got <Side.',
        ),
        (
            Order,
            "action",
            PlainSide.BUY,
            '=<PlainSide.BUY: \'BUY\'>: expected "BUY" or "SELL", got',
        ),
        (Order, "action", Action.BUY, '=<Action.BUY: \'buy\'>: expected "BUY" or "SELL", got <Act'),
        (
            Order,
            "action",
            MuteText("buy"),
            '=\'buy\': expected "BUY" or "SELL", got \'buy\'; give "B',
        ),
        (Order, "action", "HOLD", "='HOLD': expected \"BUY\" or \"SELL\", got 'HOLD'"),
        (Order, "action", None, '=None: expected "BUY" or "SELL", got None'),
        (
            Order,
            "quantity",
            "10",
            "='10': expected a finite number, got str; convert it to a number",
        ),
        (Order, "quantity", True, "=True: expected a finite number, got bool"),
        (Order, "quantity", None, "=None: expected a finite number, got NoneType"),
        (Order, "quantity", float("nan"), "=nan: expected a finite number"),
        (Order, "quantity", Decimal("NaN"), "=Decimal('NaN'): expected a finite number"),
        (Order, "quantity", Decimal("sNaN"), "=Decimal('sNaN'): expected a finite number"),
        (
            Order,
            "quantity",
            np.longdouble("inf"),
            "=np.longdouble('inf'): expected a finite number",
        ),
        (
            Order,
            "quantity",
            Decimal("0.12345678901234567891"),
            "=Decimal('0.12345678901234567891'): expected a finite number; no 64-bit float equals "
            "it: round it first",
        ),
        (Order, "quantity", Decimal("1e-400"), "=Decimal('1E-400'): expected a finite number; no "),
        (
            Order,
            "quantity",
            Decimal("1e999999"),
            "=Decimal('1E+999999'): expected a finite number; ",
        ),
        (Order, "quantity", Fraction(1, 3), "=Fraction(1, 3): expected a finite number; no 64-bit"),
        pytest.param(
            Order,
            "quantity",
            10**5000,
            "=<int>: expected a finite number; it has too many digits",
            id="quantity of 5000 digits",
        ),
        (Order, "limit_price", float("nan"), "=nan: expected a finite number or None"),
        (Order, "limit_price", pd.NA, "=<NA>: expected a finite number or None, got NAType"),
        (
            Order,
            "limit_price",
            2**53 + 1,
            "=9007199254740993: expected a finite number or None; no",
        ),
        (
            Order,
            "limit_price",
            10**400,
            "…: expected a finite number or None; no 64-bit float equals",
        ),
        (Order, "limit_price", NoNumber(1), "=1.0: expected a finite number or None"),
        (
            Order,
            "order_type",
            Decimal(1),
            "=Decimal('1'): expected a str, got Decimal; convert it to a str",
        ),
        (OrderResult, "order_id", True, "=True: expected an int or a str, got bool"),
        (
            OrderResult,
            "order_id",
            1.0,
            "=1.0: expected an int or a str, got float; convert it to a str",
        ),
        (OrderResult, "order_id", None, "=None: expected an int or a str, got NoneType"),
        (
            OrderResult,
            "order_id",
            UUID(int=7),
            "=UUID('00000000-0000-0000-0000-000000000007'): exp",
        ),
        pytest.param(
            OrderResult,
            "order_id",
            10**5000,
            "=<int>: expected an int or a str; it has too many",
            id="order_id of 5000 digits",
        ),
        (
            OrderResult,
            "order_id",
            "\ud800",
            "='\\ud800': expected an int or a str; a lone surrogate",
        ),
        (Decision, "target_weight", float("nan"), "=nan: expected a finite number"),
        (Decision, "target_weight", float("inf"), "=inf: expected a finite number"),
        (Decision, "confidence", 1.5, "=1.5: expected a number from 0 to 1"),
        (Decision, "confidence", -0.1, "=-0.1: expected a number from 0 to 1"),
        (Decision, "confidence", float("nan"), "=nan: expected a number from 0 to 1"),
        (
            Decision,
            "confidence",
            np.bool_(True),
            "=np.True_: expected a number from 0 to 1, got bool",
        ),
        (
            Decision,
            "action",
            "buy",
            "='buy': expected one of Action.HOLD, Action.BUY, Action.SELL, Action.EXIT, got 'buy'; "
            "give Action.",
        ),
        (
            Decision,
            "action",
            "short",
            "='short': expected one of Action.HOLD, Action.BUY, Action.SELL, Action.EX",
        ),
        (Decision, "reasoning", b"x", "=b'x': expected a str, got bytes; decode it first"),
        (
            Decision,
            "reasoning",
            "\ud800",
            "='\\ud800': expected a str; a lone surrogate is not text",
        ),
        (FundamentalData, "cik", 320193, "=320193: expected a str, got int; convert it to a str"),
        (
            FundamentalData,
            "raw_xml",
            b"<x/>",
            "=b'<x/>': expected a str, got bytes; decode it first",
        ),
        (FundamentalData, "employees", float("nan"), "=nan: expected a whole number or None"),
        (FundamentalData, "employees", 1.5, "=1.5: expected a whole number or None"),
        (
            FundamentalData,
            "employees",
            "164000",
            "='164000': expected a whole number or None, got str",
        ),
    ],
)
def test_what_would_change_is_refused_in_plain_words(kind, field, value, message):
    with pytest.raises(InvalidData) as caught:
        kept(kind, field, value)
    said = str(caught.value)
    assert said.startswith(f"given.{field}=")
    assert message in said


DURATIONS = [np.timedelta64(5, "ns"), np.timedelta64(5, "s"), np.timedelta64("NaT", "s")]
ODD = [float("nan"), object(), {1}, "\ud800", pd.NaT, pd.NA, [1], ..., 1j, *DURATIONS]


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, of in fields.FIELDS.items() if kind is not Event for field in of],
)
def test_what_is_refused_is_never_reported_as_json_saw_it(kind, field):
    for value in ODD if field != "timestamp" else []:
        with pytest.raises(NotSerializable if field == "extra" else InvalidData) as caught:
            kept(kind, field, value)
        assert "`" not in str(caught.value)
        assert "null" not in str(caught.value)


def test_a_line_that_was_logged_with_a_text_as_id_is_read_as_before():
    line = (
        b'{"order_id":"7","status":"filled","fill_price":null,"fill_quantity":null,"message":null}'
    )
    result = msgspec.json.decode(line, type=OrderResult)
    assert result == OrderResult("7", "filled")
    assert line in order_body("value", Order("value", "AAPL", "BUY", 1, "MARKET"), result)
