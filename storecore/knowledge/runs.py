"""The states of a run: what a backtest saves, apart from the live states.

A run keeps the state of a strategy in the store under another name, which begins with `RUN_STATES`
and has the run and the strategy in it, as `{"as_of": …, "state": …}`. So every backend can keep it,
and `Store.strategies()` lists it only if it is asked for names that begin so. At a time, the state
is the one that was saved last with an `as_of` that is not later.
"""

from __future__ import annotations

from typing import Any

from storecore.errors import HistoryPruned, shown
from storecore.reports import StateVersion
from storecore.states import RUN_STATES
from storecore.store.questions import has_method
from storecore.values.documents import encode_document
from storecore.values.names import check_name
from storecore.values.times import latest_instant, to_datetime


def states_of(run: str) -> str:
    """Return how the names begin under which a run keeps its states.

    The length keeps two runs apart of which one has a separator in its name.
    """
    return f"{RUN_STATES}{len(run)}\x1f{run}\x1f"


def save(
    store: Any, run: str, at: int, strategy: str, state: dict[str, Any], expect: int | None
) -> None:
    """Save the state of a strategy in a run, as of a time."""
    name = states_of(run) + check_name(strategy, "strategy_name")
    encode_document(state, "state")  # an error gives the path in the state
    document = {"as_of": to_datetime(at, aware=True).isoformat(), "state": state}
    if expect is None:
        store.save_strategy_state(name, document)
    else:
        store.save_strategy_state(name, document, expect=expect)


def history(store: Any, run: str, at: int, strategy: str) -> list[StateVersion]:
    """Return the versions of a state of a run that were saved by a time, the newest first.

    Raises `HistoryPruned` if none of those that the store keeps is, but an older one may be.
    """
    kept = _kept(store, states_of(run) + check_name(strategy, "strategy_name"))
    known = [
        StateVersion(each.version, each.state["state"], each.saved_at)
        for each in kept
        if each.state is not None and latest_instant(each.state["as_of"], "as_of") <= at
    ]
    if kept and not known and kept[-1].version != 1:
        raise HistoryPruned(
            f"the state of {shown(strategy)} in run {shown(run)} at "
            f"{to_datetime(at, aware=True).isoformat(' ')} is not kept any more; only "
            f"{len(kept)} later versions are. The option `state_versions` says how many are kept"
        )
    return known


def _kept(store: Any, name: str) -> list[StateVersion]:
    """Return the versions that a store keeps, the newest first; version 0 if it has no numbers."""
    if has_method(store, "state_history"):
        kept: list[StateVersion] = store.state_history(name)
        return kept
    state = store.load_strategy_state(name)
    return [] if state is None else [StateVersion(0, state)]
