"""States: each save is a version, the last few are kept, and writers take turns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.conninfo import make_conninfo

from storecore import LockTimeout, StateConflict, StateVersion
from storecore.errors import CorruptData
from storecore.states import KEPT_VERSIONS
from storecore_postgres.states import States

EXTREMES = {
    "floats": [1e308, 5e-324, 0.1],
    "whole": [2**64 - 1, -(2**63)],
    "text": ["\0", "\\u0000", "𝄞"],
    "large": "x" * 1_000_000,
}


def test_a_state_may_hold_what_json_can(store):
    store.save_strategy_state("value", EXTREMES)
    assert store.load_strategy_state("value") == EXTREMES


def test_as_many_versions_are_kept_as_the_protocol_says(store, admin, schema):
    for number in range(KEPT_VERSIONS + 3):
        store.save_strategy_state("value", {"number": number})
    kept = [each.version for each in store.state_history("value")]
    assert kept == list(range(KEPT_VERSIONS + 3, 3, -1))
    assert admin.execute(f"SELECT count(*) FROM {schema}.states").fetchone() == (KEPT_VERSIONS,)


def test_of_those_who_expect_the_same_version_one_saves(store):
    def save(number):
        try:
            store.save_strategy_state("value", {"number": number}, expect=0)
        except StateConflict:
            return None
        return number

    with ThreadPoolExecutor(8) as threads:
        saved = [number for number in threads.map(save, range(8)) if number is not None]
    assert len(saved) == 1
    assert store.load_versioned_state("value") == StateVersion(1, {"number": saved[0]})


def test_nobody_saves_between_the_look_at_the_version_and_the_save(store, opened, monkeypatch):
    real = States._locked_version

    def held(self, connection, strategy):
        stored = real(self, connection, strategy)
        if self is store._states and not others:
            with opened(statement_timeout=0.1) as other:
                others.append(other)
                with pytest.raises(LockTimeout, match="saving the state of 'value'"):
                    other.save_strategy_state("value", {"number": 2})
        return stored

    others = []
    monkeypatch.setattr(States, "_locked_version", held)
    store.save_strategy_state("value", {"number": 1})
    assert store.load_versioned_state("value") == StateVersion(1, {"number": 1})


def test_a_save_that_waits_for_another_sees_it_in_any_default_isolation(
    opened, place, admin, schema, no_cluster
):
    strict = make_conninfo(place["dsn"], options="-c default_transaction_isolation=serializable")
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    )
    with opened(dsn=strict) as store, ThreadPoolExecutor(1) as threads:
        with admin.transaction():
            store._states._locked_version(admin, "value")
            saving = threads.submit(store.save_strategy_state, "value", {"number": 7})
            while not admin.execute(waiting, [schema]).fetchall():
                admin.execute("SELECT pg_stat_clear_snapshot()")
            later = "SELECT 'value', n, '{}' FROM generate_series(2, 6) AS n"
            admin.execute(f"INSERT INTO {schema}.states (strategy, version, document) {later}")
        saving.result()
        assert store.load_versioned_state("value") == StateVersion(7, {"number": 7})


def test_those_who_expect_none_all_save(store):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.save_strategy_state("value", {"number": n}), range(24)))
    assert store.load_versioned_state("value").version == 24


@pytest.mark.parametrize("saves", [1, 7])
def test_a_history_that_is_restored_takes_the_place_of_a_longer_or_shorter_one(store, saves):
    for number in range(saves):
        store.save_strategy_state("value", {"number": number})
    history = [StateVersion(4, {"number": 40}), StateVersion(2, {"number": 20})]
    store.restore_state("value", history, expect=saves)
    assert store.state_history("value") == history
    store.save_strategy_state("value", {"number": 50}, expect=4)
    assert store.load_versioned_state("value") == StateVersion(5, {"number": 50})


def test_no_history_restores_nothing(store):
    store.save_strategy_state("value", {"number": 1})
    store.restore_state("value", [], expect=1)
    with pytest.raises(StateConflict):
        store.restore_state("value", [], expect=2)
    assert store.load_strategy_state("value") == {"number": 1}


def test_strategies_are_found_and_sorted(store):
    for name in ("b", "Ü", "a", "B"):
        store.save_strategy_state(name, {})
    assert store.strategies() == ["B", "a", "b", "Ü"]


@pytest.mark.parametrize("document", ["5", '{"cash": 1e999}'])
def test_d5_a_state_that_is_none_is_corrupt(store, admin, schema, document):
    store.save_strategy_state("value", {"cash": 1})
    admin.execute(f"UPDATE {schema}.states SET document = '{document}'")
    with pytest.raises(CorruptData, match=f"\"{schema}\".states, strategy 'value', version 1"):
        store.load_strategy_state("value")
    assert [each.kind for each in store.verify().findings] == ["damaged"]
