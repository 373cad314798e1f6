"""`DataStore`: the ten methods, and `close`, that every backend provides.

The laws that these methods obey (names, time, bars, fundamentals, events, state, audit,
durability, life) are listed in CONTRIBUTING.md with the reason for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from storecore.models import Decision, Event, FundamentalData, Order, OrderResult, PriceBar


@runtime_checkable
class DataStore(Protocol):
    """Where a trading system keeps its bars, fundamentals, events, states and audit log.

    Times: a naive `datetime` is UTC, ranges include both ends, a `date` is its midnight as a start
    and its last microsecond as an end. Errors are those of `storecore.errors`; any method raises
    `StoreClosed` after `close()` and `StorageError` when the medium fails.
    """

    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars by date; the whole batch is checked before anything is written.

        Raises `InvalidData` naming the row and field, `InvalidName` for the symbol or timeframe.
        """
        ...

    def read_bars(
        self, symbol: str, start: date, end: date, *, timeframe: str = "1d"
    ) -> list[PriceBar]:
        """Return the bars from `start` to `end`, sorted by date, one a date; `[]` where none are.

        Naive bounds give naive dates, aware bounds aware UTC ones; one of each is `InvalidData`.
        """
        ...

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        ...

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of` (of all, when None), or None."""
        ...

    def write_event(self, event: Event) -> None:
        """Append an event. Identical events are kept, each."""
        ...

    def read_events(
        self, start: date, end: date, types: Iterable[str] | None = None
    ) -> list[Event]:
        """Return the events of these types (None: all) by timestamp, then by order of writing."""
        ...

    def save_strategy_state(self, strategy_name: str, state: dict[str, Any]) -> None:
        """Replace the state of a strategy. Raises `NotSerializable` where JSON would change it."""
        ...

    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return the state as it was last saved, the caller's own copy; None if there is none."""
        ...

    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Append a decision to the audit log."""
        ...

    def log_order(self, strategy_name: str, order: Order, result: OrderResult) -> None:
        """Append an order and what the broker answered to the audit log."""
        ...

    def close(self) -> None:
        """Release what the store holds. A second call does nothing."""
        ...

    def __enter__(self) -> Self:
        """Return the store itself."""
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        ...
