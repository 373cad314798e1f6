"""Opens a schema: creates its tables on first open, under a lock, and checks existing ones.

Several processes may open an empty database at once; one of them creates the tables. A role without
the privilege to create tables can open an existing store. A store of an earlier release stays as it
is until something needs what it does not have: then `complete` adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn, cast

import psycopg
from msgspec import Struct

from storecore.errors import ConfigError, NoStore, StorageError
from storecore.values.times import EARLIEST
from storecore_postgres.database import Connection, Database
from storecore_postgres.errors import OLDEST, store_error
from storecore_postgres.schema.columns import Tables, check_tables, tables_made_by, tables_of
from storecore_postgres.schema.layouts import DISTRIBUTIONS, Distribution, choose_layout
from storecore_postgres.schema.tables import (
    ABOUT,
    ADDED_TABLES,
    HISTORY_TABLES,
    TABLES,
    VERSION,
    VERSIONS,
    completion_statements,
    create_statements,
    first_statements,
    function_sources,
    function_statements,
    history_statements,
    quoted,
)

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_SOURCES = """
SELECT proname, prosrc FROM pg_catalog.pg_proc
WHERE pronamespace = to_regnamespace(%s) AND proname = ANY(%s)
"""
_OWNER = """
SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class
WHERE oid = to_regclass(%s)
"""
# PUBLIC is role 0.
_GRANTED = """
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    privilege_type
FROM pg_class, aclexplode(relacl)
WHERE oid = to_regclass(%s) AND grantee <> relowner
    AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
"""


class Installed(Struct, frozen=True):
    """The layout of a store's tables, its version, and whether `complete` has nothing to add.

    `recorded_since` is an instant before which nothing was recorded.
    """

    layout: Distribution
    version: str
    is_complete: bool
    recorded_since: int = EARLIEST

    @property
    def has_history(self) -> bool:
        """Whether versions are recorded, and what is replaced is kept."""
        return self.version == str(VERSION)


def prepare_schema(
    database: Database, schema: str, asked: str, *, create: bool = True
) -> Installed:
    """Create the tables if they are missing, check them, and return what there is.

    `schema` is quoted. With `create=False` nothing is created, and a missing store raises
    `NoStore`. Raises `ConfigError` or `StorageError` if the server, the role or the existing tables
    cannot be used.
    """
    with database.direct() as connection:
        try:
            _check_server(connection)
            found = _contents(connection, schema)
            if found.about.get("version") not in VERSIONS:
                found = _create(connection, schema, asked) if create else _refused(found, schema)
        except psycopg.Error as error:
            raise database.failed(error, f"opening the schema {schema}") from error
    layout = _agreed_layout(found.about, asked, schema)
    since = int(found.about.get("recorded_since", EARLIEST))
    installed = Installed(layout, found.about["version"], found.is_complete, since)
    check_tables(found.tables, _expected(installed), schema)
    return installed


def _expected(installed: Installed) -> Tables:
    """Return the columns of the tables that a store of this version has."""
    made = first_statements("made", installed.layout)
    if installed.is_complete:
        made += completion_statements("made", installed.layout)
    if installed.has_history:
        made += history_statements("made", installed.layout)
    return tables_made_by(made)


def complete(connection: Connection, schema: str, layout: Distribution) -> None:
    """Add what release 1 has not created; the version of the store stays as it is.

    The owner of the tables will own it. Roles get the privileges there that they have for bars.
    """
    _add(connection, schema, ADDED_TABLES[-1], completion_statements(schema, layout), _for_columns)


def add_history(connection: Connection, schema: str, layout: Distribution) -> None:
    """Give a store of an earlier release a history, and roles the privileges for it.

    What it holds counts as recorded before all else.
    """
    _add(connection, schema, HISTORY_TABLES[-1], history_statements(schema, layout), _for_history)


_Grants = Callable[[Connection, str], Iterator[str]]


def _add(
    connection: Connection, schema: str, table: str, statements: list[str], grants: _Grants
) -> None:
    """Execute statements as the owner of the tables, unless a table that they create exists."""
    with connection.transaction():
        connection.execute(LOCK, [schema])
        if table in tables_of(connection, schema, [table]):
            return
        _execute_as_owner(connection, schema, [*statements, *grants(connection, schema)])


def renew_functions(connection: Connection, schema: str, layout: Distribution) -> None:
    """Replace the functions if they name another schema: this one has been renamed since.

    They run with the rights of the owner, and would change the tables of a schema that has the
    former name now.
    """
    expected = function_sources(schema)
    with connection.transaction():
        connection.execute(LOCK, [schema])
        found = connection.execute(_SOURCES, [schema, list(expected)]).fetchall()
        if dict(found) != expected:
            _execute_as_owner(connection, schema, function_statements(schema, layout))


def _execute_as_owner(connection: Connection, schema: str, statements: list[str]) -> None:
    """Execute statements in a transaction with the rights of the owner of the tables."""
    ((owner,),) = connection.execute(_OWNER, [f"{schema}.bars"]).fetchall()
    connection.execute(f"SET LOCAL ROLE {owner}")
    for statement in statements:
        connection.execute(statement, prepare=False)
    connection.execute("RESET ROLE")


def _for_columns(connection: Connection, schema: str) -> Iterator[str]:
    """Yield grants for what `complete` adds, as they are for bars."""
    for role, privilege in connection.execute(_GRANTED, [f"{schema}.bars"]).fetchall():
        yield f"GRANT {privilege} ON {schema}.series_columns TO {role}"
        if privilege == "SELECT":
            yield f"GRANT SELECT ON {schema}.bar_columns TO {role}"
        if privilege == "INSERT":
            yield f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}"


def _for_history(connection: Connection, schema: str) -> Iterator[str]:
    """Yield grants for what `add_history` adds, as they are for bars and for fundamentals."""
    *pasts, snapshots = (f"{schema}.{table}" for table in HISTORY_TABLES)
    tables = ", ".join([*pasts, snapshots])
    sequences = f"SEQUENCE {schema}.recording_clock, {schema}.history_horizon"
    for role, privilege in connection.execute(_GRANTED, [f"{schema}.bars"]).fetchall():
        if privilege in ("SELECT", "INSERT"):
            yield f"GRANT {privilege} ON {tables} TO {role}"
        if privilege in ("SELECT", "UPDATE"):
            yield f"GRANT {privilege} ON {sequences} TO {role}"
        if privilege == "UPDATE":
            yield f"GRANT UPDATE ON {snapshots} TO {role}"
        if privilege == "INSERT":
            yield f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}"
    for role, privilege in connection.execute(_GRANTED, [f"{schema}.fundamentals"]).fetchall():
        if privilege == "DELETE":
            yield f"GRANT DELETE ON {tables} TO {role}"


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

    @property
    def is_complete(self) -> bool:
        """Whether the tables are there that an earlier release does not create."""
        added = any(name in self.tables for name in ADDED_TABLES)
        return added or self.about.get("version", "1") != "1"


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
        connection.execute(LOCK, [schema])
        found = _contents(connection, schema)
        if found.about.get("version") in VERSIONS:
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
    others = sorted(found.tables.keys() - {"about", *ADDED_TABLES})
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
