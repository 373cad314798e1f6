"""Questions for any store, also for one of an earlier `api`.

Methods have grown by optional keywords, bounds have become optional, and capabilities have got
methods. A function of this module calls the method of a store if the store has it as it is
declared today. Otherwise it answers by the methods that the store had at first, or raises a
`StorageError` that says what is missing.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from inspect import Parameter
from typing import Any, cast

from storecore.audit.context import check_question, chosen
from storecore.audit.counts import Counts, counts_of_all
from storecore.errors import StorageError
from storecore.events import (
    EventQuery,
    between,
    event_symbols,
    event_types,
    find_events,
    naive_event,
)
from storecore.models import DecisionRecord, Event, FundamentalData, OrderRecord, PriceBar
from storecore.protocols import METHODS, By, DataStore, Reads, Transfer, declaration
from storecore.reports import SeriesCoverage
from storecore.states import RUN_STATES, listed_strategies
from storecore.values.names import check_name, checked_prefix
from storecore.values.suggestions import nearest
from storecore.values.times import (
    EARLIEST,
    EVER,
    Bound,
    TimeRange,
    exact_instant,
    latest_instant,
    time_range,
    to_datetime,
)


def read_bars(
    store: DataStore,
    symbol: str,
    start: Bound = None,
    end: Bound = None,
    *,
    timeframe: str = "1d",
    last: int | None = None,
) -> list[PriceBar]:
    """Return the bars of any store from `start` to `end`, sorted by date.

    See `Store.read_bars`. A store whose own `read_bars` has no `last` reads the whole range.
    """
    if has_method(store, "read_bars"):
        return store.read_bars(symbol, start, end, timeframe=timeframe, last=last)
    span = time_range(start, end, last)
    if span.first > span.last:
        check_name(symbol, "symbol")
        check_name(timeframe, "timeframe")
        return []
    bars = store.read_bars(symbol, *bounds_of(span), timeframe=timeframe)
    return bars if span.newest is None else bars[-span.newest :]


def read_events(
    store: DataStore,
    start: Bound = None,
    end: Bound = None,
    types: Iterable[str] | None = None,
    *,
    symbols: str | Iterable[str | None] | None = None,
    ingested_by: datetime | str | None = None,
) -> list[Event]:
    """Return the events of any store by timestamp, then by order of writing.

    See `Store.read_events`. From a store whose own `read_events` has no `symbols` and no
    `ingested_by`, all events of the range and types are read and filtered.
    """
    if has_method(store, "read_events"):
        return store.read_events(start, end, types, symbols=symbols, ingested_by=ingested_by)
    span, kinds = time_range(start, end), event_types(types)
    limit = None if ingested_by is None else latest_instant(ingested_by, "ingested_by")
    query = EventQuery(span, kinds, event_symbols(symbols), limit)
    if span.first > span.last:
        return []
    bounds = bounds_of(span._replace(aware=True))
    found = store.read_events(*bounds, None if kinds is None else sorted(kinds))
    return find_events(found, query)


def iter_events(store: Any, start: Bound = None, end: Bound = None) -> Iterator[Event]:
    """Yield the events of a range of any store with `Transfer`. See `Store.iter_events`.

    From a store whose own `iter_events` takes no range, all events up to its end are gone through.
    """
    if start is None and end is None:
        return cast(Iterator[Event], store.iter_events())
    if has_method(store, "iter_events"):
        return cast(Iterator[Event], store.iter_events(start, end))
    span = time_range(start, end)
    found = between(store.iter_events(), span)
    return found if span.aware else map(naive_event, found)


def read_decisions(
    store: Any,
    start: Bound = None,
    end: Bound = None,
    strategy_name: str | None = None,
    *,
    by: By = "timestamp",
    run: str | None = None,
) -> list[DecisionRecord]:
    """Return the decisions of any store with `AuditTrail`. See `Store.read_decisions`."""
    return _records(store, "read_decisions", (start, end, strategy_name), by, run)


def read_orders(
    store: Any,
    start: Bound = None,
    end: Bound = None,
    strategy_name: str | None = None,
    *,
    by: By = "timestamp",
    run: str | None = None,
) -> list[OrderRecord]:
    """Return the orders of any store with `AuditTrail`. See `Store.read_orders`."""
    return _records(store, "read_orders", (start, end, strategy_name), by, run)


def logging_plainly(method: str) -> Callable[..., Any]:
    """Return a function that logs by the method of an older store, which takes no `as_of`."""

    def log(
        store: Any,
        *args: Any,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
        **kwargs: Any,
    ) -> Any:
        given = {"as_of": as_of, "run": run, "reads": reads}
        named = [f"{name}=" for name, value in given.items() if value is not None]
        if named:
            raise StorageError(
                f"{method}: {store!r} takes no {' and no '.join(named)}: it implements an earlier "
                "api; update the package of its backend, or log without"
            )
        return getattr(store, method)(*args, **kwargs)

    return log


def strategies(store: Any, prefix: str = "") -> list[str]:
    """Return the strategies of a store with `Catalog` whose own method has no `prefix`."""
    return listed_strategies(store.strategies(), checked_prefix(prefix))


def audit_counts(store: Any, log: str) -> Counts:
    """Return how many records a log of a store has, by strategy and run (`AuditTrail`)."""
    own: Callable[[str], Counts] | None = getattr(store, "audit_counts", None)
    if own is not None:
        return own(log)
    if isinstance(store, Transfer):
        return counts_of_all(each.line for each in store.iter_audit(log))
    ask: Callable[..., list[Any]] = read_decisions if log == "decisions" else read_orders
    records = ask(store, *bounds_of(EVER), run="*")
    return Counter((each.strategy, each.run) for each in records)


def recording_began(store: Any) -> int:
    """Return an instant before which a store with `History` recorded nothing.

    It is `EARLIEST` if that is not known.
    """
    own: Callable[[], int] | None = getattr(store, "recording_began", None)
    return EARLIEST if own is None else own()


def held_bars(
    store: Any, symbol: str, span: TimeRange, timeframe: str, recorded: int
) -> list[PriceBar]:
    """Return the bars that a store with `History` held at an instant of recording."""
    moment = to_datetime(recorded, aware=True)
    bounds = bounds_of(span)
    found = store.bar_versions(symbol, *bounds, timeframe=timeframe, recorded=moment)
    return [each.bar for each in found]


def all_strategies(store: Any) -> list[str]:
    """Return all names under which a store with `Catalog` keeps states, also those of runs."""
    return sorted({*store.strategies(), *_strategies_of_runs(store)})


def _strategies_of_runs(store: Any) -> list[str]:
    if has_method(store, "strategies"):
        return list(store.strategies(prefix=RUN_STATES))
    return []  # such a store lists them with the others


def inventory(store: Any) -> list[SeriesCoverage]:
    """Return every series of a store with `Catalog`, sorted by symbol, then timeframe."""
    if has_method(store, "inventory"):
        found: list[SeriesCoverage] = store.inventory()
        return found
    series = [(symbol, each) for symbol in store.symbols() for each in store.timeframes(symbol)]
    covered = ((*key, store.bar_coverage(key[0], timeframe=key[1])) for key in series)
    return [
        SeriesCoverage(symbol, timeframe, each.first, each.last, each.count)
        for symbol, timeframe, each in covered
        if each.count
    ]


def nearest_symbols(store: Any, symbol: str) -> list[str]:
    """Return the symbols of a store with `Catalog` that are spelled most like a symbol."""
    if has_method(store, "nearest"):
        near: list[str] = store.nearest(symbol)
        return near
    return nearest(check_name(symbol, "symbol"), store.symbols())


def fundamentals(
    store: DataStore, symbol: str, start: Bound = None, end: Bound = None
) -> list[FundamentalData]:
    """Return the fundamentals of a symbol from any store, by one `read_fundamental` for each."""
    span, found = time_range(start, end), list[FundamentalData]()
    limit = span.last
    while limit >= span.first:
        data = store.read_fundamental(symbol, to_datetime(limit, aware=True))
        if data is None:
            break
        at = exact_instant(data.timestamp, "timestamp")
        if not span.first <= at <= limit:
            break
        found.append(data)
        limit = at - 1
    return found[::-1]


def fundamental_symbols(store: Any) -> list[str]:
    """Return the symbols with fundamentals of a store with `Transfer`."""
    if not isinstance(store, Transfer):
        raise _lacks(store, "fundamental_symbols", "Transfer")
    return sorted({each.symbol for each in store.iter_fundamentals()})


def symbols_of_events(store: DataStore) -> list[str]:
    """Return the symbols with events of any store, after reading all events."""
    found = {each.symbol for each in store.read_events(*bounds_of(EVER))}
    return sorted(symbol for symbol in found if symbol is not None)


def missing(method: str) -> Callable[..., Any]:
    """Return a function in the place of a method that only the store itself can have."""

    def refuse(store: Any, *args: Any, **kwargs: Any) -> Any:
        raise _lacks(store, method)

    return refuse


def replacing_unsupported(store: Any) -> StorageError:
    """Return the error for `write_bar_table(…, replace=True)` of a store that cannot do it."""
    return StorageError(
        f"replace=True: {store!r} cannot replace a series in one step; write without replace, or "
        "delete the old bars first"
    )


def bounds_of(span: TimeRange) -> tuple[datetime, datetime]:
    """Return the bounds of a range as datetimes, which every store accepts."""
    return to_datetime(span.first, span.aware), to_datetime(span.last, span.aware)


def has_method(store: Any, method: str) -> bool:
    """Return whether a store has a method as it is declared today."""
    kind: Any = type(store)
    return is_current(kind, method) and hasattr(store, method)


@lru_cache(maxsize=1024)
def is_current(kind: Hashable, method: str) -> bool:
    """Return whether a class has a method with every parameter, and as optional, as declared.

    A method that forwards `*args` names no parameters, so what it accepts is not known.
    """
    declared = list(inspect.signature(declaration(method)).parameters.values())[1:]
    try:
        own = inspect.signature(getattr(kind, method)).parameters
    except (AttributeError, TypeError, ValueError):  # for example a method not written in Python
        return False
    return all(
        each.name in own
        and (each.default is Parameter.empty or own[each.name].default is not Parameter.empty)
        for each in declared
    )


def _records(
    store: Any, method: str, asked: tuple[Bound, Bound, str | None], by: By, run: str | None
) -> list[Any]:
    read, (start, end, strategy_name) = getattr(store, method), asked
    if has_method(store, method):
        return cast(list[Any], read(*asked, by=by, run=run))
    span = time_range(start, end)
    if strategy_name is not None:
        check_name(strategy_name, "strategy_name")
    check_question(by, run)
    if span.first > span.last:
        return []
    if by == "timestamp":
        return chosen(read(*bounds_of(span), strategy_name), None, run)
    every = bounds_of(EVER._replace(aware=span.aware))
    return chosen(read(*every, strategy_name), span, run)


def why_lacking(store: Any, name: str) -> str:
    """Return why a store lacks a capability or a method, as the end of a sentence, if it says so.

    It says so if its backend has it, but not each of its stores.
    """
    reasons: Mapping[str, str] = getattr(store, "_reasons", {})
    return f": {reasons[name]}" if name in reasons else ""


def _lacks(store: Any, method: str, capability: str = "") -> StorageError:
    why = why_lacking(store, method)
    if why:
        return StorageError(f"{store!r} has no {method}{why}")
    needed = f" and not the capability {capability}, which could answer it" if capability else ""
    return StorageError(
        f"{store!r} has no {method}{needed}: it implements an earlier "
        f"{METHODS[method].capability}; update the package of its backend"
    )
