"""The capability `Catalog`: what is stored, listed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta

import pytest

from storecore.errors import InvalidName
from storecore.reports import Coverage
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import HOSTILE, NO_NAMES, NOON, bar, refused


class CatalogLaws(Fixtures):
    """Symbols, timeframes, coverage and strategies."""

    @pytest.fixture
    def catalog(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it can list what it holds."""
        return having("Catalog")

    def test_catalog_of_a_new_store_is_empty(self, catalog: Recorder) -> None:
        """Nothing is listed that was not written."""
        listed = (catalog.symbols(), catalog.timeframes("AAPL"), catalog.strategies())
        assert listed == ([], [], [])
        assert catalog.bar_coverage("AAPL") == Coverage(None, None, 0)

    def test_catalog_lists_every_name_sorted_and_exactly_as_given(self, catalog: Recorder) -> None:
        """Symbols, timeframes and strategies, hostile ones too."""
        for name in HOSTILE:
            catalog.write_bars(name, [bar(symbol=name)])
            catalog.write_bars("AAPL", [bar()], timeframe=name)
            catalog.save_strategy_state(name, {})
        assert catalog.symbols() == sorted(HOSTILE)
        assert catalog.timeframes("AAPL") == sorted({*HOSTILE, "1d"})
        assert catalog.strategies() == sorted(HOSTILE)

    def test_catalog_lists_a_strategy_once_however_often_it_saved(self, catalog: Recorder) -> None:
        """Capitals before small letters, as text is sorted."""
        for name in ("value", "Momentum", "value"):
            catalog.save_strategy_state(name, {})
        assert catalog.strategies() == ["Momentum", "value"]

    def test_catalog_lists_the_symbols_of_a_timeframe(self, catalog: Recorder) -> None:
        """And none that has bars in another one only, or none at all."""
        catalog.write_bars("AAPL", [bar()])
        catalog.write_bars("MSFT", [bar(symbol="MSFT")], timeframe="1m")
        catalog.write_bars("NONE", [])
        listed = [catalog.symbols(timeframe) for timeframe in (None, "1d", "1m", "1h")]
        assert listed == [["AAPL", "MSFT"], ["AAPL"], ["MSFT"], []]

    def test_catalog_coverage_is_first_last_and_count_in_utc(self, catalog: Recorder) -> None:
        """Of unique dates, however they were written."""
        for day in (3, 1, 2, 1):
            catalog.write_bars("AAPL", [bar(NOON + timedelta(day))])
        first, last = (NOON.replace(tzinfo=UTC) + timedelta(day) for day in (1, 3))
        assert catalog.bar_coverage("AAPL") == Coverage(first, last, 3)
        assert catalog.bar_coverage("AAPL", timeframe="1m") == Coverage(None, None, 0)

    def test_n2_what_is_no_name_is_refused_by_the_catalog(self, catalog: Recorder) -> None:
        """As it is by every other method."""
        for name in NO_NAMES:
            with refused(InvalidName, value=name):
                catalog.timeframes(name)
            with refused(InvalidName, value=name):
                catalog.bar_coverage(name)
