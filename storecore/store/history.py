"""The methods of a store about what it recorded when: versions, snapshots, pruning, copies.

They concern three kinds of data and the clock of recording, which settles each question about a
past moment before the collections are asked, and says afterwards whether the answer is complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from storecore.bars.rows import price_bars
from storecore.events import EventQuery, event_symbols, event_types, naive_event
from storecore.knowledge import history, restoring
from storecore.knowledge.clock import Clock, RestorableClock, check_kept, checked_note
from storecore.knowledge.versions import (
    BarVersion,
    Correction,
    EventVersion,
    Forming,
    FundamentalVersion,
    Recording,
    Snapshot,
    Unreplaced,
    columns_of,
    moment,
)
from storecore.models import PriceBar
from storecore.store.bars import BarMethods
from storecore.store.events import EventMethods
from storecore.store.fundamentals import FundamentalMethods
from storecore.store.methods import offered
from storecore.values.times import (
    EARLIEST,
    Bound,
    TimeRange,
    exact_instant,
    latest_instant,
    time_range,
    to_datetime,
)

if TYPE_CHECKING:
    import pyarrow as pa


_HISTORY = (
    *("bars.versions", "bars.corrected", "bars.prune"),
    *("fundamentals.versions_of", "fundamentals.corrected", "fundamentals.prune"),
    *("events.versions", "events.past", "events.prune", "store._clock"),
)
_RESTORING = ("bars.restore", "fundamentals.restore", "events.restore")


class HistoryMethods(BarMethods, FundamentalMethods, EventMethods):
    """The methods of a store about the versions of its bars, fundamentals and events."""

    _clock: Clock

    @offered(*_HISTORY)
    def bar_versions(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        recorded: datetime | None = None,
    ) -> list[BarVersion]:
        """Return the versions of the bars of a range, by date, then by time of recording.

        With `recorded`, return only those that the store held at that moment.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        span, at = time_range(start, end), self._asked(recorded)
        versions = self._bars.versions(symbol, timeframe, span)
        self._check_kept(at)
        return history.shown(
            BarVersion, history.bars_with_instants(symbol, versions, span.aware), at
        )

    @offered(*_HISTORY)
    def fundamental_versions(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        recorded: datetime | None = None,
    ) -> list[FundamentalVersion]:
        """Return the versions of fundamentals, by timestamp, then by time of recording."""
        symbol = self._name(symbol, "symbol")
        span, at = time_range(start, end), self._asked(recorded)
        versions = self._fundamentals.versions_of(symbol, span)
        self._check_kept(at)
        return history.shown(FundamentalVersion, versions, at)

    @offered(*_HISTORY)
    def event_versions(
        self,
        start: Bound = None,
        end: Bound = None,
        types: Iterable[str] | None = None,
        *,
        symbols: Iterable[str | None] | None = None,
        recorded: datetime | None = None,
    ) -> list[EventVersion]:
        """Return the versions of events, by timestamp, then by order of writing."""
        self._check_open()
        query = EventQuery(time_range(start, end), event_types(types), event_symbols(symbols))
        at = self._asked(recorded)
        versions = self._events.versions(query)
        self._check_kept(at)
        if not query.span.aware:
            versions = [(naive_event(event), began, ended) for event, began, ended in versions]
        return history.shown(EventVersion, versions, at)

    @offered(*_HISTORY)
    def corrections(
        self, since: datetime | None = None, *, symbol: str | None = None
    ) -> list[Correction]:
        """Return what was replaced or removed from `since` on, by time of recording."""
        self._check_open()
        only = None if symbol is None else self._name(symbol, "symbol")
        first = EARLIEST if since is None else latest_instant(since, "since")
        return history.all_corrections(self._bars, self._fundamentals, self._events, first, only)

    @offered(*_HISTORY)
    def recorded_now(self) -> datetime:
        """Return the moment `r` at which `recorded=r` is what the store holds now."""
        self._check_open()
        return to_datetime(self._clock.ask(None), aware=True)

    @offered(*_HISTORY)
    def recording(self) -> Recording:
        """Return which series have versions, and from when on. It moves no clock."""
        self._check_open()
        bars, filings, clock = self._bars, self._fundamentals, self._clock
        restorable = clock if isinstance(clock, RestorableClock) else None
        asked, pruned = restorable.asked() if restorable else None, clock.horizon()
        past = {(symbol, timeframe) for symbol, timeframe, _ in bars.corrected(EARLIEST)}
        return Recording(
            asked_at=moment(asked),
            pruned_before=None if pruned == EARLIEST else moment(pruned),
            is_kept=restorable is None or restorable.is_kept(),
            series=tuple(sorted({*bars.series(), *past})),
            symbols=tuple(sorted({*filings.symbols(), *filings.corrected(EARLIEST)})),
        )

    @offered(*_HISTORY, *_RESTORING)
    def restore_versions(
        self,
        versions: Iterable[BarVersion | FundamentalVersion | EventVersion],
        *,
        timeframe: str = "1d",
    ) -> None:
        """Take in versions of another store, with their instants (`copy_store`).

        `timeframe` is that of the bars among them. A version with the key and `recorded_at` of one
        that the store has gets its `replaced_at`. Events are appended. Raises `InvalidData` if the
        answer to an earlier question would change (law K3).
        """
        timeframe = self._name(timeframe, "timeframe")
        given = restoring.checked_kinds(versions)
        restoring.check_restorable(given, self._restorable_clock().asked())
        bars, filings, events = restoring.sorted_by_kind(given)
        checked = [
            (self._name(symbol, "symbol"), found)
            for symbol, found in restoring.bars_by_symbol(bars, extra=self._bars.keeps_extra)
        ]
        for symbol, found in checked:
            self._bars.restore(symbol, timeframe, found)
        if filings:
            self._fundamentals.restore(filings)
        if events:
            self._events.restore(events)

    @offered(*_HISTORY, *_RESTORING)
    def restore_recording(
        self,
        recorded: datetime,
        *,
        pruned_before: datetime | None = None,
        snapshots: Iterable[Snapshot] = (),
    ) -> None:
        """Move the clock and the horizon on to those of another store, and add its snapshots.

        Neither moves back. A snapshot whose name is taken is left out.
        """
        self._check_open()
        pruned = EARLIEST if pruned_before is None else exact_instant(pruned_before, "pruned")
        until = exact_instant(recorded, "recorded")
        self._restorable_clock().restore(until, pruned, list(snapshots))

    def _restorable_clock(self) -> RestorableClock:
        return cast(RestorableClock, self._clock)

    @offered(*_HISTORY)
    def prune_history(self, before: datetime) -> int:
        """Remove the versions that were replaced at or before a moment; return their number."""
        self._check_open()
        return self._prune(self._clock.ask(latest_instant(before, "before")))

    @offered(*_HISTORY)
    def snapshot(self, name: str, note: str = "") -> Snapshot:
        """Name the present moment of recording. Raises `InvalidData` if the name is taken."""
        name = self._name(name, "name")
        return self._clock.add_snapshot(name, checked_note(note))

    @offered(*_HISTORY)
    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots by time, then by name."""
        self._check_open()
        return sorted(self._clock.snapshots(), key=attrgetter("recorded_at", "name"))

    @offered(*_HISTORY)
    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one. No data is removed."""
        return self._clock.drop_snapshot(self._name(name, "name"))

    def recording_began(self) -> int:
        """Return an instant before which the store recorded no version; `EARLIEST` if unknown.

        Views of earlier times need not ask for versions.
        """
        self._check_open()
        clock: Clock | None = getattr(self, "_clock", None)
        return EARLIEST if clock is None else clock.began()

    def held_bars(
        self, symbol: str, span: TimeRange, timeframe: str, recorded: int
    ) -> list[PriceBar]:
        """Return the bars that were held at an instant of recording, without their versions.

        They are sorted by date. Views ask for them.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        at = self._clock.ask(recorded)
        found = self._bars.recorded(symbol, timeframe, span, at)
        self._check_kept(at)
        return price_bars(symbol, columns_of(found), span.aware)

    def unreplaced_bars(self, symbol: str, span: TimeRange, timeframe: str) -> Unreplaced | None:
        """Return the bars of a range and when they were recorded, if these are all its versions.

        None if there are others, or if the backend has no faster way. Copies ask for it.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        return self._bars.unreplaced(symbol, timeframe, span)

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> bool:
        """Take in bars of a range without versions, as `restore_versions` does, but faster.

        Return False, having done nothing, if they have to be looked at one by one.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        checked = restoring.quickly_checked(
            symbol, given, self._restorable_clock().asked(), extra=self._bars.keeps_extra
        )
        if checked is None:
            return False
        self._bars.restore_unreplaced(symbol, timeframe, checked)
        return True

    def known_bars(
        self, symbol: str, span: TimeRange, timeframe: str, forming: Forming
    ) -> list[PriceBar] | None:
        """Return the bars of a range that a view shows, None if the backend has no faster way.

        They are sorted by date. Views ask for them.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        found = self._bars.known([symbol], timeframe, span, None, forming)
        if found is None:
            return None
        from storecore.bars.query import series_tables
        from storecore.bars.table import bars_of

        tables = series_tables(found)
        return [bar for _, table in tables for bar in bars_of(symbol, table, span.aware)]

    def known_table(
        self,
        symbols: str | Iterable[str],
        span: TimeRange,
        timeframe: str,
        columns: Iterable[str] | None,
        forming: Forming,
    ) -> pa.Table | None:
        """Return what `known_bars` does of many symbols, as `read_bar_table` returns bars."""
        from storecore.bars.query import bar_query

        timeframe = self._name(timeframe, "timeframe")
        query = bar_query(symbols, columns, extra=self._bars.keeps_extra)
        series = self._bars.known(query.symbols, timeframe, span, query.columns, forming)
        return None if series is None else self._bar_table(series, query, span, timeframe)

    def _asked(self, recorded: datetime | None) -> int | None:
        """Return the instant of recording that a question is about (None: all), settled."""
        if recorded is None:
            return None
        return self._clock.ask(latest_instant(recorded, "recorded"))

    def _check_kept(self, at: int | None) -> None:
        """Raise `HistoryPruned` for an answer that may lack versions. Call it after the read."""
        if at is not None:
            check_kept(at, self._clock.horizon())

    def _prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        self._clock.prune(before)
        collections = self._bars, self._fundamentals, self._events
        return sum(each.prune(before) for each in collections)
