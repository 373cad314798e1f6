"""Fixtures for tests of the postgres backend: stores, roles, databases, faults at a commit."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from storecore_postgres import PostgresDataStore
from storecore_postgres.database import Pool
from storecore_postgres.schema.layouts import choose_layout

_numbers = itertools.count()


@pytest.fixture
def place(request):
    """The options of a store of the test's own; its connections bear the schema's name."""
    there = "store" in request.fixturenames  # or the test may be about its creation
    found = request.getfixturevalue("empty_in_postgres" if there else "place_in_postgres")
    return {**found, "dsn": make_conninfo(found["dsn"], application_name=found["schema"])}


@pytest.fixture
def schema(place):
    return place["schema"]


@pytest.fixture
def opened(place):
    """Open the store of the test; any option can be given."""
    return lambda **options: PostgresDataStore(**{**place, **options})


@pytest.fixture(scope="session")
def layout(postgres_dsn):
    """How the server lays out new tables, by the extensions that it has."""
    with psycopg.connect(postgres_dsn) as connection:
        found = connection.execute("SELECT extname FROM pg_extension").fetchall()
    return choose_layout("auto", {name for (name,) in found})


@pytest.fixture
def no_cluster(layout):
    """Leave out a test that needs what a cluster refuses: triggers, a new distribution key."""
    if layout == "citus":
        pytest.skip("a cluster refuses what the test does to its tables")


@pytest.fixture(scope="session")
def postgres_programs(postgres_server):
    """The folder of the programs of the tests' own server: `pg_dump` of its version, for one."""
    return postgres_server.programs


@pytest.fixture
def store(opened):
    """An open store, which tries for long."""
    with opened(pool=Pool(timeout=20)) as store:
        yield store


@pytest.fixture
def admin(postgres_dsn):
    """A connection of who may do everything."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(admin, postgres_dsn):
    """Make a role that may do nothing; return its name and the dsn with which it connects."""
    made = []

    def make(password=None):
        name = f"role_{os.getpid()}_{next(_numbers)}"
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), password)
        )
        made.append(name)
        return name, make_conninfo(postgres_dsn, user=name)

    yield make
    for name in made:
        admin.execute(f"DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")


@pytest.fixture
def database(admin, postgres_dsn):
    """Make a database; return the dsn of its administrator."""
    made = []

    def make(options=""):
        name = f"database_{os.getpid()}_{next(_numbers)}"
        admin.execute(f"CREATE DATABASE {name} {options}")
        made.append(name)
        return make_conninfo(postgres_dsn, dbname=name)

    yield make
    for name in made:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def terminate(admin, schema):
    """End all connections of the test's stores, and wait until they are gone; return how many."""
    return lambda: admin.execute(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
        "WHERE application_name = %s",
        [schema],
    ).fetchone()[0]


@pytest.fixture
def at_commit(monkeypatch):
    """Call a function in place of the next COMMIT (or other statement, by its beginning).

    It is given the connection and what sends the statement.
    """
    real = psycopg.Connection.execute

    def install(instead, part="COMMIT"):
        waiting = [instead]

        def execute(self, query, *args, **options):
            if waiting and query.lstrip().startswith(part):
                return waiting.pop()(self, lambda: real(self, query, *args, **options))
            return real(self, query, *args, **options)

        monkeypatch.setattr(psycopg.Connection, "execute", execute)

    return install


@pytest.fixture
def always():
    """Bounds that take in everything, in UTC."""
    return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
