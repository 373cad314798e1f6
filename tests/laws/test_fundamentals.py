"""Laws F1 and F2: the latest fundamental not after a moment, one a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData

FILED = datetime(2026, 1, 5, 21, 30)
moments = st.integers(0, 5_000).map(lambda step: FILED + timedelta(microseconds=step))


def test_f1_the_latest_of_all_is_read_without_as_of(store, fundamental):
    for day in (2, 3, 1):
        store.write_fundamental("AAPL", fundamental(FILED + timedelta(day), employees=day))
    assert store.read_fundamental("AAPL").employees == 3


def test_f1_as_of_includes_its_own_microsecond_and_no_later_one(store, fundamental):
    store.write_fundamental("AAPL", fundamental(FILED))
    tick = timedelta(microseconds=1)
    assert store.read_fundamental("AAPL", as_of=FILED - tick) is None
    assert store.read_fundamental("AAPL", as_of=FILED) == fundamental(FILED)
    assert store.read_fundamental("AAPL", as_of=FILED.replace(tzinfo=UTC)) == fundamental(FILED)


@given(written=st.lists(moments, max_size=8), as_of=moments)
def test_f1_holds_in_whatever_order_they_were_written(
    store, fundamental, fresh_name, written, as_of
):
    symbol = fresh_name()
    for moment in written:
        store.write_fundamental(symbol, fundamental(moment, symbol=symbol))
    known = [moment for moment in written if moment <= as_of]
    read = store.read_fundamental(symbol, as_of=as_of)
    assert (read and read.timestamp) == max(known, default=None)


def test_f1_a_symbol_that_was_never_written_has_none(store):
    assert store.read_fundamental("NONE") is None
    assert store.read_fundamental("NONE", as_of=FILED) is None


def test_f2_the_same_moment_replaces_whatever_its_time_zone(store, fundamental):
    store.write_fundamental("AAPL", fundamental(FILED, employees=1))
    store.write_fundamental("AAPL", fundamental(FILED.replace(tzinfo=UTC), employees=2))
    assert store.read_fundamental("AAPL").employees == 2
    assert store.read_fundamental("AAPL", as_of=FILED - timedelta(1)) is None


def test_every_field_comes_back(store, fundamental):
    full = fundamental(
        employees=164_000,
        shares_outstanding=14_681_140_000,
        float_shares=14_655_000_000.5,
        industry="Consumer electronics",
        category="Ünïcødé",
        subcategory="",
        raw_xml="<a>\0\n\r\u2028'\"\\</a>",
    )
    store.write_fundamental("AAPL", full)
    read = store.read_fundamental("AAPL")
    assert read == full
    assert type(read.shares_outstanding) is int


def test_numpy_scalars_come_back_plain(store, fundamental):
    store.write_fundamental("AAPL", fundamental(employees=np.int64(5), float_shares=np.float64(2)))
    read = store.read_fundamental("AAPL")
    assert (type(read.employees), type(read.float_shares)) == (int, float)


@pytest.mark.parametrize(
    "wrong",
    [
        {"employees": "many"},
        {"employees": 1.5},
        {"employees": True},
        {"shares_outstanding": float("nan")},
        {"float_shares": float("inf")},
        {"cik": 320193},
        {"company_name": None},
        {"raw_xml": b"<x/>"},
        {"industry": "\ud800"},
        {"category": {1}},
    ],
    ids=repr,
)
def test_a_field_of_the_wrong_type_is_refused_and_the_old_document_stays(store, fundamental, wrong):
    store.write_fundamental("AAPL", fundamental())
    with pytest.raises(InvalidData, match="data"):
        store.write_fundamental("AAPL", fundamental(**wrong))
    assert store.read_fundamental("AAPL") == fundamental()


@pytest.mark.parametrize("data", [None, {}, "AAPL"])
def test_what_is_no_fundamental_is_refused(store, data):
    with pytest.raises(InvalidData, match="expected a FundamentalData"):
        store.write_fundamental("AAPL", data)
