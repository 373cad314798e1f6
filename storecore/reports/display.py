"""How stores and reports look in a notebook and at the prompt: HTML tables and counted nouns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any

MOST_ROWS = 50
_PLURALS = {"series": "series"}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 finding", "1,204 series"."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, f'{noun}s')}"


def html(title: str, *tables: str) -> str:
    """Return a title and tables as HTML. The title is escaped."""
    return f"<div><p><code>{escape(title)}</code></p>{''.join(tables)}</div>"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], total: int) -> str:
    """Return the first rows as an HTML table, escaped, and how many of `total` are not shown."""
    if not total:
        return ""
    head = "".join(f"<th>{escape(each)}</th>" for each in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>"
        for row in islice(rows, MOST_ROWS)
    )
    more = f"<p>… {total - MOST_ROWS:,} more</p>" if total > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _text(cell: Any) -> str:
    return "" if cell is None else f"{cell:,}" if type(cell) is int else str(cell)
