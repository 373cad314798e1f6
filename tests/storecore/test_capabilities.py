"""Capabilities: protocols that are known by name."""

from __future__ import annotations

import pytest

from storecore import protocols
from storecore.builtin.memory import MemoryDataStore
from storecore.protocols import CAPABILITIES, DataStore

METHODS = {
    "BarTables": {"write_bar_table", "read_bar_table"},
    "BarStream": {"iter_bar_tables"},
    "Catalog": {
        *("symbols", "timeframes", "bar_coverage", "inventory", "nearest", "strategies"),
        *("fundamentals", "fundamental_symbols", "event_symbols"),
    },
    "AuditTrail": {"read_decisions", "read_orders", "verify_audit"},
    "BulkAudit": {"log_decisions", "log_orders"},
    "Bulk": {
        *("write_events", "write_fundamentals", "delete_bars", "delete_events"),
        *("delete_fundamentals", "rename_symbol"),
    },
    "VersionedState": {
        *("save_strategy_state", "delete_strategy_state"),
        *("load_versioned_state", "state_history"),
    },
    "DiskUsage": {"bar_footprint"},
    "Transfer": {
        *("iter_fundamentals", "iter_events", "iter_audit"),
        *("append_audit", "restore_state"),
    },
    "Maintenance": {"verify", "repair", "compact", "checkpoint"},
    "History": {
        *("bar_versions", "fundamental_versions", "event_versions", "corrections"),
        *("recorded_now", "prune_history", "snapshot", "snapshots", "drop_snapshot"),
        *("recording", "restore_versions", "restore_recording"),
    },
}


def methods(protocol):
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_the_capabilities_and_their_methods():
    assert {name: methods(protocol) for name, protocol in CAPABILITIES.items()} == METHODS


def test_each_method_says_what_core_must_know_of_it():
    declared = {(each.capability, each.name) for each in protocols.METHODS.values()}
    public = {(name, method) for name, held in METHODS.items() for method in held}
    public |= {("", method) for method in methods(DataStore) - {"close"}}
    assert public - declared == {("VersionedState", "save_strategy_state")}  # one of the ten
    assert declared <= public


@pytest.mark.parametrize(
    ("name", "satisfied"),
    [
        ("BarTables", True),
        ("BarStream", False),
        ("Catalog", True),
        ("AuditTrail", True),
        ("DiskUsage", False),
    ],
)
def test_a_store_is_asked_for_a_capability_with_isinstance(name, satisfied):
    assert isinstance(MemoryDataStore(), CAPABILITIES[name]) is satisfied


class AsAtFirst:
    """A class with the methods that `Catalog` had in the first release."""

    def symbols(self, timeframe=None): ...
    def timeframes(self, symbol): ...
    def bar_coverage(self, symbol, *, timeframe="1d"): ...
    def strategies(self): ...


def test_a_class_has_a_capability_if_it_has_the_methods_that_it_had_at_first():
    catalog = CAPABILITIES["Catalog"]
    assert isinstance(AsAtFirst(), catalog)
    assert issubclass(AsAtFirst, catalog)
    assert not issubclass(object, catalog)


def test_a_class_that_derives_from_a_capability_is_asked_as_any_class():
    class Own(CAPABILITIES["Catalog"]):
        pass

    class Further(Own):
        pass

    assert issubclass(Further, Own)
    assert not issubclass(AsAtFirst, Own)
    assert isinstance(Further(), Own)
