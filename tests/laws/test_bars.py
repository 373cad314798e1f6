"""Laws B1 to B5: bars are checked whole, unique by date, sorted, and exact."""

from __future__ import annotations

import math
import struct
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData

FIELDS = ("open", "high", "low", "close")
DAY = datetime(2026, 1, 31)
prices = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(0, 2**63 - 1)
volumes = whole | st.floats(0, allow_nan=False, allow_infinity=False)
dates = st.integers(0, 90).map(lambda day: DAY + timedelta(day))


def read_all(store, symbol="AAPL", timeframe="1d"):
    return store.read_bars(symbol, datetime.min, datetime.max, timeframe=timeframe)


def bits(value):
    return struct.pack("<d", value)


def test_b1_a_bar_of_the_same_date_replaces_the_old_one(store, bar):
    store.write_bars("AAPL", [bar(DAY, 1.0), bar(DAY + timedelta(1), 2.0)])
    store.write_bars("AAPL", [bar(DAY, 3.0)])
    assert [each.close for each in read_all(store)] == [3.0, 2.0]


def test_b1_within_a_batch_the_last_of_a_date_wins(store, bar):
    store.write_bars("AAPL", [bar(DAY, 1.0), bar(DAY, 2.0), bar(DAY.date(), 3.0)])
    assert [each.close for each in read_all(store)] == [3.0]


@given(batches=st.lists(st.lists(st.tuples(dates, prices, volumes), max_size=8), max_size=4))
def test_b1_any_batches_in_any_order_leave_the_last_write_of_each_date_sorted(
    store, bar, fresh_name, batches
):
    symbol, expected = fresh_name(), {}
    for batch in batches:
        bars = [bar(at, close, volume=volume, symbol=symbol) for at, close, volume in batch]
        store.write_bars(symbol, bars)
        expected |= {each.date: each for each in bars}
    assert read_all(store, symbol) == [expected[at] for at in sorted(expected)]


def test_b1_timeframes_are_series_of_their_own(store, bar):
    store.write_bars("AAPL", [bar(DAY, 1.0)])
    store.write_bars("AAPL", [bar(DAY, 2.0)], timeframe="1m")
    store.write_bars("AAPL", [bar(DAY, 3.0)], timeframe="1M")
    closes = [read_all(store, timeframe=name)[0].close for name in ("1d", "1m", "1M")]
    assert closes == [1.0, 2.0, 3.0]


BAD_PRICES = [
    math.nan,
    math.inf,
    -math.inf,
    True,
    np.bool_(True),
    np.float64("nan"),
    "1.5",
    None,
    Decimal("1.5"),
    1 + 1j,
    2**53 + 1,
    10**400,
    Fraction(1, 3),
    [1.0],
]
BAD_VOLUMES = [*BAD_PRICES[:10], -1, -0.5, 2**63, 10**400, np.int64(-1), np.uint64(2**63)]


@pytest.mark.parametrize("value", BAD_PRICES, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_b2_a_price_that_is_none_is_refused_by_row_and_field(store, bar, field, value):
    store.write_bars("AAPL", [bar(DAY)])
    with pytest.raises(InvalidData, match=rf"bars\[2\]\.{field}="):
        store.write_bars("AAPL", [bar(DAY, 5.0), bar(DAY), bar(DAY, **{field: value})])
    assert read_all(store) == [bar(DAY)]


@pytest.mark.parametrize("value", BAD_VOLUMES, ids=repr)
def test_b2_a_volume_that_is_none_is_refused_by_row_and_field(store, bar, value):
    store.write_bars("AAPL", [bar(DAY)])
    with pytest.raises(InvalidData, match=r"bars\[1\]\.volume="):
        store.write_bars("AAPL", [bar(DAY, 5.0), bar(DAY, volume=value)])
    assert read_all(store) == [bar(DAY)]


@pytest.mark.parametrize("rows", [None, 7, [None], ["bar"], [{"close": 1.0}]])
def test_b2_what_is_no_bar_is_refused(store, rows):
    with pytest.raises(InvalidData, match="expected a"):
        store.write_bars("AAPL", rows)


def test_b2_a_single_bar_in_place_of_a_batch_is_refused(store, bar):
    with pytest.raises(InvalidData, match="put it in a list"):
        store.write_bars("AAPL", bar())


def test_b2_odd_but_real_bars_are_kept_as_given(store, bar):
    odd = [
        bar(DAY, high=1.0, low=2.0),
        bar(DAY + timedelta(1), close=-37.63),
        bar(DAY + timedelta(2), open=0.0, volume=0),
        bar(DAY + timedelta(3), close=1e300),
    ]
    store.write_bars("AAPL", odd)
    assert read_all(store) == odd


def test_b3_an_empty_batch_does_nothing(store):
    store.write_bars("AAPL", [])
    store.write_bars("AAPL", iter(()))
    assert read_all(store) == []
    assert store.symbols() == []


def test_b3_a_symbol_that_was_never_written_has_no_bars(store):
    assert read_all(store, "NONE") == []


@given(values=st.lists(prices, min_size=4, max_size=4))
def test_b5_prices_come_back_bit_for_bit(store, bar, fresh_name, values):
    symbol = fresh_name()
    store.write_bars(symbol, [bar(symbol=symbol, **dict(zip(FIELDS, values, strict=True)))])
    (read,) = read_all(store, symbol)
    assert [bits(getattr(read, field)) for field in FIELDS] == [bits(value) for value in values]


@given(given_volumes=st.lists(volumes, min_size=1, max_size=6))
def test_b5_volumes_come_back_exactly_and_whole_ones_as_int(store, bar, fresh_name, given_volumes):
    symbol = fresh_name()
    store.write_bars(
        symbol,
        [
            bar(DAY + timedelta(day), volume=volume, symbol=symbol)
            for day, volume in enumerate(given_volumes)
        ],
    )
    read = [each.volume for each in read_all(store, symbol)]
    assert read == given_volumes
    assert [type(volume) for volume in read] == [
        int if volume == int(volume) and volume < 2**63 else float for volume in given_volumes
    ]


@pytest.mark.parametrize(
    ("given_as", "value"),
    [
        (np.float64(101.25), 101.25),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(7), 7.0),
        (np.uint8(7), 7.0),
        (100, 100.0),
        (2**53, 2.0**53),
        (Fraction(1, 4), 0.25),
    ],
)
def test_b5_numbers_of_other_types_come_back_as_the_float_they_equal(store, bar, given_as, value):
    store.write_bars("AAPL", [bar(close=given_as)])
    (read,) = read_all(store)
    assert (type(read.close), read.close) == (float, value)


@pytest.mark.parametrize(
    ("given_as", "value"),
    [
        (np.int64(7), 7),
        (np.float64(7.5), 7.5),
        (7.0, 7),
        (2**63 - 1, 2**63 - 1),
        (2.0**63, 2.0**63),
    ],
)
def test_b5_volumes_of_other_types_come_back_plain(store, bar, given_as, value):
    store.write_bars("AAPL", [bar(volume=given_as)])
    (read,) = read_all(store)
    assert (type(read.volume), read.volume) == (type(value), value)


def test_a_generator_of_bars_is_a_batch(store, bar):
    store.write_bars("AAPL", (bar(DAY + timedelta(day)) for day in range(3)))
    assert len(read_all(store)) == 3


def test_the_catalog_tells_first_last_and_count(store, bar):
    store.write_bars("AAPL", [bar(date(2026, month, 5)) for month in (3, 1, 2)])
    coverage = store.bar_coverage("AAPL")
    assert (coverage.first.isoformat(), coverage.last.isoformat(), coverage.count) == (
        "2026-01-05T00:00:00+00:00",
        "2026-03-05T00:00:00+00:00",
        3,
    )


def test_the_catalog_of_a_series_without_bars_is_empty(store):
    coverage = store.bar_coverage("AAPL", timeframe="1h")
    assert (coverage.first, coverage.last, coverage.count) == (None, None, 0)
    assert (store.symbols(), store.symbols("1h"), store.timeframes("AAPL")) == ([], [], [])


def test_the_catalog_lists_symbols_by_timeframe(store, bar):
    store.write_bars("AAPL", [bar()])
    store.write_bars("MSFT", [bar(symbol="MSFT")], timeframe="1h")
    listed = [store.symbols(timeframe) for timeframe in (None, "1d", "1h", "1m")]
    assert listed == [["AAPL", "MSFT"], ["AAPL"], ["MSFT"], []]
    assert store.timeframes("MSFT") == ["1h"]
