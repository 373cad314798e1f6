"""Laws T1, B2, B5 and S1 for what numpy, pandas, Polars and DuckDB make; the kit does without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from storecore import Decision, InvalidData, NotSerializable
from storecore.testing.records import bar_table

NOON = datetime(2026, 1, 5, 12)
EVER = datetime.min, datetime.max


def only_bar(store):
    (read,) = store.read_bars("AAPL", *EVER)
    return read


@pytest.mark.parametrize(
    ("given_as", "utc"),
    [
        (pd.Timestamp("2026-01-05 12:00"), NOON),
        (pd.Timestamp("2026-01-05 12:00", tz="Asia/Tokyo"), datetime(2026, 1, 5, 3)),
        (np.datetime64("2026-01-05T12:00:00.000001"), NOON + timedelta(microseconds=1)),
        (np.datetime64("2026-01-05T12", "ns"), NOON),
        (np.datetime64("2026-01-05"), datetime(2026, 1, 5)),
    ],
)
def test_t1_a_bar_is_kept_at_its_instant_as_a_plain_datetime(store, bar, given_as, utc):
    store.write_bars("AAPL", [bar(given_as)])
    read = only_bar(store)
    assert (type(read.date), read.date, read.date.tzinfo) == (datetime, utc, None)


@pytest.mark.parametrize(
    "moment",
    [
        pd.Timestamp("2026-01-05 12:00:00.000000001"),
        np.datetime64("2026-01-05T12:00:00.000000001"),
        pd.NaT,
        np.datetime64("NaT", "us"),
    ],
)
def test_t1_what_is_no_microsecond_is_refused_and_named(store, bar, event, moment):
    with pytest.raises(InvalidData, match=r"bars\[1\]\.date"):
        store.write_bars("AAPL", [bar(), bar(moment)])
    with pytest.raises(InvalidData, match=r"event\.ingested_at"):
        store.write_event(event(ingested_at=moment))
    with pytest.raises(InvalidData, match="start="):
        store.read_bars("AAPL", pd.NaT, NOON)
    assert store.read_bars("AAPL", *EVER) == []


@pytest.mark.parametrize("value", [np.bool_(True), np.float64("nan"), np.array([1.0])], ids=repr)
def test_b2_what_is_no_number_is_refused_by_row_and_field(store, bar, value):
    with pytest.raises(InvalidData, match=r"bars\[1\]\.close="):
        store.write_bars("AAPL", [bar(), bar(close=value)])


@pytest.mark.parametrize("value", [np.int64(-1), np.uint64(2**63)])
def test_b2_a_volume_out_of_range_is_refused(store, bar, value):
    with pytest.raises(InvalidData, match=r"bars\[0\]\.volume="):
        store.write_bars("AAPL", [bar(volume=value)])


@pytest.mark.parametrize(
    ("given_as", "value"),
    [
        (np.float64(101.25), 101.25),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(7), 7.0),
        (np.uint8(7), 7.0),
    ],
)
def test_b5_prices_come_back_as_the_float_they_equal(store, bar, given_as, value):
    store.write_bars("AAPL", [bar(close=given_as)])
    read = only_bar(store)
    assert (type(read.close), read.close) == (float, value)


@pytest.mark.parametrize(
    ("given_as", "value"), [(np.int64(7), 7), (np.float64(7.5), 7.5), (7.0, 7), (2.0**63, 2.0**63)]
)
def test_b5_volumes_come_back_plain(store, bar, given_as, value):
    store.write_bars("AAPL", [bar(volume=given_as)])
    read = only_bar(store)
    assert (type(read.volume), read.volume) == (type(value), value)


@pytest.mark.parametrize(
    "frame_of",
    [pl.from_arrow, lambda table: table.to_pandas(), duckdb.from_arrow, lambda t: t.to_reader()],
    ids=["Polars", "pandas", "DuckDB", "a stream of Arrow"],
)
def test_a_frame_of_another_library_is_written(store, bar, frame_of):
    bars = [bar(symbol="AAPL"), bar(symbol="MSFT", volume=0.5)]
    store.write_bar_table(frame_of(bar_table(bars)))
    assert store.symbols() == ["AAPL", "MSFT"]
    assert [each for name in store.symbols() for each in store.read_bars(name, *EVER)] == bars


def test_s1_numpy_values_that_are_no_json_are_refused(store):
    for value in (np.array([1.0]), np.int64(1)):
        with pytest.raises(NotSerializable, match=r"\$\.x"):
            store.save_strategy_state("value", {"x": value})


def test_s1_numpy_floats_and_texts_are_kept_as_plain_ones(store, event):
    state = {"x": np.float64(1.5), "y": [np.str_("text")]}
    store.save_strategy_state("value", state)
    assert store.load_strategy_state("value") == state
    store.write_event(event(payload={"price": np.float64(1.5)}))
    (read,) = store.read_events(*EVER)
    assert type(read.payload["price"]) is float


def test_f1_numpy_scalars_of_a_fundamental_come_back_plain(store, fundamental):
    store.write_fundamental("AAPL", fundamental(employees=np.int64(5), float_shares=np.float64(2)))
    read = store.read_fundamental("AAPL")
    assert (type(read.employees), type(read.float_shares)) == (int, float)


def test_a1_numbers_of_numpy_are_logged_as_plain_ones(store, sent, decision):
    store.log_order("value", *sent(quantity=np.int64(7), limit_price=np.float64(9.5)))
    store.log_decision("value", decision(target_weight=np.float64(0.25), confidence=1))
    bounds = (each.replace(tzinfo=UTC) for each in EVER)
    (ordered,) = store.read_orders(*EVER)
    (decided,) = store.read_decisions(*bounds)
    assert (type(ordered.order.quantity), type(ordered.order.limit_price)) == (int, float)
    assert decided.decision == decision(target_weight=0.25, confidence=1.0)
    assert isinstance(decided.decision, Decision)
