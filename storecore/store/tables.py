"""Bars as tables for any store: by `BarTables` if the store has it, else by the ten methods.

A caller of these functions need not check the capabilities of a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from storecore.bars.rows import MAX_BYTES, asked_to_replace, bar_columns, check_max_bytes
from storecore.protocols import BarStream, BarTables, DataStore
from storecore.store.questions import (
    bounds_of,
    has_method,
    read_bars,
    replacing_unsupported,
)
from storecore.values.names import check_name
from storecore.values.times import Bound, TimeRange, time_range

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped
    from storecore.protocols import Day, Extra, Missing, Volume

_ROW_BYTES = 64  # of a bar in all columns
_KEYWORDS = {"symbol": None, "columns": None, "extra": "keep"}  # in the order of `checked_options`
_KEYWORDS |= {"missing": "error", "day": "instant", "volume": "required"}


def write_bar_table(
    store: DataStore,
    table: Any,
    *,
    symbol: str | None = None,
    timeframe: str = "1d",
    columns: Mapping[str, str] | None = None,
    extra: Extra = "keep",
    missing: Missing = "error",
    day: Day = "instant",
    volume: Volume = "required",
    replace: bool = False,
) -> None:
    """Insert or replace the bars of a table, checked whole first.

    `table` is a `pyarrow.Table`, anything with the Arrow C data interface (pandas, Polars, DuckDB,
    a reader), a lazy frame of Polars, a dict of lists or a list of dicts. Its columns are symbol,
    date, open, high, low, close and volume, in any case, and further ones. The date may be called
    Datetime, timestamp, time, day, open_time, ts_event or window_start, or be the index of a pandas
    frame, the symbol Ticker, or be a level of the index. A wide frame has columns of two levels,
    (field, ticker) or (ticker, field). A null volume was not reported. Further columns (law B6)
    have numbers, booleans, text or timestamps, and may be null; each has one type in a series.

    `symbol` is the symbol of all rows. `columns` maps a column of a bar to the one in the table, as
    in `{"date": "begin", "volume": "v"}`. `extra="ignore"` leaves out further columns,
    `missing="skip"` rows without any price. `day="written"` takes the date as it is written, in its
    own zone, for timeframes of a day and longer. `volume="absent"` says that the table has no
    volumes. With `replace`, each series of the table becomes exactly its rows, in one step, and a
    symbol of which no row is left is refused.

    Raises `InvalidData` with all that is wrong, by row and column. Gives a `StoreWarning` for each
    series whose dates do not fit its timeframe. A store without `BarTables` is written symbol by
    symbol: if a write fails, the symbols before it stay written.
    """
    from storecore.store.frames.options import checked_options

    if isinstance(store, BarTables) and has_method(store, "write_bar_table"):
        return store.write_bar_table(
            table,
            symbol=symbol,
            timeframe=timeframe,
            columns=columns,
            extra=extra,
            missing=missing,
            day=day,
            volume=volume,
            replace=replace,
        )
    if asked_to_replace(replace):
        raise replacing_unsupported(store)
    options = checked_options(symbol, columns, extra, missing, day, volume)
    from storecore.store.frames.frame import checked_frame

    frame = checked_frame(table, check_name(timeframe, "timeframe"), options)
    if isinstance(store, BarTables):
        return store.write_bar_table(frame.table, timeframe=timeframe)
    return _write_series(store, frame.rows, timeframe)


def with_plain_table(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of `write_bar_table` with a plain table, without keywords for others.

    A wrapper calls this, so that it can count or repeat the table, and a nested store of an earlier
    `api` can take it.
    """
    from storecore.store.frames.frame import plain_table
    from storecore.store.frames.options import checked_options

    rest = dict(kwargs)
    (table,) = args or (rest.pop("table"),)
    chosen = [rest.pop(name, default) for name, default in _KEYWORDS.items()]
    chosen.append(rest.get("replace") is True)
    timeframe = check_name(rest.get("timeframe", "1d"), "timeframe")
    return (plain_table(table, timeframe, checked_options(*chosen)),), rest


def read_bar_table(
    store: DataStore,
    symbols: str | Iterable[str],
    start: Bound = None,
    end: Bound = None,
    *,
    timeframe: str = "1d",
    columns: Iterable[str] | None = None,
    last: int | None = None,
) -> pa.Table:
    """Return the bars of many symbols as one table, sorted by symbol, then date.

    Its columns are symbol (string), date (timestamp in microseconds, of UTC or naive as the bounds
    are), open, high, low, close and volume (float64), then all further columns of these bars by
    name (float64, int64, bool, string, timestamp of UTC), or those that `columns` names. A column
    that a symbol does not have is null for it; one that no symbol has raises `InvalidData`. A
    symbol without bars has no rows. `volume` is int64 if the result has a whole volume that
    no float64 equals and no fractional volume. With `last`, a symbol has at most that many rows,
    the newest of the range. The metadata of its schema has the timeframe, the class of the store
    and the version of storecore (`storecore.bars.metadata`).
    """
    if not isinstance(store, BarTables):
        return read_by_bars(store, symbols, start, end, timeframe, columns, last)
    if has_method(store, "read_bar_table"):
        return store.read_bar_table(
            symbols, start, end, timeframe=timeframe, columns=columns, last=last
        )
    return _read_by_tables(store, symbols, time_range(start, end, last), timeframe, columns)


def iter_bar_tables(
    store: DataStore,
    symbols: str | Iterable[str],
    start: Bound = None,
    end: Bound = None,
    *,
    timeframe: str = "1d",
    columns: Iterable[str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> Iterator[pa.Table]:
    """Yield the bars of many symbols in order of time, for more bars than fit into memory.

    Each table has the bars of the next range of time, sorted by date, then symbol; no table is
    empty. A store with `BarStream` holds at most about `max_bytes` in memory at once. From other
    stores all bars are read first, and divided into tables of about that size.
    """
    if isinstance(store, BarStream):
        bounds = start, end
        if not has_method(store, "iter_bar_tables"):
            bounds = bounds_of(time_range(start, end))
        yield from store.iter_bar_tables(
            symbols, *bounds, timeframe=timeframe, columns=columns, max_bytes=max_bytes
        )
        return
    from storecore.bars.query import bar_query

    names, chosen = bar_query(symbols, columns)
    check_max_bytes(max_bytes)
    asked = None if columns is None else {*chosen, "date", "symbol"}
    table = read_bar_table(store, names, start, end, timeframe=timeframe, columns=asked)
    yield from pieces_of(table, table.column_names if asked is None else list(chosen), max_bytes)


# The functions below import pyarrow when they are called: `import storecore` must not.


def kept_table(table: Any) -> Any:
    """Return a table that may be read twice: a stream is read into memory."""
    if not (hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__")):
        return table
    import pyarrow as pa

    return table if isinstance(table, pa.Table) else pa.table(table)


def pieces_of(table: pa.Table, columns: list[str], max_bytes: int) -> Iterator[pa.Table]:
    """Yield a table of bars in pieces of about so many bytes, sorted by date, then symbol."""
    ordered = table.sort_by([("date", "ascending"), ("symbol", "ascending")]).select(columns)
    rows = max(1, max_bytes // _ROW_BYTES)
    for first in range(0, len(ordered), rows):
        yield ordered.slice(first, rows)


def bars_by_symbol(table: pa.Table) -> dict[str, int]:
    """Return the number of bars of each symbol in a written table."""
    import pyarrow.compute as pc

    counts = pc.value_counts(pc.cast(table["symbol"], "string"))
    return {each["values"]: each["counts"] for each in counts.to_pylist()}


def write_by_bars(store: DataStore, table: Any, timeframe: str) -> None:
    """Write a table of bars by one `write_bars` for each symbol."""
    from storecore.bars.checks import checked_rows

    check_name(timeframe, "timeframe")
    _write_series(store, checked_rows(table), timeframe)


def _write_series(store: DataStore, rows: Grouped, timeframe: str) -> None:
    from storecore.bars.table import bars_of

    for symbol, series in rows.series():
        store.write_bars(symbol, bars_of(symbol, series, aware=True), timeframe=timeframe)


def read_by_bars(
    store: DataStore,
    symbols: str | Iterable[str],
    start: Bound,
    end: Bound,
    timeframe: str,
    columns: Iterable[str] | None,
    last: int | None = None,
) -> pa.Table:
    """Read bars of many symbols by one `read_bars` for each."""
    from storecore.bars.metadata import described
    from storecore.bars.query import bar_query, query_result
    from storecore.bars.table import series_table

    query, span = bar_query(symbols, columns), time_range(start, end)
    check_name(timeframe, "timeframe")
    series = (
        (symbol, series_table(bar_columns(symbol, bars, extra=True)))
        for symbol in query.symbols
        for bars in [read_bars(store, symbol, start, end, timeframe=timeframe, last=last)]
    )
    table = query_result(series, query.columns, span.aware)
    return described(table, timeframe, type(store).__name__)


def _read_by_tables(
    store: BarTables,
    symbols: str | Iterable[str],
    span: TimeRange,
    timeframe: str,
    columns: Iterable[str] | None,
) -> pa.Table:
    """Read a table from a store whose own `read_bar_table` has no `last` and needs both bounds."""
    from storecore.bars.query import newest_of_symbols

    chosen = None if columns is None else list(columns)
    if span.first > span.last:
        none = bounds_of(span._replace(first=span.last))
        table = store.read_bar_table(symbols, *none, timeframe=timeframe, columns=chosen)
        return table.slice(0, 0)
    bounds = bounds_of(span)
    if span.newest is None:
        return store.read_bar_table(symbols, *bounds, timeframe=timeframe, columns=chosen)
    named = None if chosen is None else list(dict.fromkeys([*chosen, "symbol"]))
    table = store.read_bar_table(symbols, *bounds, timeframe=timeframe, columns=named)
    return newest_of_symbols(table, span.newest).select(chosen or table.column_names)
