"""A chart as one HTML file, which opens offline."""

from __future__ import annotations

from bokeh.embed import file_html
from bokeh.resources import INLINE
from jinja2 import Template

from storecore.charts.figure import figure_of
from storecore.charts.pages import asset, html
from storecore.charts.series import Series

_LEAST, _PANEL = 620, 130  # pixels
_USE = "Drag to move, turn the wheel to zoom, click on the legend to hide. Times are in UTC."


def chart_page(series: Series) -> str:
    """Return the page of a chart, with Bokeh's scripts in it and nothing to load from elsewhere."""
    hidden = ", ".join(series.hidden)
    more = f" Further columns that are not shown: {hidden}." if hidden else ""
    heading = f"{series.symbol}, {series.timeframe}"
    page: str = file_html(
        figure_of(series),
        INLINE,
        title=html(heading),
        template=Template(asset("page.html.jinja")),
        template_variables={
            "heading": html(heading),
            "footer": html(_USE + more),
            "least": _LEAST + _PANEL * len(series.columns),
        },
    )
    return page
