"""The content of one file as blocks of columns, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

Bad = list[tuple[int, str]]


class Block(NamedTuple):
    """Some rows: a column for each name, the places of the rows, and the bad rows between them.

    A place is the number of a line or row in the file, from 1. The function that gives them may
    cost much: it is for messages.
    """

    columns: list[pa.Array]
    places: Callable[[], Sequence[int]]
    bad: Bad

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0]) if self.columns else 0


class Content(NamedTuple):
    """The names of the columns of a file, its blocks, and what the unit of their places is.

    `sample` is the first row, if it is known. `tickers` has the ticker of each column of a wide
    file. `symbol` is one that the file names outside of its rows. `zones` has the columns of typed
    files that are midnights of a zone, but not of UTC, as far as they have been read. `text_of`
    returns the cells of a field of a bar as texts or numbers, times local to their zones or UTC.
    """

    names: list[str]
    blocks: Iterator[Block]
    unit: str
    sample: Sequence[Any] | None = None
    tickers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    symbol: str | None = None
    zones: Mapping[str, str] = {}
    text_of: Callable[[pa.Array, bool], pa.Array] = lambda cells, local: cells
