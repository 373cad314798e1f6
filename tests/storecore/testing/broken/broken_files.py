"""A memory backend that saves itself to a file, right but slow, and with one fault each."""

from __future__ import annotations

import json
import os
import pickle
import time
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from threading import RLock

from plain_store import PlainStore as MemoryDataStore

from storecore import CorruptData, StorageError, laws

WRITES = (
    "write_bars",
    "write_fundamental",
    "write_event",
    "save_strategy_state",
    "log_decision",
    "log_order",
    "write_bar_table",
    "write_fundamentals",
    "write_events",
    "log_decisions",
    "log_orders",
    "delete_bars",
    "append_audit",
    "restore_state",
)
KEPT = ("_bars", "_fundamentals", "_events", "_states", "_logs", "_ends", "_days")


class SavedStore(MemoryDataStore):
    """Saves all of itself after each write, beside its file and renamed; sealed by a checksum."""

    promises = frozenset({"durable", "sealed"})

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.saving = RLock()
        if path.exists():
            self.load()

    def load(self):
        digest, _, pickled = self.path.read_bytes().partition(b"\n")
        if sha256(pickled).hexdigest().encode() != digest:
            raise CorruptData(f"{self.path}: not what was written", self.path)
        vars(self).update(pickle.loads(pickled))

    def saved(self):
        pickled = pickle.dumps({name: getattr(self, name) for name in KEPT})
        return sha256(pickled).hexdigest().encode() + b"\n" + pickled

    def save(self):
        beside = self.path.with_suffix(".tmp")
        beside.write_bytes(self.saved())
        beside.replace(self.path)

    def kept(self):
        return {name: pickle.dumps(getattr(self, name)) for name in KEPT}


def saving(name):
    def write(self, *args, **kwargs):
        with self.saving:
            before = self.kept()
            answer = getattr(super(SavedStore, self), name)(*args, **kwargs)
            try:
                self.save()
            except OSError as error:
                vars(self).update({each: pickle.loads(old) for each, old in before.items()})
                raise StorageError(f"{self.path}: {error}", self.path) from error
        return answer

    write.__signature__ = __import__("inspect").signature(getattr(MemoryDataStore, name))
    return write


for each in WRITES:
    setattr(SavedStore, each, saving(each))


class SavesWhenItIsClosed(SavedStore):
    law = "D1"

    def save(self):
        pass

    def close(self):
        super().save()
        super().close()


class WritesOverItsFile(SavedStore):
    law = "D2"

    def save(self):
        self.path.write_bytes(self.saved())


class SaysNothingOfAFullDisk(SavedStore):
    law = "D2"

    def save(self):
        with suppress(OSError):
            super().save()


class SavesATableSymbolBySymbol(SavedStore):
    law = "D2"

    def write_bar_table(self, table, *, timeframe="1d"):
        self._check_open()
        for symbol, columns in laws.bar_columns_by_symbol(table):
            bars = laws.price_bars(symbol, columns, aware=True)
            self.write_bars(symbol, bars, timeframe=timeframe)


class GluesToATornLine(SavedStore):
    """Events go to a log of their own, whose last line a crash has torn; a bad line is skipped."""

    law = "D3"
    stopped = False

    def write_event(self, event):
        self._check_open()
        while self.stopped:
            time.sleep(60)
        line = laws.encode_event(laws.checked_event(event))
        with self.saving, open(f"{self.path}l", "ab") as log:
            log.write(b"" if self.stopped else line + b"\n")

    def log_decision(self, strategy_name, decision):
        super().log_decision(strategy_name, decision)
        with self.saving:
            if len(self._logs["decisions"]) < 20 or self.stopped:
                return
            self.stopped = True  # the moment at which the machine stops
            with open(f"{self.path}l", "ab") as log:
                log.write(b'{"type": "tic')

    def read_events(self, start, end, types=None):
        span, wanted = laws.time_range(start, end), laws.event_types(types)
        return laws.select_events(self.lines(), span, wanted)

    def lines(self):
        if os.path.exists(f"{self.path}l"):
            with open(f"{self.path}l", "rb") as log:
                for line in log:
                    try:
                        yield laws.decode_event(line)
                    except ValueError:
                        continue


class SaysItIsShared(SavedStore):
    law = "D4"
    promises = frozenset({"durable", "shared"})


class CorruptIsEmpty(SavedStore):
    law = "D5"

    def load(self):
        try:
            super().load()
        except CorruptData:
            self._bars = {}


class ChecksNothing(SavedStore):
    law = "D5"

    def load(self):
        json.loads(self.path.with_suffix(".json").read_bytes())
        super().load()

    def save(self):
        state = {name: versions[0][1].decode() for name, versions in self._states.items()}
        self.path.with_suffix(".json").write_text(json.dumps(state))
        super().save()

    def load_strategy_state(self, strategy_name):
        super().load_strategy_state(strategy_name)
        text = self.path.with_suffix(".json").read_bytes().decode(errors="replace")
        return json.loads(json.loads(text, strict=False).get(strategy_name, "null"))


class TakesAnyPlaceForAStore(SavedStore):
    law = "D7"
    finds = staticmethod(lambda path: True)


class FindsNoStoreThatWasMade(SavedStore):
    law = "D7"
    finds = staticmethod(lambda path: False)


class MakesAFileForWhatIsAskedFor(SavedStore):
    law = "D7"

    def load_strategy_state(self, strategy_name):
        self.path.with_name(f"{strategy_name}.lock").touch()
        return super().load_strategy_state(strategy_name)


class ForgetsItsEvents(SavedStore):
    law = "L2"

    def load(self):
        super().load()
        self._events = []


class NotesEachOpening(SavedStore):
    law = "L2"

    def __init__(self, path):
        super().__init__(path)
        with open(f"{path}.log", "a") as log:
            log.write("opened\n")


class WritesBesideItsPlace(SavedStore):
    law = "N1"

    def save(self):
        super().save()
        (self.path.parent.parent / "cache").write_bytes(self.saved())


class ReadsThenWritesUnlocked(MemoryDataStore):
    law = "D4"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        columns = laws.bar_columns(symbol, bars)
        old = self._bars.get(key, {})
        time.sleep(0.001)
        if columns.date:
            rows = dict(zip(columns.date, zip(*columns, strict=True), strict=True))
            self._bars[key] = old | rows


class ChainsUnlocked(MemoryDataStore):
    law = "D4"

    def _log(self, kind, bodies):
        last = self._ends[kind]
        time.sleep(0.001)
        lines, self._ends[kind] = laws.chain(bodies, datetime.now(UTC), last)
        self._logs[kind] += lines
