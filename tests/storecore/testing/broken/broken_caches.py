"""The memory backend that remembers an answer, and forgets it after too few of its writes."""

from __future__ import annotations

from functools import wraps

from plain_store import PlainStore as MemoryDataStore


def remembers(method, *, until=()):
    """Return a class decorator: `method` answers as it did, until one of `until` is called."""

    def decorate(cls):
        inner = getattr(MemoryDataStore, method)

        @wraps(inner)
        def read(self, *args, **kwargs):
            known = vars(self).setdefault("remembered", {})
            key = repr((method, args, kwargs))
            if key not in known:
                known[key] = inner(self, *args, **kwargs)
            return known[key]

        setattr(cls, method, read)
        for name in until:
            setattr(cls, name, forgetting(name))
        return cls

    return decorate


def forgetting(name):
    inner = getattr(MemoryDataStore, name)

    @wraps(inner)
    def write(self, *args, **kwargs):
        vars(self).pop("remembered", None)
        return inner(self, *args, **kwargs)

    return write


@remembers("read_bars", until=["write_bars", "write_bar_table"])
class BarsOutliveTheirDeletion(MemoryDataStore):
    law = "B4"


class TablesWrittenUnseen(MemoryDataStore):
    """What writes tables is another part of the program than what remembers."""

    def write_bar_table(self, table, *, timeframe="1d"):
        known = dict(vars(self).get("remembered", {}))
        super().write_bar_table(table, timeframe=timeframe)
        self.remembered = known


@remembers("read_bars", until=["write_bars", "delete_bars"])
class BarsAreOlderThanTables(TablesWrittenUnseen):
    law = "B4"


@remembers("read_bar_table", until=["write_bar_table", "delete_bars"])
class TablesAreOlderThanBars(MemoryDataStore):
    law = "B4"


@remembers("read_bar_table", until=["write_bars", "write_bar_table"])
class TablesOutliveTheirDeletion(MemoryDataStore):
    law = "B4"


@remembers("bar_coverage", until=["write_bars", "write_bar_table"])
class CoverageOutlivesDeletion(MemoryDataStore):
    law = "B4"


@remembers("bar_coverage", until=["write_bars", "delete_bars"])
class CoverageKnowsNoTables(TablesWrittenUnseen):
    law = "B4"


@remembers("symbols", until=["write_bars", "write_bar_table"])
class SymbolsOutliveDeletion(MemoryDataStore):
    law = "B4"


@remembers("timeframes", until=["write_bars"])
class TimeframesOutliveDeletion(MemoryDataStore):
    law = "B4"


@remembers("strategies")
class StrategiesAreListedOnce(MemoryDataStore):
    law = "B4"


@remembers("read_fundamental", until=["write_fundamental"])
class FundamentalsKnowNoBatches(MemoryDataStore):
    law = "B4"

    def write_fundamentals(self, fundamentals):
        for each in fundamentals:
            MemoryDataStore.write_fundamental(self, each.symbol, each)


@remembers("read_events", until=["write_event"])
class EventsKnowNoBatches(MemoryDataStore):
    law = "B4"


@remembers("load_strategy_state")
class StatesAreLoadedOnce(MemoryDataStore):
    law = "B4"


@remembers("state_history")
class HistoryIsReadOnce(MemoryDataStore):
    law = "B4"


@remembers("read_decisions", until=["log_decision"])
class DecisionsKnowNoBatches(MemoryDataStore):
    law = "B4"


@remembers("read_orders", until=["log_decision", "log_decisions"])
class OrdersAreReadOnce(MemoryDataStore):
    law = "B4"


@remembers("verify_audit", until=["log_decision", "log_decisions", "log_orders"])
class VerifiesOnce(MemoryDataStore):
    law = "B4"
