"""`create=False`: an existing store is opened, and nothing is created (law D7)."""

from __future__ import annotations

from datetime import date

import pytest
from psycopg.conninfo import make_conninfo

import storecore
from storecore import NoStore, StorageError
from storecore_postgres.schema.tables import grants

EVER = date.min, date.max


@pytest.fixture
def tables(admin, schema):
    """Return whether the schema is there, and the names of its tables."""
    return lambda: (
        admin.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchall() != [],
        admin.execute(
            "SELECT relname FROM pg_tables, pg_class WHERE schemaname = %s AND relname = tablename",
            [schema],
        ).fetchall(),
    )


@pytest.fixture
def reader(role, admin, schema):
    """The dsn of a role that may only read the store of the test."""
    name, dsn = role()
    for statement in grants(schema).partition("-- for a role that writes")[0].split(";")[:-1]:
        admin.execute(statement.replace("TO reader", f"TO {name}"))
    return dsn


def test_a_schema_that_is_not_there_is_no_store_and_is_not_made(opened, tables, schema):
    with pytest.raises(NoStore, match=f'^no store at schema "{schema}": .*; check the schema'):
        opened(create=False)
    assert tables() == (False, [])


def test_a_schema_of_anything_else_is_no_store(opened, tables, admin, schema):
    admin.execute(f"CREATE SCHEMA {schema}")
    with pytest.raises(NoStore):
        opened(create=False)
    assert tables() == (True, [])


def test_a_store_that_is_there_is_opened_and_may_be_written(opened, bar):
    opened().close()
    with opened(create=False) as store:
        store.write_bars("AAPL", [bar()])
        assert store.read_bars("AAPL", *EVER) == [bar()]


def test_a_role_that_may_only_read_is_enough(opened, bar, request):
    with opened() as store:
        store.write_bars("AAPL", [bar()])
    with opened(create=False, dsn=request.getfixturevalue("reader")) as store:
        assert store.read_bars("AAPL", *EVER) == [bar()]
        assert store.verify().ok


def test_it_is_named_in_a_config_as_any_other(place, opened, bar):
    with pytest.raises(NoStore):
        storecore.open_store("postgres", **place, create=False)
    with pytest.raises(NoStore):
        storecore.open_store("readonly", store={"backend": "postgres", **place})
    opened().close()
    storecore.open_store("readonly", store={"backend": "postgres", **place}).close()


def test_a_server_that_only_reads_is_enough(opened, place):
    dsn = make_conninfo(place["dsn"], options="-c default_transaction_read_only=on")
    with pytest.raises(NoStore):
        opened(create=False, dsn=dsn)
    opened().close()
    opened(create=False, dsn=dsn).close()


def test_a_schema_of_a_later_version_is_reported_as_ever(store, admin, schema, opened):
    admin.execute(f"UPDATE {schema}.about SET value = '4' WHERE key = 'version'")
    with pytest.raises(StorageError, match="has version 4, this storecore supports 3; upgrade"):
        opened(create=False)
