"""The memory backend with one fault in what loops ask, or in what is removed and replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from time import sleep

from msgspec.structs import replace

from storecore.builtin.memory import MemoryDataStore
from storecore.values.times import EARLIEST, LATEST, TimeRange, time_range, to_datetime

EPOCH = datetime(1970, 1, 1)


class Ranging(MemoryDataStore):
    """Reads bars and events of a range that is changed."""

    def ranged(self, start, end):
        return start, end

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        bounds = self.ranged(start, end)
        return super().read_bars(symbol, *bounds, timeframe=timeframe, last=last)

    def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
        bounds = self.ranged(start, end)
        return super().read_events(*bounds, types, symbols=symbols, ingested_by=ingested_by)


class StartsOpenRangesIn1970(Ranging):
    law = "T3"

    def ranged(self, start, end):
        return EPOCH if start is None and end is None else start, end


class EndsOpenRangesNow(Ranging):
    law = "T3"

    def ranged(self, start, end):
        return start, datetime(2026, 1, 6) if start is None and end is None else end


class AnswersOpenRangesAware(Ranging):
    law = "T2"

    def ranged(self, start, end):
        is_open = start is None and end is None
        return datetime.min.replace(tzinfo=UTC) if is_open else start, end


class SwapsReversedBounds(Ranging):
    law = "T3"

    def ranged(self, start, end):
        both = isinstance(start, datetime) and isinstance(end, datetime)
        return (
            (end, start)
            if both and not start.tzinfo and not end.tzinfo and start > end
            else (
                start,
                end,
            )
        )


class RoundsFinerStartsDown(Ranging):
    law = "T3"

    def ranged(self, start, end):
        finer = getattr(start, "nanosecond", 0)
        return datetime(*start.timetuple()[:6], start.microsecond) if finer else start, end


class TakesTextForMidnight(Ranging):
    law = "T3"

    def ranged(self, start, end):
        is_date = isinstance(end, str) and len(end) == 10
        return start, datetime.fromisoformat(end) if is_date else end


class AnswersNothingForReversedBounds(MemoryDataStore):
    law = "T3"

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        try:
            time_range(start, end)
        except ValueError as error:
            if "is after" in str(error):
                return []
        return super().read_bars(symbol, start, end, timeframe=timeframe, last=last)


class Lasting(MemoryDataStore):
    """Answers the last bars in another way."""

    def lasting(self, bars, last):
        return bars

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        bars = super().read_bars(symbol, start, end, timeframe=timeframe)
        if last is None:
            return bars
        super().read_bars(symbol, start, end, timeframe=timeframe, last=last)
        return self.lasting(bars, last)


class AnswersTheFirstBars(Lasting):
    law = "T3"

    def lasting(self, bars, last):
        return bars[:last]


class AnswersTheLastBarsNewestFirst(Lasting):
    law = "T3"

    def lasting(self, bars, last):
        return bars[-last:][::-1]


class AnswersOneBarTooMany(Lasting):
    law = "T3"

    def lasting(self, bars, last):
        return bars[-last - 1 :]


class LastOfTheSeriesNotOfTheRange(MemoryDataStore):
    law = "T3"

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        bars = super().read_bars(symbol, start, end, timeframe=timeframe, last=last)
        if last is None:
            return bars
        ever = super().read_bars(symbol, timeframe=timeframe, last=last)
        newest = {each.date.replace(tzinfo=None) for each in ever}
        return [each for each in bars if each.date.replace(tzinfo=None) in newest]


class TakesNoneOfNone(MemoryDataStore):
    law = "B2"

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        if last is not None and not isinstance(last, str | float) and last < 1:
            return []
        return super().read_bars(symbol, start, end, timeframe=timeframe, last=last)


class LastOfTheWholeTable(MemoryDataStore):
    law = "BarTables"

    def read_bar_table(
        self, symbols, start=None, end=None, *, timeframe="1d", columns=None, last=None
    ):
        table = super().read_bar_table(
            symbols, start, end, timeframe=timeframe, columns=columns, last=last
        )
        return table if last is None else table.slice(max(0, len(table) - last))


class Filtering(MemoryDataStore):
    """Reads events with filters that are changed."""

    def filters(self, symbols, ingested_by):
        return symbols, ingested_by

    def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
        symbols, ingested_by = self.filters(symbols, ingested_by)
        return super().read_events(start, end, types, symbols=symbols, ingested_by=ingested_by)


class NoSymbolsAreAll(Filtering):
    law = "E2"

    def filters(self, symbols, ingested_by):
        chosen = None if symbols is None else list(symbols)
        return chosen or None, ingested_by


class ForgetsEventsOfTheSystem(Filtering):
    law = "E2"

    def filters(self, symbols, ingested_by):
        chosen = None if symbols is None else [each for each in symbols if each is not None]
        return chosen, ingested_by


class ArrivalExcludesItsOwnMoment(MemoryDataStore):
    law = "E2"

    def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
        found = super().read_events(start, end, types, symbols=symbols, ingested_by=ingested_by)
        if not isinstance(ingested_by, datetime):
            return found
        limit = (
            ingested_by.astimezone(UTC) if ingested_by.tzinfo else ingested_by.replace(tzinfo=UTC)
        )
        return [each for each in found if each.ingested_at.replace(tzinfo=UTC) < limit]


class ArrivalIsWhenItHappened(MemoryDataStore):
    law = "E2"

    def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
        super().read_events(start, end, types, symbols=symbols, ingested_by=ingested_by)
        end = end if ingested_by is None else ingested_by
        if start is not None and end is not None and start > end:
            return []
        return super().read_events(start, end, types, symbols=symbols)


class ArrivalTakesADate(Filtering):
    law = "T3"

    def filters(self, symbols, ingested_by):
        bare = ingested_by is not None and type(ingested_by) is not datetime
        return symbols, None if bare and str(ingested_by) == "2026-01-05" else ingested_by


class FoldsSymbolsOfEvents(MemoryDataStore):
    law = "N1"

    def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
        chosen = None if symbols is None else list(symbols)
        super().read_events(symbols=chosen)
        found = super().read_events(start, end, types, ingested_by=ingested_by)
        folded = {each and each.casefold() for each in chosen or ()}
        return [e for e in found if chosen is None or (e.symbol and e.symbol.casefold()) in folded]


class InventoryCountsDays(MemoryDataStore):
    law = "Catalog"

    def inventory(self):
        found = super().inventory()
        return [replace(each, count=(each.last - each.first).days + 1) for each in found]


class InventoryOfOneTimeframe(MemoryDataStore):
    law = "Catalog"

    def inventory(self):
        return [each for each in super().inventory() if each.timeframe == "1d"]


class NearestInItsOwnCase(MemoryDataStore):
    law = "Catalog"

    def nearest(self, symbol):
        return [each for each in super().nearest(symbol) if each.casefold() != symbol.casefold()]


class VersionsInUtc(MemoryDataStore):
    law = "Catalog"

    def fundamentals(self, symbol, start=None, end=None):
        found = super().fundamentals(symbol, start, end)
        return [
            replace(each, timestamp=each.timestamp.astimezone(UTC))
            if each.timestamp.tzinfo
            else each
            for each in found
        ]


class VersionsInOrderOfWriting(MemoryDataStore):
    law = "Catalog"

    def fundamentals(self, symbol, start=None, end=None):
        found = super().fundamentals(symbol, start, end)
        history = self._fundamentals.by_symbol.get(symbol, {})
        known = [data for held in history.values() for data, *_ in held]
        return sorted(found, key=known.index)


class ListsNoneAmongSymbols(MemoryDataStore):
    law = "Catalog"

    def event_symbols(self):
        return sorted({each.symbol or "" for each in self.iter_events()})


class FoldsPrefixes(MemoryDataStore):
    law = "Catalog"

    def strategies(self, prefix=""):
        found = super().strategies(prefix)
        return [
            each for each in super().strategies() if each.lower().startswith(prefix.lower())
        ] or found


class Deleting(MemoryDataStore):
    """Deletes events with arguments that are changed."""

    def deleting(self, start, end, types, symbols):
        return start, end, types, symbols

    def delete_events(self, start, end, types=None, symbols=None):
        return super().delete_events(*self.deleting(start, end, types, symbols))


class DeletesOpenRanges(Deleting):
    law = "B2"

    def deleting(self, start, end, types, symbols):
        return start or datetime.min, end or datetime.max, types, symbols


class DeletesAllTypes(Deleting):
    law = "Bulk"

    def deleting(self, start, end, types, symbols):
        chosen = None if types is None else list(types)
        return start, end, chosen or None, symbols


class DeletesWithoutTheSystem(Deleting):
    law = "Bulk"

    def deleting(self, start, end, types, symbols):
        chosen = None if symbols is None else [each for each in symbols if each is not None]
        return start, end, types, chosen


class CountsOneTypeOfEvent(MemoryDataStore):
    law = "Bulk"

    def delete_events(self, start, end, types=None, symbols=None):
        return min(3, super().delete_events(start, end, types, symbols))


class DeletesEventsUnlocked(MemoryDataStore):
    law = "D4"

    def delete_events(self, start, end, types=None, symbols=None):
        before = list(self._events.held)
        number = super().delete_events(start, end, types, symbols)
        kept = list(self._events.held)
        self._events.held = before
        sleep(0.001)
        self._events.held = kept
        return number


class DeletesFundamentalsOfTheSameDay(MemoryDataStore):
    law = "T3"

    def delete_fundamentals(self, symbol, start, end):
        number = super().delete_fundamentals(symbol, start, end)
        if isinstance(end, datetime):
            return number
        first, last, _ = time_range(start, end)
        before = to_datetime(max(first - 1, EARLIEST), aware=False)
        return number + super().delete_fundamentals(symbol, before, to_datetime(last, aware=False))


class KeepsTheLastFundamental(MemoryDataStore):
    law = "Bulk"

    def delete_fundamentals(self, symbol, start, end):
        latest = self.read_fundamental(symbol)
        number = super().delete_fundamentals(symbol, start, end)
        if latest is not None and self.read_fundamental(symbol) is None:
            self.write_fundamental(symbol, latest)
            return number - 1
        return number


class Renaming(MemoryDataStore):
    """Renames a symbol and does something more."""

    def rename_symbol(self, old, new):
        super().rename_symbol(old, new)
        self.renamed(old, new)


class RenamesOneTimeframe(Renaming):
    law = "Bulk"

    def renamed(self, old, new):
        known = self._bars.by_series
        back = {key: each for key, each in known.items() if key[0] == new and key[1] != "1d"}
        for key, each in back.items():
            del known[key]
            known[old, key[1]] = each


class RenamesNoEvents(Renaming):
    law = "Bulk"

    def renamed(self, old, new):
        self._events.held = self._events.renamed(new, old, self._clock.tick())


class LeavesTheOldSymbolInFilings(Renaming):
    law = "Bulk"

    def renamed(self, old, new):
        history = self._fundamentals.by_symbol.get(new, {})
        stale = {
            at: tuple((replace(data, symbol=old), *rest) for data, *rest in each)
            for at, each in history.items()
        }
        self._fundamentals.by_symbol[new] = stale


class MergesIntoWhatIsThere(MemoryDataStore):
    law = "B2"

    def rename_symbol(self, old, new):
        if old != new and new in self.symbols() and old in self.symbols():
            for key in [key for key in self._bars.by_series if key[0] == old]:
                self._bars.by_series[new, key[1]] = self._bars.by_series.pop(key)
            return
        super().rename_symbol(old, new)


class RenamesUpperCase(MemoryDataStore):
    law = "N1"

    def rename_symbol(self, old, new):
        super().rename_symbol(old, new)
        if new != new.upper():
            super().rename_symbol(new, new.upper())


class RenamesOrdersToo(Renaming):
    law = "A2"

    def renamed(self, old, new):
        for log in self._logs.values():
            log.kept = [each.replace(old.encode(), new.encode()) for each in log.kept]


class CountsOnAfterADeletion(MemoryDataStore):
    law = "VersionedState"

    def __init__(self):
        super().__init__()
        self.numbers = {}

    def delete_strategy_state(self, strategy_name, *, expect=None):
        number = self.load_versioned_state(strategy_name).version
        deleted = super().delete_strategy_state(strategy_name, expect=expect)
        if deleted:
            self.numbers[strategy_name] = number
        return deleted

    def save_strategy_state(self, strategy_name, state, *, expect=None):
        super().save_strategy_state(strategy_name, state, expect=expect)
        number = self.numbers.pop(strategy_name, 0)
        if number:
            kept = self._states.versions[strategy_name]
            self._states.versions[strategy_name] = [(at + number, each) for at, each in kept]


class DeletesTheCurrentStateAlone(MemoryDataStore):
    law = "VersionedState"

    def delete_strategy_state(self, strategy_name, *, expect=None):
        history = self._states.versions.get(strategy_name, [])[1:]
        deleted = super().delete_strategy_state(strategy_name, expect=expect)
        if history:
            self._states.versions[strategy_name] = history
        return deleted


class DeletesAnyVersion(MemoryDataStore):
    law = "VersionedState"

    def delete_strategy_state(self, strategy_name, *, expect=None):
        return super().delete_strategy_state(strategy_name)


class ForgetsADeletedStateToo(MemoryDataStore):
    law = "Catalog"

    def delete_strategy_state(self, strategy_name, *, expect=None):
        deleted = super().delete_strategy_state(strategy_name, expect=expect)
        self._states.versions[strategy_name] = []
        return deleted


class MergesWhatReplaces(MemoryDataStore):
    law = "BarTables"

    def _replace(self, timeframe, batch):
        self._bars.write_many(timeframe, batch)


class ReplacesAllTimeframes(MemoryDataStore):
    law = "BarTables"

    def _replace(self, timeframe, batch):
        for key in [key for key in self._bars.by_series if key[0] in batch.names]:
            del self._bars.by_series[key]
        self._bars.replace(timeframe, batch)


class EmptiesBeforeItChecks(MemoryDataStore):
    law = "B2"

    def write_bar_table(
        self,
        table,
        *,
        symbol=None,
        timeframe="1d",
        columns=None,
        extra="keep",
        missing="error",
        day="instant",
        volume="required",
        replace=False,
    ):
        if replace is True and symbol is None:
            for name in set(table["symbol"].to_pylist()):
                self.delete_bars(name, datetime.min, datetime.max, timeframe=timeframe)
        super().write_bar_table(
            table,
            symbol=symbol,
            timeframe=timeframe,
            columns=columns,
            extra=extra,
            missing=missing,
            day=day,
            volume=volume,
            replace=replace,
        )


class ReplacesInTwoSteps(MemoryDataStore):
    law = "B4"

    def _replace(self, timeframe, batch):
        for symbol in batch.names:
            self._bars.delete(symbol, timeframe, TimeRange(EARLIEST, LATEST, aware=True))
        sleep(0.002)
        self._bars.write_many(timeframe, batch)


class LosesFilingsInARename(MemoryDataStore):
    law = "P3"

    def _rename(self, old, new):
        super()._rename(old, new)
        self._fundamentals.by_symbol.pop(new, None)
