"""The capability `DiskUsage`: what a series costs."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from storecore.reports import Footprint
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import HOSTILE, NOON, TICK, bar


class DiskUsageLaws(Fixtures):
    """Files and bytes."""

    @pytest.fixture
    def measured(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it tells what a series takes on disk."""
        return having("DiskUsage")

    def test_disk_usage_of_a_series_is_its_own(self, measured: Recorder) -> None:
        """One that was never written takes nothing, one that was takes something."""
        measured.write_bars("AAPL", [bar()])
        assert measured.bar_footprint("NONE") == Footprint(0, 0)
        assert measured.bar_footprint("AAPL", timeframe="1m") == Footprint(0, 0)
        taken = measured.bar_footprint("AAPL")
        assert taken.files >= 1
        assert taken.bytes > 0

    def test_disk_usage_of_thousands_of_bars_is_more_than_of_one(self, measured: Recorder) -> None:
        """Of bars that no compression makes small."""
        drawn = random.Random(0)
        measured.write_bars("ONE", [bar(symbol="ONE")])
        many = [bar(NOON + n * TICK, drawn.random(), symbol="MANY") for n in range(3_000)]
        measured.write_bars("MANY", many)
        one, more = measured.bar_footprint("ONE"), measured.bar_footprint("MANY")
        assert more.bytes > 2 * one.bytes, f"{more} for 3,000 bars, {one} for one"

    def test_n1_the_footprint_of_a_name_is_not_that_of_another(self, measured: Recorder) -> None:
        """None of the hostile names but the one that was written takes anything."""
        measured.write_bars("aapl", [bar(symbol="aapl")])
        others = [name for name in HOSTILE if name != "aapl"]
        taken = {name: measured.bar_footprint(name) for name in others}
        assert set(taken.values()) == {Footprint(0, 0)}
