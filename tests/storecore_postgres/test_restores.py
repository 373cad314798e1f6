"""Law D6 in a database: the effects of restoring a schema or single tables are found and repaired.

pg_dump, pg_restore                 a whole schema, or one table of it
CREATE TABLE … AS, COPY, TRUNCATE   by hand: rows without what numbers them
"""

from __future__ import annotations

import subprocess
from datetime import date, datetime
from functools import partial

import pytest
from psycopg.conninfo import make_conninfo

from storecore import StateConflict, StorageError
from storecore_postgres import PostgresDataStore

ALL = date.min, date.max
TABLES = ["bars", "fundamentals", "events", "states", "decisions", "orders", "audit_heads"]


@pytest.fixture
def write(bar, event, fundamental, decision, sent):
    """Write something of each kind, the same time at each number, to be told apart by it."""

    def write(store, number):
        store.write_bars("AAPL", [bar(close=float(number))])
        store.write_event(event(payload={"n": number}))
        store.write_fundamental("AAPL", fundamental(employees=number))
        store.save_strategy_state("value", {"n": number})
        store.log_decision("value", decision(reasoning=str(number)))
        store.log_order("value", *sent(quantity=number))

    return write


def held(store):
    """Return the numbers of what a store holds, by kind."""
    return {
        "bars": [each.close for each in store.read_bars("AAPL", *ALL)],
        "events": [each.payload["n"] for each in store.read_events(*ALL)],
        "fundamentals": [each.employees for each in store.iter_fundamentals()],
        "states": [each.state["n"] for each in store.state_history("value")],
        "decisions": [int(each.decision.reasoning) for each in store.read_decisions(*ALL)],
        "orders": [each.order.quantity for each in store.read_orders(*ALL)],
    }


def saved(admin, schema, table, layout):
    """Keep the rows of a table; return what puts them back, whatever is there by then."""
    admin.execute(f"CREATE TABLE {schema}.kept_{table} AS TABLE {schema}.{table}")

    def restored():
        to, of = f"{schema}.{table}", f"{schema}.kept_{table}"
        guarded = table in ("decisions", "orders") and layout != "citus"
        if guarded:
            admin.execute(f"ALTER TABLE {to} DISABLE TRIGGER ALL")
        admin.execute(f"TRUNCATE {to}")
        if table == "events" and layout != "citus":
            numbers_set_back(admin, schema)
        admin.execute(f"INSERT INTO {to} OVERRIDING SYSTEM VALUE TABLE {of}")
        if guarded:
            admin.execute(f"ALTER TABLE {to} ENABLE TRIGGER ALL")

    return restored


def numbers_set_back(admin, schema):
    admin.execute(f"ALTER TABLE {schema}.events ALTER id RESTART WITH 1")


def test_e1_events_restored_without_their_sequence_keep_their_order(
    no_cluster, opened, admin, schema, event
):
    with opened() as store:
        store.write_events([event(payload={"n": number}) for number in range(3)])
        numbers_set_back(admin, schema)
        (finding,) = store.verify().findings
        assert (finding.kind, finding.place) == ("behind", f'"{schema}".events')
        assert "is at 0, its events go up to number 3" in finding.detail
    with opened() as store:
        store.write_event(event(payload={"n": 3}))
        store.write_events([event(payload={"n": 4}), event(payload={"n": 5})])
        assert held(store)["events"] == list(range(6))
        assert store.verify().ok


def test_e1_a_store_that_was_open_while_the_sequence_was_set_back_writes_on(
    no_cluster, store, admin, schema, event
):
    for number in range(3):
        store.write_event(event(payload={"n": number}))
    numbers_set_back(admin, schema)
    store.write_event(event(payload={"n": 3}))  # its number is taken
    assert held(store)["events"] == list(range(4))
    assert store.verify().ok


def test_e1_events_of_other_times_do_not_hide_that_the_sequence_is_behind(
    no_cluster, opened, admin, schema, event
):
    with opened() as store:
        store.write_events([event(payload={"n": number}) for number in range(3)])
    numbers_set_back(admin, schema)
    with opened() as store:
        store.write_event(event(timestamp=datetime(2026, 1, 6), payload={"n": 4}))
        store.write_event(event(payload={"n": 3}))
        assert held(store)["events"] == list(range(5))
        assert store.verify().ok


def test_a_sequence_that_is_behind_is_mended_by_a_repair(no_cluster, store, admin, schema, event):
    store.write_events([event(), event()])
    numbers_set_back(admin, schema)
    did = f'set the sequence of "{schema}".events to its highest number'
    planned = store.repair(dry_run=True)
    assert (planned.ok, planned.actions) == (False, (f"would {did}",))
    repaired = store.repair()
    assert (repaired.ok, repaired.actions) == (True, (did,))


def test_a_role_that_may_not_set_the_sequence_is_told_who_may(
    no_cluster, store, admin, schema, role, event
):
    name, dsn = role()
    admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    admin.execute(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {name}")
    if store._recording:
        admin.execute(f"GRANT SELECT, UPDATE ON {schema}.recording_clock TO {name}")
    store.write_events([event(), event()])
    with PostgresDataStore(dsn, schema=schema) as writer:
        writer.write_event(event())
        assert writer.verify().ok
    numbers_set_back(admin, schema)
    with PostgresDataStore(dsn, schema=schema) as writer:
        with pytest.raises(StorageError, match=r"run `storecore repair` as the owner of the table"):
            writer.write_event(event())
        assert len(writer.read_events(*ALL)) == 3
        assert writer.verify().ok  # it may not look either
    assert not store.verify().ok


def test_an_error_that_is_not_the_sequences_is_no_reason_to_set_it(store, admin, schema, event):
    admin.execute(f"ALTER TABLE {schema}.events ADD CHECK (type <> 'x')")
    with pytest.raises(StorageError, match="violates check constraint"):
        store.write_event(event(type="x"))
    assert store.read_events(*ALL) == []


# What a table without a head of its own has lost, only a checkpoint can tell.
AT_ONCE = {
    "events": ["behind"],
    "decisions": ["truncated"],
    "orders": ["truncated"],
    "audit_heads": ["behind", "behind"],
}
ALL_NUMBERS = {
    "bars": [5],
    "events": [1, 2, 3, 4, 5],
    "fundamentals": [5],
    "states": [5, 4, 3, 2, 1],
    "decisions": [1, 2, 3, 4, 5],
    "orders": [1, 2, 3, 4, 5],
}
OF_THE_RESTORED = {
    "events": {"events": [1, 2, 5]},
    "states": {"states": [5, 2, 1]},
    "decisions": {"decisions": [1, 2, 5]},
    "orders": {"orders": [1, 2, 5]},
}


@pytest.mark.parametrize("table", TABLES)
def test_d6_a_table_that_was_restored_by_itself_hides_nothing_and_is_written_on(
    opened, admin, schema, layout, write, table
):
    with opened() as store:
        for number in (1, 2):
            write(store, number)
        restored = saved(admin, schema, table, layout)
        for number in (3, 4):
            write(store, number)
        restored()
        at_once = [] if (table, layout) == ("events", "citus") else AT_ONCE.get(table, [])
        assert [each.kind for each in store.verify().findings] == at_once
    with opened() as store:
        write(store, 5)
        assert held(store) == {**ALL_NUMBERS, **OF_THE_RESTORED.get(table, {})}
        left = ["missing"] if table in ("decisions", "orders") else []
        assert [each.kind for each in store.verify().findings] == left


def test_d6_audit_tables_restored_newer_than_their_heads_go_on(
    opened, admin, schema, layout, write
):
    """All tables are new and empty, and the rows of the logs alone come back."""
    with opened() as store:
        for number in (1, 2):
            write(store, number)
        restored = [saved(admin, schema, table, layout) for table in ("decisions", "orders")]
        admin.execute(f"UPDATE {schema}.audit_heads SET seq = 0, hash = ''")
        for each in restored:
            each()
        assert [each.kind for each in store.verify_audit().findings] == ["behind", "behind"]
        write(store, 3)
        assert held(store)["decisions"] == held(store)["orders"] == [1, 2, 3]
        assert store.verify_audit().ok


def test_d6_a_state_that_was_restored_older_is_a_conflict_for_who_expects_the_newer(
    store, admin, schema, layout
):
    store.save_strategy_state("value", {"n": 1})
    restored = saved(admin, schema, "states", layout)
    for number in (2, 3):
        store.save_strategy_state("value", {"n": number})
    restored()
    assert store.load_versioned_state("value").version == 1
    with pytest.raises(StateConflict, match="at version 1, not 3"):
        store.save_strategy_state("value", {"n": 4}, expect=3)
    store.save_strategy_state("value", {"n": 4}, expect=1)
    assert [each.state["n"] for each in store.state_history("value")] == [4, 1]


def test_d6_older_versions_of_a_state_that_come_back_override_none(store, admin, schema):
    store.save_strategy_state("value", {"n": 1})
    admin.execute(f"CREATE TABLE {schema}.kept AS TABLE {schema}.states")
    for number in range(2, 9):
        store.save_strategy_state("value", {"n": number})
    admin.execute(f"INSERT INTO {schema}.states SELECT * FROM {schema}.kept")
    assert store.load_strategy_state("value") == {"n": 8}
    assert [each.state["n"] for each in store.state_history("value")] == [8, 7, 6, 5, 4]
    store.save_strategy_state("value", {"n": 9})
    assert admin.execute(f"SELECT count(*) FROM {schema}.states").fetchone() == (5,)


@pytest.fixture
def dumped(postgres_programs, place, schema, tmp_path):
    """Return what dumps the schema, and what restores the dump or a part of it."""
    file = tmp_path / "dump"

    def run(program, *arguments, into=place["dsn"]):
        command = [postgres_programs / program, *arguments, "--dbname", make_conninfo(into)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def dump():
        run("pg_dump", "-Fc", "--schema", schema, "--file", file)
        return partial(run, "pg_restore", file)

    return dump


def test_d6_a_dump_of_the_schema_comes_back_whole(
    opened, admin, schema, write, dumped, database, place
):
    with opened() as store:
        for number in (1, 2):
            write(store, number)
        restore = dumped()
        before, audit = held(store), store.verify_audit()
    dsn = database()
    restore(into=dsn)
    with PostgresDataStore(dsn, schema=schema) as store:
        assert (held(store), store.verify_audit()) == (before, audit)
        write(store, 3)
        assert held(store)["events"] == held(store)["decisions"] == [1, 2, 3]
        assert store.verify().ok


@pytest.mark.parametrize("table", ["events", "decisions", "orders"])
def test_d6_the_rows_of_one_table_out_of_a_dump_are_gone_on_from(
    opened, schema, write, dumped, database, table
):
    with opened() as store:
        for number in (1, 2):
            write(store, number)
        restore = dumped()
        before = held(store)[table]
    dsn = database()
    with PostgresDataStore(dsn, schema=schema) as store:  # new, and empty
        restore("--data-only", "--table", table, into=dsn)
        assert held(store)[table] == before
        assert [each.kind for each in store.verify().findings] == ["behind"]
        write(store, 3)
        assert held(store)[table] == [*before, 3]
        assert store.verify().ok
