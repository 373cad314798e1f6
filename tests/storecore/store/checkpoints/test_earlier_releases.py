"""A backend of an earlier release, without checkpoints, stays valid: core stands in for it."""

from __future__ import annotations

from datetime import datetime

import pytest

from storecore import Maintenance, StorageError
from storecore.builtin.memory import MemoryConfig, MemoryDataStore
from storecore.builtin.readonly import ReadonlyStore
from storecore.config import observed as observing
from storecore.plugins.observers import Observer, Observers
from storecore.plugins.spec import BackendSpec
from storecore.protocols import CAPABILITIES
from storecore.store.checkpoints import checkpoint, verify
from storecore.store.questions import all_strategies
from storecore.testing.protocol import ProtocolLaws

WHOLE = tuple(name for name in CAPABILITIES if name not in ("BarStream", "DiskUsage"))


@pytest.fixture
def store(earlier, filled):
    return earlier(filled, WHOLE)


def readonly(store):
    return ReadonlyStore(store, WHOLE)


def observed(store):
    spec = BackendSpec(
        name="earlier",
        config=MemoryConfig,
        open=lambda config: store,
        capabilities=frozenset(WHOLE),
    )
    return observing.observed(
        store, spec, spec.capabilities, Observers((Observer("silent", _Silent()),))
    )


class _Silent:
    """A plugin manager without plugins."""

    class hook:
        storecore_opened = staticmethod(lambda **what: None)


def test_it_is_still_one_that_can_be_looked_after(store):
    assert not hasattr(store, "checkpoint")
    assert isinstance(store, Maintenance)


def test_what_lacks_a_method_that_is_not_new_is_none(filled):
    class Less:
        verify = checkpoint = compact = None

    assert not isinstance(Less(), Maintenance)
    assert not isinstance(object(), Maintenance)
    assert isinstance(filled, Maintenance)


def test_p2_it_satisfies_what_it_declares(store):
    laws, declared = ProtocolLaws(), frozenset(WHOLE)
    laws.test_p2_a_declared_capability_is_satisfied(store, declared, None)
    laws.test_p2_a_capability_that_is_satisfied_is_declared(store, declared)
    with pytest.raises(AssertionError, match="Maintenance"):
        laws.test_p2_a_capability_that_is_satisfied_is_declared(store, declared - {"Maintenance"})


@pytest.mark.parametrize("wrapped", [None, readonly, observed])
def test_it_is_checkpointed_and_held_to_it_by_core(store, filled, bar, wrapped):
    whole = wrapped(store) if wrapped else store
    taken = whole.checkpoint() if wrapped else checkpoint(store)
    filled.delete_bars("AAPL", bar().date, bar().date)
    report = whole.verify(against=taken) if wrapped else verify(store, against=taken)
    assert [each.place for each in report.findings] == ["bars of AAPL (1d)"]
    assert whole.verify().ok
    assert [each.count for each in taken.bars] == [2]


def test_the_functions_of_core_use_the_methods_that_are_there(filled):
    assert checkpoint(filled).bars == filled.checkpoint().bars
    assert verify(filled, against=filled.checkpoint()) == filled.verify(against=filled.checkpoint())
    assert verify(filled) == filled.verify()


def test_one_that_cannot_list_all_that_it_holds_says_what_it_lacks(earlier):
    store = earlier(MemoryDataStore(), ("Catalog", "Maintenance"))
    with pytest.raises(StorageError, match="lacks the capability VersionedState and Transfer"):
        checkpoint(store)
    with pytest.raises(StorageError, match="lacks the capability VersionedState and Transfer"):
        verify(store, against=MemoryDataStore().checkpoint())
    assert verify(store).ok


def test_all_strategies_of_it_are_listed_with_those_of_runs(earlier, filled):
    filled.at(datetime(2026, 1, 7), run="bt-7").save_strategy_state("value", {"cash": 2.5})
    found = all_strategies(filled)
    assert len(found) == 2
    assert all_strategies(earlier(filled)) == found
