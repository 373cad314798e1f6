"""Queries of bars for many symbols, and their results as one table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import (
    DATE,
    EXACT,
    FIELDS,
    NAIVE,
    all_whole,
    joined,
    newest_rows,
    repeated,
)
from storecore.errors import InvalidData, shown
from storecore.values.names import check_name
from storecore.values.suggestions import did_you_mean


class BarQuery(NamedTuple):
    """The symbols (sorted, each once) and columns (in the order given) of a query."""

    symbols: list[str]
    columns: tuple[str, ...]


def bar_query(symbols: str | Iterable[str], columns: Iterable[str] | None) -> BarQuery:
    """Return a checked query; `symbols` may be one symbol, `columns=None` is all columns.

    Raises `InvalidName` for a symbol that is not a valid name, `InvalidData` for an unknown column.
    """
    given = [symbols] if isinstance(symbols, str) else _listed(symbols, "symbols")
    names = sorted({check_name(name, f"symbols[{row}]") for row, name in enumerate(given)})
    if isinstance(columns, str):
        raise InvalidData(f"columns={columns!r}: expected a list of names; give [{columns!r}]")
    chosen = FIELDS if columns is None else tuple(_listed(columns, "columns"))
    for name in chosen:
        if not isinstance(name, str) or name not in FIELDS:
            raise InvalidData(
                f"columns: unknown column {shown(name)}{did_you_mean(str(name), FIELDS)}; a table "
                f"of bars has {', '.join(FIELDS)}"
            )
    if not chosen or len(set(chosen)) < len(chosen):
        raise InvalidData(f"columns={shown(chosen)}: expected some columns, each once")
    return BarQuery(names, chosen)


def query_result(
    series: Iterable[tuple[str, pa.Table]], columns: tuple[str, ...], aware: bool
) -> pa.Table:
    """Return series tables, in the order given, as one table of bars.

    A series table needs `date` and the columns of the query.
    """
    named = [(symbol, table) for symbol, table in series if len(table)]
    rows = joined(table for _, table in named)
    computed = {"symbol": lambda: _symbols(named), "date": lambda: _dates(rows, aware)}
    computed["volume"] = lambda: _volumes(rows)
    arrays = [computed[name]() if name in computed else rows[name] for name in columns]
    exact = EXACT in rows.column_names and "volume" in columns
    whole = exact and pa.types.is_integer(arrays[columns.index("volume")].type)
    return pa.Table.from_arrays(arrays, schema=_schema(columns, aware, whole))


def newest_of_each(
    series: Iterable[tuple[str, pa.Table]], number: int
) -> list[tuple[str, pa.Table]]:
    """Return the last rows of each series table."""
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
    series: list[tuple[str, pa.Table]], columns: tuple[str, ...], aware: bool
) -> pa.Table:
    """Return series tables as one table of bars, sorted by date, then symbol."""
    chosen = tuple(dict.fromkeys((*columns, "date", "symbol")))
    table = query_result(series, chosen, aware)
    if len(series) > 1:
        table = table.sort_by([("date", "ascending"), ("symbol", "ascending")])
    return table.select(columns)


def _listed(names: Iterable[str], what: str) -> list[str]:
    try:
        return list(names)
    except TypeError:
        raise InvalidData(
            f"{what}={shown(names)}: expected an iterable of str, got {type(names).__name__}"
        ) from None


@lru_cache
def _schema(columns: tuple[str, ...], aware: bool, whole: bool) -> pa.Schema:
    kinds = {"symbol": pa.string(), "date": DATE if aware else NAIVE}
    kinds["volume"] = pa.int64() if whole else pa.float64()
    return pa.schema(
        [pa.field(name, kinds.get(name, pa.float64()), nullable=False) for name in columns]
    )


def _symbols(named: list[tuple[str, pa.Table]]) -> pa.ChunkedArray:
    return pa.chunked_array([repeated(name, len(table)) for name, table in named], pa.string())


def _dates(rows: pa.Table, aware: bool) -> pa.ChunkedArray:
    # A view copies nothing and needs no time zone database, unlike a cast.
    dates = rows["date"]
    return dates if aware else pa.chunked_array([one.view(NAIVE) for one in dates.chunks], NAIVE)


def _volumes(rows: pa.Table) -> pa.ChunkedArray:
    """Return volumes as float64, or as int64 if only that is exact."""
    floats = rows["volume"]
    if EXACT not in rows.column_names:
        return floats
    exact = rows[EXACT]
    others = pc.if_else(pc.is_null(exact), floats, 0.0)
    return pc.coalesce(exact, pc.cast(others, pa.int64())) if all_whole(others) else floats
