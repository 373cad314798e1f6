"""What was read once is read anew after a write: no cache of a store outlives what it was made of.

Every kind of data is written, replaced and removed step by step, in one store, in two stores of one
place, or in two processes; after each step every answer is that of the memory backend.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from typing import Any, NamedTuple

from storecore.builtin.memory import MemoryDataStore
from storecore.reports import StateVersion
from storecore.testing.answers import answers, difference
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NOON,
    bar,
    bar_table,
    decision,
    event,
    fundamental,
    sent,
)
from storecore.testing.transfer_into import chain

LATER = NOON + timedelta(days=45)


class Step(NamedTuple):
    """One write, and the capability or the later method that it needs."""

    write: Callable[[Any], Any]
    needs: str | None = None


STEPS = (
    Step(lambda store: store.write_bars("AAPL", [bar(), bar(LATER)])),
    Step(lambda store: store.write_bars("AAPL", [bar(close=7.0)])),
    Step(lambda store: store.write_bars("AAPL", [bar(NOON - timedelta(days=45))])),
    Step(lambda store: store.write_bars("MSFT", [bar(symbol="MSFT")], timeframe="1m")),
    Step(lambda store: store.write_bar_table(_table(3.0)), "BarTables"),
    Step(lambda store: store.write_bar_table(_table(4.0)), "BarTables"),
    Step(lambda store: store.delete_bars("AAPL", NOON, NOON), "Bulk"),
    Step(lambda store: store.write_bars("AAPL", [bar(close=8.0)])),
    Step(lambda store: store.delete_bars("MSFT", *EVER, timeframe="1m"), "Bulk"),
    Step(lambda store: store.delete_bars("AAPL", *EVER), "Bulk"),
    Step(lambda store: store.write_bars("AAPL", [bar(LATER, 9.0)])),
    Step(lambda store: store.write_bars("MSFT", [bar(symbol="MSFT")], timeframe="1m")),
    Step(lambda store: store.write_fundamental("AAPL", fundamental(LATER, employees=1))),
    Step(lambda store: store.write_fundamental("AAPL", fundamental(employees=2))),
    Step(lambda store: store.write_fundamental("AAPL", fundamental(employees=3))),
    Step(lambda store: store.write_fundamentals([fundamental(LATER, symbol="MSFT")]), "Bulk"),
    Step(lambda store: store.write_event(event())),
    Step(lambda store: store.write_event(event(NOON - timedelta(1), type="split"))),
    Step(lambda store: store.write_events([event(), event(LATER, type="split")]), "Bulk"),
    Step(lambda store: store.delete_events(NOON, NOON, ["news"], ["AAPL"]), "delete_events"),
    Step(lambda store: store.write_event(event(symbol="MSFT"))),
    Step(lambda store: store.rename_symbol("AAPL", "TSLA"), "rename_symbol"),
    Step(lambda store: store.rename_symbol("MSFT", "AAPL"), "rename_symbol"),
    Step(lambda store: store.rename_symbol("TSLA", "MSFT"), "rename_symbol"),
    Step(lambda store: store.delete_fundamentals("MSFT", NOON, NOON), "delete_fundamentals"),
    Step(lambda store: store.delete_fundamentals("AAPL", *EVER), "delete_fundamentals"),
    Step(lambda store: store.write_fundamental("AAPL", fundamental(employees=4))),
    Step(lambda store: store.write_bar_table(_table(5.0), replace=True), "write_bar_table"),
    Step(lambda store: store.save_strategy_state("value", {"step": 1})),
    Step(lambda store: store.save_strategy_state("value", {"step": 2})),
    Step(lambda store: store.delete_strategy_state("value"), "delete_strategy_state"),
    Step(lambda store: store.save_strategy_state("value", {"step": 1})),
    Step(lambda store: store.save_strategy_state("momentum", {"step": 2})),
    Step(lambda store: store.save_strategy_state("value", {"step": 3})),
    Step(lambda store: store.log_decision("value", decision())),
    Step(lambda store: store.log_decision("momentum", decision(reasoning="dear"))),
    Step(lambda store: store.log_decisions("value", [decision()] * 2), "BulkAudit"),
    Step(lambda store: store.log_order("value", *sent())),
    Step(lambda store: store.log_order("momentum", *sent(strategy_name="momentum", quantity=7))),
    Step(lambda store: store.log_orders("value", [sent()] * 2), "BulkAudit"),
)


class FreshnessLaws(Fixtures):
    """No answer is older than the last write that has returned."""

    def test_b4_what_was_read_before_a_write_is_read_anew_after_it(
        self, subject: Recorder, current: frozenset[str]
    ) -> None:
        """Every answer, after each write of each kind, though all was read just before."""
        declared = current
        reference = MemoryDataStore()
        for number, step in enumerate(steps(declared)):
            step.write(reference)
            step.write(subject)
            wrong = difference(expected(reference, declared), answers(subject, declared))
            assert not wrong, f"after step {number}: {wrong}"

    def test_d4_two_stores_of_one_place_see_each_others_writes(
        self,
        subject: Recorder,
        current: frozenset[str],
        promised: Callable[[str], Callable[[], Any]],
    ) -> None:
        """They write in turn; each has read everything before the other writes, and reads anew."""
        declared = current
        reopen = promised("shared")
        reference = MemoryDataStore()
        with closing(reopen()) as other:
            for number, step in enumerate(steps(declared)):
                step.write(reference)
                step.write((subject, other)[number % 2])
                right = expected(reference, declared)
                for name, store in (("one", subject), ("the other", other)):
                    wrong = difference(right, answers(store, declared))
                    assert not wrong, f"after step {number}, as {name} sees it: {wrong}"


def written_to(*stores: Any, declared: frozenset[str]) -> None:
    """Take all steps in each of some stores."""
    for step in steps(declared):
        for store in stores:
            step.write(store)


def steps(declared: frozenset[str]) -> list[Step]:
    """Return the writes of the ten methods and of some capabilities."""
    return [step for step in STEPS if step.needs is None or step.needs in declared]


def expected(reference: MemoryDataStore, declared: frozenset[str]) -> dict[str, Any]:
    """Return the answers of the reference; its stream is its table."""
    found = answers(reference, declared - {"BarStream"})
    if "BarStream" in declared:
        found["iter_bar_tables"] = answers(reference, ["BarTables"])["read_bar_table"]
    return found


def _table(close: float) -> Any:
    bars = [
        bar(NOON + timedelta(days=45 * n), close, symbol=s)
        for s in ("AAPL", "MSFT")
        for n in (0, 1)
    ]
    return bar_table(bars)


def writes_by_every_method(declared: frozenset[str]) -> list[Callable[[Any], Any]]:
    """Return what a copy brings, and then every other write that is declared."""
    versions = [StateVersion(4, {}), StateVersion(2, {})]
    brought: list[Callable[[Any], Any]] = [
        lambda store: store.append_audit("orders", date(2020, 2, 29), chain("orders", 2)),
        lambda store: store.restore_state("momentum", versions, expect=None),
    ]
    return [*(brought if "Transfer" in declared else []), *(x.write for x in steps(declared))]
