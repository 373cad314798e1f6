"""`Observed`: the store that a user holds while observers are installed.

Without observers a user holds the backend's own store and pays nothing. With observers, the store
is wrapped in `Observed`, which has the same capabilities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, NamedTuple, Self

from storecore.audit.transfer import loggers_of
from storecore.errors import StoreError
from storecore.plugins.discovery import load_spec
from storecore.plugins.observers import Observers, is_in_hook, load_observers
from storecore.plugins.spec import ResolvedSpec
from storecore.protocols import METHODS, DataStore, Method
from storecore.states import RUN_STATES
from storecore.store.tables import bars_by_symbol, with_plain_table
from storecore.store.wrapper import Wrapper, signature_of
from storecore.values.logger import log as _log


def observed(
    store: DataStore, spec: ResolvedSpec, capabilities: frozenset[str], observers: Observers
) -> DataStore:
    """Return the store, wrapped if there are observers, and notify them that it was opened."""
    if not observers.all:
        return store
    declared = _Declared(spec.name, spec.capabilities, spec.promises)
    wrapper = Observed(store, declared, capabilities, observers)
    wrapper.notify_opened(spec)
    return wrapper


class _Declared(NamedTuple):
    """What of a spec is pickled with a store; the rest are functions."""

    name: str
    capabilities: frozenset[str]
    promises: frozenset[str]

    def spec(self) -> ResolvedSpec | None:
        """Return the spec, None if this process does not have the backend."""
        try:
            return load_spec(self.name).resolved_as(self.capabilities, self.promises)
        except StoreError as error:
            _log.error("storecore_opened is not called for an unpickled store: %s", error)
            return None


class Observed(Wrapper):
    """A store that passes its calls on to another and notifies observers of writes that succeed."""

    def __init__(
        self,
        store: DataStore,
        declared: _Declared,
        capabilities: Iterable[str],
        observers: Observers,
    ) -> None:
        super().__init__(store, capabilities)
        self._declared = declared
        self._observers = observers
        self._close_notified = False

    def notify_opened(self, spec: ResolvedSpec) -> None:
        """Notify the observers that the store was opened."""
        try:
            self._observers.notify("storecore_opened", store=self, spec=spec)
        except BaseException:  # raised by the user's program, which never receives the store
            self._nested.close()
            raise

    def close(self) -> None:
        """Close the store and notify the observers, once.

        Within a hook none is called: the store is reported when the program closes it too.
        """
        self._nested.close()
        if not (self._close_notified or is_in_hook()):
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
        given = self._nested, self._declared, self._capabilities, self._close_notified
        return _observed_again, given

    def _check_open(self) -> None:
        """Leave the check to the store, whose error has its own name."""

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind: Any = type(self._nested)
        if METHODS[method].batch == "table":  # its bars are counted, so its shape must be known
            args, kwargs = with_plain_table(args, kwargs)
        bound = signature_of(kind, method).bind(self, *args, **kwargs)
        declared, given = METHODS[method], bound.arguments
        seen: dict[str, Any] = {}
        for name in _LISTS & given.keys():
            given[name], seen[name] = _recorded(given[name])
        result = super()._write(method, bound.args[1:], bound.kwargs)
        given.update(seen)
        for kind, key, count in _reported(declared, given, result):
            if count:
                self._observers.notify(
                    "storecore_written", store=self, kind=kind, key=key, count=count
                )
        return result


def _observed_again(
    store: DataStore,
    declared: _Declared,
    capabilities: frozenset[str],
    close_notified: bool,
) -> DataStore:
    """Return an unpickled store as `observed` does: it was opened in this process."""
    observers = load_observers()
    if not observers.all:
        return store
    wrapper = Observed(store, declared, capabilities, observers)
    wrapper._close_notified = close_notified
    if not close_notified and (spec := declared.spec()) is not None:
        wrapper.notify_opened(spec)
    return wrapper


_LISTS = {"types", *(each.batch for each in METHODS.values())}
"""Parameters that are counted, and must not be used up by that."""


def _recorded(batch: Any) -> tuple[Any, Any]:
    """Return a batch to write, and one to count: the items that a generator yields meanwhile."""
    if isinstance(batch, Sized) or not isinstance(batch, Iterable):
        return batch, batch
    seen: list[Any] = []
    return _recording(batch, seen), seen


def _recording(batch: Iterable[Any], seen: list[Any]) -> Iterator[Any]:
    for each in batch:
        seen.append(each)
        yield each


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
