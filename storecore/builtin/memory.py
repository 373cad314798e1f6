"""The `memory` backend: a store within one process, for tests and as an example.

It is the reference for other backends, and the example to read first: five collections, whose
values no caller can change, and a clock of recording. Bars, fundamentals and events keep what was
replaced beside what is held (law K1). All writes of them take the lock of the clock until they are
visible, so a question about an instant waits for those that have taken one (law K3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain, repeat
from operator import attrgetter
from threading import RLock
from types import MappingProxyType
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
from storecore.fundamentals import encode_fundamental, own_copy, select_fundamentals
from storecore.knowledge.clock import (
    RestorableClock,
    check_asked,
    check_new,
    check_prunable,
    checked_history,
    machine_now,
    next_instant,
    prunable,
)
from storecore.knowledge.versions import Snapshot, Unreplaced, Version, Versions, columns_of
from storecore.models import Event, FundamentalData
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.reports import AuditLine, Coverage, Report, SeriesCoverage, StateVersion
from storecore.reports.display import counted
from storecore.states import KEPT_VERSIONS, KeptVersion, check_expected, checked_kept, saved_at_of
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

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped

_Row = tuple[Any, ...]
_Key = tuple[str, str]


class MemoryConfig(Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True):
    """The options of the `memory` backend.

    `state_versions` is the number of versions that it keeps of each state, `history` for how long
    it keeps replaced bars, fundamentals and events (see `MemoryDataStore`).
    """

    state_versions: int = KEPT_VERSIONS
    history: bool | str = True

    def __post_init__(self) -> None:
        checked_history(self.history)  # here, so that the error names the place in the config


class MemoryDataStore(Store):
    """A `DataStore` of dictionaries. It is thread-safe.

    Of each state it keeps `state_versions`. With `history=True` it keeps all replaced versions of
    bars, fundamentals and events, with False none. With "90d" (h: hours, d: days, w: weeks)
    `compact()` prunes those that were replaced longer ago. Raises `ConfigError` for other values.
    """

    _bars: MemoryBars
    _fundamentals: MemoryFundamentals
    _events: MemoryEvents

    _clock: MemoryClock

    def __init__(self, state_versions: int = KEPT_VERSIONS, history: bool | str = True) -> None:
        self._kept_for = checked_history(history)
        clock = MemoryClock(keeps=self._kept_for != 0)
        super().__init__(
            bars=MemoryBars(clock),
            fundamentals=MemoryFundamentals(clock),
            events=MemoryEvents(clock),
            states=MemoryStates(checked_kept(state_versions)),
            audit={name: MemoryLog(name) for name in LOGS},
            clock=clock,
        )

    def compact(self) -> Report:
        """Prune the history that is older than the option `history` keeps."""
        self._check_open()
        if self._kept_for is None:
            return Report(0)
        with self._clock.lock:
            self._prune(prunable(self._kept_for, self._clock.ask(None), self._clock.snapshots()))
        return Report(0)

    def places(self) -> frozenset[str]:
        """Return a place that no other store shares."""
        self._check_open()
        return frozenset({f"memory {id(self)}"})

    def _rename(self, old: str, new: str) -> None:
        """Rename a symbol in three collections: for their history, a deletion and a write.

        No function is called between the assignments: no other thread runs, and an exception of a
        signal handler finds all or none.
        """
        bars, fundamentals, events = self._bars, self._fundamentals, self._events
        with self._clock.lock:
            known = {*bars.symbols(None), *fundamentals.symbols(), *events.symbols()}
            check_rename(old, new, has_old=old in known, has_new=new in known)
            now = self._clock.tick()
            by_series, by_symbol = bars.renamed(old, new, now), fundamentals.renamed(old, new, now)
            held = events.renamed(old, new, now)
            if not self._clock.keeps():
                self._clock.prune_to(now)
            bars.by_series, fundamentals.by_symbol, events.held = by_series, by_symbol, held

    def _shown(self) -> list[str]:
        return [counted(len(self._bars.series()), "series")]

    def _series_shown(self) -> list[tuple[str, str, int]]:
        known = dict(self._bars.by_series)
        return sorted((*key, len(each.rows)) for key, each in known.items() if each.rows)

    def __reduce__(self) -> Any:
        raise NotSerializable(
            "a MemoryDataStore cannot be pickled or copied: its data is in this process "
            "only; copy it into another store with storecore.copy_store"
        )


class MemoryClock(RestorableClock):
    """The clock of recording, as numbers in memory."""

    def __init__(self, *, keeps: bool) -> None:
        self.lock = RLock()
        self.pruned = EARLIEST
        self._last = EARLIEST
        self._first: int | None = None
        self._keeps = keeps
        self._named: dict[str, Snapshot] = {}

    def tick(self) -> int:
        """Return the instant of a write. The caller holds the lock until the write is visible."""
        self._last = next_instant(self._last)
        if self._first is None:
            self._first = self._last
        return self._last

    def prune_to(self, now: int) -> None:
        """Move the horizon to the instant of a write that keeps nothing of what it replaces."""
        self.pruned = now

    def keeps(self) -> bool:
        """Return whether a write keeps what it replaces: it does as long as there are snapshots."""
        return self._keeps or bool(self._named)

    def is_kept(self) -> bool:
        """Return whether a write keeps what it replaces."""
        return self.keeps()

    def asked(self) -> int | None:
        """Return the last instant of the clock, of a question or of a write."""
        return None if self._last == EARLIEST else self._last

    def restore(self, recorded: int, pruned: int, snapshots: Iterable[Snapshot]) -> None:
        """Go on from the clock of another store."""
        with self.lock:
            self._named = {each.name: each for each in snapshots} | self._named
            self.pruned = max(self.pruned, pruned)
            self._last, self._first = max(self._last, recorded), EARLIEST

    def ask(self, recorded: int | None) -> int:
        """Move the clock to an instant (None: now)."""
        with self.lock:
            at = check_asked(recorded, self._last)
            self._last = max(self._last, at)
            return at

    def began(self) -> int:
        """Return the instant of the first write; `LATEST` before it."""
        return LATEST if self._first is None else self._first

    def horizon(self) -> int:
        """Return the instant before which history is pruned."""
        return self.pruned

    def prune(self, before: int) -> None:
        """Move the horizon."""
        with self.lock:
            check_prunable(before, self._named.values())
            self.pruned = max(self.pruned, before)

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots."""
        return list(self._named.values())

    def add_snapshot(self, name: str, note: str) -> Snapshot:
        """Name the present instant."""
        with self.lock:
            check_new(name, self._named.values())
            added = Snapshot(name, to_datetime(self.ask(None), aware=True), note)
            self._named[name] = added
            return added

    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one."""
        with self.lock:
            return self._named.pop(name, None) is not None


_Past = tuple[_Row, Extra | None, int]
"""A bar that was replaced: its row, its further columns, the instant at which it was replaced."""


class _Series(NamedTuple):
    """The bars of one series: their numbers and further columns by instant.

    The last number of a row is the instant at which it was recorded. `kinds` has the type of each
    further column, also of one that is null in all bars. `past` has the replaced versions of each
    instant, the oldest first. A series without rows has only a past.
    """

    rows: dict[int, _Row]
    extra: dict[int, Extra]
    kinds: dict[str, str]
    past: Mapping[int, tuple[_Past, ...]] = MappingProxyType({})

    def after(self, symbol: str, bars: BarColumns | pa.Table, new: dict[int, _Row]) -> _Series:
        """Return the series after a write of bars, whose numbers are `new`, without its past."""
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

    def followed_by(
        self, new: _Series, changed: Iterable[int], now: int, *, keeps: bool
    ) -> tuple[_Series, bool]:
        """Return what this series becomes with the bars of `new`, and whether one was replaced.

        `changed` are the instants of this series' bars that may differ. A bar that equals the old
        one keeps its version; the old one of any other becomes a part of the past, if that is kept.
        """
        (rows, extra, _, past), (new_rows, new_extra, *_) = self, new
        gone: dict[int, tuple[_Past, ...]] = {}
        for at in changed:
            old, row = rows[at], new_rows.get(at)
            if (
                row is not None
                and old[:-1] == row[:-1]
                and _has_same_bits(old, row)
                and _is_same_extra(extra.get(at), new_extra.get(at))
            ):
                new_rows[at] = old
            else:
                gone[at] = (*past.get(at, ()), (old, extra.get(at), now))
        past = {**self.past, **gone} if gone and keeps else self.past
        return new._replace(past=past), bool(gone)

    def within(self, span: TimeRange) -> tuple[BarColumns, list[int | None]]:
        """Return the bars of a range, sorted by date, and when they were recorded."""
        kept, (first, last) = self.rows, span[:2]
        within = sorted(at for at in kept if first <= at <= last)
        rows = [kept[at] for at in (within[-span.newest :] if span.newest else within)]
        if not rows:
            return BarColumns.none(), []
        *columns, recorded = map(list, zip(*rows, strict=True))
        extra = list(map(self.extra.get, columns[0])) if self.extra else None
        return BarColumns.of(columns, extra), recorded

    def versions(self, span: TimeRange) -> Versions:
        """Return the versions of a range, by date, then by time of recording."""
        dates = sorted(at for at in {*self.rows, *self.past} if span.first <= at <= span.last)
        found = [each for at in dates for each in self._versions_at(at)]
        if not found:
            return Versions(BarColumns.none(), [], [])
        columns: list[Any] = list(map(list, zip(*(row for row, *_ in found), strict=True)))
        recorded = columns.pop()
        extra = _of_one_type([extra for _, extra, _ in found])
        replaced = [each for *_, each in found]
        return Versions(BarColumns.of(columns, extra if any(extra) else None), recorded, replaced)

    def _versions_at(self, at: int) -> list[tuple[_Row, Extra | None, int | None]]:
        row = self.rows.get(at)
        now = [] if row is None else [(row, self.extra.get(at), None)]
        return [*self.past.get(at, ()), *now]

    def restored(self, symbol: str, given: Versions) -> _Series:
        """Return the series with versions of another store, some of which it may have."""
        bars, recorded, replaced = columns_of(given.bars), given.recorded, given.replaced
        extra = bars.extra or [None] * len(bars.date)
        found: dict[int, dict[int | None, tuple[_Row, Extra | None, int | None]]] = {}
        for *numbers, further, began, ended in zip(*bars, extra, recorded, replaced, strict=True):
            at = numbers[0]
            held = found.setdefault(at, {each[0][-1]: each for each in self._versions_at(at)})
            held[began] = (*numbers, began), further, ended
        ordered = {at: sorted(each.values(), key=_began) for at, each in found.items()}
        present = [each[-1] for at, each in sorted(ordered.items()) if each[-1][2] is None]
        past = {
            at: gone
            for at, each in ordered.items()
            if (gone := tuple((row, extra, end) for row, extra, end in each if end is not None))
        }
        return self._with_present(symbol, present, found)._replace(past={**self.past, **past})

    def _with_present(
        self, symbol: str, present: Sequence[tuple[_Row, Extra | None, Any]], dates: Iterable[int]
    ) -> _Series:
        """Return the series with the present bars of some dates, which have no others."""
        new = {row[0]: row for row, *_ in present}
        after = self
        if present:
            *columns, _ = map(list, zip(*new.values(), strict=True))
            extra = [each for _, each, _ in present]
            bars = BarColumns.of(columns, extra if any(extra) else None)
            after = self.after(symbol, bars, new)
        gone = {*dates} - new.keys()
        rows = {at: row for at, row in after.rows.items() if at not in gone}
        return after._replace(
            rows=rows, extra={at: e for at, e in after.extra.items() if at in rows}
        )

    def pruned(self, before: int) -> _Series:
        """Return the series without the versions that were replaced at or before an instant."""
        past = {
            at: kept
            for at, each in self.past.items()
            if (kept := tuple(one for one in each if one[-1] > before))
        }
        return self._replace(past=past)

    def without(self, gone: set[int]) -> _Series:
        """Return the series without the bars at some instants, without its past."""
        rows = {at: row for at, row in self.rows.items() if at not in gone}
        extra = {at: each for at, each in self.extra.items() if at in rows}
        return _Series(rows, extra, self.kinds if rows else {})

    def _stored(self, column: str) -> list[pa.Array]:
        import pyarrow as pa

        values = [each[column] for each in self.extra.values() if column in each]
        return [pa.array(values, pa.int64())]


_NONE = _Series({}, {}, {})


def _began(version: tuple[_Row, Any, Any]) -> int:
    """Return when a version of a bar was recorded; before all others, if that is not known."""
    at: int | None = version[0][-1]
    return EARLIEST if at is None else at


class MemoryBars(BarCollection):
    """The bars of each series, sorted when they are read.

    A write replaces the `_Series`, so a reader sees all of a write or nothing.
    """

    keeps_extra = True

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
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
        with self._clock.lock:
            now = self._clock.tick()
            known = {key: self.by_series.get(key, _NONE) for key in given}
            new = {key: _NONE.after(key[0], each, _rows(each, now)) for key, each in given.items()}
            self._publish({key: (known[key], new[key], known[key].rows) for key in given}, now)

    def _update(self, given: Mapping[_Key, BarColumns | pa.Table]) -> None:
        with self._clock.lock:
            now = self._clock.tick()
            writes = {}
            for key, bars in given.items():
                known, rows = self.by_series.get(key, _NONE), _rows(bars, now)
                after = known.after(key[0], bars, rows)
                writes[key] = known, after, known.rows.keys() & rows.keys()
            self._publish(writes, now)

    def _publish(
        self, writes: Mapping[_Key, tuple[_Series, _Series, Iterable[int]]], now: int
    ) -> None:
        """Make series visible, given the old one, the new one and what may differ in them."""
        keeps = self._clock.keeps()
        followed = {
            key: old.followed_by(new, changed, now, keeps=keeps)
            for key, (old, new, changed) in writes.items()
        }
        if not keeps and any(is_replaced for _, is_replaced in followed.values()):
            self._clock.prune_to(now)
        self.by_series.update({key: each for key, (each, _) in followed.items()})

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> BarColumns:
        """Return the bars of a range, sorted by date."""
        return self.by_series.get((symbol, timeframe), _NONE).within(span)[0]

    def versions(self, symbol: str, timeframe: str, span: TimeRange) -> Versions:
        """Return the versions of the bars of a range."""
        return self.by_series.get((symbol, timeframe), _NONE).versions(span)

    def corrected(self, since: int) -> list[tuple[str, str, TimeRange]]:
        """Return each series with versions that were replaced at or after an instant."""
        return [
            (*key, EVER)
            for key, series in self._known().items()
            if any(each[-1][-1] >= since for each in series.past.values())
        ]

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant."""
        with self._clock.lock:
            kept = {key: series.pruned(before) for key, series in self.by_series.items()}
            number = _versions(self.by_series) - _versions(kept)
            self.by_series = {key: each for key, each in kept.items() if each.rows or each.past}
            return number

    def restore(self, symbol: str, timeframe: str, versions: Versions) -> None:
        """Take in versions of another store."""
        with self._clock.lock:
            key = symbol, timeframe
            series = self.by_series.get(key, _NONE).restored(symbol, versions)
            self.by_series[key] = series

    def unreplaced(self, symbol: str, timeframe: str, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a range, if none of them was replaced."""
        import pyarrow as pa

        from storecore.bars.table import as_table

        series = self.by_series.get((symbol, timeframe), _NONE)
        if any(span.first <= at <= span.last for at in series.past):
            return None
        bars, recorded = series.within(span)
        return Unreplaced(as_table(bars), pa.array(recorded, pa.int64()))

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return the first and last date and the number of bars of a series."""
        rows = self.by_series.get((symbol, timeframe), _NONE).rows
        if not rows:
            return Coverage(None, None, 0)
        first, last = (to_datetime(at, aware=True) for at in (min(rows), max(rows)))
        return Coverage(first, last, len(rows))

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> None:
        """Take in bars of another store into a range without versions."""
        columns = columns_of(given.bars)
        rows = zip(*columns, given.recorded.to_pylist(), strict=True)
        new = dict(zip(columns.date, rows, strict=True))
        key = symbol, timeframe
        with self._clock.lock:
            known = self.by_series.get(key, _NONE)
            if not new.keys().isdisjoint({*known.rows, *known.past}):  # another writer's
                return self.restore(symbol, timeframe, given.versions())
            after = known.after(symbol, given.bars, new)
            self.by_series[key] = after._replace(past=known.past)
        return None

    def extra_kinds(self, symbol: str, timeframe: str) -> dict[str, str]:
        """Return the further columns of a series and their types."""
        return self.by_series.get((symbol, timeframe), _NONE).kinds

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        """Remove the bars of a range; return their number."""
        key = symbol, timeframe
        with self._clock.lock:
            series = self.by_series.get(key, _NONE)
            gone = [at for at in series.rows if span.first <= at <= span.last]
            if gone:
                self._publish({key: (series, series.without(set(gone)), gone)}, self._clock.tick())
                if not any(self.by_series[key][::3]):  # neither bars nor a past
                    del self.by_series[key]
        return len(gone)

    def series(self) -> list[_Key]:
        """Return symbol and timeframe of each series."""
        return [key for key, each in self._known().items() if each.rows]

    def _known(self) -> dict[_Key, _Series]:
        """Return the series of now: other threads may add some, and only a copy is one step."""
        return dict(self.by_series)

    def inventory(self) -> Iterator[SeriesCoverage]:
        """Yield the extent of each series."""
        for (symbol, timeframe), (rows, *_) in self._known().items():
            if rows:
                first, last = (to_datetime(at, aware=True) for at in (min(rows), max(rows)))
                yield SeriesCoverage(symbol, timeframe, first, last, len(rows))

    def renamed(self, old: str, new: str, now: int) -> dict[_Key, _Series]:
        """Return the series under their symbols after a renaming. Call it under the lock."""
        by_series, keeps = dict(self.by_series), self._clock.keeps()
        for key, series in self.by_series.items():
            if key[0] == old and series.rows:
                moved = new, key[1]
                by_series[key], _ = series.followed_by(_NONE, series.rows, now, keeps=keeps)
                rows = {at: (*row[:-1], now) for at, row in series.rows.items()}
                by_series[moved] = by_series.get(moved, _NONE)._replace(
                    rows=rows, extra=series.extra, kinds=series.kinds
                )
        return by_series


def _rows(bars: BarColumns | pa.Table, now: int) -> dict[int, _Row]:
    """Return the numbers of bars by instant, each with the instant of recording at its end."""
    if not isinstance(bars, BarColumns):
        from storecore.bars.table import as_columns

        bars = as_columns(bars)
    rows = zip(*bars, repeat(now, len(bars.date)), strict=True)
    return dict(zip(bars.date, rows, strict=True))


def _has_same_bits(old: _Row, new: _Row) -> bool:
    """Return whether two rows with equal prices have the same bits (law B5)."""
    return 0.0 not in old or _bits(*old[1:5]) == _bits(*new[1:5])


def _is_same_extra(extra: Extra | None, other: Extra | None) -> bool:
    """Return whether the further columns of two bars are equal bit for bit (law B6)."""
    if extra is None or other is None:
        return extra is other
    return extra.keys() == other.keys() and all(
        _is_same_value(value, other[name]) for name, value in extra.items()
    )


def _is_same_value(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return _bits(one) == _bits(other)
    return bool(one == other)


def _bits(*floats: float) -> bytes:
    return struct.pack(f"{len(floats)}d", *floats)


def _of_one_type(extra: list[Extra | None]) -> list[Extra | None]:
    """Return further columns with floats in each column that has a float in any row."""
    kinds = {(name, type(value)) for each in extra if each for name, value in each.items()}
    mixed = {name for name, kind in kinds if kind is float and (name, int) in kinds}
    return [each and as_floats(each, mixed) for each in extra] if mixed else extra


def _versions(by_series: Mapping[_Key, _Series]) -> int:
    return sum(len(each) for series in by_series.values() for each in series.past.values())


_Held = tuple[Version[FundamentalData], ...]


class MemoryFundamentals(FundamentalCollection):
    """For each symbol a dict of the versions of a fundamental by instant, the last one at the end.

    That is the present one, unless it was removed.
    """

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self.by_symbol: dict[str, dict[int, _Held]] = {}

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace fundamentals, all at once."""
        given: dict[str, dict[int, FundamentalData]] = {}
        for data in batch:
            given.setdefault(data.symbol, {})[exact_instant(data.timestamp, "timestamp")] = data
        with self._clock.lock:
            known, now = self.by_symbol, self._clock.tick()
            changed = {
                symbol: known.get(symbol, {}) | self._changed(known.get(symbol, {}), new, now)
                for symbol, new in given.items()
            }
            known.update(changed)

    def _changed(
        self, history: dict[int, _Held], new: Mapping[int, FundamentalData | None], now: int
    ) -> dict[int, _Held]:
        """Return the versions at some instants after a write (None: a deletion) of them."""
        changed: dict[int, _Held] = {}
        for at, data in new.items():
            held = history.get(at, ())
            present = _present(held)
            if not _is_same_filing(data, present):
                added = () if data is None else ((data, now, None),)
                changed[at] = (*self._ended(held, now), *added)
        return changed

    def _ended(self, held: _Held, now: int) -> _Held:
        """Return versions that are all replaced, without the last one if history is not kept."""
        present = _present(held)
        if present is None:
            return held
        if not self._clock.keeps():
            self._clock.prune_to(now)
            return held[:-1]
        return (*held[:-1], (present, held[-1][1], now))

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental not after an instant."""
        history = self._now(symbol)
        known = [at for at in history if at <= limit]
        return own_copy(history[max(known)]) if known else None

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        """Return the fundamentals of a symbol and range by timestamp."""
        return list(map(own_copy, select_fundamentals(self._now(symbol).values(), span)))

    def _now(self, symbol: str) -> dict[int, FundamentalData]:
        """Return the present fundamentals of a symbol by instant."""
        held = ((at, _present(each)) for at, each in self.by_symbol.get(symbol, {}).items())
        return {at: data for at, data in held if data is not None}

    def versions_of(self, symbol: str, span: TimeRange) -> list[Version[FundamentalData]]:
        """Return all versions of the fundamentals of a range."""
        history = self.by_symbol.get(symbol, {})
        within = sorted(at for at in history if span.first <= at <= span.last)
        found = chain.from_iterable(history[at] for at in within)
        return [(own_copy(data), began, ended) for data, began, ended in found]

    def corrected(self, since: int) -> list[str]:
        """Return the symbols with versions that were replaced at or after an instant."""
        return [
            symbol
            for symbol, history in dict(self.by_symbol).items()
            if any(ended is not None and ended >= since for _, _, ended in _all_of(history))
        ]

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant."""
        with self._clock.lock:
            number = sum(len(list(_all_of(each))) for each in self.by_symbol.values())
            kept = {
                symbol: {at: each for at, held in known.items() if (each := _since(held, before))}
                for symbol, known in self.by_symbol.items()
            }
            self.by_symbol = {symbol: each for symbol, each in kept.items() if each}
            return number - sum(len(list(_all_of(each))) for each in kept.values())

    def restore(self, versions: list[Version[FundamentalData]]) -> None:
        """Take in versions of another store."""
        with self._clock.lock:
            for data, began, ended in versions:
                known = dict(self.by_symbol.get(data.symbol, {}))
                at = exact_instant(data.timestamp, "timestamp")
                held = [each for each in known.get(at, ()) if each[1] != began]
                held.append((own_copy(data), began, ended))
                known[at] = tuple(sorted(held, key=_recorded))
                self.by_symbol[data.symbol] = known

    def symbols(self) -> list[str]:
        """Return the symbols that have fundamentals."""
        return [symbol for symbol in dict(self.by_symbol) if self._now(symbol)]

    def delete(self, symbol: str, span: TimeRange) -> int:
        """Remove the fundamentals of a range; return their number."""
        with self._clock.lock:
            gone = dict.fromkeys(at for at in self._now(symbol) if span.first <= at <= span.last)
            if gone:
                history, now = self.by_symbol[symbol], self._clock.tick()
                self.by_symbol[symbol] = history | self._changed(history, gone, now)
        return len(gone)

    def renamed(self, old: str, new: str, now: int) -> dict[str, dict[int, _Held]]:
        """Return the fundamentals by symbol after a renaming. Call it under the lock."""
        by_symbol, present = dict(self.by_symbol), self._now(old)
        if present:
            moved = {at: replace(data, symbol=new) for at, data in present.items()}
            former, history = self.by_symbol[old], self.by_symbol.get(new, {})
            by_symbol[old] = former | self._changed(former, dict.fromkeys(present), now)
            by_symbol[new] = history | self._changed(history, moved, now)
        return by_symbol

    def all(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then timestamp."""
        histories = [self._now(symbol) for symbol in sorted(dict(self.by_symbol))]
        return (own_copy(history[at]) for history in histories for at in sorted(history))


def _recorded(version: Version[Any]) -> int:
    return EARLIEST if version[1] is None else version[1]


def _is_same_filing(one: FundamentalData | None, other: FundamentalData | None) -> bool:
    if one is None or other is None:
        return one is other
    return encode_fundamental(one) == encode_fundamental(other)


def _present(held: _Held) -> FundamentalData | None:
    """Return the present one of the versions of a fundamental; None if it was removed."""
    return held[-1][0] if held and held[-1][2] is None else None


def _all_of(history: dict[int, _Held]) -> Iterator[Version[FundamentalData]]:
    return chain.from_iterable(history.values())


def _since(held: tuple[Version[Any], ...], before: int) -> tuple[Version[Any], ...]:
    """Return the versions that were not replaced at or before an instant."""
    return tuple(each for each in held if each[2] is None or each[2] > before)


class MemoryEvents(EventCollection):
    """The versions of encoded events, which no caller can change, in the order of writing."""

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self.held: list[Version[bytes]] = []

    def write(self, batch: list[Event]) -> None:
        """Append events."""
        encoded = [encode_event(event) for event in batch]
        with self._clock.lock:
            now = self._clock.tick()
            self.held.extend([(each, now, None) for each in encoded])

    def _now(self) -> Iterator[Event]:
        """Yield the present events."""
        return (decode_event(each) for each, _, ended in self.held if ended is None)

    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range by timestamp, then by order of writing."""
        return select_events(self._now(), span, types)

    def find(self, query: EventQuery) -> list[Event]:
        """Return the events that a query asks for."""
        return find_events(self._now(), query)

    def versions(self, query: EventQuery) -> list[Version[Event]]:
        """Return the versions of the events that a query asks for."""
        is_asked_for = event_filter(query)
        found = [each for each in _decoded(self.held) if is_asked_for(each[0])]
        return sorted(found, key=_timestamp)

    def past(self, since: int) -> list[Version[Event]]:
        """Return the versions that were replaced at or after an instant."""
        return _decoded(each for each in self.held if each[2] is not None and each[2] >= since)

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant."""
        with self._clock.lock:
            held = self.held
            self.held = list(_since(tuple(held), before))
            return len(held) - len(self.held)

    def restore(self, versions: list[Version[Event]]) -> None:
        """Append versions of another store."""
        encoded = [(encode_event(event), began, ended) for event, began, ended in versions]
        with self._clock.lock:
            self.held.extend(encoded)

    def symbols(self) -> set[str]:
        """Return the symbols that have events."""
        return {event.symbol for event in self._now() if event.symbol is not None}

    def delete(self, query: EventQuery) -> int:
        """Remove the events that a query asks for; return their number."""
        is_asked_for = event_filter(query)
        with self._clock.lock:
            now = self._clock.tick()
            gone = [each[2] is None and is_asked_for(decode_event(each[0])) for each in self.held]
            held = list(chain.from_iterable(map(self._ended, self.held, gone, repeat(now))))
            if any(gone) and not self._clock.keeps():
                self._clock.prune_to(now)
            self.held = held
            return sum(gone)

    def renamed(self, old: str, new: str, now: int) -> list[Version[bytes]]:
        """Return the events after a renaming. Call it under the lock."""
        held: list[Version[bytes]] = []
        for encoded, began, ended in self.held:
            event = decode_event(encoded)
            is_moved = event.symbol == old and ended is None
            held += self._ended((encoded, began, ended), is_moved, now)
            if is_moved:
                held.append((encode_event(replace(event, symbol=new)), now, None))
        return held

    def _ended(self, each: Version[bytes], is_gone: bool, now: int) -> list[Version[bytes]]:
        """Return a version, ended if it is gone and history is kept."""
        if not is_gone:
            return [each]
        return [(each[0], each[1], now)] if self._clock.keeps() else []

    def all(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        return iter(sorted(self._now(), key=attrgetter("timestamp")))


def _decoded(held: Iterable[Version[bytes]]) -> list[Version[Event]]:
    return [(decode_event(encoded), began, ended) for encoded, began, ended in held]


def _timestamp(version: Version[Event]) -> Any:
    return version[0].timestamp


class MemoryStates(StateCollection):
    """The last versions of each state, newest first, as JSON documents."""

    def __init__(self, kept_versions: int = KEPT_VERSIONS) -> None:
        self.kept_versions = kept_versions
        self.lock = RLock()
        self.versions: dict[str, list[KeptVersion]] = {}
        self.deleted: dict[str, int] = {}  # the last version of each state that was deleted

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace the state of a strategy."""
        with self.lock:
            kept = self.versions.get(strategy, [])
            stored = self._stored(strategy)
            check_expected(strategy, expect, stored)
            number = (stored or self.deleted.get(strategy, 0)) + 1
            saved = KeptVersion(number, document, to_datetime(machine_now(), aware=True))
            self.versions[strategy] = [saved, *kept[: self.kept_versions - 1]]

    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return the state of a strategy, or None."""
        return self.version(strategy).state

    def history(self, strategy: str) -> list[StateVersion]:
        """Return the kept versions of a state, newest first."""
        kept = self.versions.get(strategy, [])
        return [
            StateVersion(each.version, decode_document(each.document), each.saved_at)
            for each in kept
        ]

    def restore(self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None) -> None:
        """Replace a state and its history by versions of another store."""
        with self.lock:
            check_expected(strategy, expect, self._stored(strategy))
            if versions:
                self.versions[strategy] = [
                    KeptVersion(*each, saved_at=saved_at_of(each)) for each in versions
                ]

    def delete(self, strategy: str, expect: int | None) -> bool:
        """Remove all versions of a state; return whether there was one."""
        with self.lock:
            stored = self._stored(strategy)
            check_expected(strategy, expect, stored)
            if stored:
                self.deleted[strategy] = stored
            return self.versions.pop(strategy, None) is not None

    def strategies(self) -> Iterable[str]:
        """Return the strategies that have a state."""
        return list(self.versions)

    def _stored(self, strategy: str) -> int:
        kept = self.versions.get(strategy)
        return kept[0].version if kept else 0


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
            | {"VersionedState", "Transfer", "Maintenance", "History"}
        ),
        summary="keeps everything in the memory of this process",
    )
