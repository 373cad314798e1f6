"""A database of vnpy over a store: with `"database.name": "storecore"` in vnpy's settings.

`storecore.toml` names the store. A bar of a day or a week is filed under its day, as vnpy writes it
(midnight in the zone of vnpy's settings); all others are filed under their instant.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date

from vnpy.trader.constant import Exchange, Interval
from vnpy.trader.database import DB_TZ, BarOverview, BaseDatabase, TickOverview, convert_tz
from vnpy.trader.object import BarData, TickData

import storecore
from storecore import PriceBar

TIMEFRAMES = {
    Interval.MINUTE: "1m",
    Interval.HOUR: "1h",
    Interval.DAILY: "1d",
    Interval.WEEKLY: "1w",
    Interval.TICK: "tick",
}
INTERVALS = {timeframe: interval for interval, timeframe in TIMEFRAMES.items()}
DAYS = (Interval.DAILY, Interval.WEEKLY)
EXCHANGES = {each.value for each in Exchange}

BAR = {
    "open": "open_price",
    "high": "high_price",
    "low": "low_price",
    "close": "close_price",
    "volume": "volume",
}
BAR_EXTRA = ("turnover", "open_interest")
TICK = {**BAR, "close": "last_price"}
TICK_KEY = {"gateway_name", "extra", "symbol", "exchange", "datetime", *TICK.values()}
TICK_EXTRA = tuple(each.name for each in fields(TickData) if each.name not in TICK_KEY)


class Database(BaseDatabase):
    """Bars and ticks in a store; a symbol there is vnpy's, with its exchange: "IF2401.CFFEX"."""

    def __init__(self, store=None):
        self.store = store or storecore.open_store()

    # Bars

    def save_bar_data(self, bars, stream=False):
        """Insert or replace bars of one series."""
        return self._save(bars, bars[0].interval, BAR, BAR_EXTRA)

    def load_bar_data(self, symbol, exchange, interval, start, end):
        """Return the bars of a series; a naive bound is in vnpy's time zone."""
        found = self._load(symbol, exchange, interval, start, end)
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return [BarData("DB", datetime=at, **named, **_values(bar, BAR)) for at, bar in found]

    def delete_bar_data(self, symbol, exchange, interval):
        """Delete a series; return the number of its bars."""
        name = f"{symbol}.{exchange.value}"
        return self.store.delete_bars(name, date.min, date.max, timeframe=TIMEFRAMES[interval])

    def get_bar_overview(self):
        """Return the extent of each series of bars."""
        return [
            BarOverview(symbol, exchange, interval, count, first, last)
            for symbol, exchange, interval, count, first, last in self._overview()
            if interval is not Interval.TICK
        ]

    # Ticks

    def save_tick_data(self, ticks, stream=False):
        """Insert or replace ticks of one symbol."""
        return self._save(ticks, Interval.TICK, TICK, TICK_EXTRA)

    def load_tick_data(self, symbol, exchange, start, end):
        """Return the ticks of a symbol; a naive bound is in vnpy's time zone."""
        ticks = []
        for at, bar in self._load(symbol, exchange, Interval.TICK, start, end):
            values = _values(bar, TICK)
            local = values.pop("localtime", None)
            named = {"symbol": symbol, "exchange": exchange, "datetime": at}
            tick = TickData("DB", **named, **values)
            tick.localtime = local and local.replace(tzinfo=None)
            ticks.append(tick)
        return ticks

    def delete_tick_data(self, symbol, exchange):
        """Delete the ticks of a symbol; return their number."""
        return self.delete_bar_data(symbol, exchange, Interval.TICK)

    def get_tick_overview(self):
        """Return the extent of each series of ticks."""
        return [
            TickOverview(symbol, exchange, count, first, last)
            for symbol, exchange, interval, count, first, last in self._overview()
            if interval is Interval.TICK
        ]

    # Both

    def _save(self, records, interval, names, extra):
        symbol = records[0].vt_symbol
        bars = [
            PriceBar(
                symbol=symbol,
                date=_stored(each.datetime, interval),
                **{field: getattr(each, name) for field, name in names.items()},
                extra={name: getattr(each, name) for name in extra},
            )
            for each in records
        ]
        self.store.write_bars(symbol, bars, timeframe=TIMEFRAMES[interval])
        return True

    def _load(self, symbol, exchange, interval, start, end):
        """Yield the time of each bar, as vnpy knows it, and the bar."""
        first, last = (_bound(each, interval) for each in (start, end))
        if first > last:  # vnpy asks so for no history at all
            return
        name = f"{symbol}.{exchange.value}"
        for each in self.store.read_bars(name, first, last, timeframe=TIMEFRAMES[interval]):
            yield _known(each.date, interval), each

    def _overview(self):
        for each in self.store.inventory():
            symbol, _, exchange = each.symbol.rpartition(".")
            if each.timeframe in INTERVALS and exchange in EXCHANGES:
                interval = INTERVALS[each.timeframe]
                first, last = (_known(at, interval) for at in (each.first, each.last))
                span = (first.replace(tzinfo=None), last.replace(tzinfo=None))
                yield symbol, Exchange(exchange), interval, each.count, *span


def _stored(moment, interval):
    """Return what a bar is filed under: the day that vnpy sees, or an instant."""
    local = convert_tz(moment)
    return local if interval in DAYS else local.replace(tzinfo=DB_TZ)


def _bound(moment, interval):
    local = moment if moment.tzinfo is None else convert_tz(moment)
    return local if interval in DAYS else local.replace(tzinfo=DB_TZ)


def _known(moment, interval):
    """Return the time of a stored bar in vnpy's time zone."""
    return moment.replace(tzinfo=DB_TZ) if interval in DAYS else moment.astimezone(DB_TZ)


def _values(bar, names):
    """Return vnpy's fields of a bar; a further column that it does not have keeps its default."""
    plain = {name: getattr(bar, field) for field, name in names.items()}
    further = (bar.extra or {}).items()
    return {**plain, **{name: value for name, value in further if value is not None}}
