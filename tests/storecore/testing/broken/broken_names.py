"""The memory backend with one fault in how it tells names, closes, or what it says it is."""

from __future__ import annotations

import unicodedata

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import StoreClosed, laws
from storecore.reports import Footprint


class Renaming(MemoryDataStore):
    """Files under another name than it was given, and gives the right one back."""

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        columns = laws.bar_columns(key[0], bars)
        kept = self.renamed(key[0]), self.renamed(key[1])
        if columns.date:
            plain = laws.price_bars(kept[0], columns, False)
            super().write_bars(kept[0], plain, timeframe=kept[1])

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        kept = self.renamed(key[0]), self.renamed(key[1])
        read = super().read_bars(kept[0], start, end, timeframe=kept[1])
        return [replace(bar, symbol=symbol) for bar in read]

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        kept = self.renamed(self._name(strategy_name, "strategy_name"))
        super().save_strategy_state(kept, state, expect=expect)

    def load_strategy_state(self, strategy_name):
        kept = self.renamed(self._name(strategy_name, "strategy_name"))
        return super().load_strategy_state(kept)


class FoldsCase(Renaming):
    law = "N1"

    def renamed(self, name):
        return name.upper()


class NormalisesUnicode(Renaming):
    law = "N1"

    def renamed(self, name):
        return unicodedata.normalize("NFC", name)


class StripsNames(Renaming):
    law = "N1"

    def renamed(self, name):
        return name.strip() or "_"


class CutsLongNames(Renaming):
    law = "N1"

    def renamed(self, name):
        return name[:255]


class SlashesBecomeUnderscores(Renaming):
    law = "N1"

    def renamed(self, name):
        return name.replace("/", "_")


class KeepsNamesInLatin1(Renaming):
    law = "N1"

    def renamed(self, name):
        return name.encode("latin-1", "replace").decode("latin-1")


class RunsSymbolAndTimeframeTogether(MemoryDataStore):
    law = "N1"

    def _series(self, symbol, timeframe):
        return "_".join(super()._series(symbol, timeframe)), ""

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        columns = laws.bar_columns(symbol, bars)
        rows = dict(zip(columns.date, zip(*columns, strict=True), strict=True))
        self._bars[key] = self._bars.get(key, {}) | rows

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        read = super().read_bars(symbol, start, end, timeframe=timeframe)
        return [replace(bar, symbol=symbol) for bar in read]


class UppercasesEvents(MemoryDataStore):
    law = "N1"

    def read_events(self, start, end, types=None):
        read = super().read_events(start, end, types)
        return [replace(each, symbol=each.symbol and each.symbol.upper()) for each in read]


class TakesTheEmptyName(MemoryDataStore):
    law = "N2"

    def _name(self, name, what):
        return super()._name("(none)" if name == "" else name, what)


class ReplacesSurrogates(MemoryDataStore):
    law = "N2"

    def _name(self, name, what):
        text = name.encode("utf-8", "replace").decode() if isinstance(name, str) else name
        return super()._name(text, what)


class NumbersAreNames(MemoryDataStore):
    law = "N2"

    def _name(self, name, what):
        return super()._name(str(name) if isinstance(name, int) else name, what)


class RefilesFundamentals(MemoryDataStore):
    law = "N3"

    def write_fundamental(self, symbol, data):
        if hasattr(data, "symbol") and isinstance(symbol, str) and symbol == "AAPL":
            data = replace(data, symbol=symbol)
        super().write_fundamental(symbol, data)


class CallsItTicker(MemoryDataStore):
    law = "P1"

    def write_bars(self, ticker, bars, *, timeframe="1d"):
        super().write_bars(ticker, bars, timeframe=timeframe)


class ReadsHourlyBars(MemoryDataStore):
    law = "P1"

    def read_bars(self, symbol, start, end, *, timeframe="1h"):
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class LogsNoOrders(MemoryDataStore):
    law = "P1"
    log_order = None


class GivesNothingToWith(MemoryDataStore):
    law = "P1"

    def __enter__(self):
        super().__enter__()


class DeclaresWhatItLacks(MemoryDataStore):
    law = "P2"
    capabilities = frozenset({"Catalog", "AuditTrail", "DiskUsage"})


class HidesWhatItHas(MemoryDataStore):
    law = "P2"

    def bar_footprint(self, symbol, *, timeframe="1d"):
        return Footprint(0, 0)


class ClosesOnce(MemoryDataStore):
    law = "L1"

    def close(self):
        self._check_open()
        super().close()


class ReadsAfterClose(MemoryDataStore):
    law = "L1"

    def load_strategy_state(self, strategy_name):
        try:
            return super().load_strategy_state(strategy_name)
        except StoreClosed:
            return None


class ListsAfterClose(MemoryDataStore):
    law = "L1"

    def strategies(self):
        return sorted(self._states)


class StaysOpenAfterAnError(MemoryDataStore):
    law = "L1"

    def __exit__(self, exc_type, exc, traceback):
        if exc is None:
            self.close()


class SwallowsErrors(MemoryDataStore):
    law = "L1"

    def __exit__(self, *exc):
        self.close()
        return True


class ListsInOrderOfWriting(MemoryDataStore):
    law = "Catalog"

    def symbols(self, timeframe=None):
        super().symbols(timeframe)
        return [symbol for symbol, kept in self._bars if timeframe in (None, kept)]


class ListsEmptySeries(MemoryDataStore):
    law = "Catalog"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        super().write_bars(symbol, bars, timeframe=timeframe)
        self._bars.setdefault((symbol, timeframe), {})


class CoversInNaiveTimes(MemoryDataStore):
    law = "Catalog"

    def bar_coverage(self, symbol, *, timeframe="1d"):
        covered = super().bar_coverage(symbol, timeframe=timeframe)
        first = covered.first and covered.first.replace(tzinfo=None)
        return replace(covered, first=first)
