"""`View`: a store as of a time. What could not be known by then is not shown (law K2).

    view = store.at(datetime(2026, 1, 5, 14, 30))
    view.read_bars("AAPL", last=20)          # the last 20 bars that had ended

Known is a bar that had ended, a fundamental whose `timestamp` and an event whose `ingested_at` is
not after the time of the view, and a record that had been logged by then. A question that reaches
beyond is cut there, and asked of the store by the methods that it has.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from storecore.audit.context import checked_run
from storecore.bars.rows import MAX_BYTES
from storecore.errors import InvalidData, LookAhead, StorageError, StoreClosed, shown
from storecore.events import event_symbols, event_types
from storecore.knowledge import catalog, runs
from storecore.knowledge.known import Known, lacks
from storecore.knowledge.lengths import checked_lengths, last_ended
from storecore.knowledge.receipts import Reads
from storecore.models import Event, FundamentalData, PriceBar, Read
from storecore.protocols import CAPABILITIES, METHODS, By, DataStore
from storecore.reports import StateVersion
from storecore.store.base import Store
from storecore.store.methods import offered
from storecore.store.questions import has_method, recording_began
from storecore.store.wrapper import Wrapper, method_of
from storecore.values.names import check_name, checked_prefix
from storecore.values.suggestions import did_you_mean
from storecore.values.times import (
    Bound,
    TimeRange,
    exact_instant,
    latest_instant,
    time_range,
    to_datetime,
)

if TYPE_CHECKING:
    import pyarrow as pa

OnFuture: TypeAlias = Literal["cut", "raise"]
"""What a view does with a query that reaches past its time: cut it, or raise `LookAhead`."""
_Answer = TypeVar("_Answer")

_VIEWED = frozenset({"BarTables", "BarStream", "Catalog", "AuditTrail", "VersionedState"})
_NO_LENGTHS: dict[str, int] = {}


def at(
    store: DataStore,
    t: datetime | str,
    *,
    recorded: datetime | None = None,
    run: str | None = None,
    on_future: OnFuture | None = None,
    lengths: Mapping[str, timedelta] | None = None,
) -> View:
    """Return a view of any store, one with the ten methods alone too, as of a time.

    See `Store.at`.
    """
    if isinstance(store, Store):
        return store.at(t, recorded=recorded, run=run, on_future=on_future, lengths=lengths)
    return View(store, t, recorded, run, on_future, lengths)


class View(Wrapper):
    """A `DataStore` that shows what was known at a time, and refuses every write.

    With a run it takes decisions, orders and states. It has the capabilities of the store that
    read. `close()` closes the view and not the store.
    """

    def __init__(
        self,
        nested: DataStore,
        t: datetime | str,
        recorded: datetime | None = None,
        run: str | None = None,
        on_future: OnFuture | None = None,
        lengths: Mapping[str, timedelta] | None = None,
    ) -> None:
        self._nested: Any = nested
        self._recorded: int | None = None
        if isinstance(t, str) or recorded is not None:
            self._at, self._recorded = _recorded(nested, t, recorded)
        else:
            self._at = latest_instant(t, "t")
        self._run = None if run is None else checked_run(run)
        self._raises = False if on_future is None else _is_to_raise(on_future)
        self._lengths = _NO_LENGTHS if lengths is None else checked_lengths(lengths)
        self._reads: Reads | None = None

    def at(
        self,
        t: datetime | str,
        *,
        recorded: datetime | None = None,
        run: str | None = None,
        on_future: OnFuture | None = None,
        lengths: Mapping[str, timedelta] | None = None,
    ) -> View:
        """Return the view of an earlier time. A later one is cut at the time of this view."""
        self._check_open()
        own = self._run if run is None else run
        view = View(self._nested, t, recorded, own, on_future, lengths)
        view._raises = self._raises if on_future is None else view._raises
        self._check_bound("at", "t", t, view._at)
        view._at = min(view._at, self._at)
        given = [each for each in (view._recorded, self._recorded) if each is not None]
        view._recorded = min(given) if given else None
        view._lengths = self._lengths | view._lengths
        return view

    def receipt(self) -> list[Read]:
        """Return the receipts of all reads since the last call: questions and checksums."""
        if self._reads is None:
            return []
        return self._reads.receipt(self._at, self._recorded, self._lengths)

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities of the store that read; in a run also `BulkAudit`."""
        names = _VIEWED if self._run is None else _VIEWED | {"BulkAudit"}
        return frozenset(name for name in names if isinstance(self._nested, CAPABILITIES[name]))

    def close(self) -> None:
        """Close the view. The store stays open."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(f"{shown(self)} is closed; take another view with store.at(t)")

    def read_bars(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        last: int | None = None,
    ) -> list[PriceBar]:
        """Return the bars from `start` to `end` that had ended, sorted by date.

        With `last`, return only that many, the newest of those. See `Store.read_bars`.
        """
        self._check_open()
        symbol, timeframe = check_name(symbol, "symbol"), check_name(timeframe, "timeframe")
        span = time_range(start, end, last)
        until = self._ended("read_bars", start, end, span, timeframe)
        bars: list[PriceBar]
        if not self._is_as_now(span, until):
            bars = self._known().bars(symbol, span, timeframe)
        elif span.first <= until and _answers_as_store(self._nested, "read_bars"):
            bars = self._nested.span_bars(symbol, span.until(until), timeframe)
        elif span.first > until:
            bars = method_of(self._nested, "read_bars")(
                symbol, *_any_time(span), timeframe=timeframe
            )[:0]
        else:
            bars = method_of(self._nested, "read_bars")(
                symbol, start, to_datetime(until, span.aware), timeframe=timeframe, last=last
            )
        asked = {"timeframe": timeframe, "last": last}
        return self._noted("read_bars", (symbol, start, end), asked, bars)

    @offered()
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
        """Return the bars of many symbols that had ended as one table, by symbol, then date.

        See `Store.read_bar_table`. It has the further columns that the series has today.
        """
        self._check_open()
        timeframe, span = check_name(timeframe, "timeframe"), time_range(start, end, last)
        symbols, columns = _listed(symbols), _listed(columns)
        until = self._ended("read_bar_table", start, end, span, timeframe)
        asked = {"timeframe": timeframe, "columns": columns, "last": last}
        if not self._is_as_now(span, until):
            table = self._known().present_table(symbols, columns, span, timeframe)
        elif span.first <= until and _answers_as_store(self._nested, "read_bar_table"):
            table = self._nested.span_table(symbols, span.until(until), timeframe, columns)
        else:
            table = None
        if table is not None:
            return self._noted("read_bar_table", (symbols, start, end), asked, table)
        more = self._more(symbols, columns, span, timeframe)
        if more or self._recorded is not None:
            bars = {each: self._known().bars(each, span, timeframe) for each in more}
            table = self._known().table(bars, columns, span, timeframe)
        elif span.first > until:
            none = _any_time(span)
            read = method_of(self._nested, "read_bar_table")
            table = read(symbols, *none, timeframe=timeframe, columns=columns).slice(0, 0)
        else:
            bounds = start, to_datetime(until, span.aware)
            table = method_of(self._nested, "read_bar_table")(symbols, *bounds, **asked)
        return self._noted("read_bar_table", (symbols, start, end), asked, table)

    @offered()
    def iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Iterator[pa.Table]:
        """Yield tables of the bars that had ended, of consecutive ranges of time.

        See `Store.iter_bar_tables`.
        """
        self._check_open()
        timeframe, span = check_name(timeframe, "timeframe"), time_range(start, end)
        symbols, columns = _listed(symbols), _listed(columns)
        until = self._ended("iter_bar_tables", start, end, span, timeframe)
        is_empty = span.first > until or self._recorded is not None
        bounds = _any_time(span) if is_empty else (start, to_datetime(until, span.aware))
        asked = {"timeframe": timeframe, "columns": columns, "max_bytes": max_bytes}
        pieces = method_of(self._nested, "iter_bar_tables")(symbols, *bounds, **asked)
        more = self._more(symbols, columns, span, timeframe)
        rest = self._known().pieces(more, columns, span, timeframe, max_bytes)
        tables = chain(() if is_empty else pieces, rest)
        noted = self._reads_of().stream("iter_bar_tables", (symbols, start, end), asked, tables)
        return self._while_open(noted)

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of` and the time of the view, or None."""
        self._check_open()
        limit = self._at
        if as_of is not None:
            limit = min(limit, self._limit("read_fundamental", "as_of", as_of))
        found = self._known().fundamental(symbol, limit)
        return self._noted("read_fundamental", (symbol, as_of), {}, found)

    def read_events(
        self,
        start: Bound = None,
        end: Bound = None,
        types: Iterable[str] | None = None,
        *,
        symbols: Iterable[str | None] | None = None,
        ingested_by: datetime | str | None = None,
    ) -> list[Event]:
        """Return the events that had been ingested, by timestamp, then by order of writing.

        An event may be known before it happens: `end` may be after the time of the view.
        """
        self._check_open()
        limit = self._at
        if ingested_by is not None:
            limit = min(limit, self._limit("read_events", "ingested_by", ingested_by))
        kinds, named = event_types(types), event_symbols(symbols)
        events = self._known().events(start, end, kinds, named, limit)
        asked = {"types": kinds, "symbols": named, "ingested_by": ingested_by}
        return self._noted("read_events", (start, end), asked, events)

    def __repr__(self) -> str:
        moment = to_datetime(self._at, aware=True).isoformat(" ")
        if self._recorded is None:
            return f"{self._nested!r}.at({moment})"
        then = to_datetime(self._recorded, aware=True).isoformat(" ")
        return f"{self._nested!r}.at({moment}, recorded={then})"

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer a call as of the time of the view, and note it for the receipt."""
        answer = _ANSWERS[method](self, *args, **kwargs)
        return answer if method == "verify_audit" else self._noted(method, args, kwargs, answer)

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Write a decision, an order or a state of a run. Raises `StorageError` for other calls."""
        write = None if self._run is None else _WRITES.get(method)
        if write is None:
            raise StorageError(
                f"{method}: {self!r} is a view, which cannot be written; write to the store. "
                "Decisions, orders and states of a backtest can be written in a view with a run, "
                'as in at(t, run="backtest-7")',
                errno=errno.EROFS,
            )
        return write(self, *args, **kwargs)

    def _offers(self, method: str, needs: tuple[str, ...]) -> bool:
        capability = METHODS[method].capability
        if capability not in _VIEWED and (capability != "BulkAudit" or self._run is None):
            return False
        return has_method(self._nested, method) or capability in self.capabilities

    def _known(self) -> Known:
        return Known(self._nested, self._at, self._recorded, self._lengths)

    def _is_as_now(self, span: TimeRange, until: int) -> bool:
        """Return whether the store's own answer is right for bars that had ended by `until`."""
        return self._recorded is None and (until == span.last or self._is_present())

    def _is_present(self) -> bool:
        """Return whether the answers of the store are right; see `Known.is_present`."""
        return self._recorded is None and (
            self._at < recording_began(self._nested) or not has_method(self._nested, "bar_versions")
        )

    def _reads_of(self) -> Reads:
        if self._reads is None:
            self._reads = Reads()
        return self._reads

    def _noted(
        self, call: str, args: tuple[Any, ...], kwargs: dict[str, Any], answer: _Answer
    ) -> _Answer:
        """Return an answer, and keep it for the receipt."""
        self._reads_of().add(call, args, kwargs, answer)
        return answer

    def _more(
        self, symbols: Any, columns: Any, span: TimeRange, timeframe: str
    ) -> dict[str, list[PriceBar]]:
        """Return, by symbol, the bars that the store's own answer lacks; empty if there are none.

        They are those of a recording, or those that were still forming.
        """
        if self._is_present():
            return {}
        from storecore.bars.query import bar_query

        known, named = self._known(), bar_query(symbols, columns).symbols
        read = known.forming if self._recorded is None else known.bars
        found = {each: read(each, span, timeframe) for each in named}
        return found if any(found.values()) else {}

    def _ended(self, method: str, start: Bound, end: Bound, span: TimeRange, timeframe: str) -> int:
        """Return the last date of the bars that a question may see.

        Raises `LookAhead` if the view does so, for a question that reaches beyond its time.
        """
        if self._raises:
            self._check_bound(method, "start", start, span.first)
            self._check_bound(method, "end", end, span.last)
        return min(span.last, last_ended(timeframe, self._at, self._lengths))

    def _cut(self, method: str, start: Bound, end: Bound) -> tuple[TimeRange, int]:
        """Return the range of a question, and the last instant of it that is not after the view."""
        span = time_range(start, end)
        self._check_bound(method, "start", start, span.first)
        self._check_bound(method, "end", end, span.last)
        return span, min(span.last, self._at)

    def _limit(self, method: str, what: str, moment: datetime | str) -> int:
        limit = latest_instant(moment, what)
        self._check_bound(method, what, moment, limit)
        return limit

    def _check_bound(self, method: str, what: str, bound: date | str | None, instant: int) -> None:
        if self._raises and bound is not None and instant > self._at:
            is_day = what == "end" and to_datetime(instant, aware=True).time() == time.max
            raise LookAhead(
                f"{method}: {what}={shown(bound)}{', the end of that day,' if is_day else ''} is "
                f"after {to_datetime(self._at, aware=True).isoformat(' ')}, the time of the view; "
                'ask for what was known by then, or open the view with on_future="cut"'
            )


def _records(method: str) -> Callable[..., Any]:
    def read(
        view: Any,
        start: Bound = None,
        end: Bound = None,
        strategy_name: str | None = None,
        *,
        by: By = "timestamp",
        run: str | None = None,
    ) -> list[Any]:
        """Read records that had been logged; in a view of a run, its own by their `as_of`."""
        is_own = view._run is not None and run in (None, view._run)
        asked = {"by": "as_of" if is_own else by, "run": view._run if is_own else run}
        span, until = view._cut(method, start, end)
        limit = view._known().limit
        until = until if is_own else min(until, limit)
        read = method_of(view._nested, method)
        if span.first > until:
            read(*_any_time(span), strategy_name, **asked)  # raises what a store would
            return []
        found: list[Any] = read(start, to_datetime(until, span.aware), strategy_name, **asked)
        if is_own or by == "timestamp":
            return found
        return [each for each in found if exact_instant(each.timestamp, "timestamp") <= limit]

    return read


def _fundamentals(
    view: Any, symbol: str, start: Bound = None, end: Bound = None
) -> list[FundamentalData]:
    span, until = view._cut("fundamentals", start, end)
    if span.first > until:
        view._nested.read_fundamental(symbol)  # raises what a store would
        return []
    known: Known = view._known()
    return known.fundamentals(symbol, start, until, span.aware)


def _state_history(view: Any, strategy_name: str) -> list[StateVersion]:
    name = check_name(strategy_name, "strategy_name")
    if view._run is None:
        known: Known = view._known()
        return known.states(name)
    return runs.history(view._nested, view._run, view._at, name)


def _versioned_state(view: Any, strategy_name: str) -> StateVersion:
    known = _state_history(view, strategy_name)
    return known[0] if known else StateVersion(0, None)


def _load_state(view: Any, strategy_name: str) -> dict[str, Any] | None:
    return _versioned_state(view, strategy_name).state


def _strategies(view: Any, prefix: str = "") -> list[str]:
    begins = "" if view._run is None else runs.states_of(view._run)
    found = method_of(view._nested, "strategies")(prefix=begins + checked_prefix(prefix))
    names = [name.removeprefix(begins) for name in found]
    return [name for name in names if _state_history(view, name)]


def _whole_audit(view: Any) -> Any:
    """Verify the whole log: whether it is intact says nothing about the market."""
    return view._nested.verify_audit()


def _of_catalog(name: str) -> Callable[..., Any]:
    answer: Callable[..., Any] = getattr(catalog, name)

    def read(view: Any, *args: Any, **kwargs: Any) -> Any:
        return answer(view._known(), *args, **kwargs)

    return read


_ANSWERS: dict[str, Callable[..., Any]] = {
    **{
        name: _of_catalog(name)
        for name in ("symbols", "timeframes", "bar_coverage", "inventory", "nearest")
    },
    "fundamentals": _fundamentals,
    "fundamental_symbols": _of_catalog("fundamental_symbols"),
    "event_symbols": _of_catalog("event_symbols"),
    "load_strategy_state": _load_state,
    "load_versioned_state": _versioned_state,
    "state_history": _state_history,
    "strategies": _strategies,
    "read_decisions": _records("read_decisions"),
    "read_orders": _records("read_orders"),
    "verify_audit": _whole_audit,
}
"""The reads that a view answers otherwise than by a method of its own."""


def _save_state(
    view: Any, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
) -> None:
    runs.save(view._nested, view._run, view._at, strategy_name, state, expect)


def _delete_state(view: Any, strategy_name: str, *, expect: int | None = None) -> bool:
    name = runs.states_of(view._run) + check_name(strategy_name, "strategy_name")
    deleted: bool = method_of(view._nested, "delete_strategy_state")(name, expect=expect)
    return deleted


def _log(method: str) -> Callable[..., Any]:
    def log(
        view: Any,
        *args: Any,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Any = None,
        **kwargs: Any,
    ) -> None:
        if as_of is not None and latest_instant(as_of, "as_of") != view._at:
            raise InvalidData(
                f"{method}: as_of={shown(as_of)} is not the time of {view!r}; leave it out"
            )
        if run not in (None, view._run):
            raise InvalidData(
                f"{method}: run={shown(run)} is not {shown(view._run)}, the run of the view; "
                "leave it out"
            )
        at = to_datetime(view._at, aware=True)
        method_of(view._nested, method)(*args, **kwargs, as_of=at, run=view._run, reads=reads)

    return log


_WRITES: dict[str, Callable[..., Any]] = {
    "save_strategy_state": _save_state,
    "delete_strategy_state": _delete_state,
    **{name: _log(name) for name in ("log_decision", "log_order", "log_decisions", "log_orders")},
}
"""What can be written in a view of a run."""


def _any_time(span: TimeRange) -> tuple[datetime, datetime]:
    """Return bounds of the kind of a range, for a question whose answer is not used."""
    moment = to_datetime(span.last, span.aware)
    return moment, moment


def _is_to_raise(on_future: object) -> bool:
    if on_future not in ("cut", "raise"):
        raise InvalidData(f'on_future={shown(on_future)}: expected "cut" or "raise"')
    return on_future == "raise"


def _recorded(store: Any, t: datetime | str, recorded: Any) -> tuple[int, int]:
    """Return the instants of a view of what was recorded by a time, or of a named snapshot."""
    if not has_method(store, "bar_versions"):
        raise lacks(store, "History", "recorded=… or a named snapshot")
    if isinstance(recorded, str):
        raise InvalidData(
            f"recorded={shown(recorded)}: expected a datetime; what a snapshot shows up to t is "
            f"at({shown(recorded)}).at(t)"
        )
    if not isinstance(t, str):
        return latest_instant(t, "t"), latest_instant(recorded, "recorded")
    if recorded is not None:
        raise InvalidData(
            f"recorded={shown(recorded)}: the snapshot t={shown(t)} fixes `recorded`; leave it "
            "out, or give a time: at(t, recorded=…)"
        )
    known = {each.name: each for each in store.snapshots()}
    if t not in known:
        raise InvalidData(
            f"t={shown(t)}: a text names a snapshot, and the store has no snapshot of that name"
            f"{did_you_mean(t, known)}; give a time as a datetime"
        )
    moment = exact_instant(known[t].recorded_at, "recorded_at")
    return moment, moment


def _answers_as_store(store: Any, method: str) -> bool:
    """Return whether a method of a store is that of `Store`, so that it may be asked by a range."""
    return (
        isinstance(store, Store)
        and getattr(type(store), method) is getattr(Store, method)
        and method not in vars(store)
    )


def _listed(given: Any) -> Any:
    """Return what may be read several times: a list of what an iterator yields."""
    return list(given) if isinstance(given, Iterator) else given
