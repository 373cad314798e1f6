"""The tables of a store: made on first open, versioned, and brought up to date, under a lock.

Several processes may open an empty database at once; one of them makes the tables. A role that may
not make any can open a store that is there.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn, cast

import psycopg

from storecore.errors import ConfigError, NoStore, StorageError
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import OLDEST
from storecore_postgres.schema.columns import Tables, check_tables, tables_made_by, tables_of
from storecore_postgres.schema.layouts import DISTRIBUTIONS, Distribution, chosen
from storecore_postgres.schema.tables import ABOUT, TABLES, VERSION, statements


def prepared(database: Database, schema: str, asked: str, *, create: bool = True) -> Distribution:
    """Create what is missing of a store and return how its tables are laid out.

    `schema` is quoted. With `create=False` nothing is created, and a missing store raises
    `NoStore`. Raises `ConfigError` or `StorageError` if the server, the role or the existing tables
    cannot be used.
    """
    with database.connected() as connection:
        try:
            _check_server(connection)
            found = _found(connection, schema)
            if found.about.get("version") != str(VERSION):
                found = _made(connection, schema, asked) if create else _refused(found, schema)
        except psycopg.Error as error:
            raise database.failed(error, f"opening the schema {schema}") from error
    layout = _agreed(found.about, asked, schema)
    check_tables(found.tables, tables_made_by(statements("made", layout)), schema)
    return layout


def _check_server(connection: Connection) -> None:
    number = connection.info.server_version
    if number < OLDEST * 10_000:
        raise StorageError(
            f"the server is PostgreSQL {number // 10_000}; expected {OLDEST} or later; upgrade it"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageError(
            f"the database is encoded in {encoding}, which cannot keep every name; expected UTF8; "
            "make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


class _Found(NamedTuple):
    """What a store says of itself, nothing if there is none, and which tables are there."""

    about: dict[str, str]
    tables: Tables


def _found(connection: Connection, schema: str) -> _Found:
    tables = tables_of(connection, schema, TABLES)
    if "about" not in tables:
        return _Found({}, tables)
    check_tables(tables, tables_made_by([ABOUT.format(schema="made")]), schema)
    said = connection.execute(f"SELECT key, value FROM {schema}.about").fetchall()
    return _Found(dict(said), tables)


def _made(connection: Connection, schema: str, asked: str) -> _Found:
    """Make the tables of a store, unless another process has meanwhile; return what is there then.

    A later version is brought up to date here.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [schema])
        found = _found(connection, schema)
        if found.about.get("version") == str(VERSION):
            return found
        _check_empty(found, schema)
        extensions = connection.execute("SELECT extname FROM pg_extension").fetchall()
        distribution = chosen(asked, {name for (name,) in extensions})
        ((there,),) = connection.execute("SELECT to_regnamespace(%s)", [schema]).fetchall()
        if there is None:  # who may not make it may have been given it
            _make_schema(connection, schema)
        for statement in statements(schema, distribution):
            connection.execute(statement, prepare=False)  # they are several commands each
        return _found(connection, schema)


def _refused(found: _Found, schema: str) -> NoReturn:
    _check_empty(found, schema)
    raise NoStore(
        f"no store at schema {schema}: it has no tables of storecore, or is not there; check the "
        "schema and the database of the dsn, or make a store with `storecore init`"
    )


def _check_empty(found: _Found, schema: str) -> None:
    """Raise `StorageError` if there are tables already whose version is not known here."""
    if "version" in found.about:
        raise StorageError(
            f"the schema {schema} is of version {found.about['version']}, this storecore knows "
            f"{VERSION}; upgrade storecore"
        )
    others = sorted(found.tables.keys() - {"about"})
    if others:
        raise StorageError(
            f"the schema {schema} has the tables {', '.join(others)}, and no row of its table "
            "about says of which version: they are another program's, or were restored without it; "
            "restore the whole schema, or name another one"
        )


def _make_schema(connection: Connection, schema: str) -> None:
    try:
        connection.execute(f"CREATE SCHEMA {schema}")
    except psycopg.errors.InsufficientPrivilege:
        raise StorageError(
            f"the schema {schema} is not there, and this role may not make it; is its name right? "
            "else let `storecore init` make it as a role that may"
        ) from None


def _agreed(found: dict[str, str], asked: str, schema: str) -> Distribution:
    kept = found.get("distribution")
    if kept not in DISTRIBUTIONS:
        raise StorageError(
            f"the schema {schema}: its table about names the distribution {kept!r}; expected one "
            f"of {DISTRIBUTIONS}; restore the whole schema, or name another one"
        )
    if asked not in ("auto", kept):
        raise ConfigError(
            f"distribution={asked!r}: the tables of {schema} were made with {kept!r}; leave it at "
            "'auto', or copy the store into a new schema with `storecore copy`"
        )
    return cast(Distribution, kept)
