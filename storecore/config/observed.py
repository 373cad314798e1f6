"""`Observed`: the store that a user holds while observers are installed.

Without observers a user holds the backend's own store and pays nothing. With observers, the store
is wrapped in `Observed`, which has the same capabilities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, Self

from storecore.audit.transfer import loggers_of
from storecore.plugins.observers import Observers, load_observers
from storecore.plugins.spec import ResolvedSpec
from storecore.protocols import METHODS, DataStore, Method
from storecore.states import RUN_STATES
from storecore.store.tables import bars_by_symbol, kept_table, with_plain_table
from storecore.store.wrapper import Wrapper, signature_of


def observed(
    store: DataStore, spec: ResolvedSpec, capabilities: frozenset[str], observers: Observers
) -> DataStore:
    """Return the store, wrapped if there are observers, and notify them that it was opened."""
    if not observers.managers:
        return store
    wrapper = Observed(store, capabilities, observers)
    try:
        observers.notify("storecore_opened", store=wrapper, spec=spec)
    except BaseException:  # raised by the user's program, which never receives the store
        store.close()
        raise
    return wrapper


class Observed(Wrapper):
    """A store that passes its calls on to another and notifies observers of writes that succeed."""

    def __init__(self, store: DataStore, capabilities: Iterable[str], observers: Observers) -> None:
        super().__init__(store, capabilities)
        self._observers = observers
        self._close_notified = False

    def close(self) -> None:
        """Close the store and notify the observers, once."""
        self._nested.close()
        if not self._close_notified:
            self._close_notified = True
            self._observers.notify("storecore_closed", store=self)

    def __enter__(self) -> Self:
        self._nested.__enter__()
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nested, name)  # a backend's own methods

    def __repr__(self) -> str:
        return repr(self._nested)

    def __reduce__(self) -> tuple[Any, ...]:
        # The observers are those of the process that creates the copy.
        return _observed_again, (self._nested, self._capabilities, self._close_notified)

    def _check_open(self) -> None:
        """Leave the check to the store, whose error has its own name."""

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind: Any = type(self._nested)
        if METHODS[method].batch == "table":  # its bars are counted, so its shape must be known
            args, kwargs = with_plain_table(args, kwargs)
        bound = signature_of(kind, method).bind(self, *args, **kwargs)
        declared, given = METHODS[method], bound.arguments
        given.update({name: _countable(value) for name, value in given.items() if name in _LISTS})
        result = super()._write(method, bound.args[1:], bound.kwargs)
        for kind, key, count in _reported(declared, given, result):
            if count:
                self._observers.notify(
                    "storecore_written", store=self, kind=kind, key=key, count=count
                )
        return result


def _observed_again(store: DataStore, capabilities: frozenset[str], close_notified: bool) -> Any:
    observers = load_observers()
    if not observers.managers:
        return store
    wrapper = Observed(store, capabilities, observers)
    wrapper._close_notified = close_notified
    return wrapper


_LISTS = {"types", *(each.batch for each in METHODS.values())}
"""Parameters that are counted, and must not be used up by that."""


def _countable(batch: Any) -> Any:
    """Return a batch that can be counted and then written: a generator as a list."""
    kept = kept_table(batch)
    return list(kept) if isinstance(kept, Iterable) and not isinstance(kept, Sized) else kept


def _reported(
    method: Method, given: Mapping[str, Any], result: Any
) -> Iterator[tuple[str, str, int]]:
    """Yield kind, key and number of what was written. Observers see which is of a backtest."""
    if method.batch == "lines":
        counts: Mapping[tuple[str, bool], int] = loggers_of(given[method.batch])
    else:
        counts = {
            (key, _is_of_run(method, given, key)): count
            for key, count in _counts(method, given, result).items()
        }
    kind = method.notify.format_map(given)
    for (key, is_of_run), count in counts.items():
        yield f"run_{kind}" if is_of_run else kind, key, count


def _counts(method: Method, given: Mapping[str, Any], result: Any) -> Mapping[str, int]:
    """Return the number of written records by key."""
    if not method.notify:
        return {}
    if method.key:
        name, _, attribute = method.key.partition(".")
        key: Any = getattr(given[name], attribute) if attribute else given.get(name)
        if method.notify == "renames":
            return {key: 1, given["new"]: 1}
        if method.notify.endswith("deletions"):
            return {key if isinstance(key, str) else _only(key): int(result or 0)}
        return {key: len(given[method.batch]) if method.batch else 1}
    batch = given[method.batch]
    if method.batch == "table":
        return bars_by_symbol(batch)
    return Counter(getattr(each, method.each) for each in batch)


def _is_of_run(method: Method, given: Mapping[str, Any], key: str) -> bool:
    """Return whether a record or a state is of a run."""
    if method.kind == "states":
        return key.startswith(RUN_STATES)
    return given.get("run") is not None


def _only(types: Iterable[str] | None) -> str:
    """Return the type of the events that were deleted; "" if it is not one."""
    chosen = set(types or ())
    return chosen.pop() if len(chosen) == 1 else ""
