"""The kinds of further columns of a series: those of its partitions and of the journal together.

Writers keep them consistent (law B6): a column has one kind, but for whole numbers that have become
floats in later partitions, all of which floats equal. So a read casts older partitions, and none
has to be rewritten. Only files of another state of the store, copied over newer ones, may disagree.
Then nothing is refused and nothing lost: the column is read as text, and `verify()` reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars import table as core
from storecore.bars.extra import TYPES, completed, conformed, kinds_of
from storecore.bars.table import EMPTY, NAIVE, instants_of
from storecore.errors import InvalidData
from storecore_file.fs.locks import Count

Key = tuple[str, str]
Kinds = Mapping[str, str]
_NUMBERS = {"int64", "float64"}


def union(many: Iterable[Kinds]) -> dict[str, str]:
    """Return the kinds of the columns of several partitions or rows together."""
    found: dict[str, str] = {}
    for kinds in many:
        for name, kind in kinds.items():
            found[name] = _common(found.get(name, kind), kind)
    return found


def _common(one: str, other: str) -> str:
    if one == other:
        return one
    return "float64" if {one, other} == _NUMBERS else "string"


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """Return the concatenation of tables of one series."""
    given = list(tables)
    try:
        return core.joined(given)
    except InvalidData:
        return core.joined(_agreeing(given))


def upserted(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the rows of two tables of one series; those of `new` replace those of `old`."""
    try:
        return core.upserted(old, new)
    except InvalidData:
        return core.upserted(*_agreeing([old, new]))


def with_kinds(table: pa.Table, kinds: Kinds) -> pa.Table:
    """Return a table with columns of these kinds too."""
    try:
        return completed(table, kinds)
    except InvalidData:
        return joined([table, _nothing(kinds)])


def _nothing(kinds: Kinds) -> pa.Table:
    nothing = EMPTY
    for name, kind in kinds.items():
        nothing = nothing.append_column(name, pa.nulls(0, TYPES[kind]))
    return nothing


def _agreeing(tables: list[pa.Table]) -> list[pa.Table]:
    """Return tables with columns as text whose kinds differ."""
    kinds: dict[str, set[str]] = {}
    for table in tables:
        for name, kind in kinds_of(table).items():
            kinds.setdefault(name, set()).add(kind)
    differing = [name for name, found in kinds.items() if len(found) > 1]
    return [_with_texts(table, differing) for table in tables]


def _with_texts(table: pa.Table, names: Iterable[str]) -> pa.Table:
    for name in names:
        if name in table.column_names:
            at = table.column_names.index(name)
            table = table.set_column(at, name, as_text(table[name]))
    return table


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return a column of any kind as text."""
    if pa.types.is_timestamp(column.type):  # without a time zone database
        column = pc.binary_join_element_wise(
            pc.cast(pc.cast(pc.cast(column, pa.int64()), NAIVE), pa.string()), "Z", ""
        )
    return pc.cast(column, pa.string())


class KnownKinds:
    """The kinds that partitions of some series had at a count of the changes of kinds."""

    def __init__(self, at: Count) -> None:
        self.at = at
        self._kinds: dict[Key, Kinds] = {}

    def of(self, key: Key, look: Callable[[Key], Kinds]) -> Kinds:
        """Return the kinds of a series, looked at if they are not known."""
        kinds = self._kinds.get(key)
        if kinds is None:
            kinds = self._kinds[key] = look(key)
        return kinds

    @staticmethod
    def fitted(known: Kinds, bars: pa.Table, given: Kinds) -> pa.Table | None:
        """Return bars of given columns in the kinds that are known; None if they do not fit."""
        if given.items() <= known.items():
            return bars
        kinds = {name: known.get(name, kind) for name, kind in given.items()}
        try:
            return conformed(bars, kinds) if kinds.items() <= known.items() else None
        except InvalidData:
            return None


def rows_of(bars: pa.Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield date and values of each bar, to compare it: without nulls, NaN equal to NaN."""
    for date, row in zip(instants_of(bars), bars.to_pylist(), strict=True):
        yield date, {name: _comparable(each) for name, each in row.items() if each is not None}


def _comparable(value: Any) -> Any:
    return value if value == value else "NaN"
