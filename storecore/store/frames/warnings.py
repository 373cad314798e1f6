"""Warnings of bars that are kept as given, but look as if something else was meant.

They are given by `warnings.warn`, before anything is written: users of frames see them where they
work, Python shows each once for each line of a program, and a program can turn them off
(`warnings.filterwarnings("ignore", category=storecore.StoreWarning)`) or into errors.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from itertools import pairwise
from operator import sub

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import Grouped
from storecore.bars.midnights import Midnights
from storecore.bars.regularity import Misfit, may_be_sparse, misfit
from storecore.bars.table import instants_of, number_column, whole_scalar
from storecore.errors import StoreWarning
from storecore.store.frames.numbers import decoded
from storecore.store.frames.silence import is_silenced
from storecore.values.timeframes import timeframe_of, usual_spelling

_MOST = 5
_FEW = 1_000


def warn_of_spelling(timeframe: str) -> None:
    """Warn of an unusual spelling of a timeframe, which names a series of its own."""
    usual = usual_spelling(timeframe)
    if usual is not None:
        warn(
            f"timeframe {timeframe!r}: did you mean {usual!r}? They name different series; a store "
            "keeps both"
        )


def warn_of_midnights(zone: str, timeframe: str) -> None:
    """Warn of days that are stamped at the midnights of a zone."""
    warn(
        f"timeframe {timeframe!r}: the dates are midnights in {zone}, and are kept as instants, "
        'which are no midnights in UTC; give day="written" to file each bar under its own day'
    )


def warn_of_lost_midnights(found: Midnights, timeframe: str) -> None:
    """Warn of days that look like the midnights of a zone, which the table does not name."""
    warn(
        f"timeframe {timeframe!r}: all dates are at {found.clocks} UTC, as midnights in "
        f"{found.zone} are, and are kept as instants; if they are days of that zone, give the "
        f'dates in it (pandas: dt.tz_convert({found.zone!r})) and day="written", which files '
        "each bar under its own day"
    )


def warn_of_bars(rows: Grouped, timeframe: str, stated: str | None = None) -> None:
    """Warn of each series whose dates do not fit the timeframe, of many only the first.

    `stated` is the timeframe that the metadata of the table names.
    """
    found = misfits(rows, timeframe)
    own = f"the table is one of {stated} bars; give timeframe {stated!r}"
    for symbol, each in found[:_MOST]:
        advice = each.advice if stated in (None, timeframe) else own
        warn(f"{symbol}, timeframe {timeframe!r}: {each.looks_like}; {advice}")
    if len(found) > _MOST:
        warn(f"timeframe {timeframe!r}: so do the bars of {len(found) - _MOST} more symbols")


def warn_of_repeats(given: pa.Table, rows: Grouped, timeframe: str) -> None:
    """Warn if rows of a table were dropped that differ from the one of their date that is kept."""
    if is_silenced():
        return
    names = rows.table.column_names
    values = {"symbol": decoded(given["symbol"]), **{name: given[name] for name in names}}
    plain = pa.table({name: decoded(each) for name, each in values.items()})
    distinct = plain.group_by(plain.column_names).aggregate([])
    repeats = len(distinct) - len(rows.table)
    if repeats > 0:
        warn(
            f"timeframe {timeframe!r}: {repeats:,} rows repeat a date of their series with other "
            "values, the last of each was taken; if they are bars of their own, the dates lack "
            "their time"
        )


def warn_of_no_bars() -> None:
    """Warn of a table that a store has answered without rows."""
    warn(
        "table: it has no bars: a store gives no rows for a symbol or timeframe that it does not "
        "have; store.nearest(symbol) finds the spelling, store.inventory() lists every series"
    )


def misfits(rows: Grouped, timeframe: str) -> list[tuple[str, Misfit]]:
    """Return the series whose dates do not fit the timeframe."""
    length = timeframe_of(timeframe)
    if length is None or len(rows.table) == len(rows.names):
        return []  # no length, or one bar of each symbol
    instants = instants_of(rows.table)
    looked_at = list(zip(rows.names, pairwise([0, *rows.ends]), strict=True))
    if _are_apart(instants, length.micros, [start for _, (start, _) in looked_at]):
        looked_at = [each for each in looked_at if may_be_sparse(instants, *each[1], length)]
    series = [
        (name, misfit(number_column(instants[start:end], pa.int64(), "q"), timeframe))
        for name, (start, end) in looked_at
    ]
    return [(name, each) for name, each in series if each is not None]


def _are_apart(instants: Sequence[int], length: int, starts: list[int]) -> bool:
    """Return whether all bars of each symbol are at least a length apart: the usual case."""
    if len(starts) == 1 and len(instants) <= _FEW:  # faster than a call of Arrow
        dates = list(instants)
        least: int = min(map(sub, dates[1:], dates))
        return least >= length
    dates = pa.Array.from_buffers(pa.int64(), len(instants), [None, pa.py_buffer(instants)])
    near = pc.less(pc.subtract(dates[1:], dates[:-1]), whole_scalar(length))
    if near.true_count >= len(starts):
        return False  # more than there are steps from one symbol to the next
    return set(pc.indices_nonzero(near).to_pylist()) <= {start - 1 for start in starts}


def warn(text: str) -> None:
    """Warn at the line of the program that called storecore."""
    if is_silenced():
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("storecore"):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, StoreWarning, stacklevel=level)
