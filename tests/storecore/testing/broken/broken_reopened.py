"""A store that saves itself, with one fault each that a cache hides until it is opened again."""

from __future__ import annotations

from contextlib import contextmanager

from broken_behaviour import Reading
from broken_files import SavedStore
from broken_restarts import SharedStore
from broken_together import pause
from msgspec.structs import replace

from storecore import laws

PLACES = {name: place for place, name in enumerate(laws.BarColumns._fields)}
LEFT_OPEN = []


class Lossy(SavedStore):
    """Changes what is loaded, as a medium that has kept less."""

    def load(self):
        super().load()
        self.lose()

    def each_bar(self, change):
        self._bars = {
            key: {row[PLACES["date"]]: row for row in map(change, rows.values())}
            for key, rows in self._bars.items()
        }

    def each_filing(self, change):
        self._fundamentals = {
            symbol: {at: change(data) for at, data in history.items()}
            for symbol, history in self._fundamentals.items()
        }

    def each_document(self, change):
        self._states = {
            name: [(number, change(document)) for number, document in versions]
            for name, versions in self._states.items()
        }


def put(row, name, value):
    return (*row[: PLACES[name]], value, *row[PLACES[name] + 1 :])


class KeepsMilliseconds(Lossy):
    law = "L2"

    def lose(self):
        self.each_bar(lambda row: put(row, "date", row[PLACES["date"]] // 1000 * 1000))


class KeepsSixDecimals(Lossy):
    law = "L2"

    def lose(self):
        self.each_bar(lambda row: put(row, "close", round(row[PLACES["close"]], 6)))


class KeepsVolumesAsFloats(Lossy):
    law = "L2"

    def lose(self):
        self.each_bar(lambda row: put(row, "volume", float(row[PLACES["volume"]])))


class KeepsFilingsWithoutTheirZone(Lossy):
    law = "L2"

    def lose(self):
        self.each_filing(lambda each: replace(each, timestamp=each.timestamp.replace(tzinfo=None)))


class KeepsFilingsWithoutTheirIndustry(Lossy):
    law = "L2"

    def lose(self):
        self.each_filing(lambda each: replace(each, industry=None))


class KeepsEventsWithoutWhenTheyCame(Lossy):
    law = "L2"

    def lose(self):
        events = map(laws.decode_event, self._events)
        self._events = [laws.encode_event(replace(e, ingested_at=e.timestamp)) for e in events]


class KeepsDocumentsOf64Kilobytes(Lossy):
    law = "L2"

    def lose(self):
        self.each_document(lambda document: document if len(document) < 2**16 else b"{}")


class KeepsKeysSorted(Lossy):
    law = "L2"

    def lose(self):
        self.each_document(self.ordered)

    def ordered(self, document):
        return laws.encode_document(dict(sorted(laws.decode_document(document).items())), "state")


class FoldsNamesOfStates(Lossy):
    law = "L2"

    def lose(self):
        self._states = {name.lower(): kept for name, kept in self._states.items()}


class FoldsNamesOfSeries(Lossy):
    law = "L2"

    def lose(self):
        self._bars = {(symbol, t.lower()): rows for (symbol, t), rows in self._bars.items()}


class NumbersEventsAnewWithEachOpening(SavedStore):
    """Of one moment, those of two openings are mixed."""

    law = "E1"

    def load(self):
        super().load()
        self.before = len(self._events)

    def read_events(self, start, end, types=None):
        self._check_open()
        before = getattr(self, "before", 0)
        numbered = enumerate(self._events)
        order = sorted(numbered, key=lambda pair: pair[0] - before * (pair[0] >= before))
        span, wanted = laws.time_range(start, end), laws.event_types(types)
        return laws.select_events([laws.decode_event(e) for _, e in order], span, wanted)


class LeavesItsFileOpenWhenItIsClosed(SavedStore):
    law = "L1"

    def load(self):
        super().load()
        LEFT_OPEN.append(self.path.open("rb"))


class ReadsEventsBackwards(SavedStore):
    law = "E1"

    def load(self):
        super().load()
        self._events = self._events[::-1]


class Late(SavedStore):
    """Saves what one method writes with the next write of another, or when it is closed."""

    promises = frozenset({"durable"})

    @contextmanager
    def later(self):
        with self.saving:
            self.save = lambda: None
            try:
                yield
            finally:
                del self.save

    def close(self):
        SavedStore.save(self)
        super().close()


class SavesBatchesOfEventsLater(Late):
    law = "D1"

    def write_events(self, events):
        with self.later():
            return super().write_events(events)


class SavesBatchesOfFilingsLater(Late):
    law = "D1"

    def write_fundamentals(self, fundamentals):
        with self.later():
            return super().write_fundamentals(fundamentals)


class SavesTablesLater(Late):
    law = "D1"

    def write_bar_table(self, table, *, timeframe="1d"):
        with self.later():
            return super().write_bar_table(table, timeframe=timeframe)


class SavesDeletesLater(Late):
    law = "D1"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        with self.later():
            return super().delete_bars(symbol, start, end, timeframe=timeframe)


class SavesBatchesOfDecisionsLater(Late):
    law = "D1"

    def log_decisions(self, strategy_name, decisions):
        with self.later():
            return super().log_decisions(strategy_name, decisions)


class SavesBatchesOfOrdersLater(Late):
    law = "D1"

    def log_orders(self, strategy_name, orders):
        with self.later():
            return super().log_orders(strategy_name, orders)


class SavesCopiedRecordsLater(Late):
    law = "D1"

    def append_audit(self, log, day, lines):
        with self.later():
            return super().append_audit(log, day, lines)


class SavesCopiedStatesLater(Late):
    law = "D1"

    def restore_state(self, strategy_name, versions, *, expect):
        with self.later():
            return super().restore_state(strategy_name, versions, expect=expect)


class LogsBatchesOneByOne(SavedStore):
    promises = frozenset({"durable"})
    law = "D2"

    def log_decisions(self, strategy_name, decisions):
        decisions = list(decisions) if hasattr(decisions, "__iter__") else decisions
        laws.decision_bodies(self._name(strategy_name, "strategy_name"), decisions)
        for each in decisions:
            self.log_decision(strategy_name, each)


class LogsBatchesOfOrdersOneByOne(SavedStore):
    promises = frozenset({"durable"})
    law = "D2"

    def log_orders(self, strategy_name, orders):
        orders = list(orders) if hasattr(orders, "__iter__") else orders
        laws.order_bodies(self._name(strategy_name, "strategy_name"), orders)
        for order, result in orders:
            self.log_order(strategy_name, order, result)


class ComparesVersionsOutsideItsLock(SharedStore):
    law = "D4"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        with self.saving:
            stored = self.load_versioned_state(strategy_name).version
            laws.check_expected(strategy_name, expect, stored)
            laws.encode_document(state, "state")
            pause()
            super().save_strategy_state(strategy_name, state)


class WritesBatchesOverOthers(SharedStore):
    law = "D4"

    def write_events(self, events):
        self._check_open()
        new = [laws.encode_event(each) for each in laws.checked_events(events)]
        with self.saving:
            with self.alone():
                before = list(self._events)
            pause()
            with self.alone():
                self._events = before + new
                self.save()


class RecordsThatCannotBeReadAreNone(Reading):
    law = "D5"

    def read_decisions(self, start, end, strategy_name=None):
        try:
            self.looked_at()
        except OSError:
            return []
        return super().read_decisions(start, end, strategy_name)


class ListsNothingThatCannotBeRead(Reading):
    law = "D5"

    def symbols(self, timeframe=None):
        try:
            self.looked_at()
        except OSError:
            return []
        return super().symbols(timeframe)


class GivesNothingThatCannotBeRead(Reading):
    law = "D5"

    def iter_events(self):
        try:
            self.looked_at()
        except OSError:
            return iter(())
        return super().iter_events()


class ForgetsStatesInAChild(SharedStore):
    """Which a parent writes anew from what it remembers."""

    law = "D4"
    promises = frozenset({"durable", "forked"})

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        with self.alone():
            known = vars(self).setdefault("known", dict(self._states))
            self._states = known
            super().save_strategy_state(strategy_name, state, expect=expect)
            self.known = dict(self._states)


def copied(kind, path):
    copy = kind(path)
    copy.write_event = lambda event: None
    return copy


class PicklesToAStoreOfNoEvents(SharedStore):
    law = "L2"
    promises = frozenset({"durable", "pickled"})

    def __reduce__(self):
        return copied, (type(self), self.path)
