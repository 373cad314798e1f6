"""`DataStore`, the ten methods and `close` that every backend provides; and the capabilities.

A capability is a small protocol of what a backend may do beyond the ten methods. A backend lists
the names of its capabilities in its `BackendSpec`, as data, so that a wrapper can forward exactly
those. `isinstance(store, Catalog)` asks a store itself.

The laws that all these methods obey (names, time, bars, fundamentals, events, states, audit,
durability, life) are listed in CONTRIBUTING.md with the reason for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

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
from storecore.reports import AuditLine, AuditReport, Coverage, Footprint, Report, StateVersion

if TYPE_CHECKING:
    from abc import ABCMeta

    import pyarrow as pa

    from storecore.reports.checkpoint import Against, Checkpoint

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Method(NamedTuple):
    """What core knows of a method: wrappers, observers, the kit and the pages read it from here.

    `kind` is one of "bars", "fundamentals", "events", "states" and "audit", or "store" for a method
    that concerns all of them. `batch` is the parameter that holds many records. `told` is the kind
    that observers are told of a write (`""`: they are not told), and its key is the value of the
    parameter `key` (or of an attribute, as in "event.type") or, if that is empty, what `each`
    record of the batch has under that name.
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
    """Declare that a method of a protocol changes nothing."""
    return _declared(Method("", "", kind, False))


def writes(
    kind: str, *, notify: str | None = None, key: str = "", batch: str = "", each: str = ""
) -> Callable[[_Function], _Function]:
    """Declare that a method of a protocol changes something."""
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
        """Lets a store that lists its `capabilities` answer `isinstance` by that list."""

        def __instancecheck__(cls, instance: object) -> bool:
            listed = getattr(instance, "capabilities", None)
            if isinstance(listed, frozenset) and CAPABILITIES.get(cls.__name__) is cls:
                return cls.__name__ in listed
            return super().__instancecheck__(instance)


@runtime_checkable
class DataStore(Protocol):
    """Where a trading system keeps its bars, fundamentals, events, states and audit log.

    Times: a naive `datetime` is UTC, ranges include both ends, a `date` is its midnight as a start
    and its last microsecond as an end. Errors are those of `storecore.errors`; any method raises
    `StoreClosed` after `close()` and `StorageError` when the medium fails.
    """

    @writes("bars", key="symbol", batch="bars")
    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars by date; the whole batch is checked before anything is written.

        Raises `InvalidData` naming the row and field, `InvalidName` for the symbol or timeframe.
        """
        ...

    @reads("bars")
    def read_bars(
        self, symbol: str, start: date, end: date, *, timeframe: str = "1d"
    ) -> list[PriceBar]:
        """Return the bars from `start` to `end`, sorted by date, one a date; `[]` where none are.

        Naive bounds give naive dates, aware bounds aware UTC ones; one of each is `InvalidData`.
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
        """Return the latest fundamental not after `as_of` (of all, when None), or None."""
        ...

    @writes("events", key="event.type")
    def write_event(self, event: Event) -> None:
        """Append an event. Identical events are kept, each."""
        ...

    @reads("events")
    def read_events(
        self, start: date, end: date, types: Iterable[str] | None = None
    ) -> list[Event]:
        """Return the events of these types (None: all) by timestamp, then by order of writing."""
        ...

    @writes("states", notify="state", key="strategy_name")
    def save_strategy_state(self, strategy_name: str, state: dict[str, Any]) -> None:
        """Replace the state of a strategy. Raises `NotSerializable` where JSON would change it."""
        ...

    @reads("states")
    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return the state as it was last saved, the caller's own copy; None if there is none."""
        ...

    @writes("audit", notify="decisions", key="strategy_name")
    def log_decision(self, strategy_name: str, decision: Decision) -> None:
        """Append a decision to the audit log."""
        ...

    @writes("audit", notify="orders", key="strategy_name")
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


@runtime_checkable
class BarTables(Protocol, metaclass=_Capability):
    """Reads and writes bars as Arrow tables of many symbols.

    `storecore.read_bar_table(store, …)` and `storecore.write_bar_table(store, …)` do the same with
    any store, and say what the tables hold.
    """

    @writes("bars", batch="table", each="symbol")
    def write_bar_table(self, table: Any, *, timeframe: str = "1d") -> None:
        """Insert or replace the bars of a table of many symbols; it is checked whole before."""
        ...

    @reads("bars")
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
class BarStream(Protocol, metaclass=_Capability):
    """Reads more bars than fit in memory, in order of time."""

    @reads("bars")
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
class Catalog(Protocol, metaclass=_Capability):
    """Tells what is stored."""

    @reads("bars")
    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars (of that timeframe; None: of any), sorted."""
        ...

    @reads("bars")
    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        ...

    @reads("bars")
    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return first and last date and the number of bars of a series."""
        ...

    @reads("states")
    def strategies(self) -> list[str]:
        """Return the names of the strategies that have a saved state, sorted."""
        ...


@runtime_checkable
class AuditTrail(Protocol, metaclass=_Capability):
    """Reads the audit log back and proves it."""

    @reads("audit")
    def read_decisions(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[DecisionRecord]:
        """Return the decisions logged from `start` to `end`, in the order of `seq`."""
        ...

    @reads("audit")
    def read_orders(
        self, start: date, end: date, strategy_name: str | None = None
    ) -> list[OrderRecord]:
        """Return the orders logged from `start` to `end`, in the order of `seq`."""
        ...

    @reads("audit")
    def verify_audit(self) -> AuditReport:
        """Follow both chains from the first record to the last and report the first break.

        Its kind is "edited", "missing", "reordered", "duplicated" or "truncated" (the tail was cut
        off), or "headless": what says where the chain ends is missing or damaged, so that a cut
        cannot be ruled out.
        """
        ...


@runtime_checkable
class BulkAudit(Protocol, metaclass=_Capability):
    """Logs many records in one call, each batch checked whole, in the order given.

    A batch is logged with one time and one sync.
    """

    @writes("audit", notify="decisions", key="strategy_name", batch="decisions")
    def log_decisions(self, strategy_name: str, decisions: Iterable[Decision]) -> None:
        """Append decisions to the audit log."""
        ...

    @writes("audit", notify="orders", key="strategy_name", batch="orders")
    def log_orders(self, strategy_name: str, orders: Iterable[tuple[Order, OrderResult]]) -> None:
        """Append orders, each with what the broker answered, to the audit log."""
        ...


@runtime_checkable
class Bulk(Protocol, metaclass=_Capability):
    """Writes and removes many records in one call, each batch checked whole before the first byte.

    A batch costs few syncs where its records one by one would cost as many as they are.
    """

    @writes("events", batch="events", each="type")
    def write_events(self, events: Iterable[Event]) -> None:
        """Append events in the order given. Identical ones are kept, each."""
        ...

    @writes("fundamentals", batch="fundamentals", each="symbol")
    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace fundamentals, each under its own symbol; the last of one key wins."""
        ...

    @writes("bars", notify="deletions", key="symbol")
    def delete_bars(self, symbol: str, start: date, end: date, *, timeframe: str = "1d") -> int:
        """Remove the bars from `start` to `end`, both included; return how many there were."""
        ...


@runtime_checkable
class VersionedState(Protocol, metaclass=_Capability):
    """Counts the versions of a strategy's state, so that two writers do not overwrite each other.

    loaded = store.load_versioned_state("value")
    store.save_strategy_state("value", changed(loaded.state), expect=loaded.version)
    """

    @writes("states", notify="state", key="strategy_name")
    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy; with `expect`, only that version of it (0: none).

        Raises `StateConflict` where another version is stored, which stays as it is.
        """
        ...

    @reads("states")
    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state as it was last saved and its version."""
        ...

    @reads("states")
    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the last few versions of a state that are kept, the newest first."""
        ...


@runtime_checkable
class DiskUsage(Protocol, metaclass=_Capability):
    """Tells what a series costs on disk."""

    @reads("bars")
    def bar_footprint(self, symbol: str, *, timeframe: str = "1d") -> Footprint:
        """Return how many data files a series has and how many bytes they take."""
        ...


@runtime_checkable
class Transfer(Protocol, metaclass=_Capability):
    """Gives all that a store holds beyond its bars, and takes a chain and a history as they are.

    The iterators hold a bounded part of it at once, and take it as it is when they come to it: what
    is written meanwhile may be among it or not. What is wrong with the question is an error at
    once, not when they are gone through.
    """

    @reads("fundamentals")
    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, each exactly as it was written."""
        ...

    @reads("events")
    def iter_events(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing, their times in aware UTC."""
        ...

    @reads("audit")
    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log, "decisions" or "orders", from number `after` + 1 on.

        They come in the order of `seq`, each the bytes of its line, newline included.
        """
        ...

    @writes("audit", notify="{log}", batch="lines", each="strategy")
    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that were logged elsewhere, all of them or none.

        Their bytes, number, time and hashes stay what they are. Raises `InvalidData` naming the
        line that is no whole record of that log or does not follow the one before, `StateConflict`
        where the first does not follow the last record that is stored.
        """
        ...

    @writes("states", notify="state", key="strategy_name", batch="versions")
    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history by versions that another store has, newest first.

        They keep their numbers; as many are kept as the store keeps of its own. Raises
        `StateConflict` where the stored version is not `expect` (0: none, None: whichever it is),
        `InvalidData` where they do not fall from one to the next.
        """
        ...


@runtime_checkable
class Maintenance(Protocol, metaclass=_Capability):
    """Checks a whole store, repairs it, and compacts it.

    All methods may run beside readers and writers. A store of an earlier release counts too,
    although its `verify` takes no `against` and it has no `checkpoint`: the functions of
    `storecore.store.checkpoints` do both for it.
    """

    @reads("store")
    def verify(self, *, against: Against | None = None) -> Report:
        """Prove every file; change nothing. Damage is a finding, anomalies are notes.

        `against` is a checkpoint, its mapping or its file. Data that it names and that is missing
        now is a finding too, unless a write has replaced it.
        """
        ...

    @writes("store", notify="")
    def repair(self, *, dry_run: bool = False) -> Report:
        """Move aside, never delete, what keeps the rest from being read or was left behind.

        The report says what was done (with `dry_run`, what would be), and finds what it could not
        mend: a damaged line in the middle of a log, say.
        """
        ...

    @writes("store", notify="")
    def compact(self) -> Report:
        """Bring what is stored into fewer and smaller files. No answer changes."""
        ...

    @reads("store")
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
"""The methods of `DataStore` (their capability is empty) and of the capabilities, by name."""


def methods_of(capability: str) -> list[str]:
    """Return the names of a capability's methods, or of `DataStore`'s ten if it is empty."""
    protocol = CAPABILITIES[capability] if capability else DataStore
    return [each.name for each in _methods(protocol)]


def declaration(name: str) -> Callable[..., Any]:
    """Return a method as its protocol declares it, with all keywords that a capability adds."""
    protocols = (each for each in (*CAPABILITIES.values(), DataStore) if name in vars(each))
    found: Callable[..., Any] = vars(next(protocols))[name]
    return found
