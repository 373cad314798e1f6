"""Schemas with an empty store, which one test after another may use.

The tables of a store are 37 relations: to create and drop them takes 90 ms of client and server, to
empty them and look whether they still are what a store creates 15. A schema that a test has changed
in any other way than by its rows is dropped.
"""

from __future__ import annotations

import itertools
import os

import psycopg

from storecore_postgres import PostgresDataStore
from storecore_postgres.schema.tables import TABLES

_SHAPE = """
SELECT concat_ws(' ', relname, relkind, relowner, relacl) FROM pg_class WHERE relnamespace = {it}
UNION ALL
SELECT concat_ws(' ', relname, attname, atttypid, attnum, attnotnull, atthasdef, attacl)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = {it}
UNION ALL
SELECT concat_ws(' ', relname, tgname, tgenabled, tgfoid::regproc)
FROM pg_class JOIN pg_trigger ON tgrelid = pg_class.oid WHERE relnamespace = {it}
UNION ALL
SELECT concat_ws(' ', proname, proowner, proacl, prosrc) FROM pg_proc WHERE pronamespace = {it}
UNION ALL
SELECT concat_ws(' ', nspowner, nspacl) FROM pg_namespace WHERE oid = {it}
UNION ALL
SELECT concat_ws(' ', key, value) FROM {schema}.about WHERE key <> 'recorded_since'
ORDER BY 1
"""
_EMPTY = """
SET lock_timeout = '5s';
SET session_replication_role = replica;
{deletions};
INSERT INTO {schema}.audit_heads VALUES ('decisions', 0, ''), ('orders', 0, '');
SELECT setval(pg_get_serial_sequence('{schema}.events', 'id'), 1, false);
SELECT setval('{schema}.history_horizon', 0, false);
SELECT setval('{schema}.recording_clock', (extract(epoch FROM clock_timestamp()) * 1000000)::int8);
UPDATE {schema}.about SET value = (SELECT last_value::text FROM {schema}.recording_clock)
WHERE key = 'recorded_since'
"""


class Schemas:
    """The schemas of a server that has no extension, which would keep more than their tables."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._names = (f"empty_{os.getpid()}_{number}" for number in itertools.count())
        self._free: list[str] = []
        self._expected: list[str] = []

    def take(self) -> str:
        """Return the name of one whose store is empty."""
        if self._free:
            return self._free.pop()
        schema = next(self._names)
        PostgresDataStore(dsn=self._dsn, schema=schema).close()
        with psycopg.connect(self._dsn) as connection:
            self._expected = self._expected or _shape(connection, schema)
        return schema

    def give_back(self, schema: str) -> None:
        """Empty it for the next test, or drop it if it is not what a store has created."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            if _is_there(connection, schema) and _shape(connection, schema) == self._expected:
                tables = (each for each in TABLES if each != "about")
                deletions = ";".join(f"DELETE FROM {schema}.{each}" for each in tables)
                connection.execute(_EMPTY.format(schema=schema, deletions=deletions))
                self._free.append(schema)
            else:
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def _is_there(connection: psycopg.Connection, schema: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", [f"{schema}.about"]).fetchone() != (None,)


def _shape(connection: psycopg.Connection, schema: str) -> list[str]:
    """Return all but the rows of the tables, as text without the name of the schema."""
    found = connection.execute(_SHAPE.format(schema=schema, it=f"'{schema}'::regnamespace"))
    return [row.replace(schema, "") for (row,) in found]
