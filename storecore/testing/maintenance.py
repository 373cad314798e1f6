"""The capability `Maintenance`: a store looked over, mended and brought into its best form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storecore.testing.givens import Givens
from storecore.testing.records import EVER, NOON, bar, decision, event, fundamental, sent
from storecore.testing.witness import Witness


class MaintenanceLaws(Givens):
    """What looks after a store changes no answer of it."""

    @pytest.fixture
    def maintained(self, having: Callable[[str], Witness]) -> Witness:
        """The subject, if it can be looked after."""
        return having("Maintenance")

    def test_maintenance_finds_nothing_wrong_with_a_store_that_nobody_touched(
        self, maintained: Witness
    ) -> None:
        """A new one, and one that holds records of every kind, odd bars too."""
        assert maintained.verify().ok
        _write_some_of_each(maintained)
        maintained.write_bars("ODD", [bar(symbol="ODD", high=1.0, low=2.0)])
        report = maintained.verify()
        assert report.ok, report

    def test_maintenance_changes_no_answer(self, maintained: Witness) -> None:
        """Neither of the three does, nor a repair that is only tried; twice is fine."""
        _write_some_of_each(maintained)
        before = _answers(maintained)
        for _ in range(2):
            maintained.verify()
            maintained.repair(dry_run=True)
            maintained.repair()
            maintained.compact()
            assert _answers(maintained) == before
        assert maintained.verify().ok

    def test_maintenance_of_a_store_leaves_it_to_be_written_on(self, maintained: Witness) -> None:
        """What comes after is kept like what was before."""
        _write_some_of_each(maintained)
        maintained.compact()
        later = bar(NOON + timedelta(400))
        maintained.write_bars("AAPL", [later])
        maintained.repair()
        assert maintained.read_bars("AAPL", *EVER)[-1] == later


def _write_some_of_each(store: Any) -> None:
    for day in range(3):
        store.write_bars("AAPL", [bar(NOON + timedelta(40 * day))])
        store.write_event(event(NOON + timedelta(day)))
        store.save_strategy_state("value", {"day": day})
        store.log_decision("value", decision())
        store.log_order("value", *sent())
    store.write_fundamental("AAPL", fundamental())


def _answers(store: Any) -> tuple[Any, ...]:
    return (
        store.read_bars("AAPL", *EVER),
        store.read_events(*EVER),
        store.read_fundamental("AAPL"),
        store.load_strategy_state("value"),
    )
