"""What a user gives as a table, as named Arrow columns: pandas, Polars, DuckDB, Arrow, dict, rows.

A column that Arrow cannot take (mixed types, an unknown type) keeps its place, with the reason, so
that all that is wrong with a table can be reported at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from storecore.bars.table import all_finite
from storecore.errors import InvalidData, text_of, type_name
from storecore.models import PriceBar

_LEVEL = re.compile(r"__index_level_\d+__")  # as pandas and Arrow name it
_EXPECTED = (
    "table: expected a pyarrow.Table or an object with the Arrow C data interface "
    "(Polars, pandas, DuckDB), a dict of lists or a list of dicts"
)


class Column(NamedTuple):
    """A column of a given table.

    `label` is its name, or a tuple of names in a wide frame. `problem` says why it has no values.
    """

    label: Any
    values: pa.ChunkedArray
    problem: str = ""
    is_index: bool = False  # a level of an index without a name
    texts: pa.ChunkedArray | None = None  # of times in several zones, each as it is written

    @property
    def name(self) -> str:
        """The name for messages and for the store."""
        return self.label if isinstance(self.label, str) else str(self.label)


def speaks_arrow(table: Any) -> bool:
    """Return whether an object has the Arrow C data interface."""
    return hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__")


def is_pandas(table: Any) -> bool:
    """Return whether an object is a frame of pandas, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(table, pandas.DataFrame)


def columns_of(table: Any) -> list[Column]:
    """Return the columns of a table. Raises `InvalidData` for an object that is none."""
    if isinstance(table, pa.Table):
        return _of_arrow(table)
    if is_pandas(table):
        return _of_pandas(table)
    if isinstance(table, Mapping):
        return _of_mapping(table)
    if callable(getattr(table, "collect", None)) and not speaks_arrow(table):
        return columns_of(_collected(table))
    if speaks_arrow(table):
        return _of_speaker(table)
    names = getattr(getattr(table, "dtype", None), "names", None)
    if names:  # a structured array of numpy
        return [_converted(name, table[name]) for name in names]
    return _of_rows(table)


def _collected(table: Any) -> Any:
    """Return what a lazy frame of Polars yields."""
    try:
        return table.collect()
    except MemoryError:
        raise
    except Exception as error:  # of whatever it computes
        raise _unread(table, error) from error


def arrow_of(table: Any) -> pa.Table:
    """Return what speaks Arrow as a table.

    Raises `InvalidData` for an error of the library that computes it, such as DuckDB.
    """
    try:
        return pa.table(table)
    except (pa.ArrowException, ValueError, TypeError, OverflowError, MemoryError):
        raise
    except Exception as error:
        raise _unread(table, error) from error


def _unread(table: Any, error: Exception) -> InvalidData:
    return InvalidData(
        f"table: a {type_name(table)} could not be computed: {type_name(error)}: {text_of(error)}"
    )


def _of_arrow(table: pa.Table) -> list[Column]:
    found = list(map(Column, table.column_names, table.columns))
    return [_level(each) if _LEVEL.fullmatch(each.name) else each for each in found]


def _level(column: Column) -> Column:
    """Return a level of an index without a name."""
    return column._replace(label="index", is_index=True)


def _of_speaker(table: Any) -> list[Column]:
    try:
        return _of_arrow(pa.table(table))
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        series = getattr(table, "get_columns", None)  # Polars: find the column
        if series is not None:
            return [_converted(each.name, each, _of_series) for each in series()]
        raise InvalidData(
            f"table: cannot read a {type(table).__name__} as columns of one type each: "
            f"{text_of(error)}"
        ) from error


def _of_series(series: Any) -> Any:
    """Return a series of Polars as Arrow: its 128-bit ints as decimals."""
    import polars as pl

    return (series.cast(pl.Decimal(38, 0)) if series.dtype == pl.Int128 else series).to_arrow()


def _of_pandas(frame: Any) -> list[Column]:
    """Return the levels of the index, then the columns."""
    index, found = frame.index, []
    for level, name in enumerate(index.names):
        column = _converted(name, index.get_level_values(level), _of_pandas_values)
        found.append(_level(column) if name is None else column)
    for at in range(frame.shape[1]):  # by place: names may repeat
        found.append(_converted(frame.columns[at], frame.iloc[:, at], _of_pandas_values))
    return found


def _of_pandas_values(values: Any) -> Any:
    if str(values.dtype).startswith("period"):
        values = values.dt.to_timestamp() if hasattr(values, "dt") else values.to_timestamp()
    if str(values.dtype) == "float64":
        floats = pa.array(values.to_numpy())  # without a copy
        if all_finite(floats):
            return floats
    return _from_python(values)


def _of_mapping(table: Mapping[Any, Any]) -> list[Column]:
    nested = [name for name, values in table.items() if is_pandas(values) or speaks_table(values)]
    if nested:
        raise InvalidData(
            f"table: expected one table, got a {type_name(table)} of {len(nested)}, the first "
            f"{nested[0]!r}; write each: for symbol, frame in tables.items(): "
            "write_bar_table(store, frame, symbol=symbol)"
        )
    for name, values in table.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise InvalidData(
                f"{_EXPECTED}; column {name!r} of the dict is a {type(values).__name__}, not a list"
            )
    lengths = {name: len(values) for name, values in table.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise InvalidData(f"table: the columns of the dict have different lengths: {shown}")
    return [_converted(name, values) for name, values in table.items()]


def speaks_table(values: Any) -> bool:
    """Return whether an object is a table of Arrow or Polars, not one column."""
    return hasattr(values, "__arrow_c_stream__") and hasattr(values, "columns")


def _of_rows(rows: Any) -> list[Column]:
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise InvalidData(f"{_EXPECTED}, got {type(rows).__name__}{_instead(rows)}")
    given = list(rows)
    strange = next((row for row in given if not isinstance(row, Mapping)), None)
    if strange is not None:
        raise InvalidData(
            f"{_EXPECTED}, got {type(rows).__name__} of {type(strange).__name__}{_instead(strange)}"
        )
    names = dict.fromkeys(name for row in given for name in row)
    if given and not names:
        raise InvalidData(f"{_EXPECTED}, got {len(given):,} rows without columns")
    return [_converted(name, [row.get(name) for row in given]) for name in names]


def _instead(given: Any) -> str:
    """Return what to do with an object that is not a table."""
    if isinstance(given, PriceBar):
        return '; for a list of PriceBar use write_bars, as in store.write_bars("AAPL", bars)'
    if type(given).__name__ == "DuckDBPyConnection":
        return "; give the result of a query, as in write_bar_table(store, con.sql(query))"
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return "; name the columns, as in pandas.DataFrame(rows, columns=['date', 'open', …])"
    return (
        "; a file is imported by the command `storecore import`"
        if hasattr(given, "__fspath__") or isinstance(given, str)
        else ""
    )


def _from_python(values: Any) -> Any:
    """Return values of Python or numpy as Arrow; a NaN is a null."""
    finer = _finer_moment(values)
    if finer is None:
        return pa.array(values, from_pandas=True)
    zone = pa.array([finer.replace(nanosecond=0)]).type.tz
    return pa.array(values, pa.timestamp("ns", zone), from_pandas=True)


def _finer_moment(values: Any) -> Any:
    """Return the first timestamp of pandas among objects that is finer than a microsecond.

    Arrow reads such objects as microseconds, and drops the rest of them.
    """
    if str(getattr(values, "dtype", "object")) != "object":
        return None
    kinds = set(map(type, values))  # of many values few: most columns end here
    if not any(issubclass(kind, datetime) and hasattr(kind, "nanosecond") for kind in kinds):
        return None
    return next((each for each in values if getattr(each, "nanosecond", 0) > 0), None)


def _converted(label: Any, values: Any, convert: Callable[[Any], Any] = _from_python) -> Column:
    """Return a column of Arrow values, or with the reason why there are none."""
    try:
        found = convert(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        kind = getattr(values, "dtype", type(values).__name__)
        return Column(
            label,
            pa.chunked_array([], pa.null()),
            f"cannot read {kind} as values of one type: {text_of(error)}",
        )
    found = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
    return Column(label, found, texts=_texts_of_zones(values, found.type))


def _texts_of_zones(values: Any, kind: pa.DataType) -> pa.ChunkedArray | None:
    """Return times of several zones as ISO texts: Arrow takes all of them to the first zone."""
    is_object = str(getattr(values, "dtype", "object")) == "object"
    if not is_object or not pa.types.is_timestamp(kind) or kind.tz is None:
        return None
    times = [each if isinstance(each, datetime) and each == each else None for each in values]
    zones = {each.tzinfo for each in times if each is not None}
    if len(zones) < 2:
        return None
    return pa.chunked_array([[each and _iso(each) for each in times]], pa.string())


def _iso(time: datetime) -> str:
    """Return a time as ISO text, its offset in minutes; a naive one is UTC."""
    minutes = int((time.utcoffset() or timedelta()) / timedelta(minutes=1))
    hours = f"{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"{time.replace(tzinfo=None).isoformat()}{'-' if minutes < 0 else '+'}{hours}"
