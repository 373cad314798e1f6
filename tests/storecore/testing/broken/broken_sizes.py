"""The memory backend with one fault that shows only at sizes that a small test does not have."""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import InvalidData, StorageError, laws

PAGE, LIST, TEXT = 1_000, 999, 65_535


class AnswersWithOnePageOfBars(MemoryDataStore):
    law = "B1"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().read_bars(symbol, start, end, timeframe=timeframe)[:PAGE]


class OverlapsItsPagesOfBars(MemoryDataStore):
    law = "B1"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        found = super().read_bars(symbol, start, end, timeframe=timeframe)
        return found[:PAGE] + found[PAGE - 1 :] if len(found) > PAGE else found


class WritesOnePageOfABatch(MemoryDataStore):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        super().write_bars(symbol, islice(iter(bars), PAGE), timeframe=timeframe)


class ChecksPageByPage(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        batch = list(bars)
        for start in range(0, len(batch), PAGE):
            super().write_bars(symbol, batch[start : start + PAGE], timeframe=timeframe)


class NamesTheRowOfItsPage(MemoryDataStore):
    law = "B2"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        batch = list(bars)
        for start in range(0, len(batch), PAGE):
            laws.bar_columns(symbol, batch[start : start + PAGE])
        super().write_bars(symbol, batch, timeframe=timeframe)


class AnswersWithOnePageOfEvents(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types)[:PAGE]


class DropsTiesAtTheEndOfAPage(MemoryDataStore):
    """The next page begins behind the last timestamp, not behind the last event."""

    law = "E1"

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        page = found[:PAGE]
        return page + [each for each in found[PAGE:] if each.timestamp > page[-1].timestamp]


class SortsEachPageAnew(MemoryDataStore):
    """A large answer is merged from pages in any order of the same timestamp."""

    law = "E1"

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        return sorted(found[PAGE:] + found[:PAGE], key=lambda each: each.timestamp)


class TakesShortListsOfTypes(MemoryDataStore):
    law = "E2"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, None if types is None else list(types)[:LIST])


class RefusesLongListsOfTypes(MemoryDataStore):
    law = "E2"

    def read_events(self, start, end, types=None):
        if types is not None and len(wanted := list(types)) > LIST:
            raise StorageError("too many SQL variables")
        return super().read_events(start, end, types if types is None else wanted)


class CutsLongTextsInStates(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        if isinstance(state, dict):
            state = {k: v[:TEXT] if type(v) is str else v for k, v in state.items()}
        super().save_strategy_state(strategy_name, state, expect=expect)


class RefusesLongStates(MemoryDataStore):
    law = "S1"

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        if isinstance(state, dict) and len(laws.encode_document(state, "state")) > TEXT:
            raise StorageError("the value is too long for its column")
        super().save_strategy_state(strategy_name, state, expect=expect)


class KeepsFewKeys(MemoryDataStore):
    law = "S1"

    def load_strategy_state(self, strategy_name):
        state = super().load_strategy_state(strategy_name)
        return None if state is None else dict(islice(state.items(), 512))


class LosesDeepLevels(MemoryDataStore):
    law = "S1"

    def load_strategy_state(self, strategy_name):
        return shallow(super().load_strategy_state(strategy_name), 64)


def shallow(value, levels):
    if not isinstance(value, dict):
        return value
    return {k: shallow(v, levels - 1) for k, v in value.items()} if levels else {}


class CutsLongPayloads(MemoryDataStore):
    law = "S1"

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        return [
            each if len(repr(each.payload)) <= TEXT else replace(each, payload={}) for each in found
        ]


class CutsLongFilings(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        read = super().read_fundamental(symbol, as_of)
        return read and replace(read, raw_xml=read.raw_xml[:TEXT])


class KnowsTheLastHundredFilings(MemoryDataStore):
    law = "F1"

    def write_fundamental(self, symbol, data):
        super().write_fundamental(symbol, data)
        known = self._fundamentals[symbol]
        self._fundamentals[symbol] = {at: known[at] for at in sorted(known)[-100:]}


class CutsLongReasons(MemoryDataStore):
    law = "A1"

    def log_decision(self, strategy_name, decision):
        if isinstance(getattr(decision, "reasoning", None), str):
            decision = replace(decision, reasoning=decision.reasoning[:TEXT])
        super().log_decision(strategy_name, decision)


class ReadsOnePageOfRecords(MemoryDataStore):
    law = "A3"

    def read_decisions(self, start, end, strategy_name=None):
        return super().read_decisions(start, end, strategy_name)[:PAGE]


class VerifiesOnePage(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        report = super().verify_audit()
        return replace(report, checked=min(report.checked, PAGE))


class ReadsAFewSymbolsOfATable(MemoryDataStore):
    law = "Catalog"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        names = symbols if isinstance(symbols, str) else list(symbols)[:LIST]
        return super().read_bar_table(names, start, end, timeframe=timeframe, columns=columns)


class ListsOnePageOfSymbols(MemoryDataStore):
    law = "Catalog"

    def symbols(self, timeframe=None):
        return super().symbols(timeframe)[:PAGE]


class DeletesOnePage(MemoryDataStore):
    law = "Bulk"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        span = laws.time_range(start, end)
        key = self._series(symbol, timeframe)
        dates = [at for at in sorted(self._bars.get(key, {})) if span.first <= at <= span.last]
        for at in dates[:PAGE]:
            del self._bars[key][at]
        if not self._bars.get(key, True):
            del self._bars[key]
        return len(dates[:PAGE])


class KeepsTheFirstOfADateInALongTable(MemoryDataStore):
    law = "BarTables"

    def write_bar_table(self, table, *, timeframe="1d"):
        if getattr(table, "num_rows", 0) > PAGE:
            order = [("date", "ascending")]
            table = table.take(list(range(table.num_rows))[::-1]).sort_by(order)
        super().write_bar_table(table, timeframe=timeframe)


class GivesOnePageOfEvents(MemoryDataStore):
    law = "Transfer"

    def iter_events(self):
        return islice(super().iter_events(), PAGE)


class SkipsTiesBetweenPages(MemoryDataStore):
    law = "Transfer"

    def iter_events(self):
        found = list(super().iter_events())
        last = found[PAGE - 1].timestamp if len(found) > PAGE else None
        later = [each for each in found[PAGE:] if each.timestamp != last]
        return self._while_open(iter(found[:PAGE] + later))


class GivesOnePageOfRecords(MemoryDataStore):
    law = "Transfer"

    def iter_audit(self, log, after=0):
        return islice(super().iter_audit(log, after), PAGE)


class RefusesLongBatches(MemoryDataStore):
    law = "B1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        batch = list(bars)
        if len(batch) > PAGE:
            raise InvalidData(f"bars: at most {PAGE} in a batch")
        super().write_bars(symbol, batch, timeframe=timeframe)
