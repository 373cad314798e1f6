"""Laws B1, B2, B5 and N3: a batch of bars checked whole, sorted, the last of one date kept."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData, PriceBar
from storecore.bars.rows import MAX_WHOLE, bar_columns, price, price_bars, volume
from storecore.values.times import instant

JAN_5 = datetime(2026, 1, 5)
PRICES = ["open", "high", "low", "close"]
finite = st.floats(allow_nan=False, allow_infinity=False)
volumes = st.one_of(st.integers(0, MAX_WHOLE), st.floats(0, allow_nan=False, allow_infinity=False))
# Few dates, that many may fall on one.
dates = st.integers(0, 9).map(lambda days: JAN_5 + timedelta(days=days))
bars = st.builds(PriceBar, st.just("AAPL"), dates, finite, finite, finite, finite, volumes)


def bits(number):
    return struct.pack("<d", number)


@given(batch=st.lists(bars))
def test_b1_a_batch_is_sorted_and_of_one_date_the_last_is_kept(batch):
    model = {bar.date: bar for bar in batch}
    columns = bar_columns("AAPL", batch)
    assert price_bars("AAPL", columns, aware=False) == [model[at] for at in sorted(model)]


@given(bar=bars)
def test_b5_prices_come_back_bit_for_bit(bar):
    (back,) = price_bars("AAPL", bar_columns("AAPL", [bar]), aware=False)
    assert [bits(getattr(back, field)) for field in PRICES] == [
        bits(getattr(bar, field)) for field in PRICES
    ]


@given(number=finite)
def test_b5_a_price_is_the_very_float(number):
    assert bits(price(number, "open")) == bits(number)


@given(number=volumes)
def test_b5_a_volume_is_equal_and_an_int_where_it_is_whole_and_fits(number):
    kept = volume(number, "volume")
    fits = number <= MAX_WHOLE and number == int(number)
    assert (kept, type(kept)) == (number, int if fits else float)


@pytest.mark.parametrize("batch", [[], (), iter(()), {}])
def test_b3_an_empty_batch_is_empty_columns(batch):
    assert bar_columns("AAPL", batch) == ([], [], [], [], [], [])


def test_a_generator_is_a_batch(bar):
    assert bar_columns("AAPL", (bar(volume=row) for row in range(3))).volume == [2]


def test_t2_aware_bounds_give_aware_dates(bar):
    (back,) = price_bars("AAPL", bar_columns("AAPL", [bar(JAN_5)]), aware=True)
    assert (back.date, back.date.tzinfo) == (JAN_5.replace(tzinfo=UTC), UTC)


@pytest.mark.parametrize("at", [date(2026, 1, 5), np.datetime64("2026-01-05"), pd.Timestamp(JAN_5)])
def test_t1_a_bar_has_a_date_of_any_kind(bar, at):
    assert bar_columns("AAPL", [bar(at)]).date == [instant(JAN_5, "date")]


def test_b2_odd_but_real_bars_are_kept_as_given(bar):
    odd = bar(open=-37.63, high=1.0, low=2.0, close=-0.0)
    assert price_bars("AAPL", bar_columns("AAPL", [odd]), aware=False) == [odd]


@pytest.mark.parametrize(
    ("given_as", "kept"),
    [
        (np.float64(1.5), 1.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.int64(3), 3.0),
        (np.longdouble("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (2**60, float(2**60)),
    ],
)
@pytest.mark.parametrize("field", PRICES)
def test_b2_a_price_of_any_number_type_is_the_float_that_equals_it(bar, field, given_as, kept):
    (number,) = getattr(bar_columns("AAPL", [bar(**{field: given_as})]), field)
    assert (number, type(number)) == (kept, float)


@pytest.mark.parametrize(
    ("given_as", "kept"),
    [
        (np.int64(3), 3),
        (np.uint64(3), 3),
        (np.float64(3.0), 3),
        (np.float32(0.5), 0.5),
        (5.0, 5),
        (-0.0, 0),
        (2**53 + 1, 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
        (float(2**63), float(2**63)),
        (1e300, 1e300),
        (Fraction(6, 2), 3),
        (Decimal("3.0"), 3),
        (Decimal("0.1"), 0.1),
        (Decimal(2**53 + 1), 2**53 + 1),
    ],
)
def test_b2_a_volume_is_an_int_where_it_is_whole_and_fits(bar, given_as, kept):
    (number,) = bar_columns("AAPL", [bar(volume=given_as)]).volume
    assert (number, type(number)) == (kept, type(kept))


NO_NUMBERS = [
    True,
    np.bool_(True),
    "1",
    1j,
    Decimal("NaN"),
    Decimal("sNaN"),
    pd.NA,
    np.array([1.0]),
    float("nan"),
    float("inf"),
    float("-inf"),
    np.timedelta64(5, "ns"),
    np.timedelta64(5, "s"),
    np.timedelta64("NaT", "s"),
    np.float64("nan"),
    np.float32("inf"),
    np.longdouble("1e4000"),
    pytest.param(Fraction(10**400, 3), id="beyond float"),
]


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("field", [*PRICES, "volume"])
def test_b2_what_is_no_finite_number_is_refused_with_row_and_field(bar, field, value):
    with pytest.raises(InvalidData, match=rf"^bars\[1\]\.{field}=.*expected a (finite )?number"):
        bar_columns("AAPL", [bar(), bar(**{field: value})], extra=True)


@pytest.mark.parametrize("field", PRICES)
def test_b2_a_price_of_none_is_refused_with_row_and_field(bar, field):
    with pytest.raises(InvalidData, match=rf"^bars\[1\]\.{field}=None: expected a number"):
        bar_columns("AAPL", [bar(), bar(**{field: None})], extra=True)


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        Fraction(1, 3),
        np.longdouble("0.1"),
        pytest.param(10**400, id="too big"),
        pytest.param(-(10**5000), id="no repr"),
    ],
)
def test_b2_a_price_that_no_float_equals_is_refused(bar, value):
    with pytest.raises(InvalidData, match=r"^bars\[0\]\.low=.*no 64-bit float equals it"):
        bar_columns("AAPL", [bar(low=value)])


@pytest.mark.parametrize(
    "value",
    [Decimal("0.12345678901234567891"), Decimal(2**53 + 1), Decimal("258.31"), Decimal("1e-400")],
)
def test_b5_a_decimal_is_the_nearest_float(bar, value):
    (number,) = bar_columns("AAPL", [bar(low=value)]).low
    assert (number, type(number)) == (float(value), float)


@pytest.mark.parametrize(
    "given_as", [pd.DataFrame(), pl.LazyFrame(), pa.table({}), {"close": [1.0]}]
)
def test_a_table_is_refused_with_the_method_for_tables(given_as):
    with pytest.raises(InvalidData, match=r"got a table \(.*write_bar_table\(frame, symbol="):
        bar_columns("AAPL", given_as)


@pytest.mark.parametrize("value", [-1, -0.5, np.int64(-1), Fraction(-1, 2)])
def test_b2_a_negative_volume_is_refused(bar, value):
    with pytest.raises(InvalidData, match=r"^bars\[0\]\.volume=.*expected a volume of 0 or more"):
        bar_columns("AAPL", [bar(volume=value)])


@pytest.mark.parametrize(
    "value", [2**63, np.uint64(2**64 - 1), Decimal(2**63), pytest.param(10**5000, id="no repr")]
)
def test_b2_a_whole_volume_beyond_64_bits_is_refused(bar, value):
    with pytest.raises(InvalidData, match=rf"^bars\[0\]\.volume=.*at most {2**63 - 1} "):
        bar_columns("AAPL", [bar(volume=value)])


def test_b2_a_fractional_volume_that_no_float_equals_is_refused(bar):
    with pytest.raises(InvalidData, match=r"^bars\[0\]\.volume=Fraction\(1, 3\): no 64-bit"):
        bar_columns("AAPL", [bar(volume=Fraction(1, 3))])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (None, "^bars: expected an iterable of PriceBar, got NoneType"),
        (5, "^bars: expected an iterable of PriceBar, got int"),
        ("AAPL", r"^bars\[0\]: expected a PriceBar, got str"),
        ([{"symbol": "AAPL"}], r"^bars\[0\]: expected a PriceBar, got dict"),
    ],
)
def test_what_is_no_batch_of_bars_is_refused(batch, message):
    with pytest.raises(InvalidData, match=message):
        bar_columns("AAPL", batch)


def test_one_bar_alone_is_refused_with_what_to_do(bar):
    with pytest.raises(InvalidData, match="got one PriceBar; put it in a list"):
        bar_columns("AAPL", bar())


def test_an_error_inside_a_generator_is_its_own(bar):
    with pytest.raises(TypeError, match="unsupported operand"):
        bar_columns("AAPL", (bar(close="1" - 1) for _ in range(3)))


def test_t1_a_date_that_is_none_is_refused_with_its_row(bar):
    with pytest.raises(InvalidData, match=r"^bars\[1\]\.date=NaT"):
        bar_columns("AAPL", [bar(), bar(pd.NaT)])


@pytest.mark.parametrize("symbol", [None, pd.NA, 7, np.array(["A", "B"])], ids=str)
def test_n3_a_bar_of_no_symbol_is_refused_with_its_row(bar, symbol):
    with pytest.raises(InvalidData, match=r"^bars\[1\]\.symbol=.*: expected 'AAPL'"):
        bar_columns("AAPL", [bar(), bar(symbol=symbol)])


def test_n3_a_bar_of_another_symbol_is_refused_with_its_row(bar):
    with pytest.raises(InvalidData, match=r"^bars\[1\]\.symbol='MSFT': expected 'AAPL'"):
        bar_columns("AAPL", [bar(), bar(symbol="MSFT")])


class NotedBar(PriceBar, frozen=True):
    note: str = ""


def test_b2_a_bar_with_fields_of_its_own_is_refused_rather_than_cut(bar):
    noted = NotedBar(**{name: getattr(bar(), name) for name in PriceBar.__struct_fields__})
    with pytest.raises(InvalidData, match=r"bars\[0\]: expected a PriceBar, got NotedBar"):
        bar_columns("AAPL", [noted])


class Unreal(int):
    """A number, it says, that no float is made of."""

    def __float__(self):
        raise TypeError("no float")


def test_b2_a_number_that_no_float_is_made_of_is_refused(bar):
    with pytest.raises(InvalidData, match=r"bars\[0\]\.close"):
        bar_columns("AAPL", [bar(close=Unreal(3))])


def test_a_bar_of_a_subclass_without_fields_of_its_own_is_a_bar(bar):
    class Mine(PriceBar):
        pass

    mine = Mine(**{name: getattr(bar(), name) for name in PriceBar.__struct_fields__})
    assert bar_columns("AAPL", [mine]).close == [bar().close]
