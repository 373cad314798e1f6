"""The further columns of a file of bars, as the values of `PriceBar.extra` (law B6).

Parquet has types. The type of a column of CSV is what all of its texts are: whole numbers,
numbers, booleans or times with an offset; else it stays text. A number with a zero in front, such
as 007, is text: it may be a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from storecore.bars.rows import MAX_WHOLE
from storecore.cli.bar_files import BarTable
from storecore.cli.columns import Columns
from storecore.cli.timestamps import parse_time
from storecore.errors import InvalidData

Further = list[dict[str, Any] | None] | None
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,18})", re.ASCII)
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*|(?=\.\d))(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ].*(Z|[+-]\d\d:?\d\d)", re.ASCII)
_BOOLS = {"true": True, "false": False}
_ABSENT = ("", "nan")  # as pandas and others write a missing number


def further_values(table: BarTable, columns: Columns) -> tuple[BarTable, Further]:
    """Return the further columns of each row, None if there are none, and the table to read.

    Raises `click.ClickException` for a column of a type that no bar has.
    """
    if not columns.extra:
        return table, None
    if table.columns is not None:
        typed = _of_arrow(table, columns)
    else:
        rows = list(table.rows)
        table = table._replace(rows=iter(rows))
        cells = [row if len(row) == columns.width else None for _, row in rows]
        typed = {name: _of_texts(cells, at) for name, at in columns.extra.items()}
    named = list(typed.items())
    count = max((len(values) for values in typed.values()), default=0)
    return table, [
        {name: values[row] for name, values in named if values[row] is not None} or None
        for row in range(count)
    ] or None


def _of_arrow(table: BarTable, columns: Columns) -> dict[str, list[Any]]:
    """Return the values of typed columns."""
    from storecore.bars.extra import values_of
    from storecore.store.frames.extra import further_columns
    from storecore.store.frames.source import Column

    assert table.columns is not None
    given = {name: Column(name, table.columns[at]) for name, at in columns.extra.items()}
    found, problems = further_columns(given)
    if problems:
        raise click.ClickException(f"{'; '.join(problems)}: give --extra ignore")
    return {name: values_of(values) for name, values in found.items()}


def _of_texts(rows: Sequence[Sequence[str] | None], at: int) -> list[Any]:
    """Return the texts of a column as values of one type; a row that is no row has none."""
    texts = ["" if row is None else row[at] for row in rows]
    given = [text for text in texts if text.casefold() not in _ABSENT]
    for is_one, value in _TYPES:
        if given and all(map(is_one, given)):
            return [None if text.casefold() in _ABSENT else value(text) for text in texts]
    return [text or None for text in texts]


def _is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and abs(int(text)) <= MAX_WHOLE


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        parse_time(text, "time")
    except InvalidData:
        return False
    return True


_TYPES: tuple[tuple[Callable[[str], bool], Callable[[str], Any]], ...] = (
    (_is_whole, int),
    (_is_number, float),
    (lambda text: text.casefold() in _BOOLS, lambda text: _BOOLS[text.casefold()]),
    (_is_time, lambda text: datetime.fromisoformat(text)),
)
