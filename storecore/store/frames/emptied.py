"""Symbols of a table that replaces their series, but has no row of them left."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_MOST = 5


def emptied(given: pa.Table, left: pa.Table, symbol: str | None) -> list[str]:
    """Return the problem of symbols that a table has, or is given for, without a row of them.

    `left` are the rows of `given` that are not left out, `symbol` is that of all rows. A table
    cannot say whether such a series is to be emptied or to stay.
    """
    named = dict.fromkeys([*([] if symbol is None else [symbol]), *_symbols(given)])
    kept = set(_symbols(left))
    lost = [each for each in named if each not in kept]
    if not lost:
        return []
    more = f" and {len(lost) - _MOST:,} more symbols" if len(lost) > _MOST else ""
    return [
        f"replace=True: no row is left of {', '.join(map(repr, lost[:_MOST]))}{more}, and a table "
        "without rows does not empty a series: call delete_bars, or leave the symbol out"
    ]


def _symbols(table: pa.Table) -> list[str]:
    symbols: list[str] = pc.unique(table["symbol"]).to_pylist()
    return symbols
