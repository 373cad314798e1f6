"""The chart of a series as a figure of Bokeh: candles, volume, further columns and marks.

The figure has all bars; `zoom.js` draws those in view in the browser, combined to as many candles
as there is room for. The x axis counts bars, so that nights and weekends leave no gaps. Colours are
legible on light and on dark ground, and the ground itself is transparent.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import (
    BoxZoomTool,
    ColumnDataSource,
    CrosshairTool,
    CustomJS,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    Range1d,
    Span,
    Title,
    WheelZoomTool,
)
from bokeh.plotting import figure

from storecore.charts.marks import KINDS, Mark
from storecore.charts.pages import asset, clean

if TYPE_CHECKING:
    from storecore.charts.series import Series

UP, DOWN, GREY, BLUE, PURPLE = "#1fa37a", "#e0524d", "#7d8490", "#3f8ae0", "#9a6cf0"
_STYLES: dict[str, dict[str, Any]] = {
    "buy": {
        "marker": "triangle",
        "size": 10,
        "line_color": UP,
        "fill_color": None,
        "line_width": 2,
    },
    "sell": {
        "marker": "inverted_triangle",
        "size": 10,
        "line_color": DOWN,
        "fill_color": None,
        "line_width": 2,
    },
    "hold": {"marker": "circle", "size": 6, "line_color": None, "fill_color": GREY},
    "bought": {"marker": "diamond", "size": 13, "line_color": "white", "fill_color": UP},
    "sold": {"marker": "diamond", "size": 13, "line_color": "white", "fill_color": DOWN},
    "split": {"marker": "square", "size": 10, "line_color": "white", "fill_color": PURPLE},
    "dividend": {"marker": "square", "size": 10, "line_color": "white", "fill_color": BLUE},
    "event": {"marker": "square", "size": 8, "line_color": GREY, "fill_color": None},
}
# Bokeh drops styles before the first element of a template, so they are within it. Its own are
# applied after these: only what is important is not overridden.
_TOOLTIP = """<div class="mark"><style>
:host { --tooltip-color: light-dark(#ffffff, #23282f) !important;
        --tooltip-text: light-dark(#1c2127, #e4e7eb) !important;
        --tooltip-border: light-dark(#d5d9df, #434a55) !important;
        --tooltip-arrow-color: light-dark(#d5d9df, #434a55) !important; }
.mark { max-width: 26em; overflow-wrap: anywhere; font-size: 13px; line-height: 1.4; }
.mark p { margin: 4px 0 0; white-space: pre-line; }
</style><b>@title</b><br>@when<p>@reason</p></div>"""
_CANDLES = ("x", "width", "open", "high", "low", "close", "volume")
_COMPACT = 'return new Intl.NumberFormat("en", {notation: "compact"}).format(tick);'
_READ_OUT = "const at = cb_data.index.indices; if (at.length) readout.text = hit.data.text[at[0]];"
_LEAST_BARS = 20  # a chart of fewer has room beside them, so that candles stay slim
_LEFT = 74  # pixels for the labels of all y axes, so that the panels are aligned


def figure_of(series: Series) -> Any:
    """Return the figure of a series, to show in a notebook or to put on a page."""
    drawing = _Drawing(series)
    return column(*drawing.panels(), sizing_mode="stretch_both", name="storecore chart")


class _Drawing:
    """What the panels of one chart share: the range of bars, its ticks and the sources."""

    def __init__(self, series: Series) -> None:
        self._series = series
        last = len(series.bars) - 0.5
        spare = max(0.5 + len(series.bars) * 0.03, (_LEAST_BARS - len(series.bars)) / 2)
        shown = min(spare, max(spare / 3, (_LEAST_BARS - len(series.bars)) / 2))
        self._x = Range1d(
            -0.5 - shown,
            last + shown,
            bounds=(-0.5 - spare, last + spare),
            min_interval=5,
        )
        self._ticker = FixedTicker(ticks=[])
        self._cross = Span(dimension="height", line_color=GREY, line_alpha=0.6, line_dash="dotted")
        self._up, self._down = _source(*_CANDLES), _source(*_CANDLES)
        self._hit = _source("x", "width", "top", "bottom", "text")
        self._readout = Title(text=" ", text_color=GREY, text_font_style="normal")

    def panels(self) -> list[Any]:
        """Return the panels from top to bottom; only the last one has dates."""
        price, shown = self._price()
        volumes = [self._volume()] if _has_volume(self._series) else []
        lines = [(name, _source("x", "y")) for name in self._series.columns]
        further = [self._further(name, source) for name, source in lines]
        panels = [price, *volumes, *further]
        for panel in panels[:-1]:
            panel.xaxis.visible = False
        panels[-1].height += 34
        panels[-1].min_height += 34
        ranges = {
            "volumes": volumes[0].y_range if volumes else None,
            "ranges": [panel.y_range for panel in further],
        }
        draw = self._callback(panels, shown, [source for _, source in lines], ranges)
        self._x.js_on_change("start", draw)
        self._x.js_on_change("end", draw)
        price.js_on_change("inner_width", draw)
        return panels

    def _callback(
        self,
        panels: list[Any],
        shown: dict[str, Any],
        further: list[Any],
        ranges: dict[str, Any],
    ) -> CustomJS:
        price = panels[0]
        known = {
            **ranges,
            "bars": ColumnDataSource(_bars(self._series)),
            "marks": ColumnDataSource(_marks(self._series.marks)),
            "up": self._up,
            "down": self._down,
            "hit": self._hit,
            "shown": shown,
            "further": further,
            "x": self._x,
            "price": price,
            "ticker": self._ticker,
            "axes": [panel.xaxis[0] for panel in panels],
            "legend": price.select_one(Legend),
            "readout_title": self._readout,
            "days": all(date.time().isoformat() == "00:00:00" for date in self._series.dates),
        }
        return CustomJS(args=known, code=asset("zoom.js"))

    def _price(self) -> tuple[Any, dict[str, Any]]:
        """Return the panel of candles and marks, and the sources of the marks by their kind."""
        plot = self._panel(300)
        hit = plot.vbar("x", "width", "top", "bottom", source=self._hit, alpha=0)
        for source, color in ((self._up, UP), (self._down, DOWN)):
            plot.segment("x", "high", "x", "low", source=source, color=color)
            plot.vbar("x", "width", "open", "close", source=source, color=color, name="candles")
        marked = dict(_markers(plot, self._series.marks))
        self._hover(plot, hit, list(marked.values()))
        legend = Legend(
            items=[LegendItem(label=KINDS[kind], renderers=[of]) for kind, of in marked.items()],
            location="top_left",
            margin=0,
            orientation="horizontal",
            click_policy="hide",
            label_text_color=GREY,
            background_fill_alpha=0,
            border_line_alpha=0,
            padding=2,
        )
        plot.add_layout(legend, "above")
        plot.add_layout(self._readout, "above")
        plot.add_layout(_title(self._series), "above")
        return plot, {kind: of.data_source for kind, of in marked.items()}

    def _hover(self, plot: Any, hit: Any, marks: list[Any]) -> None:
        """Show the bar under the pointer above the chart, and a mark's reason beside it."""
        read = CustomJS(
            args={"hit": self._hit, "readout": self._readout},
            code=_READ_OUT,
        )
        plot.add_tools(HoverTool(renderers=[hit], mode="vline", tooltips=None, callback=read))
        if marks:
            plot.add_tools(
                HoverTool(
                    renderers=marks, tooltips=_TOOLTIP, attachment="horizontal", visible=False
                )
            )

    def _volume(self) -> Any:
        plot = self._panel(110)
        for source, color in ((self._up, UP), (self._down, DOWN)):
            plot.vbar("x", "width", "volume", 0, source=source, color=color, alpha=0.6)
        plot.yaxis.formatter = CustomJSTickFormatter(code=_COMPACT)
        return _named(plot, "volume")

    def _further(self, name: str, source: ColumnDataSource) -> Any:
        plot = self._panel(110)
        plot.line("x", "y", source=source, color=BLUE, line_width=1.5)
        return _named(plot, name)

    def _panel(self, height: int) -> Any:
        plot = figure(
            height=height,
            min_height=height,
            x_range=self._x,
            y_range=Range1d(0, 1),
            tools="xpan,reset,save",
            active_drag="xpan",
            toolbar_location="above" if height > 200 else None,
            sizing_mode="stretch_both" if height > 200 else "stretch_width",
            background_fill_alpha=0,
            border_fill_alpha=0,
            min_border_left=_LEFT,
            min_border_right=12,
            outline_line_alpha=0,
            output_backend="canvas",
        )
        wheel = WheelZoomTool(dimensions="width")
        plot.add_tools(wheel, BoxZoomTool(dimensions="width"), CrosshairTool(overlay=self._cross))
        plot.toolbar.active_scroll = wheel
        plot.toolbar.logo = None
        plot.toolbar.stylesheets = [":host { --divider-color: #7d849066; }"]
        plot.xaxis.ticker = plot.xgrid.ticker = self._ticker
        _quiet(plot)
        return plot


def _quiet(plot: Any) -> None:
    """Give axes and grids the same modest look on light and on dark ground."""
    plot.axis.axis_line_alpha = plot.axis.minor_tick_line_alpha = 0
    plot.axis.major_tick_line_color = plot.grid.grid_line_color = GREY
    plot.axis.major_tick_line_alpha = 0.4
    plot.grid.grid_line_alpha = 0.18
    plot.axis.major_label_text_color = plot.axis.axis_label_text_color = GREY
    plot.yaxis.ticker.desired_num_ticks = 6 if plot.height > 200 else 3
    plot.yaxis.fixed_location = None
    if plot.height > 200:
        plot.yaxis.formatter.use_scientific = False


def _named(plot: Any, name: str) -> Any:
    title = Title(text=clean(name), text_color=GREY, text_font_size="12px")
    plot.add_layout(title, "above")
    return plot


def _title(series: Series) -> Title:
    more = f"   ({series.outside:,} records outside of these bars)" if series.outside else ""
    text = clean(f"{series.symbol}   {series.timeframe}{more}").replace("$$", "$ $")  # no formula
    return Title(text=text, text_color=GREY, text_font_size="16px")


def _markers(plot: Any, marks: list[Mark]) -> Iterator[tuple[str, Any]]:
    """Yield each kind that there are marks of, with its renderer."""
    there = {mark.kind for mark in marks}
    for kind in KINDS:
        if kind in there:
            source = _source("x", "y", "title", "when", "reason")
            yield kind, plot.scatter("x", "y", source=source, name=kind, **_STYLES[kind])


def _source(*names: str) -> ColumnDataSource:
    """Return a source that `zoom.js` fills."""
    return ColumnDataSource({name: [] for name in names})


def _has_volume(series: Series) -> bool:
    return any(bar.volume is not None for bar in series.bars)


def _bars(series: Series) -> dict[str, Any]:
    bars = series.bars
    names = ("open", "high", "low", "close")
    found = {name: np.array([float(getattr(bar, name)) for bar in bars]) for name in names}
    found["volume"] = np.array([nan if bar.volume is None else float(bar.volume) for bar in bars])
    found["date"] = np.array([bar.date.timestamp() * 1000 for bar in bars])
    for number, name in enumerate(series.columns):
        values = ((bar.extra or {}).get(name) for bar in bars)
        numbers = np.array([nan if value is None else float(value) for value in values])
        found[f"further {number}"] = np.where(np.isfinite(numbers), numbers, nan)  # no axis has inf
    return found


def _marks(marks: list[Mark]) -> dict[str, Any]:
    return {
        "kind": [mark.kind for mark in marks],
        "row": [mark.row for mark in marks],
        "price": np.array([nan if mark.price is None else mark.price for mark in marks], float),
        "title": [clean(mark.title) for mark in marks],
        "when": [f"{mark.at:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00") for mark in marks],
        "reason": [clean(mark.reason) for mark in marks],
    }
