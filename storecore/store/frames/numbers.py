"""The prices, volumes and symbols of a table, and all rows whose values are refused.

A Decimal (also DuckDB's HUGEINT, which Arrow gives as one) becomes the nearest float as a price; as
a volume it stays an exact int if it is whole. A dictionary of numbers is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.rows import price, volume
from storecore.bars.table import MAX_EXACT, all_finite, has_negative
from storecore.errors import InvalidData
from storecore.store.frames.rows import counted_rows, where

_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


class Numbers(NamedTuple):
    """A column (None if its type is wrong), its problems, and a mask of rows without a value."""

    values: pa.ChunkedArray | None
    problems: list[str]
    missing: pa.ChunkedArray | None


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is one of text."""
    return any(bool(each(kind)) for each in _TEXTS)


def decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values of a dictionary as a plain column; others as they are."""
    if not pa.types.is_dictionary(values.type):
        return values
    kind = values.type.value_type
    kind = pa.string() if is_text(kind) else kind  # Arrow has no `take` for all kinds of text
    # Not by a cast: a dictionary may itself hold a null.
    chunks = [pc.cast(one.dictionary, kind).take(one.indices) for one in values.chunks]
    return pa.chunked_array(chunks, kind)


def symbols_of(values: pa.ChunkedArray) -> Numbers:
    """Return symbols as text."""
    values = decoded(values)
    if not is_text(values.type) and not pa.types.is_null(values.type):
        problem = (
            f"table.symbol: expected text, got {values.type}; cast it, for example with astype(str)"
        )
        return Numbers(None, [problem], None)
    absent = where(pc.is_null(values))
    problems = [_absent("symbol", absent)] if absent else []
    return Numbers(pc.cast(values, pa.string()), problems, None)


def prices_of(values: pa.ChunkedArray, name: str) -> Numbers:
    """Return prices as numbers that are equal, or nearest to a Decimal."""
    values = _as_floats(decoded(values)) if _is_decimal(values) else decoded(values)
    if pa.types.is_null(values.type):
        values = pc.cast(values, pa.float64())
    if not _is_number(values.type):
        return Numbers(None, [_no_numbers(name, values.type)], None)
    if values.type == pa.float64() and not values.null_count and all_finite(values):
        return Numbers(values, [], _no_row(len(values)))
    floats = pc.cast(values, pa.float64(), safe=False)
    absent = pc.or_kleene(pc.is_null(floats), pc.is_nan(floats))
    sound = pc.is_finite(floats)
    if pa.types.is_integer(values.type):
        sound = pc.and_(sound, pc.less(pc.abs(floats), float(MAX_EXACT)))
    wrong = pc.and_(pc.invert(pc.fill_null(sound, True)), pc.invert(pc.is_nan(floats)))
    return Numbers(values, _refused(values, wrong, name, price), pc.fill_null(absent, True))


def _no_row(rows: int) -> pa.ChunkedArray:
    """Return a mask that is true for none of so many rows."""
    return pa.chunked_array([pa.repeat(pa.scalar(False), rows)])


def volumes_of(given: pa.ChunkedArray) -> Numbers:
    """Return volumes as numbers; a null is a volume that is not reported."""
    given = decoded(given)
    values = _volumes_of_decimals(given) if _is_decimal(given) else given
    if pa.types.is_null(values.type):
        values = pc.cast(values, pa.float64())
    if not _is_number(values.type):
        return Numbers(None, [_no_numbers("volume", values.type)], None)
    if given.type == pa.float64() and all_finite(given) and not has_negative(given):
        return Numbers(given, [], None)
    floats = pc.cast(values, pa.float64(), safe=False)
    sound = pc.and_(pc.is_finite(floats), pc.greater_equal(floats, 0.0))
    if not pa.types.is_floating(values.type) or _is_decimal(given):
        sound = pc.and_(sound, pc.less(floats, float(MAX_EXACT)))  # others are looked at
    wrong = pc.invert(pc.fill_null(sound, True))
    problems = _refused(given, wrong, "volume", volume)
    return Numbers(values, problems or _changed(given, values, wrong), None)


def _changed(given: pa.ChunkedArray, values: pa.ChunkedArray, large: Any) -> list[str]:
    """Return the problem of large whole decimals that are kept beside fractions, as floats."""
    if not (_is_decimal(given) and pa.types.is_floating(values.type)):
        return []
    rows = [row for row in where(large) if values[row].as_py() != given[row].as_py()]
    if not rows:
        return []
    what = f"table[{rows[0]}].volume={given[rows[0]].as_py()}"
    why = "no 64-bit float equals it, and other volumes have fractions; round it first"
    return [f"{what}: {why}{counted_rows(rows)}"]


def missing_prices(
    missing: dict[str, pa.ChunkedArray], values: dict[str, Any], *, skip: bool
) -> tuple[list[str], Any]:
    """Return the problems of rows that lack prices, and a mask of rows to keep (None: all)."""
    if not missing:
        return [], None
    every = _all_of(list(missing.values()))
    rows = where(every)
    problems = [_without_prices(rows, list(missing))] if rows and not skip else []
    for name, mask in missing.items():
        some = where(pc.and_(mask, pc.invert(every)))
        problems += [_absent(name, some, values[name])] if some else []
    return problems, pc.invert(every) if rows else None


def _without_prices(rows: list[int], names: list[str]) -> str:
    return (
        f"table[{rows[0]}].{names[0]}=null: no prices in {', '.join(names)}: expected values, "
        f'found none or NaN; give missing="skip" to leave such rows out{counted_rows(rows)}'
    )


def _all_of(masks: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    every = masks[0]
    for each in masks[1:]:
        every = pc.and_(every, each)
    return every


def _absent(name: str, rows: list[int], values: pa.ChunkedArray | None = None) -> str:
    found = None if values is None else values[rows[0]].as_py()
    said = (
        "null: expected a value, found none or a NaN"
        if found is None
        else "nan: expected a finite number"
    )
    return f"table[{rows[0]}].{name}={said}; leave the bar out{counted_rows(rows)}"


def _refused(
    values: pa.ChunkedArray, wrong: pa.ChunkedArray, name: str, check: Callable[[Any, str], object]
) -> list[str]:
    """Return the problem of the first row that a check refuses, with the number of such rows."""
    rows = [row for row in where(wrong) if _reason(values, row, name, check)]
    if not rows:
        return []
    return [f"{_reason(values, rows[0], name, check)}{counted_rows(rows)}"]


def _reason(
    values: pa.ChunkedArray, row: int, name: str, check: Callable[[Any, str], object]
) -> str:
    try:
        check(values[row].as_py(), f"table[{row}].{name}")
    except InvalidData as error:
        return str(error)
    return ""  # an int beyond 2**53 that a float equals


def _no_numbers(name: str, kind: pa.DataType) -> str:
    return (
        f"table.{name}: expected numbers, got {kind}; cast it to float64, for example with "
        "astype(float)"
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_decimal(values: pa.ChunkedArray) -> bool:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    return bool(pa.types.is_decimal(kind))


def _as_floats(decimals: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the nearest float of each decimal; Arrow's own cast may miss it by one."""
    return pc.cast(pc.cast(decimals, pa.string()), pa.float64())


def _volumes_of_decimals(decimals: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whole decimals as int64; as floats if some have a fraction or are too large."""
    try:
        return pc.cast(pc.cast(decimals, pa.decimal256(76, 0)), pa.int64())
    except pa.ArrowInvalid:
        return _as_floats(decimals)
