"""`DataStore`, the ten methods and `close` that every backend provides, and the capabilities.

A capability is a small protocol that a backend may implement beyond the ten methods. A backend
lists the names of its capabilities in its `BackendSpec`, so that a wrapper can forward exactly
those. `isinstance(store, Catalog)` checks whether a store has a capability.

storecore/testing/LAWS.md documents the laws that all these methods obey, with the reason for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    Self,
    TypeVar,
    runtime_checkable,
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
    Read,
)
from storecore.reports import (
    AuditLine,
    AuditReport,
    Coverage,
    Footprint,
    Report,
    SeriesCoverage,
    StateVersion,
)
from storecore.values.times import Bound

if TYPE_CHECKING:
    from abc import ABCMeta

    import pyarrow as pa

    from storecore.knowledge.versions import (
        BarVersion,
        Correction,
        EventVersion,
        FundamentalVersion,
        Recording,
        Snapshot,
    )
    from storecore.reports.checkpoint import Against, Checkpoint

Extra = Literal["keep", "ignore"]
"""What happens to columns of a table beyond the seven of a bar."""
Missing = Literal["error", "skip"]
"""What happens to rows of a table without any price: an error, or they are left out."""
Day = Literal["instant", "written"]
"""Whether a time of a daily bar counts as an instant, or as the day that is written in it."""
Volume = Literal["required", "absent"]
"""Whether a table has a column of volumes; if not, they are stored as not reported."""
By = Literal["timestamp", "as_of"]
"""By which time records are selected: that of logging, or `as_of`."""
Reads = Iterable[Read | Mapping[str, Any]] | None
"""The receipts of what was read for a decision or an order."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Method(NamedTuple):
    """The declaration of a method. Wrappers, observers, the kit and the pages read it.

    `kind` is one of "bars", "fundamentals", "events", "states" and "audit", or "store" for a method
    that concerns all of them. `batch` names the parameter that contains many records. `notify` is
    the kind that observers receive after a write (`""`: they are not called). The key that they
    receive is the value of the parameter `key` (or of its attribute, as in "event.type"). If `key`
    is empty, it is the attribute `each` of every record in the batch.
    """

    name: str
    capability: str
    kind: str
    is_write: bool
    notify: str = ""
    key: str = ""
    batch: str = ""
    each: str = ""


def reads(kind: str) -> Callable[[_Function], _Function]:
    """Declare a method of a protocol that changes nothing."""
    return _declared(Method("", "", kind, False))


def writes(
    kind: str, *, notify: str | None = None, key: str = "", batch: str = "", each: str = ""
) -> Callable[[_Function], _Function]:
    """Declare a method of a protocol that changes something."""
    return _declared(
        Method("", "", kind, True, kind if notify is None else notify, key, batch, each)
    )


def _declared(method: Method) -> Callable[[_Function], _Function]:
    def declare(function: _Function) -> _Function:
        function.__dict__["method"] = method
        return function

    return declare


if TYPE_CHECKING:
    _Capability = ABCMeta
else:

    class _Capability(type(Protocol)):
        """Makes `isinstance` check the attribute `capabilities` of a store, if it has one.

        Any other store has a capability if it has the methods that the capability had at first.
        """

        def __instancecheck__(cls, instance: object) -> bool:
            if CAPABILITIES.get(cls.__name__) is not cls:
                return super().__instancecheck__(instance)
            listed = getattr(instance, "capabilities", None)
            if isinstance(listed, frozenset):
                return cls.__name__ in listed
            return _has_first_methods(instance, cls)

        def __subclasscheck__(cls, kind: type) -> bool:
            if CAPABILITIES.get(cls.__name__) is not cls:
                return super().__subclasscheck__(kind)
            return _has_first_methods(kind, cls)


def _has_first_methods(instance: object, capability: type) -> bool:
    names = (name for name in methods_of(capability.__name__) if name not in ADDED)
    return all(callable(getattr(instance, name, None)) for name in names)


@runtime_checkable
class DataStore(Protocol):
    """The store of a trading system: its bars, fundamentals, events, states and audit log.

    A naive `datetime` is taken as UTC. Ranges include both ends. A missing bound is open. A `date`
    as a start is its midnight, and as an end its last microsecond; a bound may also be ISO text.
    Without bounds, times are returned naive. A start after the end is `InvalidData`. Every method
    raises `StoreClosed` after `close()`, and `StorageError` if the medium fails.
    """

    @writes("bars", key="symbol", batch="bars")
    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars by date, after checking the whole batch.

        Raises `InvalidData`, which names the row and field, or `InvalidName` for the symbol or
        timeframe.
        """
        ...

    @reads("bars")
    def read_bars(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        last: int | None = None,
    ) -> list[PriceBar]:
        """Return the bars from `start` to `end`, sorted by date, one per date.

        With `last`, return only that many, the newest of the range.
        If the bounds are naive, the dates are naive; if they are aware, the dates are aware UTC.
        Raises `InvalidData` if only one bound is aware.
        """
        ...

    @writes("fundamentals", key="symbol")
    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        ...

    @reads("fundamentals")
    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of` (None: of all), or None."""
        ...

    @writes("events", key="event.type")
    def write_event(self, event: Event) -> None:
        """Append an event. Identical events are all kept."""
        ...

    @reads("events")
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
        `ingested_by`, leave out events whose `ingested_at` is later. It takes no bare date.
        """
        ...

    @writes("states", notify="state", key="strategy_name")
    def save_strategy_state(self, strategy_name: str, state: dict[str, Any]) -> None:
        """Replace the state of a strategy. Raises `NotSerializable` if JSON would change it."""
        ...

    @reads("states")
    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return a copy of the state that was last saved; None if there is none."""
        ...

    @writes("audit", notify="decisions", key="strategy_name")
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
        ...

    @writes("audit", notify="orders", key="strategy_name")
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
        ...

    def close(self) -> None:
        """Release the resources of the store. A second call does nothing."""
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


@runtime_checkable
class BarTables(Protocol, metaclass=_Capability):
    """Reads and writes bars as Arrow tables of many symbols.

    `storecore.read_bar_table(store, …)` and `storecore.write_bar_table(store, …)`, which are
    documented with the tables that they take and return, do the same for any store.
    """

    @writes("bars", batch="table", each="symbol")
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

        With `replace`, each series of the table becomes exactly its rows, in one step: a reader
        and a crash see all of the old series or all of the new one.
        """
        ...

    @reads("bars")
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
        ...


@runtime_checkable
class BarStream(Protocol, metaclass=_Capability):
    """Reads more bars than fit into memory, in order of time."""

    @reads("bars")
    def iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = 32 * 2**20,
    ) -> Iterator[pa.Table]:
        """Yield tables of consecutive ranges of time, each sorted by date, then symbol.

        The iterator holds at most about `max_bytes` of bars in memory. The call itself raises for
        invalid arguments, not the iteration.
        """
        ...


@runtime_checkable
class Catalog(Protocol, metaclass=_Capability):
    """Lists the stored series, fundamentals, events and states."""

    @reads("bars")
    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars of a timeframe (None: of any), sorted."""
        ...

    @reads("bars")
    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        ...

    @reads("bars")
    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return the first and last date and the number of bars of a series."""
        ...

    @reads("bars")
    def inventory(self) -> list[SeriesCoverage]:
        """Return every series with its first and last date and the number of its bars.

        They are sorted by symbol, then timeframe.
        """
        ...

    @reads("bars")
    def nearest(self, symbol: str) -> list[str]:
        """Return the symbols with bars that are spelled most like a symbol, the nearest first."""
        ...

    @reads("fundamentals")
    def fundamentals(
        self, symbol: str, start: Bound = None, end: Bound = None
    ) -> list[FundamentalData]:
        """Return the fundamentals of a symbol with timestamps from `start` to `end`, by timestamp.

        Each is exactly as it was written.
        """
        ...

    @reads("fundamentals")
    def fundamental_symbols(self) -> list[str]:
        """Return the symbols that have fundamentals, sorted."""
        ...

    @reads("events")
    def event_symbols(self) -> list[str]:
        """Return the symbols that have events, sorted. System events, without one, do not count."""
        ...

    @reads("states")
    def strategies(self, prefix: str = "") -> list[str]:
        """Return the names of the strategies that have a saved state, sorted.

        With `prefix`, return only names that begin with it.
        """
        ...


@runtime_checkable
class AuditTrail(Protocol, metaclass=_Capability):
    """Reads the audit log and verifies its chains."""

    @reads("audit")
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

        Without `run` they are those of the live log, which were logged without a run. With `run`
        they are those of that run; "*" stands for the live log and all runs. With `by="as_of"`, the
        range is one of `as_of`; for a record without `as_of`, that is
        the time of logging.
        """
        ...

    @reads("audit")
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
        ...

    @reads("audit")
    def verify_audit(self) -> AuditReport:
        """Follow both chains from the first record to the last and report the first break.

        Its kind is "edited", "missing", "reordered", "duplicated", "truncated" (the end was cut
        off) or "headless". With "headless" the head, which records the end of the chain, is missing
        or damaged, so the end of the log may have been cut off.
        """
        ...


@runtime_checkable
class BulkAudit(Protocol, metaclass=_Capability):
    """Logs many records in one call, in the order given, after checking all of them.

    All records of a batch have the same time and need only one sync.
    """

    @writes("audit", notify="decisions", key="strategy_name", batch="decisions")
    def log_decisions(
        self,
        strategy_name: str,
        decisions: Iterable[Decision],
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append decisions to the audit log, each with the same `as_of`, `run` and `reads`."""
        ...

    @writes("audit", notify="orders", key="strategy_name", batch="orders")
    def log_orders(
        self,
        strategy_name: str,
        orders: Iterable[tuple[Order, OrderResult]],
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append orders to the audit log, each with the broker's response.

        All have the same `as_of`, `run` and `reads`.
        """
        ...


@runtime_checkable
class Bulk(Protocol, metaclass=_Capability):
    """Writes or removes many records in one call, after checking the whole batch.

    A batch needs a few syncs; separate writes need one for each record.
    """

    @writes("events", batch="events", each="type")
    def write_events(self, events: Iterable[Event]) -> None:
        """Append events in the order given. Identical events are all kept."""
        ...

    @writes("fundamentals", batch="fundamentals", each="symbol")
    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace fundamentals, each under its own symbol; the last duplicate wins."""
        ...

    @writes("bars", notify="deletions", key="symbol")
    def delete_bars(
        self, symbol: str, start: date | str, end: date | str, *, timeframe: str = "1d"
    ) -> int:
        """Remove the bars from `start` to `end`, both included; return their number."""
        ...

    @writes("events", notify="event_deletions", key="types")
    def delete_events(
        self,
        start: date | str,
        end: date | str,
        types: Iterable[str] | None = None,
        symbols: str | Iterable[str | None] | None = None,
    ) -> int:
        """Remove the events from `start` to `end` of these types and symbols (None: of all).

        Return their number. None among `symbols` is for system events.
        """
        ...

    @writes("fundamentals", notify="fundamental_deletions", key="symbol")
    def delete_fundamentals(self, symbol: str, start: date | str, end: date | str) -> int:
        """Remove the fundamentals of a symbol with timestamps from `start` to `end`.

        Return their number.
        """
        ...

    @writes("store", notify="renames", key="old")
    def rename_symbol(self, old: str, new: str) -> None:
        """Give the bars, fundamentals and events of a symbol another one, in one step.

        The audit log is append-only and keeps its records. Raises `InvalidData` if `old` has no
        data or `new` has any.
        """
        ...


@runtime_checkable
class VersionedState(Protocol, metaclass=_Capability):
    """Numbers the versions of a strategy's state, so that writers do not overwrite each other.

    loaded = store.load_versioned_state("value")
    store.save_strategy_state("value", changed(loaded.state), expect=loaded.version)
    """

    @writes("states", notify="state", key="strategy_name")
    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy; with `expect`, only if that version is stored (0: none).

        Raises `StateConflict` if another version is stored; then the stored state does not change.
        """
        ...

    @writes("states", notify="state_deletions", key="strategy_name")
    def delete_strategy_state(self, strategy_name: str, *, expect: int | None = None) -> bool:
        """Remove the state of a strategy and its history; return whether there was one.

        Then the version is 0; a later save has the number after the last one. With `expect`, remove
        it only if that version is stored (0: none). Raises `StateConflict` if another one is.
        """
        ...

    @reads("states")
    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state that was last saved and its version."""
        ...

    @reads("states")
    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the stored versions of a state, newest first."""
        ...


@runtime_checkable
class DiskUsage(Protocol, metaclass=_Capability):
    """Reports the disk space of a series."""

    @reads("bars")
    def bar_footprint(self, symbol: str, *, timeframe: str = "1d") -> Footprint:
        """Return the number of data files of a series and their size in bytes."""
        ...


@runtime_checkable
class Transfer(Protocol, metaclass=_Capability):
    """Streams all data of a store except its bars, and stores chains and histories unchanged.

    The iterators hold a bounded number of records in memory. They may or may not yield records that
    are written during the iteration. The call itself raises for invalid arguments.
    """

    @reads("fundamentals")
    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, each exactly as it was written."""
        ...

    @reads("events")
    def iter_events(self, start: Bound = None, end: Bound = None) -> Iterator[Event]:
        """Yield the events of a range by timestamp, then by order of writing.

        Their times are aware or naive as the bounds are (law T2), without any in aware UTC.
        """
        ...

    @reads("audit")
    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log, "decisions" or "orders", from number `after` + 1 on.

        They are in the order of `seq`. Each has the bytes of its line, with the newline.
        """
        ...

    @writes("audit", notify="{log}", batch="lines", each="strategy")
    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that another store logged, all of them or none.

        Their bytes, numbers, times and hashes do not change. Raises `InvalidData`, which names a
        line that is not a complete record of that log or does not follow the line before it, or
        `StateConflict` if the first line does not follow the last stored record.
        """
        ...

    @writes("states", notify="state", key="strategy_name", batch="versions")
    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history with versions of another store, newest first.

        They keep their numbers. The store keeps as many of them as of its own versions. Raises
        `StateConflict` if the stored version is not `expect` (0: none, None: any), `InvalidData` if
        the numbers do not decrease.
        """
        ...


@runtime_checkable
class Maintenance(Protocol, metaclass=_Capability):
    """Checks a whole store, repairs it, and compacts it.

    All methods may run while others read and write the store. A store for an earlier release also
    has this capability, even if its `verify` does not accept `against` and it has no `checkpoint`.
    The functions of `storecore.store.checkpoints` provide both.
    """

    @reads("store")
    def verify(self, *, against: Against | None = None) -> Report:
        """Verify all stored data and change nothing. Damage is a finding; an anomaly is a note.

        `against` is a checkpoint, as an object, a mapping or a file. Data of the checkpoint that is
        missing now is a finding too, unless a write has replaced it.
        """
        ...

    @writes("store", notify="")
    def repair(self, *, dry_run: bool = False) -> Report:
        """Quarantine damaged files and leftovers of killed writers; never delete them.

        The report lists the actions (with `dry_run`, those that would be taken). Its findings are
        the damage that cannot be repaired, such as a damaged line in the middle of a log.
        """
        ...

    @writes("store", notify="")
    def compact(self) -> Report:
        """Rewrite the data into fewer and smaller files. The results of reads do not change."""
        ...

    @reads("store")
    def checkpoint(self) -> Checkpoint:
        """Return a digest of each series, symbol, day of events, state and log.

        Two stores with the same data have the same digests, whatever their backends.
        """
        ...


@runtime_checkable
class History(Protocol, metaclass=_Capability):
    """Keeps what writes replace and deletions remove, with the instants of recording (law K1).

    With `recorded`, a moment, a method returns only the versions that the store held then: at most
    one of each bar, fundamental and event. The same question is answered in the same way for ever
    (law K3). Raises `InvalidData` if the moment is in the future, `HistoryPruned` if the history of
    that time was pruned or not kept.
    """

    @reads("bars")
    def bar_versions(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        recorded: datetime | None = None,
    ) -> list[BarVersion]:
        """Return the versions of the bars from `start` to `end`, by date, then by recording."""
        ...

    @reads("fundamentals")
    def fundamental_versions(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        recorded: datetime | None = None,
    ) -> list[FundamentalVersion]:
        """Return the versions of fundamentals, by timestamp, then by recording."""
        ...

    @reads("events")
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
        ...

    @reads("store")
    def corrections(
        self, since: datetime | None = None, *, symbol: str | None = None
    ) -> list[Correction]:
        """Return what was replaced or removed from `since` on, by time of recording."""
        ...

    @reads("store")
    def recorded_now(self) -> datetime:
        """Return the moment `r` at which `recorded=r` is what the store holds now.

        No write that becomes visible later is recorded at or before it (law K3).
        """
        ...

    @reads("store")
    def recording(self) -> Recording:
        """Return which series have versions, and from when on. It moves no clock."""
        ...

    @writes("store", notify="")
    def restore_versions(
        self,
        versions: Iterable[BarVersion | FundamentalVersion | EventVersion],
        *,
        timeframe: str = "1d",
    ) -> None:
        """Take in versions of another store, with their instants.

        A version with the key and `recorded_at` of one that the store has gets its `replaced_at`.
        Events are appended. Raises `InvalidData` if an answer that was given would change (law K3).
        """
        ...

    @writes("store", notify="")
    def restore_recording(
        self,
        recorded: datetime,
        *,
        pruned_before: datetime | None = None,
        snapshots: Iterable[Snapshot] = (),
    ) -> None:
        """Move the clock and the horizon on to those of another store, and add its snapshots."""
        ...

    @writes("store", notify="")
    def prune_history(self, before: datetime) -> int:
        """Remove the versions that were replaced at or before a moment; return their number.

        From then on, questions about earlier moments are `HistoryPruned`. Raises `InvalidData` if
        a snapshot is earlier.
        """
        ...

    @writes("store", notify="")
    def snapshot(self, name: str, note: str = "") -> Snapshot:
        """Name the present moment of recording. Raises `InvalidData` if the name is taken."""
        ...

    @reads("store")
    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots by time, then by name."""
        ...

    @writes("store", notify="")
    def drop_snapshot(self, name: str) -> bool:
        """Remove a snapshot; return whether there was one. No data is removed."""
        ...


ADDED = frozenset(
    {"checkpoint", "inventory", "nearest", "fundamentals", "fundamental_symbols", "event_symbols"}
    | {"delete_events", "delete_fundamentals", "rename_symbol", "delete_strategy_state"}
    | {"recording", "restore_versions", "restore_recording"}
)
"""Methods added to a capability since `api` 1. Core provides those that read, where it can."""

GROWN: dict[str, frozenset[str]] = {
    "verify": frozenset({"against"}),
    "read_bars": frozenset({"last"}),
    "read_events": frozenset({"symbols", "ingested_by"}),
    "write_bar_table": frozenset(
        {"symbol", "columns", "extra", "missing", "day", "volume", "replace"}
    ),
    "read_bar_table": frozenset({"last"}),
    "iter_events": frozenset({"start", "end"}),
    "strategies": frozenset({"prefix"}),
    **dict.fromkeys(
        ("log_decision", "log_order", "log_decisions", "log_orders"),
        frozenset({"as_of", "run", "reads"}),
    ),
    **dict.fromkeys(("read_decisions", "read_orders"), frozenset({"by", "run"})),
}
"""Optional parameters added since `api` 1, by method."""

OPENED = frozenset(
    {"read_bars", "read_events", "read_bar_table", "iter_bar_tables"}
    | {"read_decisions", "read_orders"}
)
"""Methods whose bounds `start` and `end` were required in `api` 1."""

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
        History,
    )
}
"""The protocols of the capabilities, by name."""


def _methods(protocol: type) -> Iterator[Method]:
    capability = "" if protocol is DataStore else protocol.__name__
    for name, function in vars(protocol).items():
        method = getattr(function, "method", None)
        if method is not None:
            yield method._replace(name=name, capability=capability)


METHODS: dict[str, Method] = {
    each.name: each
    for protocol in (*CAPABILITIES.values(), DataStore)
    for each in _methods(protocol)
}
"""The methods of `DataStore` (with an empty capability) and of the capabilities, by name."""


def methods_of(capability: str) -> list[str]:
    """Return the names of a capability's methods; if it is empty, the ten of `DataStore`."""
    protocol = CAPABILITIES[capability] if capability else DataStore
    return [each.name for each in _methods(protocol)]


def declaration(name: str) -> Callable[..., Any]:
    """Return the declaration of a method, including keywords that a capability adds."""
    protocols = (each for each in (*CAPABILITIES.values(), DataStore) if name in vars(each))
    found: Callable[..., Any] = vars(next(protocols))[name]
    return found
