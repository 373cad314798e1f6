"""The memory backend with one fault in fundamentals, events, states or the audit log."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, time
from decimal import Decimal

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import InvalidData, StoreError, laws


class AsOfTheDay(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        if isinstance(as_of, datetime):
            as_of = datetime.combine(as_of, time.max, as_of.tzinfo)
        return super().read_fundamental(symbol, as_of)


class AsOfExcludesItself(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        read = super().read_fundamental(symbol, as_of)
        exact = read and as_of and read.timestamp.replace(tzinfo=None) == as_of
        return None if exact else read


class TheLastWrittenIsTheLatest(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        super().read_fundamental(symbol, as_of)
        limit = laws.LATEST if as_of is None else laws.exact_instant(as_of, "as_of")
        known = [data for at, data in self._fundamentals.get(symbol, {}).items() if at <= limit]
        return known[-1] if known else None


class KeepsTheLatestOnly(MemoryDataStore):
    law = "F1"

    def write_fundamental(self, symbol, data):
        super().write_fundamental(symbol, data)
        history = self._fundamentals[symbol]
        self._fundamentals[symbol] = {max(history): history[max(history)]}


class NullsBecomeEmptyTexts(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        read = super().read_fundamental(symbol, as_of)
        return read and replace(read, industry=read.industry or "")


class KeepsTheFirstFiling(MemoryDataStore):
    law = "F2"

    def write_fundamental(self, symbol, data):
        old = self._fundamentals.get(symbol, {})
        super().write_fundamental(symbol, data)
        self._fundamentals[symbol] = self._fundamentals[symbol] | old


class DropsIdenticalEvents(MemoryDataStore):
    law = "E1"

    def write_event(self, event):
        super().write_event(event)
        if self._events[-1] in self._events[:-1]:
            self._events.pop()


class OneEventAMillisecond(MemoryDataStore):
    law = "E1"

    def write_event(self, event):
        super().write_event(event)
        times = [laws.decode_event(each).timestamp for each in self._events]
        if any(abs((times[-1] - each).total_seconds()) < 0.001 for each in times[:-1]):
            self._events.pop()


class SortsByArrival(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        read = super().read_events(start, end, types)
        return sorted(read, key=lambda each: (each.timestamp, each.ingested_at))


class NewestFirst(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types)[::-1]


class InOrderOfWriting(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        read = super().read_events(start, end, types)
        written = [laws.decode_event(each).payload for each in self._events]
        return sorted(read, key=lambda each: written.index(each.payload))


class AHundredEventsAreEnough(MemoryDataStore):
    law = "E3"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types)[-1:]


class EmptyTypesAreAll(MemoryDataStore):
    law = "E2"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types or None)


class TypesFoldCase(MemoryDataStore):
    law = "E2"

    def read_events(self, start, end, types=None):
        wanted = laws.event_types(types)
        read = super().read_events(start, end)
        folded = None if wanted is None else {each.lower() for each in wanted}
        return [each for each in read if folded is None or each.type.lower() in folded]


class ATextIsAListOfTypes(MemoryDataStore):
    law = "E2"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, [types] if isinstance(types, str) else types)


class ALateEventRewritesTheDay(MemoryDataStore):
    law = "E3"

    def write_event(self, event):
        super().write_event(event)
        *before, last = map(laws.decode_event, self._events[-2:])
        if before and last.timestamp < before[0].timestamp:
            decoded = sorted(map(laws.decode_event, self._events), key=lambda e: e.timestamp)
            self._events = list(map(laws.encode_event, decoded))


class PayloadsThroughJson(MemoryDataStore):
    law = "S1"

    def write_event(self, event):
        if isinstance(getattr(event, "payload", None), dict):
            event = replace(event, payload=json.loads(json.dumps(event.payload, default=str)))
        super().write_event(event)


class ReturnsItsOwnEvents(MemoryDataStore):
    law = "S1"

    def read_events(self, start, end, types=None):
        self.read = getattr(self, "read", None) or super().read_events(start, end, types)
        return self.read


class TuplesBecomeLists(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        if isinstance(state, dict) and any(isinstance(each, list) for each in state.values()):
            state = json.loads(json.dumps(state, default=list))
        super().save_strategy_state(strategy_name, state, expect=expect)


class TimesBecomeTexts(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        if isinstance(state, dict):
            dated = {k: str(v) if isinstance(v, datetime) else v for k, v in state.items()}
            state = dated
        super().save_strategy_state(strategy_name, state, expect=expect)


class PicklesStates(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        super().save_strategy_state(strategy_name, {}, expect=expect)
        self.pickled = {**getattr(self, "pickled", {}), strategy_name: pickle.dumps(state)}

    def load_strategy_state(self, strategy_name):
        saved = super().load_strategy_state(strategy_name)
        return None if saved is None else pickle.loads(self.pickled[strategy_name])


class NumbersBecomeFloats(MemoryDataStore):
    law = "S1"

    def load_strategy_state(self, strategy_name):
        self._name(strategy_name, "strategy_name")
        versions = self._states.get(strategy_name)
        return json.loads(versions[0][1], parse_int=self.through_float) if versions else None

    def through_float(self, text):
        return int(float(text)) if abs(int(text)) > 2**53 else int(text)


class KeepsTheCallersDict(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        super().save_strategy_state(strategy_name, state, expect=expect)
        self.given = {**getattr(self, "given", {}), strategy_name: state}

    def load_strategy_state(self, strategy_name):
        return super().load_strategy_state(strategy_name) and self.given[strategy_name]


class MergesStates(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        if isinstance(state, dict) and isinstance(strategy_name, str):
            state = {**(self.load_strategy_state(strategy_name) or {}), **state}
        super().save_strategy_state(strategy_name, state, expect=expect)


class LosesTheOldStateWhenItRefuses(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        old = self._states.pop(strategy_name, [])
        laws.encode_document(state, "state")
        self._states[strategy_name] = old
        super().save_strategy_state(strategy_name, state, expect=expect)


class AnEmptyStateIsNone(MemoryDataStore):
    law = "S1"

    def load_strategy_state(self, strategy_name):
        return super().load_strategy_state(strategy_name) or None


class NaNBecomesNull(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        if isinstance(state, dict):
            state = {key: None if value != value else value for key, value in state.items()}
        super().save_strategy_state(strategy_name, state, expect=expect)


class LogsOnlyWhatIsNew(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if decision != getattr(self, "last", None):
            super().log_decision(strategy_name, decision)
            self.last = decision


class ClampsWeights(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        weight = getattr(decision, "target_weight", None)
        if type(weight) is float and weight == weight:
            decision = replace(decision, target_weight=min(max(weight, 0.0), 1.0))
        super().log_decision(strategy_name, decision)


class RefusesShorts(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(getattr(decision, "target_weight", None), float) and (
            decision.target_weight < 0
        ):
            raise InvalidData(f"decision.target_weight={decision.target_weight}")
        super().log_decision(strategy_name, decision)


class OrderIdsBecomeTexts(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if type(getattr(result, "order_id", None)) is int:
            result = replace(result, order_id=str(result.order_id))
        super().log_order(strategy_name, order, result)


class OrderIdsOfDigitsBecomeNumbers(MemoryDataStore):
    law = "A1"

    def read_orders(self, start, end, strategy_name=None):
        read = super().read_orders(start, end, strategy_name)
        return [replace(each, result=self.numbered(each.result)) for each in read]

    def numbered(self, result):
        digits = isinstance(result.order_id, str) and result.order_id.isdigit()
        return replace(result, order_id=int(result.order_id)) if digits else result


class RoundsDecimals(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        if isinstance(getattr(order, "quantity", None), Decimal) and order.quantity.is_finite():
            order = replace(order, quantity=float(order.quantity))
        super().log_order(strategy_name, order, result)


class LogsOrdersUnderAnyStrategy(MemoryDataStore):
    law = "N3"

    def log_order(self, strategy_name, order, result):
        if isinstance(strategy_name, str) and hasattr(order, "strategy_name"):
            order = replace(order, strategy_name=strategy_name)
        super().log_order(strategy_name, order, result)


class LogsWhatItRefuses(MemoryDataStore):
    law = "A1"

    def log_order(self, strategy_name, order, result):
        try:
            super().log_order(strategy_name, order, result)
        except InvalidData:
            super().log_order(strategy_name, replace(order, action="SELL"), result)
            raise


class RotatesTheLog(MemoryDataStore):
    law = "A2"

    def log_decision(self, strategy_name, decision):
        super().log_decision(strategy_name, decision)
        del self._logs["decisions"][:-3]


class CorrectsTheFirstRecord(MemoryDataStore):
    law = "A2"

    def read_orders(self, start, end, strategy_name=None):
        first, *rest = super().read_orders(start, end, strategy_name) or [None]
        return [replace(first, prev=str(len(rest))), *rest] if first else []


class ChainsNothing(MemoryDataStore):
    law = "A3"

    def _log(self, kind, bodies):
        self._ends[kind] = laws.Link(self._ends[kind].seq, "")
        super()._log(kind, bodies)


class CountsFromZero(MemoryDataStore):
    law = "A3"

    def read_decisions(self, start, end, strategy_name=None):
        read = super().read_decisions(start, end, strategy_name)
        return [replace(each, seq=each.seq - 1) for each in read]


class HashesNothing(MemoryDataStore):
    law = "A3"

    def read_orders(self, start, end, strategy_name=None):
        read = super().read_orders(start, end, strategy_name)
        return [replace(each, hash="", prev="") for each in read]


class VerifiesNothing(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        return replace(super().verify_audit(), checked=0)


class OrdersByTheClock(MemoryDataStore):
    law = "A4"

    def read_decisions(self, start, end, strategy_name=None):
        read = super().read_decisions(start, end, strategy_name)
        return sorted(read, key=lambda each: each.timestamp)


class StrategiesByPrefix(MemoryDataStore):
    law = "AuditTrail"

    def read_orders(self, start, end, strategy_name=None):
        read = super().read_orders(start, end)
        return [each for each in read if each.strategy.startswith(strategy_name or "")]


class LeavesItsErrorsToPython(MemoryDataStore):
    law = "N2"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        try:
            return super().read_bars(symbol, start, end, timeframe=timeframe)
        except StoreError as error:
            raise KeyError(symbol) from error
