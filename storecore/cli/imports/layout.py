"""The layout of a CSV file: where its header is, what delimits its cells, and what it names.

A header is the first line in which three fields of a bar are named. What comes before it, such as
a URL or a comment, is skipped with a note. A downloader of many tickers writes three lines:
fields, tickers, and the name of the index.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import NamedTuple

import click

from storecore.cli.imports.columns import field_of, names_a_field
from storecore.cli.imports.form import Form
from storecore.cli.text import counted, printable

DELIMITERS = ",;\t|"
_FEWEST = 3  # named fields in a header
_LOOKED_AT = 25  # lines
_MOST = 4_000  # columns


class Layout(NamedTuple):
    """The names of the columns, the number of lines before the first row, and the first row.

    `tickers` has the ticker of each column of a wide file, else it is empty.
    """

    names: list[str]
    delimiter: str
    before: int
    sample: list[str] | None
    tickers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def layout_of(data: bytes, form: Form, name: str) -> Layout:
    """Return the layout of a file that begins with these lines."""
    lines = data.split(b"\n", _LOOKED_AT + form.skip_lines)[: _LOOKED_AT + form.skip_lines]
    texts = [line.decode(errors="replace").strip("\r") for line in lines]
    places = [at for at, text in enumerate(texts) if at >= form.skip_lines and text.strip(" ,;\t")]
    if not places:
        raise click.ClickException(
            f"{printable(name)}: empty; expected a header line such as date,open,high"
        )
    if form.names:
        return _without_header(texts, places, form, name)
    return _with_header(texts, places, form, name)


def _without_header(texts: Sequence[str], places: Sequence[int], form: Form, name: str) -> Layout:
    delimiter = form.delimiter or _most_frequent(texts[places[0]])
    first = _cells(texts[places[0]], delimiter, name)
    if _named(first) >= _FEWEST:  # there is one all the same
        return _with_header(texts, places, form, name)
    return Layout(names_for(form.names, len(first)), delimiter, places[0], first)


def names_for(given: Sequence[str], width: int) -> list[str]:
    """Return the names of so many columns: those of the lists in `given` that fit best."""
    lists = [[name.strip() for name in each.split(",")] for each in given]
    best = min(lists, key=lambda names: abs(len(names) - width))[:width]
    return best + [f"column{number}" for number in range(len(best) + 1, width + 1)]


def _with_header(texts: Sequence[str], places: Sequence[int], form: Form, name: str) -> Layout:
    between = [form.delimiter] if form.delimiter else DELIMITERS
    for order in range(len(places)):
        for delimiter in between:
            rows = [_cells(texts[each], delimiter, name) for each in places[order : order + 3]]
            if _named(rows[0]) >= _FEWEST or _wide_header(rows) is not None:
                return _at_header(texts, places[order:], delimiter, name, places[:order])
    delimiter = form.delimiter or _most_frequent(texts[places[0]])
    first = _cells(texts[places[0]], delimiter, name)
    if not any(map(_is_name, first)):
        shown = ",".join(first)
        raise click.ClickException(
            f"{printable(name)}: line {places[0] + 1} has no column names: "
            f"{printable(shown[:60])}; "
            "give them, as in --names date,open,high,low,close,volume"
        )
    return _at_header(texts, places, delimiter, name, ())


def _at_header(
    texts: Sequence[str], places: Sequence[int], delimiter: str, name: str, skipped: Sequence[int]
) -> Layout:
    """Return the layout of a file with a header at the first of these places."""
    rows = [_cells(texts[at], delimiter, name) for at in places[:4]]
    notes = tuple(_note_of(texts, skipped))
    wide = _wide_header(rows)
    if wide is not None:
        fields, tickers = wide
        sample = rows[3] if len(rows) > 3 else None
        return Layout(fields, delimiter, places[2] + 1, sample, tuple(tickers), notes)
    names, sample = rows[0], rows[1] if len(rows) > 1 else None
    if sample is not None and len(sample) == len(names) + 1 and not sample[-1]:
        names = [*names, ""]  # rows that end with a delimiter
    return Layout(names, delimiter, places[0] + 1, sample, (), notes)


def _note_of(texts: Sequence[str], skipped: Sequence[int]) -> list[str]:
    if not skipped:
        return []
    shown = printable(texts[skipped[0]].strip()[:60])
    return [f"skipped {counted(len(skipped), 'line')} before the header: {shown}"]


def _wide_header(rows: Sequence[list[str]]) -> tuple[list[str], list[str]] | None:
    """Return the names and tickers of three header lines, of which the last names the index."""
    if len(rows) < 3 or field_of(rows[2][0]) != "date" or any(rows[2][1:]):
        return None
    fields, tickers = rows[:2] if _are_fields(rows[0][1:]) else rows[1::-1]
    if not _are_fields(fields[1:]) or len(tickers) != len(fields):
        return None
    return [rows[2][0], *fields[1:]], ["", *tickers[1:]]


def _cells(text: str, delimiter: str, name: str) -> list[str]:
    try:
        found = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error as error:
        raise click.ClickException(f"{printable(name)}: not CSV: {error}") from None
    if len(found) > _MOST:
        raise click.ClickException(
            f"{printable(name)}: a line of {len(found):,} cells; a file may have {_MOST:,} columns"
        )
    return [cell.strip() for cell in found]


def _named(cells: Sequence[str]) -> int:
    return len(set(filter(None, (cell for cell in cells if names_a_field(cell)))))


def _most_frequent(text: str) -> str:
    return max(DELIMITERS, key=text.count)


def _is_name(cell: str) -> bool:
    """Return whether a cell may be the name of a column: it begins with a letter."""
    return cell.lstrip("<\"' ")[:1].isalpha()


def _are_fields(cells: Sequence[str]) -> bool:
    return {field_of(cell) for cell in cells} >= {"open", "high", "low", "close"}
