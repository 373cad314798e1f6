"""Copies bars, series by series, in tables of a bounded size.

A table of the source is written if the target's bars of these times differ, so a killed copy
continues in the middle of a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from storecore.copying.report import Copied, LeftOut, Progress
from storecore.copying.scope import WHOLE, Scope
from storecore.errors import CorruptData, InvalidData
from storecore.protocols import Catalog, DataStore
from storecore.store.digests import (
    EVER,
    BarDigest,
    Tally,
    bounds_of,
    content_of,
    exact_series,
    pieces_of,
)
from storecore.store.frames.silence import silenced
from storecore.store.tables import read_bar_table, write_bar_table

if TYPE_CHECKING:
    import pyarrow as pa


class _Series(NamedTuple):
    """One series of one store."""

    store: DataStore
    symbol: str
    timeframe: str
    bounds: tuple[datetime, datetime] = EVER

    def pieces(self) -> Iterator[pa.Table]:
        """Yield the series as series tables, in order of time."""
        return pieces_of(*self)

    def at_times_of(self, piece: pa.Table) -> pa.Table:
        """Return the bars of the series at the times of a piece."""
        import pyarrow.compute as pc

        from storecore.bars.table import EMPTY

        bounds = bounds_of(piece)
        table = read_bar_table(self.store, self.symbol, *bounds, timeframe=self.timeframe)
        if not len(table):
            return EMPTY
        held = exact_series(*self[:3], table)
        if len(held) <= len(piece):
            return held
        return held.filter(pc.is_in(held["date"], piece["date"].combine_chunks()))

    def write(self, piece: pa.Table) -> None:
        """Insert or replace the bars of a piece."""
        from storecore.bars.extra import EVERY, EXACT
        from storecore.bars.query import query_result
        from storecore.bars.table import FIELDS, bars_of

        table = query_result([(self.symbol, piece)], (*FIELDS, EVERY), aware=True)
        if EXACT in piece.column_names and table["volume"].type != "int64":
            bars = bars_of(self.symbol, piece, aware=True)
            return self.store.write_bars(self.symbol, bars, timeframe=self.timeframe)
        with silenced():  # the source was told when it was written
            return write_bar_table(self.store, table, timeframe=self.timeframe)


def copy_bars(
    source: DataStore, target: DataStore, progress: Progress, scope: Scope = WHOLE
) -> Iterator[Copied | LeftOut]:
    """Copy every series, and report on all series, including those of the target only."""
    if not isinstance(source, Catalog):
        why = "the source cannot list its series: it lacks the capability Catalog"
        yield LeftOut("bars", why)
        return
    for symbol, timeframe in sorted({*_listed(source), *_listed(target)}):
        if not scope.has_symbol(symbol):
            continue
        series = symbol, timeframe, scope.bounds
        given, kept = _Series(source, *series), _Series(target, *series)
        try:
            taken, added = _copy(given, kept, progress)
            held = _tally(kept)
            if taken.count or held.count:  # from the beginning of the scope on
                yield Copied("bars", symbol, taken, held, timeframe, added)
        # In this series: the others are copied. A target may keep no further columns, or have one
        # of another type.
        except (CorruptData, InvalidData) as error:
            yield LeftOut("bars", f"{symbol} ({timeframe}): {error}")


def _listed(store: DataStore) -> list[tuple[str, str]]:
    """Return the series of a store; none if it cannot list them."""
    if not isinstance(store, Catalog):
        return []
    return [
        (symbol, timeframe) for symbol in store.symbols() for timeframe in store.timeframes(symbol)
    ]


def _copy(given: _Series, kept: _Series, progress: Progress) -> tuple[Tally, int]:
    """Copy one series; return the source's tally and the number of written bars."""
    columns, added = BarDigest(), 0
    for piece in given.pieces():
        columns.add(piece)
        if content_of(kept.at_times_of(piece)) != content_of(piece):
            kept.write(piece)
            added += len(piece)
        progress("bars", given.symbol, len(piece))
    return columns.tally(), added


def _tally(series: _Series) -> Tally:
    columns = BarDigest()
    for piece in series.pieces():
        columns.add(piece)
    return columns.tally()
