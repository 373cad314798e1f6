"""The memory backend with one fault each in the forms of its tables, streams, sizes and upkeep."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from broken_batches import CAPABILITIES, Streaming
from plain_store import PlainStore as MemoryDataStore

from storecore import Footprint, InvalidData, InvalidName, Report, laws
from storecore.builtin.memory import MemoryDataStore as OfToday

PLACES = {name: place for place, name in enumerate(laws.BarColumns._fields)}


def changed(table, name, change):
    """Return a table with a column changed, if it has one of the name."""
    if not isinstance(table, pa.Table) or name not in table.column_names or not len(table):
        return table
    return table.set_column(table.column_names.index(name), name, change(table[name]))


class Answering(MemoryDataStore):
    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        table = super().read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)
        return self.formed(table)


class DaysOfFramesAreInstants(OfToday):
    law = "BarTables"

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
        kept = {"symbol": symbol, "columns": columns, "extra": extra, "missing": missing}
        super().write_bar_table(table, timeframe=timeframe, replace=replace, **kept)


class SymbolsAreDictionaries(Answering):
    law = "BarTables"

    def formed(self, table):
        return changed(table, "symbol", lambda column: column.dictionary_encode())


class SymbolsAreLarge(Answering):
    law = "BarTables"

    def formed(self, table):
        return changed(table, "symbol", lambda column: column.cast(pa.large_string()))


class VolumesAreWholeWhereTheyCanBe(Answering):
    law = "BarTables"

    def formed(self, table):
        return changed(table, "volume", self.whole)

    def whole(self, column):
        return (
            column.cast("int64") if pc.all(pc.equal(column, pc.floor(column))).as_py() else column
        )


class NothingHasNoTypes(Answering):
    law = "BarTables"

    def formed(self, table):
        return table if len(table) else pa.table({name: pa.nulls(0) for name in table.column_names})


class TablesOfFiveThousandRows(Answering):
    law = "B1"

    def formed(self, table):
        return table[:5_000]


class Taking(MemoryDataStore):
    def write_bar_table(self, table, *, timeframe="1d"):
        super().write_bar_table(self.taken(table), timeframe=timeframe)


class TakesPlainTextsOnly(Taking):
    law = "BarTables"

    def taken(self, table):
        if isinstance(table, pa.Table) and table.schema.field("symbol").type != pa.string():
            raise InvalidData("table.symbol: expected string")
        return table


class TakesTheFirstChunk(Taking):
    law = "BarTables"

    def taken(self, table):
        is_chunked = isinstance(table, pa.Table) and len(table.to_batches()) > 1
        return pa.Table.from_batches(table.to_batches()[:1]) if is_chunked else table


class TakesColumnsByTheirPlace(Taking):
    law = "BarTables"

    def taken(self, table):
        names = ["symbol", "date", "open", "high", "low", "close", "volume"]
        is_turned = isinstance(table, pa.Table) and table.column_names == names[::-1]
        turned = ["volume", "open", "high", "low", "close", "date", "symbol"]
        return table.rename_columns(turned) if is_turned else table


class TakesNoReader(Taking):
    law = "BarTables"

    def taken(self, table):
        if isinstance(table, pa.RecordBatchReader):
            raise InvalidData("table: expected a pyarrow.Table")
        return table


class FloorsNanoseconds(Taking):
    law = "T1"

    def taken(self, table):
        return changed(table, "date", self.floored)

    def floored(self, column):
        is_fine = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        return column.cast(pa.timestamp("us", column.type.tz), safe=False) if is_fine else column


class TakesNegativeVolumesForNone(Taking):
    law = "B2"

    def taken(self, table):
        is_float = isinstance(table, pa.Table) and "volume" in table.column_names
        is_float = is_float and pa.types.is_floating(table["volume"].type)
        return changed(table, "volume", self.cut) if is_float else table

    def cut(self, column):
        return pc.if_else(pc.less(column, 0.0), 0.0, column)


class TakesNoPriceForZero(Taking):
    law = "B2"

    def taken(self, table):
        return changed(table, "open", lambda column: column.fill_null(0))


class TakesInfinityForAHigh(Taking):
    law = "B2"

    def taken(self, table):
        return changed(table, "high", lambda column: pc.if_else(pc.is_inf(column), 0.0, column))


class HasTenThousandBars(MemoryDataStore):
    law = "B1"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().read_bars(symbol, start, end, timeframe=timeframe)[:10_000]


class HasFourThousandEvents(MemoryDataStore):
    law = "E1"

    def read_events(self, start, end, types=None):
        return super().read_events(start, end, types)[:4_096]


class ByType(MemoryDataStore):
    def read_events(self, start, end, types=None):
        if types is None or isinstance(types, str) or not hasattr(types, "__iter__"):
            return super().read_events(start, end, types)
        types = self.listed(types)
        laws.event_types(types)
        found = super().read_events(start, end, [])
        for kind in types:
            found += super().read_events(start, end, [kind])
        return sorted(found, key=lambda each: each.timestamp)


class TypesAskedForTwiceAreDoubled(ByType):
    law = "E2"

    def listed(self, types):
        return sorted(types, key=str)


class EventsInTheOrderOfTheirTypes(ByType):
    law = "E2"

    def listed(self, types):
        return list(dict.fromkeys(types))


def streaming(cls):
    """Give a store a stream whose parts may be changed."""

    def iter_bar_tables(
        self, symbols, start, end, *, timeframe="1d", columns=None, max_bytes=2**25
    ):
        symbols, max_bytes = self.asked(symbols, max_bytes)
        given = super(cls, self).iter_bar_tables(
            symbols, start, end, timeframe=timeframe, columns=columns, max_bytes=max_bytes
        )
        return map(self.formed, given)

    cls.iter_bar_tables = iter_bar_tables
    return cls


class Formed(Streaming):
    def asked(self, symbols, max_bytes):
        return symbols, max_bytes

    def formed(self, table):
        return table


@streaming
class StreamsByAnyBound(Formed):
    law = "BarStream"

    def asked(self, symbols, max_bytes):
        return symbols, max_bytes if type(max_bytes) is int and max_bytes > 0 else 1_000


@streaming
class StreamsWhatIsLeftOfAnIterator(Formed):
    law = "BarStream"

    def asked(self, symbols, max_bytes):
        for each in [] if isinstance(symbols, str) else symbols:
            laws.check_name(each, "symbols")
        return symbols, max_bytes


@streaming
class StreamsNineHundredSymbols(Formed):
    law = "BarStream"

    def asked(self, symbols, max_bytes):
        is_one = isinstance(symbols, str)
        return symbols if is_one else list(dict.fromkeys(symbols))[:999], max_bytes


@streaming
class StreamsDictionaries(Formed):
    law = "BarStream"

    def formed(self, table):
        return changed(table, "symbol", lambda column: column.dictionary_encode())


class Measured(MemoryDataStore):
    capabilities = CAPABILITIES | {"DiskUsage"}

    def bar_footprint(self, symbol, *, timeframe="1d"):
        rows = self._bars.get(self._series(symbol, timeframe), {})
        return Footprint(1, self.cost(len(rows))) if rows else Footprint(0, 0)

    def cost(self, rows):
        return 100 * rows


class TakesAPageWhateverItHolds(Measured):
    law = "DiskUsage"

    def cost(self, rows):
        return 4_096


class TakesAsMuchForEachCase(Measured):
    law = "N1"

    def bar_footprint(self, symbol, *, timeframe="1d"):
        self._series(symbol, timeframe)
        alike = [s for s, _ in self._bars if s.lower() == symbol.lower()]
        return super().bar_footprint(alike[0] if alike else symbol, timeframe=timeframe)


class MeasuresAnyName(Measured):
    law = "N2"

    def bar_footprint(self, symbol, *, timeframe="1d"):
        try:
            return super().bar_footprint(symbol, timeframe=timeframe)
        except InvalidName:
            return Footprint(0, 0)


class Compacting(MemoryDataStore):
    def compact(self):
        report = super().compact()
        self.lose()
        return report


class KeepsTheLatestFilings(Compacting):
    law = "Maintenance"

    def lose(self):
        known = self._fundamentals
        self._fundamentals = {name: {max(kept): kept[max(kept)]} for name, kept in known.items()}


class KeepsEqualEventsOnce(Compacting):
    law = "Maintenance"

    def lose(self):
        self._events = list(dict.fromkeys(self._events))


class KeepsEventsInAnotherOrder(Compacting):
    law = "Maintenance"

    def lose(self):
        self._events = sorted(self._events)


class KeepsDailyBars(Compacting):
    law = "Maintenance"

    def lose(self):
        self._bars = {key: rows for key, rows in self._bars.items() if key[1] == "1d"}


class KeepsTheLatestVersions(Compacting):
    law = "Maintenance"

    def lose(self):
        self._states = {name: kept[:1] for name, kept in self._states.items()}


class RepairsOddBarsAway(MemoryDataStore):
    law = "Maintenance"

    def repair(self, *, dry_run=False):
        report = super().repair(dry_run=dry_run)
        for key, rows in {} if dry_run else dict(self._bars).items():
            high, low = PLACES["high"], PLACES["low"]
            self._bars[key] = {at: row for at, row in rows.items() if row[high] >= row[low]}
        return report


class TriesARepairOnHours(MemoryDataStore):
    law = "Maintenance"

    def repair(self, *, dry_run=False):
        report = super().repair(dry_run=dry_run)
        self._bars = {key: rows for key, rows in self._bars.items() if key[1] != "1h"}
        return report


class VerifiesNoRecord(MemoryDataStore):
    law = "A3"

    def _report(self):
        return Report(len(self._events) + sum(map(len, self._logs.values())))


class VerifiesOrdersAlone(MemoryDataStore):
    law = "A3"

    def _report(self):
        found = self.verify_audit()
        own = [each for each in found.findings if "order" in each.place]
        return Report(found.checked, tuple(own))
