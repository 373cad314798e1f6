"""`storecore.chart`: the chart of a series as a figure."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from storecore.charts.series import ChartQuery, read_series
from storecore.errors import InvalidData
from storecore.protocols import DataStore
from storecore.values.times import Bound


def chart(
    store: DataStore,
    symbol: str,
    start: Bound = None,
    end: Bound = None,
    *,
    timeframe: str = "1d",
    strategy: str | None = None,
    run: str | None = None,
    last: int | None = None,
    columns: list[str] | None = None,
) -> Any:
    """Return the chart of a series as a layout of Bokeh, for `bokeh.io.show`.

    It has candles, volume, a panel for each of `columns` (further columns of numbers; the first
    three if None) and marks for the events of the symbol and for the decisions and orders of
    `strategy` (None: of all), from the live log or from `run`. `last` is the number of bars,
    counted from the end. Raises `InvalidData` if there are no bars, or Bokeh is not installed
    (`pip install 'storecore[chart]'`).
    """
    drawing = part("figure")
    query = ChartQuery(symbol, start, end, timeframe, strategy, run, last, columns)
    return drawing.figure_of(read_series(store, query))


def part(name: str) -> Any:
    """Return a module of this package that needs the extra `chart`.

    Raises `InvalidData` with the command that installs it.
    """
    try:
        return import_module(f"storecore.charts.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("storecore"):
            raise
        raise InvalidData(
            f"a chart needs {error.name}, which is not installed; "
            "run: pip install 'storecore[chart]'"
        ) from error
