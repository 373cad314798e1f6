"""Rows of the journal behind the bars of partitions that are kept decoded.

A collector appends a bar to each of many series at once, so a question about the present of many
series meets rows of each. They become one row group for all series, of which each has a tail, and
are kept until the journal has other rows of the series. Rows that are dated after those of a tail
are added behind a copy of it, so that the first question after an append converts only these. Rows
that have to be merged into the bars of partitions, or have more than the seven columns, are left to
those who read the files.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import pyarrow as pa

from storecore.bars.table import DATE, SERIES, number_column
from storecore.values.times import TimeRange
from storecore_file.bars.decoded import Columns, Dates, Flushed, Piece, newest
from storecore_file.bars.journal import Pending, Waiting
from storecore_file.bars.journal_lines import Row
from storecore_file.bars.layout import Partition
from storecore_file.bars.panel import ALL, Names, copied

_MAX_EXACT = 2**53  # up to here float64 holds every whole number
Known = list[tuple[Partition, Flushed]]


class Tail(NamedTuple):
    """Rows of a series that were in none of some partitions, one of each date, in order of time.

    They are some of a row group that series share. Without `columns`, readers of files merge them.
    They are what counts of the first `seen` rows that the journal has of the series.
    """

    partitions: Known
    seen: int
    columns: Columns | None
    start: int
    end: int

    def piece(self) -> list[Piece]:
        """Return all of it as a piece, none if it is empty."""
        if self.columns is None or self.start == self.end:
            return []
        return [Piece(self.columns.memory(ALL), self.columns, self.start, self.end - self.start)]


class _Growth(NamedTuple):
    """A tail that stays (None: nothing), and the rows behind it; None if they cannot be one."""

    tail: Tail | None
    rows: list[Row] | None


def tails_of(given: Sequence[tuple[Waiting, Known]]) -> list[Tail]:
    """Return the tails of series, given the partitions that a question has looked at."""
    tails: list[Tail | None] = [waiting.made for waiting, _ in given]
    looked = [_beside(*each) for each in given]
    new = [
        place
        for place, tail in enumerate(tails)
        if tail is None
        or tail.partitions != looked[place]
        or tail.seen != len(given[place][0].pending.rows)
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
    grown = [_growth(*each) for each in given]
    columns, end = _joined(grown), 0
    for (waiting, partitions), (tail, rows) in zip(given, grown, strict=True):
        start, end = end, end + len(rows or ()) + (tail.end - tail.start if tail else 0)
        seen = len(waiting.pending.rows)
        yield Tail(partitions, seen, None if rows is None else columns, start, end)


def _growth(waiting: Waiting, partitions: Known) -> _Growth:
    """Return the tail of a series as it was, if the rows since then are dated after its own."""
    tail: Tail | None = waiting.made
    if tail is not None and tail.columns is not None and tail.partitions == partitions:
        rows = _counting(waiting.pending.since(tail.seen), partitions)
        dates = tail.columns.dates.instants[tail.start : tail.end]
        if rows and (not dates or rows[0].values[0] > dates[-1]):
            return _Growth(tail, rows)
    return _Growth(None, _counting(waiting.pending, partitions))


def _counting(pending: Pending, partitions: Known) -> list[Row] | None:
    """Return the rows that are in no partition yet, the last of each date, in order of time.

    None if one has more than seven columns of floats.
    """
    rows = pending.not_in(partitions)
    if any(row.kinds or not _is_float(row.values[5]) for row in rows):
        return None
    by_date = {row.values[0]: row for row in rows}
    return [by_date[at] for at in sorted(by_date)]


def _joined(grown: Sequence[_Growth]) -> Columns:
    """Return tails, and behind each its rows, as a row group."""
    columns, at = _columns([row for _, rows in grown for row in rows or ()]), 0
    if not any(tail for tail, _ in grown):
        return columns
    memory, pieces = columns.memory(ALL), list[Piece]()
    for tail, rows in grown:
        count = len(rows or ())
        pieces += tail.piece() if tail else ()
        pieces.append(Piece(memory, columns, at, count))
        at += count
    arrays = [*copied(pieces, ALL, sum(each.rows for each in pieces))]
    batch = pa.RecordBatch.from_arrays(arrays, schema=SERIES)
    return Columns(batch, Dates(batch["date"]))


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
    arrays = [number_column(each, pa.float64(), "d") for each in floats]
    instants = number_column(dates, DATE, "q")
    batch = pa.RecordBatch.from_arrays([instants, *arrays], schema=SERIES)
    return Columns(batch, Dates(instants))
