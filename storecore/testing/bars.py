"""Laws B1, B2, B3 and B5: bars are checked whole, unique by date, sorted, and exact."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from storecore.errors import InvalidData
from storecore.models import PriceBar
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, bar, for_all, prices, refused, volumes

FIELDS = ("open", "high", "low", "close")
DAY = datetime(2026, 1, 31)
dates = st.integers(0, 90).map(lambda day: DAY + timedelta(day))
batches = st.lists(st.lists(st.tuples(dates, prices, volumes), max_size=8), max_size=4)

NO_NUMBERS: tuple[Any, ...] = (math.nan, math.inf, -math.inf, True, "1.5", None, 1 + 1j, 10**400)
NO_PRICES = (*NO_NUMBERS, 2**53 + 1, Fraction(1, 3), [1.0])
NO_VOLUMES = (*(each for each in NO_NUMBERS if each is not None), -1, -0.5, 2**63)
NO_BATCHES: tuple[Any, ...] = (None, 7, [None], ["bar"], [{"close": 1.0}], bar())


class BarLaws(Fixtures):
    """What a series of bars is."""

    def test_b1_last_write_wins(self, subject: Recorder) -> None:
        """A bar of the same date replaces the old one, and no other."""
        subject.write_bars("AAPL", [bar(DAY, 1.0), bar(DAY + timedelta(1), 2.0)])
        subject.write_bars("AAPL", [bar(DAY, 3.0)])
        assert [each.close for each in _all(subject)] == [3.0, 2.0]

    def test_b1_within_a_batch_the_last_of_a_date_wins(self, subject: Recorder) -> None:
        """Whichever way the date is written."""
        subject.write_bars("AAPL", [bar(DAY, 1.0), bar(DAY, 2.0), bar(DAY.date(), 3.0)])
        assert [each.close for each in _all(subject)] == [3.0]

    @for_all(batches=batches)
    def test_b1_any_batches_in_any_order_leave_the_last_write_of_each_date_sorted(
        self, subject: Recorder, fresh_name: Callable[[], str], batches: list[list[Any]]
    ) -> None:
        """What is read is one bar a date, sorted by date, each as it was last written."""
        symbol, expected = fresh_name(), dict[datetime, PriceBar]()
        for batch in batches:
            bars = [bar(at, close, volume=volume, symbol=symbol) for at, close, volume in batch]
            subject.write_bars(symbol, bars)
            expected |= {each.date: each for each in bars}
        assert _all(subject, symbol) == [expected[at] for at in sorted(expected)]

    def test_b1_timeframes_are_series_of_their_own(self, subject: Recorder) -> None:
        """`1d` is the one that is meant where none is named."""
        subject.write_bars("AAPL", [bar(DAY, 1.0)])
        subject.write_bars("AAPL", [bar(DAY, 2.0)], timeframe="1m")
        closes = [_all(subject, timeframe=name)[0].close for name in ("1d", "1m")]
        assert closes == [1.0, 2.0]
        assert [each.close for each in subject.read_bars("AAPL", *EVER)] == [1.0]

    def test_b2_a_price_that_is_none_is_refused_by_row_and_field(self, subject: Recorder) -> None:
        """NaN, infinity, a bool, text, what no float equals: and none of the batch is written."""
        subject.write_bars("AAPL", [bar(DAY)])
        for field in FIELDS:
            for value in NO_PRICES:
                batch = [bar(DAY, 5.0), bar(DAY), bar(DAY, **{field: value})]
                with refused(InvalidData, "2", field, value=value):
                    subject.write_bars("AAPL", batch)
                assert _all(subject) == [bar(DAY)], f"{field}={value!r} has changed the series"

    def test_b5_a_decimal_is_kept_as_the_number_with_its_digits(self, subject: Recorder) -> None:
        """As brokers' libraries give it: 258.31 as the float 258.31, a whole volume as an int."""
        given_as: dict[str, Any] = {"close": Decimal("258.31"), "volume": Decimal("2000.0")}
        subject.write_bars("AAPL", [bar(DAY, **given_as, low=Decimal("0." + "3" * 30))])
        (read,) = _all(subject)
        assert (read.close, type(read.close)) == (258.31, float)
        assert read.low == 1 / 3  # the nearest float of more digits than one has
        assert (read.volume, type(read.volume)) == (2000, int)

    def test_b2_a_volume_that_is_none_is_refused_by_row_and_field(self, subject: Recorder) -> None:
        """Negative, NaN, too large, no number: and none of the batch is written."""
        subject.write_bars("AAPL", [bar(DAY)])
        for value in NO_VOLUMES:
            batch = [bar(DAY, 5.0), bar(DAY, volume=value)]
            with refused(InvalidData, "1", "volume", value=value):
                subject.write_bars("AAPL", batch)
            assert _all(subject) == [bar(DAY)], f"volume={value!r} has changed the series"

    def test_b2_what_is_no_batch_of_bars_is_refused(self, subject: Recorder) -> None:
        """Also one bar alone, or a dict in place of a bar."""
        for value in NO_BATCHES:
            with refused(InvalidData, value=value):
                subject.write_bars("AAPL", value)
        assert _all(subject) == []

    def test_b2_odd_but_real_bars_are_kept_as_given(self, subject: Recorder) -> None:
        """High below low, a negative price, a volume of 0: they have been seen."""
        odd = [
            bar(DAY, high=1.0, low=2.0),
            bar(DAY + timedelta(1), close=-37.63),
            bar(DAY + timedelta(2), open=0.0, volume=0),
            bar(DAY + timedelta(3), close=1e300),
        ]
        subject.write_bars("AAPL", odd)
        assert _all(subject) == odd

    def test_b2_a_generator_is_a_batch(self, subject: Recorder) -> None:
        """Bars need no list."""
        subject.write_bars("AAPL", (bar(DAY + timedelta(day)) for day in range(3)))
        assert len(_all(subject)) == 3

    def test_b3_an_empty_batch_does_nothing(self, subject: Recorder) -> None:
        """It is no error, and takes nothing away."""
        subject.write_bars("AAPL", [bar(DAY)])
        for name in ("AAPL", "NONE"):
            subject.write_bars(name, [])
            subject.write_bars(name, iter(()))
        assert (_all(subject), _all(subject, "NONE")) == ([bar(DAY)], [])

    @for_all(values=st.lists(prices, min_size=4, max_size=4))
    def test_b5_prices_come_back_bit_for_bit(
        self, subject: Recorder, fresh_name: Callable[[], str], values: list[float]
    ) -> None:
        """Whatever their order."""
        symbol = fresh_name()
        fields: dict[str, Any] = dict(zip(FIELDS, values, strict=True))
        given_bar = bar(symbol=symbol, **fields)
        subject.write_bars(symbol, [given_bar])
        (read,) = _all(subject, symbol)
        assert [_bits(getattr(read, field)) for field in FIELDS] == list(map(_bits, values))

    def test_b5_the_edges_of_floats_come_back_bit_for_bit(self, subject: Recorder) -> None:
        """Each of them, and 0.1, which is no round number either."""
        edges = [0.0, -0.0, 5e-324, -1.7976931348623157e308, 0.1]
        for value in edges:
            subject.write_bars("AAPL", [bar(DAY, value, low=value)])
            (read,) = _all(subject)
            assert (_bits(read.close), _bits(read.low)) == (_bits(value),) * 2, f"{value} changed"

    @for_all(given_volumes=st.lists(volumes, min_size=1, max_size=6))
    def test_b5_volumes_come_back_exactly_and_whole_ones_as_int(
        self, subject: Recorder, fresh_name: Callable[[], str], given_volumes: list[int | float]
    ) -> None:
        """Whole ones up to 2**63 - 1, also above 2**53, which no float keeps."""
        symbol = fresh_name()
        batch = [
            bar(DAY + timedelta(day), volume=volume, symbol=symbol)
            for day, volume in enumerate(given_volumes)
        ]
        subject.write_bars(symbol, batch)
        read = [each.volume for each in _all(subject, symbol)]
        whole = [volume == int(volume) and volume < 2**63 for volume in given_volumes]
        assert read == given_volumes
        assert [type(volume) for volume in read] == [int if each else float for each in whole]

    def test_b5_a_price_that_is_whole_comes_back_as_float(self, subject: Recorder) -> None:
        """A price is a float, whatever number it was given as."""
        subject.write_bars("AAPL", [bar(DAY, 100), bar(DAY + timedelta(1), Fraction(1, 4))])
        closes = [each.close for each in _all(subject)]
        assert [(type(close), close) for close in closes] == [(float, 100.0), (float, 0.25)]


def _all(subject: Recorder, symbol: str = "AAPL", timeframe: str = "1d") -> list[PriceBar]:
    read: list[PriceBar] = subject.read_bars(symbol, *EVER, timeframe=timeframe)
    return read


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)
