"""The front door: `FileDataStore`, which checks what it is given and sends it to its room."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any

import pyarrow as pa

from storecore.audit import decision_bodies, decision_body, order_bodies, order_body
from storecore.bar_answers import answer, in_time_order, wanted
from storecore.bar_checks import checked_series
from storecore.bar_table import bars_of, series_table
from storecore.bars import bar_columns
from storecore.capabilities import AuditReport, Coverage, Footprint, Report, StateVersion
from storecore.closing import Closing
from storecore.errors import ConfigError
from storecore.events import checked_event, checked_events, event_types
from storecore.fundamentals import checked_fundamental, checked_fundamentals
from storecore.instants import time_range
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
from storecore.names import check_name
from storecore.tables import MAX_BYTES
from storecore_file.audit import AuditLog
from storecore_file.bars import Bars
from storecore_file.events import Events
from storecore_file.floor.disk import Disk
from storecore_file.floor.mounts import warn_of_network
from storecore_file.fundamentals import Fundamentals
from storecore_file.state import States

DURABILITIES = ("full", "os")


class FileDataStore(Closing):
    """A `DataStore` in a folder of Parquet, JSON and JSONL files.

    Threads and processes may open the same folder at once, to read and to write.

    `base_path` is the folder; what is missing in it is made. `durability="full"` syncs every write
    to the medium before it returns; `"os"` leaves that to the operating system, and a power loss
    may then take the last writes. `lock_timeout` is how many seconds a writer waits for another.
    Raises `ConfigError` for other options, `StorageError` where the folder cannot be made.
    """

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        *,
        durability: str = "full",
        lock_timeout: float = 30.0,
    ) -> None:
        if durability not in DURABILITIES:
            raise ConfigError(f"durability={durability!r}: expected one of {DURABILITIES}")
        if not isinstance(lock_timeout, int | float) or not 0 <= lock_timeout <= TIMEOUT_MAX:
            raise ConfigError(
                f"lock_timeout={lock_timeout!r}: expected seconds, 0 to {TIMEOUT_MAX:g}"
            )
        # Absolute: the process may change its folder while the store is open.
        self.base_path = Path(base_path).expanduser().absolute()
        disk = Disk(durability)
        decisions, orders = (self.base_path / "audit" / name for name in ("decisions", "orders"))
        self._bars = Bars(self.base_path / "prices", disk, lock_timeout)
        self._fundamentals = Fundamentals(self.base_path / "fundamentals", disk)
        self._events = Events(self.base_path / "events", disk, lock_timeout)
        self._states = States(self.base_path / "state", disk, lock_timeout)
        self._decisions = AuditLog(decisions, DecisionRecord, disk, lock_timeout)
        self._orders = AuditLog(orders, OrderRecord, disk, lock_timeout)
        for room in ("prices", "fundamentals", "events", "state"):
            disk.make_folder(self.base_path / room)
        disk.make_folder(decisions)
        disk.make_folder(orders)
        warn_of_network(self.base_path)

    def __repr__(self) -> str:
        return f"FileDataStore(base_path={str(self.base_path)!r})"

    def close(self) -> None:
        """Let go of the files that are open. A second call does nothing."""
        super().close()
        for room in (self._bars, self._events, self._decisions, self._orders):
            room.close()

    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars; they lie in their months' files when this returns."""
        symbol, timeframe = self._series(symbol, timeframe)
        self._bars.write(symbol, timeframe, series_table(bar_columns(symbol, bars)))

    def read_bars(
        self, symbol: str, start: date, end: date, *, timeframe: str = "1d"
    ) -> list[PriceBar]:
        """Return the bars of a range, sorted by date."""
        symbol, timeframe = self._series(symbol, timeframe)
        span = time_range(start, end)
        return bars_of(symbol, self._bars.read(symbol, timeframe, span), span.aware)

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        symbol = self._name(symbol, "symbol")
        self._fundamentals.write(checked_fundamental(symbol, data))

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of`, or None."""
        return self._fundamentals.read(self._name(symbol, "symbol"), as_of)

    def write_event(self, event: Event) -> None:
        """Append an event to the file of its day."""
        self._check_open()
        self._events.write(checked_event(event))

    def read_events(
        self, start: date, end: date, types: Iterable[str] | None = None
    ) -> list[Event]:
        """Return the events of a range by timestamp, then by order of writing."""
        self._check_open()
        return self._events.read(time_range(start, end), event_types(types))

    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy, or refuse and leave the old one."""
        self._states.save(self._name(strategy_name, "strategy_name"), state, expect)

    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return the state as saved, or None."""
        return self.load_versioned_state(strategy_name).state

    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Append a decision to today's file of the decision log."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._decisions.write([decision_body(strategy_name, decision)])

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Append an order and its result to today's file of the order log."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._orders.write([order_body(strategy_name, order, result)])

    # What follows is the capabilities, beginning with BarTables.

    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table of many symbols; it is checked whole before.

        Each symbol's bars are written whole or, where the disk fails, not at all. A few bars for
        each of many symbols cost one append to a journal, which is read together with the files
        and folded into them when it is large, by `compact()` and at `close()`.
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
        found = self._bars.stream(asked.symbols, timeframe, span, asked.columns, max_bytes)
        return (in_time_order(series, asked.columns, span.aware) for series in found)

    def delete_bars(self, symbol: str, start: date, end: date, *, timeframe: str = "1d") -> int:
        """Remove the bars of a range; return how many there were."""
        symbol, timeframe = self._series(symbol, timeframe)
        return self._bars.delete(symbol, timeframe, time_range(start, end))

    def write_events(self, events: Iterable[Event]) -> None:
        """Append a batch of events, one sync for each of their days."""
        self._check_open()
        self._events.write_all(checked_events(events))

    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace a batch of fundamentals, checked whole."""
        self._check_open()
        for data in checked_fundamentals(fundamentals):
            self._fundamentals.write(data)

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

    def compact(self) -> Report:
        """Bring all bars into few Parquet files, and seal each day of events into one.

        May run at any time, beside readers and writers; killed, it is done again by the next.
        """
        self._check_open()
        merged = self._bars.compact()
        days = self._events.compact()
        actions = [f"merged {merged} files of bars into others"] if merged else []
        actions += [f"sealed the events of {day}" for day in days]
        return Report(len(actions), actions=tuple(actions))

    def _series(self, symbol: str, timeframe: str) -> tuple[str, str]:
        return self._name(symbol, "symbol"), self._name(timeframe, "timeframe")

    def _name(self, name: str, what: str) -> str:
        self._check_open()
        return check_name(name, what)
