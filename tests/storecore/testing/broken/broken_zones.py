"""The memory backend that takes an instant for what a clock shows, in one method each."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import laws

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock(bound):
    """Return what a clock shows there, as if it were UTC."""
    zoned = isinstance(bound, datetime) and bound.tzinfo is not None
    return bound.replace(tzinfo=UTC) if zoned else bound


def local(bound):
    """Return a naive time as the machine's own."""
    naive = isinstance(bound, datetime) and bound.tzinfo is None
    far = naive and 1900 < bound.year < 9999
    return bound - timedelta(seconds=time.localtime(0).tm_gmtoff) if far else bound


class BarsByTheClock(MemoryDataStore):
    law = "T1"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().read_bars(symbol, clock(start), clock(end), timeframe=timeframe)


class EventsByTheClock(MemoryDataStore):
    law = "T1"

    def read_events(self, start, end, types=None):
        return super().read_events(clock(start), clock(end), types)


class TablesByTheClock(MemoryDataStore):
    law = "T1"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        bounds = clock(start), clock(end)
        return super().read_bar_table(symbols, *bounds, timeframe=timeframe, columns=columns)


class DeletesByTheClock(MemoryDataStore):
    law = "T1"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().delete_bars(symbol, clock(start), clock(end), timeframe=timeframe)


class DecisionsByTheClock(MemoryDataStore):
    law = "T1"

    def read_decisions(self, start, end, strategy_name=None):
        return super().read_decisions(clock(start), clock(end), strategy_name)


class OrdersByTheClock(MemoryDataStore):
    law = "T1"

    def read_orders(self, start, end, strategy_name=None):
        return super().read_orders(clock(start), clock(end), strategy_name)


class AsOfByTheClock(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        return super().read_fundamental(symbol, clock(as_of))


class AsOfOfTheMachine(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        return super().read_fundamental(symbol, local(as_of))


class TablesOfTheMachine(MemoryDataStore):
    law = "T1"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        bounds = local(start), local(end)
        return super().read_bar_table(symbols, *bounds, timeframe=timeframe, columns=columns)


class DeletesOnTheMachine(MemoryDataStore):
    law = "T1"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().delete_bars(symbol, local(start), local(end), timeframe=timeframe)


class RecordsOfTheMachine(MemoryDataStore):
    law = "T1"

    def read_decisions(self, start, end, strategy_name=None):
        return super().read_decisions(local(start), local(end), strategy_name)


class FilesEventsByUnsignedSeconds(MemoryDataStore):
    law = "T1"

    def read_events(self, start, end, types=None):
        found = super().read_events(start, end, types)
        return [each for each in found if each.timestamp.replace(tzinfo=UTC) >= EPOCH]


class FilesBarsBySecondsOf32Bits(MemoryDataStore):
    law = "T1"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        found = super().read_bars(symbol, start, end, timeframe=timeframe)
        seconds = [(each.date.replace(tzinfo=UTC) - EPOCH).total_seconds() for each in found]
        return [each for each, at in zip(found, seconds, strict=True) if at < 2**31]


class FindsFilingsInNanoseconds(MemoryDataStore):
    law = "T1"

    def read_fundamental(self, symbol, as_of=None):
        super().read_fundamental(symbol, as_of)
        limit = laws.LATEST if as_of is None else laws.exact_instant(as_of, "as_of")
        limit = min(limit, 2**63 // 1_000)
        known = {at: data for at, data in self._fundamentals.get(symbol, {}).items() if at <= limit}
        return known[max(known)] if known else None


class DeletesWholeSeconds(MemoryDataStore):
    law = "T1"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        if isinstance(end, datetime):
            end = end.replace(microsecond=999_999)
        return super().delete_bars(symbol, start, end, timeframe=timeframe)


class CoversWholeSeconds(MemoryDataStore):
    law = "T1"

    def bar_coverage(self, symbol, *, timeframe="1d"):
        found = super().bar_coverage(symbol, timeframe=timeframe)
        if found.last is None:
            return found
        return replace(found, last=found.last.replace(microsecond=0))


class TakesTablesByTheClock(MemoryDataStore):
    law = "T1"

    def write_bar_table(self, table, *, timeframe="1d"):
        kind = getattr(getattr(table, "schema", None), "names", ()) and table.schema.field("date")
        if kind and getattr(kind.type, "tz", None):
            import pyarrow.compute as pc

            shown = pc.local_timestamp(table["date"])
            table = table.set_column(table.schema.get_field_index("date"), "date", shown)
        super().write_bar_table(table, timeframe=timeframe)


class KnowsNoFold(MemoryDataStore):
    law = "T1"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        def plain(each):
            at = getattr(each, "date", None)
            return replace(each, date=at.replace(fold=0)) if isinstance(at, datetime) else each

        batch = bars if isinstance(bars, str) or not hasattr(bars, "__iter__") else map(plain, bars)
        super().write_bars(symbol, batch, timeframe=timeframe)


class KnowsNoFoldAsAsOf(MemoryDataStore):
    law = "T1"

    def read_fundamental(self, symbol, as_of=None):
        if isinstance(as_of, datetime) or not isinstance(as_of, date):
            as_of = as_of and as_of.replace(fold=0)
        return super().read_fundamental(symbol, as_of)
