"""Opens a schema: creates its tables on first open, under a lock, and checks existing ones.

Several processes may open an empty database at once; one of them creates the tables. A role without
the privilege to create tables can open an existing store.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn, cast

import psycopg

from storecore.errors import ConfigError, NoStore, StorageError
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import OLDEST, store_error
from storecore_postgres.schema.columns import Tables, check_tables, tables_made_by, tables_of
from storecore_postgres.schema.layouts import DISTRIBUTIONS, Distribution, choose_layout
from storecore_postgres.schema.tables import ABOUT, TABLES, VERSION, create_statements, quoted


def prepare_schema(
    database: Database, schema: str, asked: str, *, create: bool = True
) -> Distribution:
    """Create the tables if they are missing, check them, and return their layout.

    `schema` is quoted. With `create=False` nothing is created, and a missing store raises
    `NoStore`. Raises `ConfigError` or `StorageError` if the server, the role or the existing tables
    cannot be used.
    """
    with database.direct() as connection:
        try:
            _check_server(connection)
            found = _contents(connection, schema)
            if found.about.get("version") != str(VERSION):
                found = _create(connection, schema, asked) if create else _refused(found, schema)
        except psycopg.Error as error:
            raise database.failed(error, f"opening the schema {schema}") from error
    layout = _agreed_layout(found.about, asked, schema)
    check_tables(found.tables, tables_made_by(create_statements("made", layout)), schema)
    return layout


def remove(dsn: str, schema: str) -> None:
    """Drop a schema with everything in it. Raises `StorageError`."""
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
    except psycopg.Error as error:
        raise store_error(error, f"removing the schema {schema}") from error


def _check_server(connection: Connection) -> None:
    number = connection.info.server_version
    if number < OLDEST * 10_000:
        raise StorageError(
            f"the server is PostgreSQL {number // 10_000}; expected {OLDEST} or later; upgrade it"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageError(
            f"the database is encoded in {encoding}, which cannot represent every name; expected "
            "UTF8; create one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


class _Contents(NamedTuple):
    """The rows of the table `about` (empty without a store), and the columns of all tables."""

    about: dict[str, str]
    tables: Tables


def _contents(connection: Connection, schema: str) -> _Contents:
    tables = tables_of(connection, schema, TABLES)
    if "about" not in tables:
        return _Contents({}, tables)
    check_tables(tables, tables_made_by([ABOUT.format(schema="made")]), schema)
    said = connection.execute(f"SELECT key, value FROM {schema}.about").fetchall()
    return _Contents(dict(said), tables)


def _create(connection: Connection, schema: str, asked: str) -> _Contents:
    """Create the tables, unless another process has done so meanwhile; return the contents then."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [schema])
        found = _contents(connection, schema)
        if found.about.get("version") == str(VERSION):
            return found
        _check_empty(found, schema)
        extensions = connection.execute("SELECT extname FROM pg_extension").fetchall()
        distribution = choose_layout(asked, {name for (name,) in extensions})
        ((there,),) = connection.execute("SELECT to_regnamespace(%s)", [schema]).fetchall()
        if there is None:  # a role may own a schema that it could not create
            _make_schema(connection, schema)
        for statement in create_statements(schema, distribution):
            # Several commands in one string cannot be prepared.
            connection.execute(statement, prepare=False)
        return _contents(connection, schema)


def _refused(found: _Contents, schema: str) -> NoReturn:
    _check_empty(found, schema)
    raise NoStore(
        f"no store at schema {schema}: the schema has no tables of storecore, or does not exist; "
        "check the schema and the database of the dsn, or create a store with `storecore init`"
    )


def _check_empty(found: _Contents, schema: str) -> None:
    """Raise `StorageError` if the schema has tables of another version or of no known one."""
    if "version" in found.about:
        raise StorageError(
            f"the schema {schema} has version {found.about['version']}, this storecore supports "
            f"{VERSION}; upgrade storecore"
        )
    others = sorted(found.tables.keys() - {"about"})
    if others:
        raise StorageError(
            f"the schema {schema} has the tables {', '.join(others)}, but its table about has no "
            "version: they belong to another program, or were restored without it; restore the "
            "whole schema, or name another one"
        )


def _make_schema(connection: Connection, schema: str) -> None:
    try:
        connection.execute(f"CREATE SCHEMA {schema}")
    except psycopg.errors.InsufficientPrivilege:
        raise StorageError(
            f"the schema {schema} does not exist, and this role may not create it; check its name, "
            "or run `storecore init` as a role that may"
        ) from None


def _agreed_layout(found: dict[str, str], asked: str, schema: str) -> Distribution:
    kept = found.get("distribution")
    if kept not in DISTRIBUTIONS:
        raise StorageError(
            f"the schema {schema}: its table about names the distribution {kept!r}; expected one "
            f"of {DISTRIBUTIONS}; restore the whole schema, or name another one"
        )
    if asked not in ("auto", kept):
        raise ConfigError(
            f"distribution={asked!r}: the tables of {schema} were created with {kept!r}; leave it "
            "at 'auto', or copy the store into a new schema with `storecore copy`"
        )
    return cast(Distribution, kept)
