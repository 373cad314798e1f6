"""The capability `DiskUsage`: what a series costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storecore.reports import Footprint
from storecore.testing.givens import Givens
from storecore.testing.records import bar
from storecore.testing.witness import Witness


class DiskUsageLaws(Givens):
    """Files and bytes."""

    @pytest.fixture
    def measured(self, having: Callable[[str], Witness]) -> Witness:
        """The subject, if it tells what a series takes on disk."""
        return having("DiskUsage")

    def test_disk_usage_of_a_series_is_its_own(self, measured: Witness) -> None:
        """One that was never written takes nothing, one that was takes something."""
        measured.write_bars("AAPL", [bar()])
        assert measured.bar_footprint("NONE") == Footprint(0, 0)
        assert measured.bar_footprint("AAPL", timeframe="1m") == Footprint(0, 0)
        taken = measured.bar_footprint("AAPL")
        assert taken.files >= 1
        assert taken.bytes > 0
