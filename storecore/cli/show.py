"""`storecore show`: a table of the last bars of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from types import MappingProxyType
from typing import Any

import click
from rich.table import Table

from storecore.cli.output import json_option, print_array
from storecore.cli.ranges import aware_bounds
from storecore.cli.screen import console, date_text, date_texts, price_texts, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, listed, printable
from storecore.cli.timestamps import find_zone, local_text, time_option
from storecore.models import PriceBar
from storecore.protocols import Catalog, DataStore
from storecore.store.digests import EVER
from storecore.store.questions import nearest_symbols, read_bars
from storecore.store.tables import iter_bar_tables
from storecore.values.timeframes import same_length

_PRICES = ("open", "high", "low", "close")


@click.command(
    short_help="Show the last bars of a series.",
    epilog=examples(
        "storecore show AAPL",
        "storecore show AAPL --start 2008-01-01 --end 2008-03-31 --last 100",
        "storecore show BTC:USDT --timeframe 1m --backend file --set base_path=data",
    ),
)
@click.argument("symbol")
@click.option("--timeframe", default="1d", show_default=True, help="The timeframe of the bars.")
@click.option(
    "--start",
    metavar="TIME",
    callback=time_option,
    help="The first date or time [default: the first bar's].",
)
@click.option(
    "--end",
    metavar="TIME",
    callback=time_option,
    help="The last date or time, included; a date is a whole day.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="The number of bars, counted from the end.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="The time zone in which times are shown, such as America/New_York.",
)
@json_option
@store_options
def show(
    choice: StoreChoice,
    symbol: str,
    timeframe: str,
    start: date | None,
    end: date | None,
    last: int,
    timezone: str,
    as_json: bool,
) -> None:
    """Show the last bars of SYMBOL.

    --start and --end without an offset are in UTC. Days, which are midnights in UTC, are the same
    in every zone.
    """
    zone = find_zone(timezone)
    bounds = aware_bounds(start, end)
    with choice.open_to_read() as store:
        bars = read_bars(store, symbol, *bounds, timeframe=timeframe, last=last)
        if not bars:
            raise click.ClickException(why_none(store, symbol, timeframe))
        if as_json:
            print_array(bars)
            return
        count = _count(store, symbol, timeframe, bounds)
    of_all = f"the last {len(bars):,} of {counted(count, 'bar')}"
    console().print(f"{printable(symbol)}, {timeframe}: {of_all}")
    console().print(bar_table(bars, zone=zone))


def _count(store: DataStore, symbol: str, timeframe: str, bounds: tuple[datetime, datetime]) -> int:
    if bounds == EVER and isinstance(store, Catalog):
        return store.bar_coverage(symbol, timeframe=timeframe).count
    dates = iter_bar_tables(store, symbol, *bounds, timeframe=timeframe, columns=["date"])
    return sum(map(len, dates))


def bar_table(
    bars: Sequence[PriceBar],
    *,
    with_symbol: bool = False,
    beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
    zone: tzinfo = UTC,
) -> Table:
    """Return a table of bars: exact prices, dates in a zone, further columns by name.

    `beside` are columns of text to add at the end, by heading.
    """
    dates = [bar.date for bar in bars]
    columns = [
        date_texts(dates) if zone is UTC else _local_texts(dates, zone),
        *(price_texts([getattr(bar, field) for bar in bars]) for field in _PRICES),
        ["" if bar.volume is None else f"{bar.volume:,}" for bar in bars],
    ]
    further = sorted({name for bar in bars for name in bar.extra or ()})
    columns += [[_shown((bar.extra or {}).get(name)) for bar in bars] for name in further]
    headings = [f"date ({zone})", *_PRICES, "volume", *map(printable, further)]
    columns += map(list, beside.values())
    headings += beside
    if with_symbol:
        columns.insert(0, [printable(bar.symbol) for bar in bars])
        headings.insert(0, "symbol")
    return table(headings, list(zip(*columns, strict=True)), right=(*_PRICES, "volume"))


def _local_texts(dates: Sequence[datetime], zone: tzinfo) -> list[str]:
    """Return times in a zone; days, if all are midnights in UTC."""
    if all(moment.time() == time.min for moment in dates):
        return date_texts(dates)
    return [local_text(moment, zone) for moment in dates]


def _shown(value: Any) -> str:
    """Return a value of a further column as text; nothing for null."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return "" if value is None else printable(str(value))


def why_none(store: DataStore, symbol: str, timeframe: str) -> str:
    """Return why a series has no bars to show, and which data the store has instead."""
    missing = f"no {timeframe} bars of {symbol!r}"
    if not isinstance(store, Catalog):
        return missing
    coverage = store.bar_coverage(symbol, timeframe=timeframe)
    if coverage.first is not None and coverage.last is not None:
        span = f"{date_text(coverage.first)} to {date_text(coverage.last)}"
        return f"{missing} in that range; there are {coverage.count:,}, from {span}"
    others = store.timeframes(symbol)
    same = same_length(timeframe, others)
    if same:
        return f"{missing}; did you mean {' or '.join(map(repr, same))}? give --timeframe"
    if others:
        return f"{missing}; it has {listed(others)}: give --timeframe"
    known = store.symbols()
    near = nearest_symbols(store, symbol)
    if near:
        return f"{missing}; did you mean {' or '.join(map(repr, near))}?"
    return f"{missing}; the store has {listed(known) or 'no bars at all'}"
