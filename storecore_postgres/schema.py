"""The tables of a store: made on first open, versioned, and brought up to date, under a lock.

Several processes may open an empty database at once; one of them makes the tables. A role that may
not make any can open a store that is there.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn, cast

import psycopg
from psycopg import sql

from storecore.errors import ConfigError, NoStore, StorageError
from storecore.errors.redaction import redacted
from storecore_postgres.columns import Tables, check_tables, tables_made_by, tables_of
from storecore_postgres.database import Connection, Database
from storecore_postgres.distribution import DISTRIBUTIONS, Distribution, chosen, key_of, spread
from storecore_postgres.failing import OLDEST, translated

VERSION = 1
TABLES = ("bars", "fundamentals", "events", "states", "decisions", "orders", "audit_heads", "about")
_NOT_IN_A_NAME = re.compile(r"[\0%{}\ud800-\udfff]")  # or placeholders in statements
_LONGEST = 63  # bytes; the server cuts a longer identifier, and two might become one

_ABOUT = """
CREATE TABLE IF NOT EXISTS {schema}.about (
    key text PRIMARY KEY,
    value text NOT NULL
)
"""

_TABLES = """
CREATE TABLE {schema}.bars (
    symbol text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    date timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8 NOT NULL,
    exact_volume int8,
    PRIMARY KEY (symbol, timeframe, date)
);
CREATE TABLE {schema}.fundamentals (
    symbol text COLLATE "C" NOT NULL,
    timestamp timestamptz NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (symbol, timestamp)
);
CREATE TABLE {schema}.events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    timestamp timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    document json NOT NULL,
    PRIMARY KEY ({event_key})
);
CREATE INDEX ON {schema}.events (type, timestamp, id);
CREATE TABLE {schema}.states (
    strategy text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    document json NOT NULL,
    PRIMARY KEY (strategy, version)
);
CREATE TABLE {schema}.audit_heads (
    log text PRIMARY KEY,
    seq bigint NOT NULL,
    hash text NOT NULL
);
INSERT INTO {schema}.audit_heads VALUES ('decisions', 0, ''), ('orders', 0, '')
"""

_LOG = """
CREATE TABLE {schema}.{log} (
    seq bigint NOT NULL,
    day date NOT NULL,
    strategy text COLLATE "C" NOT NULL,
    logged_at timestamptz NOT NULL,
    record json NOT NULL,
    PRIMARY KEY ({key})
);
CREATE INDEX ON {schema}.{log} USING brin (logged_at);
REVOKE UPDATE, DELETE, TRUNCATE ON {schema}.{log} FROM PUBLIC, CURRENT_USER
"""

_GUARD = """
CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever appended to'
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

_GUARDED = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{log}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""


def quoted(schema: str) -> str:
    """Return the name of a schema as SQL has it. Raises `ConfigError` where it cannot be one."""
    size = len(schema.encode(errors="replace"))
    if not 1 <= size <= _LONGEST or _NOT_IN_A_NAME.search(schema) or redacted(schema) != schema:
        raise ConfigError(
            f"schema={schema!r}: expected a name of 1 to {_LONGEST} bytes, without NUL, %, {{ or }}"
        )
    if schema.startswith("pg_") or schema == "information_schema":
        raise ConfigError(
            f"schema={schema!r}: the server keeps this name for itself; expected one that does not "
            "begin with pg_ and is not information_schema"
        )
    return sql.Identifier(schema).as_string()


def remove(dsn: str, schema: str) -> None:
    """Drop a schema with all that is in it. Raises `StorageError`."""
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
    except psycopg.Error as error:
        raise translated(error, f"removing the schema {schema}") from error


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
    check_tables(tables, tables_made_by([_ABOUT.format(schema="made")]), schema)
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


def statements(schema: str, distribution: Distribution) -> list[str]:
    """Return the SQL that makes the tables of a store in a schema, quoted."""
    event_key = key_of("events", "timestamp, id", distribution)
    made = [_ABOUT.format(schema=schema), _TABLES.format(schema=schema, event_key=event_key)]
    for log in ("decisions", "orders"):
        key = key_of(log, "seq", distribution)
        made.append(_LOG.format(schema=schema, log=log, key=key))
    made += spread(schema, distribution)
    if distribution != "citus":  # it has no triggers on distributed tables
        made.append(_GUARD.format(schema=schema))
        made += [_GUARDED.format(schema=schema, log=log) for log in ("decisions", "orders")]
    about = {"version": str(VERSION), "distribution": distribution}
    rows = ", ".join(f"('{key}', '{value}')" for key, value in about.items())
    return [*made, f"INSERT INTO {schema}.about VALUES {rows}"]


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
