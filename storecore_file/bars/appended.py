"""Rows of the journal behind the bars of partitions that are kept decoded.

A collector appends a bar to each of many series at once, so a question about the present of many
series meets rows of each. They become one row group for all series, of which each has a tail, and
are kept until the journal has other rows of the series. Rows that have to be merged into the bars
of partitions, or have more than the seven columns, are left to those who read the files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import pyarrow as pa

from storecore.bars.table import DATE, SERIES
from storecore.values.times import TimeRange
from storecore_file.bars.decoded import Columns, Dates, Flushed, Piece, newest
from storecore_file.bars.journal import Waiting
from storecore_file.bars.journal_lines import Row
from storecore_file.bars.layout import Partition

_MAX_EXACT = 2**53  # up to here float64 holds every whole number
Names = tuple[str, ...]
Known = list[tuple[Partition, Flushed]]


class Tail(NamedTuple):
    """Rows of a series that were in none of some partitions, one of each date, in order of time.

    They are some of a row group that series share. Without `columns`, readers of files merge them.
    """

    partitions: Known
    columns: Columns | None
    start: int
    end: int


def tails_of(given: Sequence[tuple[Waiting, Known]]) -> list[Tail]:
    """Return the tails of series, given the partitions that a question has looked at."""
    tails: list[Tail | None] = [waiting.made for waiting, _ in given]
    looked = [_beside(*each) for each in given]
    new = [
        place
        for place, tail in enumerate(tails)
        if tail is None or tail.partitions != looked[place]
    ]
    if new:
        made = _made([(given[place][0], looked[place]) for place in new])
        for place, tail in zip(new, made, strict=True):
            tails[place] = given[place][0].made = tail
    return cast(list[Tail], tails)


def _beside(waiting: Waiting, partitions: Known) -> Known:
    """Return the partitions in whose ranges rows may lie."""
    first, last = waiting.first, waiting.last
    return [each for each in partitions if each[0].first <= last and first <= each[0].last]


def _made(given: Sequence[tuple[Waiting, Known]]) -> Iterator[Tail]:
    """Yield the tails of series, whose rows become one row group."""
    counting = [_counting(*each) for each in given]
    columns, end = _columns([row for rows in counting for row in rows or ()]), 0
    for (_, partitions), rows in zip(given, counting, strict=True):
        start, end = end, end + len(rows or ())
        yield Tail(partitions, None if rows is None else columns, start, end)


def _counting(waiting: Waiting, partitions: Known) -> list[Row] | None:
    """Return the rows that are in no partition yet, the last of each date, in order of time.

    None if one has more than seven columns of floats.
    """
    rows = waiting.pending.not_in(partitions)
    if any(row.kinds or not _is_float(row.values[5]) for row in rows):
        return None
    by_date = {row.values[0]: row for row in rows}
    return [by_date[at] for at in sorted(by_date)]


def _is_float(volume: float | None) -> bool:
    return volume is not None and (type(volume) is float or volume <= _MAX_EXACT)


def behind(
    pieces: list[Piece] | None, tail: Tail, span: TimeRange, names: Names, ended: int
) -> list[Piece] | None:
    """Return pieces, and behind them what a tail has of a range.

    None if there are none, if bars are among or after the tail, or if it reaches beyond `ended`.
    """
    if pieces is None or tail.columns is None:
        return None
    dates = tail.columns.dates.instants
    start = bisect_left(dates, span.first, tail.start, tail.end)
    end = bisect_right(dates, span.last, start, tail.end)
    if start == end:
        return pieces
    kept = None if dates[end - 1] > ended else _before(pieces, dates[start:end])
    if kept is None:
        return None
    piece = Piece(tail.columns.memory(names), tail.columns, start, end - start)
    return newest([*kept, piece], span.newest)


def _before(pieces: list[Piece], dates: memoryview[int]) -> list[Piece] | None:
    """Return pieces without the bars of some dates, None if other bars are among or after those."""
    first, kept = dates[0], list(pieces)
    replaced = set[int]()
    while kept:
        piece = kept[-1]
        instants = piece.columns.dates.instants
        count = piece.rows
        while count and instants[piece.start + count - 1] >= first:
            replaced = replaced or {*dates}
            if instants[piece.start + count - 1] not in replaced:
                return None
            count -= 1
        if count:
            return [*kept[:-1], piece._replace(rows=count)] if replaced else kept
        kept.pop()
    return kept


def _columns(rows: Sequence[Row]) -> Columns:
    """Return rows of many series as a row group. Its dates are not in order."""
    values = [row.values for row in rows]
    columns = zip(*values, strict=True) if values else [()] * len(SERIES)
    dates, *floats = columns
    arrays = [pa.array(list(map(float, each)), pa.float64()) for each in floats]
    instants = pa.array(dates, pa.int64()).view(DATE)
    batch = pa.RecordBatch.from_arrays([instants, *arrays], schema=SERIES)
    return Columns(batch, Dates(instants))
