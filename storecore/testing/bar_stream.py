"""The capability `BarStream`: more bars than fit in memory, in order of time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from storecore.errors import InvalidData, InvalidName
from storecore.models import PriceBar
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    HOSTILE,
    NOON,
    NOON_UTC,
    TICK,
    bar,
    bar_table,
    for_all,
    prices,
    refused,
)

MANY, BOUND, TOLERATED = 2_000, 16 * 1024, 4
symbols = st.sampled_from(["A", "a", "B"])
moments = st.integers(0, 90).map(lambda step: NOON + step * timedelta(hours=8))
rows = st.dictionaries(st.tuples(symbols, moments), prices, max_size=20)


class BarStreamLaws(Fixtures):
    """Tables that follow each other in time."""

    @pytest.fixture
    def stream(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it gives bars in tables one after the other."""
        return having("BarStream")

    @for_all(closes=rows, max_bytes=st.integers(1, 1_000))
    def test_bar_stream_gives_every_bar_once_by_date_then_symbol(
        self,
        stream: Recorder,
        fresh_name: Callable[[], str],
        closes: dict[tuple[str, datetime], float],
        max_bytes: int,
    ) -> None:
        """Whatever the bound; no table is empty."""
        own = fresh_name()
        bars = [bar(at, close, symbol=own + name) for (name, at), close in closes.items()]
        for each in bars:
            stream.write_bars(each.symbol, [each])
        asked = [own + name for name in "AaB"]
        found = list(stream.iter_bar_tables(asked, *EVER, max_bytes=max_bytes))
        ordered = sorted(bars, key=lambda each: (each.date, each.symbol))
        assert [row for each in found for row in each.to_pylist()] == bar_table(ordered).to_pylist()
        assert all(map(len, found)), "a table of the stream is empty"

    def test_bar_stream_keeps_to_its_bound(self, stream: Recorder) -> None:
        """About: no table is above a few times of what may be held."""
        bars = [bar(NOON + timedelta(minutes=number)) for number in range(MANY)]
        stream.write_bars("AAPL", bars)
        found = list(stream.iter_bar_tables("AAPL", *EVER, max_bytes=BOUND))
        assert sum(map(len, found)) == MANY
        largest = max(each.nbytes for each in found)
        assert largest < TOLERATED * BOUND, f"a table of {largest} bytes, max_bytes={BOUND}"

    def test_bar_stream_has_the_columns_that_were_asked_for(self, stream: Recorder) -> None:
        """In that order, also where neither date nor symbol is among them."""
        for name in ("A", "B"):
            days = [NOON + timedelta(day) for day in range(3)]
            stream.write_bars(name, [bar(at, at.day, symbol=name) for at in days])
        for columns in (["close"], ["symbol"], ["volume", "date"]):
            found = list(stream.iter_bar_tables(["A", "B"], *EVER, columns=columns, max_bytes=1))
            assert {tuple(each.column_names) for each in found} == {tuple(columns)}
        (table,) = stream.iter_bar_tables(["A", "B"], *EVER, columns=["close"])
        assert table["close"].to_pylist() == [5.0, 5.0, 6.0, 6.0, 7.0, 7.0]

    def test_bar_stream_is_checked_when_it_is_asked_for(self, stream: Recorder) -> None:
        """Not when it is gone through, by then far from the mistake."""
        with refused(InvalidData, "clsoe", value="columns=['clsoe']"):
            stream.iter_bar_tables("AAPL", *EVER, columns=["clsoe"])
        with refused(InvalidName, value="a symbol of no text"):
            stream.iter_bar_tables(["AAPL", ""], *EVER)
        with refused(ValueError, value=(NOON, NOON_UTC)):
            stream.iter_bar_tables("AAPL", NOON, NOON_UTC)

    def test_bar_stream_refuses_a_bound_that_is_none(self, stream: Recorder) -> None:
        """At once: 0, less, a bool, a fraction, a text."""
        for bound in (0, -1, True, 1.5, "1000", None):
            with refused(InvalidData, "max_bytes", value=bound):
                stream.iter_bar_tables("AAPL", *EVER, max_bytes=bound)

    def test_b1_a_stream_has_the_last_write_of_each_date(self, stream: Recorder) -> None:
        """Of the timeframe that was asked for."""
        stream.write_bars("AAPL", [bar(NOON, 1.0)])
        stream.write_bars("AAPL", [bar(NOON, 2.0)])
        stream.write_bars("AAPL", [bar(NOON, 3.0)], timeframe="1m")
        closes = [
            [each["close"].to_pylist() for each in stream.iter_bar_tables("AAPL", *EVER, **asked)]
            for asked in ({}, {"timeframe": "1m"}, {"timeframe": "1h"})
        ]
        assert closes == [[[2.0]], [[3.0]], []]

    def test_b5_whole_volumes_of_a_stream_stay_exact(self, stream: Recorder) -> None:
        """Also above 2**53, in every table."""
        volumes = [2**53 + 1 + 2 * day for day in range(30)]
        bars = [bar(NOON + timedelta(day), volume=each) for day, each in enumerate(volumes)]
        stream.write_bars("AAPL", bars)
        found = list(stream.iter_bar_tables("AAPL", *EVER, max_bytes=256))
        assert [volume for each in found for volume in each["volume"].to_pylist()] == volumes

    def test_n1_any_symbol_comes_back_in_a_stream(self, stream: Recorder) -> None:
        """And is distinguished from every other."""
        for number, name in enumerate(HOSTILE):
            stream.write_bars(name, [bar(symbol=name, volume=number)])
        found = [row for each in stream.iter_bar_tables(HOSTILE, *EVER) for row in each.to_pylist()]
        expected = sorted((name, number) for number, name in enumerate(HOSTILE))
        assert [(row["symbol"], row["volume"]) for row in found] == expected

    def test_t2_dates_of_a_stream_are_of_the_kind_asked_for(self, stream: Recorder) -> None:
        """Naive or of UTC as the bounds are."""
        stream.write_bars("AAPL", [bar()])
        kinds = [
            [str(each["date"].type) for each in stream.iter_bar_tables("AAPL", at, at)]
            for at in (NOON, NOON_UTC)
        ]
        assert kinds == [["timestamp[us]"], ["timestamp[us, tz=UTC]"]]

    def test_t3_a_range_of_a_stream_includes_both_ends(self, stream: Recorder) -> None:
        """To the microsecond."""
        bars: list[PriceBar] = [bar(NOON + step * TICK, float(step)) for step in range(4)]
        stream.write_bars("AAPL", bars)
        found: list[Any] = list(stream.iter_bar_tables("AAPL", NOON + TICK, NOON + 2 * TICK))
        assert [close for each in found for close in each["close"].to_pylist()] == [1.0, 2.0]
