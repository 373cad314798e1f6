"""Bars as Arrow tables.

A *series table* holds the bars of one series: `date`, the prices and `volume`, sorted by date, one
row per date. Volumes are float64, so that all tables have one schema; a volume that was not
reported is null. A table with whole volumes that no float64 equals has them in one more column,
`EXACT`, which is null for other bars. The further columns of the bars follow, sorted by name
(`storecore.bars.extra`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate, repeat
from math import isfinite
from typing import Any, Literal, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra import EXACT as EXACT
from storecore.bars.extra import extra_arrays, extra_names, extra_rows, unified
from storecore.bars.extra_values import FIELDS as FIELDS
from storecore.bars.extra_values import Extra
from storecore.bars.rows import BarColumns
from storecore.models import PriceBar
from storecore.values.times import EARLIEST, LATEST

DATE = pa.timestamp("us", "UTC")
NAIVE = pa.timestamp("us")
PRICES = ("open", "high", "low", "close")
SERIES = pa.schema(
    [
        pa.field("date", DATE, nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in (*PRICES, "volume")),
    ]
)
NULLABLE = SERIES.set(5, pa.field("volume", pa.float64()))
"""The schema of a series table in which a volume is null."""
# Not `SERIES.empty_table()`: that imports pandas, if it is installed (0.2 s, 40 MB).
EMPTY = pa.Table.from_arrays([pa.nulls(0, each.type) for each in SERIES], schema=SERIES)
MAX_EXACT = 2**53  # up to here float64 holds every whole number
_MOST_ROWS, _MOST_BYTES = 8_192, 256
_STEP = 1_024  # rows: the first question of a process waits until so many offsets are made
_DAY = 86_400_000_000
_MIDNIGHTS: dict[bool, dict[int, datetime]] = {False: {}, True: {}}
_MOST_MIDNIGHTS = 50_000  # of 136 years
_DATETIMES = msgspec.json.Decoder(list[datetime])


def series_table(columns: BarColumns) -> pa.Table:
    """Return checked columns as a series table."""
    volumes: list[Any] = columns.volume
    try:
        floats, schema = number_column(list(map(float, volumes)), pa.float64(), "d"), SERIES
    except TypeError:  # a volume is None
        floats, schema = pa.array(_floats(volumes), pa.float64()), NULLABLE
        volumes = [each or 0 for each in volumes]
    table = _of_numbers(columns, floats, schema)
    exact = [_inexact(each) for each in volumes] if max(volumes, default=0) > MAX_EXACT else []
    return with_extra(with_exact(table, exact) if any(exact) else table, columns.extra)


def bar_columns_of(table: pa.Table) -> BarColumns:
    """Return a series table as columns of Python numbers."""
    opened, high, low, close = (values(table[name], "d") for name in PRICES)
    dates, extra = values(table["date"], "q"), _extra(table)
    return BarColumns(dates, opened, high, low, close, _volumes(table), extra)


def as_table(bars: BarColumns | pa.Table) -> pa.Table:
    """Return the bars of one series as a series table."""
    return series_table(bars) if isinstance(bars, BarColumns) else bars


def as_columns(bars: BarColumns | pa.Table) -> BarColumns:
    """Return the bars of one series as columns of Python numbers."""
    return bars if isinstance(bars, BarColumns) else bar_columns_of(bars)


def bars_of(symbol: str, table: pa.Table, aware: bool) -> list[PriceBar]:
    """Return a series table as bars, their dates in UTC, aware or naive."""
    prices = [values(table[name], "d") for name in PRICES]
    columns = [_datetimes(table["date"], aware), *prices, _volumes(table)]
    extra = _extra(table)
    return list(map(PriceBar, repeat(symbol), *columns, *([] if extra is None else [extra])))


def between(table: pa.Table, first: int, last: int) -> pa.Table:
    """Return the rows from instant `first` to `last`, both included, without a copy."""
    dates = instants_of(table)
    start, stop = bisect_left(dates, first), bisect_right(dates, last)
    return table if stop - start == len(dates) else table.slice(start, max(0, stop - start))


def newest_rows(table: pa.Table, number: int | None) -> pa.Table:
    """Return the last rows of a series table, without a copy; all if `number` is None."""
    return table if number is None else table.slice(max(0, len(table) - number))


def instants_of(table: pa.Table) -> Sequence[int]:
    """Return the dates of a series table as instants, without creating an object for each row."""
    return cast(Sequence[int], buffer_of(table["date"], "q"))


def joined(tables: Iterable[pa.Table], symbols: Sequence[str] = ()) -> pa.Table:
    """Return the concatenation of series tables.

    Tables of different columns become tables of all their columns. `symbols`, if given, name the
    tables in an error. Raises `InvalidData` if a further column has types that do not agree.
    """
    given = list(tables)
    if len(given) < 2:
        return given[0] if given else EMPTY
    first = given[0].schema
    if all(each.schema.equals(first) for each in given):
        return pa.concat_tables(given)
    whole = pa.concat_tables(unified(given, symbols), promote_options="default")
    return whole.select(_ordered(whole.column_names))


def upserted(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the rows of both; those of `new` replace those of `old` with the same date."""
    if not len(old) or not len(new):
        return new if len(new) else old
    first, last = instants_of(new)[0], instants_of(new)[-1]
    if instants_of(old)[-1] < first:
        return joined([old, new])
    before, after = between(old, EARLIEST, first - 1), between(old, last + 1, LATEST)
    within = between(old, first, last)
    kept = within.filter(pc.invert(pc.is_in(within["date"], new["date"].combine_chunks())))
    return joined([before, joined([kept, new]).sort_by("date"), after])


def repeated(symbol: str, rows: int) -> pa.Array:
    """Return a column that repeats a symbol."""
    text = symbol.encode()
    if rows > _MOST_ROWS or len(text) > _MOST_BYTES:
        return pa.repeat(text_column([symbol])[0], rows)
    # Five times as fast: the offsets are the same for all symbols of one length.
    offsets = _offsets(len(text), -(-rows // _STEP))
    return pa.StringArray.from_buffers(rows, offsets, pa.py_buffer(text * rows))


def text_column(texts: Sequence[str]) -> pa.Array:
    """Return texts as a column. `pa.array` and `pa.scalar` import pandas, as `EMPTY` says."""
    joint = "".join(texts)
    lengths = map(len, texts) if joint.isascii() else (len(text.encode()) for text in texts)
    ends = pa.py_buffer(array("i", accumulate(lengths, initial=0)))
    return pa.StringArray.from_buffers(len(texts), ends, pa.py_buffer(joint.encode()))


def number_column(numbers: Iterable[float], kind: pa.DataType, code: str) -> pa.Array:
    """Return numbers as a column of a kind, which `array` calls `code`; likewise."""
    stored = array(code, numbers)
    return pa.Array.from_buffers(kind, len(stored), [None, pa.py_buffer(stored)])


def whole_scalar(number: int) -> pa.Scalar:
    """Return a whole number as functions of Arrow take it: a plain one they make by `pa.scalar`."""
    return number_column([number], pa.int64(), "q")[0]


def taken(table: pa.Table, rows: Iterable[int]) -> pa.Table:
    """Return some rows of a table: of a list Arrow makes a column by `pa.array`."""
    return table.take(number_column(rows, pa.int64(), "q"))


def repeated_once(symbol: str, rows: int) -> pa.DictionaryArray:
    """Return a column that repeats a symbol, which it holds once, and for each row a 0."""
    places = pa.Array.from_buffers(pa.int8(), rows, [None, pa.py_buffer(bytes(rows))])
    return pa.DictionaryArray.from_arrays(places, text_column([symbol]), safe=False)


def owned(table: pa.Table) -> pa.Table:
    """Return a copy of a table: a slice would keep the memory of the whole table."""
    if not len(table):
        return table
    copies = [pa.concat_arrays(column.chunks) for column in table.columns]
    return pa.Table.from_arrays(copies, schema=table.schema)


def with_exact(table: pa.Table, exact: list[int | None]) -> pa.Table:
    """Return a series table with a column of exact volumes (`[]`: all null)."""
    column = pa.array(exact, pa.int64()) if exact else pa.nulls(len(table), pa.int64())
    return table.append_column(EXACT, column)


def with_extra(table: pa.Table, rows: Sequence[Extra | None] | None) -> pa.Table:
    """Return a series table with further columns, given as plain dicts."""
    for name, column in extra_arrays(rows or ()).items():
        table = table.append_column(name, column)
    return table


def buffer_of(column: pa.ChunkedArray, code: Literal["q", "d"]) -> Any:
    """Return the 8-byte values of a column without nulls as a view of its memory."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if not len(array):
        return memoryview(b"").cast(code)
    return memoryview(array.buffers()[1]).cast(code)[array.offset : array.offset + len(array)]


def values(column: pa.ChunkedArray, code: Literal["q", "d"]) -> list[Any]:
    """Return the 8-byte values of a column without nulls as a list."""
    numbers: list[Any] = buffer_of(column, code).tolist()
    return numbers


def _datetimes(column: pa.ChunkedArray, aware: bool) -> list[datetime]:
    """Return instants as datetimes; midnights, which daily bars share, are cached."""
    instants, known = values(column, "q"), _MIDNIGHTS[aware]
    try:
        return list(map(known.__getitem__, instants))
    except KeyError:
        made = _through_text(column, aware)
    if len(known) < _MOST_MIDNIGHTS and not any(instant % _DAY for instant in instants):
        known.update(zip(instants, made, strict=True))
    return made


def _through_text(column: pa.ChunkedArray, aware: bool) -> list[datetime]:
    """Return instants as datetimes by way of text, the fastest way.

    Arrow formats and msgspec parses them in C: 0.1 µs each; `timedelta` arithmetic takes 0.5 µs.
    """
    texts = pc.cast(pc.cast(pc.cast(column, pa.int64()), NAIVE), pa.string()).combine_chunks()
    between_them = 'Z","' if aware else '","'
    ends = number_column([0, len(texts)], pa.int32(), "i")
    joint = pc.binary_join(pa.ListArray.from_arrays(ends, texts), text_column([between_them])[0])
    return _DATETIMES.decode(f'["{joint[0].as_py()}{"Z" if aware else ""}"]')


@lru_cache(maxsize=256)
def _offsets(length: int, steps: int) -> pa.Buffer:
    return pa.py_buffer(array("i", range(0, (steps * _STEP + 1) * length, length)))


def _of_numbers(columns: BarColumns, volumes: pa.Array, schema: pa.Schema) -> pa.Table:
    prices = (number_column(each, pa.float64(), "d") for each in columns[1:5])
    return pa.Table.from_arrays(
        [number_column(columns.date, DATE, "q"), *prices, volumes], schema=schema
    )


def _floats(values: Iterable[Any]) -> list[float | None]:
    return [None if each is None else float(each) for each in values]


def _inexact(value: int | float) -> int | None:
    return value if isinstance(value, int) and float(value) != value else None


def _volumes(table: pa.Table) -> list[int | float | None]:
    """Return volumes; those that are whole and below 2**63 are `int`."""
    floats = table["volume"]
    if floats.null_count:
        volumes = [None if value is None else _whole(value) for value in floats.to_pylist()]
    elif all_whole(floats):
        volumes = values(pc.cast(floats, pa.int64()), "q")
    else:
        volumes = [_whole(value) for value in values(floats, "d")]
    if table.num_columns == len(SERIES) or EXACT not in table.schema.names:
        return volumes
    exact = table[EXACT].to_pylist()
    return [given if kept is None else kept for given, kept in zip(volumes, exact, strict=True)]


def _extra(table: pa.Table) -> list[Extra | None] | None:
    """Return the further columns of a table with the columns of `SERIES`."""
    return None if table.num_columns == len(SERIES) else extra_rows(table)


def _ordered(names: Iterable[str]) -> list[str]:
    known = (*SERIES.names, EXACT)
    given = set(names)
    return [*(name for name in known if name in given), *extra_names(given)]


def all_finite(floats: pa.ChunkedArray | pa.Array) -> bool:
    """Return whether the sum of floats proves that all are finite; nulls are passed over.

    One pass without a mask. False may also mean that the sum itself is out of range.
    """
    return isfinite(pc.sum(floats).as_py() or 0.0)


def has_negative(numbers: pa.ChunkedArray) -> bool:
    """Return whether one of some numbers is below 0."""
    zero = number_column([0.0], pa.float64(), "d")[0]
    return pc.any(pc.less(numbers, zero)).as_py() is True


def all_whole(floats: pa.ChunkedArray) -> bool:
    """Return whether all values are whole numbers below 2**63."""
    limit = pc.less(floats, number_column([2**63], pa.float64(), "d")[0])
    return pc.all(pc.and_(limit, pc.equal(pc.floor(floats), floats))).as_py() is not False


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() and value < 2**63 else value
