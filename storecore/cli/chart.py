"""`storecore chart`: a series with its decisions, orders and events, as a page or in the shell."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import click
from rich.filesize import decimal

from storecore.charts.chart import part
from storecore.charts.marks import OF_THE_LOG
from storecore.charts.series import ChartQuery, Series, read_series
from storecore.cli.output import write_page
from storecore.cli.show import why_none
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, listed, printable
from storecore.cli.timestamps import check_order, time_option
from storecore.protocols import DataStore
from storecore.store.questions import read_bars

_UNSAFE = re.compile(r"[^a-z0-9]+")
_SMALL = (40, 15)


@click.command(
    short_help="Draw a series with decisions, orders and events.",
    epilog=examples(
        "storecore chart AAPL",
        "storecore chart AAPL --strategy value --start 2026-01-01 -o aapl.html",
        "storecore chart BTC:USDT --timeframe 1m --last 500 --terminal",
    ),
)
@click.argument("symbol")
@click.option("--timeframe", default="1d", show_default=True, help="The timeframe of the bars.")
@click.option("--start", metavar="TIME", callback=time_option, help="The first date or time.")
@click.option(
    "--end",
    metavar="TIME",
    callback=time_option,
    help="The last date or time, included; a date is a whole day.",
)
@click.option(
    "--last", type=click.IntRange(min=1), metavar="N", help="Only the last N bars of the range."
)
@click.option("--strategy", metavar="NAME", help="Only decisions and orders of this strategy.")
@click.option("--run", metavar="NAME", help="The records of a run instead of the live log.")
@click.option(
    "--column",
    "columns",
    metavar="NAME",
    multiple=True,
    help="A further column to draw [default: the first three]; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write, replaced if it exists [default: SYMBOL.html].",
)
@click.option("--terminal", is_flag=True, help="Draw in the terminal instead of a page.")
@store_options
def chart(
    choice: StoreChoice,
    symbol: str,
    timeframe: str,
    start: date | None,
    end: date | None,
    last: int | None,
    strategy: str | None,
    run: str | None,
    columns: tuple[str, ...],
    output: Path | None,
    terminal: bool,
) -> None:
    """Draw the bars of SYMBOL with its decisions, orders and events, as an HTML page.

    The page is one file, which opens offline. Point at a mark to read its reason. The command needs
    pip install 'storecore[chart]'. Times are in UTC.
    """
    check_order(start, end)
    drawing = part("terminal" if terminal else "page")
    query = ChartQuery(symbol, start, end, timeframe, strategy, run, last, list(columns) or None)
    with choice.open_to_read() as store:
        series = _series(store, query)
    if strategy is not None and not any(mark.kind in OF_THE_LOG for mark in series.marks):
        click.echo(f"no records of strategy {printable(strategy)!r} on these bars", err=True)
    if terminal:
        size = shutil.get_terminal_size()
        width, height = (max(pair) for pair in zip(size, _SMALL, strict=True))
        plain = False if os.environ.get("NO_COLOR") else None  # None: in a terminal only
        click.echo(drawing.drawn(series, width, height - 2), color=plain)
    else:
        path = output or Path(file_name(symbol))
        write_page(path, drawing.chart_page(series))
        click.echo(_written(series, path))


def file_name(symbol: str) -> str:
    """Return the name of a chart's file: letters and digits of the symbol, without surprises."""
    return f"{_UNSAFE.sub('-', symbol.casefold()).strip('-') or 'chart'}.html"


def _series(store: DataStore, query: ChartQuery) -> Series:
    bounds = query.start, query.end
    if not read_bars(store, query.symbol, *bounds, timeframe=query.timeframe, last=1):
        raise click.ClickException(why_none(store, query.symbol, query.timeframe))
    return read_series(store, query)


def _written(series: Series, path: Path) -> str:
    parts = [counted(len(series.bars), "bar"), counted(len(series.marks), "mark")]
    notes = _notes(series.outside, series.hidden)
    size = decimal(path.stat().st_size)
    return f"{', '.join(parts)}, {size}: {printable(str(path))}{notes}"


def _notes(outside: int, hidden: Sequence[str]) -> str:
    beyond = f"\n{counted(outside, 'record')} later than these bars: not drawn" if outside else ""
    return beyond + (f"\nnot drawn: {listed(hidden)}; give --column" if hidden else "")
