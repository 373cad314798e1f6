"""Law K4: a receipt names what was read; replayed, it finds every change since and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storecore.knowledge.replay import replay
from storecore.knowledge.view import at
from storecore.store.questions import has_method
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import NOON, NOON_UTC, bar, decision, event, fundamental

DAY = timedelta(days=1)
EVENING = NOON_UTC + 5 * DAY
Change = Callable[[Any], object]


class ReceiptLaws(Fixtures):
    """What was read for a decision, and whether it is still so."""

    @pytest.fixture
    def deciding(
        self, store: Any, declared: frozenset[str], offering: Callable[..., Recorder]
    ) -> Callable[[Recorder], Any]:
        """Read every kind of data as of a time, log a decision with the receipt, and return it."""
        if "AuditTrail" not in declared:
            pytest.skip("the backend does not declare the capability AuditTrail")
        offering("log_decision", "read_decisions")

        def decide(subject: Recorder) -> Any:
            view = at(store, EVENING)
            view.read_bars("AAPL", NOON)
            view.read_fundamental("AAPL")
            view.read_events(NOON, types={"news"})
            subject.log_decision("value", decision(), as_of=EVENING, reads=view.receipt())
            return subject.read_decisions()[-1]

        return decide

    @pytest.fixture
    def filled(self, subject: Recorder) -> Recorder:
        """The subject with bars, fundamentals and events of some days."""
        for day in range(4):
            subject.write_bars("AAPL", [bar(NOON + day * DAY, 100.0 + day)])
            subject.write_fundamental("AAPL", fundamental(NOON + day * DAY, cik=str(day)))
            subject.write_event(event(NOON + day * DAY))
        return subject

    def test_k4_what_did_not_change_is_the_same(
        self, store: Any, filled: Recorder, deciding: Callable[[Recorder], Any]
    ) -> None:
        """However often it is written again, and whatever else is written."""
        record = deciding(filled)
        assert [each["rows"] for each in record.reads] == [4, 1, 4]
        for day in range(4):
            filled.write_bars("AAPL", [bar(NOON + day * DAY, 100.0 + day)])
        filled.write_fundamental("AAPL", fundamental(NOON + 3 * DAY, cik="3"))
        filled.write_bars("AAPL", [bar(NOON + 9 * DAY)])
        filled.write_bars("MSFT", [bar(symbol="MSFT")])
        filled.write_fundamental("AAPL", fundamental(NOON + 9 * DAY))
        filled.write_event(event(NOON, ingested_at=NOON + 9 * DAY))
        filled.write_event(event(NOON, type="split"))
        found = replay(store, record)
        assert [each.status for each in found.reads] == ["same"] * 3, found

    def test_k4_each_kind_of_change_is_found_in_the_read_that_saw_it(
        self, store: Any, filled: Recorder, deciding: Callable[[Recorder], Any]
    ) -> None:
        """And in no other."""
        changes: list[Change] = [
            lambda store: store.write_bars("AAPL", [bar(NOON + DAY, 101.25)]),
            lambda store: store.write_fundamental("AAPL", fundamental(NOON + 3 * DAY, cik="7")),
            lambda store: store.write_event(event(NOON + DAY, source="late")),
        ]
        for number, change in enumerate(changes):
            record = deciding(filled)
            change(filled)
            expected = ["corrected" if row == number else "same" for row in range(3)]
            found = replay(store, record)
            assert [each.status for each in found.reads] == expected, found

    def test_k4_the_rows_that_differ_are_named_with_what_they_were_and_are(
        self, store: Any, filled: Recorder, deciding: Callable[[Recorder], Any]
    ) -> None:
        """Of a store that keeps its history."""
        if not has_method(store, "bar_versions"):
            pytest.skip("the backend does not declare the capability History")
        record = deciding(filled)
        filled.write_bars("AAPL", [bar(NOON + DAY, 101.25)])
        ((row,), *others) = [each.rows for each in replay(store, record).reads]
        assert (row.symbol, row.timestamp, row.recorded_at is None) == (
            "AAPL",
            NOON_UTC + DAY,
            False,
        )
        assert (row.before.close, row.after.close, others) == (101.0, 101.25, [(), ()])
