"""The further columns of a table, as one of the five types that a store keeps (law B6)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra_values import check_column
from storecore.errors import InvalidData
from storecore.store.frames.dates import instants_of
from storecore.store.frames.numbers import decoded, is_text
from storecore.store.frames.source import Column

MOMENT = pa.timestamp("us", "UTC")


def further_columns(
    columns: dict[str, Column],
) -> tuple[dict[str, pa.ChunkedArray], list[str]]:
    """Return columns by name as float64, int64, bool, string or timestamps, and their problems.

    A column without any value has no type, and is left out.
    """
    found, problems = {}, []
    for name, column in columns.items():
        values, problem = _kept(name, column)
        problem = _misnamed(name) or problem
        if problem:
            problems.append(f'{problem}; cast it, or leave it out (extra="ignore" leaves out all)')
        elif values is not None:
            found[name] = values
    return found, problems


def _misnamed(name: str) -> str:
    """Return why a name cannot be one of a further column, an empty text if it can."""
    try:
        check_column(name, "table")
    except InvalidData as error:
        return str(error)
    return ""


def _kept(name: str, column: Column) -> tuple[pa.ChunkedArray | None, str]:
    if column.problem:
        return None, f"table.{name}: {column.problem}"
    values = decoded(column.values)
    kind = values.type
    if pa.types.is_null(kind):
        return None, ""
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        moments = instants_of(values, name)
        if moments.values is None:
            return None, moments.problems[0]
        return pc.cast(pc.cast(moments.values, pa.int64()), MOMENT), ""
    target = _kind(kind)
    if target is None:
        return None, f"table.{name}: expected numbers, bools, text or timestamps, got {kind}"
    try:
        text = target == pa.float64() and pa.types.is_decimal(kind)  # the nearest float
        return pc.cast(pc.cast(values, pa.string()) if text else values, target), ""
    except pa.ArrowInvalid:
        return None, f"table.{name}: expected whole numbers below 2**63, got larger ones in {kind}"


def _kind(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which a store keeps a column, None if it keeps none of it.

    It depends on the type of the column, not on its values: the next table has the same.
    """
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_boolean(kind):
        return pa.bool_()
    return pa.string() if is_text(kind) else None
