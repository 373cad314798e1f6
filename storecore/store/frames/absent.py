"""Symbols that are asked for, but of which a store has no bars of a timeframe."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storecore.protocols import Catalog
from storecore.store.frames.warnings import warn
from storecore.store.questions import has_method

_MOST = 5


def warn_of_absent(store: Any, symbols: list[str], found: pa.Table, timeframe: str) -> None:
    """Warn of symbols without rows of which the store has no bars of the timeframe at all.

    A symbol that has bars outside the range that was asked for is no mistake. A store that cannot
    list its symbols does not tell the two apart: then nothing is said.
    """
    there = set(pc.unique(found["symbol"]).to_pylist())
    absent = [each for each in dict.fromkeys(symbols) if each not in there]
    if not absent or not isinstance(store, Catalog):
        return
    known = set(store.symbols(timeframe))
    texts = [_text(store, each, timeframe) for each in absent if each not in known]
    if texts:
        more = f"; and so with {len(texts) - _MOST:,} more symbols" if texts[_MOST:] else ""
        warn(f"the store has no {timeframe} bars of {'; '.join(texts[:_MOST])}{more}")


def _text(store: Any, symbol: str, timeframe: str) -> str:
    """Return a symbol with the timeframes that it has, or with those that are spelled like it."""
    timeframes = store.timeframes(symbol)
    if timeframes:
        return f"{symbol!r}, which has {', '.join(timeframes)}"
    near = store.nearest(symbol) if has_method(store, "nearest") else []
    return f"{symbol!r}" + (f", did you mean {' or '.join(map(repr, near))}?" if near else "")
