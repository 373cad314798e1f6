"""The grants of `storecore init`: one role can read, one can write, one can also delete and rename;
none can do more."""

from __future__ import annotations

from datetime import date

import psycopg
import pyarrow as pa
import pytest
from click.testing import CliRunner

from storecore import StorageError
from storecore.cli.app import app
from storecore_postgres import PostgresDataStore

ALL = date.min, date.max
FORBIDDEN = [
    "UPDATE {log} SET day = day",
    "DELETE FROM {log}",
    "TRUNCATE {log}",
    "DROP TABLE {log}",
    "ALTER TABLE {log} DISABLE TRIGGER append_only",
]
BEYOND_A_WRITER = [
    *(
        each.format(log=f"{{schema}}.{log}")
        for each in FORBIDDEN
        for log in ("decisions", "orders")
    ),
    "UPDATE {schema}.events SET type = type",
    "DELETE FROM {schema}.events",
    "DELETE FROM {schema}.fundamentals",
    "DELETE FROM {schema}.audit_heads",
    "UPDATE {schema}.states SET version = 1",
    "UPDATE {schema}.about SET value = '2'",
    "ALTER TABLE {schema}.bars ADD more int",
    "DELETE FROM {schema}.bar_columns",
    "UPDATE {schema}.bar_history SET replaced = recorded",
    "DELETE FROM {schema}.bar_history",
    "DELETE FROM {schema}.fundamental_history",
    "DELETE FROM {schema}.event_history",
    "DELETE FROM {schema}.snapshots",
    "CREATE TABLE {schema}.more (x int)",
    "DROP SCHEMA {schema} CASCADE",
]


@pytest.fixture
def granted(place, admin, role, schema):
    """Make a store by `storecore init`, and return the dsn of a reading and of a writing role."""
    options = ["--set", f"dsn={place['dsn']}", "--set", f"schema={schema}"]
    result = CliRunner().invoke(app, ["init", "--backend", "postgres", *options])
    assert result.stderr == "the store in backend 'postgres' is ready\n"
    (reader, reading), (writer, writing), (keeper, keeping) = role(), role(), role()
    sql = result.stdout.replace("TO reader;", f"TO {reader};")
    sql = sql.replace("GRANT writer TO keeper;", f"GRANT {writer} TO {keeper};")
    sql = sql.replace("TO keeper;", f"TO {keeper};")
    admin.execute(sql.replace("TO writer;", f"TO {writer};"))
    return reading, writing, keeping


@pytest.fixture
def writes(bar, event, fundamental, decision, sent):
    """A call of each method that writes."""
    return {
        "write_bars": ("AAPL", [bar()]),
        "write_bar_table": (_table(bar()),),
        "write_event": (event(),),
        "write_events": ([event(), event()],),
        "write_fundamental": ("AAPL", fundamental()),
        "write_fundamentals": ([fundamental(), fundamental()],),
        "save_strategy_state": ("value", {"cash": 1}),
        "log_decision": ("value", decision()),
        "log_decisions": ("value", [decision()]),
        "log_order": ("value", *sent()),
        "log_orders": ("value", [sent()]),
        "delete_bars": ("AAPL", *ALL),
    }


def _table(bar):
    fields = ("symbol", "date", "open", "high", "low", "close", "volume")
    return pa.table({name: [getattr(bar, name)] for name in fields})


def read_all(store):
    return [
        store.read_bars("AAPL", *ALL),
        store.read_bar_table(["AAPL"], *ALL).to_pylist(),
        [table.to_pylist() for table in store.iter_bar_tables(["AAPL"], *ALL)],
        store.read_fundamental("AAPL"),
        store.read_events(*ALL),
        store.load_strategy_state("value"),
        store.state_history("value"),
        store.symbols(),
        store.timeframes("AAPL"),
        store.bar_coverage("AAPL"),
        store.strategies(),
        store.read_decisions(*ALL),
        store.read_orders(*ALL, "value"),
        store.verify_audit(),
        store.verify(),
        *map(list, (store.iter_events(), store.iter_fundamentals(), store.iter_audit("orders"))),
    ]


def test_who_may_read_reads_all_that_who_may_write_has_written(granted, schema, writes):
    reading, writing, _ = granted
    with PostgresDataStore(writing, schema=schema) as writer:
        for _ in range(2):
            for method, arguments in writes.items():
                getattr(writer, method)(*arguments)
        writer.write_bars(*writes["write_bars"])
        written = read_all(writer)
        assert len(writer.read_decisions(*ALL)) == 4
        assert writer.compact().ok
    with PostgresDataStore(reading, schema=schema) as reader:
        assert read_all(reader) == written


def test_who_may_read_may_not_write(granted, schema, writes):
    with PostgresDataStore(granted[0], schema=schema) as reader:
        before = read_all(reader)
        for method, arguments in writes.items():
            with pytest.raises(
                StorageError, match="this role lacks a privilege; grant it what `storecore"
            ):
                getattr(reader, method)(*arguments)
        assert read_all(reader) == before


@pytest.mark.few(12)
@pytest.mark.parametrize("statement", BEYOND_A_WRITER)
def test_who_may_write_may_not_touch_what_was_written_for_good(granted, schema, statement):
    with psycopg.connect(granted[1]) as writer, pytest.raises(psycopg.errors.InsufficientPrivilege):
        writer.execute(statement.format(schema=schema))


def test_who_may_write_adds_columns_and_leaves_out_volumes(granted, schema, bar):
    given = [bar(volume=None, extra={"vwap": 1.5})]
    with PostgresDataStore(granted[1], schema=schema) as writer:
        writer.write_bars("AAPL", given)
        writer.write_bars("AAPL", [bar(volume=None, extra={"vwap": 1.5, "trades": 3})])
        writer.write_bar_table(writer.read_bar_table("AAPL"), replace=True)
        assert writer.delete_strategy_state("value") is False
    with PostgresDataStore(granted[0], schema=schema) as reader:
        assert reader.read_bars("AAPL") == [bar(volume=None, extra={"vwap": 1.5, "trades": 3})]


def test_who_may_only_read_is_told_who_can_add_columns(granted, schema, bar):
    told = pytest.raises(StorageError, match="run `storecore init` as their owner, and")
    with PostgresDataStore(granted[0], schema=schema) as reader, told:
        reader.write_bars("AAPL", [bar(extra={"vwap": 1.5})])


def test_a_keeper_deletes_and_renames_which_who_may_write_may_not(
    granted, schema, bar, event, fundamental
):
    with PostgresDataStore(granted[1], schema=schema) as writer:
        writer.write_bars("AAPL", [bar(extra={"vwap": 1.5})])
        writer.write_event(event())
        writer.write_fundamental("AAPL", fundamental())
        for method, arguments in (
            ("delete_events", ALL),
            ("delete_fundamentals", ("AAPL", *ALL)),
            ("rename_symbol", ("AAPL", "B")),
        ):
            with pytest.raises(StorageError, match="this role lacks a privilege"):
                getattr(writer, method)(*arguments)
    with PostgresDataStore(granted[2], schema=schema) as keeper:
        keeper.rename_symbol("AAPL", "B")
        assert keeper.read_bars("B") == [bar(symbol="B", extra={"vwap": 1.5})]
        assert keeper.delete_events(*ALL) == keeper.delete_fundamentals("B", *ALL) == 1
        assert keeper.prune_history(keeper.recorded_now()) == 5


@pytest.mark.parametrize("change", FORBIDDEN[:3])
@pytest.mark.parametrize("log", ["decisions", "orders"])
def test_not_even_its_owner_changes_the_audit_log(
    no_cluster, store, admin, schema, change, log, writes
):
    store.log_decision(*writes["log_decision"])
    store.log_order(*writes["log_order"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        admin.execute(change.format(log=f"{schema}.{log}"))
    assert store.verify_audit().ok
