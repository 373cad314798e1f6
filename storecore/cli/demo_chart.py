"""The end of the demo: the chart of what was traded, if the extra `chart` is installed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from storecore import DataStore, InvalidData
from storecore.charts.chart import part
from storecore.charts.series import ChartQuery, read_series
from storecore.cli.demo_strategy import FIRST_DAY
from storecore.cli.screen import console
from storecore.cli.text import printable

_BEFORE = timedelta(days=60)


def draw(store: DataStore, symbol: str, last_day: str, folder: Path) -> None:
    """Write the chart of the days that were traded into a folder, and print where it is."""
    say = console().print
    try:
        page = part("page")
    except InvalidData as error:
        say(f"\nNo chart: {error}")
        return
    query = ChartQuery(symbol, FIRST_DAY - _BEFORE, date.fromisoformat(last_day))
    path = folder / f"{symbol.casefold()}.html"
    path.write_text(page.chart_page(read_series(store, query)), encoding="utf-8")
    say(f"\nA chart of {symbol} with every decision and order: {printable(str(path.resolve()))}")
