"""Bars of a longer timeframe, made from those of a shorter one.

Arrow does the work: `floor_temporal` finds the bin of each bar, `group_by` aggregates. A bin lasts
one timeframe. Bins count from 1970 on, weeks begin on Monday, months and years with the calendar:
as in pandas with `origin="epoch"`, "W-MON", "MS" and "YS". So a bin does not depend on the range of
the bars, and a bar that is made today equals the one that is made tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.metadata import BACKEND, TIMEFRAME, described
from storecore.bars.table import FIELDS, NAIVE
from storecore.errors import InvalidData, shown
from storecore.store.frames.absent import warn_of_absent
from storecore.store.frames.bars import are_of_days, bars_given, wall_clock
from storecore.store.frames.sessions import Sessions, sessions_of
from storecore.store.tables import read_bar_table
from storecore.values.suggestions import did_you_mean
from storecore.values.timeframes import DAY, Timeframe, timeframe_of
from storecore.values.times import EARLIEST, LATEST, Bound

Side = Literal["left", "right"]
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_UNITS |= {"w": "week", "mo": "month", "y": "year"}
_PRICES = {"open": "first", "high": "max", "low": "min", "close": "last"}
_WAYS = ("first", "last", "max", "min", "mean", "sum")
_KNOWN = pc.ScalarAggregateOptions(skip_nulls=True, min_count=1)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
_TICK = pa.scalar(1, pa.duration("us"))
_WIDE = pa.decimal128(38, 0)
_LEAST, _LARGEST = (pa.scalar(each, _WIDE) for each in (-(2**63), 2**63 - 1))


def resample(
    source: Any,
    to: str,
    symbols: str | Iterable[str] | None = None,
    start: Bound = None,
    end: Bound = None,
    *,
    timeframe: str = "1d",
    closed: Side = "left",
    label: Side = "left",
    by: Literal["time", "session"] = "time",
    calendar: Any = None,
    zone: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> pa.Table:
    """Return bars of the timeframe `to`, sorted by symbol, then date.

    `source` is a table of bars as `read_bar_table` returns it (or any with the Arrow C data
    interface and these columns), or a store, of which the bars of `symbols` from `start` to `end`
    are read. `to` is a number and a unit: s, m, h, d, w, mo or y. A bar opens with the first of its
    bin and closes with the last; high and low are the extremes, the volume is the sum of those that
    were reported. A bin without bars gives none.

    `closed` and `label` are those of pandas: which side of a bin belongs to it, and which side
    dates it. The defaults suit bars that are dated by their start, as all of storecore's are.
    `zone` names the time zone whose days are meant, for a day or longer: such a bar is dated by the
    midnight of its day, as it is written there.

    With `by="session"`, bars within the day are those of a trading session, and the session counts
    as its date. `calendar` is the name of a calendar of `exchange_calendars` ("XNYS"), or one of
    its objects; bars outside its sessions are left out, and minutes and hours are counted from the
    open. Without a calendar, the days of `zone` are the sessions, each from its first bar on. Bars
    that are all at midnight are those of whole sessions already.

    `extra` says how further columns become one: `{"trades": "sum", "vwap": "mean"}`, with "first",
    "last", "max", "min", "mean" or "sum". Others are left out.

    Gives a `StoreWarning` for symbols of which the store has no bars of `timeframe`, with the names
    that are spelled like them. Raises `InvalidData` if `to` is finer than the timeframe of the
    bars, as far as it is known: from `timeframe` for a store, from the metadata of its table.
    """
    length = _length(to)
    _check(length, closed, label, by, calendar, zone)
    ways = _ways(extra or {})
    bars = _bars(source, symbols, (start, end), timeframe, ways)
    _check_ways(bars, extra or {})
    metadata = bars.schema.metadata or {}
    backend, stated = metadata.get(BACKEND), metadata.get(TIMEFRAME)
    is_store = hasattr(source, "read_bars")
    _refuse_finer(timeframe if is_store else (stated or b"").decode(errors="replace"), length)
    if by == "time":
        bins = _floored(_shifted(wall_clock(bars, zone), closed), length)
    else:
        bars, bins = _by_session(bars, length, closed, calendar, zone)
    dates = _ends(bins, length) if label == "right" else bins
    _check_years(dates)
    made = _aggregated(bars, dates, ways)
    return described(made, to, backend.decode() if backend else None)


def _length(to: str) -> Timeframe:
    found = timeframe_of(to) if isinstance(to, str) else None
    if found is None:
        raise InvalidData(
            f'to={shown(to)}: expected a number and one of s, m, h, d, w, mo, y, such as "1w"'
        )
    return found


def _refuse_finer(given: str, length: Timeframe) -> None:
    """Refuse bars of a timeframe that is known to be longer: nothing can be made from these."""
    own = timeframe_of(given)
    if own is not None and own.micros > length.micros:
        raise InvalidData(
            f"to={length.name!r}: the bars have the timeframe {given!r}, and {length.name!r} is "
            "finer; give a longer one, or the bars of a shorter one"
        )


def _check(
    length: Timeframe, closed: str, label: str, by: str, calendar: Any, zone: str | None
) -> None:
    for name, side in (("closed", closed), ("label", label)):
        if side not in ("left", "right"):
            raise InvalidData(f'{name}={shown(side)}: expected "left" or "right", as in pandas')
    if by not in ("time", "session"):
        raise InvalidData(f'by={shown(by)}: expected "time" or "session"')
    if calendar is not None and (by == "time" or zone is not None):
        raise InvalidData('calendar: it goes with by="session", and has its own time zone')
    if zone is not None and by == "time" and not length.is_of_days:
        raise InvalidData(
            f"zone={zone!r}: bins shorter than a day are the same in every zone; leave it out, or "
            'give by="session"'
        )
    if by == "session" and calendar is None and closed == "right":
        raise InvalidData(
            'closed="right": bars that are dated by their end do not show when a session opened; '
            "give a calendar"
        )


def _ways(extra: Mapping[str, str]) -> dict[str, str]:
    """Return how each column is aggregated. Raises `InvalidData`."""
    for name, way in extra.items():
        if name in FIELDS:
            raise InvalidData(f"extra: {name} is not a further column; it has its own rule")
        if way not in _WAYS:
            hint = did_you_mean(str(way), _WAYS)
            raise InvalidData(
                f"extra={{{name!r}: {way!r}}}: expected one of {', '.join(_WAYS)}{hint}"
            )
    return {**_PRICES, "volume": "sum", **extra}


def _check_ways(bars: pa.Table, extra: Mapping[str, str]) -> None:
    """Refuse a sum or a mean of what is no number."""
    for name, way in extra.items():
        kind = bars[name].type
        if way in ("mean", "sum") and not any(bool(each(kind)) for each in _NUMBERS):
            raise InvalidData(
                f'extra={{{name!r}: {way!r}}}: the column has {kind}; expected "first", "last", '
                '"max" or "min"'
            )


def _check_years(dates: pa.ChunkedArray) -> None:
    """Refuse bars that would be dated before the year 1 or after 9999."""
    found = pc.min_max(pc.cast(dates, pa.int64())).as_py()
    if found["min"] is not None and not EARLIEST <= found["min"] <= found["max"] <= LATEST:
        raise InvalidData(
            "date: a bar would be dated outside the years 1 to 9999; leave out the bars at the "
            'ends of the calendar, or give label="left"'
        )


def _bars(
    source: Any,
    symbols: str | Iterable[str] | None,
    bounds: tuple[Bound, Bound],
    timeframe: str,
    ways: Mapping[str, str],
) -> pa.Table:
    needed = ("symbol", "date", *ways)
    if not hasattr(source, "read_bars"):
        if symbols is not None or bounds != (None, None):
            raise InvalidData("symbols, start and end are for a store; filter the table instead")
        return bars_given(source, needed)
    if symbols is None:
        raise InvalidData("symbols: expected the symbols to read from the store")
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    table = read_bar_table(source, names, *bounds, timeframe=timeframe, columns=needed)
    warn_of_absent(source, names, table, timeframe)
    return table


def _shifted(dates: pa.ChunkedArray, closed: str) -> pa.ChunkedArray:
    """Return dates that lie in the bin that holds them if its left side does not belong to it."""
    return pc.subtract(dates, _TICK) if closed == "right" else dates


def _floored(dates: pa.ChunkedArray, length: Timeframe) -> pa.ChunkedArray:
    return pc.floor_temporal(dates, length.number, _UNITS[length.unit])


def _ends(bins: pa.ChunkedArray, length: Timeframe) -> pa.ChunkedArray:
    if length.unit in ("mo", "y"):
        unit = _UNITS[length.unit]
        return pc.ceil_temporal(bins, length.number, unit, ceil_is_strictly_greater=True)
    return pc.add(bins, pa.scalar(length.micros, pa.duration("us")))


def _by_session(
    bars: pa.Table, length: Timeframe, closed: str, calendar: Any, zone: str | None
) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the bars that are in a session, and their bins."""
    moments = pc.cast(bars["date"], pa.int64())
    if calendar is None or are_of_days(bars):
        days = pc.floor_temporal(wall_clock(bars, zone), unit="day")
        opens = _firsts(bars["symbol"], days, moments)
    else:
        sessions = _sessions(calendar, moments)
        found = sessions.of(moments.combine_chunks(), closed)
        inside = pc.is_valid(found)
        bars, moments, found = bars.filter(inside), moments.filter(inside), found.drop_null()
        days = pc.take(pa.chunked_array([pa.array(sessions.days, pa.int64())]), found).cast(NAIVE)
        opens = pc.take(pa.array(sessions.opens, pa.int64()), found)
    if length.is_of_days:
        return bars, _floored(days, length)
    since = pc.subtract(pc.subtract(moments, opens), int(closed == "right"))
    bins = pc.multiply(pc.divide(since, length.micros), length.micros)
    return bars, pc.cast(pc.add(opens, bins), NAIVE)


def _sessions(calendar: Any, moments: pa.ChunkedArray) -> Sessions:
    first, last = pc.min_max(moments).as_py().values()
    return sessions_of(calendar, first // DAY * DAY - DAY, last // DAY * DAY + DAY)


def _firsts(
    symbols: pa.ChunkedArray, days: pa.ChunkedArray, moments: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Return the first moment of the symbol and day of each row, whose rows follow each other."""
    starts, numbers = _runs(symbols, days)
    return pc.take(pc.take(moments, starts), numbers)


def _runs(symbols: pa.ChunkedArray, dates: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Return the first row of each run of a symbol and date, and the number of each row's run."""
    names, times = symbols.combine_chunks(), dates.combine_chunks()
    changes = pc.or_(pc.not_equal(names[1:], names[:-1]), pc.not_equal(times[1:], times[:-1]))
    begins = pa.concat_arrays([pa.array([True])[: len(names)], changes])
    numbers = pc.subtract(pc.cumulative_sum(pc.cast(begins, pa.int64())), 1)
    return pc.indices_nonzero(begins), numbers


def _aggregated(bars: pa.Table, dates: pa.ChunkedArray, ways: Mapping[str, str]) -> pa.Table:
    """Return one bar for each symbol and date; rows of one bar follow each other."""
    columns = {name: bars[name] for name in ways}
    if not pa.types.is_integer(columns["volume"].type):
        columns["volume"] = pc.cast(columns["volume"], pa.float64())
    summed = [name for name, way in ways.items() if way == "sum"]
    whole = [name for name in summed if pa.types.is_integer(columns[name].type)]
    for name in whole:  # a sum of int64 would wrap around
        columns[name] = pc.cast(columns[name], _WIDE)
    starts, numbers = _runs(bars["symbol"], dates)
    grouped = pa.table({"": numbers, **columns}).group_by("", use_threads=False)
    rules = [(name, way, _KNOWN if way == "sum" else None) for name, way in ways.items()]
    made = grouped.aggregate(rules).sort_by("")  # groups come in any order
    kept = {name: made[f"{name}_{way}"] for name, way in ways.items()}
    kept |= {name: _fitting(kept[name]) for name in whole}
    zone, made_at = bars["date"].type.tz, pc.take(dates, starts)
    made_at = pc.assume_timezone(made_at, zone) if zone else made_at
    return pa.table({"symbol": pc.take(bars["symbol"], starts), "date": made_at, **kept})


def _fitting(sums: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return sums of whole numbers as int64, as float64 if one is too large for that."""
    within = pc.and_(pc.less_equal(sums, _LARGEST), pc.greater_equal(sums, _LEAST))
    fits = pc.all(within).as_py() is not False
    return pc.cast(sums, pa.int64() if fits else pa.float64())
