"""The memory backend with one fault that shows by what a caller does beside, or within, a call."""

from __future__ import annotations

import errno
import os
import pickle
from contextlib import suppress
from itertools import islice
from threading import Lock, RLock

from broken_files import SavedStore
from plain_store import PlainStore as MemoryDataStore

from storecore import StorageError, StoreClosed, laws


class WritesABatchAsItComes(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        batch = bars if isinstance(bars, list) or not hasattr(bars, "__next__") else None
        if batch is not None:
            return super().write_bars(symbol, batch, timeframe=timeframe)
        for each in bars:
            super().write_bars(symbol, [each], timeframe=timeframe)
        return None


class WritesEventsAsTheyCome(MemoryDataStore):
    law = "B2"

    def write_events(self, events):
        if not hasattr(events, "__next__"):
            return super().write_events(events)
        for each in events:
            super().write_event(each)
        return None


class LogsOrdersAsTheyCome(MemoryDataStore):
    law = "B2"

    def log_orders(self, strategy_name, orders):
        if not hasattr(orders, "__next__"):
            return super().log_orders(strategy_name, orders)
        for each in orders:
            super().log_orders(strategy_name, [each])
        return None


class SwallowsWhatABatchRaises(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        taken = []
        if hasattr(bars, "__next__"):
            with suppress(Exception):
                taken.extend(bars)
        super().write_bars(symbol, taken or bars, timeframe=timeframe)


class StaysLockedByWhatABatchRaises(MemoryDataStore):
    law = "B2"

    def __init__(self):
        super().__init__()
        self.turn = Lock()

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        if not self.turn.acquire(timeout=0.2):
            raise StorageError("another writer holds the lock")
        super().write_bars(symbol, list(bars) if hasattr(bars, "__next__") else bars)
        self.turn.release()


class ReadsWaitForTheWriteThatTheyAreIn(MemoryDataStore):
    law = "B2"

    def __init__(self):
        super().__init__()
        self.turn = Lock()

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        with self.turn:
            super().write_bars(symbol, bars, timeframe=timeframe)

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        if not self.turn.acquire(timeout=0.2):
            raise StorageError("a writer holds the lock")
        self.turn.release()
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class ForgetsWhatABatchWrites(MemoryDataStore):
    """The series is copied before the batch is gone through, and put back afterwards."""

    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        before = dict(self._bars)
        columns = laws.bar_columns(symbol, bars)
        if columns.date:
            self._bars = before
        rows = dict(zip(columns.date, zip(*columns, strict=True), strict=True))
        key = self._series(symbol, timeframe)
        if rows:
            self._bars[key] = self._bars.get(key, {}) | rows


class HalfReadIteratorsLock(MemoryDataStore):
    law = "Transfer"

    def __init__(self):
        super().__init__()
        self.turn = RLock()

    def iter_events(self):
        found = super().iter_events()

        def locked():
            with self.turn:
                yield from found

        return locked()

    def write_event(self, event):
        if not self.turn.acquire(timeout=0.2):
            raise StorageError("a reader holds the lock")
        try:
            super().write_event(event)
        finally:
            self.turn.release()


class IteratesByPosition(MemoryDataStore):
    """An event that is written before the place of reading moves all others on by one."""

    law = "Transfer"

    def iter_events(self):
        self._check_open()

        def events():
            at = 0
            while True:
                found = list(islice(super(IteratesByPosition, self).iter_events(), at, at + 1))
                if not found:
                    return
                yield found[0]
                at += 1

        return self._while_open(events())


class FilingsBreakOffWhileOthersWrite(MemoryDataStore):
    law = "Transfer"

    def iter_fundamentals(self):
        self._check_open()
        return self._while_open(
            data for _, history in self._fundamentals.items() for data in history.values()
        )


class ClosesUnderAWrite(MemoryDataStore):
    law = "L1"

    def close(self):
        super().close()
        vars(self).pop("_events", None)

    def write_event(self, event):
        self._check_open()
        checked = laws.checked_event(event)
        for _ in range(2_000):
            pass
        self._events.append(laws.encode_event(checked))

    def read_events(self, start, end, types=None):
        self._check_open()
        return super().read_events(start, end, types)


class ListsWhatWasAskedFor(MemoryDataStore):
    law = "Catalog"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        found = super().read_bars(symbol, start, end, timeframe=timeframe)
        self._bars.setdefault((symbol, timeframe), {})
        return found


class ListsWhatWasRefused(MemoryDataStore):
    law = "Catalog"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        batch = list(bars) if hasattr(bars, "__iter__") else bars
        if batch:
            self._bars.setdefault(key, {})
        super().write_bars(symbol, batch, timeframe=timeframe)


class ListsSymbolsOfFilings(MemoryDataStore):
    law = "Catalog"

    def symbols(self, timeframe=None):
        return sorted({*super().symbols(timeframe), *self._fundamentals})


class ListsStrategiesThatLogged(MemoryDataStore):
    law = "Catalog"

    def log_decision(self, strategy_name, decision):
        super().log_decision(strategy_name, decision)
        vars(self).setdefault("logged", set()).add(strategy_name)

    def strategies(self):
        return sorted({*super().strategies(), *vars(self).get("logged", ())})


class Reading(SavedStore):
    """Right: its file is opened for each read."""

    promises = frozenset({"durable"})
    unread = ()

    def looked_at(self):
        self._check_open()
        if self.path.exists():
            os.close(os.open(self.path, os.O_RDONLY))


class BarsThatCannotBeReadAreNone(Reading):
    law = "D5"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        try:
            self.looked_at()
        except OSError:
            return []
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class StatesThatCannotBeReadAreNone(Reading):
    law = "D5"

    def load_strategy_state(self, strategy_name):
        try:
            self.looked_at()
        except OSError as error:
            if error.errno == errno.EMFILE:
                return None
            raise
        return super().load_strategy_state(strategy_name)


class FilingsRaiseWhatTheSystemDoes(Reading):
    law = "D5"

    def read_fundamental(self, symbol, as_of=None):
        self.looked_at()
        return super().read_fundamental(symbol, as_of)


class PicklesToAnEmptyStore(SavedStore):
    law = "L2"
    promises = frozenset({"durable", "pickled"})

    def __reduce__(self):
        return MemoryDataStore, ()


class PicklesNothing(SavedStore):
    law = "L2"
    promises = frozenset({"durable", "pickled"})

    def __reduce__(self):
        raise pickle.PicklingError("a store holds a lock")


class ForksItsMemory(SavedStore):
    law = "D4"
    promises = frozenset({"durable", "forked"})


class SaysClosedAsAnotherError(MemoryDataStore):
    law = "L1"

    def write_event(self, event):
        try:
            super().write_event(event)
        except StoreClosed:
            raise StorageError("no connection") from None
