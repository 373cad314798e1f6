"""Rows of the journal behind the bars of partitions that are kept decoded.

A collector appends a bar to each of many series at once, so a question about the present of many
series meets rows of each. They become one row group for all series, of which each has a piece. Rows
that have to be merged into the bars of partitions, or have more than the seven columns, are left to
those who read the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pyarrow as pa

from storecore.bars.table import DATE, SERIES
from storecore_file.bars.decoded import Columns, Dates, Flushed, NotKeptError, Piece, newest
from storecore_file.bars.journal import Pending
from storecore_file.bars.journal_lines import Row
from storecore_file.bars.layout import Partition

_MAX_EXACT = 2**53  # up to here float64 holds every whole number
Names = tuple[str, ...]


def counting(
    pending: Pending, partitions: Sequence[tuple[Partition, Flushed]], ended: int
) -> list[Row]:
    """Return the rows that are in no partition yet, the last of each date, in order of time.

    Raises `NotKeptError` if one is dated after `ended`, or has more than seven columns of floats.
    """
    rows = pending.not_in(partitions)
    if any(row.values[0] > ended or row.kinds or not _is_float(row.values[5]) for row in rows):
        raise NotKeptError
    by_date = {row.values[0]: row for row in rows}
    return list(by_date.values()) if len(by_date) < 2 else [by_date[at] for at in sorted(by_date)]


def _is_float(volume: float | None) -> bool:
    return volume is not None and (type(volume) is float or volume <= _MAX_EXACT)


def before(pieces: list[Piece], rows: Sequence[Row]) -> list[Piece]:
    """Return pieces without the bars that rows replace.

    Raises `NotKeptError` if other bars are among or after those.
    """
    first, dates = rows[0].values[0], {row.values[0] for row in rows}
    kept, replaced = list(pieces), 0
    while kept:
        piece = kept[-1]
        instants = piece.columns.dates.instants
        count = piece.rows
        while count and instants[piece.start + count - 1] >= first:
            if instants[piece.start + count - 1] not in dates:
                raise NotKeptError
            count -= 1
            replaced += 1
        if count:
            return [*kept[:-1], piece._replace(rows=count)] if replaced else kept
        kept.pop()
    return kept


def with_rows(
    found: Sequence[list[Piece] | None],
    rows: Sequence[Sequence[Row]],
    names: Names,
    number: int | None,
) -> list[list[Piece] | None]:
    """Return the pieces of each series, and behind them its rows; `number` of each, the newest."""
    columns = _columns([row for each in rows for row in each])
    memory = columns.memory(names)
    ends = accumulate(map(len, rows))
    return [
        newest([*pieces, Piece(memory, columns, end - len(each), len(each))], number)
        if pieces is not None and each
        else pieces
        for pieces, each, end in zip(found, rows, ends, strict=True)
    ]


def _columns(rows: Sequence[Row]) -> Columns:
    """Return rows of many series as a row group. Its dates are not in order."""
    dates, *floats = zip(*[row.values for row in rows], strict=True)
    arrays = [pa.array(list(map(float, each)), pa.float64()) for each in floats]
    instants = pa.array(dates, pa.int64()).view(DATE)
    batch = pa.RecordBatch.from_arrays([instants, *arrays], schema=SERIES)
    return Columns(batch, Dates(instants))
