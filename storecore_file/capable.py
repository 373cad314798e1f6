"""What the file backend can do beyond the ten methods: its capabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from storecore.audit.records import decision_bodies, order_bodies
from storecore.audit.transfer import check_log, moved_lines
from storecore.bars.checks import checked_series
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
from storecore.reports import (
    AuditLine,
    AuditReport,
    Coverage,
    Finding,
    Footprint,
    Report,
    StateVersion,
)
from storecore.states import checked_versions
from storecore.store.base import MAX_BYTES, check_max_bytes
from storecore.store.checkpoints import Against, Checkpoint, take_checkpoint, verify_against
from storecore.values.times import time_range
from storecore_file.fs.errors import Deferral
from storecore_file.integrity import Issue
from storecore_file.repair import Repairs, repairable
from storecore_file.rooms import Rooms
from storecore_file.verification import chain_findings, report, store_issues


class Capable(Rooms):
    """The methods of the capabilities that the backend declares, and `compact`."""

    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table of many symbols, checked whole first.

        On an error no symbol has changed. A kill or a power loss may leave some symbols old and
        others new, each of them complete. A few bars for each of several symbols cost one append to
        a journal. Reads combine it with the files, and it is flushed into them when it is large, by
        `compact()` and at `close()`. The append does not read the files, so a damaged one does not
        refuse the bars.
        """
        self._bars.write_many(self._name(timeframe, "timeframe"), checked_series(table))

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
        series = self._bars.read_many(asked.symbols, timeframe, span, asked.columns)
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

        At most about `max_bytes` of bars are held at once (and a row group of each file that is
        being read). The time is cut before the first table: bars written later may be missed.
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
        """Append a batch of events, one sync for each of their days."""
        self._check_open()
        self._events.write_all(checked_events(events))

    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace a batch of fundamentals, checked whole: all or, on an error, none."""
        self._check_open()
        self._fundamentals.write_all(checked_fundamentals(fundamentals))

    def log_decisions(self, strategy_name: str, decisions: Iterable[Decision]) -> None:
        """Append a batch of decisions, all of one time, in one sync."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._decisions.write(decision_bodies(strategy_name, decisions))

    def log_orders(self, strategy_name: str, orders: Iterable[tuple[Order, OrderResult]]) -> None:
        """Append a batch of orders with their results, all of one time, in one sync."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._orders.write(order_bodies(strategy_name, orders))

    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state as saved and its version."""
        return self._states.load(self._name(strategy_name, "strategy_name"))

    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the last versions of a state, the newest first."""
        return self._states.history(self._name(strategy_name, "strategy_name"))

    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, one document at a time."""
        self._check_open()
        return self._while_open(self._fundamentals.all())

    def iter_events(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing; a day of them is held."""
        self._check_open()
        return self._while_open(self._events.all())

    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log from number `after` + 1 on, with the day of their file."""
        self._check_open()
        return self._while_open(self._logs[check_log(log, after)].lines(after))

    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records that were logged elsewhere to the file of their day, in one sync."""
        self._check_open()
        moved = moved_lines(log, day, lines)
        if moved:
            self._logs[log].take(day, moved)

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

    def bar_footprint(self, symbol: str, *, timeframe: str = "1d") -> Footprint:
        """Return how many Parquet files a series has and how many bytes they take."""
        return self._bars.footprint(*self._series(symbol, timeframe))

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
        """Prove every file of the store, both chains of the audit log, and check all bars.

        The kind of a finding is "damaged" (read completely, and wrong), "unchecked" (could not be
        read, and may be whole), "linked" (a symbolic link, which is not followed), "overlapping"
        (partitions, one of them damaged), "truncated" (a log lost its last lines, or is gone),
        "older" (a file of an older state came back), "lacking" (bars that were flushed out of the
        journal are in no partition), "diverged" (the journal of a copy that was written to apart)
        or another of `verify_audit()`. Notes are "temporary" and "leftover" files of killed
        writers, the "torn" end of a log, an "unknown" file, and anomalies in bars. Every byte is
        read; no lock is taken and no file is created. With a checkpoint (`against`) findings have
        the kinds of `storecore.store.checkpoints` too.
        """
        return verify_against(self, against, self._report, written=self._bars.generation)

    def checkpoint(self) -> Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log."""
        self._check_open()
        return take_checkpoint(self, written=self._bars.generation)

    def repair(self, *, dry_run: bool = False) -> Report:
        """Move damaged files and leftovers into `aside/<time>/`, under the same path.

        Reads of the rest work again. Some things are reported and stay in place: a log that is
        damaged in its middle, parts that overlap, a strategy's state (which would count as never
        saved), and whatever could not be checked. A file that could not be moved is an "unrepaired"
        finding.
        """
        checked, issues = self._issues()
        repairs = Repairs(self.base_path, self._disk, self._lock_timeout, dry_run)
        done = [repairs.repair(issue) for issue in filter(repairable, issues)]
        failed = [each for each in done if isinstance(each, Issue)]
        if not dry_run:
            checked, issues = self._issues()
        left = report(checked, [*issues, *failed], self._audit_findings())
        return replace(left, actions=tuple(each for each in done if isinstance(each, str)))

    def _report(self) -> Report:
        checked, issues = self._issues()
        return report(checked, issues, self._audit_findings())

    def _audit_findings(self) -> tuple[Finding, ...]:
        """Return the findings of each log's chain, or that it could not be checked."""
        return tuple(
            finding for log in self._logs.values() for finding in chain_findings(log.verify)
        )

    def _issues(self) -> tuple[int, list[Issue]]:
        """Return how many files were looked at, and all that is wrong."""
        self._check_open()
        rooms = (self._bars, self._fundamentals, self._events, self._states)
        return store_issues(self._disk, self.base_path, (*rooms, self._decisions, self._orders))

    def compact(self) -> Report:
        """Bring all bars into few Parquet files, and seal each day of events into one.

        May run at any time, beside readers and writers. If it is killed, the next run does the work
        again. What cannot be merged or sealed does not stop the rest: the first error is raised at
        the end.
        """
        self._check_open()
        with Deferral() as tried:
            merged = self._bars.compact(tried)
            days = self._events.compact(tried)
        actions = [f"merged {merged} files of bars into others"] if merged else []
        actions += [f"sealed the events of {day}" for day in days]
        return Report(len(actions), actions=tuple(actions))
