"""The memory backend with one fault in what a record says of itself: its time, run and reads."""

from __future__ import annotations

from msgspec.structs import replace

from storecore.builtin.memory import MemoryDataStore

FIRST = "0001-01-01T00:00Z"


class Logging(MemoryDataStore):
    """Logs something else of a record than was given."""

    def logged(self, about):
        return about

    def log_decision(self, strategy_name, decision, *, as_of=None, run=None, reads=None):
        about = self.logged({"as_of": as_of, "run": run, "reads": reads})
        super().log_decision(strategy_name, decision, **about)


class Asked(MemoryDataStore):
    """Reads other records than were asked for."""

    def read_orders(self, start=None, end=None, strategy_name=None, *, by="timestamp", run=None):
        return self.read("orders", (start, end, strategy_name), by, run)

    def read(self, log, asked, by, run):
        return super().read_orders(*asked, by=by, run=run)


class LosesTheTimeOfADecision(Logging):
    law = "A1"

    def logged(self, about):
        return {**about, "as_of": None}


class LosesTheRunOfADecision(Logging):
    law = "A1"

    def logged(self, about):
        return {**about, "run": None}


class LosesTheReadsOfADecision(Logging):
    law = "A1"

    def logged(self, about):
        return {**about, "reads": None}


class EmptyReadsAreNone(Logging):
    law = "A1"

    def logged(self, about):
        return {**about, "reads": about["reads"] or None}


class TakesTheRunThatStandsForAll(Logging):
    law = "A1"

    def logged(self, about):
        return {**about, "run": "all" if about["run"] == "*" else about["run"]}


class TakesADateForATime(Logging):
    law = "A1"

    def logged(self, about):
        try:
            about["as_of"] = about["as_of"] and about["as_of"].replace(second=0)
        except TypeError:
            about["as_of"] = None
        return about


class BatchesLoseTheirRun(MemoryDataStore):
    law = "A1"

    def log_orders(self, strategy_name, orders, *, as_of=None, run=None, reads=None):
        super().log_orders(strategy_name, orders, as_of=as_of, reads=reads)


class RunsAreInTheLiveLog(Asked):
    law = "A1"

    def read(self, log, asked, by, run):
        return super().read(log, asked, by, "*" if run is None else run)


class AllRunsAreTheLiveLog(Asked):
    law = "A1"

    def read(self, log, asked, by, run):
        return super().read(log, asked, by, None if run == "*" else run)


class RunsFoldCase(Asked):
    law = "A1"

    def read(self, log, asked, by, run):
        if not isinstance(run, str) or run in ("", "*"):
            return super().read(log, asked, by, run)
        every = super().read(log, asked, by, "*")
        return [each for each in every if (each.run or "").lower() == run.lower()]


class ReadsByTheTimeOfLoggingAlone(Asked):
    law = "T3"

    def read(self, log, asked, by, run):
        return super().read(log, asked, "timestamp" if by == "as_of" else by, run)


class RecordsWithoutATimeAreNeverRead(Asked):
    law = "T3"

    def read(self, log, asked, by, run):
        found = super().read(log, asked, by, run)
        return found if by != "as_of" else [each for each in found if each.as_of]


class SortsByTheTimeAtWhichTheStrategyStood(Asked):
    law = "T3"

    def read(self, log, asked, by, run):
        found = super().read(log, asked, by, run)
        return found if by != "as_of" else sorted(found, key=lambda each: each.as_of or each.seq)


class TimesOfRecordsAreAware(Asked):
    law = "T2"

    def read(self, log, asked, by, run):
        found = super().read(log, asked, by, run)
        every = {each.seq: each for each in MemoryDataStore.read_orders(self, FIRST, run="*")}
        return [replace(each, as_of=every[each.seq].as_of) for each in found]


class TakesAnyWordForATime(Asked):
    law = "A1"

    def read(self, log, asked, by, run):
        return super().read(log, asked, by if by == "as_of" else "timestamp", run)


class ShowsItsOwnReads(MemoryDataStore):
    law = "A1"

    def read_decisions(self, start=None, end=None, strategy_name=None, *, by="timestamp", run=None):
        found = super().read_decisions(start, end, strategy_name, by=by, run=run)
        kept = self.__dict__.setdefault("shown", {})
        return [replace(each, reads=kept.setdefault(each.seq, each.reads)) for each in found]


class AnswersOfOldBarsDrift(MemoryDataStore):
    law = "K4"

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        found = super().read_bars(symbol, start, end, timeframe=timeframe, last=last)
        self.reads = self.__dict__.get("reads", 0) + 1
        return [replace(each, close=each.close + self.reads) for each in found]


class CorrectionsComeAtTheNextStart(MemoryDataStore):
    law = "K4"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        known = {each.date for each in self.read_bars(symbol, timeframe=timeframe)}
        super().write_bars(symbol, [bar for bar in bars if bar.date not in known])


class RoundsTheChecksumsOfReads(Logging):
    law = "K4"

    def logged(self, about):
        try:
            reads = [replace(each, sha256="0" * 64) for each in about["reads"] or ()]
        except TypeError:
            return about
        return {**about, "reads": reads}


class EventsOfOneTimeAreShuffled(MemoryDataStore):
    law = "K4"

    def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
        asked = {"symbols": symbols, "ingested_by": ingested_by}
        found = super().read_events(start, end, types, **asked)
        self.turn = not self.__dict__.get("turn", False)
        return found[::-1] if self.turn else found
