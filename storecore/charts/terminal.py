"""A chart in the terminal, drawn by plotext: candles, and the marks on them."""

from __future__ import annotations

from datetime import datetime, time

import plotext

from storecore.charts.pages import clean
from storecore.charts.series import Series
from storecore.models import PriceBar

_SIDES = {
    "buy": ("B buy", "green+"),
    "sell": ("S sell", "red+"),
    "bought": ("+ order: buy", "cyan+"),
    "sold": ("- order: sell", "orange+"),
}
_MARGIN = 14  # columns of prices and frame
_LEAST = 20


def drawn(series: Series, width: int, height: int) -> str:
    """Return a chart of a width and height in characters, with colours as ANSI codes."""
    room = max(_LEAST, (width - _MARGIN) // 2)
    step = -(-len(series.bars) // room)
    groups = [series.bars[row : row + step] for row in range(0, len(series.bars), step)]
    plotext.clear_figure()
    plotext.plotsize(width, height)
    plotext.theme("clear")
    plotext.title(clean(f"{series.symbol} {series.timeframe}"))
    _candles(groups)
    _marks(series, groups, step)
    return f"{plotext.build()}\n{_legend(series)}"


def _candles(groups: list[list[PriceBar]]) -> None:
    places = list(range(len(groups)))
    plotext.candlestick(
        places,
        {
            "Open": [group[0].open for group in groups],
            "High": [max(bar.high for bar in group) for group in groups],
            "Low": [min(bar.low for bar in group) for group in groups],
            "Close": [group[-1].close for group in groups],
        },
        colors=["green", "red"],
    )
    ticks = places[:: max(1, len(places) // 5)]
    dates = [group[0].date for group in groups]
    plotext.xticks(ticks, [f"{dates[place]:{_form(dates)}}" for place in ticks])


def _form(dates: list[datetime]) -> str:
    """Return the form of the times below a chart: what they have in common is left out."""
    if all(date.time() == time.min for date in dates):
        return "%Y-%m-%d"
    return "%H:%M" if dates[0].date() == dates[-1].date() else "%m-%d %H:%M"


def _marks(series: Series, groups: list[list[PriceBar]], step: int) -> None:
    """Draw decisions to buy below the candles, all others above."""
    for kind, (label, color) in _SIDES.items():
        places = sorted({mark.row // step for mark in series.marks if mark.kind == kind})
        bars = [groups[place] for place in places]
        if kind == "buy":
            heights = [min(bar.low for bar in group) for group in bars]
        else:
            heights = [max(bar.high for bar in group) for group in bars]
        if places:
            plotext.scatter(places, heights, marker=label[0], color=color)


def _legend(series: Series) -> str:
    there = {mark.kind for mark in series.marks}
    return "   ".join(label for kind, (label, _) in _SIDES.items() if kind in there)
