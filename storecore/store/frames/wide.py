"""Wide frames: a column for each field and ticker, as downloaders give them, as one long table.

A label has two levels, (field, ticker) or (ticker, field). The level with the names of prices is
the level of fields. A label that lost its levels on the way (`"('Close', 'AAPL')"`, as pandas and
Parquet write it) is read as the tuple that it shows.
"""

from __future__ import annotations

from ast import literal_eval
from collections import Counter
from typing import Any

import pyarrow as pa

from storecore.bars.table import PRICES
from storecore.errors import InvalidData
from storecore.store.frames.names import field_of
from storecore.store.frames.source import Column


def long_columns(columns: list[Column]) -> list[Column]:
    """Return the columns of a wide frame below each other, with one of tickers; others as given.

    Raises `InvalidData` if the level of the tickers cannot be recognized.
    """
    labels = [_label(each) for each in columns]
    _refuse_repeated(labels)
    cells = {
        label: column
        for label, column in zip(labels, columns, strict=True)
        if isinstance(label, tuple) and all(label)
    }
    if not cells:
        return [
            each._replace(label=_plain(label)) for label, each in zip(labels, columns, strict=True)
        ]
    own = [
        each._replace(label=_plain(label))
        for label, each in zip(labels, columns, strict=True)
        if label not in cells
    ]
    return _stacked(own, cells, _level_of_fields(list(cells)))


def _label(column: Column) -> Any:
    """Return the label of a column, a tuple of texts in a wide frame."""
    if isinstance(column.label, tuple):
        return tuple("" if _is_missing(each) else str(each) for each in column.label)
    return _written(column.label) if isinstance(column.label, str) else column.label


def _is_missing(level: Any) -> bool:
    return level is None or bool(level != level)  # a NaN does not equal itself


def _written(label: str) -> Any:
    """Return the tuple of texts that a label shows, or the label."""
    if label[:1] != "(" or label[-1:] != ")":
        return label
    try:
        levels = literal_eval(label)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return label
    is_tuple = isinstance(levels, tuple) and len(levels) > 1
    return levels if is_tuple and all(isinstance(each, str) for each in levels) else label


def _refuse_repeated(labels: list[Any]) -> None:
    """Raise `InvalidData` if there are two columns of one field and ticker."""
    cells = [label for label in labels if isinstance(label, tuple)]
    repeated = next((label for label, number in Counter(cells).items() if number > 1), None)
    if repeated is not None:
        raise InvalidData(f"table: expected one column {repeated}, got several; drop the others")


def _plain(label: Any) -> Any:
    """Return a label of one level: of ("Date", ""), an index that became a column, the first."""
    return next(filter(None, label), "") if isinstance(label, tuple) else label


def _level_of_fields(labels: list[tuple[str, ...]]) -> int:
    depths = {len(label) for label in labels}
    if depths != {2}:
        raise InvalidData(
            f"table: expected columns of one level, or of two (field, ticker), got {max(depths)} "
            "levels; drop the others, as in frame.droplevel(0, axis=1)"
        )
    found = [{field_of(label[level]) for label in labels} for level in (0, 1)]
    levels = [level for level in (0, 1) if found[level].issuperset(PRICES)]
    if len(levels) != 1:
        several = "both levels" if levels else "no level"
        raise InvalidData(
            f"table: the columns have two levels, and {several} of them have the names open, high, "
            f"low and close: expected (field, ticker) or (ticker, field), got {labels[0]}"
        )
    return levels[0]


def _stacked(own: list[Column], cells: dict[Any, Column], level: int) -> list[Column]:
    tickers = list(dict.fromkeys(label[1 - level] for label in cells))
    fields = list(dict.fromkeys(label[level] for label in cells))
    rows = len(next(iter(cells.values())).values)
    names = [pa.repeat(pa.scalar(ticker, pa.string()), rows) for ticker in tickers]
    long = [
        each._replace(
            values=_repeated(each.values, len(tickers)),
            texts=None if each.texts is None else _repeated(each.texts, len(tickers)),
        )
        for each in own
    ]
    long.append(Column("Ticker", pa.chunked_array(names, pa.string())))
    for field in fields:
        order = [(field, ticker) if level == 0 else (ticker, field) for ticker in tickers]
        long.append(_joined(field, [cells.get(label) for label in order], rows))
    return long


def _repeated(values: pa.ChunkedArray, times: int) -> pa.ChunkedArray:
    return pa.chunked_array(values.chunks * times, values.type)


def _joined(field: str, pieces: list[Column | None], rows: int) -> Column:
    """Return one column of a field, null for a ticker that does not have it."""
    problem = next((each.problem for each in pieces if each is not None and each.problem), "")
    if problem:
        return Column(field, pa.chunked_array([], pa.null()), problem)
    given = [each.values for each in pieces if each is not None]
    fits = [each.type for each in given if not pa.types.is_null(each.type)]
    kind = pa.float64() if len(set(fits)) > 1 else (fits or [pa.null()])[0]
    parts = [pa.nulls(rows, kind) if each is None else each.values for each in pieces]
    try:
        cast = [chunk for part in parts for chunk in _chunks(part, kind)]
    except pa.ArrowException as error:
        return Column(
            field, pa.chunked_array([], pa.null()), f"its tickers differ in type: {error}"
        )
    return Column(field, pa.chunked_array(cast, kind))


def _chunks(part: Any, kind: pa.DataType) -> list[pa.Array]:
    cast = part.cast(kind)
    return list(cast.chunks) if isinstance(cast, pa.ChunkedArray) else [cast]
