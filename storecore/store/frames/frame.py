"""Any table of bars as a plain one: checked whole, with all that is wrong in one error.

A *plain table* is an Arrow table with the seven columns in types that `checked_rows` takes. It
passes through at the cost of a look at its schema. Everything else is converted here, so that a
backend never sees another form.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from storecore.bars.checks import Extra as Keeps
from storecore.bars.checks import checked_rows
from storecore.bars.extra import TYPES
from storecore.bars.extra_values import FIELDS
from storecore.bars.groups import Grouped
from storecore.bars.metadata import TIMEFRAME
from storecore.bars.table import EMPTY, PRICES, repeated_once
from storecore.errors import InvalidData, text_of
from storecore.store.frames.dates import (
    dates_of,
    lost_midnights,
    moments_given,
    zone_of_midnights,
)
from storecore.store.frames.days import collapsed_days
from storecore.store.frames.emptied import emptied
from storecore.store.frames.extra import further_columns
from storecore.store.frames.names import Named, field_of, named
from storecore.store.frames.numbers import (
    Numbers,
    is_text,
    missing_prices,
    prices_of,
    symbols_of,
    volumes_of,
)
from storecore.store.frames.options import DEFAULTS, Options
from storecore.store.frames.source import Column, arrow_of, columns_of, is_pandas, speaks_arrow
from storecore.store.frames.warnings import (
    warn_of_bars,
    warn_of_lost_midnights,
    warn_of_midnights,
    warn_of_repeats,
    warn_of_spelling,
)
from storecore.store.frames.wide import long_columns
from storecore.values.timeframes import timeframe_of

_MOST_PROBLEMS = 30
_SEVEN = frozenset(FIELDS)
_KEPT = frozenset(TYPES.values())


class Frame(NamedTuple):
    """The bars of a table, as a plain table and grouped by symbol."""

    table: pa.Table
    rows: Grouped


def checked_frame(
    table: Any, timeframe: str, options: Options = DEFAULTS, keeps: Keeps = "keep"
) -> Frame:
    """Return the checked bars of any table.

    A backend that keeps no further columns gives `keeps="refuse"`. Raises `InvalidData` with all
    that is wrong. Warns of what does not fit the timeframe.
    """
    given, rows = _as_arrow(table), None
    stated = _stated(given)
    if _is_plain(given, options):
        with suppress(InvalidData):  # found again below, with all others
            rows = checked_rows(given, keeps)
            _warn_of_zone(given["date"], rows.table["date"], timeframe)
    if rows is None:
        given = _converted(given, timeframe, options)
        rows = checked_rows(given, keeps, sound=True)  # by `_values`
    if len(rows.table) < len(given):
        warn_of_repeats(given, rows, timeframe)
    warn_of_spelling(timeframe)
    warn_of_bars(rows, timeframe, stated)
    return Frame(given, rows)


def _stated(table: Any) -> str | None:
    """Return the timeframe that the metadata of a table names, as those of a store do."""
    metadata = table.schema.metadata if isinstance(table, pa.Table) else None
    stated = metadata.get(TIMEFRAME) if metadata else None
    return None if stated is None else stated.decode(errors="replace")


def plain_table(table: Any, timeframe: str, options: Options = DEFAULTS) -> pa.Table:
    """Return any table as a plain one, for another store to check and to warn of."""
    given = _as_arrow(table)
    return given if _is_plain(given, options) else _converted(given, timeframe, options)


def _is_plain(table: Any, options: Options) -> bool:
    """Return whether a table has the seven columns, in types that need no conversion."""
    return options is DEFAULTS and isinstance(table, pa.Table) and _is_plain_schema(table.schema)


@lru_cache(maxsize=256)
def _is_plain_schema(schema: pa.Schema) -> bool:
    """Return whether a table of a schema needs no conversion.

    Further columns need none either if the table begins with the seven, as storecore's own do.
    """
    names, types = schema.names, schema.types
    if set(names) != _SEVEN and tuple(names[: len(FIELDS)]) != FIELDS:
        return False
    kinds = dict(zip(names, types, strict=True))
    further = names[len(FIELDS) :]
    if len(kinds) != len(names) or any(map(field_of, further)):
        return False
    symbol, date = kinds["symbol"], kinds["date"]
    text = symbol.value_type if pa.types.is_dictionary(symbol) else symbol
    numbers = (kinds[name] for name in (*PRICES, "volume"))
    return (
        is_text(text)
        and (pa.types.is_timestamp(date) or pa.types.is_date(date))
        and all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in numbers)
        and all(kinds[name] in _KEPT for name in further)
    )


def _as_arrow(table: Any) -> Any:
    """Return what speaks Arrow as a table, if it can be read as one.

    A frame of pandas only with the seven columns and no objects as dates: its labels and columns
    are looked at one by one.
    """
    if isinstance(table, pa.Table) or not speaks_arrow(table):
        return table
    if is_pandas(table) and not _is_of_seven(table):
        return table
    try:
        return arrow_of(table)
    except InvalidData:
        raise
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        if hasattr(table, "columns"):
            return table  # a frame: its columns are looked at one by one
        raise InvalidData(
            f"table: cannot read a {type(table).__name__}: {text_of(error)}"
        ) from error


def _is_of_seven(frame: Any) -> bool:
    names = {*map(str, frame.columns)} | {frame.index.name} - {None}
    dates = [kind for name, kind in frame.dtypes.items() if name == "date"] or [frame.index.dtype]
    return names == {*FIELDS} and object not in dates


def _converted(table: Any, timeframe: str, options: Options) -> pa.Table:
    columns = columns_of(table)
    if all(each.is_index and not len(each.values) for each in columns):  # nothing at all (law B3)
        return _empty(options)
    found = named(long_columns(columns), options)
    problems = [f"table: {each}" for each in found.problems]
    plain, more = _values(found, timeframe, options)
    if problems + more:
        raise InvalidData(_report(problems + more, found.near))
    return plain


def _empty(options: Options) -> pa.Table:
    """Return a plain table without rows, for one that has no columns either."""
    none = EMPTY.add_column(0, "symbol", pa.array([], pa.string()))
    lost = emptied(none, none, options.symbol) if options.replace else []
    if lost:
        raise InvalidData(_report(lost, {}))
    return none


def _values(found: Named, timeframe: str, options: Options) -> tuple[pa.Table | None, list[str]]:
    """Return a plain table, or all that is wrong with the values."""
    columns, problems = _readable(found.fields)
    values: dict[str, Any] = {}
    missing: dict[str, pa.ChunkedArray] = {}
    for name, column in columns.items():
        numbers = _of_field(name, column, timeframe, options)
        problems += numbers.problems
        values[name] = numbers.values
        if numbers.missing is not None:
            missing[name] = numbers.missing
    extra, wrong = further_columns(found.extra)
    gaps, kept = missing_prices(missing, values, skip=options.missing == "skip")
    problems += [*gaps, *wrong]
    if problems or found.problems:
        return None, problems
    given = table = _assembled(values | extra, options)
    moments = moments_given(columns["date"].values) if _is_written(timeframe, options) else None
    if kept is not None:
        table, moments = table.filter(kept), None if moments is None else moments.filter(kept)
    lost = emptied(given, table, options.symbol) if options.replace else []
    return table, lost + ([] if moments is None else collapsed_days(table, moments))


def _is_written(timeframe: str, options: Options) -> bool:
    """Return whether dates stand for the days that are written in them."""
    length = timeframe_of(timeframe)
    return options.day == "written" and (length is None or length.is_of_days)


def _readable(fields: dict[str, Column]) -> tuple[dict[str, Column], list[str]]:
    """Return the columns that have values, and the problems of the others."""
    problems = [f"table.{name}: {each.problem}" for name, each in fields.items() if each.problem]
    return {name: each for name, each in fields.items() if not each.problem}, problems


def _of_field(name: str, column: Column, timeframe: str, options: Options) -> Numbers:
    values = column.values
    if name == "symbol":
        return symbols_of(values)
    if name == "volume":
        return volumes_of(values)
    if name != "date":
        return prices_of(values, name)
    written = _is_written(timeframe, options)
    shown = values if column.texts is None else column.texts
    dates = dates_of(shown if written else values, written=written)
    if not written and dates.values is not None:
        _warn_of_zone(shown, dates.values, timeframe)
    return Numbers(dates.values, dates.problems, None)


def _warn_of_zone(given: pa.ChunkedArray, dates: pa.ChunkedArray, timeframe: str) -> None:
    """Warn of days that are stamped at the midnights of a zone; `dates` are those given in UTC."""
    length = timeframe_of(timeframe)
    if length is None or not length.is_of_days:
        return
    zone = zone_of_midnights(given)
    if zone:
        warn_of_midnights(zone, timeframe)
    elif found := lost_midnights(dates):
        warn_of_lost_midnights(found, timeframe)


def _assembled(values: dict[str, Any], options: Options) -> pa.Table:
    rows = len(values["date"])
    if options.symbol is not None:
        values["symbol"] = repeated_once(options.symbol, rows)
    if "volume" not in values:
        values["volume"] = pa.nulls(rows, pa.float64())
    further = [name for name in values if name not in FIELDS]
    return pa.table({name: values[name] for name in (*FIELDS, *further)})


def _report(problems: list[str], near: dict[str, str]) -> str:
    """Return all problems as one line, a single one as it is, and what to try."""
    hint = f"; if these are meant, give columns={near}" if near else ""
    if len(problems) == 1:
        return f"{problems[0]}{hint}"
    texts = [f"({number}) {each}" for number, each in enumerate(problems[:_MOST_PROBLEMS], 1)]
    rest = len(problems) - _MOST_PROBLEMS
    more = [f"and {rest} more"] if rest > 0 else []
    return f"table: {len(problems)} problems: {'; '.join([*texts, *more])}{hint}"
