"""The front door: `PostgresDataStore`, which checks what it is given and sends it to its room."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from storecore.audit import decision_body, order_body
from storecore.bar_groups import Grouped
from storecore.bar_table import bars_of, series_table
from storecore.bars import bar_columns
from storecore.events import checked_event, event_types
from storecore.fundamentals import checked_fundamental
from storecore.instants import time_range
from storecore.models import (
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    PriceBar,
)
from storecore_postgres.capable import Capable


class PostgresDataStore(Capable):
    """A `DataStore` in a schema of a PostgreSQL database.

    Threads, processes and machines may have the same schema open at once, to read and to write.

    `dsn` is a libpq connection string; `schema` is created with its tables if it is missing.
    `distribution` lays out new tables for a cluster of Citus or for TimescaleDB ("auto": as the
    database has an extension). `pool` says how many connections there are, and how many seconds a
    call waits for one, for another session's lock, and retries after a lost one.
    `prepare_threshold` is after how many uses a statement is prepared (None: never, for PgBouncer),
    `statement_timeout` how many seconds one may take. With `create=False` nothing is created, a
    role that may only read is enough, and a schema without a store raises `NoStore`. Raises
    `ConfigError` for other options, `StorageError` if the database cannot be reached, is too old,
    or its role may not make the tables.
    """

    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars; they are committed when this returns."""
        symbol, timeframe = self._series(symbol, timeframe)
        table = series_table(bar_columns(symbol, bars))
        self._bars.write(timeframe, Grouped([symbol], [len(table)], table))

    def read_bars(
        self, symbol: str, start: date, end: date, *, timeframe: str = "1d"
    ) -> list[PriceBar]:
        """Return the bars of a range, sorted by date."""
        symbol, timeframe = self._series(symbol, timeframe)
        span = time_range(start, end)
        found = self._bars.read([symbol], timeframe, span)
        return bars_of(symbol, found[0][1], span.aware) if found else []

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        symbol = self._name(symbol, "symbol")
        self._fundamentals.write([checked_fundamental(symbol, data)])

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of`, or None."""
        return self._fundamentals.read(self._name(symbol, "symbol"), as_of)

    def write_event(self, event: Event) -> None:
        """Append an event."""
        self._check_open()
        self._events.write([checked_event(event)])

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
        """Append a decision to the log of decisions."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._decisions.write([decision_body(strategy_name, decision)])

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Append an order and its result to the log of orders."""
        strategy_name = self._name(strategy_name, "strategy_name")
        self._orders.write([order_body(strategy_name, order, result)])
