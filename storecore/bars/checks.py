"""The bar laws for a whole table, checked as columns before anything is written.

This does what `rows.py` does for a list of `PriceBar`, but without creating an object for each row.
Only a wrong value is checked alone, by the functions of `rows.py`, so that the messages are the
same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import Grouped, grouped
from storecore.bars.rows import price, volume
from storecore.bars.table import DATE, FIELDS, MAX_EXACT, PRICES, SERIES, with_exact
from storecore.errors import InvalidData
from storecore.values.suggestions import nearest
from storecore.values.times import EARLIEST, LATEST

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # of a frame whose index has no name
_UNIT_MICROS = {"s": 10**6, "ms": 10**3, "us": 1}
_Check = Callable[[Any, str], object]


def checked_series(table: Any) -> list[tuple[str, pa.Table]]:
    """Check a whole table of bars as `checked_rows` does; return a series table for each symbol."""
    return checked_rows(table).series()


def checked_rows(table: Any) -> Grouped:
    """Check a whole table of bars and return its rows grouped by symbol, each group sorted by date.

    The table may be any object with the Arrow C data interface. Its columns are those of
    `PriceBar`, in any order. Rows may be in any order; the last of a (symbol, date) wins (law B1).
    Raises `InvalidData` naming row and field, as in `table[3].close=nan`, or `InvalidName`.
    """
    given = _with_columns(_as_table(table))
    symbols = _symbols(given["symbol"])
    checked = pa.Table.from_arrays(
        [
            _dates(given["date"]),
            *(_prices(given[name], name) for name in PRICES),
            _floats(given["volume"], "volume", volume),
        ],
        schema=SERIES,
    )
    exact = _exact_volumes(given["volume"])
    return grouped(symbols, with_exact(checked, exact) if exact else checked)


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


def _with_columns(table: pa.Table) -> pa.Table:
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
    unknown = sorted(set(names) - set(FIELDS))
    if unknown:
        raise InvalidData(
            f"table: unknown column {unknown[0]!r}; a store keeps {', '.join(FIELDS)}; drop it, "
            "or select those"
        )
    return table.select(FIELDS)


def _symbols(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not any(is_text(kind) for is_text in texts):
        raise InvalidData(f"table.symbol: expected text, got {column.type}; cast it")
    if pa.types.is_dictionary(column.type):
        decoded = [pc.cast(one.dictionary, pa.string()).take(one.indices) for one in column.chunks]
        column = pa.chunked_array(decoded, pa.string())
    column = pc.cast(column, pa.string())
    _refuse_nulls(column, "symbol")
    return column


def _dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates as instants; naive dates are UTC (law T1)."""
    kind = column.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise InvalidData(f"table.date: expected timestamps or dates, got {kind}; parse it")
    _refuse_nulls(column, "date")
    if pa.types.is_date(kind):
        column = pc.cast(column, pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    unit, moments = column.type.unit, pc.cast(column, pa.int64())
    _refuse_outside(moments, _UNIT_MICROS.get(unit))
    plain = pc.cast(moments, pa.timestamp(unit))
    try:
        micros = pc.cast(plain, pa.timestamp("us"))
    except pa.ArrowInvalid:
        raise _finer(plain) from None
    return pc.cast(pc.cast(micros, pa.int64()), DATE)


def _refuse_outside(moments: pa.ChunkedArray, micros: int | None) -> None:
    """Refuse moments outside the years 1 to 9999; `micros` is the size of their unit."""
    if micros is None:  # nanoseconds: all values of 64 bits are within the years
        return
    kept = pc.and_(
        pc.greater_equal(moments, EARLIEST // micros), pc.less_equal(moments, LATEST // micros)
    )
    row = pc.index(kept, False).as_py()
    if row >= 0:
        raise InvalidData(f"table[{row}].date: outside the years 1 to 9999")


def _finer(column: pa.ChunkedArray) -> InvalidData:
    """Return the error for the first moment that is not a whole microsecond."""
    floored = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), column.type, safe=False)
    row = pc.index(pc.equal(floored, column), False).as_py()
    nanoseconds = pc.cast(column, pa.int64())[row].as_py()
    return InvalidData(
        f"table[{row}].date={nanoseconds} ns: a store keeps whole microseconds and does "
        "not round; floor a finer time before writing it"
    )


def _prices(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return _floats(column, name, price)


def _floats(column: pa.ChunkedArray, name: str, check: _Check) -> pa.ChunkedArray:
    """Return a column of numbers as equal, finite float64 values."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InvalidData(f"table.{name}: expected numbers, got {kind}; cast it to float64")
    _refuse_nulls(column, name)
    floats = pc.cast(column, pa.float64(), safe=False)
    sound = pc.is_finite(floats)
    if check is volume:
        sound = pc.and_(sound, pc.greater_equal(floats, 0.0))
    if pa.types.is_integer(kind):
        sound = pc.and_(sound, pc.less(pc.abs(floats), float(MAX_EXACT)))
    for row in pc.indices_nonzero(pc.invert(sound)).to_pylist():
        check(column[row].as_py(), f"table[{row}].{name}")
    return floats


def _exact_volumes(column: pa.ChunkedArray) -> list[int | None]:
    """Return by row the whole volumes that no float64 equals, else None; `[]` if there are none."""
    if not pa.types.is_integer(column.type) or not len(column):
        return []
    if pc.max(column).as_py() <= MAX_EXACT:
        return []
    exact = [value if float(value) != value else None for value in column.to_pylist()]
    return exact if any(exact) else []


def _refuse_nulls(column: pa.ChunkedArray, name: str) -> None:
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise InvalidData(
            f"table[{row}].{name}=null: expected a value, found none or a NaN; leave the bar out"
        )
