"""The memory backend with one fault each that shows between threads: what is unlocked, or gone.

A pause stands for the other thread that comes between.
"""

from __future__ import annotations

import time
from datetime import datetime
from threading import Lock

from plain_store import PlainStore as MemoryDataStore

from storecore import laws


def pause():
    time.sleep(0.001)


def at_of(data):
    return laws.exact_instant(data.timestamp, "timestamp")


class WritesFilingsUnlocked(MemoryDataStore):
    law = "D4"

    def write_fundamental(self, symbol, data):
        plain = laws.checked_fundamental(self._name(symbol, "symbol"), data)
        known = dict(self._fundamentals.get(symbol, {}))
        pause()
        self._fundamentals[symbol] = known | {at_of(plain): plain}


class WritesBatchesOfFilingsUnlocked(MemoryDataStore):
    law = "D4"

    def write_fundamentals(self, fundamentals):
        self._check_open()
        known = dict(self._fundamentals)
        for plain in laws.checked_fundamentals(fundamentals):
            known[plain.symbol] = known.get(plain.symbol, {}) | {at_of(plain): plain}
        pause()
        self._fundamentals = known


class WritesBatchesOfEventsUnlocked(MemoryDataStore):
    law = "D4"

    def write_events(self, events):
        self._check_open()
        new = [laws.encode_event(each) for each in laws.checked_events(events)]
        before = list(self._events)
        pause()
        self._events = before + new


class WritesTablesUnlocked(MemoryDataStore):
    law = "D4"

    def write_bar_table(self, table, *, timeframe="1d"):
        before = dict(self._bars)
        super().write_bar_table(table, timeframe=timeframe)
        new = {key: rows for key, rows in self._bars.items() if before.get(key) is not rows}
        pause()
        self._bars = before | new


class DeletesUnlocked(MemoryDataStore):
    law = "D4"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        first, last, _ = laws.time_range(start, end)
        series = self._bars.get(key, {})
        kept = {at: row for at, row in series.items() if not first <= at <= last}
        pause()
        self._bars[key] = kept
        if not kept:
            del self._bars[key]
        return len(series) - len(kept)


class LogsBatchesUnlocked(MemoryDataStore):
    law = "D4"

    def log_decisions(self, strategy_name, decisions):
        strategy_name = self._name(strategy_name, "strategy_name")
        bodies = laws.decision_bodies(strategy_name, decisions)
        now, today = laws.moment_and_day(datetime.now)
        lines, end = laws.chain(bodies, now, self._ends["decisions"])
        pause()
        self._keep("decisions", lines, [today] * len(lines), end)


class LogsBatchesPieceByPiece(MemoryDataStore):
    law = "D4"

    def log_orders(self, strategy_name, orders):
        orders = list(orders) if hasattr(orders, "__iter__") else orders
        laws.order_bodies(self._name(strategy_name, "strategy_name"), orders)
        for order, result in orders:
            self.log_order(strategy_name, order, result)
            pause()


class SavesByDeletingFirst(MemoryDataStore):
    law = "D4"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        with self._lock:
            laws.encode_document(state, "state")
            before = self._states.pop(self._name(strategy_name, "strategy_name"), None)
            pause()
            if before is not None:
                self._states[strategy_name] = before
            super().save_strategy_state(strategy_name, state, expect=expect)


class FilesByDeletingFirst(MemoryDataStore):
    law = "D4"

    def write_fundamental(self, symbol, data):
        with self._lock:
            plain = laws.checked_fundamental(self._name(symbol, "symbol"), data)
            before = self._fundamentals.get(symbol, {})
            self._fundamentals[symbol] = {k: v for k, v in before.items() if k != at_of(plain)}
            pause()
            self._fundamentals[symbol] = before | {at_of(plain): plain}


class ReplacesTablesByDeletingFirst(MemoryDataStore):
    law = "B4"

    def write_bar_table(self, table, *, timeframe="1d"):
        with self._lock:
            before = dict(self._bars)
            super().write_bar_table(table, timeframe=timeframe)
            after = self._bars
            self._bars = {key: rows for key, rows in before.items() if after[key] is rows}
            pause()
            self._bars = after


class ReadsTablesColumnByColumn(MemoryDataStore):
    law = "B4"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        symbols = [symbols] if isinstance(symbols, str) else list(symbols)
        asked = symbols, start, end
        table = super().read_bar_table(*asked, timeframe=timeframe, columns=columns)
        pause()
        later = super().read_bar_table(*asked, timeframe=timeframe, columns=columns)
        if "close" in table.column_names and len(table) == len(later):
            place = table.column_names.index("close")
            table = table.set_column(place, table.schema.field(place), later["close"])
        return table


class DeletesByWritingAnew(MemoryDataStore):
    law = "B4"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        laws.time_range(start, end)
        with self._lock:
            before = self._bars.pop(key, {})
            pause()
            if before:
                self._bars[key] = before
            return super().delete_bars(symbol, start, end, timeframe=timeframe)


class ListsWhileItGrows(MemoryDataStore):
    law = "Catalog"

    def symbols(self, timeframe=None):
        self._check_open()
        wanted = None if timeframe is None else self._name(timeframe, "timeframe")
        found = set()
        for symbol, kept in self._bars:
            pause()
            found |= {symbol} if wanted in (None, kept) else set()
        return sorted(found)


class VerifiesOneAfterTheOther(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        self._check_open()
        logs = {kind: list(enumerate(lines, 1)) for kind, lines in self._logs.items()}
        pause()
        placed = {kind: [(f"{kind} {row}", x) for row, x in rows] for kind, rows in logs.items()}
        return laws.audit_report(placed, dict(self._ends))


class ReadsRecordsWaitForABatch(MemoryDataStore):
    law = "B2"

    def __init__(self):
        super().__init__()
        self.logging = Lock()

    def log_decisions(self, strategy_name, decisions):
        with self.logging:
            super().log_decisions(strategy_name, decisions)

    def read_decisions(self, start, end, strategy_name=None):
        with self.logging:
            return super().read_decisions(start, end, strategy_name)


class ReadsFilingsWaitForABatch(MemoryDataStore):
    law = "B2"

    def __init__(self):
        super().__init__()
        self.filing = Lock()

    def write_fundamentals(self, fundamentals):
        with self.filing:
            super().write_fundamentals(fundamentals)

    def read_fundamental(self, symbol, as_of=None):
        with self.filing:
            return super().read_fundamental(symbol, as_of)


class BatchesHideWhatTheyWrite(MemoryDataStore):
    law = "B2"

    def write_events(self, events):
        self._check_open()
        with self._lock:
            before = list(self._events)
            self._events = before + [laws.encode_event(e) for e in laws.checked_events(events)]


class BatchesHideWhatTheyLog(MemoryDataStore):
    law = "B2"

    def log_decisions(self, strategy_name, decisions):
        strategy_name = self._name(strategy_name, "strategy_name")
        with self._lock:
            last, count = self._ends["decisions"], len(self._logs["decisions"])
            bodies = laws.decision_bodies(strategy_name, decisions)
            now, today = laws.moment_and_day(datetime.now)
            lines, end = laws.chain(bodies, now, last)
            del self._logs["decisions"][count:], self._days["decisions"][count:]
            self._keep("decisions", lines, [today] * len(lines), end)
