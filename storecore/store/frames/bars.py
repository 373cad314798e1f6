"""Tables of bars as `read_bar_table` answers them, for functions that compute with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.table import DATE, NAIVE, PRICES
from storecore.errors import InvalidData, type_name
from storecore.store.frames.source import arrow_of, speaks_arrow
from storecore.values.suggestions import did_you_mean

_NEVER_NULL = ("symbol", "date", *PRICES)


def bars_given(table: Any, needed: Collection[str]) -> pa.Table:
    """Return a table with at least some columns, sorted by symbol, then date.

    Dates are in microseconds, naive or in UTC. Raises `InvalidData`.
    """
    if not speaks_arrow(table):
        raise InvalidData(
            f"table: expected a table of bars, as read_bar_table returns it, got {type_name(table)}"
        )
    bars = arrow_of(table)
    names = bars.column_names
    lacking = [name for name in needed if name not in names]
    if lacking:
        raise InvalidData(
            "table: "
            + "; ".join(f"no column {each}{did_you_mean(each, names)}" for each in lacking)
        )
    place = names.index("date")
    bars = bars.set_column(place, "date", _dates(bars["date"]))
    bars = bars.set_column(names.index("symbol"), "symbol", pc.cast(bars["symbol"], pa.string()))
    for name in needed:
        if name in _NEVER_NULL and bars[name].null_count:
            raise InvalidData(f"table.{name}: a value is missing; leave the row out")
    _check_numbers(bars)
    if _is_sorted(bars):  # as all are that a store returns
        return bars
    return bars.sort_by([("symbol", "ascending"), ("date", "ascending")])


def _check_numbers(bars: pa.Table) -> None:
    for name in (*PRICES, "volume"):
        kind = bars[name].type if name in bars.column_names else pa.float64()
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not is_number and not pa.types.is_decimal(kind) and not pa.types.is_null(kind):
            raise InvalidData(f"table.{name}: expected numbers, got {kind}; cast it to float64")


def _is_sorted(bars: pa.Table) -> bool:
    names, dates = (bars[name].combine_chunks() for name in ("symbol", "date"))
    later = pc.greater_equal(dates[1:], dates[:-1])
    within = pc.and_(pc.equal(names[1:], names[:-1]), later)
    return pc.all(pc.or_(within, pc.greater(names[1:], names[:-1]))).as_py() is not False


def _dates(dates: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(dates.type):
        raise InvalidData(f"table.date: expected timestamps, got {dates.type}")
    try:
        return pc.cast(dates, DATE if dates.type.tz else NAIVE)
    except pa.ArrowInvalid as error:
        raise InvalidData(f"table.date: finer than a microsecond: {error}; round it") from None
