"""Draws ratios as an SVG of bars on a logarithmic scale, with a mark where each should reach."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10
from pathlib import Path
from typing import NamedTuple, Protocol

WIDTH, ROW, LEFT, TOP = 860, 24, 400, 44
LOW, HIGH = 0.1, 1_000.0


class Measured(Protocol):
    """A ratio: of which work, beside whom, and what it should be at least."""

    work: str
    beside: str
    ratio: float
    asked: float


class Theme(NamedTuple):
    """The colours of a chart."""

    ground: str
    text: str
    grid: str
    bar: str
    mark: str


LIGHT = Theme("#fff", "#222", "#ccc", "#4a7fb5", "#c33")
DARK = Theme("#0d1117", "#e6edf3", "#30363d", "#6ea8dc", "#ff7b72")
BESIDE = "peer time / storecore time; the mark is what is asked"


def bar_chart(figures: Sequence[Measured], theme: Theme = LIGHT, title: str = BESIDE) -> str:
    """Return an SVG of one bar a figure."""
    rows = [_row(number, figure, theme) for number, figure in enumerate(figures)]
    height = TOP + ROW * len(figures) + 12
    grid = [
        f'<line x1="{_at(tick):.0f}" x2="{_at(tick):.0f}" y1="{TOP - 8}" y2="{height - 8}" '
        f'stroke="{theme.grid}"/><text x="{_at(tick):.0f}" y="{TOP - 14}" text-anchor="middle">'
        f"{tick:g}</text>"
        for tick in (0.1, 1, 10, 100, 1_000)
    ]
    style = f'font-family="sans-serif" font-size="12" fill="{theme.text}"'
    body = "\n".join([f'<text x="8" y="16">{escape(title)}</text>', *grid, *rows])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {style}>\n'
        f'<rect width="100%" height="100%" fill="{theme.ground}"/>\n{body}\n</svg>\n'
    )


def draw(path: Path, figures: Sequence[Measured], title: str = BESIDE) -> None:
    """Write a chart, and beside it a dark one: `bars.svg` and `bars-dark.svg`."""
    path.write_text(bar_chart(figures, LIGHT, title))
    path.with_name(f"{path.stem}-dark{path.suffix}").write_text(bar_chart(figures, DARK, title))


def _row(number: int, figure: Measured, theme: Theme) -> str:
    top = TOP + ROW * number
    begin, end, mark = _at(1), _at(figure.ratio), _at(figure.asked)
    left, width = min(begin, end), abs(end - begin)
    return (
        f'<text x="{LEFT - 10}" y="{top + 14}" text-anchor="end">{escape(figure.work)}, '
        f"{escape(figure.beside)}</text>"
        f'<rect x="{left:.1f}" y="{top + 3}" width="{width:.1f}" height="14" fill="{theme.bar}"/>'
        f'<line x1="{mark:.1f}" x2="{mark:.1f}" y1="{top}" y2="{top + 20}" stroke="{theme.mark}"/>'
        f'<text x="{max(end, mark) + 6:.1f}" y="{top + 14}">{figure.ratio:.1f}</text>'
    )


def _at(ratio: float) -> float:
    share = (log10(min(max(ratio, LOW), HIGH)) - log10(LOW)) / (log10(HIGH) - log10(LOW))
    return LEFT + share * (WIDTH - LEFT - 60)
