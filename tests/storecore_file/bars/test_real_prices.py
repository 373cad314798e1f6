"""Real prices in, the same bits out: daily, monthly and hourly bars of AAPL, IBM and MSFT.

The daily bars are the sample that ships with the command line. The monthly ones are made from
them, their volume the mean of the days (a fraction). Hourly bars of those years are not free to
ship: these lie on straight lines through the real opens and closes of the last year, an equal part
of the real volume each.
"""

from __future__ import annotations

import random
import struct
from datetime import datetime, time, timedelta
from itertools import groupby, pairwise
from statistics import fmean

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

import storecore
from storecore import PriceBar
from storecore.cli.demo_facts import BARS

OPENING = timedelta(hours=14, minutes=30)
HOURS = 7
FIELDS = ("open", "high", "low", "close")
EPOCH = datetime(1970, 1, 1)


def as_kept(volume):
    """Return a volume as a store does: an int where it is whole."""
    return int(volume) if volume.is_integer() else volume


def daily():
    rows = pq.read_table(BARS).to_pylist()
    return [PriceBar(**{**row, "date": datetime.combine(row["date"], time())}) for row in rows]


def monthly():
    months = groupby(daily(), key=lambda bar: (bar.symbol, bar.date.replace(day=1)))
    for (symbol, first), bars in months:
        days = list(bars)
        yield PriceBar(
            symbol,
            first,
            days[0].open,
            max(day.high for day in days),
            min(day.low for day in days),
            days[-1].close,
            as_kept(fmean(day.volume for day in days)),
        )


def hourly():
    for day in daily():
        if day.date.year >= 2012:
            step = (day.close - day.open) / HOURS
            points = [day.open + step * hour for hour in range(HOURS + 1)]
            for hour, (start, end) in enumerate(pairwise(points)):
                date = day.date + OPENING + timedelta(hours=hour)
                prices = (start, max(start, end), min(start, end), end)
                yield PriceBar(day.symbol, date, *prices, as_kept(day.volume / HOURS))


SERIES = {"1d": daily, "1M": monthly, "1h": hourly}
FOLDERS = {"1d": "", "1M": "1+M/", "1h": "1h/"}


@pytest.fixture(scope="module", params=SERIES)
def timeframe(request):
    return request.param


@pytest.fixture(scope="module")
def by_symbol(timeframe):
    """The bars of each symbol, in time order."""
    bars = groupby(SERIES[timeframe](), key=lambda bar: bar.symbol)
    return {symbol: list(of_symbol) for symbol, of_symbol in bars}


@pytest.fixture(scope="module")
def pieces(by_symbol):
    """Overlapping pieces of all symbols, in no order, and in no order inside."""
    shuffle = random.Random(7).shuffle
    cut = [
        bars[start : start + 150]
        for bars in by_symbol.values()
        for start in range(0, len(bars), 120)
    ]
    for piece in cut:
        shuffle(piece)
    again = cut[::5]
    shuffle(cut)
    return [*cut, *again]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("real") / "data"


@pytest.fixture(scope="module", params=["file", "memory"])
def stored(request, base, pieces, timeframe):
    """A store of each backend with the bars written piece by piece."""
    options = {"base_path": base, "durability": "os"} if request.param == "file" else {}
    with storecore.open_store(request.param, **options) as store:
        for piece in pieces:
            store.write_bars(piece[0].symbol, piece, timeframe=timeframe)
        yield store


def bits(bar):
    """Return a bar as the bytes of its numbers: equal only where every bit is."""
    micros = (bar.date - EPOCH) // timedelta(microseconds=1)
    whole = isinstance(bar.volume, int)
    prices = (getattr(bar, field) for field in FIELDS)
    return struct.pack("<q?4d" + "d"[whole:] + "q"[not whole :], micros, whole, *prices, bar.volume)


def rows(by_symbol):
    """Return all bars as other readers see them, by symbol and date."""
    return [
        (symbol, (bar.date - EPOCH) // timedelta(microseconds=1), *prices(bar), float(bar.volume))
        for symbol in sorted(by_symbol)
        for bar in by_symbol[symbol]
    ]


def prices(bar):
    return (getattr(bar, field) for field in FIELDS)


def test_b5_real_prices_come_back_equal_to_the_last_bit(stored, by_symbol, timeframe):
    for symbol, bars in by_symbol.items():
        read = stored.read_bars(symbol, datetime.min, datetime.max, timeframe=timeframe)
        assert list(map(bits, read)) == list(map(bits, bars))


def test_a_range_of_real_prices_is_what_lies_in_it(stored, by_symbol, timeframe):
    for symbol, bars in by_symbol.items():
        first, last = bars[len(bars) // 3].date, bars[len(bars) // 2].date
        read = stored.read_bars(symbol, first, last, timeframe=timeframe)
        assert read == bars[len(bars) // 3 : len(bars) // 2 + 1]


@pytest.mark.parametrize("stored", ["file"], indirect=True)
def test_duckdb_and_polars_read_the_same_real_prices(stored, base, by_symbol, timeframe):
    parts = f"{base}/prices/*/{FOLDERS[timeframe]}*.parquet"
    query = f"""
        SELECT symbol, epoch_us(date), open, high, low, close, volume
        FROM '{parts}' ORDER BY symbol, date
    """
    frame = pl.read_parquet(parts).sort("symbol", "date")
    assert duckdb.sql(query).fetchall() == rows(by_symbol)
    assert frame.with_columns(pl.col("date").dt.epoch("us")).rows() == rows(by_symbol)


def test_the_sample_is_what_it_says(by_symbol, timeframe):
    counts = {symbol: len(bars) for symbol, bars in by_symbol.items()}
    each = {"1d": 3_270, "1M": 157, "1h": 2_037}[timeframe]
    assert counts == dict.fromkeys(("AAPL", "IBM", "MSFT"), each)
