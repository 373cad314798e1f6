"""The tables of a store are created once, in a schema of any name, and checked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from storecore import ConfigError, NoStore, StorageError
from storecore_postgres import PostgresDataStore
from storecore_postgres.schema.installation import remove
from storecore_postgres.schema.tables import TABLES, grants, quoted

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


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_an_empty_schema_that_many_open_at_once_is_made_once(
    opened, place, admin, schema, isolation
):
    option = "-c default_transaction_isolation=" + isolation.replace(" ", "\\ ")
    dsn = make_conninfo(place["dsn"], options=option)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for store in threads.map(lambda _: opened(dsn=dsn), range(AT_ONCE)):
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


def test_a_schema_that_cannot_be_removed_says_so(place):
    nowhere = f"{place['dsn']} dbname=no_such_database"
    with pytest.raises(StorageError, match="no_such_database"):
        remove(nowhere, "mine")


def test_what_is_there_stays_as_it_is(opened, bar):
    with opened() as store:
        store.write_bars("AAPL", [bar()])
    with opened() as store:
        assert store.read_bars("AAPL", bar().date, bar().date) == [bar()]


def test_what_could_not_be_made_whole_is_not_there_at_all(
    no_cluster, opened, admin, schema, monkeypatch
):
    monkeypatch.setattr("storecore_postgres.schema.tables._GUARD", "SELECT 1 / 0")
    with pytest.raises(OSError, match="division by zero"):
        opened()
    assert tables(admin, schema) == set()
    monkeypatch.undo()
    opened().close()
    assert tables(admin, schema) == set(TABLES)


@pytest.mark.parametrize(
    "name",
    ['a"b', "Ünï", "Desk", "select", "a.b", "a'b", "a b", "–" * 21, "$1", "\\x41", ";--", "$body$"],
)
def test_a_schema_may_have_any_name(postgres_dsn, admin, name, bar, decision, event, fundamental):
    with PostgresDataStore(postgres_dsn, schema=name) as store:
        store.write_bars("AAPL", [bar(extra={"vwap": 1.5})])
        store.write_event(event())
        store.write_fundamental("AAPL", fundamental())
        store.save_strategy_state("value", {"cash": 1})
        store.log_decision("value", decision())
        assert store.read_bars("AAPL") == [bar(extra={"vwap": 1.5})]
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


@pytest.mark.parametrize("name", ["pg_desk", "pg_catalog", "information_schema"])
def test_a_name_that_the_server_keeps_for_itself_is_refused_before_anything_is_asked(name):
    with pytest.raises(ConfigError, match=f"schema='{name}': the server reserves this name"):
        PostgresDataStore("host=/nowhere", schema=name)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("ALTER TABLE {schema}.bars DROP COLUMN volume",
         'column "volume" does not exist in its table bars'),
        ("ALTER TABLE {schema}.bars ALTER volume TYPE int8",
         'column "volume" of its table bars is of type bigint; expected double precision'),
        ("ALTER TABLE {schema}.states RENAME saved_at TO saved",
         'column "saved_at" does not exist in its table states'),
        ("ALTER TABLE {schema}.states ADD owner text NOT NULL",
         'column "owner" of its table states is unknown and must be given a value'),
        ("ALTER TABLE {schema}.events ALTER id DROP IDENTITY",
         'column "id" of its table events is no identity column'),
        ("ALTER TABLE {schema}.bars DROP CONSTRAINT bars_pkey",
         r"bars has the primary key \(\); expected \(symbol, timeframe, date\)"),
        ("ALTER TABLE {schema}.orders DROP CONSTRAINT orders_pkey",
         r"orders has the primary key \(\); expected \(seq"),
        ("DROP TABLE {schema}.audit_heads", "its table audit_heads does not exist"),
        ("DELETE FROM {schema}.about",
         "has the tables audit_heads, .*bars, .* its table about has no version"),
        ("DROP TABLE {schema}.about", "were restored without it; restore the whole schema"),
        ("DELETE FROM {schema}.about WHERE key = 'distribution'", "names the distribution None"),
        ("UPDATE {schema}.about SET value = 'oracle' WHERE key = 'distribution'",
         "names the distribution 'oracle'; expected one of"),
        ("ALTER TABLE {schema}.about RENAME value TO said",
         'column "value" does not exist in its table about'),
    ],
)  # fmt: skip
def test_tables_that_are_not_those_of_a_store_are_noticed_when_it_is_opened(
    request, opened, admin, schema, change, wrong
):
    if "IDENTITY" in change:
        request.getfixturevalue("no_cluster")
    opened().close()
    admin.execute(change.format(schema=schema))
    with pytest.raises(StorageError, match=wrong):
        opened()


def test_a_table_of_another_program_is_not_taken_for_a_stores(opened, admin, schema):
    admin.execute(f"CREATE SCHEMA {schema}")
    admin.execute(f"CREATE TABLE {schema}.bars (id int, drink text)")
    with pytest.raises(StorageError, match=r"has the tables bars, .* they belong to another"):
        opened()
    assert tables(admin, schema) == {"bars"}


def test_a_column_that_someone_added_for_themselves_is_left_alone(opened, admin, schema, bar):
    opened().close()
    admin.execute(f"ALTER TABLE {schema}.bars ADD note text, ADD n int NOT NULL DEFAULT 5")
    with opened() as store:
        store.write_bars("AAPL", [bar()])
        assert store.read_bars("AAPL", bar().date, bar().date) == [bar()]


def test_a_store_that_is_removed_is_gone_and_may_be_removed_again(opened, place, bar):
    with opened() as store:
        store.write_bars("AAPL", [bar()])
    for _ in range(2):
        remove(place["dsn"], place["schema"])
        with pytest.raises(NoStore):
            opened(create=False)
