"""Tables of bars as `read_bar_table` answers them, for functions that compute with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.metadata import BACKEND
from storecore.bars.table import DATE, NAIVE, PRICES
from storecore.errors import InvalidData, shown, type_name
from storecore.store.frames.clocks import local_times
from storecore.store.frames.names import field_of
from storecore.store.frames.numbers import prices_of, volumes_of
from storecore.store.frames.source import arrow_of, columns_of, is_pandas, speaks_arrow
from storecore.store.frames.warnings import warn_of_no_bars
from storecore.values.suggestions import did_you_mean

_NEVER_NULL = ("symbol", "date", *PRICES)


def bars_given(table: Any, needed: Collection[str]) -> pa.Table:
    """Return a table with at least some columns, sorted by symbol, then date.

    Dates are in microseconds, naive or in UTC. Raises `InvalidData`. Warns of a table that a store
    has answered without rows.
    """
    if not speaks_arrow(table):
        raise InvalidData(
            f"table: expected a table of bars, as read_bar_table returns it, got {type_name(table)}"
        )
    bars = _of_pandas(table) if is_pandas(table) else arrow_of(table)
    names = bars.column_names
    lacking = [name for name in needed if name not in names]
    if lacking:
        raise InvalidData(f"table: {'; '.join(_lacking(each, names) for each in lacking)}")
    if not len(bars) and BACKEND in (bars.schema.metadata or {}):
        warn_of_no_bars()
    _check_numbers(bars)
    bars = _of_numbers(bars)
    place = names.index("date")
    bars = bars.set_column(place, "date", _dates(bars["date"]))
    bars = bars.set_column(names.index("symbol"), "symbol", pc.cast(bars["symbol"], pa.string()))
    for name in needed:
        if name in _NEVER_NULL and bars[name].null_count:
            raise InvalidData(f"table.{name}: a value is missing; leave the row out")
    if _is_sorted(bars):  # as all are that a store returns
        return bars
    return bars.sort_by([("symbol", "ascending"), ("date", "ascending")])


def wall_clock(bars: pa.Table, zone: str | None) -> pa.ChunkedArray:
    """Return dates as a clock in a zone shows them; bars of whole days have theirs already."""
    dates = pc.cast(pc.cast(bars["date"], pa.int64()), NAIVE)
    if zone is None or are_of_days(bars):
        return dates
    known_zone(zone)
    there = pc.cast(pc.assume_timezone(dates, "UTC"), pa.timestamp("us", zone))
    local = local_times(there)
    if local is None:  # a file of the system that is no zone of a place, such as "posixrules"
        raise InvalidData(f"zone={shown(zone)}: not a time zone that is known here")
    return local


def are_of_days(bars: pa.Table) -> bool:
    """Return whether all dates are midnights in UTC."""
    days = pc.floor_temporal(bars["date"], unit="day") if len(bars) else bars["date"]
    return bool(pc.all(pc.equal(days, bars["date"])).as_py() is not False)


def known_zone(zone: str) -> ZoneInfo:
    """Return a time zone by its name. Raises `InvalidData`."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        raise InvalidData(f"zone={shown(zone)}: not a time zone that is known here") from error


def _lacking(field: str, names: list[str]) -> str:
    """Return that a column is missing, with the one that a write would have taken for it."""
    meant = next((each for each in names if field_of(each) == field), None)
    hint = did_you_mean(field, names) if meant is None else f" (rename {meant!r})"
    return f"no column {field}{hint}"


def _of_pandas(frame: Any) -> pa.Table:
    """Return a frame of pandas as a table; of objects Arrow would cut times to microseconds."""
    columns = [each for each in columns_of(frame) if not each.is_index]
    wrong = [f"table.{each.name}: {each.problem}" for each in columns if each.problem]
    if wrong:
        raise InvalidData("; ".join(wrong))
    return pa.table([each.values for each in columns], [each.name for each in columns])


def _of_numbers(bars: pa.Table) -> pa.Table:
    """Return a table whose decimals are numbers, as a store has them."""
    for place, name in enumerate(bars.column_names):
        kind = bars.schema.types[place]
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if is_number or name not in (*PRICES, "volume"):
            continue
        found = volumes_of(bars[name]) if name == "volume" else prices_of(bars[name], name)
        if found.problems:
            raise InvalidData("; ".join(found.problems))
        bars = bars.set_column(place, name, found.values)
    return bars


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
    if pa.types.is_date(dates.type):
        return pc.cast(dates, NAIVE)
    if not pa.types.is_timestamp(dates.type):
        raise InvalidData(f"table.date: expected timestamps, got {dates.type}")
    try:
        return pc.cast(dates, DATE if dates.type.tz else NAIVE)
    except pa.ArrowInvalid as error:
        raise InvalidData(f"table.date: finer than a microsecond: {error}; round it") from None
