"""Faults of a server: each is one error with advice, and no error contains a secret."""

from __future__ import annotations

import logging
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

import storecore
from storecore import ConfigError, InvalidName, LockTimeout, StorageError, StoreClosed
from storecore.cli.app import app
from storecore.config.open import prepare
from storecore.errors import CorruptData
from storecore_postgres import PostgresDataStore
from storecore_postgres.database import Pool
from storecore_postgres.errors import store_error, unreachable

SECRET = "s3cr3t-of-the-desk"
ALL = date.min, date.max


@pytest.fixture(autouse=True)
def nothing_logged(caplog):
    """No log record of anyone has the secret in it."""
    caplog.set_level(logging.DEBUG)
    for name in ("psycopg", "psycopg.pool", "storecore"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield
    assert SECRET not in caplog.text


@pytest.fixture
def place(place):
    """The place of the test, with a password that nobody asks for."""
    return {**place, "dsn": make_conninfo(place["dsn"], password=SECRET)}


@pytest.fixture
def refused():
    """Call something that must fail, and check that what is printed of it has no secret."""

    def check(kind, match, call, *args, **options):
        with pytest.raises(kind, match=match) as caught:
            call(*args, **options)
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        error = caught.value
        while error is not None:  # what is suppressed in a traceback is still there for a debugger
            assert SECRET not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__
        return caught.value

    return check


def open_at(dsn, **options):
    PostgresDataStore(dsn, **options).close()


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql//desk:{SECRET}@host/db",
        f"postgresql://desk:{SECRET}%zz@host/db",
        f"host=db passwort={SECRET}",
        f"host=db password='{SECRET}",
    ],
)
def test_a_dsn_that_is_none_is_a_config_error(refused, dsn):
    refused(ConfigError, "dsn: not a connection string; expected postgresql://user:", open_at, dsn)
    refused(ConfigError, "dsn: not a conn", storecore.open_store, "postgres", dsn=dsn)


def test_the_command_line_tells_no_secret():
    dsn = f"postgresql//desk:{SECRET}@host/db"
    result = CliRunner().invoke(app, ["info", "--backend", "postgres", "--set", f"dsn={dsn}"])
    assert result.exit_code == 1
    assert "dsn: not a connection string" in result.stderr
    assert SECRET not in result.output


def test_a_port_where_nothing_listens(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    dsn = f"postgresql://desk:{SECRET}@127.0.0.1:{port}/db"
    refused(StorageError, "no server listens there; is it running", open_at, dsn)


@pytest.fixture
def locked(role, postgres_server, admin):
    """The dsn of a role that is let in by its password only."""
    name, dsn = role(SECRET)
    postgres_server.ask_for_password(name)
    admin.execute("SELECT pg_reload_conf()")
    while True:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            return dsn


def test_a_wrong_password(refused, locked, place):
    dsn = make_conninfo(locked, password=SECRET + "!")
    refused(StorageError, "password authentication failed.*are user and password of", open_at, dsn)


def test_no_password_where_one_is_asked_for(refused, locked):
    refused(StorageError, "requires a password and the dsn has none; add it", open_at, locked)


def test_a_password_that_is_changed_under_a_store(refused, locked, admin, place):
    dsn = make_conninfo(locked, password=SECRET, application_name="changed")
    user = psycopg.conninfo.conninfo_to_dict(dsn)["user"]
    admin.execute(f"CREATE SCHEMA {place['schema']} AUTHORIZATION {user}")
    with PostgresDataStore(dsn, schema=place["schema"], pool=Pool(timeout=0.5)) as store:
        admin.execute(f"ALTER ROLE {user} PASSWORD 'another'")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'changed'"
        )
        refused(StorageError, "password authentication failed", store.read_bars, "A", *ALL)


def test_an_unknown_database(refused, place):
    dsn = make_conninfo(place["dsn"], dbname="nowhere")
    refused(StorageError, 'database "nowhere" does not exist; create it', open_at, dsn)


def test_an_unknown_role(refused, place):
    dsn = make_conninfo(place["dsn"], user="nobody_at_all")
    refused(StorageError, 'role "nobody_at_all" does not exist; create it', open_at, dsn)


def test_a_role_that_may_not_make_the_schema(refused, role, place):
    dsn = make_conninfo(role()[1], password=SECRET)
    refused(
        StorageError,
        "does not exist, and this role may not create it; check its name",
        open_at,
        dsn,
        schema=place["schema"],
    )


@pytest.mark.parametrize("dsn", ["", " "])
def test_an_empty_dsn_is_not_whatever_answers_here(refused, dsn):
    refused(ConfigError, "dsn: it is empty", open_at, dsn)


def test_a_role_that_may_not_see_the_schema(refused, role, place, store):
    dsn = make_conninfo(role()[1], password=SECRET)
    refused(StorageError, "permission denied.*lacks a priv", open_at, dsn, schema=place["schema"])


def test_a_role_with_no_connection_left(refused, role, admin, place):
    name, dsn = role()
    admin.execute(f"ALTER ROLE {name} CONNECTION LIMIT 1")
    with psycopg.connect(dsn):
        refused(StorageError, "too many connections.*lower pool.max_size", open_at, dsn)


def test_an_old_server(refused, place, monkeypatch):
    monkeypatch.setattr(psycopg.ConnectionInfo, "server_version", 130_021)
    refused(StorageError, "is PostgreSQL 13; expected 14 or later; upgrade", open_at, place["dsn"])


def test_a_database_in_another_encoding(refused, database):
    dsn = make_conninfo(
        database("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"), password=SECRET
    )
    refused(StorageError, "encoded in SQL_ASCII.*CREATE DATABASE … ENCODING 'UTF8'", open_at, dsn)


def test_a_schema_of_a_later_version(refused, store, admin, schema, opened):
    admin.execute(f"UPDATE {schema}.about SET value = '4' WHERE key = 'version'")
    refused(StorageError, "has version 4, this storecore supports 3; upgrade", opened)


def test_a_schema_that_is_someone_elses(refused, admin, schema, opened):
    admin.execute(f"CREATE SCHEMA {schema}")
    admin.execute(f"CREATE TABLE {schema}.about (page text)")
    refused(StorageError, f'opening the schema "{schema}": column "key" does not', opened)


def test_a_name_that_the_server_keeps_for_itself(refused, opened):
    for name in ("pg_desk", "pg_catalog", "information_schema"):
        refused(ConfigError, f"schema='{name}': the server reserves", opened, schema=name)


def test_a_table_that_was_dropped_under_a_store(refused, store, admin, schema, bar):
    admin.execute(f"DROP TABLE {schema}.bars")
    refused(StorageError, "a table is missing; create it with", store.write_bars, "AAPL", [bar()])
    refused(StorageError, "reading bars: .*a table is missing", store.read_bars, "AAPL", *ALL)


def test_a_schema_that_was_dropped_under_a_store(refused, store, admin, schema, event):
    admin.execute(f"DROP SCHEMA {schema} CASCADE")
    refused(StorageError, "a table is missing; create it with", store.write_event, event())


def test_a_server_that_only_reads(refused, opened, place, bar):
    opened().close()
    dsn = make_conninfo(place["dsn"], options="-c default_transaction_read_only=on")
    with opened(dsn=dsn) as store:
        error = "is read-only; connect to one that can write"
        refused(StorageError, error, store.write_bars, "AAPL", [bar()])
        assert store.read_bars("AAPL", *ALL) == []


def test_a_full_disk_leaves_what_was_there(no_cluster, refused, store, admin, schema, bar):
    store.write_bars("AAPL", [bar(close=1.0)])
    admin.execute(
        f"CREATE FUNCTION {schema}.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    )
    admin.execute(
        f"CREATE TRIGGER fills_up AFTER INSERT OR UPDATE ON {schema}.bars "
        f"EXECUTE FUNCTION {schema}.full()"
    )
    refused(StorageError, "disk is full; free some", store.write_bars, "AAPL", [bar(close=2.0)])
    assert store.read_bars("AAPL", *ALL) == [bar(close=1.0)]


def test_a_statement_that_takes_too_long(refused, opened, admin, schema, bar):
    with opened(statement_timeout=0.3) as store, admin.transaction():
        admin.execute(f"LOCK TABLE {schema}.bars")
        error = "nothing was written; see statement_timeout"
        refused(LockTimeout, error, store.write_bars, "AAPL", [bar()])


def test_more_threads_than_connections(refused, opened, event):
    with opened(pool=Pool(max_size=1, timeout=1)) as store, store._database._pool.connection():
        error = "no connection became free in 1 seconds; share"
        refused(StorageError, error, store.read_bars, "AAPL", *ALL)
        refused(StorageError, error, store.write_event, event())


def test_threads_wait_for_a_connection(opened, bar):
    with opened(pool=Pool(max_size=2)) as store, ThreadPoolExecutor(12) as threads:
        days = [bar(date(2026, 1, day)) for day in range(1, 13)]
        list(threads.map(lambda each: store.write_bars("AAPL", [each]), days))
        assert len(store.read_bars("AAPL", *ALL)) == 12


def test_a_patience_of_next_to_nothing_is_one_try(opened, refused):
    refused(StorageError, "connect|reached", opened, pool=Pool(timeout=1e-9))


def test_a_server_that_has_gone(refused, opened, monkeypatch, tmp_path, terminate):
    with opened(pool=Pool(timeout=0.5)) as store:
        monkeypatch.setattr(store._database, "_dsn", f"host={tmp_path} password={SECRET}")
        terminate()
        refused(StorageError, "socket does not exist; is the server", store.read_bars, "AAPL", *ALL)


def test_a_store_that_is_closed_while_it_is_used_says_so_at_once(refused, opened):
    store = opened()
    store._database.close()  # by another thread, after this one has looked
    refused(StoreClosed, "closed meanwhile; open it again", store.read_bars, "AAPL", *ALL)


def test_a_name_that_is_too_long_is_refused_before_anything_is_sent(refused, store, bar):
    long = "x" * 1_301
    refused(InvalidName, "1,301 bytes.*at most 1,300", store.write_bars, long, [bar(symbol=long)])
    refused(InvalidName, "1,304 bytes", store.load_strategy_state, "é" * 652)


def test_a_name_that_the_index_refuses_is_an_invalid_name(refused, store, monkeypatch, bar):
    monkeypatch.setattr("storecore_postgres.names._LONGEST", 10_000)
    name = "".join(chr(33 + n * n % 90) + chr(200 + n) for n in range(2_000))
    refused(InvalidName, "too long for an index", store.save_strategy_state, name, {})


def test_nothing_that_is_printed_of_a_store_has_its_dsn(opened, place):
    prepared = prepare("postgres", **place)
    with opened() as store:
        shown = [store, store._database, store._database._pool, prepared, prepared.settings]
        shown += [prepared.settings.pool, prepared.spec]
        assert SECRET not in " ".join(map(repr, shown)) + " ".join(map(str, shown))
        assert repr(store) == f"PostgresDataStore(schema={place['schema']!r})"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("connection timeout expired", "no answer in time"),
        ("server does not support SSL, but SSL was required", "sslmode of the dsn"),
        ('could not translate host name "db"', "host name cannot be resolved; is it spelled right"),
        ("FATAL:  the database system is starting up", "try again once it has started"),
        ("FATAL:  something of a later version", "later version; as the server reports"),
        ("something of a later libpq", "no connection was made; is the server running"),
        ("server closed the connection unexpectedly", "closed the connection; see its log"),
    ],
)
def test_why_there_is_no_connection(said, told):
    error = unreachable(psycopg.OperationalError(f"{said} {SECRET if 'FATAL' not in said else ''}"))
    assert told in str(error)
    assert SECRET not in str(error)


def test_a_server_that_dies_within_the_last_try(refused, opened, postgres_server, monkeypatch):
    with opened() as store:
        monkeypatch.setattr(store._database, "_attempts", lambda: [5.0])
        postgres_server.kill()
        try:
            refused(StorageError, "closed the connection; see", store.read_bars, "AAPL", *ALL)
        finally:
            postgres_server.start()


def test_what_the_driver_itself_refuses_is_reported_as_it_says(opened):
    with opened() as store, pytest.raises(StorageError, match=r"counting: .*NUL"):
        store._database.rows("counting", "SELECT %s::text", ["\0"])


def test_what_nobody_has_thought_of_is_reported_with_its_code(store, admin):
    with pytest.raises(psycopg.Error) as caught:
        admin.execute("SELECT 1 / 0")
    error = store_error(caught.value, "reading bars")
    assert str(error) == "reading bars: division by zero (SQLSTATE 22012)"


@pytest.mark.parametrize("code", ["XX001", "XX002"])
def test_d5_what_the_server_finds_damaged_is_corrupt(store, admin, code):
    with pytest.raises(psycopg.Error) as caught:
        admin.execute(
            "DO $$ BEGIN RAISE EXCEPTION 'invalid page in block 7 of relation base/5/16402' "
            f"USING ERRCODE = '{code}'; END $$"
        )
    error = store_error(caught.value, "reading bars")
    assert type(error) is CorruptData
    assert str(error).startswith("reading bars: invalid page in block 7 of relation base/5/16402; ")
