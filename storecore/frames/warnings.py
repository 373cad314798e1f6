"""Warnings of bars that are kept as given, but look as if something else was meant.

They are given by `warnings.warn`, before anything is written: users of frames see them where they
work, Python shows each once for each line of a program, and a program can turn them off
(`warnings.filterwarnings("ignore", category=storecore.StoreWarning)`) or into errors.
"""

from __future__ import annotations

import sys
import warnings
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.groups import Grouped
from storecore.bars.regularity import Misfit, misfit, shares_period
from storecore.errors import StoreWarning
from storecore.frames.silence import is_silenced
from storecore.values.timeframes import DAY, timeframe_of, usual_spelling

_MOST = 5


def warn_of_spelling(timeframe: str) -> None:
    """Warn of an unusual spelling of a timeframe, which names a series of its own."""
    usual = usual_spelling(timeframe)
    if usual is not None:
        _warn(
            f"timeframe {timeframe!r}: did you mean {usual!r}? They name different series; a store "
            "keeps both"
        )


def warn_of_midnights(zone: str, timeframe: str) -> None:
    """Warn of days that are stamped at the midnights of a zone."""
    _warn(
        f"timeframe {timeframe!r}: the dates are midnights in {zone}, and are kept as instants, "
        'which are no midnights in UTC; give day="written" to file each bar under its own day'
    )


def warn_of_bars(rows: Grouped, timeframe: str) -> None:
    """Warn of each series whose dates do not fit the timeframe, of many only the first."""
    found = misfits(rows, timeframe)
    for symbol, each in found[:_MOST]:
        _warn(f"{symbol}, timeframe {timeframe!r}: {each.looks_like}; {each.advice}")
    if len(found) > _MOST:
        _warn(f"timeframe {timeframe!r}: so do the bars of {len(found) - _MOST} more symbols")


def misfits(rows: Grouped, timeframe: str) -> list[tuple[str, Misfit]]:
    """Return the series whose dates do not fit the timeframe."""
    length = timeframe_of(timeframe)
    if length is None or len(rows.table) < 2:
        return []
    dates = pc.cast(rows.table["date"], pa.int64()).combine_chunks()
    starts = [0, *rows.ends[:-1]]
    if length.micros >= DAY and not _any_shared(shares_period(dates, length), starts):
        return []
    series = [
        (name, misfit(dates[start:end], timeframe))
        for name, (start, end) in zip(rows.names, pairwise([0, *rows.ends]), strict=True)
    ]
    return [(name, each) for name, each in series if each is not None]


def _any_shared(shared: pa.Array, starts: list[int]) -> bool:
    """Return whether two bars of one symbol share a period; the last of one and the next do not."""
    if not pc.any(shared).as_py():
        return False
    return bool(set(pc.indices_nonzero(shared).to_pylist()) - {start - 1 for start in starts})


def _warn(text: str) -> None:
    """Warn at the line of the program that called storecore."""
    if is_silenced():
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("storecore"):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, StoreWarning, stacklevel=level)
