"""The memory backend with one fault each in what a record keeps: of a batch, of a copy, of 0."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import InvalidData, laws
from storecore.models import Decision, Event, FundamentalData, Order, OrderResult


def changed(records, kind, change):
    """Return a batch whose records are changed, and what is none as it is."""
    if isinstance(records, str) or not hasattr(records, "__iter__"):
        return records
    return [change(each) if isinstance(each, kind) else each for each in records]


def plain(value):
    return isinstance(value, datetime)


class BatchesOfEvents(MemoryDataStore):
    def write_events(self, events):
        super().write_events(changed(events, Event, self.change))


class BatchesForgetWhenAnEventCame(BatchesOfEvents):
    law = "E1"

    def change(self, each):
        return replace(each, ingested_at=each.timestamp) if plain(each.ingested_at) else each


class BatchesKeepMilliseconds(BatchesOfEvents):
    law = "E1"

    def change(self, each):
        if not plain(each.ingested_at):
            return each
        micros = each.ingested_at.microsecond // 1000 * 1000
        return replace(each, ingested_at=each.ingested_at.replace(microsecond=micros))


class BatchesNameNoSymbol(BatchesOfEvents):
    law = "E1"

    def change(self, each):
        return replace(each, symbol="None") if each.symbol is None else each


class BatchesRoundPayloads(BatchesOfEvents):
    law = "E1"

    def change(self, each):
        if not isinstance(each.payload, dict):
            return each
        return replace(each, payload={k: self.rounded(v) for k, v in each.payload.items()})

    def rounded(self, value):
        if isinstance(value, list):
            return [self.rounded(each) for each in value]
        return round(value, 6) if isinstance(value, float) and math.isfinite(value) else value


class BatchesTakeClocksForUtc(BatchesOfEvents):
    law = "E1"

    def change(self, each):
        return replace(each, timestamp=self.here(each.timestamp))

    def here(self, at):
        is_early = isinstance(at, datetime) and at.tzinfo is not None
        return at.replace(tzinfo=UTC) if is_early else at


class BatchesOfFilings(MemoryDataStore):
    def write_fundamentals(self, fundamentals):
        super().write_fundamentals(changed(fundamentals, FundamentalData, self.change))


class BatchesOfFilingsAreInUtc(BatchesOfFilings):
    law = "F1"

    def change(self, each):
        is_aware = plain(each.timestamp) and each.timestamp.tzinfo is not None
        return replace(each, timestamp=each.timestamp.astimezone(UTC)) if is_aware else each


class BatchesOfFilingsLoseAField(BatchesOfFilings):
    law = "F1"

    def change(self, each):
        return replace(each, subcategory=None)


class BatchesOfFilingsAreTrimmed(BatchesOfFilings):
    law = "F1"

    def change(self, each):
        return replace(each, raw_xml=each.raw_xml.strip())


class BatchesOfFilingsKeepFloats(BatchesOfFilings):
    law = "F1"

    def change(self, each):
        is_whole = isinstance(each.float_shares, int)
        return replace(each, float_shares=float(each.float_shares)) if is_whole else each


class BatchesOfDecisions(MemoryDataStore):
    def log_decisions(self, strategy_name, decisions):
        super().log_decisions(strategy_name, changed(decisions, Decision, self.change))


class BatchesRoundWeights(BatchesOfDecisions):
    law = "A1"

    def change(self, each):
        is_float = isinstance(each.target_weight, float) and math.isfinite(each.target_weight)
        return replace(each, target_weight=round(each.target_weight, 6)) if is_float else each


class BatchesTrimReasons(BatchesOfDecisions):
    law = "A1"

    def change(self, each):
        return replace(each, reasoning=each.reasoning.strip())


class BatchesOfOrders(MemoryDataStore):
    def log_orders(self, strategy_name, orders):
        super().log_orders(strategy_name, changed(orders, tuple, self.pair))

    def pair(self, pair):
        is_pair = len(pair) == 2 and isinstance(pair[0], Order) and isinstance(pair[1], OrderResult)
        return self.change(*pair) if is_pair else pair


class BatchesLoseMessages(BatchesOfOrders):
    law = "A1"

    def change(self, order, result):
        return order, replace(result, message=None)


class BatchesLoseLimits(BatchesOfOrders):
    law = "A1"

    def change(self, order, result):
        is_sound = order.limit_price is None or math.isfinite(order.limit_price)
        return (replace(order, limit_price=None) if is_sound else order), result


class BatchesNameTheirOrders(BatchesOfOrders):
    law = "A1"

    def change(self, order, result):
        is_number = type(result.order_id) is int
        return order, replace(result, order_id=str(result.order_id)) if is_number else result


class NoPriceIsZero(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(order, Order) and order.limit_price == 0:
            order = replace(order, limit_price=None)
        super().log_order(strategy_name, order, result)


class NothingFilledIsNone(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(result, OrderResult) and result.fill_quantity == 0:
            result = replace(result, fill_quantity=None)
        super().log_order(strategy_name, order, result)


class NoSharesAreNone(MemoryDataStore):
    law = "F1"

    def write_fundamental(self, symbol, data):
        if isinstance(data, FundamentalData) and data.float_shares == 0:
            data = replace(data, float_shares=None)
        super().write_fundamental(symbol, data)


class IsNeverQuiteSure(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(decision, Decision) and decision.confidence in (0, 1):
            raise InvalidData("decision.confidence: expected a number between 0 and 1")
        super().log_decision(strategy_name, decision)


class ReasonsEndAtNul(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(decision, Decision) and isinstance(decision.reasoning, str):
            decision = replace(decision, reasoning=decision.reasoning.split("\0")[0])
        super().log_decision(strategy_name, decision)


class SourcesEndAtNul(MemoryDataStore):
    law = "E1"

    def write_event(self, event):
        if isinstance(event, Event) and isinstance(event.source, str):
            event = replace(event, source=event.source.split("\0")[0])
        super().write_event(event)


class NamesOfCompaniesEndAtNul(MemoryDataStore):
    law = "F1"

    def write_fundamental(self, symbol, data):
        if isinstance(data, FundamentalData) and isinstance(data.company_name, str):
            data = replace(data, company_name=data.company_name.split("\0")[0])
        super().write_fundamental(symbol, data)


class Payloads(MemoryDataStore):
    def read_events(self, start, end, types=None):
        events = super().read_events(start, end, types)
        return [replace(each, payload=self.change(each.payload)) for each in events]


class EmptyPayloadsAreNone(Payloads):
    law = "E1"

    def change(self, payload):
        return payload or None


class KeysLoseTheirDollar(Payloads):
    law = "E1"

    def change(self, payload):
        return {key.lstrip("$"): value for key, value in payload.items()}


class WholeFloatsAreInts(Payloads):
    law = "E1"

    def change(self, payload):
        return {key: self.number(value) for key, value in payload.items()}

    def number(self, value):
        is_whole = isinstance(value, float) and value and value.is_integer() and value < 2**53
        return int(value) if is_whole else value


class ZerosHaveNoSign(Payloads):
    law = "E1"

    def change(self, payload):
        return {key: self.unsigned(value) for key, value in payload.items()}

    def unsigned(self, value):
        return 0.0 if isinstance(value, float) and value == 0 else value


class KeepsNoIdInAState(MemoryDataStore):
    law = "S1"

    def load_strategy_state(self, strategy_name):
        state = super().load_strategy_state(strategy_name)
        return {key: value for key, value in state.items() if key != "_id"} if state else state


class DotsAreLevels(MemoryDataStore):
    law = "S1"

    def load_strategy_state(self, strategy_name):
        state = super().load_strategy_state(strategy_name)
        if state and "a.b" in state:
            state["a"] = {"b": state.pop("a.b")}
        return state


def kept_of(old, new, name):
    place = laws.BarColumns._fields.index(name)
    return {
        at: (*row[:place], old[at][place], *row[place + 1 :]) if at in old else row
        for at, row in new.items()
    }


class UpsertsForgetTheHigh(MemoryDataStore):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        with self._lock:
            key = self._series(symbol, timeframe)
            old = self._bars.get(key, {})
            super().write_bars(symbol, bars, timeframe=timeframe)
            if key in self._bars:
                self._bars[key] = kept_of(old, self._bars[key], "high")


class UpsertsOfTablesForgetTheOpen(MemoryDataStore):
    law = "B1"

    def write_bar_table(self, table, *, timeframe="1d"):
        with self._lock:
            old = dict(self._bars)
            super().write_bar_table(table, timeframe=timeframe)
            for key, rows in list(self._bars.items()):
                self._bars[key] = kept_of(old.get(key, {}), rows, "open")


class UpsertsKeepWhatIsNotSet(MemoryDataStore):
    law = "F2"

    def write_fundamental(self, symbol, data):
        new = laws.checked_fundamental(self._name(symbol, "symbol"), data)
        at = laws.exact_instant(new.timestamp, "timestamp")
        old = self._fundamentals.get(symbol, {}).get(at, new)
        if new.industry is None:
            new = replace(new, industry=old.industry)
        super().write_fundamental(symbol, new)


class UpsertsKeepTheDocument(MemoryDataStore):
    law = "F2"

    def write_fundamental(self, symbol, data):
        new = laws.checked_fundamental(self._name(symbol, "symbol"), data)
        at = laws.exact_instant(new.timestamp, "timestamp")
        old = self._fundamentals.get(symbol, {}).get(at, new)
        super().write_fundamental(symbol, replace(new, raw_xml=old.raw_xml))


class FilesUnderTheTextOfATime(MemoryDataStore):
    """12:00+00:00 and 21:00+09:00 are two rows, of which the first is found."""

    law = "F2"

    def write_fundamental(self, symbol, data):
        new = laws.checked_fundamental(self._name(symbol, "symbol"), data)
        at = laws.exact_instant(new.timestamp, "timestamp")
        old = self._fundamentals.get(symbol, {}).get(at, new)
        if self.offset(old) == self.offset(new):
            super().write_fundamental(symbol, new)

    def offset(self, data):
        return data.timestamp.utcoffset() or timedelta(0)


class GivesEventsWithoutWhenTheyCame(MemoryDataStore):
    law = "Transfer"

    def iter_events(self):
        events = super().iter_events()
        return (replace(each, ingested_at=each.timestamp) for each in events)


class GivesEventsByTheirText(MemoryDataStore):
    """In which 12:00:00Z comes behind 12:00:00.000001Z."""

    law = "Transfer"

    def iter_events(self):
        self._check_open()
        events = map(laws.decode_event, list(self._events))
        ordered = sorted(events, key=lambda each: f"{each.timestamp.replace(tzinfo=None)!s}Z")
        return self._while_open(ordered)


class GivesEventsOfTheEmptySymbol(MemoryDataStore):
    law = "Transfer"

    def iter_events(self):
        events = super().iter_events()
        return (replace(each, symbol=each.symbol or "") for each in events)


class GivesLessOfFilings(MemoryDataStore):
    law = "Transfer"

    def iter_fundamentals(self):
        given = super().iter_fundamentals()
        return (replace(each, float_shares=None, industry=None) for each in given)
