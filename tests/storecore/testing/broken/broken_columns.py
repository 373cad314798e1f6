"""The memory backend with one fault in how it keeps further columns of bars."""

from __future__ import annotations

import math
from datetime import datetime

from msgspec.structs import replace

from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.bars import MemoryBars


class Columned(MemoryDataStore):
    """Changes the further columns of the bars that are written or read, one bar at a time."""

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        bars = list(bars) if hasattr(bars, "__iter__") else bars
        if isinstance(bars, list):
            bars = [self.written(bar) if getattr(bar, "extra", None) else bar for bar in bars]
        super().write_bars(symbol, bars, timeframe=timeframe)

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return [self.read(b) for b in super().read_bars(symbol, start, end, timeframe=timeframe)]

    def written(self, bar):
        return bar

    def read(self, bar):
        return bar


class InOtherCollection(MemoryDataStore):
    """Has a collection of bars with a fault."""

    def __init__(self):
        super().__init__()
        self._bars = self.Bars(self._clock)


class ForgetsColumns(Columned):
    law = "B6"

    def read(self, bar):
        return replace(bar, extra=None)


class GivesEmptyDicts(Columned):
    law = "B6"

    def read(self, bar):
        return replace(bar, extra=bar.extra or {})


class GivesNullsToo(Columned):
    law = "B6"

    def read(self, bar):
        return bar if bar.extra is None else replace(bar, extra={"vwap": None, **bar.extra})


class MakesFloatsOfAll(Columned):
    law = "B6"

    def read(self, bar):
        numbers = {
            name: float(value) if type(value) in (int, bool) else value
            for name, value in (bar.extra or {}).items()
        }
        return replace(bar, extra=numbers or None)


class TakesNanForNull(Columned):
    law = "B6"

    def read(self, bar):
        kept = {
            name: value
            for name, value in (bar.extra or {}).items()
            if not (isinstance(value, float) and math.isnan(value))
        }
        return replace(bar, extra=kept or None)


class PutsUnderscoresForBlanks(Columned):
    law = "B6"

    def written(self, bar):
        if not isinstance(bar.extra, dict):
            return bar
        names = {name: name.replace(" ", "_") for name in bar.extra if isinstance(name, str)}
        return replace(bar, extra={names.get(n, n): value for n, value in bar.extra.items()})


class ForgetsTheTimeZone(Columned):
    law = "B6"

    def read(self, bar):
        naive = {
            name: value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value
            for name, value in (bar.extra or {}).items()
        }
        return replace(bar, extra=naive or None)


class ZeroForNoVolume(Columned):
    law = "B6"

    def read(self, bar):
        return replace(bar, volume=bar.volume or 0)


class KeepsOldColumns(InOtherCollection):
    """An upsert merges the columns of the new bar into those of the old one."""

    law = "B6"

    class Bars(MemoryBars):
        def write(self, symbol, timeframe, columns):
            known = self.by_series.get((symbol, timeframe))
            old = known.extra if known else {}
            super().write(symbol, timeframe, columns)
            series = self.by_series.get((symbol, timeframe))
            if old:
                for at in columns.date:
                    series.extra[at] = old.get(at, {}) | series.extra.get(at, {})


class ForgetsTypes(InOtherCollection):
    """The type of a column is that of its last write."""

    law = "B6"

    class Bars(MemoryBars):
        def _update(self, given):
            for key in given:
                if key in self.by_series:
                    self.by_series[key].kinds.clear()
            super()._update(given)


class RemembersTypesForEver(InOtherCollection):
    """A series that was deleted whole still decides on the types of the next one."""

    law = "B6"

    class Bars(MemoryBars):
        def delete(self, symbol, timeframe, span):
            known = self.by_series.get((symbol, timeframe))
            removed = super().delete(symbol, timeframe, span)
            if known:
                left = self.by_series.get((symbol, timeframe), known)
                self.by_series[symbol, timeframe] = left._replace(kinds=known.kinds)
            return removed

        def series(self):
            return [key for key, series in self.by_series.items() if series.rows]


class WritesOneSymbolAfterTheOther(InOtherCollection):
    """A misfit in the second symbol of a table comes after the first one is written."""

    law = "B6"

    class Bars(MemoryBars):
        def write_many(self, timeframe, batch):
            for symbol, columns in batch.columns():
                self.write(symbol, timeframe, columns)


class HasNoTypesOfEmptyRanges(InOtherCollection):
    """Without bars in a range, a table has no further columns."""

    law = "B6"

    class Bars(MemoryBars):
        def read_many(self, symbols, timeframe, span, columns):
            found = super().read_many(symbols, timeframe, span, columns)
            return [(symbol, table) for symbol, table in found if len(table)]


class HasSevenColumnsInTables(InOtherCollection):
    law = "B6"

    class Bars(MemoryBars):
        def read_many(self, symbols, timeframe, span, columns):
            found = super().read_many(symbols, timeframe, span, columns)
            return [(symbol, table.select(table.column_names[:6])) for symbol, table in found]


class DigestsTheSevenOnly(MemoryDataStore):
    law = "B6"

    def checkpoint(self):
        seven = MemoryDataStore()
        for symbol, timeframe in self._bars.series():
            bars = self.read_bars(symbol, datetime.min, datetime.max, timeframe=timeframe)
            plain = [replace(bar, extra=None, volume=bar.volume or 0) for bar in bars]
            seven.write_bars(symbol, plain, timeframe=timeframe)
        return replace(super().checkpoint(), bars=seven.checkpoint().bars)
