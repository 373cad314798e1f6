"""What the types of series are after a write of further columns, and its rows with these types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from storecore.bars.extra import TYPES, agreed, kinds_of
from storecore.bars.groups import Grouped
from storecore.errors import InvalidData
from storecore_postgres.extra import Kinds, Place


class Agreement:
    """The types of the series of a write, from those that are stored and those that are given."""

    def __init__(self, rows: Grouped, stored: Mapping[str, Kinds]) -> None:
        self._rows = rows
        self._stored = stored
        self._given = kinds_of(rows.table)
        self._series: dict[str, tuple[Kinds, pa.Table]] = {}
        self.error: InvalidData | None = None

    @property
    def needs_lock(self) -> bool:
        """Whether a series gets a new column, or floats for its whole numbers."""
        return any(
            self._stored.get(symbol, {}).get(name, "") in _changed_by(kind)
            for symbol in self._rows.names
            for name, kind in self._given.items()
        )

    def settle(self, stored: Callable[[str, str], Iterable[Any]]) -> None:
        """Agree on the types, or set `error`.

        `stored` returns the stored whole numbers of a symbol and column. It is called only if
        `needs_lock`.
        """
        try:
            for symbol, table in self._rows.series():
                known = self._stored.get(symbol, {})
                self._series[symbol] = agreed(known, table, partial(stored, symbol), symbol)
        except InvalidData as error:
            self.error = error

    @property
    def changed(self) -> dict[str, Kinds]:
        """The types of those series that get others than they have."""
        return {
            symbol: kinds
            for symbol, (kinds, _) in self._series.items()
            if kinds != self._stored.get(symbol, {})
        }

    @property
    def widened(self) -> list[tuple[str, str]]:
        """The symbols and columns whose whole numbers become floats."""
        return [
            (symbol, name)
            for symbol, kinds in self.changed.items()
            for name, kind in self._stored.get(symbol, {}).items()
            if kinds[name] != kind
        ]

    def places(self) -> list[Place]:
        """Return the columns that the rows need."""
        found = {
            (name, kinds[name]): None for kinds, _ in self._series.values() for name in self._given
        }
        return sorted(found)

    def column(self, place: Place) -> pa.ChunkedArray:
        """Return the values of a column, for all rows: null for series of another type."""
        name, kind = place
        chunks: list[pa.Array] = []
        for kinds, table in self._series.values():
            is_there = kinds[name] == kind
            chunks += table[name].chunks if is_there else [pa.nulls(len(table), TYPES[kind])]
        return pa.chunked_array(chunks, TYPES[kind])


def _changed_by(kind: str) -> tuple[str, ...]:
    """Return the stored types (empty: none) that a given one changes."""
    return ("", "int64") if kind == "float64" else ("",)
