"""The memory backend with one fault in how it takes times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from broken_bars import Answering, Changing
from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore


class TakesNaiveForLocal(Changing):
    law = "T1"

    def changed(self, bar):
        local = type(bar.date) is datetime and 1970 < bar.date.year < 9999
        return replace(bar, date=bar.date.astimezone(UTC)) if local else bar


class KeepsTheWallClock(Changing):
    law = "T1"

    def changed(self, bar):
        aware = type(bar.date) is datetime
        return replace(bar, date=bar.date.replace(tzinfo=None)) if aware else bar


class RoundsToMilliseconds(Changing):
    law = "T1"

    def changed(self, bar):
        if type(bar.date) is not datetime:
            return bar
        return replace(bar, date=bar.date.replace(microsecond=bar.date.microsecond // 1000 * 1000))


class GoesThroughATimestamp(Changing):
    law = "T1"

    def changed(self, bar):
        if type(bar.date) is not datetime or bar.date.tzinfo is None:
            return bar
        return replace(bar, date=datetime.fromtimestamp(bar.date.timestamp(), UTC))


class CutsNanoseconds(Changing):
    law = "T1"

    def changed(self, bar):
        finer = getattr(bar.date, "nanosecond", 0)
        return replace(bar, date=datetime(*bar.date.timetuple()[:6])) if finer else bar


class ReadsTimesFromText(Changing):
    law = "T1"

    def changed(self, bar):
        text = isinstance(bar.date, str)
        return replace(bar, date=datetime.fromisoformat(bar.date)) if text else bar


class EventsArriveInSeconds(MemoryDataStore):
    law = "T1"

    def write_event(self, event):
        if type(getattr(event, "ingested_at", None)) is datetime:
            event = replace(event, ingested_at=event.ingested_at.replace(microsecond=0))
        super().write_event(event)


class StartsIn1970(Answering):
    law = "T1"

    def changed(self, bars):
        return [bar for bar in bars if bar.date.year >= 1970]


class AnswersNaive(Answering):
    law = "T2"

    def changed(self, bars):
        return [replace(bar, date=bar.date.replace(tzinfo=None)) for bar in bars]


class EventsAnswerAware(MemoryDataStore):
    law = "T2"

    def read_events(self, start, end, types=None):
        read = super().read_events(start, end, types)
        return [replace(each, timestamp=each.timestamp.replace(tzinfo=UTC)) for each in read]


class ForgetsWhenItArrived(MemoryDataStore):
    law = "T2"

    def read_events(self, start, end, types=None):
        read = super().read_events(start, end, types)
        return [replace(each, ingested_at=each.ingested_at.replace(tzinfo=UTC)) for each in read]


class MixesBounds(MemoryDataStore):
    law = "T2"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        if isinstance(start, datetime) and isinstance(end, datetime):
            end = end.replace(tzinfo=start.tzinfo)
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class FilesInUTC(MemoryDataStore):
    law = "T2"

    def write_fundamental(self, symbol, data):
        stamp = getattr(data, "timestamp", None)
        if type(stamp) is datetime and stamp.tzinfo is not None:
            data = replace(data, timestamp=stamp.astimezone(UTC))
        super().write_fundamental(symbol, data)


class RecordsAreAlwaysNaive(MemoryDataStore):
    law = "T2"

    def read_decisions(self, start, end, strategy_name=None):
        read = super().read_decisions(start, end, strategy_name)
        return [replace(each, timestamp=each.timestamp.replace(tzinfo=None)) for each in read]


class EndsBeforeTheEnd(MemoryDataStore):
    law = "T3"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        if isinstance(end, datetime):
            end -= timedelta(microseconds=1)
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class StartsAfterTheStart(MemoryDataStore):
    law = "T3"

    def read_events(self, start, end, types=None):
        if isinstance(start, datetime):
            start += timedelta(microseconds=1)
        return super().read_events(start, end, types)


class ADateEndsAtItsMidnight(MemoryDataStore):
    law = "T3"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        if type(end) is date and type(start) is date:
            end = datetime(end.year, end.month, end.day)
            start = datetime(start.year, start.month, start.day)
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class ADateEndsOneSecondEarly(MemoryDataStore):
    law = "T3"

    def read_events(self, start, end, types=None):
        if type(end) is date and type(start) is date and date.min < start <= end < date.max:
            end = datetime(end.year, end.month, end.day, 23, 59, 59)
        return super().read_events(start, end, types)


class SwapsBounds(MemoryDataStore):
    law = "T3"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        if type(start) is type(end) is date and start > end:
            start, end = end, start
        return super().read_bars(symbol, start, end, timeframe=timeframe)


class AsOfTakesADate(MemoryDataStore):
    law = "T3"

    def read_fundamental(self, symbol, as_of=None):
        if type(as_of) is date:
            as_of = datetime(as_of.year, as_of.month, as_of.day)
        return super().read_fundamental(symbol, as_of)
