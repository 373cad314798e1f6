"""Further columns of series tables: their types, and the rules that they obey (law B6).

A series table has its further columns after `volume`, nullable and sorted by name. A column has one
type in a series, from the first write that gives it until the series is deleted whole. Its type is
named by one of the keys of `TYPES`.

A backend keeps the types of each series (`BarCollection.extra_kinds`) and calls `agreed` with them
before a write, in the transaction of the write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra_values import (
    FIELDS,
    KIND_OF,
    Extra,
    Misfit,
    check_number,
    in_utc,
    instant_of,
)
from storecore.errors import InvalidData, shown

TYPES: dict[str, pa.DataType] = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
}
EXACT = "\x01exact volume"
"""The column of the whole volumes that no float64 equals: no user can give a column this name."""
EVERY = "\x01every"
"""In the columns of a query: all further columns that there are."""
_NAMES = {each: name for name, each in TYPES.items()}
_NOT_EXTRA = frozenset({*FIELDS, EXACT})
_MAX_EXACT = 2**53  # up to here float64 holds every whole number
Kinds = Mapping[str, str]
"""The type of each further column, by name: float64, int64, bool, string or timestamp."""


def kinds_of(table: pa.Table) -> dict[str, str]:
    """Return the types of the further columns of a series table, sorted by name."""
    schema = table.schema
    names = schema.names  # `column_names` of a table creates an object for each column
    if _NOT_EXTRA.issuperset(names):
        return {}
    return {name: _NAMES[schema.field(name).type] for name in extra_names(names)}


def extra_names(names: Iterable[str]) -> list[str]:
    """Return the further columns among the columns of a table, sorted."""
    return sorted(name for name in names if name not in _NOT_EXTRA)


def is_asked(name: str, columns: Iterable[str]) -> bool:
    """Return whether a query asks for a further column, by name or for every one."""
    return name in columns or EVERY in columns


def agreed(
    known: Kinds,
    table: pa.Table,
    stored: Callable[[str], Iterable[Any]],
    symbol: str = "",
) -> tuple[dict[str, str], pa.Table]:
    """Return the types of a series after a write, and the table of the write with all its columns.

    `known` are the types of the stored series. A column that the table does not give is null in it.
    Whole numbers for a column of floats become floats. Floats for a column of whole numbers turn
    the column into floats if every stored value has an equal one: then `stored(column)` is called
    and yields the stored values as Arrow arrays, which may have nulls. Raises `InvalidData` naming
    bar and column for any other type, or if a new column is one too many.
    """
    given = kinds_of(table)
    if not (given or known):
        return {}, table
    kinds = {**given, **known}
    if len(kinds) > len(known):
        check_number(len(kinds), "bars")
    for name, kind in given.items():
        if (kinds[name], kind) == ("int64", "float64") and _has_values(table, name):
            _check_stored(table, name, stored(name), symbol)
            kinds[name] = "float64"
    kinds = dict(sorted(kinds.items()))
    return kinds, conformed(table, kinds, symbol)


def conformed(table: pa.Table, kinds: Kinds, symbol: str = "") -> pa.Table:
    """Return a table with exactly these further columns, sorted; those that it lacks are null.

    Raises `InvalidData` if it has a value that cannot be of the type.
    """
    given = kinds_of(table)
    if given == kinds:
        return table
    columns = [name for name in table.column_names if name not in given]
    fields = [table.schema.field(name) for name in columns]
    arrays = [table[name] for name in columns]
    for name, kind in sorted(kinds.items()):
        fields.append(pa.field(name, TYPES[kind]))
        arrays.append(_of_kind(table, name, given.get(name), kind, symbol))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def united(kinds: Iterable[tuple[str, Kinds]]) -> dict[str, str]:
    """Return types for the further columns of several series, given as symbols and types.

    Whole numbers beside floats become floats. Raises `InvalidData` if no type suits a column.
    """
    found: dict[str, tuple[str, str]] = {}
    for symbol, each in kinds:
        for name, kind in each.items():
            known, first = found.setdefault(name, (kind, symbol))
            if known != kind:
                found[name] = _common(name, (known, first), (kind, symbol)), first
    return {name: kind for name, (kind, _) in sorted(found.items())}


def unified(tables: Sequence[pa.Table], symbols: Sequence[str] = ()) -> list[pa.Table]:
    """Return tables with the same further columns, of types that suit all of them.

    `symbols`, if given, name the tables in an error. Raises `InvalidData` if a column has no such
    type, or if a whole number has no equal float in a column that has floats elsewhere.
    """
    named = list(zip(symbols or [""] * len(tables), tables, strict=True))
    kinds = united((symbol, kinds_of(table)) for symbol, table in named)
    return [conformed(table, kinds, symbol) for symbol, table in named]


def completed(table: pa.Table, kinds: Kinds) -> pa.Table:
    """Return a table that was read with the further columns that its series has by now."""
    given = kinds_of(table)
    later = {
        name: kind
        for name, kind in kinds.items()
        if name not in given or (given[name], kind) == ("int64", "float64")
    }
    return conformed(table, {**given, **later})


def extra_arrays(rows: Sequence[Extra | None]) -> dict[str, pa.Array]:
    """Return plain dicts as columns, sorted by name."""
    kinds = {name: type(each) for row in rows if row for name, each in row.items()}
    given = [row or {} for row in rows]
    return {
        name: _array([row.get(name) for row in given], KIND_OF[kinds[name]])
        for name in sorted(kinds)
    }


def extra_rows(table: pa.Table) -> list[Extra | None] | None:
    """Return the further columns of a table as plain dicts, None if no row has a value."""
    names = extra_names(table.column_names)
    columns = [values_of(table[name]) for name in names]
    rows = [
        {name: each for name, each in zip(names, values, strict=True) if each is not None} or None
        for values in zip(*columns, strict=True)
    ]
    return rows if any(rows) else None


def _array(values: list[Any], kind: str) -> pa.Array:
    if kind == "timestamp":
        instants = [None if each is None else instant_of(each) for each in values]
        return pa.array(instants, pa.int64()).view(TYPES[kind])
    return pa.array(values, TYPES[kind])


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """Return a further column as plain values."""
    if pa.types.is_timestamp(column.type):  # without a time zone database
        return in_utc(pc.cast(column, pa.int64()).to_pylist())
    values: list[Any] = column.to_pylist()
    return values


def _has_values(table: pa.Table, name: str) -> bool:
    return bool(table[name].null_count < len(table))


def _of_kind(
    table: pa.Table, name: str, given: str | None, kind: str, symbol: str
) -> pa.ChunkedArray | pa.Array:
    if given == kind:
        return table[name]
    if given is None or not _has_values(table, name):
        return pa.nulls(len(table), TYPES[kind])
    if (given, kind) != ("int64", "float64"):
        raise _misfit(table, name, pc.is_valid(table[name]), symbol, f"{kind}, its type so far")
    bad = _inexact(table[name])
    if pc.any(bad).as_py():
        raise _misfit(table, name, bad, symbol, "a number that a 64-bit float equals")
    return pc.cast(table[name], pa.float64(), safe=False)


def _inexact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return by row whether a whole number has no equal float64."""
    large = pc.or_(pc.greater(column, _MAX_EXACT), pc.less(column, -_MAX_EXACT))
    if not pc.any(large).as_py():
        return large
    flags = [each is not None and float(each) != each for each in column.to_pylist()]
    return pa.chunked_array([pa.array(flags, pa.bool_())])


def _check_stored(table: pa.Table, name: str, stored: Iterable[Any], symbol: str) -> None:
    for each in stored:
        column = pa.chunked_array([each]) if isinstance(each, pa.Array) else each
        bad = column.filter(_inexact(column))
        if len(bad):
            expected = f"int64: the series has {bad[0].as_py()}, which no 64-bit float equals"
            raise _misfit(table, name, pc.is_valid(table[name]), symbol, expected)


def _misfit(
    table: pa.Table, name: str, rows: pa.ChunkedArray, symbol: str, expected: str
) -> InvalidData:
    """Return the error for the first of some rows."""
    row = pc.index(rows, True).as_py()
    at = pc.cast(table["date"], pa.int64())[row].as_py()
    value = values_of(table[name].slice(row, 1))[0]
    return Misfit.of(symbol, at, name, f"{shown(value)}: expected {expected}")


def _common(name: str, one: tuple[str, str], other: tuple[str, str]) -> str:
    """Return the type that suits a column of two series, each given as type and symbol."""
    if {one[0], other[0]} == {"int64", "float64"}:
        return "float64"
    place, other_place = (f" for {shown(symbol)}" if symbol else "" for _, symbol in (one, other))
    raise InvalidData(
        f"columns: {name!r} is {one[0]}{place} and {other[0]}{other_place}: no type suits both; "
        "read them separately, or list the columns that you need without it"
    )
