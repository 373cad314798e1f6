"""Rows of a table in messages: how many, and which."""

from __future__ import annotations

from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

_MOST_RUNS = 12


def where(mask: pa.ChunkedArray | pa.Array) -> list[int]:
    """Return the rows for which a mask is true."""
    if not pc.any(mask).as_py():  # the usual case, which stops at no row
        return []
    rows: list[int] = pc.indices_nonzero(mask).to_pylist()
    return rows


def counted_rows(rows: list[int]) -> str:
    """Return ` (3 rows: 2, 5-6)`, or an empty string for a single row, which the message names."""
    return "" if len(rows) < 2 else f" ({len(rows):,} rows: {listed_rows(rows)})"


def listed_rows(rows: list[int]) -> str:
    """Return rows as text, runs of them as `5-9`; of many runs the first."""
    runs = [list(run) for _, run in groupby(enumerate(rows), lambda pair: pair[1] - pair[0])]
    texts = [_run(run[0][1], run[-1][1]) for run in runs[:_MOST_RUNS]]
    return ", ".join([*texts, "…"] if len(runs) > _MOST_RUNS else texts)


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
