"""The memory backend with one fault in how it keeps bars, each of a kind that people write."""

from __future__ import annotations

import time
from datetime import datetime
from math import isfinite

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import InvalidData, PriceBar, laws

PRICES = ("open", "high", "low", "close")


class Changing(MemoryDataStore):
    """Changes each bar before it is written."""

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        if isinstance(bars, (list, tuple)):
            bars = [self.changed(bar) if isinstance(bar, PriceBar) else bar for bar in bars]
        super().write_bars(symbol, bars, timeframe=timeframe)


class Answering(MemoryDataStore):
    """Changes the bars that are read."""

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return self.changed(super().read_bars(symbol, start, end, timeframe=timeframe))


class KeepsTheFirst(MemoryDataStore):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        old = self._bars.get((symbol, timeframe), {})
        super().write_bars(symbol, bars, timeframe=timeframe)
        if old:
            self._bars[symbol, timeframe] |= old


class KeepsTheFirstOfABatch(MemoryDataStore):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        bars = bars[::-1] if isinstance(bars, list) else bars
        super().write_bars(symbol, bars, timeframe=timeframe)


class KeepsDuplicates(Answering):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        bars = list(bars) if hasattr(bars, "__iter__") else bars
        super().write_bars(symbol, bars, timeframe=timeframe)
        self.written = [*getattr(self, "written", []), *bars]

    def changed(self, bars):
        return [bar for bar in bars for each in self.written if each.close == bar.close]


class ReadsInOrderOfWriting(Answering):
    law = "B1"

    def changed(self, bars):
        dates = [laws.to_datetime(at, False) for series in self._bars.values() for at in series]
        return sorted(bars, key=lambda bar: dates.index(bar.date.replace(tzinfo=None)))


class OneSeriesForAllTimeframes(MemoryDataStore):
    law = "B1"

    def _series(self, symbol, timeframe):
        return super()._series(symbol, timeframe)[0], "1d"


class ReplacesTheSeries(MemoryDataStore):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        columns = laws.bar_columns(self._name(symbol, "symbol"), bars)
        if columns.date:
            self._bars.pop((symbol, timeframe), None)
        super().write_bars(symbol, laws.price_bars(symbol, columns, False), timeframe=timeframe)


class WritesBeforeItChecks(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        if not isinstance(bars, list):
            return super().write_bars(symbol, bars, timeframe=timeframe)
        for bar in bars:
            super().write_bars(symbol, [bar], timeframe=timeframe)
        return None


class ZeroForNaN(Changing):
    law = "B2"

    def changed(self, bar):
        missing = {
            name: 0.0
            for name in PRICES
            if isinstance(getattr(bar, name), float) and not isfinite(getattr(bar, name))
        }
        return replace(bar, **missing)


class PutsHighAboveLow(Changing):
    law = "B2"

    def changed(self, bar):
        if not isinstance(bar.high, float) or not isinstance(bar.low, float):
            return bar
        return replace(bar, high=max(bar.high, bar.low), low=min(bar.high, bar.low))


class RefusesNegativePrices(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        columns = laws.bar_columns(self._name(symbol, "symbol"), bars)
        for row, close in enumerate(columns.close):
            if close < 0:
                raise InvalidData(f"bars[{row}].close={close}: expected a price above 0")
        super().write_bars(symbol, laws.price_bars(symbol, columns, False), timeframe=timeframe)


class LeavesBadRowsOut(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        good = []
        for bar in bars:
            try:
                laws.bar_columns(symbol, [bar])
            except InvalidData:
                continue
            good.append(bar)
        super().write_bars(symbol, good, timeframe=timeframe)


class NamesNoRow(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        try:
            super().write_bars(symbol, bars, timeframe=timeframe)
        except InvalidData:
            raise InvalidData("the batch is not valid") from None


class TakesBools(Changing):
    law = "B2"

    def changed(self, bar):
        bools = {name: float(getattr(bar, name) is True) for name in PRICES}
        return replace(bar, **{name: value for name, value in bools.items() if value})


class TakesNegativeVolumes(Changing):
    law = "B2"

    def changed(self, bar):
        negative = type(bar.volume) in (int, float) and bar.volume < 0
        return replace(bar, volume=-bar.volume) if negative else bar


class CountsWhatIsAGenerator(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        for bar in bars:
            laws.bar_columns(symbol, [bar])
        super().write_bars(symbol, bars, timeframe=timeframe)


class AnEmptyBatchDeletes(MemoryDataStore):
    law = "B3"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        if bars == []:
            self._bars.pop((symbol, timeframe), None)
        super().write_bars(symbol, bars, timeframe=timeframe)


class AnEmptyBatchIsAnError(MemoryDataStore):
    law = "B3"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        if bars == []:
            raise InvalidData("bars: expected at least one bar")
        super().write_bars(symbol, bars, timeframe=timeframe)


class DeletesThenInserts(MemoryDataStore):
    law = "B4"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        old = self._bars.get((symbol, timeframe), {})
        self._bars[symbol, timeframe] = {}
        time.sleep(0.001)
        self._bars[symbol, timeframe] = old
        super().write_bars(symbol, bars, timeframe=timeframe)


class WritesColumnByColumn(MemoryDataStore):
    law = "B4"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        columns = laws.bar_columns(self._name(symbol, "symbol"), bars)
        old = self._bars.get((symbol, timeframe), {})
        half = [
            PriceBar(symbol, laws.to_datetime(at, False), opened, *old[at][2:])
            for at, opened in zip(columns.date, columns.open, strict=True)
            if at in old
        ]
        super().write_bars(symbol, half, timeframe=timeframe)
        time.sleep(0.001)
        super().write_bars(symbol, laws.price_bars(symbol, columns, False), timeframe=timeframe)


class RoundsPrices(Changing):
    law = "B5"

    def changed(self, bar):
        return replace(bar, close=round(bar.close, 6) if type(bar.close) is float else bar.close)


class KeepsSingles(Changing):
    law = "B5"

    def changed(self, bar):
        floats = {name: getattr(bar, name) for name in PRICES}
        return replace(bar, **{n: float(f"{v:.7g}") for n, v in floats.items() if type(v) is float})


class LosesTheSignOfZero(Changing):
    law = "B5"

    def changed(self, bar):
        return replace(bar, low=bar.low + 0.0 if type(bar.low) is float else bar.low)


class VolumesAreFloats(Answering):
    law = "B5"

    def changed(self, bars):
        return [replace(bar, volume=float(bar.volume)) for bar in bars]


class VolumesGoThroughFloat(Answering):
    law = "B5"

    def changed(self, bars):
        return [
            replace(bar, volume=int(float(bar.volume)) if bar.volume == int(bar.volume) else 0.5)
            for bar in bars
        ]


class VolumesAreWhole(Changing):
    law = "B5"

    def changed(self, bar):
        fraction = type(bar.volume) is float and isfinite(bar.volume) and bar.volume >= 0
        return replace(bar, volume=int(bar.volume)) if fraction else bar


class RefilesBars(Changing):
    law = "N3"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        self.symbol = symbol
        super().write_bars(symbol, bars, timeframe=timeframe)

    def changed(self, bar):
        return replace(bar, symbol=self.symbol)


class LosesTheFirstDay(Answering):
    law = "T3"

    def changed(self, bars):
        return [bar for bar in bars if bar.date.replace(tzinfo=None) != datetime(2026, 1, 5)]
