"""`FileDataStore`: checks its arguments and passes them to a collection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from storecore.audit.records import decision_body, order_body
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
from storecore_file.capable import Capable


class FileDataStore(Capable):
    """A `DataStore` in a folder of Parquet, JSON and JSONL files.

    Threads and processes may open the same folder at once, to read and to write.

    `base_path` is the folder; missing parts of it are created. `durability="full"` syncs every
    write to the medium before it returns; `"os"` leaves that to the operating system, and a power
    loss may then take the last writes. `lock_timeout` is how many seconds a writer waits for
    another. With `create=False` opening creates nothing, and a folder without a store raises
    `NoStore`; the first write that needs a missing folder creates it. Raises `ConfigError` for
    other options, `StorageError` if the folder cannot be made.
    """

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
