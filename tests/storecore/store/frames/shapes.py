"""The shapes in which people have bars: what is given, and the rows or words that come of it.

A shape is a function that returns a table. `shape` gives its keywords, and either the bars that are
written (as `symbol date close volume`, with the further columns of the first) or the words of the
error. The vendors' shapes have the columns, indexes and types that their own libraries return.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from storecore import PriceBar

DAYS = [datetime(2026, 1, 5), datetime(2026, 1, 6), datetime(2026, 1, 7)]
CLOSES = [10.5, 11.5, 12.5]
VOLUMES = [100, 200, 300]
NEW_YORK = "America/New_York"


class Shape(NamedTuple):
    """One shape, and what comes of it."""

    make: object
    keywords: dict
    rows: list | None
    words: str


SHAPES: dict[str, Shape] = {}


def shape(name, rows=None, words="", **keywords):
    def keep(make):
        assert name not in SHAPES
        SHAPES[name] = Shape(make, keywords, rows, words)
        return make

    return keep


def bars(symbol="AAPL", days=DAYS, closes=CLOSES, volumes=VOLUMES):
    """The rows that a store then has."""
    return [
        (symbol, day, close, volume)
        for day, close, volume in zip(days, closes, volumes, strict=True)
    ]


def ohlc(count=3):
    return {
        "open": [10.0, 11.0, 12.0][:count],
        "high": [11.0, 12.0, 13.0][:count],
        "low": [9.0, 10.0, 11.0][:count],
        "close": CLOSES[:count],
    }


def plain(**columns):
    """The seven columns; any can be given, or left out as None."""
    every = {"symbol": ["AAPL"] * 3, "date": DAYS, **ohlc(), "volume": VOLUMES, **columns}
    return {name: values for name, values in every.items() if values is not None}


def frame(**columns):
    return pd.DataFrame(plain(**columns))


AAPL = bars()
BOTH = bars() + bars("MSFT", closes=[20.5, 21.5, 22.5])
UNREPORTED = bars(volumes=[None] * 3)


# A plain table of each library.


@shape("arrow table", AAPL)
def _():
    return pa.table(plain())


@shape("arrow table, columns in another order", AAPL)
def _():
    return pa.table(plain()).select(["close", "volume", "date", "symbol", "low", "high", "open"])


@shape("arrow record batch", AAPL)
def _():
    return pa.table(plain()).to_batches()[0]


@shape("arrow record batch reader", AAPL)
def _():
    return pa.table(plain()).to_reader(max_chunksize=2)


@shape("pandas frame", AAPL)
def _():
    return frame()


@shape("pandas frame, filtered and out of order", AAPL)
def _():
    return frame().iloc[[2, 0, 1]]


@shape("polars frame", AAPL)
def _():
    return pl.DataFrame(plain())


@shape("polars lazy frame", AAPL)
def _():
    return pl.LazyFrame(plain()).filter(pl.col("close") > 0)


@shape("duckdb relation", AAPL)
def _():
    given = pa.table(plain())
    return duckdb.from_arrow(given)


@shape("dict of lists", AAPL)
def _():
    return plain()


@shape("dict of arrays", AAPL)
def _():
    return {name: np.array(values) for name, values in plain().items()}


@shape("list of dicts", AAPL)
def _():
    return pa.table(plain()).to_pylist()


@shape(
    "numpy structured array, as MetaTrader gives it",
    AAPL,
    columns={"volume": "tick_volume"},
    symbol="AAPL",
    extra="ignore",
)
def _():
    rows = [
        (int(day.replace(tzinfo=UTC).timestamp()), c - 0.5, c + 0.5, c - 1.5, c, v, 2)
        for _, day, c, v in AAPL
    ]
    kinds = [
        ("time", "<i8"),
        *((name, "<f8") for name in ohlc()),
        ("tick_volume", "<u8"),
        ("spread", "<i4"),
    ]
    return np.array(rows, dtype=kinds)


@shape("an empty frame", [])
def _():
    return frame().iloc[:0]


# Names.


@shape("names in capitals", AAPL)
def _():
    return frame().rename(columns=str.upper)


@shape("names in title case, Ticker and Datetime", AAPL)
def _():
    return frame().rename(columns={"symbol": "Ticker", "date": "Datetime", "close": "Close"})


@shape("no symbol column, but a keyword", AAPL, symbol="AAPL")
def _():
    return frame(symbol=None)


@shape("no symbol column and no keyword", words=r"'symbol', got 0.*symbol=\"AAPL\"")
def _():
    return frame(symbol=None)


@shape("a symbol column of the symbol of the keyword", AAPL, symbol="AAPL")
def _():
    return frame()


@shape(
    "a symbol column of another symbol",
    words="'MSFT' is given, but the column 'symbol' has 'AAPL'",
    symbol="MSFT",
)
def _():
    return frame()


@shape(
    "columns of other names",
    AAPL,
    columns={"date": "window_begin", "volume": "v", "close": "settle"},
)
def _():
    return frame().rename(columns={"date": "window_begin", "volume": "v", "close": "settle"})


@shape(
    "columns that the table does not have",
    words="has 0 columns of that name; is it 'volume'",
    columns={"volume": "volum"},
)
def _():
    return frame()


@shape(
    "no volume, but Vol",
    words=r"'volume', got 0; is it 'Vol'\?.*volume=\"absent\"",
)
def _():
    return frame().rename(columns={"volume": "Vol"})


@shape("no volume at all", words='volume="absent"')
def _():
    return frame(volume=None)


@shape("no volume, and it is said so", UNREPORTED, volume="absent")
def _():
    return frame(volume=None)


@shape(
    "a volume that is said to be absent",
    words="but the table has a column .volume.",
    volume="absent",
)
def _():
    return frame()


@shape("date and time in two columns", words="'date' has days and 'Time' times of the day; combine")
def _():
    return frame(Time=["09:30", "09:31", "09:32"])


@shape(
    "date and timestamp, and which one is said",
    [("AAPL", *AAPL[0][1:], {"timestamp": 7})],
    columns={"date": "date"},
)
def _():
    return frame(timestamp=[7, 8, 9]).iloc[:1]


@shape("two columns of one name", words="expected one column 'close', got 2")
def _():
    return pd.concat([frame(), frame()[["close"]]], axis=1)


@shape(
    "letters, as an API returns them",
    words=r"7 problems.*is it 'o'\?.*give columns={'symbol': 'T', 'date': 't',",
)
def _():
    return [{"T": "AAPL", "o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 7, "t": 1767571200000}]


@shape(
    "letters, and what they are",
    [("AAPL", DAYS[0], 1.5, 7, {"vwap": 1.2})],
    columns={
        "symbol": "T",
        "open": "o",
        "high": "h",
        "low": "l",
        "close": "c",
        "volume": "v",
        "date": "t",
        "vwap": "vw",
    },
)
def _():
    return [
        {"T": "AAPL", "o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 7, "t": 1767571200000, "vw": 1.2}
    ]


# Indexes.


@shape("an index of times without a name", AAPL)
def _():
    return frame().set_index("date").rename_axis(None)


@shape("an index of times with a name", AAPL)
def _():
    return frame().set_index("date").rename_axis("Date")


@shape("an index of ISO texts without a name", AAPL, symbol="AAPL")
def _():
    dates = [day.strftime("%Y-%m-%d") for day in DAYS]
    return frame(symbol=None, date=None).set_axis(dates)


@shape("an index of days", AAPL, symbol="AAPL")
def _():
    return frame(symbol=None, date=None).set_axis(
        pd.period_range("2026-01-05", periods=3, freq="D")
    )


@shape("two levels, symbol first", AAPL)
def _():
    return frame().set_index(["symbol", "date"])


@shape("two levels, date first", AAPL)
def _():
    return frame().set_index(["date", "symbol"])


@shape("two levels without names", AAPL)
def _():
    return frame().set_index(["date", "symbol"]).rename_axis([None, None])


@shape("frames joined by their keys", BOTH)
def _():
    other = frame(symbol=None, close=[20.5, 21.5, 22.5])
    return pd.concat({"AAPL": frame(symbol=None), "MSFT": other})


@shape("an arrow table made of a frame with an index", AAPL)
def _():
    return pa.Table.from_pandas(frame().set_index("date").rename_axis(None))


# Types.


@shape("decimals", [("AAPL", DAYS[0], 258.31, 2**53 + 1)])
def _():
    return frame(close=[Decimal("258.31")] * 3, volume=[Decimal(2**53 + 1)] * 3).iloc[:1]


@shape("sums and decimals of duckdb", [("AAPL", DAYS[0], 258.31, 2**53 + 3)])
def _():
    return duckdb.sql(
        "select 'AAPL' as symbol, date '2026-01-05' as date, 1.5::decimal(9, 4) as open,"
        " 300 as high, 1 as low, 258.31::decimal(18, 2) as close, sum(v) as volume"
        " from (values (9007199254740993), (2)) t(v)"
    )


@shape("ints that may be missing", bars(volumes=[100, None, 300]))
def _():
    return frame(volume=pd.array([100, None, 300], "Int64"))


@shape("float32", AAPL)
def _():
    return frame().astype(dict.fromkeys(ohlc(), "float32"))


@shape("categories", AAPL)
def _():
    return frame().astype({"symbol": "category", "volume": "category"})


@shape("enums and small ints of polars", AAPL)
def _():
    small = pl.DataFrame(plain()).cast({"volume": pl.UInt16, "symbol": pl.Enum(["AAPL", "MSFT"])})
    return small.with_columns(pl.col("close").cast(pl.Decimal(10, 2)))


@shape("128-bit ints of polars", AAPL)
def _():
    return pl.DataFrame(plain()).cast({"volume": pl.Int128})


@shape("dates", AAPL)
def _():
    return frame(date=[day.date() for day in DAYS])


@shape("ISO texts of days", AAPL)
def _():
    return frame(date=["2026-01-05", "20260106", "2026-01-07"])


@shape("ISO texts with offsets", bars(days=[day + timedelta(hours=14) for day in DAYS]))
def _():
    return frame(
        date=["2026-01-05T15:00:00+01:00", "2026-01-06T14:00:00Z", "2026-01-07T09:00:00-05:00"]
    )


@shape("texts that are no ISO dates", words="expected ISO dates or times such as .*'05/01/2026'")
def _():
    return frame(date=["05/01/2026"] * 3)


@shape("numbers of days", AAPL)
def _():
    return frame(date=[20260105, 20260106, 20260107])


@shape(
    "numbers that may be hours or seconds",
    words="2026010514 may mean seconds since 1970 or an hour, YYYYMMDDHH; cast",
)
def _():
    return frame(date=[2026010514, 2026010515, 2026010516])


@shape(
    "numbers that are no likely date", words=r"may mean 1970-01-01 00:00:07 \(seconds since 1970\)"
)
def _():
    return frame(date=[7, 8, 9])


@shape(
    "nanoseconds that are no whole microsecond",
    words=r"^table\[1\]\.date=1767571200000000001 ns: .*\(2 rows: 1-2\)$",
)
def _():
    return frame(
        date=pd.to_datetime([1767571200000000000, 1767571200000000001, 1767571200000000007])
    )


@shape("prices as text", words="table.close: expected numbers, got .*string; cast it to float64")
def _():
    return frame(close=["1.5", "2.5", "3.5"])


@shape("a column of mixed types", words="table.close: cannot read object as values of one type")
def _():
    return frame(close=[1.5, "2.5", 3.5])


# Missing values.


@shape(
    "rows without prices",
    words=r"table\[0\]\.open=null: no prices .*missing=\"skip\".*\(2 rows: 0, 2\)",
)
def _():
    return frame(**{name: [np.nan, 1.0, np.nan] for name in ohlc()})


@shape("rows without prices, to be left out", AAPL[1:2], missing="skip")
def _():
    return frame(**{name: [np.nan, 11.5, np.nan] for name in ohlc()})


@shape(
    "rows without some prices",
    words=r"table\[1\]\.high=null: expected a value, .*\(2 rows: 1-2\)",
    missing="skip",
)
def _():
    return frame(high=[11.0, np.nan, np.nan])


@shape("NaN in further columns of pandas", [("AAPL", DAYS[0], 10.5, 100, {"oi": 1.0}), *AAPL[1:]])
def _():
    return frame(oi=[1.0, np.nan, np.nan])


@shape("NaN in further columns of arrow", [("AAPL", DAYS[0], 10.5, 100, {"oi": "nan"}), *AAPL[1:]])
def _():
    return pa.table(plain(oi=pa.array([float("nan"), None, None])))


@shape("a column without any value", AAPL)
def _():
    return frame(otc=[None] * 3)


@shape(
    "a further column of lists",
    words=r'table\.conditions: expected numbers, bools, text or t.*, got list.*extra="ignore"',
)
def _():
    return frame(conditions=[[1], [2], [3]])


@shape("further columns that are not wanted", AAPL, extra="ignore")
def _():
    return frame(conditions=[[1], [2], [3]], spread=[1, 2, 3])


@shape(
    "all that is wrong at once",
    words=r"^table: 5 problems: \(1\).*'close', got 0; is it 'Clsoe'.*'volume', got 0.*"
    r"table\.open: expected numbers.*table\[2\]\.low=null.*table\.tags",
)
def _():
    wrong = frame(open=["1", "2", "3"], low=[1.0, 2.0, np.nan], tags=[[1]] * 3, volume=None)
    return wrong.rename(columns={"close": "Clsoe"})


# What is no table.


@shape("a list of PriceBar", words=r"got list of PriceBar; for a list of PriceBar use write_bars")
def _():
    return [PriceBar("AAPL", DAYS[0], 1.0, 1.0, 1.0, 1.0, 1)]


@shape(
    "a dict of frames", words=r"expected one table, got a dict of 1, the first 'AAPL'; write each"
)
def _():
    return {"AAPL": frame()}


@shape("a list of rows without names", words="got list of list; name the columns")
def _():
    return [[1767571200000, 1.0, 2.0, 0.5, 1.5, 7.0]]


@shape("a file", words="storecore import")
def _():
    return "bars.csv"


@shape("a series", words="expected a pyarrow.Table|cannot read a Series")
def _():
    return pd.Series([1.0, 2.0])


@shape("nothing", words="expected a pyarrow.Table.*got NoneType")
def _():
    return None


# Vendors.


def _downloaded(tickers, level):
    """What `yfinance.download` returns: a wide frame, its levels named Price and Ticker."""
    index = pd.DatetimeIndex(DAYS, name="Date")
    cells = {}
    for number, ticker in enumerate(tickers):
        for name in ("Close", "High", "Low", "Open", "Volume"):
            values = (
                VOLUMES if name == "Volume" else [x + 10 * number for x in ohlc()[name.lower()]]
            )
            cells[(name, ticker) if level == 0 else (ticker, name)] = values
    names = ["Price", "Ticker"] if level == 0 else ["Ticker", "Price"]
    columns = pd.MultiIndex.from_tuples(cells, names=names)
    return pd.DataFrame(list(zip(*cells.values(), strict=True)), index=index, columns=columns)


@shape("yfinance: one ticker", AAPL)
def _():
    return _downloaded(["AAPL"], 0)


@shape("yfinance: many tickers", BOTH)
def _():
    return _downloaded(["AAPL", "MSFT"], 0)


@shape("yfinance: many tickers, group_by='ticker'", BOTH)
def _():
    return _downloaded(["AAPL", "MSFT"], 1)


@shape("yfinance: the index made a column", BOTH)
def _():
    return _downloaded(["AAPL", "MSFT"], 0).reset_index()


@shape("yfinance: as polars sees it", BOTH)
def _():
    return pl.from_pandas(_downloaded(["AAPL", "MSFT"], 0).reset_index())


@shape("yfinance: tickers with other holidays", words=r"no prices .*missing=\"skip\"")
def _():
    frame = _downloaded(["AAPL", "MSFT"], 0)
    frame.loc[DAYS[1], (slice(None), "MSFT")] = np.nan
    return frame


@shape("yfinance: tickers with other holidays, left out", [*AAPL, BOTH[3], BOTH[5]], missing="skip")
def _():
    frame = _downloaded(["AAPL", "MSFT"], 0).astype(float)
    frame.loc[DAYS[1], (slice(None), "MSFT")] = np.nan
    return frame


@shape(
    "yfinance: actions and Adj Close",
    [("AAPL", *AAPL[0][1:], {"Adj Close": 9.5, "Dividends": 0.0}), *AAPL[1:]],
)
def _():
    frame = _downloaded(["AAPL"], 0)
    frame["Adj Close", "AAPL"] = [9.5, np.nan, np.nan]
    frame["Dividends", "AAPL"] = [0.0, np.nan, np.nan]
    return frame


@shape(
    "yfinance: Ticker.history in days of New York",
    AAPL,
    symbol="AAPL",
    day="written",
    extra="ignore",
)
def _():
    index = pd.DatetimeIndex(DAYS, name="Date").tz_localize(NEW_YORK)
    named = frame(symbol=None, date=None).rename(columns=str.title).set_axis(index)
    return named.assign(**{"Dividends": 0.0, "Stock Splits": 0.0})


@shape(
    "alpaca-py: BarSet.df",
    [("AAPL", *AAPL[0][1:], {"trade_count": 5.0, "vwap": 1.5})],
    timeframe="1h",
)
def _():
    times = pd.DatetimeIndex(DAYS[:1]).tz_localize("UTC")
    index = pd.MultiIndex.from_arrays([["AAPL"], times], names=["symbol", "timestamp"])
    values = {**ohlc(1), "volume": [100.0], "trade_count": [5.0], "vwap": [1.5]}
    return pd.DataFrame(values, index=index)


@shape(
    "massive (polygon): day aggregates, flat file", [("AAPL", *AAPL[0][1:], {"transactions": 62})]
)
def _():
    row = ["AAPL", 100, 10.0, 10.5, 11.0, 9.0, 1767571200000000000, 62]
    names = ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]
    return pd.DataFrame([row], columns=names)


@shape(
    "massive (polygon): a list of aggregates",
    [("AAPL", *AAPL[0][1:], {"vwap": 10.2})],
    symbol="AAPL",
)
def _():
    values = {**ohlc(1), "volume": [100.0], "vwap": [10.2], "timestamp": [1767571200000]}
    return pd.DataFrame({**values, "transactions": [None], "otc": [None]})


@shape(
    "databento: to_df of ohlcv-1d",
    [("AAPL", *AAPL[0][1:], {"instrument_id": 32, "publisher_id": 2, "rtype": 35})],
)
def _():
    index = pd.DatetimeIndex(DAYS[:1], name="ts_event").tz_localize("UTC")
    head = {
        "rtype": np.uint8([35]),
        "publisher_id": np.uint16([2]),
        "instrument_id": np.uint32([32]),
    }
    values = {**head, **ohlc(1), "volume": np.uint64([100]), "symbol": ["AAPL"]}
    return pd.DataFrame(values, index=index)


KLINES = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
]


@shape(
    "binance: klines of a public file",
    [
        (
            "BTCUSDT",
            *AAPL[0][1:],
            {"close_time": 1767657599999, "count": 308, "quote_volume": 2434.2},
        )
    ],
    symbol="BTCUSDT",
)
def _():
    row = [1767571200000, 10.0, 11.0, 9.0, 10.5, 100.0, 1767657599999, 2434.2, 308]
    return pd.DataFrame([row], columns=KLINES)


@shape(
    "binance: klines of the API, in texts",
    words=r"5 problems: .*table\.open: expected numbers, got .*string.*table\.volume",
    symbol="BTCUSDT",
)
def _():
    row = [1767571200000, "10.0", "11.0", "9.0", "10.5", "100.0", 1767657599999, "2434.2", 308]
    return pd.DataFrame([row], columns=KLINES)


@shape("ccxt: fetch_ohlcv in a frame", [("BTC/USDT", *AAPL[0][1:])], symbol="BTC/USDT")
def _():
    row = [1767571200000, 10.0, 11.0, 9.0, 10.5, 100.0]
    return pd.DataFrame([row], columns=["timestamp", "open", "high", "low", "close", "volume"])


@shape(
    "tiingo: get_dataframe",
    [("AAPL", *AAPL[0][1:], {"adjClose": 9.9, "divCash": 0.0, "splitFactor": 1.0})],
    symbol="AAPL",
)
def _():
    index = pd.DatetimeIndex(DAYS[:1], name="date").tz_localize("UTC")
    values = {"adjClose": [9.9], **ohlc(1), "divCash": [0.0], "splitFactor": [1.0], "volume": [100]}
    return pd.DataFrame(values, index=index)


@shape(
    "tiingo: adjusted prices as the prices",
    words="another column is given as 'close'",
    symbol="AAPL",
    columns={"close": "adjClose"},
)
def _():
    index = pd.DatetimeIndex(DAYS[:1], name="date").tz_localize("UTC")
    return pd.DataFrame({"adjClose": [9.9], **ohlc(1), "volume": [100]}, index=index)


@shape("alpha_vantage: get_daily", AAPL, symbol="AAPL")
def _():
    names = ["1. open", "2. high", "3. low", "4. close", "5. volume"]
    values = pd.DataFrame({**ohlc(), "volume": [100.0, 200.0, 300.0]})
    return values.set_axis(names, axis=1).set_axis(pd.DatetimeIndex(DAYS, name="date")).iloc[::-1]


@shape(
    "alpha_vantage: get_daily_adjusted",
    [("AAPL", *AAPL[0][1:], {"5. adjusted close": 9.9})],
    symbol="AAPL",
)
def _():
    names = ["1. open", "2. high", "3. low", "4. close", "5. adjusted close", "6. volume"]
    values = pd.DataFrame({**ohlc(1), "adjusted": [9.9], "volume": [100.0]})
    return values.set_axis(names, axis=1).set_axis(pd.DatetimeIndex(DAYS[:1], name="date"))
