"""What a backend may do beyond the ten methods: small protocols that it declares by name.

A backend lists the names in its `BackendSpec`, as data, so that a wrapper can forward exactly
those. `isinstance(store, Catalog)` asks a store itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from storecore.models import (
    Decision,
    DecisionRecord,
    Event,
    FundamentalData,
    Order,
    OrderRecord,
    OrderResult,
)
from storecore.reports import AuditReport, Coverage, Footprint, Report, StateVersion
from storecore.transfer import Transfer as Transfer

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.checkpoints import Against, Checkpoint


@runtime_checkable
class BarTables(Protocol):
    """Reads and writes bars as Arrow tables of many symbols.

    `storecore.read_bar_table(store, …)` and `storecore.write_bar_table(store, …)` do the same with
    any store, and say what the tables hold.
    """

    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table of many symbols; it is checked whole before."""
        ...

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
        ...


@runtime_checkable
class BarStream(Protocol):
    """Reads more bars than fit in memory, in order of time."""

    def iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: date,
        end: date,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = 32 * 2**20,
    ) -> Iterator[pa.Table]:
        """Yield tables that follow each other in time, each sorted by date, then symbol.

        At most about `max_bytes` of bars are held at once. What is wrong with the question is an
        error at once, not when the stream is gone through.
        """
        ...


@runtime_checkable
class Catalog(Protocol):
    """Tells what is stored."""

    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars (of that timeframe; None: of any), sorted."""
        ...

    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        ...

    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return first and last date and the number of bars of a series."""
        ...

    def strategies(self) -> list[str]:
        """Return the names of the strategies that have a saved state, sorted."""
        ...


@runtime_checkable
class AuditTrail(Protocol):
    """Reads the audit log back and proves it."""

    def read_decisions(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[DecisionRecord]:
        """Return the decisions logged from `start` to `end`, in the order of `seq`."""
        ...

    def read_orders(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[OrderRecord]:
        """Return the orders logged from `start` to `end`, in the order of `seq`."""
        ...

    def verify_audit(self) -> AuditReport:
        """Follow both chains from the first record to the last and report the first break.

        Its kind is "edited", "missing", "reordered", "duplicated" or "truncated" (the tail was cut
        off), or "headless": what says where the chain ends is missing or damaged, so that a cut
        cannot be ruled out.
        """
        ...


@runtime_checkable
class BulkAudit(Protocol):
    """Logs many records in one call, each batch checked whole, in the order given.

    A batch is logged with one time and one sync.
    """

    def log_decisions(self, strategy_name: str, decisions: Iterable[Decision]) -> None:
        """Append decisions to the audit log."""
        ...

    def log_orders(self, strategy_name: str, orders: Iterable[tuple[Order, OrderResult]]) -> None:
        """Append orders, each with what the broker answered, to the audit log."""
        ...


@runtime_checkable
class Bulk(Protocol):
    """Writes and removes many records in one call, each batch checked whole before the first byte.

    A batch costs few syncs where its records one by one would cost as many as they are.
    """

    def write_events(self, events: Iterable[Event]) -> None:
        """Append events in the order given. Identical ones are kept, each."""
        ...

    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace fundamentals, each under its own symbol; the last of one key wins."""
        ...

    def delete_bars(self, symbol: str, start: date, end: date, *, timeframe: str = "1d") -> int:
        """Remove the bars from `start` to `end`, both included; return how many there were."""
        ...


@runtime_checkable
class VersionedState(Protocol):
    """Counts the versions of a strategy's state, so that two writers do not overwrite each other.

    loaded = store.load_versioned_state("value")
    store.save_strategy_state("value", changed(loaded.state), expect=loaded.version)
    """

    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy; with `expect`, only that version of it (0: none).

        Raises `StateConflict` where another version is stored, which stays as it is.
        """
        ...

    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state as it was last saved and its version."""
        ...

    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the last few versions of a state that are kept, the newest first."""
        ...


@runtime_checkable
class DiskUsage(Protocol):
    """Tells what a series costs on disk."""

    def bar_footprint(self, symbol: str, *, timeframe: str = "1d") -> Footprint:
        """Return how many data files a series has and how many bytes they take."""
        ...


@runtime_checkable
class Maintenance(Protocol):
    """Checks a whole store, repairs it, and compacts it.

    All methods may run beside readers and writers. A store of an earlier release counts too,
    although its `verify` takes no `against` and it has no `checkpoint`: the functions of
    `storecore.checkpoints` do both for it.
    """

    def verify(self, *, against: Against | None = None) -> Report:
        """Prove every file; change nothing. Damage is a finding, oddities are notes.

        `against` is a checkpoint, its mapping or its file. Data that it names and that is missing
        now is a finding too, unless a write has replaced it.
        """
        ...

    def repair(self, *, dry_run: bool = False) -> Report:
        """Move aside, never delete, what keeps the rest from being read or was left behind.

        The report says what was done (with `dry_run`, what would be), and finds what it could not
        mend: a damaged line in the middle of a log, say.
        """
        ...

    def compact(self) -> Report:
        """Bring what is stored into fewer and smaller files. No answer changes."""
        ...

    def checkpoint(self) -> Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log as it is now.

        Two stores with the same data have the same digests, whatever their backends.
        """
        ...

    @classmethod
    def __subclasshook__(cls, kind: type) -> bool:
        """Check a class for the methods that the capability began with."""
        required = vars(Maintenance).keys() - ADDED
        names = (name for name in required if not name.startswith("_"))
        return NotImplemented if cls is not Maintenance else all(hasattr(kind, n) for n in names)


ADDED = frozenset({"checkpoint"})
"""Methods added to a capability since `api` 1. If a backend lacks them, core provides them."""

GROWN: dict[str, frozenset[str]] = {"verify": frozenset({"against"})}
"""Optional parameters added since, by method."""

CAPABILITIES: dict[str, type] = {
    protocol.__name__: protocol
    for protocol in (
        BarTables,
        BarStream,
        Catalog,
        AuditTrail,
        Bulk,
        BulkAudit,
        VersionedState,
        DiskUsage,
        Transfer,
        Maintenance,
    )
}
