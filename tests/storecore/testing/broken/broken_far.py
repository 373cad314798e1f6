"""The memory backend with one fault each in what a time means to one method, on one machine."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from broken_batches import Streaming
from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import Coverage, laws
from storecore.models import Event

TICK = timedelta(microseconds=1)


def of_the_machine(at):
    """Return a date or a naive time as what a clock of this machine shows."""
    if isinstance(at, datetime):
        is_far = at.tzinfo is not None or not 1 < at.year < 9999
        return at if is_far else at.astimezone(UTC).replace(tzinfo=None)
    is_day = isinstance(at, date) and 1 < at.year < 9999
    return datetime.combine(at, time.min).astimezone(UTC).replace(tzinfo=None) if is_day else at


def midnight(end):
    is_day = type(end) is date and end < date.max
    return datetime.combine(end, time.min) if is_day else end


def days(start, end):
    """Return two dates as days of this machine, and other bounds as they are."""
    if type(start) is date and type(end) is date and end < date.max:
        return of_the_machine(start), of_the_machine(end + timedelta(1)) - TICK
    return start, end


class TheLatestIsOfNow(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        return super().read_fundamental(symbol, datetime.now(UTC) if as_of is None else as_of)


class TheLatestEndsWithALastDay(MemoryDataStore):
    law = "F1"

    def read_fundamental(self, symbol, as_of=None):
        return super().read_fundamental(symbol, datetime(9999, 12, 31) if as_of is None else as_of)


class DecisionsEndAtMidnight(MemoryDataStore):
    law = "T3"

    def read_decisions(self, start, end, strategy_name=None):
        return super().read_decisions(start, midnight(end), strategy_name)


class OrdersEndAtMidnight(MemoryDataStore):
    law = "T3"

    def read_orders(self, start, end, strategy_name=None):
        return super().read_orders(start, midnight(end), strategy_name)


class StreamsEndAtMidnight(Streaming):
    law = "T3"

    def iter_bar_tables(
        self, symbols, start, end, *, timeframe="1d", columns=None, max_bytes=2**25
    ):
        return super().iter_bar_tables(
            symbols, start, midnight(end), timeframe=timeframe, columns=columns, max_bytes=max_bytes
        )


class BarsOfDaysOfTheMachine(MemoryDataStore):
    law = "T3"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().read_bars(symbol, *days(start, end), timeframe=timeframe)


class EventsOfDaysOfTheMachine(MemoryDataStore):
    law = "T3"

    def read_events(self, start, end, types=None):
        return super().read_events(*days(start, end), types)


class DeletesDaysOfTheMachine(MemoryDataStore):
    law = "T3"

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        return super().delete_bars(symbol, *days(start, end), timeframe=timeframe)


class RecordsOfAnyTwoBounds(MemoryDataStore):
    law = "T2"

    def read_orders(self, start, end, strategy_name=None):
        if isinstance(start, datetime) and isinstance(end, datetime) and end.tzinfo:
            start = start.replace(tzinfo=start.tzinfo or UTC)
        return super().read_orders(start, end, strategy_name)


class RecordsWithoutBounds(MemoryDataStore):
    law = "T2"

    def read_decisions(self, start, end, strategy_name=None):
        return super().read_decisions(start or datetime.min, end or datetime.max, strategy_name)


class TablesWithoutBounds(MemoryDataStore):
    law = "T2"

    def read_bar_table(self, symbols, start, end, *, timeframe="1d", columns=None):
        bounds = start or datetime.min, end or datetime.max
        return super().read_bar_table(symbols, *bounds, timeframe=timeframe, columns=columns)


class TablesOfTheMachinesTime(MemoryDataStore):
    law = "T1"

    def write_bar_table(self, table, *, timeframe="1d"):
        ahead = datetime.now().astimezone().utcoffset()
        is_naive = isinstance(table, pa.Table) and table.schema.field("date").type == pa.timestamp(
            "us"
        )
        if ahead and is_naive and len(table):
            place = table.column_names.index("date")
            dates = pc.subtract(table["date"], pa.scalar(ahead, pa.duration("us")))
            table = table.set_column(place, "date", dates)
        super().write_bar_table(table, timeframe=timeframe)


class BatchesOfTheMachinesTime(MemoryDataStore):
    law = "T1"

    def write_events(self, events):
        if isinstance(events, list):
            events = [self.there(each) if isinstance(each, Event) else each for each in events]
        super().write_events(events)

    def there(self, each):
        is_time = isinstance(each.ingested_at, datetime)
        return replace(each, ingested_at=of_the_machine(each.ingested_at)) if is_time else each


class CoversTheMachinesTime(MemoryDataStore):
    law = "T1"

    def bar_coverage(self, symbol, *, timeframe="1d"):
        found = super().bar_coverage(symbol, timeframe=timeframe)
        return Coverage(self.here(found.first), self.here(found.last), found.count)

    def here(self, at):
        return at.astimezone().replace(tzinfo=UTC) if at and 1 < at.year < 9999 else at


class GivesEventsOfTheMachinesTime(MemoryDataStore):
    law = "T1"

    def iter_events(self):
        return map(self.here, super().iter_events())

    def here(self, each):
        is_far = not 1 < each.timestamp.year < 9999
        at = each.timestamp if is_far else each.timestamp.astimezone().replace(tzinfo=UTC)
        return replace(each, timestamp=at)


class LogsWhatItsClockShows(MemoryDataStore):
    law = "A1"

    def _log(self, kind, bodies):
        with self._lock:
            shown = datetime.now().replace(tzinfo=UTC)
            lines, end = laws.chain(bodies, shown, self._ends[kind])
            self._keep(kind, lines, [date.today()] * len(lines), end)


class LogsUnderTheDayOfUtc(MemoryDataStore):
    law = "A1"

    def _log(self, kind, bodies):
        with self._lock:
            now = datetime.now(UTC)
            lines, end = laws.chain(bodies, now, self._ends[kind])
            self._keep(kind, lines, [now.date()] * len(lines), end)


class NoTimeframeIsEveryTimeframe(MemoryDataStore):
    law = "N2"

    def symbols(self, timeframe=None):
        return super().symbols(timeframe or None)


class CoversAnyTimeframe(MemoryDataStore):
    law = "N2"

    def bar_coverage(self, symbol, *, timeframe="1d"):
        key = self._name(symbol, "symbol"), timeframe
        rows = self._bars.get(key) if isinstance(timeframe, str) else None
        return (
            super().bar_coverage(symbol, timeframe=timeframe) if rows else Coverage(None, None, 0)
        )


class AnyThingIsAStrategy(MemoryDataStore):
    law = "N2"

    def read_decisions(self, start, end, strategy_name=None):
        try:
            return super().read_decisions(start, end, strategy_name)
        except ValueError:
            laws.time_range(start, end)
            self._check_open()
            if strategy_name:
                return []
            raise
