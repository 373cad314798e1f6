"""The tables of a store: made once, whoever comes first, in a schema of any name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql

from storecore import ConfigError
from storecore_postgres import PostgresDataStore
from storecore_postgres.grants import grants
from storecore_postgres.schema import TABLES, quoted

AT_ONCE = 8
OPENING = """if True:
    import sys
    from storecore_postgres import PostgresDataStore
    sys.stdin.readline()
    PostgresDataStore(sys.argv[1], schema=sys.argv[2]).close()
    print("opened")
"""


def tables(admin, schema):
    asked = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
    return {name for (name,) in admin.execute(asked, [schema])}


def test_an_empty_schema_that_many_open_at_once_is_made_once(opened, admin, schema):
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for store in threads.map(lambda _: opened(), range(AT_ONCE)):
            store.close()
    assert tables(admin, schema) == set(TABLES)
    heads = admin.execute(f"SELECT log, seq, hash FROM {schema}.audit_heads ORDER BY log")
    assert heads.fetchall() == [("decisions", 0, ""), ("orders", 0, "")]


def test_processes_may_open_an_empty_schema_at_once(place, script):
    opening = [script(OPENING, place["dsn"], place["schema"]) for _ in range(2)]
    for process in opening:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.stdout.readline() for process in opening] == ["opened\n"] * 2


def test_what_is_there_stays_as_it_is(opened, bar):
    with opened() as store:
        store.write_bars("AAPL", [bar()])
    with opened() as store:
        assert store.read_bars("AAPL", bar().date, bar().date) == [bar()]


def test_what_could_not_be_made_whole_is_not_there_at_all(opened, admin, schema, monkeypatch):
    monkeypatch.setattr("storecore_postgres.schema._GUARD", "SELECT 1 / 0")
    with pytest.raises(OSError, match="division by zero"):
        opened()
    assert tables(admin, schema) == set()
    monkeypatch.undo()
    opened().close()
    assert tables(admin, schema) == set(TABLES)


@pytest.mark.parametrize(
    "name", ['a"b', "Ünï", "Desk", "select", "a.b", "a'b", "a b", "–" * 21, "$1", "\\x41", ";--"]
)
def test_a_schema_may_have_any_name(postgres_dsn, admin, name, bar, decision, event, fundamental):
    with PostgresDataStore(postgres_dsn, schema=name) as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
        store.write_fundamental("AAPL", fundamental())
        store.save_strategy_state("value", {"cash": 1})
        store.log_decision("value", decision())
        assert store.read_events(bar().date, bar().date, ["news"]) == [event()]
        assert store.delete_bars("AAPL", bar().date, bar().date) == 1
        assert store.verify().ok
        assert store.symbols("1d") == []
        store.compact()
        assert tables(admin, name) == set(TABLES)
        assert f"GRANT USAGE ON SCHEMA {quoted(name)} TO reader;" in grants(quoted(name))
    admin.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@pytest.mark.parametrize(
    "name", ["", "x" * 64, "ü" * 32, "a\0b", "100%", "{a}", "acme://u:p@h", "\udc80"]
)
def test_a_name_that_no_schema_can_have_is_refused_before_anything_is_asked(name):
    with pytest.raises(ConfigError, match="expected a name of 1 to 63 bytes"):
        PostgresDataStore("host=/nowhere", schema=name)
