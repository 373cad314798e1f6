"""What the postgres backend can do beyond the ten methods: its capabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from storecore.audit.records import decision_bodies, order_bodies
from storecore.audit.transfer import check_log, moved_lines
from storecore.bars.checks import checked_rows
from storecore.bars.query import answer, in_time_order, wanted
from storecore.events import checked_events
from storecore.fundamentals import checked_fundamentals
from storecore.models import (
    Decision,
    DecisionRecord,
    Event,
    FundamentalData,
    Order,
    OrderRecord,
    OrderResult,
)
from storecore.reports import AuditLine, AuditReport, Coverage, Report, StateVersion
from storecore.states import checked_versions
from storecore.store.base import MAX_BYTES, check_max_bytes
from storecore.store.checkpoints import Against, Checkpoint, take_checkpoint, verify_against
from storecore.values.times import time_range
from storecore_postgres.database import Connection
from storecore_postgres.integrity import check_rows, unchecked
from storecore_postgres.rooms import Rooms, checked_length
from storecore_postgres.schema.tables import TABLES


class Capable(Rooms):
    """The methods of the capabilities that the backend declares."""

    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table of many symbols; it is checked whole before.

        All of them are written or none. A few thousand cost one round trip, in one statement.
        """
        timeframe = self._name(timeframe, "timeframe")
        rows = checked_rows(table)
        for symbol in rows.names:
            checked_length(symbol, "table.symbol")
        self._bars.write(timeframe, rows)

    def read_bar_table(
        self,
        symbols: str | Iterable[str],
        start: date,
        end: date,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
    ) -> pa.Table:
        """Return the bars of many symbols as one table, sorted by symbol, then date."""
        timeframe = self._name(timeframe, "timeframe")
        asked, span = wanted(symbols, columns), time_range(start, end)
        series = self._bars.read(asked.symbols, timeframe, span, asked.columns)
        return answer(series, asked.columns, span.aware)

    def iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: date,
        end: date,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Iterator[pa.Table]:
        """Yield tables that follow each other in time, each sorted by date, then symbol.

        At most about `max_bytes` of bars are held at once. The time is cut before each table is
        read: bars written later may be missed.
        """
        timeframe = self._name(timeframe, "timeframe")
        asked, span = wanted(symbols, columns), time_range(start, end)
        check_max_bytes(max_bytes)
        found = self._bars.stream(asked.symbols, timeframe, span, asked.columns, max_bytes)

        def tables() -> Iterator[pa.Table]:
            for series in found:
                self._check_open()
                yield in_time_order(series, asked.columns, span.aware)

        return tables()

    def delete_bars(self, symbol: str, start: date, end: date, *, timeframe: str = "1d") -> int:
        """Remove the bars of a range; return how many there were."""
        symbol, timeframe = self._series(symbol, timeframe)
        return self._bars.delete(symbol, timeframe, time_range(start, end))

    def write_events(self, events: Iterable[Event]) -> None:
        """Append a batch of events, all of them or none."""
        self._check_open()
        self._events.write(checked_events(events))

    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace a batch of fundamentals, checked whole."""
        self._check_open()
        batch = checked_fundamentals(fundamentals)
        for row, data in enumerate(batch):
            checked_length(data.symbol, f"fundamentals[{row}].symbol")
        self._fundamentals.write(batch)

    def log_decisions(self, strategy_name: str, decisions: Iterable[Decision]) -> None:
        """Append a batch of decisions, all of one time, all of them or none."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._decisions.write(decision_bodies(strategy_name, decisions))

    def log_orders(self, strategy_name: str, orders: Iterable[tuple[Order, OrderResult]]) -> None:
        """Append a batch of orders with their results, all of one time, all of them or none."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._orders.write(order_bodies(strategy_name, orders))

    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state as saved and its version."""
        return next(iter(self.state_history(strategy_name)), StateVersion(0, None))

    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the last versions of a state, the newest first."""
        return self._states.history(self._name(strategy_name, "strategy_name"))

    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, some thousands of them at a time."""
        self._check_open()
        return self._while_open(self._fundamentals.all())

    def iter_events(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing, some thousands at a time."""
        self._check_open()
        return self._while_open(self._events.all())

    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log from number `after` + 1 on, some thousands at a time."""
        self._check_open()
        return self._while_open(self._logs[check_log(log, after)].lines(after))

    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that were logged elsewhere, all of them or none."""
        self._check_open()
        moved = moved_lines(log, day, lines)
        if moved:
            self._logs[log].append(day, moved)

    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history by versions that another store has, newest first."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._states.restore(strategy_name, checked_versions(versions), expect)

    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars (of a timeframe), sorted."""
        self._check_open()
        return self._bars.symbols(None if timeframe is None else self._name(timeframe, "timeframe"))

    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        return self._bars.timeframes(self._name(symbol, "symbol"))

    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return first and last date and the number of bars of a series."""
        return self._bars.coverage(*self._series(symbol, timeframe))

    def strategies(self) -> list[str]:
        """Return the names of the strategies with a saved state, sorted."""
        self._check_open()
        return self._states.strategies()

    def read_decisions(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[DecisionRecord]:
        """Return the logged decisions of a range, in the order of `seq`."""
        self._check_open()
        return self._decisions.read(time_range(start, end), strategy_name)

    def read_orders(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[OrderRecord]:
        """Return the logged orders of a range, in the order of `seq`."""
        self._check_open()
        return self._orders.read(time_range(start, end), strategy_name)

    def verify_audit(self) -> AuditReport:
        """Follow both chains and report the first break of each, or a tail that was cut."""
        self._check_open()
        decisions, broken_decisions = self._decisions.verify()
        orders, broken_orders = self._orders.verify()
        return AuditReport(
            checked=decisions.seq + orders.seq,
            findings=(*broken_decisions, *broken_orders),
            heads={"decisions": decisions.hash, "orders": orders.hash},
        )

    def verify(self, *, against: Against | None = None) -> Report:
        """Check every row, follow both chains of the audit log, and check all bars.

        The kind of a finding is "damaged", "unchecked" (could not be read), "behind" (a table
        was restored without its sequence or head) or one of `verify_audit()`. Notes are anomalies
        in bars. Damaged pages are found by the server's own tools (`pg_amcheck`, data checksums).
        With a checkpoint (`against`) findings have the kinds of `storecore.store.checkpoints` too.
        """
        return verify_against(self, against, self._report)

    def checkpoint(self) -> Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log."""
        self._check_open()
        return take_checkpoint(self)

    def _report(self) -> Report:
        self._check_open()
        report = check_rows(self._bars, (self._fundamentals, self._events, self._states))
        checked, findings = report.checked, list(report.findings)
        with unchecked(findings, "events"):
            findings += self._events.sequence_findings()
        for name, log in self._logs.items():
            with unchecked(findings, name):
                end, broken = log.verify()
                checked += end.seq
                findings += broken
        return replace(report, checked=checked, findings=tuple(findings))

    def repair(self, *, dry_run: bool = False) -> Report:
        """Repair the heads of logs and the sequence of events after a restore of single tables.

        The server repairs its own pages, and leaves no row half written. Anything else that
        `verify()` finds was changed by a role with the privilege to do so, and must be corrected
        by hand.
        """
        self._check_open()
        healed = [log.head.repair(dry_run=dry_run) for log in self._logs.values()]
        actions = tuple(filter(None, [self._events.repair(dry_run=dry_run), *healed]))
        return replace(self.verify(), actions=actions)

    def compact(self) -> Report:
        """Run VACUUM and ANALYZE on all tables; the server skips tables of another owner."""
        self._check_open()
        self._database.retry("compacting", self._vacuumed)
        return Report(len(TABLES), actions=("vacuumed and analyzed all tables",))

    def _vacuumed(self, connection: Connection) -> None:
        for table in TABLES:
            connection.execute(f"VACUUM (ANALYZE) {self._quoted}.{table}")
