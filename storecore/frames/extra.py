"""The further columns of a table, as one of the five types that a store keeps (law B6)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from storecore.frames.dates import dates_of
from storecore.frames.numbers import decoded, is_text
from storecore.frames.source import Column

MOMENT = pa.timestamp("us", "UTC")


def further_columns(
    columns: dict[str, Column],
) -> tuple[dict[str, pa.ChunkedArray], list[str]]:
    """Return columns by name as float64, int64, bool, string or timestamps, and their problems.

    A column without any value has no type, and is left out.
    """
    found, problems = {}, []
    for name, column in columns.items():
        values, problem = _kept(column)
        if problem:
            problems.append(
                f'table.{name}: {problem}; cast it, or leave it out (extra="ignore" leaves out all)'
            )
        elif values is not None:
            found[name] = values
    return found, problems


def _kept(column: Column) -> tuple[pa.ChunkedArray | None, str]:
    if column.problem:
        return None, column.problem
    values = decoded(column.values)
    kind = values.type
    if pa.types.is_null(kind):
        return None, ""
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _moments(values)
    target = _kind(kind)
    if target is None:
        return None, f"expected numbers, bools, text or timestamps, got {kind}"
    if pa.types.is_decimal(kind):
        return _from_decimals(values), ""
    try:
        return pc.cast(values, target), ""
    except pa.ArrowInvalid:
        return None, f"expected whole numbers below 2**63, got larger ones in {kind}"


def _kind(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which a store keeps a column, None if it keeps none of it."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_boolean(kind):
        return pa.bool_()
    return pa.string() if is_text(kind) else None


def _moments(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray | None, str]:
    present = values.is_valid()
    dates = dates_of(pc.filter(values, present), written=False)
    if dates.values is None:
        return None, dates.problems[0].partition(": ")[2]
    if not values.null_count:
        return pc.cast(pc.cast(dates.values, pa.int64()), MOMENT), ""
    wide = pc.cast(
        pc.cast(
            values,
            pa.timestamp("us", values.type.tz)
            if pa.types.is_timestamp(values.type)
            else pa.timestamp("us"),
        ),
        pa.int64(),
    )
    return pc.cast(wide, MOMENT), ""


def _from_decimals(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decimals without places as ints if they fit, others as the nearest floats.

    The type depends on that of the column, not on its values: the next table has the same.
    """
    if values.type.scale == 0:
        return pc.cast(values, pa.int64())
    return pc.cast(pc.cast(values, pa.string()), pa.float64())
