"""`Store`: the base class of backends, composed of five collections.

It implements the parts that all backends share: checks that arguments obey the laws, ranges,
codecs, the context manager, errors after `close()`. A backend implements the collections
(`storecore.store.collections`). It inherits the ten methods, and every capability whose collection
methods it has:

    class MyStore(Store):
        def __init__(self, path):
            database = connect(path)
            super().__init__(
                bars=MyBars(database), fundamentals=MyFundamentals(database),
                events=MyEvents(database), states=MyStates(database),
                audit={name: MyLog(database, name) for name in LOGS},
            )

`storecore.builtin.memory` is a complete example.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache, partial
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from storecore.audit.context import check_question, chosen, context
from storecore.audit.counts import Counts
from storecore.audit.records import decision_bodies, decision_body, order_bodies, order_body
from storecore.audit.transfer import check_log, moved_lines
from storecore.bars.extra_values import Misfit
from storecore.bars.rows import (
    MAX_BYTES,
    BarColumns,
    asked_to_replace,
    bar_columns,
    check_max_bytes,
    newest_bars,
    price_bars,
)
from storecore.errors import InvalidData, shown
from storecore.events import (
    EventQuery,
    checked_event,
    checked_events,
    event_symbols,
    event_types,
    naive_event,
)
from storecore.fundamentals import checked_fundamental, checked_fundamentals
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
from storecore.models import (
    Decision,
    DecisionRecord,
    Event,
    FundamentalData,
    Order,
    OrderRecord,
    OrderResult,
    PriceBar,
)
from storecore.protocols import ADDED, CAPABILITIES, methods_of
from storecore.reports import (
    AuditLine,
    AuditReport,
    Coverage,
    Footprint,
    Report,
    SeriesCoverage,
    StateVersion,
)
from storecore.reports.display import html, html_table
from storecore.states import checked_versions, listed_strategies
from storecore.store.collections import (
    AuditLog,
    BarCollection,
    EventCollection,
    FundamentalCollection,
    StateCollection,
)
from storecore.store.integrity import checked
from storecore.store.methods import Methods, offered
from storecore.store.questions import replacing_unsupported
from storecore.values.documents import encode_document
from storecore.values.names import check_name, checked_prefix
from storecore.values.suggestions import nearest
from storecore.values.times import (
    EARLIEST,
    EVER,
    LATEST,
    Bound,
    TimeRange,
    bounded_range,
    exact_instant,
    latest_instant,
    time_range,
    to_datetime,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped
    from storecore.bars.query import BarQuery
    from storecore.knowledge.replay import Replay
    from storecore.knowledge.view import OnFuture, View
    from storecore.protocols import By, Day, Extra, Missing, Reads, Volume
    from storecore.reports.checkpoint import Against, Checkpoint

_HISTORY = (
    *("bars.versions", "bars.corrected", "bars.prune"),
    *("fundamentals.versions_of", "fundamentals.corrected", "fundamentals.prune"),
    *("events.versions", "events.past", "events.prune", "store._clock"),
)
_RESTORING = ("bars.restore", "fundamentals.restore", "events.restore")
_WHOLE = ("bars.series", "fundamentals.all", "events.all", "states.history", "audit.lines")


@lru_cache(maxsize=1)
def _view_class() -> type[View]:
    """Return `View`, a store itself. To import it in each call would take as long as the rest."""
    from storecore.knowledge.view import View

    return View


class Store(Methods):
    """A `DataStore` composed of five collections, with the capabilities that these support.

    `isinstance(store, Catalog)` checks the property `capabilities`. A subclass may override any
    method.
    """

    def __init__(
        self,
        *,
        bars: BarCollection,
        fundamentals: FundamentalCollection,
        events: EventCollection,
        states: StateCollection,
        audit: Mapping[str, AuditLog],
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._bars = bars
        self._fundamentals = fundamentals
        self._events = events
        self._states = states
        self._logs = audit
        if clock is not None:  # without one the store has no `History`
            self._clock = clock

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities that the store has."""
        return frozenset(
            name
            for name in CAPABILITIES
            if all(hasattr(self, each) for each in methods_of(name) if each not in ADDED)
        )

    def close(self) -> None:
        """Close the collections. A second call does nothing."""
        super().close()
        for each in (self._bars, self._fundamentals, self._events, self._states):
            each.close()
        for log in self._logs.values():
            log.close()

    # Bars.

    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars by date, after checking the whole batch.

        Raises `InvalidData`, which names the row and field, or `InvalidName` for the symbol or
        timeframe.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        columns = bar_columns(symbol, bars, extra=self._bars.keeps_extra)
        try:
            self._bars.write(symbol, timeframe, columns)
        except Misfit as error:
            raise error.among(bars) from None

    def read_bars(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        last: int | None = None,
    ) -> list[PriceBar]:
        """Return the bars from `start` to `end`, both included, sorted by date.

        A missing bound is open. With `last`, return only that many, the newest of the range. If the
        bounds are naive, the dates are naive; if they are aware, the dates are aware UTC. Raises
        `InvalidData` if only one bound is aware.
        """
        return self.span_bars(symbol, time_range(start, end, last), timeframe)

    def span_bars(self, symbol: str, span: TimeRange, timeframe: str) -> list[PriceBar]:
        """Return the bars of a range, sorted by date, as `read_bars` does. Views ask for them."""
        symbol, timeframe = self._series(symbol, timeframe)
        found = self._bars.read(symbol, timeframe, span)
        if isinstance(found, BarColumns):
            if span.newest is not None:
                found = newest_bars(found, span.newest)
            return price_bars(symbol, found, span.aware)
        from storecore.bars.table import bars_of, newest_rows

        return bars_of(symbol, newest_rows(found, span.newest), span.aware)

    @offered()
    def write_bar_table(
        self,
        table: Any,
        *,
        symbol: str | None = None,
        timeframe: str = "1d",
        columns: Mapping[str, str] | None = None,
        extra: Extra = "keep",
        missing: Missing = "error",
        day: Day = "instant",
        volume: Volume = "required",
        replace: bool = False,
    ) -> None:
        """Insert or replace the bars of a table of any library, after checking it whole.

        With `replace`, each series of the table becomes exactly its rows, in one step.
        `storecore.write_bar_table` documents the tables and the other keywords. Raises
        `InvalidData`, which names all that is wrong, by row and column.
        """
        from storecore.bars.checks import misfit_in
        from storecore.store.frames.frame import checked_frame
        from storecore.store.frames.options import checked_options

        timeframe = self._name(timeframe, "timeframe")
        replace = asked_to_replace(replace)
        options = checked_options(symbol, columns, extra, missing, day, volume, replace)
        write = self._replace if replace else self._bars.write_many
        keeps: Any = "keep" if self._bars.keeps_extra else "refuse"
        plain, rows = checked_frame(table, timeframe, options, keeps)
        try:
            write(timeframe, rows)
        except Misfit as error:
            raise misfit_in(plain, error) from None

    @offered()
    def read_bar_table(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        last: int | None = None,
    ) -> pa.Table:
        """Return the bars of many symbols as one table, sorted by symbol, then date.

        With `last`, return only that many of each symbol, the newest of the range.
        """
        return self.span_table(symbols, time_range(start, end, last), timeframe, columns)

    def span_table(
        self,
        symbols: str | Iterable[str],
        span: TimeRange,
        timeframe: str,
        columns: Iterable[str] | None,
    ) -> pa.Table:
        """Return the bars of a range, as `read_bar_table` does. Views ask for them."""
        from storecore.bars.query import bar_query, newest_of_each

        timeframe = self._name(timeframe, "timeframe")
        query = bar_query(symbols, columns, extra=self._bars.keeps_extra)
        series = self._bars.read_many(query.symbols, timeframe, span, query.columns)
        if span.newest is not None:
            series = newest_of_each(series, span.newest)
        return self._bar_table(series, query, span, timeframe)

    def _bar_table(self, series: Any, query: BarQuery, span: TimeRange, timeframe: str) -> pa.Table:
        from storecore.bars.metadata import described
        from storecore.bars.query import query_result

        kinds = (self._bars.extra_kinds(each, timeframe) for each in query.symbols)
        others = partial(chain.from_iterable, kinds)
        table = query_result(series, query.columns, span.aware, others)
        return described(table, timeframe, type(self).__name__)

    @offered("bars.stream")
    def iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Iterator[pa.Table]:
        """Yield tables of consecutive ranges of time, each sorted by date, then symbol.

        The iterator holds at most about `max_bytes` of bars in memory. It may miss bars that are
        written during the iteration.
        """
        from storecore.bars.metadata import described
        from storecore.bars.query import bar_query, in_time_order, resolved

        timeframe = self._name(timeframe, "timeframe")
        query = bar_query(symbols, columns, extra=self._bars.keeps_extra)
        span = time_range(start, end)
        check_max_bytes(max_bytes)
        kinds = [(each, self._bars.extra_kinds(each, timeframe)) for each in query.symbols]
        query, asked = resolved(query, kinds)
        found = self._bars.stream(query.symbols, timeframe, span, query.columns, max_bytes)
        tables = (
            in_time_order(series, query.columns, span.aware, asked)
            for series in self._while_open(found)
        )
        return (described(table, timeframe, type(self).__name__) for table in tables)

    @offered("bars.delete")
    def delete_bars(
        self, symbol: str, start: date | str, end: date | str, *, timeframe: str = "1d"
    ) -> int:
        """Remove the bars from `start` to `end`, both included; return their number."""
        symbol, timeframe = self._series(symbol, timeframe)
        return self._bars.delete(symbol, timeframe, bounded_range(start, end))

    @offered("bars.series")
    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars of a timeframe (None: of any), sorted."""
        self._check_open()
        asked = None if timeframe is None else self._name(timeframe, "timeframe")
        return sorted(self._bars.symbols(asked))

    @offered("bars.series")
    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        return sorted(self._bars.timeframes(self._name(symbol, "symbol")))

    @offered("bars.series")
    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return the first and last date and the number of bars of a series."""
        return self._bars.coverage(*self._series(symbol, timeframe))

    @offered("bars.series")
    def inventory(self) -> list[SeriesCoverage]:
        """Return every series with its extent, sorted by symbol, then timeframe."""
        self._check_open()
        return sorted(self._bars.inventory(), key=attrgetter("symbol", "timeframe"))

    @offered("bars.series")
    def nearest(self, symbol: str) -> list[str]:
        """Return the symbols with bars that are spelled most like a symbol, the nearest first."""
        return nearest(self._name(symbol, "symbol"), sorted(self._bars.symbols(None)))

    @offered("bars.footprint")
    def bar_footprint(self, symbol: str, *, timeframe: str = "1d") -> Footprint:
        """Return the number of data files of a series and their size in bytes."""
        return self._bars.footprint(*self._series(symbol, timeframe))

    # Fundamentals.

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        symbol = self._name(symbol, "symbol")
        self._fundamentals.write([checked_fundamental(symbol, data)])

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of` (None: of all), or None."""
        symbol = self._name(symbol, "symbol")
        limit = LATEST if as_of is None else latest_instant(as_of, "as_of")
        return self._fundamentals.read(symbol, limit)

    @offered()
    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace fundamentals, each under its own symbol; the last duplicate wins."""
        self._check_open()
        batch = checked_fundamentals(fundamentals)
        if batch:
            self._fundamentals.write(batch)

    @offered("fundamentals.all")
    def fundamentals(
        self, symbol: str, start: Bound = None, end: Bound = None
    ) -> list[FundamentalData]:
        """Return the fundamentals of a symbol with timestamps from `start` to `end`, by timestamp.

        Each is exactly as it was written, whatever the kind of the bounds.
        """
        symbol = self._name(symbol, "symbol")
        return self._fundamentals.versions(symbol, time_range(start, end))

    @offered("fundamentals.all")
    def fundamental_symbols(self) -> list[str]:
        """Return the symbols that have fundamentals, sorted."""
        self._check_open()
        return sorted(self._fundamentals.symbols())

    @offered("fundamentals.delete")
    def delete_fundamentals(self, symbol: str, start: date | str, end: date | str) -> int:
        """Remove the fundamentals of a symbol with timestamps in a range; return their number."""
        symbol = self._name(symbol, "symbol")
        return self._fundamentals.delete(symbol, bounded_range(start, end))

    @offered("fundamentals.all")
    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, each exactly as it was written."""
        self._check_open()
        return self._while_open(self._fundamentals.all())

    # Events.

    def write_event(self, event: Event) -> None:
        """Append an event. Identical events are all kept."""
        self._check_open()
        self._events.write([checked_event(event)])

    def read_events(
        self,
        start: Bound = None,
        end: Bound = None,
        types: Iterable[str] | None = None,
        *,
        symbols: str | Iterable[str | None] | None = None,
        ingested_by: datetime | str | None = None,
    ) -> list[Event]:
        """Return the events of these types (None: all) by timestamp, then by order of writing.

        With `symbols`, return only events of these; None among them is for system events. With
        `ingested_by`, leave out events whose `ingested_at` is later.
        """
        self._check_open()
        span, kinds = time_range(start, end), event_types(types)
        if symbols is None and ingested_by is None:
            return self._events.read(span, kinds)
        limit = None if ingested_by is None else latest_instant(ingested_by, "ingested_by")
        return self._events.find(EventQuery(span, kinds, event_symbols(symbols), limit))

    @offered()
    def write_events(self, events: Iterable[Event]) -> None:
        """Append events in the order given. Identical events are all kept."""
        self._check_open()
        batch = checked_events(events)
        if batch:
            self._events.write(batch)

    @offered("events.delete")
    def delete_events(
        self,
        start: date | str,
        end: date | str,
        types: Iterable[str] | None = None,
        symbols: str | Iterable[str | None] | None = None,
    ) -> int:
        """Remove the events of a range, of these types and symbols (None: all).

        Return their number.
        """
        self._check_open()
        span = bounded_range(start, end)
        return self._events.delete(EventQuery(span, event_types(types), event_symbols(symbols)))

    @offered("events.all")
    def event_symbols(self) -> list[str]:
        """Return the symbols that have events, sorted."""
        self._check_open()
        return sorted(self._events.symbols())

    @offered("events.all")
    def iter_events(self, start: Bound = None, end: Bound = None) -> Iterator[Event]:
        """Yield the events of a range by timestamp, then by order of writing.

        Their times are aware or naive as the bounds are (law T2), without any in aware UTC.
        """
        self._check_open()
        if start is None and end is None:
            return self._while_open(self._events.all())
        span = time_range(start, end)
        found = self._events.stream(span)
        return self._while_open(found if span.aware else map(naive_event, found))

    # States.

    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy; with `expect`, only if that version is stored (0: none).

        Raises `NotSerializable` if JSON would change the state, `StateConflict` if another version
        is stored. In both cases the stored state does not change.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        document = encode_document(state, "state")
        if expect is not None and not hasattr(self._states, "history"):
            raise InvalidData(
                f"expect={expect!r}: {type(self).__name__} keeps no versions of a state; save "
                "without expect"
            )
        self._states.save(strategy_name, document, expect)

    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return a copy of the state that was last saved; None if there is none."""
        return self._states.load(self._name(strategy_name, "strategy_name"))

    @offered("states.delete")
    def delete_strategy_state(self, strategy_name: str, *, expect: int | None = None) -> bool:
        """Remove the state of a strategy and its history; return whether there was one.

        Then the version is 0; a later save has the number after the last one. With `expect`, remove
        it only if that version is stored; otherwise raise `StateConflict`.
        """
        return self._states.delete(self._name(strategy_name, "strategy_name"), expect)

    @offered("states.history")
    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state that was last saved and its version; version 0 if there is none."""
        return self._states.version(self._name(strategy_name, "strategy_name"))

    @offered("states.history")
    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the stored versions of a state, newest first."""
        return self._states.history(self._name(strategy_name, "strategy_name"))

    @offered("states.restore")
    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history with versions of another store, newest first.

        Raises `StateConflict` if the stored version is not `expect` (0: none, None: any).
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        checked = checked_versions(versions, self._states.kept_versions)
        self._states.restore(strategy_name, checked, expect)

    @offered("states.strategies")
    def strategies(self, prefix: str = "") -> list[str]:
        """Return the strategies that have a saved state and whose names begin with `prefix`.

        States of runs (`storecore.knowledge.runs`) are listed only if `prefix` begins as they do.
        """
        self._check_open()
        begins = checked_prefix(prefix)
        return sorted(listed_strategies(self._states.strategies(), begins))

    # Audit.

    def log_decision(
        self,
        strategy_name: str,
        decision: Decision,
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append a decision to the audit log.

        `as_of` is the time of the decision, `run` the name of a backtest, whose records
        are apart from the live log. `reads` are the receipts of what was read for the decision.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        about = context(as_of, run, reads)
        self._logs["decisions"].write([decision_body(strategy_name, decision, about)])

    def log_order(
        self,
        strategy_name: str,
        order: Order,
        result: OrderResult,
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append an order and the broker's response to the audit log.

        See `log_decision` for `as_of`, `run` and `reads`.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        about = context(as_of, run, reads)
        self._logs["orders"].write([order_body(strategy_name, order, result, about)])

    @offered()
    def log_decisions(
        self,
        strategy_name: str,
        decisions: Iterable[Decision],
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append decisions to the audit log, all with the same time; all or none.

        Each has the same `as_of`, `run` and `reads`.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        bodies = decision_bodies(strategy_name, decisions, context(as_of, run, reads))
        if bodies:
            self._logs["decisions"].write(bodies)

    @offered()
    def log_orders(
        self,
        strategy_name: str,
        orders: Iterable[tuple[Order, OrderResult]],
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append orders and their results to the audit log, all with the same time; all or none.

        Each has the same `as_of`, `run` and `reads`.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        bodies = order_bodies(strategy_name, orders, context(as_of, run, reads))
        if bodies:
            self._logs["orders"].write(bodies)

    @offered("audit.lines")
    def read_decisions(
        self,
        start: Bound = None,
        end: Bound = None,
        strategy_name: str | None = None,
        *,
        by: By = "timestamp",
        run: str | None = None,
    ) -> list[DecisionRecord]:
        """Return the decisions logged from `start` to `end`, in the order of `seq`.

        Without `run` they are those of the live log, with `run` those of a run; "*" stands for
        all. With `by="as_of"`, the range is one of `as_of`.
        """
        return self._records("decisions", start, end, strategy_name, by, run)

    @offered("audit.lines")
    def read_orders(
        self,
        start: Bound = None,
        end: Bound = None,
        strategy_name: str | None = None,
        *,
        by: By = "timestamp",
        run: str | None = None,
    ) -> list[OrderRecord]:
        """Return the orders logged from `start` to `end`, in the order of `seq`.

        See `read_decisions` for `by` and `run`.
        """
        return self._records("orders", start, end, strategy_name, by, run)

    @offered("audit.lines")
    def verify_audit(self) -> AuditReport:
        """Verify both chains; report the first break of each, or that its end was cut off."""
        self._check_open()
        verified = {name: log.verify() for name, log in self._logs.items()}
        return AuditReport(
            checked=sum(end.seq for end, _ in verified.values()),
            findings=tuple(each for _, found in verified.values() for each in found),
            heads={name: end.hash for name, (end, _) in verified.items()},
        )

    @offered("audit.lines")
    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log from number `after` + 1 on, with the local day of each."""
        self._check_open()
        return self._while_open(self._logs[check_log(log, after)].lines(after))

    def audit_counts(self, log: str) -> Counts:
        """Return how many records a log has, by strategy and run; `verify_audit` proves them.

        `storecore info` asks for it.
        """
        self._check_open()
        return self._logs[check_log(log)].counts()

    @offered("audit.append")
    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that another store logged, all of them or none.

        Raises `InvalidData`, which names a line that is not a complete record of that log, or
        `StateConflict` if the first record does not follow the last stored one.
        """
        self._check_open()
        moved = moved_lines(log, day, lines)
        if moved:
            self._logs[log].append(day, moved)

    # History.

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

    # The whole store.

    def at(
        self,
        t: datetime | str,
        *,
        recorded: datetime | None = None,
        run: str | None = None,
        on_future: OnFuture | None = None,
        lengths: Mapping[str, timedelta] | None = None,
    ) -> View:
        """Return a view of the store that shows only what was known at a time (law K2).

        A question that reaches beyond `t` is cut at `t`; with `on_future="raise"` it is
        `LookAhead`. With `run`, the name of a backtest, decisions, orders and states can be
        written, apart from the live ones. `lengths` gives the lengths of timeframes whose names do
        not, as in `{"session": timedelta(hours=23)}`. Finer than a microsecond is rounded down.
        """
        self._check_open()
        return _view_class()(self, t, recorded, run, on_future, lengths)

    def replay(self, record: DecisionRecord | OrderRecord) -> Replay:
        """Ask the questions behind a record again, as of then (law K4).

        Each read of the result is "same", "corrected" with the rows that differ, or "pruned".
        """
        from storecore.knowledge.replay import replay

        self._check_open()
        return replay(self, record)

    @offered("store._rename")
    def rename_symbol(self, old: str, new: str) -> None:
        """Give the bars, fundamentals and events of a symbol another one, in one step.

        The audit log is append-only and keeps its records. Raises `InvalidData` if `old` has no
        data or `new` has any.
        """
        old, new = self._name(old, "old"), self._name(new, "new")
        if old == new:
            raise InvalidData(f"rename_symbol: old and new are both {shown(old)}")
        self._rename(old, new)

    @offered(*_WHOLE)
    def verify(self, *, against: Against | None = None) -> Report:
        """Check all stored data and change nothing; with a checkpoint, also report lost data.

        Damage is a finding; an anomaly in bars is a note.
        """
        from storecore.store.checkpoints import verify_against

        return verify_against(self, against, self._report, written=self._bars.generation)

    @offered(*_WHOLE)
    def checkpoint(self) -> Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log."""
        from storecore.store.checkpoints import take_checkpoint

        self._check_open()
        return take_checkpoint(self, written=self._bars.generation)

    @offered(*_WHOLE)
    def repair(self, *, dry_run: bool = False) -> Report:
        """Repair damage if this loses no data. The default only verifies."""
        return self.verify()

    @offered(*_WHOLE)
    def compact(self) -> Report:
        """Rewrite the data into fewer and smaller files. The default does nothing."""
        self._check_open()
        return Report(0)

    def __repr__(self) -> str:
        shown = ["closed"] if self._closed else self._shown()
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        names = sorted(self.capabilities)
        series = [] if self._closed else self._series_shown()
        return html(
            repr(self),
            html_table(["symbol", "timeframe", "bars"], series, len(series)),
            html_table(["capabilities"], [[", ".join(names)]], len(names)),
        )

    # For subclasses.

    def _shown(self) -> list[str]:
        """Return what the store says of itself in its repr, without any I/O."""
        return []

    def _series_shown(self) -> list[tuple[str, str, int]]:
        """Return symbol, timeframe and length of the series to show, without any I/O."""
        return []

    if TYPE_CHECKING:

        def _rename(self, old: str, new: str) -> None:
            """Rename a symbol in all collections in one step (`rename_symbol`). Optional.

            Call `check_rename` within the transaction. After an error nothing has changed.
            """

    def _replace(self, timeframe: str, batch: Grouped) -> None:
        if not hasattr(self._bars, "replace"):
            raise replacing_unsupported(self)
        if batch.names:
            self._bars.replace(timeframe, batch)

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

    def _records(
        self, log: str, start: Bound, end: Bound, strategy: str | None, by: By, run: str | None
    ) -> list[Any]:
        self._check_open()
        if strategy is not None:
            check_name(strategy, "strategy_name")
        check_question(by, run)
        span = time_range(start, end)
        if by == "timestamp":
            return chosen(self._logs[log].read(span, strategy), None, run)
        found = self._logs[log].read(EVER._replace(aware=span.aware), strategy)
        return chosen(found, span, run)

    def _report(self) -> Report:
        """Check all stored data; `verify` adds the comparison with a checkpoint."""
        self._check_open()
        return checked(
            bars=self._bars,
            fundamentals=self._fundamentals,
            events=self._events,
            states=self._states,
            audit=self._logs,
        )
