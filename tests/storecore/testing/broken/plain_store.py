"""A backend that brings its own ten methods and capabilities: what `Store` does, written by hand.

It is what a backend looked like before there was `Store`, and may look like still. The broken
backends are this one with one fault each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from threading import RLock
from typing import Any

from storecore import BackendSpec, hookimpl, laws
from storecore.builtin.memory import MemoryConfig
from storecore.errors import NotSerializable
from storecore.fundamentals import own_copy
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
from storecore.reports import AuditReport, Coverage, Finding, Report, StateVersion


class PlainTransfer(laws.BarTablesByBars):
    """The methods of `Transfer`, over what `PlainStore` holds."""

    _lock: RLock
    _fundamentals: dict[str, dict[int, FundamentalData]]
    _events: list[bytes]
    _states: dict[str, list[tuple[int, bytes]]]
    _logs: dict[str, list[bytes]]
    _days: dict[str, list[date]]
    _ends: dict[str, laws.Link]

    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp."""
        self._check_open()
        histories = sorted(self._fundamentals.items())
        kept = (history[at] for _, history in histories for at in sorted(history))
        return self._while_open(map(own_copy, kept))

    def iter_events(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        self._check_open()
        encoded = sorted(self._events, key=lambda each: laws.decode_event(each).timestamp)
        return self._while_open(map(laws.decode_event, encoded))

    def iter_audit(self, log: str, after: int = 0) -> Iterator[laws.AuditLine]:
        """Yield the records of a log from number `after` + 1 on."""
        self._check_open()
        laws.check_log(log, after)
        with self._lock:
            days, lines = self._days[log][after:], self._logs[log][after:]
        return self._while_open(map(laws.AuditLine, days, lines))

    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that were logged elsewhere, all of them or none."""
        self._check_open()
        moved = laws.moved_lines(log, day, lines)
        if moved:
            with self._lock:
                end = laws.moved_end(log, moved, self._ends[log])
                self._keep(log, moved, [day] * len(moved), end)

    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history by versions that another store has, newest first."""
        self._check_open()
        strategy_name = laws.check_name(strategy_name, "strategy_name")
        restored = laws.checked_versions(versions)
        with self._lock:
            stored = self._states.get(strategy_name, [(0, b"")])[0][0]
            laws.check_expected(strategy_name, expect, stored)
            if restored:
                self._states[strategy_name] = restored

    def _keep(self, log: str, lines: list[bytes], days: list[date], end: laws.Link) -> None:
        """Append records and their days to a log, under the lock.

        Nothing is called between these: an exception of a signal handler finds all or none of it.
        """
        self._logs[log] += lines
        self._days[log] += days
        self._ends[log] = end


class PlainMaintenance(PlainTransfer):
    """The methods of `Maintenance`, over what `PlainStore` holds."""

    _bars: dict[tuple[str, str], dict[int, tuple[Any, ...]]]

    def verify(self, *, against: laws.Against | None = None) -> Report:
        """Follow both chains of the audit log, check all bars, and compare with a checkpoint."""
        return laws.verify_against(self, against, self._report)

    def checkpoint(self) -> laws.Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log."""
        self._check_open()
        return laws.take_checkpoint(self)

    def repair(self, *, dry_run: bool = False) -> Report:
        """Change nothing: there are no files to move aside."""
        return self.verify()

    def compact(self) -> Report:
        """Change nothing: there are no files to compact."""
        self._check_open()
        return Report(0)

    def verify_audit(self) -> AuditReport:
        """Follow both chains and report the first break."""
        self._check_open()
        return laws.audit_report(
            {
                kind: [(f"{kind}, record {row}", line) for row, line in enumerate(lines, 1)]
                for kind, lines in self._logs.items()
            }
        )

    def _report(self) -> Report:
        audit = self.verify_audit()
        series = list(self._bars.items())
        checked = len(self._events) + audit.checked + sum(len(rows) for _, rows in series)
        checked += sum(map(len, list(self._fundamentals.values())))
        checked += sum(map(len, list(self._states.values())))
        notes = (note for key, rows in series for note in _odd(*key, rows))
        return Report(checked, audit.findings, notes=tuple(notes))


def _odd(symbol: str, timeframe: str, rows: dict[int, tuple[Any, ...]]) -> list[Finding]:
    from storecore.bars.anomalies import anomalies
    from storecore.bars.table import series_table

    ordered = zip(*(rows[at] for at in sorted(rows)), strict=True)
    table = series_table(laws.BarColumns(*map(list, ordered)))
    return [Finding(kind, f"{symbol} ({timeframe})", what) for kind, what in anomalies([table])]


class PlainStore(PlainMaintenance):
    """A `DataStore` of dictionaries. Threads may share it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._bars: dict[tuple[str, str], dict[int, tuple[Any, ...]]] = {}
        self._fundamentals: dict[str, dict[int, FundamentalData]] = {}
        self._events: list[bytes] = []
        self._states: dict[str, list[tuple[int, bytes]]] = {}
        self._logs: dict[str, list[bytes]] = {"decisions": [], "orders": []}
        self._days: dict[str, list[date]] = {"decisions": [], "orders": []}
        self._ends: dict[str, laws.Link] = {"decisions": laws.GENESIS, "orders": laws.GENESIS}

    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars: a new dict a write, so that a reader sees all or none of it."""
        key = self._series(symbol, timeframe)
        columns = laws.bar_columns(key[0], bars)
        if columns.date:
            rows = dict(zip(columns.date, zip(*columns, strict=True), strict=True))
            with self._lock:
                self._bars[key] = self._bars.get(key, {}) | rows

    def read_bars(
        self, symbol: str, start: date, end: date, *, timeframe: str = "1d"
    ) -> list[PriceBar]:
        """Return the bars of a range, sorted by date."""
        key = self._series(symbol, timeframe)
        span = laws.time_range(start, end)
        series = self._bars.get(key, {})
        rows = [series[at] for at in sorted(series) if span.first <= at <= span.last]
        columns = map(list, zip(*rows, strict=True))
        return laws.price_bars(key[0], laws.BarColumns(*columns), span.aware) if rows else []

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        symbol = self._name(symbol, "symbol")
        plain = laws.checked_fundamental(symbol, data)
        with self._lock:
            at = laws.exact_instant(plain.timestamp, "timestamp")
            self._fundamentals[symbol] = self._fundamentals.get(symbol, {}) | {at: plain}

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of`, or None."""
        symbol = self._name(symbol, "symbol")
        history = self._fundamentals.get(symbol, {})
        limit = laws.LATEST if as_of is None else laws.exact_instant(as_of, "as_of")
        known = [at for at in history if at <= limit]
        return own_copy(history[max(known)]) if known else None

    def write_event(self, event: Event) -> None:
        """Append an event, as bytes that nobody else holds."""
        self._check_open()
        self._events.append(laws.encode_event(laws.checked_event(event)))

    def read_events(
        self, start: date, end: date, types: Iterable[str] | None = None
    ) -> list[Event]:
        """Return the events of a range by timestamp, then by order of writing."""
        self._check_open()
        span, wanted = laws.time_range(start, end), laws.event_types(types)
        return laws.select_events(map(laws.decode_event, self._events), span, wanted)

    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy, kept as the JSON that it must equal."""
        strategy_name = self._name(strategy_name, "strategy_name")
        encoded = laws.encode_document(state, "state")
        with self._lock:
            versions = self._states.get(strategy_name, [])
            stored = versions[0][0] if versions else 0
            laws.check_expected(strategy_name, expect, stored)
            kept = versions[: laws.KEPT_VERSIONS - 1]
            self._states[strategy_name] = [(stored + 1, encoded), *kept]

    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return the state as saved, the caller's own copy, or None."""
        return self.load_versioned_state(strategy_name).state

    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Append a decision to the chain of decisions."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._log("decisions", [laws.decision_body(strategy_name, decision)])

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Append an order and its result to the chain of orders."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._log("orders", [laws.order_body(strategy_name, order, result)])

    # What follows is the capabilities; BarTables, Transfer and Maintenance are inherited.

    def log_decisions(self, strategy_name: str, decisions: Iterable[Decision]) -> None:
        """Append a batch of decisions, checked whole."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._log("decisions", laws.decision_bodies(strategy_name, decisions))

    def log_orders(self, strategy_name: str, orders: Iterable[tuple[Order, OrderResult]]) -> None:
        """Append a batch of orders with their results, checked whole."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._log("orders", laws.order_bodies(strategy_name, orders))

    def write_events(self, events: Iterable[Event]) -> None:
        """Append a batch of events, checked whole."""
        self._check_open()
        self._events.extend([laws.encode_event(event) for event in laws.checked_events(events)])

    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace a batch of fundamentals: all of them or, on an error, none."""
        self._check_open()
        given: dict[str, dict[int, FundamentalData]] = {}
        for plain in laws.checked_fundamentals(fundamentals):
            at = laws.exact_instant(plain.timestamp, "timestamp")
            given.setdefault(plain.symbol, {})[at] = plain
        with self._lock:
            known = self._fundamentals
            known.update({symbol: known.get(symbol, {}) | new for symbol, new in given.items()})

    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table: all of them or, on an error, none."""
        timeframe = self._name(timeframe, "timeframe")
        given = {
            (symbol, timeframe): dict(zip(columns.date, zip(*columns, strict=True), strict=True))
            for symbol, columns in laws.bar_columns_by_symbol(table)
        }
        with self._lock:
            known = self._bars
            known.update({key: known.get(key, {}) | rows for key, rows in given.items()})

    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state as saved and its version."""
        return next(iter(self.state_history(strategy_name)), StateVersion(0, None))

    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the last versions of a state, the newest first."""
        versions = self._states.get(self._name(strategy_name, "strategy_name"), [])
        return [StateVersion(number, laws.decode_document(each)) for number, each in versions]

    def delete_bars(self, symbol: str, start: date, end: date, *, timeframe: str = "1d") -> int:
        """Remove the bars of a range; return how many there were."""
        key = self._series(symbol, timeframe)
        first, last, _ = laws.time_range(start, end)
        with self._lock:
            series = self._bars.get(key, {})
            kept = {at: row for at, row in series.items() if not first <= at <= last}
            if kept:
                self._bars[key] = kept
            else:
                self._bars.pop(key, None)
        return len(series) - len(kept)

    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars (of a timeframe), sorted."""
        self._check_open()
        wanted = None if timeframe is None else self._name(timeframe, "timeframe")
        return sorted({symbol for symbol, kept in list(self._bars) if wanted in (None, kept)})

    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        symbol = self._name(symbol, "symbol")
        return sorted(timeframe for kept, timeframe in list(self._bars) if kept == symbol)

    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return first and last date and the number of bars of a series."""
        series = self._bars.get(self._series(symbol, timeframe))
        if not series:
            return Coverage(None, None, 0)
        first, last = (laws.to_datetime(at, aware=True) for at in (min(series), max(series)))
        return Coverage(first, last, len(series))

    def strategies(self) -> list[str]:
        """Return the names of the strategies with a saved state, sorted."""
        self._check_open()
        return sorted(self._states)

    def read_decisions(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[DecisionRecord]:
        """Return the logged decisions of a range, in the order of `seq`."""
        self._check_open()
        records = [laws.decode_record(line, DecisionRecord) for line in self._logs["decisions"]]
        return laws.select_records(records, laws.time_range(start, end), strategy_name)

    def read_orders(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[OrderRecord]:
        """Return the logged orders of a range, in the order of `seq`."""
        self._check_open()
        records = [laws.decode_record(line, OrderRecord) for line in self._logs["orders"]]
        return laws.select_records(records, laws.time_range(start, end), strategy_name)

    def places(self) -> frozenset[str]:
        """Return a place that no other store shares."""
        self._check_open()
        return frozenset({f"memory {id(self)}"})

    def __reduce__(self) -> Any:
        raise NotSerializable(
            "a PlainStore cannot be pickled or copied: its data is in this process "
            "only; copy it into another store with storecore.copy_store"
        )

    def _series(self, symbol: str, timeframe: str) -> tuple[str, str]:
        return self._name(symbol, "symbol"), self._name(timeframe, "timeframe")

    def _name(self, name: str, what: str) -> str:
        self._check_open()
        return laws.check_name(name, what)

    def _log(self, kind: str, bodies: list[bytes]) -> None:
        with self._lock:
            now, today = laws.moment_and_day(datetime.now)
            lines, end = laws.chain(bodies, now, self._ends[kind])
            self._keep(kind, lines, [today] * len(lines), end)


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `memory` backend."""
    return BackendSpec(
        name="memory",
        config=MemoryConfig,
        open=lambda config: PlainStore(),
        capabilities=frozenset(
            {"BarTables", "Catalog", "AuditTrail", "Bulk", "BulkAudit"}
            | {"VersionedState", "Transfer", "Maintenance"}
        ),
        summary="keeps everything in this process and forgets it at the end",
    )
