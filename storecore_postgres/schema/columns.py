"""Compares the columns of existing tables with those that storecore creates.

A manual restore may lose a column, a key or an identity. Opening the store reports that, instead of
the first write that needs it. An unknown column is an error only if it must be given a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from storecore.errors import StorageError
from storecore_postgres.database import Connection

_COLUMNS_OF = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
    coalesce(a.attnum = ANY(i.indkey), false), a.attidentity <> ''
FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = to_regnamespace(%s) AND c.relname = ANY(%s)
"""
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?\S+\.(\w+) \(\n(.*?)\n\)", re.DOTALL)
_ADDED = re.compile(r"ALTER TABLE \S+\.(\w+) ADD COLUMN (\w+ \w+)")
_COLUMN = re.compile(r"^    (\w+) (\w+)(.*?),?$", re.MULTILINE)
_KEY = re.compile(r"PRIMARY KEY \((.*)\)")
_TYPES = {
    "bigint": "bigint",
    "date": "date",
    "float8": "double precision",
    "int8": "bigint",
    "json": "json",
    "text": "text",
    "timestamptz": "timestamp with time zone",
}


class Column(Struct, frozen=True):
    """A column; `is_required` if it is NOT NULL without a default."""

    type: str
    is_required: bool = False
    is_key: bool = False
    is_identity: bool = False


Tables = dict[str, dict[str, Column]]


def tables_of(connection: Connection, schema: str, names: Iterable[str]) -> Tables:
    """Return the columns of the named tables that exist; `schema` is quoted."""
    tables: Tables = {}
    for table, name, *column in connection.execute(_COLUMNS_OF, [schema, list(names)]).fetchall():
        tables.setdefault(table, {})[name] = Column(*column)
    return tables


def tables_made_by(statements: Iterable[str]) -> Tables:
    """Return the columns of tables in the statements of this package that create or add them."""
    tables: Tables = {}
    for statement in statements:
        tables.update({table: dict(_declared(body)) for table, body in _TABLE.findall(statement)})
        for table, column in _ADDED.findall(statement):
            tables.setdefault(table, {}).update(_declared(f"    {column}"))
    return tables


def _declared(body: str) -> Iterator[tuple[str, Column]]:
    apart = _KEY.search(body)
    keys = apart[1].split(", ") if apart else []
    for name, kind, rest in _COLUMN.findall(body):
        if name != "PRIMARY":
            is_key = name in keys or "PRIMARY KEY" in rest
            yield name, Column(_TYPES[kind], False, is_key, "IDENTITY" in rest)


def check_tables(found: Tables, expected: Tables, schema: str) -> None:
    """Raise `StorageError` if tables lack what storecore creates; `schema` is quoted."""
    for table, columns in expected.items():
        for wrong in _differences(table, found.get(table, {}), columns):
            raise StorageError(
                f"opening the schema {schema}: {wrong}; restore the whole schema as storecore "
                "created it, or name another one"
            )


def _differences(
    table: str, found: dict[str, Column], expected: dict[str, Column]
) -> Iterator[str]:
    if not found:
        yield f"its table {table} does not exist"
    for name, column in expected.items():
        place = f'column "{name}" of its table {table}'
        if name not in found:
            yield f'column "{name}" does not exist in its table {table}'
        elif found[name].type != column.type:
            yield f"{place} is of type {found[name].type}; expected {column.type}"
        elif column.is_identity and not found[name].is_identity:
            yield f"{place} is no identity column; expected GENERATED ALWAYS AS IDENTITY"
    keys = [[name for name in each if each[name].is_key] for each in (found, expected)]
    if set(keys[0]) != set(keys[1]):
        yield (
            f"its table {table} has the primary key ({', '.join(keys[0])}); expected "
            f"({', '.join(keys[1])})"
        )
    for name in found.keys() - expected.keys():
        if found[name].is_required:
            yield f'column "{name}" of its table {table} is unknown and must be given a value'
