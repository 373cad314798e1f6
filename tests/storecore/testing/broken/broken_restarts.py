"""The memory backend that saves itself, with one fault in one kind of data that shows later.

After a restart, after a kill, or once a second store writes to the same place.
"""

from __future__ import annotations

import fcntl
import inspect
from contextlib import contextmanager
from functools import wraps

from broken_files import KEPT, WRITES, SavedStore
from plain_store import PlainStore as MemoryDataStore

from storecore import laws

LOGS = {"decisions": laws.GENESIS, "orders": laws.GENESIS}


class ForgetsItsFundamentals(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._fundamentals = {}


class ForgetsItsStates(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._states = {}


class ForgetsItsDecisions(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._logs["decisions"], self._ends["decisions"] = [], laws.GENESIS


class ForgetsItsOrders(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._logs["orders"], self._ends["orders"] = [], laws.GENESIS


class ForgetsWhereItsChainsEnd(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._ends = dict(LOGS)


class ForgetsOlderVersions(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._states = {name: versions[:1] for name, versions in self._states.items()}


class CountsVersionsAnew(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._states = {name: [(1, kept[0][1])] for name, kept in self._states.items()}


class ForgetsOtherTimeframes(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._bars = {key: rows for key, rows in self._bars.items() if key[1] == "1d"}


class TruncatesItsLogsTheSecondTime(SavedStore):
    """Opened to append the first time, to write the second."""

    law = "L2"

    def load(self):
        super().load()
        beside = self.path.with_suffix(".opened")
        if beside.exists():
            self._logs, self._ends = {name: [] for name in LOGS}, dict(LOGS)
        beside.touch()


def behind(kind):
    """Return a store that saves one kind of data with the next write of another only."""

    class Behind(SavedStore):
        def save(self):
            held = self.last_saved(kind)
            own, vars(self)[kind] = vars(self)[kind], held
            try:
                super().save()
            finally:
                vars(self)[kind] = own

        def last_saved(self, kind):
            fresh = vars(MemoryDataStore())[kind]
            return vars(type(self)(self.path))[kind] if self.path.exists() else fresh

        def close(self):
            SavedStore.save(self)
            super().close()

    return Behind


class KeepsFundamentalsToItsEnd(behind("_fundamentals")):
    law = "D1"


class KeepsStatesToItsEnd(behind("_states")):
    law = "D1"


class KeepsItsLogsToItsEnd(behind("_logs")):
    law = "D1"


class KeepsEventsToItsEnd(behind("_events")):
    law = "D1"


class SharedStore(SavedStore):
    """Right, if slow: each call has the file to itself, and reads it anew."""

    promises = frozenset({"durable", "shared"})

    depth = 0

    @contextmanager
    def alone(self):
        with self.saving:
            if self.depth:  # a method of this store that calls another
                yield
                return
            with open(f"{self.path}.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self.path.exists():
                    self.load()
                vars(self).update(self.private())
                self.depth = 1
                try:
                    yield
                finally:
                    self.depth = 0

    def private(self):
        """Return what of another's file this store does not look at."""
        return {}


READS = (
    *("read_bars", "read_fundamental", "read_events", "load_strategy_state", "read_bar_table"),
    *("symbols", "timeframes", "bar_coverage", "strategies", "read_decisions", "read_orders"),
    *("verify_audit", "load_versioned_state", "state_history"),
    *("iter_fundamentals", "iter_events", "iter_audit"),
)


def alone(name, inner):
    @wraps(inner)
    def call(self, *args, **kwargs):
        self._check_open()
        with self.alone():
            return inner(self, *args, **kwargs)

    call.__signature__ = inspect.signature(getattr(MemoryDataStore, name))
    return call


for each in (*WRITES, *READS, "write_fundamentals", "write_bar_table"):
    setattr(SharedStore, each, alone(each, getattr(SavedStore, each)))


def own(*kinds):
    """Return a shared store that never looks at what others did to some kinds of data."""

    class Own(SharedStore):
        def private(self):
            kept = vars(self).setdefault("kept_for_good", {})
            fresh = MemoryDataStore()
            return {name: kept.setdefault(name, vars(fresh)[name]) for name in kinds}

        def load(self):
            super().load()
            vars(self).setdefault("kept_for_good", {name: vars(self)[name] for name in kinds})

    return Own


class BarsOfItsOwn(own("_bars")):
    law = "D4"


class FundamentalsOfItsOwn(own("_fundamentals")):
    law = "D4"


class EventsOfItsOwn(own("_events")):
    law = "D4"


class StatesOfItsOwn(own("_states")):
    law = "D4"


class LogsOfItsOwn(own("_logs")):
    law = "D4"


class ChainEndsOfItsOwn(own("_ends")):
    law = "D4"


def remembering(method):
    """Return a shared store that reads a thing once, and forgets it at its own writes only."""

    class Remembering(SharedStore):
        pass

    inner = getattr(SharedStore, method)

    @wraps(inner)
    def read(self, *args, **kwargs):
        known = vars(self).setdefault("remembered", {})
        key = repr((args, kwargs))
        if key not in known:
            known[key] = inner(self, *args, **kwargs)
        return known[key]

    setattr(Remembering, method, read)
    for name in (*WRITES, "write_fundamentals", "write_bar_table"):
        setattr(Remembering, name, forgetting(getattr(SharedStore, name)))
    return Remembering


def forgetting(inner):
    @wraps(inner)
    def write(self, *args, **kwargs):
        vars(self).pop("remembered", None)
        return inner(self, *args, **kwargs)

    return write


class RemembersBarsThatOthersReplace(remembering("read_bars")):
    law = "D4"


class RemembersTablesThatOthersReplace(remembering("read_bar_table")):
    law = "D4"


class RemembersCoverageThatOthersExtend(remembering("bar_coverage")):
    law = "D4"


class RemembersSymbolsThatOthersAdd(remembering("symbols")):
    law = "D4"


class RemembersStrategiesThatOthersAdd(remembering("strategies")):
    law = "D4"


class RemembersFundamentalsThatOthersReplace(remembering("read_fundamental")):
    law = "D4"


class RemembersEventsThatOthersAdd(remembering("read_events")):
    law = "D4"


class RemembersStatesThatOthersSave(remembering("load_strategy_state")):
    law = "D4"


class RemembersDecisionsThatOthersLog(remembering("read_decisions")):
    law = "D4"


class RemembersOrdersThatOthersLog(remembering("read_orders")):
    law = "D4"


assert set(KEPT) <= set(vars(MemoryDataStore()))
