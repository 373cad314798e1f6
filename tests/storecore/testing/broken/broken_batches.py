"""The memory backend with one fault in tables, streams, batches or the versions of a state."""

from __future__ import annotations

import time
from datetime import date, timedelta

import plain_store as memory
from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import StateVersion, laws
from storecore.store import tables

CAPABILITIES = memory.storecore_backend().capabilities
TICK = timedelta(microseconds=1)


class TenMethods:
    """What of a store core's functions see that fall back on the ten methods."""

    def __init__(self, store):
        self.write_bars, self.read_bars = store.write_bars, store.read_bars


class KeepsTheFirstRowOfATable(MemoryDataStore):
    law = "B1"

    def write_bar_table(self, table, *, timeframe="1d"):
        backwards = range(len(table) - 1, -1, -1) if hasattr(table, "take") else None
        table = table if backwards is None else table.take(list(backwards))
        super().write_bar_table(table, timeframe=timeframe)


class WritesATableSymbolBySymbol(MemoryDataStore):
    law = "B2"

    def write_bar_table(self, table, *, timeframe="1d"):
        if not len(getattr(table, "column_names", ())) or "symbol" not in table.column_names:
            return super().write_bar_table(table, timeframe=timeframe)
        for row in range(len(table)):
            super().write_bar_table(table.slice(row, 1), timeframe=timeframe)
        return None


class ReadsTablesWithoutTheirEnd(MemoryDataStore):
    law = "T3"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        if isinstance(end, date) and laws.exact_instant(end, "end") > laws.EARLIEST:
            end = end - TICK
        return super().read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)


class AnswersEveryTableInUtc(MemoryDataStore):
    law = "T2"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        table = super().read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)
        if "date" not in table.column_names:
            return table
        place = table.column_names.index("date")
        return table.set_column(
            place, "date", table["date"].cast("int64").cast("timestamp[us, UTC]")
        )


class TablesHaveTheirOwnOrderOfColumns(MemoryDataStore):
    law = "BarTables"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        table = super().read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)
        return table.select(sorted(table.column_names))


class ATextIsManySymbols(MemoryDataStore):
    law = "BarTables"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        return super().read_bar_table(
            list(symbols), start, end, timeframe=timeframe, columns=columns
        )


class VolumesOfTablesAreFloats(MemoryDataStore):
    law = "B5"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        table = super().read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)
        if "volume" not in table.column_names:
            return table
        place = table.column_names.index("volume")
        return table.set_column(place, "volume", table["volume"].cast("float64", safe=False))


class Streaming(MemoryDataStore):
    """Reads whole what it gives in pieces; each of these has a fault in how."""

    capabilities = CAPABILITIES | {"BarStream"}

    def iter_bar_tables(
        self, symbols, start, end, *, timeframe="1d", columns=None, max_bytes=64 * 2**20
    ):
        asked = {"timeframe": timeframe, "columns": columns}
        symbols = [symbols] if isinstance(symbols, str) else list(symbols)
        self.read_bar_table(symbols, start, end, **asked)  # what is wrong is said at once
        tables.check_max_bytes(max_bytes)
        return self.pieces(symbols, start, end, asked, max_bytes)

    def pieces(self, symbols, start, end, asked, max_bytes):
        read = tables.iter_bar_tables
        yield from read(TenMethods(self), symbols, start, end, **asked, max_bytes=max_bytes)


class StreamsSymbolAfterSymbol(Streaming):
    law = "BarStream"

    def pieces(self, symbols, start, end, asked, max_bytes):
        for symbol in symbols if isinstance(symbols, list) else [symbols]:
            yield from super().pieces(symbol, start, end, asked, max_bytes)


class StreamsAllAtOnce(Streaming):
    law = "BarStream"

    def pieces(self, symbols, start, end, asked, max_bytes):
        yield from super().pieces(symbols, start, end, asked, 2**40)


class StreamsAnEmptyTableLast(Streaming):
    law = "BarStream"

    def pieces(self, symbols, start, end, asked, max_bytes):
        yield from super().pieces(symbols, start, end, asked, max_bytes)
        yield self.read_bar_table([], start, end, **asked)


class ChecksAStreamWhenItIsGoneThrough(Streaming):
    law = "BarStream"

    def iter_bar_tables(
        self, symbols, start, end, *, timeframe="1d", columns=None, max_bytes=64 * 2**20
    ):
        self._check_open()
        asked = {"timeframe": timeframe, "columns": columns}
        return self.pieces(symbols, start, end, asked, max_bytes)


class DropsIdenticalEventsOfABatch(MemoryDataStore):
    law = "E1"

    def write_events(self, events):
        self._check_open()
        encoded = dict.fromkeys(map(laws.encode_event, laws.checked_events(events)))
        super().write_events(map(laws.decode_event, encoded))


class SortsABatch(MemoryDataStore):
    law = "E1"

    def write_events(self, events):
        self._check_open()
        super().write_events(sorted(laws.checked_events(events), key=lambda e: repr(e.payload)))


class WritesABatchUpToItsFault(MemoryDataStore):
    law = "B2"

    def write_events(self, events):
        self._check_open()
        if not isinstance(events, list):
            return super().write_events(events)
        for row, each in enumerate(events):
            super().write_events([*events[:row], each][row:])
        return None


class KeepsTheFirstFilingOfABatch(MemoryDataStore):
    law = "F2"

    def write_fundamentals(self, fundamentals):
        self._check_open()
        super().write_fundamentals(laws.checked_fundamentals(fundamentals)[::-1])


class DeletesWithoutTheEnd(MemoryDataStore):
    law = "Bulk"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        kept = self.read_bars(symbol, end, end, timeframe=timeframe)
        count = super().delete_bars(symbol, start, end, timeframe=timeframe)
        self.write_bars(symbol, kept, timeframe=timeframe)
        return count - len(kept) if count else 0


class DeletesInAllTimeframes(MemoryDataStore):
    law = "Bulk"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        count = super().delete_bars(symbol, start, end, timeframe=timeframe)
        for other in self.timeframes(symbol):
            super().delete_bars(symbol, start, end, timeframe=other)
        return count


class ListsWhatWasDeleted(MemoryDataStore):
    law = "Catalog"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        count = super().delete_bars(symbol, start, end, timeframe=timeframe)
        self._bars.setdefault((symbol, timeframe), {})
        return count


class LogsABatchAsOneRecord(MemoryDataStore):
    law = "A1"

    def log_decisions(self, strategy_name, decisions):
        super().log_decisions(strategy_name, list(decisions)[-1:])


class LogsABatchUpToItsFault(MemoryDataStore):
    law = "B2"

    def log_orders(self, strategy_name, orders):
        for pair in orders if isinstance(orders, list) else [None]:
            super().log_orders(strategy_name, [pair] if isinstance(orders, list) else orders)


class TakesListsOfRecordsOnly(MemoryDataStore):
    law = "BulkAudit"

    def log_decisions(self, strategy_name, decisions):
        super().log_decisions(strategy_name, [*decisions[:]])


class ChainsABatchToItself(MemoryDataStore):
    law = "A3"

    def read_decisions(self, start, end, strategy_name=None):
        read = super().read_decisions(start, end, strategy_name)
        return [replace(each, prev=read[0].prev) for each in read]


class ExpectsNothing(MemoryDataStore):
    law = "VersionedState"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        super().save_strategy_state(strategy_name, state)


class ExpectsAtLeast(MemoryDataStore):
    law = "VersionedState"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        stored = self.load_versioned_state(strategy_name).version
        newer = type(expect) is int and expect > stored
        super().save_strategy_state(strategy_name, state, expect=stored if newer else expect)


class TakesAnyNumberForAVersion(MemoryDataStore):
    law = "VersionedState"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        expect = None if expect is None else int(expect)
        super().save_strategy_state(strategy_name, state, expect=expect)


class CountsRefusedSaves(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        self._name(strategy_name, "strategy_name")
        try:
            super().save_strategy_state(strategy_name, state, expect=expect)
        except TypeError:
            versions = self._states.get(strategy_name, [])
            self._states[strategy_name] = [(n + 1, encoded) for n, encoded in versions]
            raise


class OldestVersionFirst(MemoryDataStore):
    law = "VersionedState"

    def state_history(self, strategy_name):
        return super().state_history(strategy_name)[::-1]

    def load_versioned_state(self, strategy_name):
        return (self.state_history(strategy_name) or [StateVersion(0, None)])[-1]


class ForgetsTheVersionBefore(MemoryDataStore):
    law = "VersionedState"

    def state_history(self, strategy_name):
        return super().state_history(strategy_name)[:1]


class ChecksTheVersionUnlocked(MemoryDataStore):
    law = "D4"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        stored = self.load_versioned_state(strategy_name).version
        laws.encode_document(state, "state")
        laws.check_expected(strategy_name, expect, stored)
        time.sleep(0.001)
        super().save_strategy_state(strategy_name, state)
