"""The memory backend that compares names otherwise than letter by letter, or trims a record."""

from __future__ import annotations

import unicodedata
from fnmatch import fnmatchcase

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore


def filtering(cls_law, same):
    """Return stores that compare event types, or strategies, by a function of their own."""

    class Types(MemoryDataStore):
        law = cls_law

        def read_events(self, start, end, types=None):
            found = super().read_events(start, end, None)
            if types is None:
                return found
            wanted = list(types)
            super().read_events(start, end, wanted)  # refuses what is no list of types
            return [each for each in found if any(same(each.type, kind) for kind in wanted)]

    class Decisions(MemoryDataStore):
        law = cls_law

        def read_decisions(self, start, end, strategy_name=None):
            super().read_decisions(start, end, strategy_name)
            found = super().read_decisions(start, end)
            wanted = strategy_name
            return [each for each in found if wanted is None or same(each.strategy, wanted)]

    class Orders(MemoryDataStore):
        law = cls_law

        def read_orders(self, start, end, strategy_name=None):
            super().read_orders(start, end, strategy_name)
            found = super().read_orders(start, end)
            wanted = strategy_name
            return [each for each in found if wanted is None or same(each.strategy, wanted)]

    return Types, Decisions, Orders


def folded(one, other):
    return one.casefold() == other.casefold()


def trimmed(one, other):
    return one.strip() == other.strip()


def composed(one, other):
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def like(one, other):
    return fnmatchcase(one, other.replace("%", "*").replace("_", "?"))


def beginning(one, other):
    return one.startswith(other)


TypesByCase, DecisionsByCase, OrdersByCase = filtering("N1", folded)
TypesTrimmed, DecisionsTrimmed, OrdersTrimmed = filtering("N1", trimmed)
TypesComposed, DecisionsComposed, OrdersComposed = filtering("N1", composed)
TypesLike, DecisionsLike, OrdersLike = filtering("N1", like)
TypesByTheirBeginning, DecisionsByTheirBeginning, OrdersByTheirBeginning = filtering(
    "N1", beginning
)
for name, cls in list(vars().items()):
    if isinstance(cls, type) and "law" in vars(cls):
        cls.__name__ = cls.__qualname__ = name
del name, cls  # else the last one would be there twice


class TheEmptyTypeIsEveryType(MemoryDataStore):
    law = "N1"

    def read_events(self, start, end, types=None):
        wanted = types if types is None or isinstance(types, str | int) else list(types)
        return super().read_events(start, end, None if wanted == [""] else wanted)


class TheEmptyStrategyIsEveryStrategy(MemoryDataStore):
    law = "N2"

    def read_orders(self, start, end, strategy_name=None):
        return super().read_orders(start, end, strategy_name or None)


class FilesUnderWhatANameSaysOfItself(MemoryDataStore):
    law = "N1"

    def load_strategy_state(self, strategy_name):
        return super().load_strategy_state(
            f"{strategy_name}" if isinstance(strategy_name, str) else strategy_name
        )


class RoundsPrices(MemoryDataStore):
    law = "B5"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        found = super().read_bars(symbol, start, end, timeframe=timeframe)
        return [replace(each, high=float(f"{each.high:.15g}")) for each in found]


class TrimsFilings(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        read = super().read_fundamental(symbol, as_of)
        return read and replace(read, raw_xml=read.raw_xml.strip())


class RoundsShares(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        read = super().read_fundamental(symbol, as_of)
        shares = read and read.shares_outstanding
        return read and replace(read, shares_outstanding=shares and round(shares, 6))


class EmptyTextIsNone(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        read = super().read_fundamental(symbol, as_of)
        return read and replace(read, category=read.category or None)


class TrimsSources(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        return [replace(e, source=e.source.strip()) for e in super().read_events(start, end, types)]


class ForgetsWhenAnEventCame(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        return [replace(each, ingested_at=max(each.timestamp, each.timestamp)) for each in found]


class TrimsReasons(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(getattr(decision, "reasoning", None), str):
            decision = replace(decision, reasoning=decision.reasoning.strip())
        super().log_decision(strategy_name, decision)


class RoundsConfidence(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(getattr(decision, "confidence", None), float):
            decision = replace(decision, confidence=round(decision.confidence, 6))
        super().log_decision(strategy_name, decision)


class RoundsFills(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(getattr(result, "fill_price", None), float):
            result = replace(result, fill_price=round(result.fill_price, 6))
        super().log_order(strategy_name, order, result)


class LosesMessages(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if getattr(result, "message", None):
            result = replace(result, message=None)
        super().log_order(strategy_name, order, result)


class LosesLimits(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(getattr(order, "limit_price", None), float) and order.limit_price > 0:
            order = replace(order, limit_price=None)
        super().log_order(strategy_name, order, result)
