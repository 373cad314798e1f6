"""The tables of a store as SQL, and the grants for three roles: a reader, a writer and a keeper.

DESIGN.md, "The tables", explains every column and key, and "Versions" what `COMPLETION` is for.
"""

from __future__ import annotations

import re

from psycopg import sql

from storecore.errors import ConfigError
from storecore.errors.redaction import redacted
from storecore_postgres.schema.layouts import Distribution, layout_statements, primary_key

VERSION = 3  # the highest that this release reads and writes
VERSIONS = ("1", "2", "3")
FIRST_TABLES = (
    "bars",
    "fundamentals",
    "events",
    "states",
    "decisions",
    "orders",
    "audit_heads",
    "about",
)
ADDED_TABLES = ("bar_columns", "series_columns")  # which a store of release 1 does not have
HISTORY_TABLES = ("bar_history", "fundamental_history", "event_history", "snapshots")
TABLES = (*FIRST_TABLES, *ADDED_TABLES, *HISTORY_TABLES)
_NOT_IN_A_NAME = re.compile(r"[\0%{}\ud800-\udfff]")  # % and braces mark placeholders
_LONGEST = 63  # bytes; the server truncates longer identifiers, and two might become equal

ABOUT = """
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
    RAISE EXCEPTION 'the audit log is append-only'
        USING ERRCODE = 'insufficient_privilege';
END $$
"""

_GUARDED = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{log}
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()
"""
# What an earlier release has not created. It ignores these, so it still opens the store.
_COMPLETION = """
CREATE TABLE {schema}.bar_columns (
    name text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    stored_as text COLLATE "C" NOT NULL,
    PRIMARY KEY (name, kind)
);
CREATE TABLE {schema}.series_columns (
    symbol text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    kinds json NOT NULL,
    PRIMARY KEY (symbol, timeframe)
)
"""
_VOLUME = "ALTER TABLE {schema}.bars ALTER volume DROP NOT NULL"

# They run with the rights of the owner, so that a role that only writes may write new columns.
_USE_VERSION_2 = """
CREATE OR REPLACE FUNCTION {schema}.use_version_2() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {tag}
    UPDATE {schema}.about SET value = '2' WHERE key = 'version' AND value = '1'
{tag}
"""
_ADD_BAR_COLUMN = """
CREATE OR REPLACE FUNCTION
    {schema}.add_bar_column(column_name text, column_kind text, place text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {tag}
DECLARE
    each regclass;
BEGIN
    FOREACH each IN ARRAY array_remove(
        ARRAY[to_regclass('{literal}.bars'), to_regclass('{literal}.bar_history')], NULL
    ) LOOP
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN %I %s', each, place,
            CASE column_kind
                WHEN 'float64' THEN 'float8'
                WHEN 'int64' THEN 'int8'
                WHEN 'bool' THEN 'bool'
                WHEN 'string' THEN 'text COLLATE "C"'
                WHEN 'timestamp' THEN 'timestamptz'
            END
        );
    END LOOP;
    INSERT INTO {schema}.bar_columns VALUES (column_name, column_kind, place);
    INSERT INTO {schema}.about
    SELECT 'columns', count(*)::text FROM {schema}.bar_columns
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
    PERFORM {schema}.use_version_2();
END {tag}
"""
_FUNCTIONS = {"use_version_2": _USE_VERSION_2, "add_bar_column": _ADD_BAR_COLUMN}
_REVOKED = """
REVOKE ALL ON FUNCTION
    {schema}.use_version_2(), {schema}.add_bar_column(text, text, text) FROM PUBLIC
"""
# The instant at which a version was recorded; -infinity: before the store had a history. It has no
# default, so that a process of an earlier release that has the store open cannot write any more.
_RECORDED = """
ALTER TABLE {schema}.{table} ADD COLUMN recorded timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE {schema}.{table} ALTER recorded DROP DEFAULT
"""
_HISTORY = """
CREATE TABLE {schema}.bar_history (
    symbol text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    date timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8,
    exact_volume int8,
    recorded timestamptz NOT NULL,
    replaced timestamptz NOT NULL,
    PRIMARY KEY (symbol, timeframe, date, replaced)
);
CREATE INDEX ON {schema}.bar_history USING brin (replaced);
CREATE TABLE {schema}.fundamental_history (
    symbol text COLLATE "C" NOT NULL,
    timestamp timestamptz NOT NULL,
    document json NOT NULL,
    recorded timestamptz NOT NULL,
    replaced timestamptz NOT NULL,
    PRIMARY KEY (symbol, timestamp, replaced)
);
CREATE INDEX ON {schema}.fundamental_history USING brin (replaced);
CREATE TABLE {schema}.event_history (
    id bigint NOT NULL,
    timestamp timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    document json NOT NULL,
    recorded timestamptz NOT NULL,
    replaced timestamptz NOT NULL,
    PRIMARY KEY (timestamp, id, replaced)
);
CREATE INDEX ON {schema}.event_history USING brin (replaced);
CREATE TABLE {schema}.snapshots (
    name text COLLATE "C" NOT NULL,
    recorded timestamptz NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (name)
);
CREATE SEQUENCE {schema}.recording_clock;
CREATE SEQUENCE {schema}.history_horizon MINVALUE -9223372036854775808 START 0;
SELECT setval('{literal}.recording_clock', (extract(epoch FROM clock_timestamp()) * 1000000)::int8);
INSERT INTO {schema}.about SELECT 'recorded_since', last_value FROM {schema}.recording_clock
"""
# Further columns of an earlier release may have the names of the instants.
_RENAMED = """
DO {tag}
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT stored_as, stored_as || '_' || kind AS free FROM {schema}.bar_columns
        WHERE stored_as IN ('recorded', 'replaced')
    LOOP
        EXECUTE format(
            'ALTER TABLE %s RENAME COLUMN %I TO %I',
            '{literal}.bars'::regclass, each.stored_as, each.free
        );
        UPDATE {schema}.bar_columns SET stored_as = each.free WHERE stored_as = each.stored_as;
    END LOOP;
END {tag}
"""
_FURTHER_OF_THE_PAST = """
DO {tag}
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT attname, format_type(atttypid, atttypmod) AS kind
        FROM {schema}.bar_columns JOIN pg_attribute ON attname = stored_as
        WHERE attrelid = '{literal}.bars'::regclass
    LOOP
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN %I %s %s', '{literal}.bar_history'::regclass,
            each.attname, each.kind, CASE each.kind WHEN 'text' THEN 'COLLATE "C"' END
        );
    END LOOP;
END {tag}
"""
# A serialization failure: the store repeats the write.
_REFUSE_OUTDATED = """
CREATE FUNCTION {schema}.refuse_outdated() RETURNS boolean LANGUAGE plpgsql AS {tag}
BEGIN
    RAISE EXCEPTION 'another session has written the same row meanwhile'
        USING ERRCODE = 'serialization_failure';
END {tag}
"""
_USE_VERSION_3 = "UPDATE {schema}.about SET value = '3' WHERE key = 'version'"
_GRANTS = """\
-- replace reader, writer and keeper by the names of your roles (CREATE ROLE … LOGIN)
-- for a role that only reads:
GRANT USAGE ON SCHEMA {schema} TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO reader;

-- for a role that writes too (no role may change or delete the audit log):
GRANT USAGE ON SCHEMA {schema} TO writer;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO writer;
GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO writer;
GRANT UPDATE ON {schema}.bars, {schema}.series_columns TO writer;
GRANT UPDATE ON {schema}.fundamentals, {schema}.audit_heads, {schema}.snapshots TO writer;
GRANT DELETE ON {schema}.bars, {schema}.series_columns, {schema}.states TO writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO writer;

-- for a role that also deletes events and fundamentals, renames symbols and prunes history:
GRANT writer TO keeper;
GRANT DELETE ON {schema}.events, {schema}.fundamentals TO keeper;
GRANT UPDATE ON {schema}.events TO keeper;
GRANT DELETE ON {schema}.bar_history, {schema}.fundamental_history TO keeper;
GRANT DELETE ON {schema}.event_history, {schema}.snapshots TO keeper;
"""


def quoted(schema: str) -> str:
    """Return the quoted name of a schema. Raises `ConfigError` if it is not a valid name."""
    size = len(schema.encode(errors="replace"))
    if not 1 <= size <= _LONGEST or _NOT_IN_A_NAME.search(schema) or redacted(schema) != schema:
        raise ConfigError(
            f"schema={schema!r}: expected a name of 1 to {_LONGEST} bytes, without NUL, %, {{ or }}"
        )
    if schema.startswith("pg_") or schema == "information_schema":
        raise ConfigError(
            f"schema={schema!r}: the server reserves this name; expected one that does not "
            "begin with pg_ and is not information_schema"
        )
    return sql.Identifier(schema).as_string()


def create_statements(schema: str, distribution: Distribution) -> list[str]:
    """Return the SQL that creates the tables of a store; `schema` is quoted."""
    return [
        *first_statements(schema, distribution),
        *completion_statements(schema, distribution),
        *history_statements(schema, distribution),
    ]


def first_statements(schema: str, distribution: Distribution) -> list[str]:
    """Return the SQL that creates what release 1 did."""
    event_key = primary_key("events", "timestamp, id", distribution)
    made = [ABOUT.format(schema=schema), _TABLES.format(schema=schema, event_key=event_key)]
    for log in ("decisions", "orders"):
        key = primary_key(log, "seq", distribution)
        made.append(_LOG.format(schema=schema, log=log, key=key))
    made += layout_statements(schema, distribution, FIRST_TABLES)
    if distribution != "citus":  # which has no triggers on distributed tables
        made.append(_GUARD.format(schema=schema))
        made += [_GUARDED.format(schema=schema, log=log) for log in ("decisions", "orders")]
    about = {"version": VERSIONS[0], "distribution": distribution}
    rows = ", ".join(f"('{key}', '{value}')" for key, value in about.items())
    made.append(f"INSERT INTO {schema}.about VALUES {rows}")
    return made


def completion_statements(schema: str, distribution: Distribution) -> list[str]:
    """Return the SQL that adds what a store of release 1 does not have."""
    return [
        _COMPLETION.format(schema=schema),
        _VOLUME.format(schema=schema),  # apart: a cluster sends a whole string to its nodes
        *layout_statements(schema, distribution, ADDED_TABLES),
        *function_statements(schema, distribution),
    ]


def function_statements(schema: str, distribution: Distribution) -> list[str]:
    """Return the SQL that creates the functions, or replaces them."""
    functions = [
        *(each.format(**_names(schema)) for each in _FUNCTIONS.values()),
        _REVOKED.format(schema=schema),
    ]
    if distribution != "citus":
        return functions
    # Only the coordinator calls them, and Citus would send REVOKE with the name unquoted.
    propagation = "SET LOCAL citus.enable_ddl_propagation TO"
    return [f"{propagation} off", *functions, f"{propagation} on"]


def function_sources(schema: str) -> dict[str, str]:
    """Return the body of each function by its name, as the server keeps it."""
    names = _names(schema)
    return {
        name: statement.format(**names).split(names["tag"])[1]
        for name, statement in _FUNCTIONS.items()
    }


def keeps_history(distribution: Distribution) -> bool:
    """Return whether stores of a layout can have a history.

    One statement of Citus cannot change two tables, and TimescaleDB plans the condition of a
    conflict for each chunk, without what it asks of the table.
    """
    return distribution == "none"


def why_no_history(distribution: Distribution) -> str:
    """Return why a store of a layout can have no history, and what to do."""
    return (
        f"its tables have the layout {distribution}, which keeps no earlier versions; copy it into "
        "a schema of the layout none"
    )


def history_statements(schema: str, distribution: Distribution) -> list[str]:
    """Return the SQL that gives a store of version 1 or 2 a history, and makes it version 3."""
    if not keeps_history(distribution):
        return []
    names = _names(schema)
    recorded = (
        _RECORDED.format(schema=schema, table=table) for table in ("bars", "fundamentals", "events")
    )
    added = (_HISTORY, _FURTHER_OF_THE_PAST, _ADD_BAR_COLUMN, _REFUSE_OUTDATED, _USE_VERSION_3)
    return [_RENAMED.format(**names), *recorded, *(each.format(**names) for each in added)]


def _names(schema: str) -> dict[str, str]:
    """Return the names that statements with a function or a text need; `schema` is quoted."""
    tag = "$body$"
    while tag in schema:
        tag = f"$_{tag[1:]}"
    return {"schema": schema, "literal": schema.replace("'", "''"), "tag": tag}


def grants(schema: str) -> str:
    """Return the grants for a reading role, a writing one and a keeper; `schema` is quoted."""
    return _GRANTS.format(schema=schema)
