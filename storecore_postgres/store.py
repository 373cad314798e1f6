"""`PostgresDataStore`: checks arguments and passes them to the collections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from storecore.audit.records import decision_body, order_body
from storecore.bars.groups import Grouped
from storecore.bars.rows import bar_columns
from storecore.bars.table import bars_of, series_table
from storecore.events import checked_event, event_types
from storecore.fundamentals import checked_fundamental
from storecore.models import (
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    PriceBar,
)
from storecore.values.times import time_range
from storecore_postgres.capable import Capable


class PostgresDataStore(Capable):
    """A `DataStore` in a schema of a PostgreSQL database.

    Threads, processes and machines may open the same schema at once, to read and to write.

    `dsn` is a libpq connection string. `schema` is created with its tables if it is missing.
    `distribution` is the layout of new tables: "none", "citus", "timescale" or "auto" (by the
    extensions of the database). `pool` bounds the connections and the seconds that a call waits for
    a connection or a lock, and retries. A statement is prepared after `prepare_threshold` uses
    (None: never, as PgBouncer needs). It may take `statement_timeout` seconds (None: unlimited).
    With `create=False` nothing is created, a read-only role suffices, and a schema without a store
    raises `NoStore`. Raises `ConfigError` for invalid options, and `StorageError` if the database
    cannot be reached, is too old, or the role may not create the tables.
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
