"""The formats of vendors, in one table; plugins add theirs by the hook `storecore_import_formats`.

What a vendor writes that the import recognizes by itself is not repeated here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import click

from storecore.plugins.formats import ImportFormat, plugin_formats
from storecore.values.suggestions import did_you_mean
from storecore.values.timeframes import timeframe_of

_NEW_YORK = "America/New_York"
_BARS = "date,open,high,low,close,volume"
_SPLIT_BARS = "date,time,open,high,low,close,volume"
_KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
_ANY_SYMBOL = r"(?P<symbol>.+)"
_UNITS = r"(?P<timeframe>\d+[smhdwM]|1mo)"
_OF_THE_BROKER = "they are those of the broker's server"
_MT = r"(?P<symbol>[^_]+?)_?(?P<timeframe>[MH]\d+|D1|W1|MN1?|Daily|Weekly|Monthly)?(_\d+_\d+)?"

FORMATS = (
    ImportFormat(
        name="binance",
        summary="klines of data.binance.vision or of the API",
        names=(_KLINES,),
        row=r"\d{13}(\d{3})?(,[\d.]+){5},\d{13}(\d{3})?,",
        file_name=rf"(?P<symbol>[A-Z0-9_]+)-{_UNITS}-\d{{4}}.*",
    ),
    ImportFormat(
        name="stooq",
        summary="a bulk archive, or the history of a symbol",
        header="<TICKER>,<PER>,<DATE>,<TIME>",
        file_name=r"(?P<symbol>.+?)(_(?P<timeframe>[dwm]))?",
        timezone="Europe/Warsaw",
        day="written",
    ),
    ImportFormat(
        name="kibot",
        summary="text files without a header, in New York time",
        names=(_SPLIT_BARS, _BARS),
        row=r"\d\d/\d\d/\d{4},(\d\d:\d\d,)?[\d.]+,",
        file_name=_ANY_SYMBOL,
        date_format="mdy",
        timezone=_NEW_YORK,
    ),
    ImportFormat(
        name="firstrate",
        summary="text files without a header, in New York time",
        names=(_BARS, "date,open,high,low,close"),
        row=r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?(,[\d.]+){4,5}$",
        file_name=r"(?P<symbol>[^_]+)(_full)?_(?P<timeframe>\d+min|\d+hour|1day)(_.*)?",
        timezone=_NEW_YORK,
        volume="none",
    ),
    ImportFormat(
        name="histdata",
        summary="minutes of currencies, in New York's winter time all year",
        names=(_BARS, _SPLIT_BARS),
        row=r"\d{8} \d{6};([\d.]+;){4}0$",
        file_name=r"DAT_[A-Z]+_(?P<symbol>[A-Z0-9]+)_(?P<timeframe>M1)_\d+",
        timezone="Etc/GMT+5",
    ),
    ImportFormat(
        name="mt5",
        summary="bars of MetaTrader 5, in the time of the broker's server",
        header="<DATE>,(<TIME>,)?<OPEN>",
        file_name=_MT,
        notice=_OF_THE_BROKER,
        day="written",
    ),
    ImportFormat(
        name="mt4",
        summary="MetaTrader 4, without a header; times as in mt5",
        names=(_SPLIT_BARS,),
        notice=_OF_THE_BROKER,
        row=r"\d{4}\.\d\d\.\d\d,\d\d:\d\d,[\d.]+,",
        file_name=r"(?P<symbol>[A-Za-z.]+?)_?(?P<timeframe>[MH]?\d+|D1|W1|MN1)",
        day="written",
    ),
    ImportFormat(
        name="ib",
        summary="bars of Interactive Brokers; times without a zone are those of the login of TWS",
        names=(f"{_BARS},average,barCount", _BARS),
        header="date,open,high,low,close,volume,average,barCount",
        file_name=r"(?P<symbol>[^_]+)(_.*)?",
        timezone=_NEW_YORK,
        notice="they are those of the zone of the login of TWS",
        volume="none",
    ),
    ImportFormat(
        name="polygon",
        summary="flat files, or aggregates of the API; days are those of New York",
        header="ticker,(volume,)?open,close,high,low,window_start",
        file_name=_ANY_SYMBOL,
        timezone=_NEW_YORK,
        day="written",
        volume="none",
    ),
    ImportFormat(
        name="alpaca",
        summary="bars of the API as JSON or CSV; days are those of New York",
        header="symbol,timestamp,open,high,low,close,volume,trade_count,vwap",
        file_name=_ANY_SYMBOL,
        timezone=_NEW_YORK,
        day="written",
    ),
    ImportFormat(
        name="databento",
        summary="OHLCV as CSV or JSON; whole prices are billionths",
        header="ts_event,rtype,publisher_id,instrument_id,open",
        file_name=r".*ohlcv-(?P<timeframe>1[smhd]).*",
        columns={"date": "ts_event"},
        fixed_point=9,
    ),
    ImportFormat(
        name="cryptodatadownload",
        summary="a URL, a header, and days in UTC",
        header="[Uu]nix,[Dd]ate,[Ss]ymbol,[Oo]pen,[Hh]igh,[Ll]ow,[Cc]lose",
        file_name=r"[^_]+_(?P<symbol>[A-Z0-9]+)_(?P<timeframe>\d*(minute|hour|[mhd])).*",
        columns={"date": "date"},
    ),
    ImportFormat(
        name="tradingview",
        summary="an exported chart, whose name has the symbol and the resolution",
        header="time,open,high,low,close,Volume",
        file_name=(
            r"(?:[A-Z0-9]+(?:_MINI|_EOD|_DLY?)*[_:])?(?P<symbol>[^,]+), "
            r"(?P<timeframe>\d+[SDWM]?)(_.*| \(.*)?"
        ),
        day="written",
        volume="none",
    ),
    ImportFormat(
        name="yfinance",
        summary="to_csv() of a download, one ticker or many",
        header="Date,Open,High,Low,Close,Volume,Dividends,Stock Splits",
        file_name=_ANY_SYMBOL,
        day="written",
    ),
    ImportFormat(
        name="freqtrade",
        summary="JSON or Feather of its data folder",
        names=(_BARS,),
        file_name=(
            rf"(?P<base>[A-Za-z0-9]+)_(?P<quote>[A-Z0-9]+)(_(?P<settled>[A-Z0-9]+))?-{_UNITS}"
            r"(-futures)?"
        ),
    ),
    ImportFormat(
        name="dukascopy",
        summary="candles of the historical data export, in GMT or a local time with its offset",
        header="(Gmt|Local) time,Open,High,Low,Close",
        file_name=r"(?P<symbol>[^_]+)_Candlestick_.*",
        date_format="dmy",
    ),
    ImportFormat(
        name="jforex",
        summary="bars of Dukascopy's JForex, in Eastern European time",
        header=r"Time \(EET\),Open,High,Low,Close",
        file_name=r"(?P<symbol>[^_]+)_.*",
        columns={"date": "Time (EET)"},
        timezone="Europe/Athens",
        day="written",
        volume="none",
    ),
    ImportFormat(
        name="investing",
        summary="Price, Vol. and Change %, dates as in the United States",
        header="Date,Price,Open,High,Low,Vol.,Change %",
        file_name=r"(?P<symbol>.+?)(( ETF)?( Stock Price History| Historical Data).*)?",
        date_format="mdy",
        timeframe="1d",
        volume="none",
        decimal=".",
    ),
    ImportFormat(
        name="nasdaq",
        summary="historical quotes of nasdaq.com",
        header="Date,Close/Last,Volume,Open,High,Low",
        file_name=r"(HistoricalData_)?(?P<symbol>[A-Z][A-Z.]*)( ?\(\d+\))?",
        date_format="mdy",
        timeframe="1d",
        volume="none",
        decimal=".",
    ),
    ImportFormat(
        name="barchart",
        summary="historical downloads, in Central time, with a last line that is not data",
        header="Time,Open,High,Low,(Last|Latest)",
        file_name=r"(?P<symbol>[^_]+)_(intraday-(?P<timeframe>\d+min)_)?.*",
        date_format="mdy",
        timezone="America/Chicago",
        notice="those of shares are of America/New_York",
        volume="none",
        decimal=".",
        footer="Downloaded from Barchart",
    ),
    ImportFormat(
        name="kraken",
        summary="OHLCVT archives without a header",
        names=(f"{_BARS},trades",),
        row=r"\d{10},[\d.]+,[\d.]+,[\d.]+,[\d.]+,[\d.]+,\d+$",
        file_name=r"(?P<symbol>[A-Z0-9]+)_(?P<timeframe>\d+)",
    ),
    ImportFormat(
        name="ninjatrader",
        summary="minutes or days without a header; times are in UTC, at the end of a bar",
        names=(_BARS,),
        row=r"\d{8}( \d{6})?;([\d.]+;){4}[1-9]\d*$",
        file_name=r"(?P<symbol>[^.]+)(\..*)?",
        delimiter=";",
    ),
    ImportFormat(
        name="sierrachart",
        summary="bars of a chart as text, in the time zone of the chart",
        header="Date,Time,Open,High,Low,Last,Volume,(NumberOfTrades|# of Trades|OpenInterest)",
        notice="they are those of the zone of the chart",
        file_name=r"(?P<symbol>[^-_]+).*",
        day="written",
    ),
    ImportFormat(
        name="tradestation",
        summary="an exported chart; times are those of the exchange, at the end of a bar",
        header="Date,Time,Open,High,Low,Close,(Up,Down|Vol,OI)",
        file_name=_ANY_SYMBOL,
        date_format="mdy",
        timezone=_NEW_YORK,
        notice="they are those of the exchange",
        day="written",
    ),
    ImportFormat(
        name="ariva",
        summary="histories of ariva.de and German banks, with decimal commas",
        header="Datum,Erster,Hoch,Tief,Schlusskurs",
        file_name=r"(?:wkn_)?(?P<symbol>[^_]+)(_historic)?",
        columns={"volume": "Stuecke"},
        decimal=",",
    ),
    ImportFormat(
        name="marketwatch",
        summary="historical quotes of MarketWatch and the WSJ, years of four or two digits",
        file_name=r"(?:.*_)?(?P<symbol>[^_]+)",
        date_format="mdy",
        volume="none",
        decimal=".",
    ),
)


class NamedFile(NamedTuple):
    """The symbol and timeframe in the name of a file, if they are there."""

    symbol: str | None = None
    timeframe: str | None = None


def all_formats() -> dict[str, ImportFormat]:
    """Return the formats by name, with those of plugins, which may replace ours."""
    return {each.name: each for each in (*FORMATS, *plugin_formats())}


def format_named(name: str) -> ImportFormat:
    """Return a format. Raises `click.BadParameter` with the nearest."""
    known = all_formats()
    if name not in known:
        hint = did_you_mean(name, known)
        raise click.BadParameter(f"no format {name!r}{hint}; known: {', '.join(sorted(known))}")
    return known[name]


def named_file(form: ImportFormat, stem: str) -> NamedFile:
    """Return what the name of a file says, as a format reads it."""
    found = re.fullmatch(form.file_name, stem) if form.file_name else None
    if found is None:
        return NamedFile()
    groups = found.groupdict()
    symbol = groups.get("symbol")
    if groups.get("base"):
        settled = groups.get("settled")
        symbol = f"{groups['base']}/{groups['quote']}" + (f":{settled}" if settled else "")
    return NamedFile(symbol, _timeframe(groups.get("timeframe")))


_CODES = {"M": "m", "H": "h", "D": "d", "W": "w", "MN": "mo"}
_WORDS = {"d": "1d", "w": "1w", "m": "1mo", "minute": "1m", "hour": "1h", "monthly": "1mo"}


def _timeframe(text: str | None) -> str | None:
    """Return a timeframe as ours: of M5, MN1, 60 (minutes), 1D, 15min and daily."""
    if not text:
        return None
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    code = re.fullmatch(r"(MN|M|H|D|W)(\d*)", text)
    if code:
        text = f"{code[2] or 1}{_CODES[code[1]]}"
    length = timeframe_of(f"{text}m" if text.isdigit() else text)
    return None if length is None else length.name


def fitting(line: str, formats: Mapping[str, ImportFormat], *, is_first: bool) -> list[str]:
    """Return the names of the formats that a line shows: by their header, or by their first row.

    Only the first line of a file without a header is a first row.
    """
    cells = ",".join(cell.strip(' "') for cell in re.split(r"[,;\t]", line))
    return [
        name
        for name, each in formats.items()
        if (each.header and re.match(rf"{each.header}(,|$)", cells))
        or (is_first and each.row and re.match(each.row, line))
    ]
