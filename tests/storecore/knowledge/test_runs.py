"""`at(t, run=…)`: decisions, orders and states of a backtest, apart from the live ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import storecore
from storecore import (
    BulkAudit,
    HistoryPruned,
    InvalidData,
    InvalidName,
    NotSerializable,
    OrderResult,
    StateConflict,
    StorageError,
    copy_store,
    open_store,
)
from storecore.states import RUN_STATES

from .conftest import FirstTen

T = datetime(2020, 1, 5, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def written(store):
    """A store of each backend."""
    return store


@pytest.fixture
def first_ten():
    """A store that has the first ten methods alone."""
    with open_store("memory") as nested:
        yield FirstTen(nested)


@pytest.fixture
def backtest(written):
    """Return the view of a run as of a time."""
    return lambda at, run="bt-7": written.at(at, run=run)


def test_decisions_and_orders_of_a_run_carry_its_name_and_time(written, backtest, decision, order):
    view = backtest(T)
    view.log_decision("value", decision())
    view.log_decisions("value", [decision()])
    view.log_order("value", order(), OrderResult(1, "filled"))
    view.log_orders("value", [(order(), OrderResult(2, "filled"))])
    assert written.read_decisions() == written.read_orders() == []
    start = T.replace(tzinfo=UTC)
    for read in (written.read_decisions, written.read_orders):
        found = read(start, by="as_of", run="bt-7")
        assert [(each.as_of, each.run) for each in found] == [(T, "bt-7")] * 2


def test_a_run_sees_its_own_records_by_their_time(written, backtest, decision):
    for step in range(3):
        backtest(T + step * DAY).log_decision("value", decision(target_weight=step / 10))
    written.log_decision("value", decision(target_weight=0.9))
    backtest(T, "other").log_decision("value", decision(target_weight=0.8))
    found = backtest(T + DAY).read_decisions()
    assert [each.decision.target_weight for each in found] == [0.0, 0.1]
    assert [each.as_of for each in backtest(T + DAY).read_decisions(T + DAY)] == [T + DAY]
    assert backtest(T + DAY).read_decisions(T + 2 * DAY) == []
    assert backtest(T).read_decisions(run="other") == []  # logged now, which is after T
    assert len(written.at(datetime.now(UTC)).read_decisions(run="bt-7")) == 3


def test_records_by_their_as_of_are_known_only_once_they_are_logged(written, decision):
    written.log_decision("value", decision(), as_of=T)
    assert len(written.read_decisions(T, T, by="as_of")) == 1
    assert written.at(T).read_decisions(by="as_of") == []
    assert len(written.at(datetime.now(UTC)).read_decisions(T, T, by="as_of")) == 1


def test_a_record_may_name_the_time_and_the_run_of_its_view_and_no_other(backtest, decision):
    view = backtest(T)
    view.log_decision("value", decision(), as_of=T, run="bt-7")
    with pytest.raises(InvalidData, match=r"as_of=.* is not the time of"):
        view.log_decision("value", decision(), as_of=T - DAY)
    with pytest.raises(InvalidData, match="run='bt-8' is not 'bt-7'"):
        view.log_decision("value", decision(), run="bt-8")
    assert len(view.read_decisions()) == 1


def test_a_state_of_a_run_is_apart_from_the_live_one_and_from_other_runs(written, backtest):
    written.save_strategy_state("value", {"cash": 1})
    backtest(T).save_strategy_state("value", {"cash": 2})
    assert backtest(T).load_strategy_state("value") == {"cash": 2}
    assert backtest(T, "bt-8").load_strategy_state("value") is None
    assert written.load_strategy_state("value") == {"cash": 1}
    assert written.strategies() == ["value"]
    assert len(written.strategies(prefix=RUN_STATES)) == 1


def test_a_state_of_a_run_is_loaded_as_of_a_time(backtest):
    for step in range(3):
        backtest(T + step * DAY).save_strategy_state("value", {"step": step})
    for step in range(3):
        view = backtest(T + step * DAY + DAY / 2)
        assert view.load_strategy_state("value") == {"step": step}
        assert view.load_versioned_state("value").version == step + 1
        assert [each.state["step"] for each in view.state_history("value")] == [
            *range(step, -1, -1)
        ]
        assert view.strategies() == view.strategies("val") == ["value"]
    early = backtest(T - DAY)
    assert early.load_strategy_state("value") is None
    assert early.load_versioned_state("value").version == 0
    assert early.strategies() == backtest(T).strategies("other") == []


def test_an_earlier_state_than_those_that_are_kept_is_pruned(backtest):
    for step in range(7):
        backtest(T + step * DAY).save_strategy_state("value", {"step": step})
    assert backtest(T + 2 * DAY).load_strategy_state("value") == {"step": 2}
    with pytest.raises(HistoryPruned, match="'value' in run 'bt-7' at 2020-01-06"):
        backtest(T + DAY).load_strategy_state("value")


def test_a_state_of_a_run_is_changed_and_deleted_by_its_version(backtest):
    view = backtest(T)
    view.save_strategy_state("value", {"cash": 1}, expect=0)
    with pytest.raises(StateConflict):
        view.save_strategy_state("value", {"cash": 2}, expect=0)
    assert view.delete_strategy_state("value", expect=1)
    assert view.load_strategy_state("value") is None


def test_a_state_that_json_would_change_is_refused_with_its_path(backtest):
    with pytest.raises(NotSerializable, match=r"\$\.positions\[0\]"):
        backtest(T).save_strategy_state("value", {"positions": [(1,)]})
    with pytest.raises(InvalidName):
        backtest(T).save_strategy_state("", {})


@pytest.mark.parametrize("runs", [("a", "a\x1fb"), ("3", "33"), ("ä", "AE"), ("x" * 300, "x")])
def test_two_runs_never_share_a_state(backtest, runs):
    for run in runs:
        backtest(T, run).save_strategy_state("b\x1fc", {"run": run})
    for run in runs:
        assert backtest(T, run).load_strategy_state("b\x1fc") == {"run": run}
        assert backtest(T, run).strategies() == ["b\x1fc"]


@pytest.mark.parametrize(
    ("run", "error"), [("", InvalidName), (7, InvalidName), ("*", InvalidData)]
)
def test_a_run_has_a_name(backtest, run, error):
    with pytest.raises(error, match="run"):
        backtest(T, run)


def test_a_view_of_a_run_has_no_run_without_a_name(backtest):
    with pytest.raises(InvalidName, match="run is empty"):
        backtest(T).at(T, run="")


def test_a_run_writes_nothing_else(written, backtest, writes):
    view = backtest(T)
    assert isinstance(view, BulkAudit)
    assert not isinstance(written.at(T), BulkAudit)
    assert not hasattr(written.at(T), "log_decisions")
    for method in ("write_bars", "write_fundamental", "write_event"):
        with pytest.raises(StorageError, match=f"^{method}: "):
            getattr(view, method)(**writes[method])


def test_a_view_of_a_view_of_a_run_is_of_the_run(written, backtest):
    backtest(T).save_strategy_state("value", {"cash": 2})
    assert backtest(T + DAY).at(T).load_strategy_state("value") == {"cash": 2}
    assert backtest(T + DAY).at(T, run="bt-8").load_strategy_state("value") is None


def test_states_of_runs_are_copied_and_are_in_checkpoints(written, backtest):
    backtest(T).save_strategy_state("value", {"cash": 2})
    with open_store("memory") as target:
        assert copy_store(written, target).ok
        assert target.at(T, run="bt-7").load_strategy_state("value") == {"cash": 2}
    (state,) = written.checkpoint().states
    assert state.strategy.endswith("value")


def test_a_store_without_versions_has_the_last_state_of_a_run(first_ten):
    view = storecore.at(first_ten, T, run="bt-7")
    view.save_strategy_state("value", {"cash": 1})
    assert view.load_strategy_state("value") == {"cash": 1}
    with pytest.raises(HistoryPruned):
        storecore.at(first_ten, T - DAY, run="bt-7").load_strategy_state("value")
    assert storecore.at(first_ten, T, run="bt-8").load_strategy_state("value") is None


def test_a_store_that_takes_no_run_says_so(first_ten, decision):
    first_ten.log_decision = lambda strategy_name, decision: None
    with pytest.raises(StorageError, match=r"log_decision: .* takes no as_of= and no run="):
        storecore.at(first_ten, T, run="bt-7").log_decision("value", decision())
