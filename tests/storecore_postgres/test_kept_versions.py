"""A store of version 3 of the tables, with a history: read whole, written on, and whole again."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from storecore import HistoryPruned, InvalidData

RELEASES = Path(__file__).parent / "releases"
spec = importlib.util.spec_from_file_location("filling_of_postgres", RELEASES / "filling.py")
filling = importlib.util.module_from_spec(spec)
spec.loader.exec_module(filling)
ALL = filling.START, filling.SEEN


@pytest.fixture
def kept(no_cluster, admin, schema, opened):
    """Open the store that version 3 has written."""
    for each in ("SET check_function_bodies TO off", (RELEASES / "3.sql").read_text()):
        admin.execute(each.replace("kept_store", schema))
    with opened() as store:
        yield store


def check_past(store):
    """Check all that the store says of its past."""
    first, second = sorted(store.snapshots(), key=lambda each: each.recorded_at)
    assert (first.name, first.note, second.name) == ("first", "before the corrections", "second")
    then, now = store.at("first"), store.at("second")
    assert then.read_bars("AAPL", *ALL) == filling.WRONG
    assert now.read_bars("AAPL", *ALL) == filling.RIGHT
    assert then.symbols() == ["AAPL", "old"]
    assert now.symbols() == ["AAPL", "BRK/B"]
    assert then.fundamentals("AAPL", *ALL) == [filling.filing(9), filling.filing(1, 1)]
    assert now.fundamentals("AAPL", *ALL) == [filling.filing(10)]
    assert then.read_events(*ALL) == [filling.event(0), filling.event(1)]
    assert now.read_events(*ALL) == [filling.event(0)]
    with pytest.raises(HistoryPruned):
        store.bar_versions("AAPL", recorded=first.recorded_at - timedelta(seconds=9))
    (decision,), (order,) = store.read_decisions(), store.read_orders()
    assert decision.decision == filling.DECISION
    assert (order.order, order.result) == filling.ORDER
    ((seen,), none) = store.replay(decision).reads, store.replay(order).reads
    assert (seen.status, bool(seen.rows), none) == ("corrected", True, ())


def test_a_history_of_version_3_is_read_whole(kept):
    check_past(kept)
    assert kept.read_bars("AAPL", *ALL) == filling.RIGHT
    assert kept.load_strategy_state("value") == {"position": 6}
    pairs = [
        (each.before, each.after) for each in kept.corrections(symbol="AAPL") if each.kind == "bars"
    ]
    present = {each.date: each for each in filling.RIGHT}
    assert pairs[1:] == [(each, present.get(each.date)) for each in filling.WRONG]
    assert kept.verify().ok


def test_a_history_of_version_3_is_written_on(kept):
    kept.write_bars("AAPL", filling.WRONG)
    kept.write_fundamental("AAPL", filling.filing(11))
    kept.delete_events(*ALL)
    kept.rename_symbol("BRK/B", "old")
    check_past(kept)
    kept.compact()
    check_past(kept)
    assert kept.read_bars("AAPL", *ALL) == [*filling.WRONG, filling.RIGHT[2]]
    assert kept.verify().ok


def test_a_history_of_version_3_is_pruned_but_not_under_its_snapshots(kept):
    with pytest.raises(InvalidData, match="snapshot"):
        kept.prune_history(kept.recorded_now())
    for each in kept.snapshots():
        assert kept.drop_snapshot(each.name)
    assert kept.prune_history(kept.recorded_now()) == 8
    assert kept.corrections() == []
    assert kept.read_bars("AAPL", *ALL) == filling.RIGHT
    assert kept.verify().ok
