"""What only a second opening shows: a cache may answer what the medium has not kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from storecore.builtin.memory import MemoryDataStore
from storecore.testing import worker
from storecore.testing.answers import answers, difference
from storecore.testing.fixtures import Fixtures
from storecore.testing.freshness import expected, writes_by_every_method
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, EVER_UTC, HOSTILE, NOON, TICK, bar, event, fundamental
from storecore.testing.sizes import documents
from storecore.testing.whole import (
    LONG,
    PAYLOADS,
    whole_bars,
    whole_decisions,
    whole_events,
    whole_filings,
    whole_orders,
)
from storecore.testing.worker import Job

Reopen = Callable[[], Any] | None


class ReopenedLaws(Fixtures):
    """The medium keeps what the store answers."""

    @pytest.fixture
    def another(self, reopen: Reopen) -> Callable[[], Any]:
        """Open the place of `store` once more; where it has none, the test is skipped."""
        if reopen is None:
            pytest.skip("the suite gives no `reopen`, so nothing is said to outlive a store")
        return reopen

    def test_l2_whole_records_are_the_same_in_a_store_opened_again(
        self,
        subject: Recorder,
        store: Any,
        declared: frozenset[str],
        another: Callable[[], Any],
    ) -> None:
        """Digits, microseconds, time zones and types too."""
        subject.write_bars("AAPL", whole_bars())
        for event_ in whole_events():
            subject.write_event(event_)
        for filing in whole_filings():
            subject.write_fundamental("AAPL", filing)
        for number, state in enumerate(PAYLOADS):
            subject.save_strategy_state(str(number), state)
        for decided in whole_decisions():
            subject.log_decision("value", decided)
        for pair in whole_orders():
            subject.log_order("value", *pair)
        before = _everything(subject, declared)
        store.close()
        with closing(another()) as again:
            for name, found in _everything(again, declared).items():
                assert found == before[name], name

    def test_l2_hostile_names_are_the_same_in_a_store_opened_again(
        self,
        subject: Recorder,
        store: Any,
        declared: frozenset[str],
        another: Callable[[], Any],
    ) -> None:
        """Symbols, timeframes, event types and strategies, none under another's."""
        for number, name in enumerate(HOSTILE):
            subject.write_bars(name, [bar(symbol=name, volume=number)], timeframe=name)
            subject.write_fundamental(name, fundamental(symbol=name, employees=number))
            subject.write_event(event(symbol=name, type=name))
            subject.save_strategy_state(name, {"number": number})
        store.close()
        with closing(another()) as again:
            for number, name in enumerate(HOSTILE):
                read = again.read_bars(name, *EVER, timeframe=name)
                assert read == [bar(symbol=name, volume=number)]
                assert again.read_fundamental(name).employees == number
                assert [each.symbol for each in again.read_events(*EVER, [name])] == [name]
                assert again.load_strategy_state(name) == {"number": number}
            if "Catalog" in declared:
                assert again.symbols() == again.strategies() == sorted(HOSTILE)

    def test_l2_long_documents_are_the_same_in_a_store_opened_again(
        self, subject: Recorder, store: Any, another: Callable[[], Any]
    ) -> None:
        """States, payloads and filings beyond 64 KiB, of hundreds of keys, of a hundred levels."""
        for number, document in enumerate(documents()):
            subject.save_strategy_state(str(number), document)
            subject.write_event(event(payload=document))
        subject.write_fundamental("AAPL", fundamental(raw_xml=LONG))
        store.close()
        with closing(another()) as again:
            found = [again.load_strategy_state(str(n)) for n in range(len(documents()))]
            assert repr(found) == repr(list(documents()))
            payloads = [each.payload for each in again.read_events(*EVER)]
            assert repr(payloads) == repr(list(documents()))
            assert again.read_fundamental("AAPL").raw_xml == LONG

    def test_e1_events_of_one_microsecond_keep_their_order_through_openings(
        self, subject: Recorder, store: Any, another: Callable[[], Any]
    ) -> None:
        """Nothing counts them anew with each store."""
        numbers = iter((5, 3, 4, 2, 9, 0, 1, 8, 7))
        written = []
        for opened in (lambda: subject, another, another):
            with closing(opened()) as again:
                for _ in range(3):
                    written.append(next(numbers))
                    again.write_event(event(payload={"number": written[-1]}))
                read = [each.payload["number"] for each in again.read_events(*EVER)]
                assert read == written

    def test_d1_a_write_of_any_method_survives_kill_9(
        self,
        store: Any,
        current: frozenset[str],
        promised: Callable[[str], Callable[[], Any]],
    ) -> None:
        """Batches, tables, deletes and what a copy brings, though `close()` was never called."""
        declared = current
        reopen, reference = promised("durable"), MemoryDataStore()
        store.close()
        output, _ = worker.start(Job(reopen, 0, 0, 0, "every method", declared)).communicate()
        writes = writes_by_every_method(declared)
        assert output.split() == [b"killed"] * len(writes), "a write raised an error"
        for write in writes:
            write(reference)
        with closing(reopen()) as again:
            wrong = difference(expected(reference, declared), answers(again, declared))
            assert not wrong, f"after a kill behind each write: {wrong}"


def _everything(store: Any, declared: frozenset[str]) -> dict[str, str]:
    """Return all that a store answers, as text, in which 1, 1.0 and two time zones differ."""
    moments = [NOON + number * TICK for number in range(len(whole_filings()))]
    found: dict[str, Any] = {
        "read_bars": store.read_bars("AAPL", *EVER),
        "read_fundamental": [store.read_fundamental("AAPL", as_of=at) for at in moments],
        "read_events": store.read_events(*EVER_UTC),
        "load_strategy_state": [store.load_strategy_state(str(n)) for n in range(len(PAYLOADS))],
    }
    if "AuditTrail" in declared:
        found["read_decisions"] = store.read_decisions(*EVER_UTC)
        found["read_orders"] = store.read_orders(*EVER_UTC)
    if "Transfer" in declared:
        found["iter_audit"] = list(store.iter_audit("orders"))
    return {name: repr(answer) for name, answer in found.items()}
