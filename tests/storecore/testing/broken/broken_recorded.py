"""Backends that keep what was replaced, each with one fault (laws K1 and K3)."""

from __future__ import annotations

from time import sleep

from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.bars import MemoryBars
from storecore.builtin.memory.clock import MemoryClock
from storecore.builtin.memory.events import MemoryEvents
from storecore.builtin.memory.fundamentals import MemoryFundamentals
from storecore.errors import HistoryPruned, InvalidData
from storecore.events import encode_event
from storecore.values.times import EARLIEST, exact_instant


class Keeping(MemoryDataStore):
    """Has one collection, or the clock, of its own."""

    Bars, Fundamentals, Events, Clock = MemoryBars, MemoryFundamentals, MemoryEvents, MemoryClock

    def __init__(self):
        super().__init__()
        self._clock = self.Clock(keeps=True)
        self._bars = self.Bars(self._clock)
        self._fundamentals = self.Fundamentals(self._clock)
        self._events = self.Events(self._clock)


class ForgetsReplacedBars(Keeping):
    law = "K1"

    class Bars(MemoryBars):
        def _update(self, given):
            super()._update(given)
            for key in given:
                self.by_series[key] = self.by_series[key]._replace(past={})


class ForgetsDeletedBars(Keeping):
    law = "K1"

    class Bars(MemoryBars):
        def delete(self, symbol, timeframe, span):
            removed = super().delete(symbol, timeframe, span)
            if removed:
                self.prune(self._clock.ask(None))
            return removed


class MakesAVersionOfEachFiling(Keeping):
    law = "K1"

    class Fundamentals(MemoryFundamentals):
        def _changed(self, history, new, now):
            added = {at: () if data is None else ((data, now, None),) for at, data in new.items()}
            ended = {at: self._ended(history.get(at, ()), now) for at in new}
            return {at: (*ended[at], *added[at]) for at in new}


class IgnoresFurtherColumns(Keeping):
    law = "K1"

    class Bars(MemoryBars):
        def versions(self, symbol, timeframe, span):
            found = super().versions(symbol, timeframe, span)
            if found.bars.extra:
                found.bars.extra = [found.bars.extra[-1]] * len(found.recorded)
            return found


class RenamesTheirPastToo(Keeping):
    law = "K1"

    class Bars(MemoryBars):
        def renamed(self, old, new, now):
            series = self.by_series.items()
            return {(new if key[0] == old else key[0], key[1]): each for key, each in series}


class RenamesAtTwoInstants(Keeping):
    law = "K1"

    class Fundamentals(MemoryFundamentals):
        def renamed(self, old, new, now):
            return super().renamed(old, new, self._clock.tick())


class ForgetsOldFilings(Keeping):
    law = "K1"

    class Fundamentals(MemoryFundamentals):
        def _ended(self, held, now):
            return super()._ended(held, now)[:-1]


class ForgetsDeletedEvents(Keeping):
    law = "K1"

    class Events(MemoryEvents):
        def _ended(self, each, is_gone, now):
            return [] if is_gone else [each]


class ListsDeletedEventsLast(Keeping):
    law = "K1"

    class Events(MemoryEvents):
        def versions(self, query):
            return sorted(super().versions(query), key=lambda each: each[2] is not None)


class SaysNothingOfDeletions(Keeping):
    law = "History"

    def corrections(self, since=None, *, symbol=None):
        found = super().corrections(since, symbol=symbol)
        return [each for each in found if each.after is not None]


class CorrectionsAfterSince(Keeping):
    law = "History"

    def corrections(self, since=None, *, symbol=None):
        found = super().corrections(since, symbol=symbol)
        return [each for each in found if since is None or each.recorded_at > since]


class RefusesCorrectionsSinceThePrunedPast(Keeping):
    law = "History"

    def corrections(self, since=None, *, symbol=None):
        self._check_kept(EARLIEST if since is None else exact_instant(since, "since"))
        return super().corrections(since, symbol=symbol)


class CountsInMilliseconds(Keeping):
    law = "K3"

    class Clock(MemoryClock):
        def tick(self):
            return super().tick() // 1000 * 1000


class TakesItsInstantBeforeItWaits(Keeping):
    """A question between the instant of a write and its publication finds nothing of it."""

    law = "K3"

    class Fundamentals(MemoryFundamentals):
        def write(self, batch):
            with self._clock.lock:
                now = self._clock.tick()
            sleep(0.001)
            with self._clock.lock:
                known = self.by_symbol
                for data in batch:
                    history = known.get(data.symbol, {})
                    at = exact_instant(data.timestamp, "timestamp")
                    known[data.symbol] = history | self._changed(history, {at: data}, now)


class HoldsABatchAfterItsInstant(Keeping):
    """Single events are published with their instant, those of a batch later."""

    law = "K3"

    class Events(MemoryEvents):
        def write(self, batch):
            if len(batch) == 1:
                super().write(batch)
                return
            with self._clock.lock:
                now = self._clock.tick()
            sleep(0.001)
            with self._clock.lock:
                self.held.extend([(encode_event(each), now, None) for each in batch])


class PublishesABatchOneByOne(Keeping):
    """A question finds a part of a batch of events."""

    law = "K3"

    class Events(MemoryEvents):
        def write(self, batch):
            for each in batch:
                super().write([each])
                sleep(0.001)


class KnowsTheFuture(Keeping):
    law = "K3"

    class Clock(MemoryClock):
        def ask(self, recorded):
            try:
                return super().ask(recorded)
            except InvalidData:
                return super().ask(None)


class AnswersWhatWasPruned(Keeping):
    law = "K3"

    def _check_kept(self, at):
        pass


class RefusesOnlyWhatItRemoved(Keeping):
    law = "K3"

    def bar_versions(self, symbol, start=None, end=None, *, timeframe="1d", recorded=None):
        asked = {"timeframe": timeframe, "recorded": recorded}
        try:
            return super().bar_versions(symbol, start, end, **asked)
        except HistoryPruned:
            if symbol in self.symbols():
                raise
            return []


class BringsTheHorizonBack(Keeping):
    law = "K3"

    class Clock(MemoryClock):
        def prune(self, before):
            super().prune(before)
            self.pruned = before


class PrunesUnderASnapshot(Keeping):
    law = "K3"

    class Clock(MemoryClock):
        def prune(self, before):
            self.pruned = max(self.pruned, before)


class FoldsTheNamesOfSnapshots(Keeping):
    law = "N1"

    class Clock(MemoryClock):
        def add_snapshot(self, name, note):
            for each in self.snapshots():
                if each.name.lower() == name.lower():
                    raise InvalidData(f"{name} is taken")
            return super().add_snapshot(name, note)


class ReplacesASnapshot(Keeping):
    law = "N1"

    class Clock(MemoryClock):
        def add_snapshot(self, name, note):
            self.drop_snapshot(name)
            return super().add_snapshot(name, note)


class RestoresThePresentOnly(Keeping):
    law = "K1"

    class Bars(MemoryBars):
        def restore(self, symbol, timeframe, versions):
            super().restore(symbol, timeframe, versions)
            key = symbol, timeframe
            self.by_series[key] = self.by_series[key]._replace(past={})


class RestoresEventsAsPresent(Keeping):
    law = "K1"

    class Events(MemoryEvents):
        def restore(self, versions):
            super().restore([(event, began, None) for event, began, _ in versions])


class DoesNotGoOnFromTheRestoredClock(Keeping):
    law = "K3"

    class Clock(MemoryClock):
        def restore(self, recorded, pruned, snapshots):
            super().restore(EARLIEST, pruned, snapshots)


class ForgetsThatItWasAsked(Keeping):
    law = "K3"

    class Clock(MemoryClock):
        def asked(self):
            return None
