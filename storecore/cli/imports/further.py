"""The further columns of a file, as values of one type each (law B6).

Parquet has types. The type of a column of texts is what all of them are: whole numbers, numbers,
booleans or times with an offset; else it stays text. A number with a zero in front, such as 007, is
text: it may be a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.rows import MAX_WHOLE
from storecore.cli.timestamps import parse_time
from storecore.errors import InvalidData
from storecore.store.frames.extra import MOMENT, further_columns
from storecore.store.frames.numbers import is_text
from storecore.store.frames.source import Column

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,18})", re.ASCII)
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*|(?=\.\d))(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ].*(Z|[+-]\d\d:?\d\d)", re.ASCII)
_BOOLS = {"true": True, "false": False}
_ABSENT = ("", "nan")  # as pandas and others write a missing number


def _is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and abs(int(text)) <= MAX_WHOLE


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _is_bool(text: str) -> bool:
    return text.casefold() in _BOOLS


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        parse_time(text, "time")
    except InvalidData:
        return False
    return True


_TYPES: tuple[tuple[Callable[[str], bool], Callable[[str], Any], pa.DataType], ...] = (
    (_is_whole, int, pa.int64()),
    (_is_number, float, pa.float64()),
    (_is_bool, lambda text: _BOOLS[text.casefold()], pa.bool_()),
    (_is_time, datetime.fromisoformat, MOMENT),
)


# What Arrow finds at once; a column that it does not accept is looked at text by text.
_QUICK = (
    r"^(-?(0|[1-9]\d{0,17}))?$",
    r"^([+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?)?$",
)


class Further:
    """The further columns of all files of an import: seen as texts, then given their types."""

    def __init__(self) -> None:
        self._possible: dict[str, list[int]] = {}  # types that all texts of a column have
        self._given: set[str] = set()
        self._typed_texts: set[str] = set()  # of a typed file: they stay texts

    def seen(self, columns: dict[str, pa.Array], *, is_typed: bool) -> dict[str, pa.Array]:
        """Return columns of a block as they are kept until all are known."""
        found = {}
        for name, values in columns.items():
            if is_text(values.type) and not is_typed:
                found[name] = pc.utf8_trim_whitespace(pc.fill_null(values, ""))
                self._look(name, found[name])
            elif not pa.types.is_null(values.type):
                found[name] = _typed(name, values)
                self._typed_texts |= {name} if is_text(found[name].type) else set()
        return found

    def _look(self, name: str, texts: pa.Array) -> None:
        possible = self._possible.setdefault(name, list(range(len(_TYPES))))
        if name not in self._given and pc.all(_is_absent(texts)).as_py() is False:
            self._given.add(name)
        possible[:] = [each for each in possible if _all_are(each, texts)]

    def in_types(self, table: pa.Table) -> pa.Table:
        """Return a table with its further columns in their types, without those of no value."""
        for name in self._possible.keys() & {*table.column_names}:
            place = table.column_names.index(name)
            if name in self._typed_texts or not is_text(table.schema.field(name).type):
                continue
            if name in self._given:
                values = self._in_type(name, table[name].combine_chunks())
                table = table.set_column(place, name, pa.chunked_array([values]))
            else:
                table = table.remove_column(place)
        return table

    def _in_type(self, name: str, texts: pa.Array) -> pa.Array:
        """Return the values of a column in the type that all of its texts have."""
        possible = self._possible[name]
        if not possible:
            return pc.if_else(pc.equal(texts, ""), None, texts)
        given = pc.if_else(_is_absent(texts), None, texts)
        _, value, kind = _TYPES[possible[0]]
        if kind in (pa.int64(), pa.float64()):
            return pc.cast(given, kind)
        coded = pc.dictionary_encode(given)
        read = [value(text) for text in coded.dictionary.to_pylist()]
        return pa.array(read, kind).take(coded.indices)


def _is_absent(texts: pa.Array) -> pa.Array:
    return pc.is_in(pc.utf8_lower(texts), value_set=pa.array(_ABSENT))


def _all_are(at: int, texts: pa.Array) -> bool:
    """Return whether all texts, but those that are absent, have one of the types."""
    if at < len(_QUICK) and pc.all(pc.match_substring_regex(texts, _QUICK[at])).as_py():
        return True
    is_one = _TYPES[at][0]
    return all(text.casefold() in _ABSENT or is_one(text) for text in pc.unique(texts).to_pylist())


def _typed(name: str, values: pa.Array) -> pa.Array:
    found, problems = further_columns({name: Column(name, pa.chunked_array([values]))})
    if problems:
        raise click.ClickException(f"{'; '.join(problems)}: give --extra ignore")
    return found[name].combine_chunks()
