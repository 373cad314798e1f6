"""The bars of an export, as tables of one schema: streamed, or adjusted and resampled by symbol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from storecore.bars.extra_values import FIELDS
from storecore.protocols import DataStore
from storecore.store.frames.adjust import FACTOR, VOLUME_FACTOR, adjust
from storecore.store.frames.resample import resample
from storecore.store.questions import read_events
from storecore.store.tables import iter_bar_tables, read_bar_table

_PIECE = 2**18  # rows


class BarQuery(NamedTuple):
    """Which bars are exported, and how they are changed before."""

    symbols: Sequence[str]
    bounds: tuple[datetime, datetime]
    timeframe: str
    adjusted: bool = False
    resampled: str | None = None
    zone: str | None = None

    @property
    def written(self) -> str:
        """The timeframe of the bars that are written."""
        return self.resampled or self.timeframe


def bar_tables(store: DataStore, query: BarQuery) -> Iterator[pa.Table]:
    """Yield tables of bars with the same columns, sorted by date, or by symbol if changed."""
    streamed = iter_bar_tables(store, query.symbols, *query.bounds, timeframe=query.timeframe)
    if not (query.adjusted or query.resampled):
        yield from streamed
        return
    first = next(streamed, None)
    if first is None:
        return
    streamed.close()  # type: ignore[attr-defined]  # a generator
    names = _names(first.schema, query)
    for symbol in query.symbols:
        changed = _changed(store, symbol, query)
        if len(changed):
            yield from _pieces(_with_columns(changed, names))


def _names(schema: pa.Schema, query: BarQuery) -> list[pa.Field]:
    """Return the fields of the bars that are written."""
    fields = [schema.field(name) for name in FIELDS]
    if query.resampled:
        return fields
    further = [field for field in schema if field.name not in FIELDS]
    factors = [pa.field(name, pa.float64()) for name in (FACTOR, VOLUME_FACTOR)]
    return [*fields, *further, *factors]


def _changed(store: DataStore, symbol: str, query: BarQuery) -> pa.Table:
    bars = read_bar_table(store, symbol, *query.bounds, timeframe=query.timeframe)
    if query.adjusted:
        events = read_events(store, types=["split", "dividend"], symbols=[symbol])
        bars = adjust(bars, events, zone=query.zone)
    return resample(bars, query.resampled, zone=query.zone) if query.resampled else bars


def _with_columns(bars: pa.Table, fields: Sequence[pa.Field]) -> pa.Table:
    """Return bars with these columns; one that they do not have is null."""
    columns = [
        bars[each.name] if each.name in bars.column_names else pa.nulls(len(bars), each.type)
        for each in fields
    ]
    return pa.table(columns, [each.name for each in fields])


def _pieces(bars: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(bars), _PIECE):
        yield bars.slice(start, _PIECE)
