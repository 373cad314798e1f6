"""The bar laws for a whole table, checked as columns before anything is written.

This does what `rows.py` does for a list of `PriceBar`, but without creating an object for each row.
Only a wrong value is checked alone, by the functions of `rows.py`, so that the messages are the
same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra_values import FIELDS, Misfit, check_column, check_number
from storecore.bars.groups import Grouped, grouped, only_value
from storecore.bars.rows import SEVEN_ONLY, price, volume
from storecore.bars.table import (
    DATE,
    MAX_EXACT,
    NULLABLE,
    PRICES,
    SERIES,
    all_finite,
    has_negative,
    with_exact,
)
from storecore.errors import InvalidData
from storecore.values.suggestions import nearest
from storecore.values.times import EARLIEST, LATEST

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # of a frame whose index has no name
_UNIT_MICROS = {"s": 10**6, "ms": 10**3, "us": 1}
_Check = Callable[[Any, str], object]


Extra = Literal["keep", "ignore", "refuse"]


def checked_series(table: Any, extra: Extra = "keep") -> list[tuple[str, pa.Table]]:
    """Check a whole table of bars as `checked_rows` does; return a series table for each symbol."""
    return checked_rows(table, extra).series()


def checked_rows(table: Any, extra: Extra = "keep", *, sound: bool = False) -> Grouped:
    """Check a whole table of bars and return its rows grouped by symbol, each group sorted by date.

    The table may be any object with the Arrow C data interface. Its columns are the seven of every
    bar, and further ones (law B6), in any order. With `extra="ignore"`, further columns are left
    out; with "refuse", these and null volumes are refused, as a backend that keeps neither must do.
    Rows may be in any order; the last of a (symbol, date) wins (law B1). `sound` says that the
    caller has checked the values of its float64 columns already. Raises `InvalidData` naming row
    and field, as in `table[3].close=nan`, or `InvalidName`.
    """
    given = _as_table(table)
    further = _further_columns(given)
    if further and extra == "refuse":
        raise InvalidData(f"table: unknown column {further[0]!r}; {SEVEN_ONLY}")
    check_number(len(further) if extra == "keep" else 0, "table")
    symbols, volumes = _symbols(given["symbol"]), _volumes(given["volume"], extra)
    checked = pa.Table.from_arrays(
        [
            _dates(given["date"]),
            *(_floats(given[name], name, price, sound) for name in PRICES),
            _floats(volumes, "volume", volume, sound),
        ],
        schema=NULLABLE if volumes.null_count else SERIES,
    )
    exact = _exact_volumes(volumes)
    checked = with_exact(checked, exact) if exact else checked
    for name in further if extra == "keep" else ():
        checked = checked.append_column(name, _extra(given[name], name))
    return grouped(symbols, checked)


def misfit_in(table: Any, error: Misfit) -> InvalidData:
    """Return an error about a bar with its row in a table, if that is plain and read again."""
    if not isinstance(table, pa.Table) or not {"date", "symbol"} <= set(table.column_names):
        return error
    dates = pc.equal(pc.cast(_dates(table["date"]), pa.int64()), error.at)
    same = pc.and_(dates, pc.equal(_texts(table["symbol"]), error.symbol))
    rows = pc.indices_nonzero(same).to_pylist()
    return InvalidData(f"table[{rows[-1]}].{error.column}={error.why}") if rows else error


def _as_table(table: Any) -> pa.Table:
    if isinstance(table, pa.Table):
        return table
    if hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"):
        try:
            return pa.table(table)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise InvalidData(
                f"table: cannot read a {type(table).__name__} as columns of one type each: {error}"
            ) from error
    raise InvalidData(
        "table: expected a pyarrow.Table or an object with the Arrow C data interface (Polars, "
        f"pandas, DuckDB), got {type(table).__name__}; for a list of PriceBar use write_bars"
    )


def _further_columns(table: pa.Table) -> list[str]:
    """Return the columns beyond the seven, sorted. Raises `InvalidData` if one of these is missing.

    A column of nulls without a type counts as not given.
    """
    if any(map(_PANDAS_INDEX.fullmatch, table.column_names)) and "date" not in table.column_names:
        raise InvalidData(
            "table: expected one column 'date', got an index without a name; name it, as in "
            "frame.rename_axis('date')"
        )
    names = [name for name in table.column_names if not _PANDAS_INDEX.fullmatch(name)]
    for name in FIELDS:
        if names.count(name) != 1:
            near = nearest(name, names)
            hint = f"; is it {near[0]!r}?" if near and not names.count(name) else ""
            raise InvalidData(
                f"table: expected one column {name!r}, got {names.count(name)}{hint}; a table of "
                f"bars has {', '.join(FIELDS)}"
            )
    further = sorted(set(names) - set(FIELDS))
    for name in further:
        if names.count(check_column(name, "table")) > 1:
            raise InvalidData(f"table: expected one column {name!r}, got {names.count(name)}")
    return [name for name in further if not pa.types.is_null(table[name].type)]


def _symbols(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not _is_text(_value_type(column.type)):
        raise InvalidData(f"table.symbol: expected text, got {column.type}; cast it")
    column = column if only_value(column) is not None else _texts(column)
    _refuse_nulls(column, "symbol")
    return column


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_text(kind) for is_text in texts)


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        decoded = [pc.cast(one.dictionary, pa.string()).take(one.indices) for one in column.chunks]
        column = pa.chunked_array(decoded, pa.string())
    return pc.cast(column, pa.string())


def _dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates as instants; naive dates are UTC (law T1)."""
    kind = column.type
    if not _is_moment(kind):
        raise InvalidData(f"table.date: expected timestamps or dates, got {kind}; parse it")
    _refuse_nulls(column, "date")
    return _moments(column, "date")


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _moments(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if pa.types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    unit, moments = column.type.unit, pc.cast(column, pa.int64())
    _refuse_outside(moments, _UNIT_MICROS.get(unit), name)
    plain = pc.cast(moments, pa.timestamp(unit))
    try:
        micros = pc.cast(plain, pa.timestamp("us"))
    except pa.ArrowInvalid:
        raise _finer(plain, name) from None
    return pc.cast(pc.cast(micros, pa.int64()), DATE)


def _refuse_outside(moments: pa.ChunkedArray, micros: int | None, name: str) -> None:
    """Refuse moments outside the years 1 to 9999; `micros` is the size of their unit."""
    if micros is None:  # nanoseconds: all values of 64 bits are within the years
        return
    low, high = EARLIEST // micros, LATEST // micros
    found = pc.min_max(moments).as_py()
    if found["min"] is not None and not low <= found["min"] <= found["max"] <= high:
        kept = pc.and_(pc.greater_equal(moments, low), pc.less_equal(moments, high))
        row = pc.index(kept, False).as_py()
        raise InvalidData(f"table[{row}].{name}: outside the years 1 to 9999")


def _finer(column: pa.ChunkedArray, name: str) -> InvalidData:
    """Return the error for the first moment that is not a whole microsecond."""
    floored = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), column.type, safe=False)
    row = pc.index(pc.equal(floored, column), False).as_py()
    nanoseconds = pc.cast(column, pa.int64())[row].as_py()
    return InvalidData(
        f"table[{row}].{name}={nanoseconds} ns: a store keeps whole microseconds and does "
        "not round; floor a finer time before writing it"
    )


def _floats(column: pa.ChunkedArray, name: str, check: _Check, sound: bool) -> pa.ChunkedArray:
    """Return a column of numbers as equal, finite float64 values; `sound` ones as they are."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InvalidData(f"table.{name}: expected numbers, got {kind}; cast it to float64")
    is_volume = check is volume
    if not is_volume:
        _refuse_nulls(column, name)
    if kind == pa.float64() and sound:
        return column
    floats = pc.cast(column, pa.float64(), safe=False)
    if kind == floats.type and all_finite(floats) and not (is_volume and has_negative(floats)):
        return floats
    valid = pc.is_finite(floats)
    if is_volume:
        valid = pc.and_(valid, pc.greater_equal(floats, 0.0))
    if pa.types.is_integer(kind):
        valid = pc.and_(valid, pc.less(pc.abs(floats), float(MAX_EXACT)))
    for row in pc.indices_nonzero(pc.invert(valid)).to_pylist():
        check(column[row].as_py(), f"table[{row}].{name}")
    return floats


def _exact_volumes(column: pa.ChunkedArray) -> list[int | None]:
    """Return by row the whole volumes that no float64 equals, else None; `[]` if there are none."""
    if not pa.types.is_integer(column.type) or column.null_count == len(column):
        return []
    if pc.max(column).as_py() <= MAX_EXACT:
        return []
    given = column.to_pylist()
    exact = [None if each is None or float(each) == each else each for each in given]
    return exact if any(exact) else []


def _volumes(column: pa.ChunkedArray, extra: Extra) -> pa.ChunkedArray:
    """Return volumes; one that was not reported is null."""
    if column.null_count and extra == "refuse":
        row = pc.index(pc.is_null(column), True).as_py()
        raise InvalidData(f"table[{row}].volume=null: {SEVEN_ONLY}")
    return pc.cast(column, pa.float64()) if pa.types.is_null(column.type) else column


def _extra(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a further column as one of the types that a store keeps."""
    kind = _value_type(column.type)
    if pa.types.is_dictionary(column.type) and not _is_text(kind):
        column = pa.chunked_array([one.dictionary_decode() for one in column.chunks], kind)
    if pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind):
        return _whole(column, name)
    if pa.types.is_floating(kind):
        return pc.cast(column, pa.float64())
    if _is_moment(kind):
        return _moments(column, name)
    if _is_text(kind):
        return _plain_texts(_texts(column), name)
    raise InvalidData(
        f"table.{name}: expected numbers, booleans, text or timestamps, got {kind}; cast it, or "
        "leave it out"
    )


def _whole(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        row = pc.index(pc.greater(column, pa.scalar(2**63 - 1, column.type)), True).as_py()
        raise InvalidData(
            f"table[{row}].{name}={column[row].as_py()}: out of range, at most 2**63 - 1; cast the "
            "column to float64"
        ) from None


def _plain_texts(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InvalidData(f"table.{name}: not text: {error}") from None
    row = pc.index(pc.match_substring(column, "\0"), True).as_py()
    if row >= 0:
        raise InvalidData(f"table[{row}].{name}: contains a NUL character, which is not text")
    return column


def _refuse_nulls(column: pa.ChunkedArray, name: str) -> None:
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise InvalidData(
            f"table[{row}].{name}=null: expected a value, found none or a NaN; leave the bar out"
        )
