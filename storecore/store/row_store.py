"""`RowStore`: a store over one sorted table of rows, for small backends.

A row is (kind, key, at, value): text, text, a 64-bit int, bytes. A backend implements the six
methods of `Rows`, which suit any database or sorted key-value file. `RowStore` turns them into a
store with every capability except `BarStream`, `DiskUsage` and `History`. The rows of each kind:

    kind            key                         at                  value
    "bars"          JSON of symbol, timeframe   instant             JSON of a bar
    "columns"       JSON of symbol, timeframe   0                   JSON: types by further column
    "fundamentals"  symbol                      instant             JSON document
    "events"        day (UTC)                   number, from 1      JSON document
    "states"        strategy                    version, from 1     JSON document
    "deleted"       strategy                    0                   JSON of its last version
    "saved"         strategy                    version             instant of the save, in digits
    "decisions"     ""                          seq, from 1         local day, then the line
    "orders"        ""                          seq, from 1         local day, then the line
    "heads"         name of the log             0                   JSON of the last seq and hash

An instant is microseconds since 1970, UTC. A local day is ten bytes (2026-01-05); the line of a
record follows without a separator and ends in its newline. A bar is a list of prices and volume,
then, if it has any, an object of its further columns: timestamps as instants, floats that JSON does
not have as the hex digits of their 64 bits.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from functools import partial
from math import isfinite
from typing import Any

import msgspec
from msgspec.structs import replace

from storecore.audit.records import GENESIS, Link, end_of, logged_now
from storecore.audit.transfer import LOGS, moved_end
from storecore.bars.extra_values import Extra, instant_of
from storecore.bars.rows import BarColumns
from storecore.errors import CorruptData
from storecore.events import EventQuery, decode_event, encode_event, event_filter, select_events
from storecore.fundamentals import decode_fundamental, encode_fundamental
from storecore.knowledge.clock import machine_now
from storecore.models import Event, FundamentalData
from storecore.reports import AuditLine, StateVersion
from storecore.states import KEPT_VERSIONS, check_expected, checked_kept, saved_at_of
from storecore.store.base import Store
from storecore.store.collections import (
    AuditLog,
    BarCollection,
    EventCollection,
    FundamentalCollection,
    StateCollection,
)
from storecore.values.documents import decode_document
from storecore.values.names import check_rename
from storecore.values.times import EARLIEST, EVER, LATEST, TimeRange, exact_instant, to_datetime

_DAY = len("2026-01-05")
_PAGE = 1000
_HEADS = "heads"
_COLUMNS = "columns"
_DELETED = "deleted"
_SAVED = "saved"
_decode_link = msgspec.json.Decoder(Link).decode
_decode_kinds = msgspec.json.Decoder(dict[str, str]).decode
_decode_number = msgspec.json.Decoder(int).decode

Row = tuple[int, bytes]
"""`at` and `value` of a row."""


class Rows(ABC):
    """A sorted table of rows (kind, key, at, value); (kind, key, at) is unique.

    A key is any text without lone surrogates, compared by code points. `RowStore` calls all methods
    except `transaction` and `close` within a transaction.
    """

    @abstractmethod
    def transaction(self, *, write: bool) -> AbstractContextManager[Any]:
        """Return a context in which reads see one snapshot, and writes are atomic.

        Write transactions never overlap, across threads and processes. The context raises
        `StorageError` if the medium fails, `LockTimeout` if a wait for another writer takes too
        long, and `StoreClosed` if the table is closed: another thread may close it meanwhile.
        """

    @abstractmethod
    def read(
        self, kind: str, key: str, first: int, last: int, *, newest: int | None = None
    ) -> list[Row]:
        """Return the rows of a key with `first <= at <= last`, sorted by `at`.

        With `newest`, return only that many rows: those with the highest `at`.
        """

    @abstractmethod
    def put(self, kind: str, rows: Iterable[tuple[str, int, bytes]]) -> None:
        """Insert or replace rows (key, at, value); of equal keys and times the last wins."""

    @abstractmethod
    def delete(self, kind: str, key: str, first: int, last: int) -> int:
        """Remove the rows of a key with `first <= at <= last`; return their number."""

    @abstractmethod
    def keys(self, kind: str) -> Iterable[str]:
        """Return the keys of a kind that have rows, in any order."""

    @abstractmethod
    def close(self) -> None:
        """Release the resources of the table. A second call does nothing."""


class RowStore(Store):
    """A `DataStore` over `Rows`."""

    _bars: _Bars
    _fundamentals: _Fundamentals
    _events: _Events

    def __init__(self, rows: Rows, *, state_versions: int = KEPT_VERSIONS) -> None:
        self._rows = rows
        super().__init__(
            bars=_Bars(rows),
            fundamentals=_Fundamentals(rows),
            events=_Events(rows),
            states=_States(rows, checked_kept(state_versions)),
            audit={name: _Log(rows, name) for name in LOGS},
        )

    def close(self) -> None:
        """Close the table. A second call does nothing."""
        super().close()
        self._rows.close()

    def _rename(self, old: str, new: str) -> None:
        """Rename a symbol in three collections, in one transaction."""
        collections = self._bars, self._fundamentals, self._events
        with self._rows.transaction(write=True):
            has_old, has_new = (any(each.has(name) for each in collections) for name in (old, new))
            check_rename(old, new, has_old=has_old, has_new=has_new)
            for each in collections:
                each.rename(old, new)


class _OfRows:
    """Access to the rows of one kind. Each call is a transaction unless documented otherwise."""

    kind: str

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def _kept(self, key: str, span: TimeRange = EVER, newest: int | None = None) -> list[Row]:
        with self._rows.transaction(write=False):
            return self._rows.read(self.kind, key, span.first, span.last, newest=newest)

    def _keys(self) -> list[str]:
        with self._rows.transaction(write=False):
            return sorted(self._rows.keys(self.kind))

    def _put(self, rows: list[tuple[str, int, bytes]]) -> None:
        with self._rows.transaction(write=True):
            self._rows.put(self.kind, rows)

    def _all(self, key: str) -> list[Row]:
        """Return all rows of a key. Call it within a transaction."""
        return self._rows.read(self.kind, key, EARLIEST, LATEST)

    def _newest(self, key: str) -> Row | None:
        """Return the row of a key with the highest `at`. Call it within a transaction."""
        found = self._rows.read(self.kind, key, EARLIEST, LATEST, newest=1)
        return found[0] if found else None

    def _decoded(self, decode: Any, key: str, at: int, value: bytes) -> Any:
        try:
            return decode(value)
        except ValueError as error:
            raise CorruptData(f"{self.kind} {key!r}, {at}: {error}") from error


class _Bars(_OfRows, BarCollection):
    kind = "bars"
    keeps_extra = True

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        with self._rows.transaction(write=True):
            self._upsert(symbol, timeframe, columns)

    def write_many(self, timeframe: str, batch: Any) -> None:
        with self._rows.transaction(write=True):
            for symbol, table in batch.series():
                self._upsert(symbol, timeframe, table)

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> BarColumns:
        key = _series_key(symbol, timeframe)
        with self._rows.transaction(write=False):
            rows = self._rows.read(self.kind, key, span.first, span.last, newest=span.newest)
            has_extra = any(value.endswith(b"}]") for _, value in rows)
            kinds = self._kinds(key) if has_extra else {}
        bars = [self._decoded(msgspec.json.decode, key, at, value) for at, value in rows]
        if not bars:
            return BarColumns.none()
        columns: list[Any] = list(map(list, zip(*(bar[:5] for bar in bars), strict=True)))
        extra = [_decoded_extra(bar[5], kinds) if bar[5:] else None for bar in bars]
        return BarColumns.of([[at for at, _ in rows], *columns], extra if any(extra) else None)

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        with self._rows.transaction(write=True):
            key = _series_key(symbol, timeframe)
            removed = self._rows.delete(self.kind, key, span.first, span.last)
            if removed and self._newest(key) is None:
                self._rows.delete(_COLUMNS, key, 0, 0)
            return removed

    def replace(self, timeframe: str, batch: Any) -> None:
        with self._rows.transaction(write=True):
            for symbol, table in batch.series():
                self._remove(_series_key(symbol, timeframe))
                self._upsert(symbol, timeframe, table)

    def series(self) -> list[tuple[str, str]]:
        return list(map(_series_of, self._keys()))

    def has(self, symbol: str) -> bool:
        return any(_series_of(key)[0] == symbol for key in self._rows.keys(self.kind))

    def rename(self, old: str, new: str) -> None:
        """Rename a symbol. Call it within a transaction."""
        for key in list(self._rows.keys(self.kind)):
            symbol, timeframe = _series_of(key)
            if symbol == old:
                moved = _series_key(new, timeframe)
                self._rows.put(self.kind, [(moved, *row) for row in self._all(key)])
                columns = self._rows.read(_COLUMNS, key, 0, 0)
                self._rows.put(_COLUMNS, [(moved, *row) for row in columns])
                self._remove(key)

    def _remove(self, key: str) -> None:
        """Remove a series. Call it within a transaction."""
        self._rows.delete(self.kind, key, EARLIEST, LATEST)
        self._rows.delete(_COLUMNS, key, 0, 0)

    def extra_kinds(self, symbol: str, timeframe: str) -> dict[str, str]:
        with self._rows.transaction(write=False):
            return self._kinds(_series_key(symbol, timeframe))

    def _upsert(self, symbol: str, timeframe: str, bars: Any) -> None:
        """Insert or replace bars. Call it within a transaction."""
        from storecore.bars.table import as_columns

        key = _series_key(symbol, timeframe)
        if not _has_seven(bars):
            bars = self._agreed(symbol, key, bars)
        self._rows.put(self.kind, _bar_rows(key, as_columns(bars)))

    def _agreed(self, symbol: str, key: str, bars: Any) -> Any:
        """Return bars with further columns as a table of the types of the series."""
        from storecore.bars.extra import agreed
        from storecore.bars.table import as_table

        known = self._kinds(key)
        kinds, table = agreed(known, as_table(bars), partial(self._stored, key), symbol)
        if kinds != known:
            self._rows.put(_COLUMNS, [(key, 0, msgspec.json.encode(kinds))])
        return table

    def _stored(self, key: str, column: str) -> Iterator[Any]:
        import pyarrow as pa

        rows = self._rows.read(self.kind, key, EARLIEST, LATEST)
        bars = (self._decoded(msgspec.json.decode, key, *row) for row in rows)
        yield pa.array([bar[5].get(column) for bar in bars if bar[5:]], pa.int64())

    def _kinds(self, key: str) -> dict[str, str]:
        """Return the types of the further columns of a series. Call it within a transaction."""
        kept = self._rows.read(_COLUMNS, key, 0, 0)
        return self._decoded(_decode_kinds, key, *kept[0]) if kept else {}


class _Fundamentals(_OfRows, FundamentalCollection):
    kind = "fundamentals"

    def write(self, batch: list[FundamentalData]) -> None:
        self._put(
            [
                (data.symbol, exact_instant(data.timestamp, "timestamp"), encode_fundamental(data))
                for data in batch
            ]
        )

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        rows = self._kept(symbol, TimeRange(EARLIEST, limit, aware=True), newest=1)
        found = [self._decoded(decode_fundamental, symbol, *row) for row in rows]
        return found[0] if found else None

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        rows = self._kept(symbol, span)
        return [self._decoded(decode_fundamental, symbol, *row) for row in rows]

    def symbols(self) -> list[str]:
        return self._keys()

    def delete(self, symbol: str, span: TimeRange) -> int:
        with self._rows.transaction(write=True):
            return self._rows.delete(self.kind, symbol, span.first, span.last)

    def has(self, symbol: str) -> bool:
        return self._newest(symbol) is not None

    def rename(self, old: str, new: str) -> None:
        """Rename a symbol. Call it within a transaction."""
        history = {at: self._decoded(decode_fundamental, old, at, v) for at, v in self._all(old)}
        renamed = {at: replace(data, symbol=new) for at, data in history.items()}
        rows = [(new, at, encode_fundamental(data)) for at, data in renamed.items()]
        self._rows.put(self.kind, rows)
        self._rows.delete(self.kind, old, EARLIEST, LATEST)

    def all(self) -> Iterator[FundamentalData]:
        for symbol in self._keys():
            for row in self._kept(symbol):
                yield self._decoded(decode_fundamental, symbol, *row)


class _Events(_OfRows, EventCollection):
    kind = "events"

    def write(self, batch: list[Event]) -> None:
        by_day: dict[str, list[bytes]] = {}
        for event in batch:
            by_day.setdefault(str(event.timestamp.date()), []).append(encode_event(event))
        with self._rows.transaction(write=True):
            for day, encoded in by_day.items():
                last = self._newest(day)
                numbered = enumerate(encoded, last[0] + 1 if last else 1)
                self._rows.put(self.kind, [(day, number, each) for number, each in numbered])

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        with self._rows.transaction(write=False):
            kept = {day: self._all(day) for day in self._days(span)}
        events = (self._decoded(decode_event, day, *row) for day in kept for row in kept[day])
        return select_events(events, span, types)

    def delete(self, query: EventQuery) -> int:
        is_asked_for, number = event_filter(query), 0
        with self._rows.transaction(write=True):
            for day in self._days(query.span):
                for at, value in self._all(day):
                    if is_asked_for(self._decoded(decode_event, day, at, value)):
                        number += self._rows.delete(self.kind, day, at, at)
        return number

    def has(self, symbol: str) -> bool:
        return any(True for _ in self._of(symbol))

    def rename(self, old: str, new: str) -> None:
        """Rename a symbol. Call it within a transaction."""
        rows = [
            (day, at, encode_event(replace(each, symbol=new))) for day, at, each in self._of(old)
        ]
        self._rows.put(self.kind, rows)

    def _of(self, symbol: str) -> Iterator[tuple[str, int, Event]]:
        """Yield day, number and event of a symbol. Call it within a transaction."""
        for day in self._days(EVER):
            for at, value in self._all(day):
                event = self._decoded(decode_event, day, at, value)
                if event.symbol == symbol:
                    yield day, at, event

    def _days(self, span: TimeRange) -> list[str]:
        """Return the days of a range that have events, sorted. Call it within a transaction."""
        first, last = (str(to_datetime(at, aware=True).date()) for at in span[:2])
        return sorted(day for day in self._rows.keys(self.kind) if first <= day <= last)

    def all(self) -> Iterator[Event]:
        return self.stream(EVER)

    def stream(self, span: TimeRange) -> Iterator[Event]:
        first, last = (str(to_datetime(at, aware=True).date()) for at in span[:2])
        for day in self._keys():
            if first <= day <= last:
                events = [self._decoded(decode_event, day, *row) for row in self._kept(day)]
                yield from select_events(events, span._replace(aware=True), None)


class _States(_OfRows, StateCollection):
    kind = "states"

    def __init__(self, rows: Rows, kept_versions: int) -> None:
        super().__init__(rows)
        self.kept_versions = kept_versions

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        with self._rows.transaction(write=True):
            number = (self._stored(strategy, expect) or self._deleted(strategy)) + 1
            self._rows.put(self.kind, [(strategy, number, document)])
            self._rows.put(_SAVED, [(strategy, number, b"%d" % machine_now())])
            self._remove(strategy, number - self.kept_versions)

    def restore(self, strategy: str, versions: list[Row], expect: int | None) -> None:
        saved = [(each[0], saved_at_of(each)) for each in versions]
        with self._rows.transaction(write=True):
            self._stored(strategy, expect)
            if versions:
                self._remove(strategy, LATEST)
                self._rows.put(self.kind, [(strategy, *each) for each in versions])
                self._rows.put(
                    _SAVED,
                    [
                        (strategy, version, b"%d" % exact_instant(at, "saved_at"))
                        for version, at in saved
                        if at is not None
                    ],
                )

    def delete(self, strategy: str, expect: int | None) -> bool:
        with self._rows.transaction(write=True):
            stored = self._stored(strategy, expect)
            if stored:
                self._rows.put(_DELETED, [(strategy, 0, msgspec.json.encode(stored))])
            return bool(self._remove(strategy, LATEST))

    def load(self, strategy: str) -> dict[str, Any] | None:
        rows = self._kept(strategy, newest=1)
        found = [self._decoded(decode_document, strategy, *row) for row in rows]
        return found[0] if found else None

    def history(self, strategy: str) -> list[StateVersion]:
        with self._rows.transaction(write=False):
            versions, saved = self._all(strategy), self._rows.read(_SAVED, strategy, 0, LATEST)
        times = {number: self._decoded(_moment, strategy, number, at) for number, at in saved}
        states = (
            (number, self._decoded(decode_document, strategy, number, document))
            for number, document in reversed(versions)
        )
        return [StateVersion(number, state, times.get(number)) for number, state in states]

    def strategies(self) -> list[str]:
        return self._keys()

    def _remove(self, strategy: str, last: int) -> int:
        """Remove the versions up to a number; return how many. Call it within a transaction."""
        self._rows.delete(_SAVED, strategy, EARLIEST, last)
        return self._rows.delete(self.kind, strategy, EARLIEST, last)

    def _stored(self, strategy: str, expect: int | None) -> int:
        newest = self._newest(strategy)
        stored = newest[0] if newest else 0
        check_expected(strategy, expect, stored)
        return stored

    def _deleted(self, strategy: str) -> int:
        """Return the last version of a state that was deleted, 0 if none was."""
        kept = self._rows.read(_DELETED, strategy, 0, 0)
        return self._decoded(_decode_number, strategy, *kept[0]) if kept else 0


class _Log(_OfRows, AuditLog):
    def __init__(self, rows: Rows, name: str) -> None:
        super().__init__(rows)
        self.name = self.kind = name

    def write(self, bodies: list[bytes]) -> None:
        with self._rows.transaction(write=True):
            self._extend(*logged_now(bodies, self._end()))

    def append(self, day: date, lines: list[bytes]) -> None:
        with self._rows.transaction(write=True):
            self._extend(day, lines, moved_end(self.name, lines, self._end()))

    def lines(self, after: int) -> Iterator[AuditLine]:
        while rows := self._kept("", TimeRange(after + 1, after + _PAGE, aware=True)):
            for seq, value in rows:
                yield self._decoded(_audit_line, "", seq, value)
            after = rows[-1][0]

    def head(self) -> Link | None:
        with self._rows.transaction(write=False):
            kept = self._rows.read(_HEADS, self.name, 0, 0)
        return self._decoded(_decode_link, self.name, *kept[0]) if kept else None

    def _end(self) -> Link:
        newest = self._newest("")
        return GENESIS if newest is None else self._decoded(end_of, "", newest[0], newest[1][_DAY:])

    def _extend(self, day: date, lines: list[bytes], end: Link) -> None:
        """Append records and move the head. Call it within a transaction."""
        stamp, numbers = str(day).encode(), range(end.seq - len(lines) + 1, end.seq + 1)
        rows = [("", seq, stamp + line) for seq, line in zip(numbers, lines, strict=True)]
        self._rows.put(self.kind, rows)
        self._rows.put(_HEADS, [(self.name, 0, msgspec.json.encode(end))])


def _audit_line(value: bytes) -> AuditLine:
    return AuditLine(date.fromisoformat(value[:_DAY].decode()), value[_DAY:])


def _series_of(key: str) -> tuple[str, str]:
    return msgspec.json.decode(key, type=tuple[str, str])


def _series_key(symbol: str, timeframe: str) -> str:
    return msgspec.json.encode((symbol, timeframe)).decode()


def _has_seven(bars: Any) -> bool:
    """Return whether bars, as columns or as a series table, have no further columns."""
    return bars.extra is None if isinstance(bars, BarColumns) else bars.num_columns == 6


def _bar_rows(key: str, columns: BarColumns) -> list[tuple[str, int, bytes]]:
    encode = msgspec.json.encode
    if columns.extra is None:
        return [(key, at, encode(numbers)) for at, *numbers in zip(*columns, strict=True)]
    given = ([_encoded_extra(each)] if each else [] for each in columns.extra)
    bars = zip(zip(*columns, strict=True), given, strict=True)
    return [(key, at, encode(numbers + extra)) for (at, *numbers), extra in bars]


def _moment(instant: bytes) -> datetime:
    return to_datetime(int(instant), aware=True)


def _encoded_extra(extra: Extra) -> Extra:
    return {name: _encoded_value(each) for name, each in extra.items()}


def _encoded_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_of(value)
    if isinstance(value, float) and not isfinite(value):
        return struct.pack(">d", value).hex()
    return value


def _decoded_extra(extra: Extra, kinds: dict[str, str]) -> Extra:
    return {name: _decoded_value(each, kinds[name]) for name, each in extra.items()}


def _decoded_value(value: Any, kind: str) -> Any:
    if kind == "timestamp":
        return to_datetime(value, aware=True)
    if kind == "float64":  # of whole numbers too, if the column has become one of floats
        given: float = (
            struct.unpack(">d", bytes.fromhex(value))[0] if value.__class__ is str else float(value)
        )
        return given
    return value
