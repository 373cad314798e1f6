"""The shapes in which vendors give bars: imported by themselves or with one option, or refused.

Each file is a small made-up one. Its shape is taken from:

- the vendor's own pages: databento (encodings of OHLCV), polygon (flat files), binance
  (data.binance.vision), freqtrade (data formats), kibot and firstrate (readme of their downloads),
  histdata (specification of its files), ib (`formatDate` and `BarData`), finnhub, tiingo, twelve
  data, alphavantage, coinbase, kraken and bitstamp (their APIs), tradestation ("ASCII 3rd Party
  Data Guidelines": fields, closing times of bars, exchange time), ninjatrader (help on importing:
  minutes and days, `ES 12-06.txt`, exports are always in UTC)
- files and readers of them in public repositories, where there is no page: nasdaq
  (`HistoricalData_1726367135218.csv`, N/A volumes, days without zeros), investing (`"Apr 09, 2020"`
  before 2022, `"01/13/2026"` since; `X Stock Price History.csv`), marketwatch (`Download Data -
  STOCK_US_XNAS_AAPL.csv`, years of four digits), dukascopy (`Gmt time`, `Local time` with
  GMT+0900), jforex (`Time (EET)`, a blank after Volume), sierrachart (`NQZ25-CME_5m.scid_BarData`,
  OpenInterest of days, fractions of seconds), tradestation (Up and Down of minutes, Vol and OI of
  days), ariva (`Stuecke` empty), barchart (its last line), alpaca (answers of the API, and
  `to_csv()` of alpaca-py), cryptodatadownload, mt4, mt5, yfinance, stooq, tradingview
"""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.feather
import pytest

from storecore import PriceBar
from storecore.cli.imports.formats import all_formats, fitting

JAN_2, JAN_3 = datetime(2024, 1, 2), datetime(2024, 1, 3)


class Shape(NamedTuple):
    """A file, the only option that it needs, and the bars that it holds."""

    file: str
    content: str | bytes
    option: tuple[str, ...]
    bars: list[PriceBar]
    timeframe: str = "1d"


def a_bar(symbol, when, o, h, low, c, volume, **extra):
    return PriceBar(symbol, when, o, h, low, c, volume, extra or None)


def minute(hour, minutes):
    return datetime(2024, 1, 2, hour, minutes)


def zipped(name, text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return out.getvalue()


def feather(**columns):
    out = io.BytesIO()
    pyarrow.feather.write_feather(pa.table(columns), out)
    return out.getvalue()


AAPL = [
    a_bar("AAPL", JAN_2, 187.15, 188.44, 183.89, 185.64, 82488700),
    a_bar("AAPL", JAN_3, 184.22, 185.88, 183.43, 184.25, 58414500),
]
TWO = [
    a_bar("AAPL", minute(14, 30), 1.5, 2.5, 0.5, 2.25, 100),
    a_bar("AAPL", minute(14, 31), 2.25, 3.5, 1.5, 2.5, 200),
]


def with_extra(bars, *extras):
    return [
        PriceBar(*(getattr(bar, each) for each in bar.__struct_fields__[:7]), extra)
        for bar, extra in zip(bars, extras, strict=True)
    ]


def named(bars, symbol):
    return [
        PriceBar(symbol, bar.date, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.extra)
        for bar in bars
    ]


def without_volume(bars, volume=None):
    return [
        PriceBar(bar.symbol, bar.date, bar.open, bar.high, bar.low, bar.close, volume)
        for bar in bars
    ]


SHAPES: dict[str, Shape] = {
    "yahoo, a download of its page": Shape(
        "AAPL.csv",
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-01-02,187.15,188.44,183.89,185.64,184.9,82488700\n"
        "2024-01-03,184.22,185.88,183.43,184.25,183.5,58414500\n",
        ("--symbol-from-name",),
        with_extra(AAPL, {"Adj Close": 184.9}, {"Adj Close": 183.5}),
    ),
    "yfinance, a ticker with three header lines": Shape(
        "prices.csv",
        "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n"
        "2024-01-02,185.64,188.44,183.89,187.15,82488700\n"
        "2024-01-03,184.25,185.88,183.43,184.22,58414500\n",
        (),
        AAPL,
    ),
    "yfinance, many tickers": Shape(
        "prices.csv",
        "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL,MSFT,MSFT,MSFT,MSFT,MSFT\n"
        "Price,Open,High,Low,Close,Volume,Open,High,Low,Close,Volume\n"
        "Date,,,,,,,,,,\n"
        "2024-01-02,187.15,188.44,183.89,185.64,82488700,1,2,0.5,1.5,7\n"
        "2024-01-03,184.22,185.88,183.43,184.25,58414500,,,,,\n",
        (),
        [*AAPL, a_bar("MSFT", JAN_2, 1, 2, 0.5, 1.5, 7)],
    ),
    "yfinance, history().to_csv()": Shape(
        "AAPL.csv",
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
        "2024-01-02 00:00:00-05:00,187.15,188.44,183.89,185.64,82488700,0.0,0.0\n"
        "2024-01-03 00:00:00-05:00,184.22,185.88,183.43,184.25,58414500,0.0,0.0\n",
        ("--format", "yfinance"),
        with_extra(AAPL, *[{"Dividends": 0.0, "Stock Splits": 0.0}] * 2),
    ),
    "stooq, one symbol": Shape(
        "aapl.us_d.csv",
        "Date,Open,High,Low,Close,Volume\n2024-01-02,187.15,188.44,183.89,185.64,82488700\n"
        "2024-01-03,184.22,185.88,183.43,184.25,58414500\n",
        ("--format", "stooq"),
        named(AAPL, "aapl.us"),
    ),
    "stooq, days of the bulk archive": Shape(
        "aapl.us.txt",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL.US,D,20240102,000000,187.15,188.44,183.89,185.64,82488700,0\n"
        "AAPL.US,D,20240103,000000,184.22,185.88,183.43,184.25,58414500,0\n",
        (),
        with_extra(named(AAPL, "AAPL.US"), *[{"PER": "D", "OPENINT": 0}] * 2),
    ),
    "stooq, minutes of the bulk archive, in Warsaw time": Shape(
        "aapl.us.txt",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL,5,20240102,153000,1.5,2.5,0.5,2.25,100,0\n"
        "AAPL,5,20240102,153500,2.25,3.5,1.5,2.5,200,0\n",
        ("--format", "stooq"),
        [
            a_bar("AAPL", minute(14, 30), 1.5, 2.5, 0.5, 2.25, 100, PER=5, OPENINT=0),
            a_bar("AAPL", minute(14, 35), 2.25, 3.5, 1.5, 2.5, 200, PER=5, OPENINT=0),
        ],
        "5m",
    ),
    "kibot, days": Shape(
        "AAPL.txt",
        "01/02/2024,187.15,188.44,183.89,185.64,82488700\n"
        "01/03/2024,184.22,185.88,183.43,184.25,58414500\n",
        ("--format", "kibot"),
        AAPL,
    ),
    "kibot, minutes": Shape(
        "AAPL.txt",
        "01/02/2024,09:30,1.5,2.5,0.5,2.25,100\n01/02/2024,09:31,2.25,3.5,1.5,2.5,200\n",
        ("--format", "kibot"),
        TWO,
        "1m",
    ),
    "firstrate, minutes": Shape(
        "AAPL_1min_adjsplit.txt",
        "2024-01-02 09:30:00,1.5,2.5,0.5,2.25,100\n2024-01-02 09:31:00,2.25,3.5,1.5,2.5,200\n",
        ("--format", "firstrate"),
        TWO,
        "1m",
    ),
    "firstrate, an index without volumes": Shape(
        "AAPL_full_1min.txt",
        "2024-01-02 09:30:00,1.5,2.5,0.5,2.25\n2024-01-02 09:31:00,2.25,3.5,1.5,2.5\n",
        ("--format", "firstrate"),
        without_volume(TWO),
        "1m",
    ),
    "histdata, generic ASCII": Shape(
        "DAT_ASCII_EURUSD_M1_202401.csv",
        "20240102 093000;1.5;2.5;0.5;2.25;0\n20240102 093100;2.25;3.5;1.5;2.5;0\n",
        ("--format", "histdata"),
        named(without_volume(TWO, 0), "EURUSD"),
        "1m",
    ),
    "histdata, for MetaTrader": Shape(
        "DAT_MT_EURUSD_M1_202401.csv",
        "2024.01.02,09:30,1.5,2.5,0.5,2.25,0\n2024.01.02,09:31,2.25,3.5,1.5,2.5,0\n",
        ("--format", "histdata"),
        named(without_volume(TWO, 0), "EURUSD"),
        "1m",
    ),
    "mt5, minutes whose volumes are all zero": Shape(
        "EURUSD_M1_202401021430_202401021431.csv",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.02\t14:30:00\t1.5\t2.5\t0.5\t2.25\t100\t0\t3\n"
        "2024.01.02\t14:31:00\t2.25\t3.5\t1.5\t2.5\t200\t0\t4\n",
        ("--format", "mt5"),
        with_extra(named(TWO, "EURUSD"), {"VOL": 0, "SPREAD": 3}, {"VOL": 0, "SPREAD": 4}),
        "1m",
    ),
    "mt5, days": Shape(
        "AAPL_Daily_202401020000_202401030000.csv",
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.02\t187.15\t188.44\t183.89\t185.64\t5\t82488700\t1\n"
        "2024.01.03\t184.22\t185.88\t183.43\t184.25\t6\t58414500\t1\n",
        ("--format", "mt5"),
        with_extra(AAPL, {"TICKVOL": 5, "SPREAD": 1}, {"TICKVOL": 6, "SPREAD": 1}),
    ),
    "mt5, rates of its Python package": Shape(
        "EURUSD_M1.csv",
        "time,open,high,low,close,tick_volume,spread,real_volume\n"
        "1704205800,1.5,2.5,0.5,2.25,100,3,0\n1704205860,2.25,3.5,1.5,2.5,200,4,0\n",
        ("--format", "mt5"),
        with_extra(
            named(TWO, "EURUSD"), {"spread": 3, "real_volume": 0}, {"spread": 4, "real_volume": 0}
        ),
        "1m",
    ),
    "mt4, without a header": Shape(
        "AAPL1.csv",
        "2024.01.02,14:30,1.5,2.5,0.5,2.25,100\n2024.01.02,14:31,2.25,3.5,1.5,2.5,200\n",
        ("--format", "mt4"),
        TWO,
        "1m",
    ),
    "ib, with the zone of the exchange": Shape(
        "AAPL_1min.csv",
        "date,open,high,low,close,volume,average,barCount\n"
        "20240102 09:30:00 US/Eastern,1.5,2.5,0.5,2.25,100,1.75,10\n"
        "20240102 09:31:00 US/Eastern,2.25,3.5,1.5,2.5,200,2.5,20\n",
        ("--format", "ib"),
        with_extra(TWO, {"average": 1.75, "barCount": 10}, {"average": 2.5, "barCount": 20}),
        "1m",
    ),
    "ib, two blanks and volumes of -1": Shape(
        "EURUSD.csv",
        "20240102  09:30:00,1.5,2.5,0.5,2.25,-1,-1,-1\n"
        "20240102  09:31:00,2.25,3.5,1.5,2.5,-1,-1,-1\n",
        ("--format", "ib"),
        with_extra(named(without_volume(TWO), "EURUSD"), *[{"average": -1, "barCount": -1}] * 2),
        "1m",
    ),
    "polygon, a flat file of minutes": Shape(
        "2024-01-02.csv.gz",
        gzip.compress(
            b"ticker,volume,open,close,high,low,window_start,transactions\n"
            b"AAPL,100,1.5,2.25,2.5,0.5,1704205800000000000,7\n"
            b"AAPL,200,2.25,2.5,3.5,1.5,1704205860000000000,8\n"
        ),
        ("--timeframe", "1m"),
        with_extra(TWO, {"transactions": 7}, {"transactions": 8}),
        "1m",
    ),
    "polygon, a flat file of indices without volumes": Shape(
        "2024-01-02.csv",
        "ticker,open,close,high,low,window_start\n"
        "I:SPX,1.5,2.25,2.5,0.5,1704205800000000000\n"
        "I:SPX,2.25,2.5,3.5,1.5,1704205860000000000\n",
        ("--format", "polygon"),
        named(without_volume(TWO), "I:SPX"),
        "1m",
    ),
    "polygon, days of the API": Shape(
        "answer.json",
        '{"ticker":"AAPL","queryCount":2,"adjusted":true,"results":['
        '{"v":82488700,"o":187.15,"c":185.64,"h":188.44,"l":183.89,"t":1704171600000},'
        '{"v":58414500,"o":184.22,"c":184.25,"h":185.88,"l":183.43,"t":1704258000000}],'
        '"status":"OK"}',
        ("--format", "polygon"),
        AAPL,
    ),
    "alpaca, one symbol": Shape(
        "answer.json",
        '{"bars":[{"t":"2024-01-02T14:30:00Z","o":1.5,"h":2.5,"l":0.5,"c":2.25,"v":100,"n":3},'
        '{"t":"2024-01-02T14:31:00Z","o":2.25,"h":3.5,"l":1.5,"c":2.5,"v":200,"n":4}],'
        '"symbol":"AAPL","next_page_token":null}',
        ("--timeframe", "1m"),
        with_extra(TWO, {"n": 3}, {"n": 4}),
        "1m",
    ),
    "alpaca, days of several symbols": Shape(
        "answer.json",
        '{"bars":{"AAPL":['
        '{"t":"2024-01-02T05:00:00Z","o":187.15,"h":188.44,"l":183.89,"c":185.64,"v":82488700},'
        '{"t":"2024-01-03T05:00:00Z","o":184.22,"h":185.88,"l":183.43,"c":184.25,"v":58414500}],'
        '"MSFT":[{"t":"2024-01-02T05:00:00Z","o":1,"h":2,"l":0.5,"c":1.5,"v":7}]}}',
        ("--format", "alpaca"),
        [*AAPL, a_bar("MSFT", JAN_2, 1, 2, 0.5, 1.5, 7)],
    ),
    "databento, pretty prices and times": Shape(
        "xnas-itch-20240102.ohlcv-1m.csv",
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "2024-01-02T14:30:00.000000000Z,33,2,38,1.500000000,2.5,0.5,2.25,100,AAPL\n"
        "2024-01-02T14:31:00.000000000Z,33,2,38,2.250000000,3.5,1.5,2.5,200,AAPL\n",
        ("--timeframe", "1m"),
        with_extra(TWO, *[{"rtype": 33, "publisher_id": 2, "instrument_id": 38}] * 2),
        "1m",
    ),
    "databento, billionths and nanoseconds": Shape(
        "xnas-itch-20240102.ohlcv-1m.csv",
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "1704205800000000000,33,2,38,1500000000,2500000000,500000000,2250000000,100,AAPL\n"
        "1704205860000000000,33,2,38,2250000000,3500000000,1500000000,2500000000,200,AAPL\n",
        ("--format", "databento"),
        with_extra(TWO, *[{"rtype": 33, "publisher_id": 2, "instrument_id": 38}] * 2),
        "1m",
    ),
    "databento, JSON lines with a header in each record": Shape(
        "glbx-mdp3-20240102.ohlcv-1m.json",
        '{"hd":{"ts_event":"2024-01-02T14:30:00.000000000Z","rtype":33,"publisher_id":1,'
        '"instrument_id":38},"open":"1.500000000","high":"2.500000000","low":"0.500000000",'
        '"close":"2.250000000","volume":"100","symbol":"ESH4"}\n'
        '{"hd":{"ts_event":"2024-01-02T14:31:00.000000000Z","rtype":33,"publisher_id":1,'
        '"instrument_id":38},"open":"2.250000000","high":"3.500000000","low":"1.500000000",'
        '"close":"2.500000000","volume":"200","symbol":"ESH4"}\n',
        ("--format", "databento"),
        with_extra(
            named(TWO, "ESH4"), *[{"rtype": 33, "publisher_id": 1, "instrument_id": 38}] * 2
        ),
        "1m",
    ),
    "databento, JSON lines of billionths and nanoseconds": Shape(
        "xnas-itch-20240102.ohlcv-1m.json",
        '{"hd":{"ts_event":"1704205800000000000","rtype":33,"publisher_id":2,"instrument_id":38},'
        '"open":"1500000000","high":"2500000000","low":"500000000","close":"2250000000",'
        '"volume":"100","symbol":"AAPL"}\n'
        '{"hd":{"ts_event":"1704205860000000000","rtype":33,"publisher_id":2,"instrument_id":38},'
        '"open":"2250000000","high":"3500000000","low":"1500000000","close":"2500000000",'
        '"volume":"200","symbol":"AAPL"}\n',
        ("--format", "databento"),
        with_extra(TWO, *[{"rtype": 33, "publisher_id": 2, "instrument_id": 38}] * 2),
        "1m",
    ),
    "cryptodatadownload, hours in Unix,Date,Symbol": Shape(
        "Bitstamp_BTCUSD_1h.csv",
        "https://www.CryptoDataDownload.com\n"
        "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD\n"
        "1704204000,2024-01-02 14:00:00,BTC/USD,1.5,2.5,0.5,2.25,10.5,25\n"
        "1704207600,2024-01-02 15:00:00,BTC/USD,2.25,3.5,1.5,2.5,20.5,50\n",
        ("--format", "cryptodatadownload"),
        [
            a_bar(
                *("BTC/USD", minute(14, 0), 1.5, 2.5, 0.5, 2.25, 10.5),
                **{"Unix": 1704204000, "Volume USD": 25},
            ),
            a_bar(
                *("BTC/USD", minute(15, 0), 2.25, 3.5, 1.5, 2.5, 20.5),
                **{"Unix": 1704207600, "Volume USD": 50},
            ),
        ],
        "1h",
    ),
    "cryptodatadownload, a first line with a URL": Shape(
        "Binance_BTCUSDT_d.csv",
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n"
        "1704240000000,2024-01-03 00:00:00,BTCUSDT,2.25,3.5,1.5,2.5,20.5,50,8\n"
        "1704153600000,2024-01-02 00:00:00,BTCUSDT,1.5,2.5,0.5,2.25,10.5,25,7\n",
        (),
        [
            a_bar(
                "BTCUSDT",
                JAN_2,
                1.5,
                2.5,
                0.5,
                2.25,
                10.5,
                **{"unix": 1704153600000, "Volume USDT": 25, "tradecount": 7},
            ),
            a_bar(
                "BTCUSDT",
                JAN_3,
                2.25,
                3.5,
                1.5,
                2.5,
                20.5,
                **{"unix": 1704240000000, "Volume USDT": 50, "tradecount": 8},
            ),
        ],
    ),
    "tradingview, seconds since 1970": Shape(
        "BATS_AAPL, 1_a1b2c.csv",
        "time,open,high,low,close,Volume\n1704205800,1.5,2.5,0.5,2.25,100\n"
        "1704205860,2.25,3.5,1.5,2.5,200\n",
        ("--format", "tradingview"),
        TWO,
        "1m",
    ),
    "tradingview, ISO times and an indicator": Shape(
        "BATS_AAPL, 1D.csv",
        "time,open,high,low,close,Volume,MA\n"
        "2024-01-02T09:30:00-05:00,187.15,188.44,183.89,185.64,82488700,NaN\n"
        "2024-01-03T09:30:00-05:00,184.22,185.88,183.43,184.25,58414500,185\n",
        ("--format", "tradingview"),
        with_extra(AAPL, None, {"MA": 185}),
    ),
    "tradingview, an exchange whose name has an underscore": Shape(
        "CME_MINI_MNQ1!, 1.csv",
        "time,open,high,low,close,Volume\n1704205800,1.5,2.5,0.5,2.25,100\n"
        "1704205860,2.25,3.5,1.5,2.5,200\n",
        ("--format", "tradingview"),
        named(TWO, "MNQ1!"),
        "1m",
    ),
    "freqtrade, a future": Shape(
        "BTC_USDT_USDT-1m-futures.json",
        "[[1704205800000,1.5,2.5,0.5,2.25,100.0],[1704205860000,2.25,3.5,1.5,2.5,200.0]]",
        ("--format", "freqtrade"),
        named(TWO, "BTC/USDT:USDT"),
        "1m",
    ),
    "freqtrade, JSON": Shape(
        "BTC_USDT-1m.json",
        "[[1704205800000,1.5,2.5,0.5,2.25,100.0],[1704205860000,2.25,3.5,1.5,2.5,200.0]]",
        ("--format", "freqtrade"),
        named(TWO, "BTC/USDT"),
        "1m",
    ),
    "freqtrade, Feather": Shape(
        "BTC_USDT-1m.feather",
        feather(
            date=pa.array([1704205800000, 1704205860000], pa.timestamp("ms", "UTC")),
            open=[1.5, 2.25],
            high=[2.5, 3.5],
            low=[0.5, 1.5],
            close=[2.25, 2.5],
            volume=[100.0, 200.0],
        ),
        ("--format", "freqtrade"),
        named(TWO, "BTC/USDT"),
        "1m",
    ),
    "binance, milliseconds without a header": Shape(
        "BTCUSDT-1m-2024-01.csv",
        "1704205800000,1.5,2.5,0.5,2.25,100,1704205859999,150,7,50,75,0\n"
        "1704205860000,2.25,3.5,1.5,2.5,200,1704205919999,450,8,90,95,0\n",
        ("--format", "binance"),
        [
            PriceBar(
                "BTCUSDT",
                bar.date,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                {
                    "close_time": close,
                    "quote_volume": quote,
                    "count": count,
                    "taker_buy_volume": base,
                    "taker_buy_quote_volume": paid,
                    "ignore": 0,
                },
            )
            for bar, close, quote, count, base, paid in (
                (TWO[0], 1704205859999, 150, 7, 50, 75),
                (TWO[1], 1704205919999, 450, 8, 90, 95),
            )
        ],
        "1m",
    ),
    "binance, microseconds in an archive": Shape(
        "BTCUSDT-1d-2025-01.zip",
        zipped(
            "BTCUSDT-1d-2025-01.csv",
            "1735689600000000,1.5,2.5,0.5,2.25,100,1735775999999999,150,7,50,75,0\n",
        ),
        ("--format", "binance"),
        [
            a_bar(
                "BTCUSDT",
                datetime(2025, 1, 1),
                1.5,
                2.5,
                0.5,
                2.25,
                100,
                close_time=1735775999999999,
                quote_volume=150,
                count=7,
                taker_buy_volume=50,
                taker_buy_quote_volume=75,
                ignore=0,
            )
        ],
    ),
    "binance, futures with a header": Shape(
        "BTCUSDT-1d-2024-01-02.csv",
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore\n"
        "1704153600000,1.5,2.5,0.5,2.25,100,1704239999999,150,7,50,75,0\n",
        ("--symbol", "BTCUSDT"),
        [
            a_bar(
                "BTCUSDT",
                JAN_2,
                1.5,
                2.5,
                0.5,
                2.25,
                100,
                close_time=1704239999999,
                quote_volume=150,
                count=7,
                taker_buy_volume=50,
                taker_buy_quote_volume=75,
                ignore=0,
            )
        ],
    ),
    "dukascopy, Gmt time": Shape(
        "EURUSD_Candlestick_1_M_BID_02.01.2024-03.01.2024.csv",
        "Gmt time,Open,High,Low,Close,Volume\n"
        "02.01.2024 14:30:00.000,1.5,2.5,0.5,2.25,100\n"
        "02.01.2024 14:31:00.000,2.25,3.5,1.5,2.5,200\n",
        ("--format", "dukascopy"),
        named(TWO, "EURUSD"),
        "1m",
    ),
    "dukascopy, a local time with its offset": Shape(
        "EURUSD_Candlestick_1_M_BID_02.01.2024-03.01.2024.csv",
        "Local time,Open,High,Low,Close,Volume\n"
        "02.01.2024 23:30:00.000 GMT+0900,1.5,2.5,0.5,2.25,100\n"
        "02.01.2024 09:31:00.000 GMT-0500,2.25,3.5,1.5,2.5,200\n",
        ("--format", "dukascopy"),
        named(TWO, "EURUSD"),
        "1m",
    ),
    "jforex, Eastern European time": Shape(
        "EURUSD_1 Min_Bid_2024.01.01_2024.01.31.csv",
        "Time (EET),Open,High,Low,Close,Volume \n"
        "2024.01.02 16:30:00,1.5,2.5,0.5,2.25,100\n2024.01.02 16:31:00,2.25,3.5,1.5,2.5,200\n",
        ("--format", "jforex"),
        named(TWO, "EURUSD"),
        "1m",
    ),
    "investing.com": Shape(
        "AAPL Historical Data.csv",
        '﻿"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"01/03/2024","184.25","184.22","185.88","183.43","58.41M","-0.75%"\n'
        '"01/02/2024","1,185.64","187.15","1,188.44","183.89","",""\n',
        ("--format", "investing"),
        [
            a_bar("AAPL", JAN_2, 187.15, 1188.44, 183.89, 1185.64, None),
            a_bar(
                "AAPL", JAN_3, 184.22, 185.88, 183.43, 184.25, 58410000, **{"Change %": "-0.75%"}
            ),
        ],
    ),
    "investing.com, as before 2022": Shape(
        "AAPL Stock Price History.csv",
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Jan 03, 2024","184.25","184.22","185.88","183.43","58.41M","-0.75%"\n'
        '"Jan 02, 2024","1,185.64","187.15","1,188.44","183.89","-","0.00%"\n',
        ("--format", "investing"),
        [
            a_bar(
                *("AAPL", JAN_2, 187.15, 1188.44, 183.89, 1185.64, None), **{"Change %": "0.00%"}
            ),
            a_bar(
                *("AAPL", JAN_3, 184.22, 185.88, 183.43, 184.25, 58410000),
                **{"Change %": "-0.75%"},
            ),
        ],
    ),
    "nasdaq.com, a currency without volumes": Shape(
        "USDBRL.csv",
        "Date,Close/Last,Volume,Open,High,Low\n"
        "1/3/2024,184.25,N/A,184.22,185.88,183.43\n1/2/2024,185.64,N/A,187.15,188.44,183.89\n",
        ("--format", "nasdaq"),
        named(without_volume(AAPL), "USDBRL"),
    ),
    "nasdaq.com": Shape(
        "HistoricalData_AAPL.csv",
        "Date,Close/Last,Volume,Open,High,Low\n"
        "01/03/2024,$184.25,58414500,$184.22,$185.88,$183.43\n"
        "01/02/2024,$185.64,82488700,$187.15,$188.44,$183.89\n",
        ("--format", "nasdaq"),
        AAPL,
    ),
    "barchart, minutes of a future in Central time, with a footer": Shape(
        "esh24_intraday-1min_historical-data-download-01-03-2024.csv",
        "Time,Open,High,Low,Latest,Change,%Change,Volume\n"
        '"2024-01-02 08:31",2.25,3.5,1.5,2.5,0.25,+1%,200\n'
        '"2024-01-02 08:30",1.5,2.5,0.5,2.25,0.75,+2%,100\n'
        '"Downloaded from Barchart.com as of 01-03-2024 04:17pm CST"\n',
        ("--format", "barchart"),
        with_extra(
            named(TWO, "esh24"),
            {"Change": 0.75, "%Change": "+2%"},
            {"Change": 0.25, "%Change": "+1%"},
        ),
        "1m",
    ),
    "barchart, days with thousands separators and American dates": Shape(
        "aapl_price-history-01-04-2024.csv",
        "Time,Open,High,Low,Last,Change,%Chg,Volume\n"
        '01/03/2024,184.22,185.88,183.43,184.25,0.5,+1%,"58,414,500"\n'
        '01/02/2024,187.15,188.44,183.89,185.64,0.5,+1%,"82,488,700"\n'
        '"Downloaded from Barchart.com as of 01-04-2024 04:17pm CST"\n',
        ("--format", "barchart"),
        with_extra(named(AAPL, "aapl"), *[{"Change": 0.5, "%Chg": "+1%"}] * 2),
    ),
    "alphavantage, CSV": Shape(
        "daily_AAPL.csv",
        "timestamp,open,high,low,close,volume\n"
        "2024-01-03,184.2200,185.8800,183.4300,184.2500,58414500\n"
        "2024-01-02,187.1500,188.4400,183.8900,185.6400,82488700\n",
        ("--symbol", "AAPL"),
        AAPL,
    ),
    "alphavantage, JSON": Shape(
        "query.json",
        '{"Meta Data":{"1. Information":"Daily Prices","2. Symbol":"AAPL"},'
        '"Time Series (Daily)":{"2024-01-03":{"1. open":"184.22","2. high":"185.88",'
        '"3. low":"183.43","4. close":"184.25","5. volume":"58414500"},'
        '"2024-01-02":{"1. open":"187.15","2. high":"188.44","3. low":"183.89",'
        '"4. close":"185.64","5. volume":"82488700"}}}',
        (),
        AAPL,
    ),
    "tiingo, CSV": Shape(
        "prices.csv",
        "date,close,high,low,open,volume,adjClose,divCash,splitFactor\n"
        "2024-01-02,185.64,188.44,183.89,187.15,82488700,184.9,0.0,1.0\n"
        "2024-01-03,184.25,185.88,183.43,184.22,58414500,183.5,0.0,1.0\n",
        ("--symbol", "AAPL"),
        with_extra(
            AAPL,
            {"adjClose": 184.9, "divCash": 0.0, "splitFactor": 1.0},
            {"adjClose": 183.5, "divCash": 0.0, "splitFactor": 1.0},
        ),
    ),
    "tiingo, JSON": Shape(
        "prices.json",
        '[{"date":"2024-01-02T00:00:00.000Z","close":185.64,"high":188.44,"low":183.89,'
        '"open":187.15,"volume":82488700},{"date":"2024-01-03T00:00:00.000Z","close":184.25,'
        '"high":185.88,"low":183.43,"open":184.22,"volume":58414500}]',
        ("--symbol", "AAPL"),
        AAPL,
    ),
    "twelve data, semicolons": Shape(
        "time_series.csv",
        "datetime;open;high;low;close;volume\n2024-01-03;184.22;185.88;183.43;184.25;58414500\n"
        "2024-01-02;187.15;188.44;183.89;185.64;82488700\n",
        ("--symbol", "AAPL"),
        AAPL,
    ),
    "twelve data, JSON": Shape(
        "time_series.json",
        '{"meta":{"symbol":"AAPL","interval":"1day"},"values":[{"datetime":"2024-01-02",'
        '"open":"187.15","high":"188.44","low":"183.89","close":"185.64","volume":"82488700"},'
        '{"datetime":"2024-01-03","open":"184.22","high":"185.88","low":"183.43",'
        '"close":"184.25","volume":"58414500"}],"status":"ok"}',
        (),
        AAPL,
    ),
    "finnhub, JSON by columns": Shape(
        "candle.json",
        '{"c":[185.64,184.25],"h":[188.44,185.88],"l":[183.89,183.43],"o":[187.15,184.22],'
        '"s":"ok","t":[1704153600,1704240000],"v":[82488700,58414500]}',
        ("--symbol", "AAPL"),
        AAPL,
    ),
    "coinbase, seconds since 1970": Shape(
        "candles.csv",
        "time,low,high,open,close,volume\n1704153600,0.5,2.5,1.5,2.25,10.5\n",
        ("--symbol", "BTC-USD"),
        [a_bar("BTC-USD", JAN_2, 1.5, 2.5, 0.5, 2.25, 10.5)],
    ),
    "kraken, an archive of days": Shape(
        "XBTUSD_1440.csv",
        "1704153600,1.5,2.5,0.5,2.25,10.5,7\n1704240000,2.25,3.5,1.5,2.5,20.5,8\n",
        ("--format", "kraken"),
        [
            a_bar("XBTUSD", JAN_2, 1.5, 2.5, 0.5, 2.25, 10.5, trades=7),
            a_bar("XBTUSD", JAN_3, 2.25, 3.5, 1.5, 2.5, 20.5, trades=8),
        ],
    ),
    "bitstamp, JSON": Shape(
        "ohlc.json",
        '{"data":{"ohlc":[{"close":"2.25","high":"2.5","low":"0.5","open":"1.5",'
        '"timestamp":"1704153600","volume":"10.5"}],"pair":"BTC/USD"}}',
        (),
        [a_bar("BTC/USD", JAN_2, 1.5, 2.5, 0.5, 2.25, 10.5)],
    ),
    "gemini, a URL and two dates": Shape(
        "gemini_BTCUSD_day.csv",
        "https://www.CryptoDataDownload.com\n"
        "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume\n"
        "1704153600,2024-01-02 00:00:00,BTCUSD,1.5,2.5,0.5,2.25,10.5\n",
        (),
        [a_bar("BTCUSD", JAN_2, 1.5, 2.5, 0.5, 2.25, 10.5, **{"Unix Timestamp": 1704153600})],
    ),
    "ninjatrader, minutes": Shape(
        "AAPL.Last.txt",
        "20240102 143000;1.5;2.5;0.5;2.25;100\n20240102 143100;2.25;3.5;1.5;2.5;200\n",
        ("--format", "ninjatrader"),
        TWO,
        "1m",
    ),
    "ninjatrader, days of a future": Shape(
        "MES 03-24.Last.txt",
        "20240102;187.15;188.44;183.89;185.64;82488700\n"
        "20240103;184.22;185.88;183.43;184.25;58414500\n",
        ("--format", "ninjatrader"),
        named(AAPL, "MES 03-24"),
    ),
    "sierra chart, days with open interest": Shape(
        "NQM26-CME.DAILY_BarData.txt",
        "Date, Time, Open, High, Low, Last, Volume, OpenInterest\n"
        "2024/1/2, 00:00:00, 187.15, 188.44, 183.89, 185.64, 82488700, 7\n"
        "2024/1/3, 00:00:00, 184.22, 185.88, 183.43, 184.25, 58414500, 8\n",
        ("--format", "sierrachart"),
        with_extra(named(AAPL, "NQM26"), {"OpenInterest": 7}, {"OpenInterest": 8}),
    ),
    "sierra chart, a summary of bars with fractions of seconds": Shape(
        "NQZ25-CME_1m.scid_BarData.txt",
        "Date, Time, Open, High, Low, Last, Volume, # of Trades\n"
        "2024-1-2, 14:30:00.000000, 1.5, 2.5, 0.5, 2.25, 100, 7\n"
        "2024-1-2, 14:31:00.000000, 2.25, 3.5, 1.5, 2.5, 200, 8\n",
        ("--format", "sierrachart"),
        with_extra(named(TWO, "NQZ25"), {"# of Trades": 7}, {"# of Trades": 8}),
        "1m",
    ),
    "sierra chart, hours of one digit": Shape(
        "AAPL-BarData.txt",
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades\n"
        "2024/1/2, 9:30:00, 1.5, 2.5, 0.5, 2.25, 100, 7\n"
        "2024/1/2, 9:31:00, 2.25, 3.5, 1.5, 2.5, 200, 8\n",
        ("--format", "sierrachart"),
        [
            a_bar("AAPL", minute(9, 30), 1.5, 2.5, 0.5, 2.25, 100, NumberOfTrades=7),
            a_bar("AAPL", minute(9, 31), 2.25, 3.5, 1.5, 2.5, 200, NumberOfTrades=8),
        ],
        "1m",
    ),
    "tradestation, up and down volumes": Shape(
        "AAPL.txt",
        '"Date","Time","Open","High","Low","Close","Up","Down"\n'
        "01/02/2024,09:30,1.5,2.5,0.5,2.25,93,7\n01/02/2024,09:31,2.25,3.5,1.5,2.5,192,8\n",
        ("--format", "tradestation"),
        with_extra(TWO, {"Down": 7}, {"Down": 8}),
        "1m",
    ),
    "tradestation, days with open interest": Shape(
        "AAPL.txt",
        '"Date","Time","Open","High","Low","Close","Vol","OI"\n'
        "01/02/2024,00:00,187.15,188.44,183.89,185.64,82488700,0\n"
        "01/03/2024,00:00,184.22,185.88,183.43,184.25,58414500,0\n",
        ("--format", "tradestation"),
        with_extra(AAPL, *[{"OI": 0}] * 2),
    ),
    "nse, a bhavcopy": Shape(
        "cm02JAN2024bhav.csv",
        "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TIMESTAMP,\n"
        "INFY,EQ,1.5,2.5,0.5,2.25,2.2,1.4,100,02-JAN-2024,\n",
        ("--column", "volume=TOTTRDQTY"),
        [a_bar("INFY", JAN_2, 1.5, 2.5, 0.5, 2.25, 100, SERIES="EQ", LAST=2.2, PREVCLOSE=1.4)],
    ),
    "eoddata, the name of the month": Shape(
        "NASDAQ_20240102.csv",
        "Symbol,Date,Open,High,Low,Close,Volume\n"
        "AAPL,02-Jan-2024,187.15,188.44,183.89,185.64,82488700\n"
        "AAPL,03-Jan-2024,184.22,185.88,183.43,184.25,58414500\n",
        (),
        AAPL,
    ),
    "finam, semicolons and brackets": Shape(
        "SBER_240102.txt",
        "<TICKER>;<PER>;<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>\n"
        "SBER;D;20240102;000000;1.5;2.5;0.5;2.25;100\n",
        (),
        [a_bar("SBER", JAN_2, 1.5, 2.5, 0.5, 2.25, 100, PER="D")],
    ),
    "ariva.de, decimal commas": Shape(
        "wkn_865985_historic.csv",
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen\n"
        "2024-01-03;184,22;185,88;183,43;1.184,25;1.000;184.220\n"
        "2024-01-02;187,15;188,44;183,89;185,64;2.000;374.300\n\n",
        ("--format", "ariva"),
        [
            a_bar("865985", JAN_2, 187.15, 188.44, 183.89, 185.64, 2000, Volumen=374300),
            a_bar("865985", JAN_3, 184.22, 185.88, 183.43, 1184.25, 1000, Volumen=184220),
        ],
    ),
    "ariva.de, a currency without volumes": Shape(
        "wkn_865985_historic.csv",
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen\n"
        "2024-01-03;184,22;185,88;183,43;184,25;;\n2024-01-02;187,15;188,44;183,89;185,64;;\n",
        ("--format", "ariva"),
        with_extra(named(without_volume(AAPL), "865985"), *[None] * 2),
    ),
    "alpaca, to_csv() of alpaca-py": Shape(
        "bars.csv",
        "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n"
        "AAPL,2024-01-02 14:30:00+00:00,1.5,2.5,0.5,2.25,100.0,3.0,1.75\n"
        "AAPL,2024-01-02 14:31:00+00:00,2.25,3.5,1.5,2.5,200.0,4.0,2.5\n",
        ("--format", "alpaca"),
        with_extra(TWO, {"trade_count": 3.0, "vwap": 1.75}, {"trade_count": 4.0, "vwap": 2.5}),
        "1m",
    ),
    "marketwatch, years of four digits": Shape(
        "Download Data - STOCK_US_XNAS_AAPL.csv",
        "Date,Open,High,Low,Close,Volume\n"
        '01/03/2024,184.22,185.88,183.43,184.25,"58,414,500"\n'
        '01/02/2024,187.15,188.44,183.89,185.64,"82,488,700"\n',
        ("--format", "marketwatch"),
        AAPL,
    ),
    "marketwatch, years of two digits": Shape(
        "STOCK_US_XNAS_AAPL.csv",
        "Date, Open, High, Low, Close, Volume\n"
        '"01/03/24","184.22","185.88","183.43","184.25","58,414,500"\n'
        '"01/02/24","187.15","188.44","183.89","185.64","82,488,700"\n',
        ("--format", "marketwatch"),
        AAPL,
    ),
    "google, the name of the month and a year of two digits": Shape(
        "aapl.csv",
        "Date,Open,High,Low,Close,Volume\n3-Jan-24,184.22,185.88,183.43,184.25,58414500\n"
        "2-Jan-24,187.15,188.44,183.89,185.64,82488700\n",
        ("--symbol", "AAPL"),
        AAPL,
    ),
    "a German spreadsheet in UTF-16": Shape(
        "kurse.csv",
        (
            "Symbol;Date;Open;High;Low;Close;Volume\n"
            "AAPL;02.01.2024;187,15;188,44;183,89;185,64;82488700\n"
            "AAPL;03.01.2024;184,22;185,88;183,43;184,25;58414500\n;;;;;;\n"
        ).encode("utf-16"),
        ("--decimal", ","),
        AAPL,
    ),
}

REFUSED: dict[str, tuple[Any, ...]] = {
    "an Excel workbook": (
        "bars.xlsx",
        zipped("[Content_Types].xml", "<Types/>"),
        "bars.xlsx: an Excel file; save it as CSV in Excel",
    ),
    "ticks": (
        "DAT_ASCII_EURUSD_T_202401.csv",
        "20240102 000003660,1.30660,1.30677,0\n",
        "line 1 has no column names: 20240102 000003660,1.30660,1.30677,0; give them, as in "
        "--names",
    ),
    "nasdaq.com, under the name of its download, which has no symbol": (
        "HistoricalData_1726367135218.csv",
        "Date,Close/Last,Volume,Open,High,Low\n01/03/2024,$184.25,1,$184.22,$185.88,$183.43\n",
        "missing columns: symbol (or give --symbol, or --symbol-from-name",
        "--format",
        "nasdaq",
    ),
    "freqtrade's funding rates, which are no bars of the pair": (
        "BTC_USDT_USDT-8h-funding_rate.json",
        "[[1704205800000,1.5,2.5,0.5,2.25,100.0]]",
        "missing columns: symbol",
        "--format",
        "freqtrade",
    ),
    "dukascopy's own format": (
        "00h_ticks.bi5",
        b"\x5d\x00\x00\x40\x00\x00\x00\x00",
        "NUL byte: not text",
    ),
}


@pytest.fixture
def imported(cli, at, tmp_path, opened):
    """Import a file with options, and return the result and the stored bars."""

    def run(shape, *more):
        file = tmp_path / shape.file
        content = shape.content
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        result = cli("import", file, *shape.option, *more, *at)
        if result.exit_code:
            return result, None
        with opened() as store:
            bars: list[Any] = []
            for symbol in sorted({bar.symbol for bar in shape.bars}):
                bars += store.read_bars(symbol, timeframe=shape.timeframe)
            return result, bars

    return run


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_shape_is_imported_by_itself_or_with_one_option(imported, shape):
    assert len(shape.option) <= 2
    result, bars = imported(shape)
    assert result.exit_code == 0, result.output
    assert bars == sorted(shape.bars, key=lambda bar: (bar.symbol, bar.date))


@pytest.mark.parametrize("name", REFUSED)
def test_another_shape_is_refused_in_one_line(cli, at, tmp_path, name):
    file_name, content, words, *options = REFUSED[name]
    file = tmp_path / file_name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    result = cli("import", file, *options, *at)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert words in result.stderr


def test_there_are_at_least_fifty_one_shapes():
    assert len(SHAPES) >= 48
    assert len(SHAPES) + len(REFUSED) >= 51


def notice_of(cli, at, tmp_path, *options):
    file = tmp_path / "AAPL_M1.csv"
    file.write_text("<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n2024.01.02,14:30,1,1,1,1,1\n")
    return cli("import", file, "--format", "mt5", *options, *at).stderr


def test_a_format_says_what_its_times_are_if_its_zone_may_be_wrong(cli, at, tmp_path):
    assert notice_of(cli, at, tmp_path) == (
        "times are read as UTC, but they are those of the broker's server: give --timezone for "
        "others\n"
    )


@pytest.mark.parametrize("options", [("--timezone", "Etc/GMT-2"), ("--timeframe", "1d")])
def test_nothing_is_said_if_the_zone_is_given_or_the_bars_are_of_days(cli, at, tmp_path, options):
    assert notice_of(cli, at, tmp_path, *options) == ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("<DATE>\t<OPEN>\t<HIGH>", "mt5"),
        ("Local time,Open,High,Low,Close,Volume", "dukascopy"),
        ("Time (EET),Open,High,Low,Close,Volume ", "jforex"),
        ('"Date","Time","Open","High","Low","Close","Vol","OI"', "tradestation"),
        ("Date, Time, Open, High, Low, Last, Volume, OpenInterest", "sierrachart"),
        ("20240102 093000;1.5;2.5;0.5;2.25;0", "histdata"),
        ("20240102 143000;1.5;2.5;0.5;2.25;100", "ninjatrader"),
        ("20240102;1.5;2.5;0.5;2.25;100", "ninjatrader"),
        ("Time,Open,High,Low,Latest,Change", "barchart"),
        ("ticker,open,close,high,low,window_start", "polygon"),
        ("Unix,Date,Symbol,Open,High,Low,Close,Volume BTC", "cryptodatadownload"),
    ],
)
def test_a_header_in_one_of_its_forms_shows_the_format(line, name):
    assert fitting(line, all_formats(), is_first=True) == [name]


def test_a_row_below_a_header_suggests_no_format(cli, at, csv_file):
    row = "2024-01-02,187.15,188.44,183.89,185.64,82488700"
    file = csv_file(row, header="Date,Open,High,Low,Close,Volume")
    assert cli("import", file, "--symbol", "AAPL", *at).stderr == ""


def test_several_first_rows_suggest_a_format_of_their_shape(cli, at, tmp_path):
    file = tmp_path / "AAPL.txt"
    file.write_text("2024-01-02,187.15,188.44,183.89,185.64,82488700\n" * 2)
    assert "or give --format firstrate, which fits this file" in cli("import", file, *at).stderr


def test_up_and_down_are_added_with_a_notice_and_one_that_is_empty_is_not_reported(
    cli, at, csv_file, stored
):
    header = "Symbol,Date,Open,High,Low,Close,Up,Down"
    file = csv_file("AAPL,2024-01-02,1,1,1,1,5,2", "AAPL,2024-01-03,1,1,1,1,,2", header=header)
    assert cli("import", file, *at).stderr == "volume: the sum of Up and Down\n"
    assert [(bar.volume, bar.extra) for bar in stored()] == [(7, {"Down": 2}), (None, {"Down": 2})]


def test_up_and_down_are_further_columns_beside_a_volume(cli, at, csv_file, stored):
    header = "Symbol,Date,Open,High,Low,Close,Volume,Up,Down"
    cli("import", csv_file("AAPL,2024-01-02,1,1,1,1,9,5,2", header=header), *at)
    assert [(bar.volume, bar.extra) for bar in stored()] == [(9, {"Up": 5, "Down": 2})]


def test_a_bad_volume_at_falling_prices_is_a_bad_row(cli, at, csv_file):
    header = "Symbol,Date,Open,High,Low,Close,Up,Down"
    result = cli("import", csv_file("AAPL,2024-01-02,1,1,1,1,5,-2", header=header), *at)
    assert "line 2: volume=-2: expected a volume of 0 or more\n" in result.stderr
