"""The memory backend with one fault in the `extra` of its records, or in a named time zone."""

from __future__ import annotations

from datetime import datetime

from broken_whole import changed
from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import NotSerializable
from storecore.models import Decision, FundamentalData, Order, OrderResult


class FilingsLoseTheirExtra(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        found = super().read_fundamental(symbol, as_of)
        return found and replace(found, extra=None)


class AnEmptyExtraOfAFilingIsNone(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        found = super().read_fundamental(symbol, as_of)
        return found and replace(found, extra=found.extra or None)


class ExtrasOfFilingsAreFlat(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        found = super().read_fundamental(symbol, as_of)
        if found is None or found.extra is None:
            return found
        plain = {
            key: str(each) if isinstance(each, list) else each for key, each in found.extra.items()
        }
        return replace(found, extra=plain)


class BatchesOfFilingsLoseTheirExtra(MemoryDataStore):
    law = "F1"

    def write_fundamentals(self, fundamentals):
        lost = changed(fundamentals, FundamentalData, lambda each: replace(each, extra=None))
        super().write_fundamentals(lost)


class AFilingThatIsReplacedKeepsItsExtra(MemoryDataStore):
    law = "F2"

    def write_fundamental(self, symbol, data):
        if isinstance(data, FundamentalData) and isinstance(data.timestamp, datetime):
            old = super().read_fundamental(symbol, data.timestamp) if symbol == "AAPL" else None
            if old and data.extra is None:
                data = replace(data, extra=old.extra)
        super().write_fundamental(symbol, data)


class GivesFilingsWithoutExtra(MemoryDataStore):
    law = "Transfer"

    def iter_fundamentals(self):
        return (replace(each, extra=None) for each in super().iter_fundamentals())


class ShowsItsOwnExtra(MemoryDataStore):
    law = "S1"

    def read_fundamental(self, symbol, as_of=None):
        found = super().read_fundamental(symbol, as_of)
        kept = list(self._fundamentals.get(symbol, {}).values())
        return kept[kept.index(found)] if found in kept else found


class TextsOfOddExtras(MemoryDataStore):
    law = "S1"

    def write_fundamental(self, symbol, data):
        try:
            super().write_fundamental(symbol, data)
        except NotSerializable:
            super().write_fundamental(symbol, replace(data, extra={"text": repr(data.extra)}))


class LosesTheFilingWhoseExtraItRefuses(MemoryDataStore):
    law = "S1"

    def write_fundamental(self, symbol, data):
        try:
            super().write_fundamental(symbol, data)
        except NotSerializable:
            self._fundamentals.pop(symbol, None)
            raise


class DecisionsLoseTheirExtra(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(decision, Decision) and isinstance(decision.extra, dict):
            decision = replace(decision, extra=None)
        super().log_decision(strategy_name, decision)


class OrdersLoseTheirExtra(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(order, Order) and isinstance(order.extra, dict):
            order = replace(order, extra=None)
        super().log_order(strategy_name, order, result)


class ResultsLoseTheirExtra(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(result, OrderResult) and isinstance(result.extra, dict):
            result = replace(result, extra=None)
        super().log_order(strategy_name, order, result)


class SellsAreExits(MemoryDataStore):
    law = "A1"

    def read_decisions(self, start, end, strategy_name=None):
        read = super().read_decisions(start, end, strategy_name)
        return [replace(each, decision=self.sold(each.decision)) for each in read]

    def sold(self, decision):
        action = type(decision.action)
        return replace(decision, action=action.EXIT) if decision.action is action.SELL else decision


class LogsTheRecordWhoseExtraItRefuses(MemoryDataStore):
    law = "S1"

    def log_order(self, strategy_name, order, result):
        try:
            super().log_order(strategy_name, order, result)
        except NotSerializable:
            super().log_order(
                strategy_name, replace(order, extra=None), replace(result, extra=None)
            )
            raise


class BatchesOfDecisionsLoseTheirExtra(MemoryDataStore):
    law = "A1"

    def log_decisions(self, strategy_name, decisions):
        lost = changed(decisions, Decision, lambda each: replace(each, extra=None))
        super().log_decisions(strategy_name, lost)


class BatchesOfOrdersLogWhatCameBeforeABadExtra(MemoryDataStore):
    law = "B2"

    def log_orders(self, strategy_name, orders):
        orders = orders if orders is None else list(orders)
        try:
            super().log_orders(strategy_name, orders)
        except NotSerializable:
            super().log_orders(strategy_name, orders[:-1])
            raise


class ZonesAreOffsets(MemoryDataStore):
    law = "T2"

    def read_fundamental(self, symbol, as_of=None):
        found = super().read_fundamental(symbol, as_of)
        if found is None or found.timestamp.tzinfo is None:
            return found
        stamp = datetime.fromisoformat(found.timestamp.isoformat())
        return replace(found, timestamp=stamp)
