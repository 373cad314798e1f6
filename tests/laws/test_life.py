"""Laws L1 and L2: closing, and opening what is there."""

from __future__ import annotations

from datetime import date

import pytest

import storecore
from storecore import DataStore, StoreClosed


def test_a_store_is_a_data_store(store):
    assert isinstance(store, DataStore)


def test_l1_close_twice_is_fine(store):
    store.close()
    store.close()


def test_l1_any_use_after_close_is_store_closed(store, bar, fundamental, event, decision, sent):
    store.close()
    calls = [
        lambda: store.write_bars("AAPL", [bar()]),
        lambda: store.read_bars("AAPL", date.min, date.max),
        lambda: store.write_fundamental("AAPL", fundamental()),
        lambda: store.read_fundamental("AAPL"),
        lambda: store.write_event(event()),
        lambda: store.read_events(date.min, date.max),
        lambda: store.save_strategy_state("value", {}),
        lambda: store.load_strategy_state("value"),
        lambda: store.log_decision("value", decision()),
        lambda: store.log_order("value", *sent()),
        lambda: store.read_decisions(date.min, date.max),
        lambda: store.read_orders(date.min, date.max),
        store.verify_audit,
        store.symbols,
        lambda: store.timeframes("AAPL"),
        lambda: store.bar_coverage("AAPL"),
        store.strategies,
        store.__enter__,
    ]
    for call in calls:
        with pytest.raises(StoreClosed):
            call()


def test_l1_the_context_manager_closes_even_when_its_body_raises(store):
    with pytest.raises(ZeroDivisionError), store:
        raise ZeroDivisionError
    with pytest.raises(StoreClosed):
        store.load_strategy_state("value")


def test_l2_a_store_opened_again_holds_what_was_written(
    tmp_path, bar, fundamental, event, decision, sent
):
    with storecore.open_store("file", base_path=tmp_path) as store:
        store.write_bars("AAPL", [bar()])
        store.write_fundamental("AAPL", fundamental())
        store.write_event(event())
        store.save_strategy_state("value", {"cash": 1.5})
        store.log_decision("value", decision())
        store.log_order("value", *sent())
    with storecore.open_store("file", base_path=tmp_path) as store:
        assert store.read_bars("AAPL", date.min, date.max) == [bar()]
        assert store.read_fundamental("AAPL") == fundamental()
        assert store.read_events(date.min, date.max) == [event()]
        assert store.load_strategy_state("value") == {"cash": 1.5}
        assert store.read_decisions(date.min, date.max)[0].decision == decision()
        assert store.read_orders(date.min, date.max)[0].order == sent()[0]


def test_l2_opening_a_store_changes_nothing_that_is_there(tmp_path, bar, event):
    with storecore.open_store("file", base_path=tmp_path) as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    storecore.open_store("file", base_path=tmp_path).close()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
