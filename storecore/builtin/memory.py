"""The `memory` backend: a store within one process, for tests and as an example.

It is the reference for other backends, and the example to read first: five collections, whose
values no caller can change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from storecore.audit.records import GENESIS, Link, logged_now
from storecore.audit.transfer import LOGS, moved_end
from storecore.bars.extra_values import Extra, as_floats
from storecore.bars.rows import BarColumns
from storecore.errors import NotSerializable
from storecore.events import (
    EventQuery,
    decode_event,
    encode_event,
    event_filter,
    find_events,
    select_events,
)
from storecore.fundamentals import own_copy, select_fundamentals
from storecore.models import Event, FundamentalData
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.reports import AuditLine, SeriesCoverage, StateVersion
from storecore.reports.display import counted
from storecore.states import KEPT_VERSIONS, check_expected, checked_kept
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
from storecore.values.times import TimeRange, exact_instant, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped

_Row = tuple[Any, ...]
_Key = tuple[str, str]


class MemoryConfig(Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True):
    """The option of the `memory` backend: the number of versions that it keeps of each state."""

    state_versions: int = KEPT_VERSIONS


class MemoryDataStore(Store):
    """A `DataStore` of dictionaries. It is thread-safe.

    Of each state it keeps `state_versions`. Raises `ConfigError` if that is not 1 or more.
    """

    _bars: MemoryBars
    _fundamentals: MemoryFundamentals
    _events: MemoryEvents

    def __init__(self, state_versions: int = KEPT_VERSIONS) -> None:
        super().__init__(
            bars=MemoryBars(),
            fundamentals=MemoryFundamentals(),
            events=MemoryEvents(),
            states=MemoryStates(checked_kept(state_versions)),
            audit={name: MemoryLog(name) for name in LOGS},
        )

    def places(self) -> frozenset[str]:
        """Return a place that no other store shares."""
        self._check_open()
        return frozenset({f"memory {id(self)}"})

    def _rename(self, old: str, new: str) -> None:
        """Rename a symbol in three collections.

        No function is called between the assignments: no other thread runs, and an exception of a
        signal handler finds all or none.
        """
        bars, fundamentals, events = self._bars, self._fundamentals, self._events
        with bars.lock, fundamentals.lock, events.lock:
            symbols = {symbol for symbol, _ in bars.by_series} | fundamentals.by_symbol.keys()
            known = symbols | events.symbols()
            check_rename(old, new, has_old=old in known, has_new=new in known)
            by_series, by_symbol = bars.renamed(old, new), fundamentals.renamed(old, new)
            encoded = events.renamed(old, new)
            bars.by_series, fundamentals.by_symbol, events.encoded = by_series, by_symbol, encoded

    def _shown(self) -> list[str]:
        return [counted(len(self._bars.by_series), "series")]

    def _series_shown(self) -> list[tuple[str, str, int]]:
        known = dict(self._bars.by_series)
        return sorted((*key, len(each.rows)) for key, each in known.items())

    def __reduce__(self) -> Any:
        raise NotSerializable(
            "a MemoryDataStore cannot be pickled or copied: its data is in this process "
            "only; copy it into another store with storecore.copy_store"
        )


class _Series(NamedTuple):
    """The bars of one series: their numbers and further columns by instant.

    `kinds` has the type of each further column, also of one that is null in all bars.
    """

    rows: dict[int, _Row]
    extra: dict[int, Extra]
    kinds: dict[str, str]

    def after(self, symbol: str, bars: BarColumns | pa.Table, new: dict[int, _Row]) -> _Series:
        """Return the series after a write of bars, whose numbers are `new`."""
        seven = bars.extra is None if isinstance(bars, BarColumns) else bars.num_columns == 6
        if seven and not self.kinds:
            return _Series(self.rows | new, self.extra, self.kinds)
        from storecore.bars.extra import agreed
        from storecore.bars.table import as_table, bar_columns_of

        kinds, table = agreed(self.kinds, as_table(bars), self._stored, symbol)
        widened = {name for name, kind in self.kinds.items() if kinds[name] != kind}
        extra = {at: as_floats(each, widened) for at, each in self.extra.items() if at not in new}
        given = bar_columns_of(table).extra or ()
        extra.update({at: each for at, each in zip(new, given, strict=False) if each})
        return _Series(self.rows | new, extra, kinds)

    def _stored(self, column: str) -> list[pa.Array]:
        import pyarrow as pa

        values = [each[column] for each in self.extra.values() if column in each]
        return [pa.array(values, pa.int64())]


_NONE = _Series({}, {}, {})


class MemoryBars(BarCollection):
    """The bars of each series, sorted when they are read.

    A write replaces the `_Series`, so a reader sees all of a write or nothing.
    """

    keeps_extra = True

    def __init__(self) -> None:
        self.lock = RLock()
        self.by_series: dict[_Key, _Series] = {}

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Insert or replace bars by date."""
        self._update({(symbol, timeframe): columns} if columns.date else {})

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Insert or replace the bars of several symbols, all of them at once."""
        self._update({(symbol, timeframe): table for symbol, table in batch.series()})

    def replace(self, timeframe: str, batch: Grouped) -> None:
        """Replace whole series, all of them at once."""
        given = {(symbol, timeframe): table for symbol, table in batch.series()}
        new = {key: _NONE.after(key[0], table, _rows(table)) for key, table in given.items()}
        with self.lock:
            self.by_series.update(new)

    def _update(self, given: Mapping[_Key, BarColumns | pa.Table]) -> None:
        rows = {key: _rows(bars) for key, bars in given.items()}
        with self.lock:
            known = self.by_series
            known.update(
                {
                    key: known.get(key, _NONE).after(key[0], bars, rows[key])
                    for key, bars in given.items()
                }
            )

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> BarColumns:
        """Return the bars of a range, sorted by date."""
        series = self.by_series.get((symbol, timeframe), _NONE)
        kept, (first, last) = series.rows, span[:2]
        within = sorted(at for at in kept if first <= at <= last)
        rows = [kept[at] for at in (within[-span.newest :] if span.newest else within)]
        if not rows:
            return BarColumns.none()
        columns: list[Any] = list(map(list, zip(*rows, strict=True)))
        extra = list(map(series.extra.get, columns[0])) if series.extra else None
        return BarColumns.of(columns, extra)

    def extra_kinds(self, symbol: str, timeframe: str) -> dict[str, str]:
        """Return the further columns of a series and their types."""
        return self.by_series.get((symbol, timeframe), _NONE).kinds

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        """Remove the bars of a range; return their number."""
        key = symbol, timeframe
        with self.lock:
            series = self.by_series.get(key, _NONE)
            kept = {at: row for at, row in series.rows.items() if not span.first <= at <= span.last}
            if kept:
                extra = {at: each for at, each in series.extra.items() if at in kept}
                self.by_series[key] = _Series(kept, extra, series.kinds)
            else:
                self.by_series.pop(key, None)
        return len(series.rows) - len(kept)

    def series(self) -> list[_Key]:
        """Return symbol and timeframe of each series."""
        return list(self.by_series)

    def inventory(self) -> Iterator[SeriesCoverage]:
        """Yield the extent of each series."""
        for (symbol, timeframe), (rows, *_) in list(self.by_series.items()):
            first, last = (to_datetime(at, aware=True) for at in (min(rows), max(rows)))
            yield SeriesCoverage(symbol, timeframe, first, last, len(rows))

    def renamed(self, old: str, new: str) -> dict[_Key, _Series]:
        """Return the series under their symbols after a renaming. Call it under the lock."""
        series = self.by_series.items()
        return {(new if key[0] == old else key[0], key[1]): each for key, each in series}


def _rows(bars: BarColumns | pa.Table) -> dict[int, _Row]:
    """Return the numbers of bars by instant."""
    if not isinstance(bars, BarColumns):
        from storecore.bars.table import as_columns

        bars = as_columns(bars)
    return dict(zip(bars.date, zip(*bars, strict=True), strict=True))


class MemoryFundamentals(FundamentalCollection):
    """A dict of fundamentals by instant for each symbol."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.by_symbol: dict[str, dict[int, FundamentalData]] = {}

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace fundamentals, all at once."""
        given: dict[str, dict[int, FundamentalData]] = {}
        for data in batch:
            given.setdefault(data.symbol, {})[exact_instant(data.timestamp, "timestamp")] = data
        with self.lock:
            known = self.by_symbol
            known.update({symbol: known.get(symbol, {}) | new for symbol, new in given.items()})

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental not after an instant."""
        history = self.by_symbol.get(symbol, {})
        known = [at for at in history if at <= limit]
        return own_copy(history[max(known)]) if known else None

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        """Return the fundamentals of a symbol and range by timestamp."""
        found = select_fundamentals(self.by_symbol.get(symbol, {}).values(), span)
        return list(map(own_copy, found))

    def symbols(self) -> list[str]:
        """Return the symbols that have fundamentals."""
        return list(self.by_symbol)

    def delete(self, symbol: str, span: TimeRange) -> int:
        """Remove the fundamentals of a range; return their number."""
        with self.lock:
            history = self.by_symbol.get(symbol, {})
            kept = {at: data for at, data in history.items() if not span.first <= at <= span.last}
            if kept:
                self.by_symbol[symbol] = kept
            else:
                self.by_symbol.pop(symbol, None)
        return len(history) - len(kept)

    def renamed(self, old: str, new: str) -> dict[str, dict[int, FundamentalData]]:
        """Return the fundamentals by symbol after a renaming. Call it under the lock."""
        by_symbol = dict(self.by_symbol)
        history = by_symbol.pop(old, {})
        moved = {at: replace(data, symbol=new) for at, data in history.items()}
        return by_symbol | ({new: moved} if moved else {})

    def all(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then timestamp."""
        histories = sorted(self.by_symbol.items())
        return (own_copy(history[at]) for _, history in histories for at in sorted(history))


class MemoryEvents(EventCollection):
    """A list of encoded events, which no caller can change."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.encoded: list[bytes] = []

    def write(self, batch: list[Event]) -> None:
        """Append events."""
        encoded = [encode_event(event) for event in batch]
        with self.lock:
            self.encoded.extend(encoded)

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range by timestamp, then by order of writing."""
        return select_events(map(decode_event, self.encoded), span, types)

    def find(self, query: EventQuery) -> list[Event]:
        """Return the events that a query asks for."""
        return find_events(map(decode_event, self.encoded), query)

    def symbols(self) -> set[str]:
        """Return the symbols that have events."""
        known = {decode_event(each).symbol for each in self.encoded}
        return {symbol for symbol in known if symbol is not None}

    def delete(self, query: EventQuery) -> int:
        """Remove the events that a query asks for; return their number."""
        is_asked_for = event_filter(query)
        with self.lock:
            known = self.encoded
            self.encoded = [each for each in known if not is_asked_for(decode_event(each))]
            return len(known) - len(self.encoded)

    def renamed(self, old: str, new: str) -> list[bytes]:
        """Return the events after a renaming. Call it under the lock."""
        events = zip(self.encoded, map(decode_event, self.encoded), strict=True)
        return [
            encode_event(replace(event, symbol=new)) if event.symbol == old else encoded
            for encoded, event in events
        ]

    def all(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        encoded = sorted(self.encoded, key=lambda each: decode_event(each).timestamp)
        return map(decode_event, encoded)


class MemoryStates(StateCollection):
    """The last versions of each state, newest first, as JSON documents."""

    def __init__(self, kept_versions: int = KEPT_VERSIONS) -> None:
        self.kept_versions = kept_versions
        self.lock = RLock()
        self.versions: dict[str, list[tuple[int, bytes]]] = {}
        self.deleted: dict[str, int] = {}  # the last version of each state that was deleted

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace the state of a strategy."""
        with self.lock:
            kept = self.versions.get(strategy, [])
            stored = kept[0][0] if kept else 0
            check_expected(strategy, expect, stored)
            number = (stored or self.deleted.get(strategy, 0)) + 1
            self.versions[strategy] = [(number, document), *kept[: self.kept_versions - 1]]

    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return the state of a strategy, or None."""
        return self.version(strategy).state

    def history(self, strategy: str) -> list[StateVersion]:
        """Return the kept versions of a state, newest first."""
        kept = self.versions.get(strategy, [])
        return [StateVersion(number, decode_document(each)) for number, each in kept]

    def restore(self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None) -> None:
        """Replace a state and its history by versions of another store."""
        with self.lock:
            stored = self.versions.get(strategy, [(0, b"")])[0][0]
            check_expected(strategy, expect, stored)
            if versions:
                self.versions[strategy] = versions

    def delete(self, strategy: str, expect: int | None) -> bool:
        """Remove all versions of a state; return whether there was one."""
        with self.lock:
            stored = self.versions.get(strategy, [(0, b"")])[0][0]
            check_expected(strategy, expect, stored)
            if stored:
                self.deleted[strategy] = stored
            return self.versions.pop(strategy, None) is not None

    def strategies(self) -> Iterable[str]:
        """Return the strategies that have a state."""
        return list(self.versions)


class MemoryLog(AuditLog):
    """The lines of a log, the local day of each, and the end of their chain."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = RLock()
        self.kept: list[bytes] = []
        self.days: list[date] = []
        self.end: Link = GENESIS

    def write(self, bodies: list[bytes]) -> None:
        """Append records that are logged now."""
        with self.lock:
            today, lines, end = logged_now(bodies, self.end)
            self._keep(lines, [today] * len(lines), end)

    def head(self) -> Link:
        """Return the end of the chain."""
        return self.end

    def lines(self, after: int) -> Iterator[AuditLine]:
        """Yield the records from number `after` + 1 on."""
        with self.lock:
            days, lines = self.days[after:], self.kept[after:]
        return map(AuditLine, days, lines)

    def append(self, day: date, lines: list[bytes]) -> None:
        """Append records that were logged elsewhere."""
        with self.lock:
            self._keep(lines, [day] * len(lines), moved_end(self.name, lines, self.end))

    def _keep(self, lines: list[bytes], days: list[date], end: Link) -> None:
        """Append records and their days, under the lock.

        No function is called in between, so an exception of a signal handler leaves all or none.
        """
        self.kept += lines
        self.days += days
        self.end = end


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `memory` backend."""
    return BackendSpec(
        name="memory",
        config=MemoryConfig,
        open=lambda config: MemoryDataStore(**to_builtins(config)),
        capabilities=frozenset(
            {"BarTables", "Catalog", "AuditTrail", "Bulk", "BulkAudit"}
            | {"VersionedState", "Transfer", "Maintenance"}
        ),
        summary="keeps everything in the memory of this process",
    )
