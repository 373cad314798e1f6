"""Queries of bars for many symbols, and their results as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra import (
    EVERY,
    EXACT,
    TYPES,
    Kinds,
    conformed,
    extra_names,
    is_asked,
    kinds_of,
    united,
)
from storecore.bars.extra_values import FIELDS, check_column
from storecore.bars.table import (
    DATE,
    EMPTY,
    NAIVE,
    SERIES,
    all_whole,
    joined,
    newest_rows,
    number_column,
    repeated,
    text_column,
)
from storecore.errors import InvalidData, shown
from storecore.values.names import check_name
from storecore.values.suggestions import did_you_mean

_LONG = 1_000  # rows of a piece that is left where it is: a copy takes longer than its overhead
_SEVEN = {FIELDS, (*FIELDS, EVERY)}
_RUNS = pa.run_end_encoded(pa.int32(), pa.string())
_MOST_LETTERS = 2**28  # of a column: its offsets have 32 bits


class BarQuery(NamedTuple):
    """The symbols (sorted, each once) and columns (in the order given) of a query.

    In `columns`, `EVERY` stands for all further columns that there are.
    """

    symbols: list[str]
    columns: tuple[str, ...]


class Panel(NamedTuple):
    """The bars of several series, one after another.

    `series` has the symbol and the number of rows of each that has some. `columns` has `date`
    (`DATE`) and those of the query, none of them further ones: floats, and none of them null.
    """

    series: list[tuple[str, int]]
    columns: dict[str, pa.Array | pa.ChunkedArray]


def bar_query(
    symbols: str | Iterable[str], columns: Iterable[str] | None, *, extra: bool = True
) -> BarQuery:
    """Return a checked query; `symbols` may be one symbol, `columns=None` is all columns.

    Without `extra`, only the seven columns exist. Raises `InvalidName` for a symbol that is not a
    valid name, `InvalidData` for something that cannot be the name of a column.
    """
    given = [symbols] if isinstance(symbols, str) else _listed(symbols, "symbols")
    names = sorted({check_name(name, f"symbols[{row}]") for row, name in enumerate(given)})
    if isinstance(columns, str):
        raise InvalidData(f"columns={columns!r}: expected a list of names; give [{columns!r}]")
    if columns is None:
        return BarQuery(names, (*FIELDS, EVERY) if extra else FIELDS)
    chosen = tuple(_listed(columns, "columns"))
    for name in chosen:
        if not isinstance(name, str) or name not in FIELDS:
            if not extra:
                raise _unknown(name, ())
            check_column(name, "columns")
    if not chosen or len(set(chosen)) < len(chosen):
        raise InvalidData(f"columns={shown(chosen)}: expected some columns, each once")
    return BarQuery(names, chosen)


def known_columns(
    columns: tuple[str, ...],
    known: Iterable[str],
    others: Callable[[], Iterable[str]] = tuple,
) -> tuple[str, ...]:
    """Return the columns of a query, with the names of all further ones in the place of `EVERY`.

    `known` are the further columns that there are. Raises `InvalidData` for another one.
    """
    further = sorted(known)
    for name in columns:
        if name not in FIELDS and name != EVERY and name not in further:
            raise _unknown(name, sorted({*further, *others()}))
    named = ([name] if name != EVERY else further for name in columns)
    return tuple(dict.fromkeys(name for names in named for name in names))


def resolved(
    query: BarQuery, kinds: Sequence[tuple[str, Kinds]]
) -> tuple[BarQuery, dict[str, str]]:
    """Return a query without `EVERY`, and the types of the further columns that it asks for.

    `kinds` are the further columns of each symbol. Raises `InvalidData` for a column that no series
    has, or for which no type suits all series.
    """
    asked = [
        (symbol, {name: kind for name, kind in each.items() if is_asked(name, query.columns)})
        for symbol, each in kinds
    ]
    common = united(asked)
    every = {name for _, each in kinds for name in each}
    return query._replace(columns=known_columns(query.columns, common, lambda: every)), common


def query_result(
    series: Iterable[tuple[str, pa.Table]] | Panel,
    columns: tuple[str, ...],
    aware: bool,
    others: Callable[[], Iterable[str]] = tuple,
) -> pa.Table:
    """Return series tables, in the order given, as one table of bars.

    A series table needs `date` and the columns of the query that its series has. One without rows
    tells by its columns which ones the series has. Raises `InvalidData` for a column that no series
    has; then `others` returns the columns that the error suggests.
    """
    if isinstance(series, Panel):
        return _panel_result(series, columns, aware, others)
    given = [(symbol, _asked(table, columns)) for symbol, table in series]
    rows = _rows(given)
    kinds = kinds_of(rows)
    columns = known_columns(columns, kinds, others)
    named = [(symbol, len(table)) for symbol, table in given if len(table)]
    computed = {"symbol": lambda: _symbols(named), "date": lambda: _dates(rows["date"], aware)}
    computed["volume"] = lambda: _volumes(rows)
    arrays = [computed[name]() if name in computed else rows[name] for name in columns]
    whole = nulls = False
    if "volume" in columns:
        volumes = arrays[columns.index("volume")]
        whole, nulls = pa.types.is_integer(volumes.type), volumes.null_count > 0
    schema = _schema(columns, aware, whole, nulls, tuple(kinds.items()))
    return pa.Table.from_arrays(arrays, schema=schema)


def _panel_result(
    panel: Panel,
    columns: tuple[str, ...],
    aware: bool,
    others: Callable[[], Iterable[str]],
) -> pa.Table:
    names = FIELDS if columns in _SEVEN else known_columns(columns, (), others)
    given = dict(panel.columns)
    if "symbol" in names:
        given["symbol"] = _symbols(panel.series)
    if not aware:
        given["date"] = _dates(given["date"], aware)
    arrays = [given[name] for name in names]
    return pa.Table.from_arrays(arrays, schema=_schema(names, aware, False, False, ()))


def series_tables(
    series: Iterable[tuple[str, pa.Table]] | Panel,
) -> Iterator[tuple[str, pa.Table]]:
    """Yield each series and its table."""
    if not isinstance(series, Panel):
        yield from series
        return
    names, arrays = zip(*series.columns.items(), strict=True)
    table = pa.Table.from_arrays(arrays, schema=pa.schema([SERIES.field(name) for name in names]))
    ends = accumulate(rows for _, rows in series.series)
    for (symbol, rows), end in zip(series.series, ends, strict=True):
        yield symbol, table.slice(end - rows, rows)


def newest_of_each(
    series: Iterable[tuple[str, pa.Table]] | Panel, number: int
) -> list[tuple[str, pa.Table]] | Panel:
    """Return the last rows of each series table; a panel has no others."""
    if isinstance(series, Panel):
        return series
    return [(symbol, newest_rows(table, number)) for symbol, table in series]


def newest_of_symbols(table: pa.Table, number: int) -> pa.Table:
    """Return the last rows of each symbol of a table that is sorted by symbol, then date."""
    if not len(table):
        return table
    ends = pc.run_end_encode(table["symbol"].combine_chunks()).run_ends.to_pylist()
    starts = (max(start, end - number) for start, end in pairwise([0, *ends]))
    rows = zip(starts, ends, strict=True)
    return pa.concat_tables(table.slice(start, end - start) for start, end in rows)


def in_time_order(
    series: list[tuple[str, pa.Table]],
    columns: tuple[str, ...],
    aware: bool,
    kinds: Kinds | None = None,
) -> pa.Table:
    """Return series tables as one table of bars, sorted by date, then symbol.

    `kinds` are the types of the further columns of the query, which a table may lack.
    """
    chosen = tuple(dict.fromkeys((*columns, "date", "symbol")))
    if kinds:
        series = [(symbol, conformed(table, kinds, symbol)) for symbol, table in series]
    table = query_result(series, chosen, aware)
    if len(series) > 1:
        table = table.sort_by([("date", "ascending"), ("symbol", "ascending")])
    return table.select(columns)


def _asked(table: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """Return a table without the further columns that a query does not ask for."""
    if EVERY in columns:
        return table
    others = [name for name in extra_names(table.schema.names) if name not in columns]
    return table.drop_columns(others) if others else table


def _rows(series: list[tuple[str, pa.Table]]) -> pa.Table:
    """Return the rows of all series as one table, with the further columns of each of them."""
    relevant = [each for each in series if len(each[1]) or kinds_of(each[1])]
    if not any(len(table) for _, table in relevant):
        relevant.append(("", EMPTY))
    return joined([table for _, table in relevant], [symbol for symbol, _ in relevant])


def _unknown(name: Any, further: Iterable[str]) -> InvalidData:
    known = (*FIELDS, *further)
    return InvalidData(
        f"columns: unknown column {shown(name)}{did_you_mean(str(name), known)}; these bars have "
        f"{', '.join(known)}"
    )


def _listed(names: Iterable[str], what: str) -> list[str]:
    try:
        return list(names)
    except TypeError:
        raise InvalidData(
            f"{what}={shown(names)}: expected an iterable of str, got {type(names).__name__}"
        ) from None


@lru_cache
def _schema(
    columns: tuple[str, ...],
    aware: bool,
    whole: bool,
    nulls: bool,
    kinds: tuple[tuple[str, str], ...],
) -> pa.Schema:
    further = {name: TYPES[kind] for name, kind in kinds}
    types = {"symbol": pa.string(), "date": DATE if aware else NAIVE, **further}
    types["volume"] = pa.int64() if whole else pa.float64()
    nullable = {*further, "volume"} if nulls else further
    return pa.schema(
        [
            pa.field(name, types.get(name, pa.float64()), nullable=name in nullable)
            for name in columns
        ]
    )


def _symbols(named: list[tuple[str, int]]) -> pa.Array | pa.ChunkedArray:
    """Return a column of symbols, each repeated so many times."""
    if len(named) == 1:
        return repeated(*named[0])
    letters = sum([count * len(name) for name, count in named])
    rows = sum([count for _, count in named])
    if not named or rows >= _LONG * len(named) or letters > _MOST_LETTERS:
        return pa.chunked_array([repeated(*each) for each in named], pa.string())
    ends = number_column(accumulate(count for _, count in named), pa.int32(), "i")
    names = text_column([name for name, _ in named])
    return pc.run_end_decode(pa.Array.from_buffers(_RUNS, rows, [None], children=[ends, names]))


def _dates(dates: pa.Array | pa.ChunkedArray, aware: bool) -> pa.Array | pa.ChunkedArray:
    # A view copies nothing and needs no time zone database, unlike a cast.
    if aware:
        return dates
    if isinstance(dates, pa.Array):
        return dates.view(NAIVE)
    return pa.chunked_array([one.view(NAIVE) for one in dates.chunks], NAIVE)


def _volumes(rows: pa.Table) -> pa.ChunkedArray:
    """Return volumes as float64, or as int64 if only that is exact.

    Only the rows count: other bars of the series may need it, and a backend may have read those.
    """
    floats = rows["volume"]
    if EXACT not in rows.schema.names:
        return floats
    exact = rows[EXACT]
    if exact.null_count == len(exact):
        return floats
    others = pc.if_else(pc.is_null(exact), floats, 0.0)
    return pc.coalesce(exact, pc.cast(others, pa.int64())) if all_whole(others) else floats
