"""Backends with one fault in what their views show (law K2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from storecore import View
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.states import MemoryStates
from storecore.values.times import LATEST, exact_instant, to_datetime

LAST = datetime.max.replace(tzinfo=UTC)


class Seen(View):
    """A view with a fault."""


class Seeing(MemoryDataStore):
    """Gives views of its own."""

    View = Seen

    def at(self, t, *, recorded=None, run=None, on_future=None, lengths=None):
        return self.View(self, t, recorded, run, on_future, lengths)


class ShowsEverything(Seeing):
    law = "K2"

    def at(self, t, **options):
        return super().at(LAST, **options)


class ShowsABarFromItsDateOn(Seeing):
    law = "K2"

    def at(self, t, *, lengths=None, **options):
        return super().at(t, lengths={"1d": timedelta(0), **(lengths or {})}, **options)


class TakesAMonthForFourWeeks(Seeing):
    law = "K2"

    def at(self, t, *, lengths=None, **options):
        return super().at(t, lengths={"1mo": timedelta(28), **(lengths or {})}, **options)


class ShowsABarOneTickTooLate(Seeing):
    law = "K2"

    def at(self, t, **options):
        micros = exact_instant(t, "t") - 1
        return super().at(to_datetime(micros, aware=True), **options)


class CutsAfterChoosingTheNewest(Seeing):
    law = "K2"

    class View(Seen):
        def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
            found = self._nested.read_bars(symbol, start, end, timeframe=timeframe, last=last)
            known = super().read_bars(symbol, start, end, timeframe=timeframe)
            return [each for each in found if each in known]


class ShowsLaterFilings(Seeing):
    law = "K2"

    class View(Seen):
        def read_fundamental(self, symbol, as_of=None):
            return self._nested.read_fundamental(symbol, as_of)


class ShowsEventsFromTheirTimestampOn(Seeing):
    law = "K2"

    class View(Seen):
        def read_events(self, *args, **kwargs):
            at = to_datetime(self._at, aware=False)
            return [
                each
                for each in self._nested.read_events(*args, **kwargs)
                if each.timestamp.replace(tzinfo=None) <= at
            ]


class HidesAnnouncedEvents(Seeing):
    law = "K2"

    class View(Seen):
        def read_events(self, *args, **kwargs):
            at = to_datetime(self._at, aware=False)
            found = super().read_events(*args, **kwargs)
            return [each for each in found if each.timestamp.replace(tzinfo=None) <= at]


class ShowsLaterBarsInTables(Seeing):
    law = "K2"

    class View(Seen):
        def read_bar_table(self, *args, **kwargs):
            return self._nested.read_bar_table(*args, **kwargs)


class ListsLaterSymbols(Seeing):
    law = "K2"

    class View(Seen):
        def symbols(self, timeframe=None):
            return self._nested.symbols(timeframe)


class CountsLaterBars(Seeing):
    law = "K2"

    class View(Seen):
        def bar_coverage(self, symbol, *, timeframe="1d"):
            return self._nested.bar_coverage(symbol, timeframe=timeframe)


class ListsSymbolsThatFileLater(Seeing):
    law = "K2"

    class View(Seen):
        def fundamental_symbols(self):
            return self._nested.fundamental_symbols()


class NeverRaisesForTheFuture(Seeing):
    law = "K2"

    def at(self, t, *, on_future=None, **options):
        return super().at(t, **options)


class WritesThroughAView(Seeing):
    law = "K2"

    class View(Seen):
        def write_event(self, event):
            self._nested.write_event(event)


class ClosesWithItsView(Seeing):
    law = "K2"

    class View(Seen):
        def close(self):
            super().close()
            self._nested.close()


class ShowsLaterDecisions(Seeing):
    law = "K2"

    class View(Seen):
        def read_decisions(self, start=None, end=None, strategy_name=None, *, by=None, run=None):
            return self._nested.read_decisions(start, end, strategy_name)


class SavesStatesOfRunsAsLive(Seeing):
    law = "K2"

    class View(Seen):
        def save_strategy_state(self, strategy_name, state, *, expect=None):
            if self._run is None:
                return super().save_strategy_state(strategy_name, state)
            return self._nested.save_strategy_state(strategy_name, state)

        def load_strategy_state(self, strategy_name):
            return self._nested.load_strategy_state(strategy_name)


class MixesRuns(Seeing):
    law = "K2"

    def at(self, t, *, run=None, **options):
        return super().at(t, run=run and "run", **options)


class ListsStatesOfRuns(Seeing):
    law = "K2"

    def strategies(self, prefix=""):
        return sorted(each for each in self._states.strategies() if each.startswith(prefix))


class HidesFormingBars(Seeing):
    law = "K2"

    def recording_began(self):
        return LATEST


class ShowsAFormingBarAsItEnded(Seeing):
    law = "K2"

    def bar_versions(self, *args, recorded=None, **kwargs):
        found = super().bar_versions(*args, **kwargs, recorded=recorded)
        return [
            each if recorded else replace(found[-1], recorded_at=each.recorded_at) for each in found
        ]


class IgnoresRecorded(Seeing):
    law = "K2"

    def at(self, t, *, recorded=None, **options):
        return super().at(t, **options)


class SavedEverythingLongAgo(Seeing):
    law = "K2"

    class States(MemoryStates):
        def history(self, strategy):
            long_ago = datetime(1970, 1, 1, tzinfo=UTC)
            return [replace(each, saved_at=long_ago) for each in super().history(strategy)]

    def __init__(self):
        super().__init__()
        self._states = self.States()
