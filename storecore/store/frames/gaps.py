"""Gaps in series of bars, by the calendar of their exchange instead of by their rhythm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storecore.errors import InvalidData, shown
from storecore.protocols import Catalog, DataStore
from storecore.reports import Finding, Report
from storecore.reports.display import counted
from storecore.store.frames.sessions import Sessions, sessions_of
from storecore.store.tables import iter_bar_tables
from storecore.values.timeframes import DAY, timeframe_of
from storecore.values.times import to_datetime


def verify_sessions(
    store: DataStore,
    calendar: Any,
    symbols: str | Iterable[str] | None = None,
    *,
    timeframe: str = "1d",
) -> Report:
    """Report the trading sessions, between the first and last bar of a series, without a bar.

    `calendar` is the name of a calendar of `exchange_calendars` ("XNYS"; it needs
    `storecore[calendars]`) or one of its objects. `symbols` are by default all that have bars of
    the timeframe, which is a day or shorter. A series with missing sessions has a note of the kind
    "gap", one with daily bars on days without a session of the kind "no session". `checked` is the
    number of sessions. Nothing is a finding: an exchange may halt a share.
    """
    length = timeframe_of(timeframe)
    if length is None or length.micros > DAY:
        raise InvalidData(
            f"timeframe={shown(timeframe)}: expected one of a day or shorter: of longer ones a bar "
            "is of several sessions"
        )
    if symbols is None:
        if not isinstance(store, Catalog):
            raise InvalidData("symbols: expected some to look at; this store cannot list its own")
        symbols = store.symbols(timeframe)
    checked, notes = 0, list[Finding]()
    for symbol in [symbols] if isinstance(symbols, str) else symbols:
        number, found = _gaps(store, calendar, symbol, timeframe, daily=length.micros == DAY)
        checked += number
        notes += found
    return Report(checked, notes=tuple(notes))


def _gaps(
    store: DataStore, calendar: Any, symbol: str, timeframe: str, *, daily: bool
) -> tuple[int, list[Finding]]:
    """Return the number of sessions of a series, and its notes."""
    bars = [pc.unique(each) for each in _moments(store, symbol, timeframe, daily=daily)]
    moments = pa.concat_arrays(bars) if bars else pa.array([], pa.int64())
    if not len(moments):
        return 0, []
    first, last = pc.min_max(moments).as_py().values()
    sessions = sessions_of(calendar, first // DAY * DAY, last // DAY * DAY)
    present = {*moments.to_pylist()} if daily else _held(sessions, moments)
    place = f"{symbol} ({timeframe})"
    missing = [day for day in sessions.days if day not in present]
    found = []
    if missing:
        detail = f"{len(missing):,} of {counted(len(sessions.days), 'session')} without a bar"
        found.append(Finding("gap", place, f"{detail}, the first on {_day(missing[0])}"))
    outside = sorted(present - {*sessions.days})
    if outside:
        detail = f"{counted(len(outside), 'day')} with a bar and without a session"
        found.append(Finding("no session", place, f"{detail}, the first on {_day(outside[0])}"))
    return len(sessions.days), found


def _moments(store: DataStore, symbol: str, timeframe: str, *, daily: bool) -> Iterator[pa.Array]:
    """Yield the days of daily bars, the minutes of others, as instants."""
    unit = "day" if daily else "minute"
    for table in iter_bar_tables(store, symbol, timeframe=timeframe, columns=["date"]):
        yield pc.cast(pc.floor_temporal(table["date"], unit=unit), pa.int64()).combine_chunks()


def _held(sessions: Sessions, moments: pa.Array) -> set[int]:
    """Return the days of the sessions that hold some of these moments."""
    numbers = sessions.of(moments, "left").drop_null().unique().to_pylist()
    return {sessions.days[number] for number in numbers}


def _day(instant: int) -> str:
    return f"{to_datetime(instant, aware=False):%Y-%m-%d}"
