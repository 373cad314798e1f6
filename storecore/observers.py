"""Observers: plugins that are told of stores opened, written and closed, and can harm none.

With no observer installed a user holds the backend's own store and pays nothing. With one, the
store is wrapped in a class made for its capabilities, so that `isinstance` answers as before.
"""

from __future__ import annotations

import inspect
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sized
from functools import wraps
from typing import Any, NamedTuple, cast

import pluggy

from storecore.capabilities import CAPABILITIES
from storecore.chain_moves import strategies_of
from storecore.discovery import find
from storecore.hooks import OBSERVERS, ResolvedSpec
from storecore.logs import log as _log
from storecore.plugins import PluginError, load_plugin
from storecore.protocol import DataStore
from storecore.tables import bars_by_symbol, kept_table
from storecore.wrapping import method_of

_lock = threading.RLock()
_loaded: Observers | None = None


class Observers(NamedTuple):
    """The installed observers, each in a pluggy manager of its own."""

    managers: tuple[pluggy.PluginManager, ...]

    def watch(self, store: DataStore, spec: ResolvedSpec) -> DataStore:
        """Return the store, wrapped if anyone is watching, and tell of its opening."""
        if not self.managers:
            return store
        watched = _watched_class(type(store), spec)(store, self)
        self.tell("storecore_opened", store=watched, spec=spec)
        return cast(DataStore, watched)

    def tell(self, hook: str, **what: Any) -> None:
        """Call a hook of every observer; one that raises is logged, and the next is called."""
        for manager in self.managers:
            try:
                getattr(manager.hook, hook)(**what)
            except Exception:
                names = ", ".join(name for name, _ in manager.list_name_plugin())
                _log.exception("observer %s failed in %s; the store goes on", names, hook)


def load_observers() -> Observers:
    """Return the installed observers, loaded when first asked for."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = Observers(())  # for an observer that opens a store while it is imported
            _loaded = Observers(tuple(_load()))
        return _loaded


def _load() -> Iterable[pluggy.PluginManager]:
    for plugin in find(OBSERVERS):
        try:
            yield load_plugin(plugin)
        except PluginError as error:
            _log.error("%s is left out: %s", plugin.described, error, exc_info=error.__cause__)


class _Watched:
    """A store that forwards to another and tells observers of what succeeded."""

    def __init__(self, store: DataStore, observers: Observers) -> None:
        self._store = store
        self._observers = observers
        self._told_closed = False

    def close(self) -> None:
        self._store.close()
        if not self._told_closed:
            self._told_closed = True
            self._observers.tell("storecore_closed", store=self)

    def __enter__(self) -> _Watched:
        self._store.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _tell_written(self, kind: str, key: str, count: int) -> None:
        self._observers.tell("storecore_written", store=self, kind=kind, key=key, count=count)

    def __getattr__(self, name: str) -> Any:
        if name == "_store":  # of a copy that is still being made
            raise AttributeError(name)
        return getattr(self._store, name)  # what a backend offers beyond the protocols

    def __repr__(self) -> str:
        return repr(self._store)


def _watched_class(inner: type, spec: ResolvedSpec) -> type[_Watched]:
    """Return a class with the ten methods and those of the declared capabilities."""
    # A capability may say more of a method than the protocol that every store has.
    protocols = (*(CAPABILITIES[name] for name in spec.capabilities), DataStore)
    names = {
        name
        for protocol in protocols
        for name in vars(protocol)
        if not name.startswith("_") and not hasattr(_Watched, name)
    }
    methods = {name: _forward(name, _method(inner, name, protocols)) for name in names}
    return type(f"Watched{inner.__name__}", (_Watched,), methods)


def _method(inner: type, name: str, protocols: tuple[type, ...]) -> Callable[..., Any]:
    """Return the method of a class, or the protocol's where the class does not say as much.

    A store may pass its calls on by `__getattr__` or `*args`, which name no parameters.
    """
    declared = next(getattr(protocol, name) for protocol in protocols if hasattr(protocol, name))
    own = getattr(inner, name, declared)
    says_as_much = _parameters(own) >= _parameters(declared)
    return cast(Callable[..., Any], own if says_as_much else declared)


def _parameters(method: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(method).parameters)


def _forward(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method with the same signature that calls the wrapped store's."""
    summarize = _WRITES.get(name)
    signature = inspect.signature(method)

    if summarize is None:
        return wraps(method)(
            lambda self, *args, **kwargs: method_of(self._store, name)(*args, **kwargs)
        )

    @wraps(method)
    def write(self: _Watched, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(self, *args, **kwargs)
        given = bound.arguments
        for batch in _BATCHES & given.keys():
            if isinstance(given[batch], Iterable) and not isinstance(given[batch], Sized):
                # A generator could be counted only by using it up.
                given[batch] = list(given[batch])
        if "table" in given:
            given["table"] = kept_table(given["table"])
        answer = getattr(self._store, name)(*bound.args[1:], **bound.kwargs)
        kind, counts = summarize(given)
        for key, count in counts.items():
            if count:
                self._tell_written(kind, key, count)
        return answer

    return write


_BATCHES = {"bars", "events", "fundamentals", "decisions", "orders", "lines", "versions"}
_WRITES: dict[str, Callable[[dict[str, Any]], tuple[str, Mapping[str, int]]]] = {
    "write_bars": lambda given: ("bars", {given["symbol"]: len(given["bars"])}),
    "write_bar_table": lambda given: ("bars", bars_by_symbol(given["table"])),
    "write_fundamental": lambda given: ("fundamentals", {given["symbol"]: 1}),
    "write_fundamentals": lambda given: (
        "fundamentals",
        Counter(data.symbol for data in given["fundamentals"]),
    ),
    "write_event": lambda given: ("events", {given["event"].type: 1}),
    "write_events": lambda given: ("events", Counter(event.type for event in given["events"])),
    "delete_bars": lambda given: ("deletions", {given["symbol"]: 1}),
    "save_strategy_state": lambda given: ("state", {given["strategy_name"]: 1}),
    "log_decision": lambda given: ("decisions", {given["strategy_name"]: 1}),
    "log_decisions": lambda given: (
        "decisions",
        {given["strategy_name"]: len(given["decisions"])},
    ),
    "restore_state": lambda given: ("state", {given["strategy_name"]: len(given["versions"])}),
    "append_audit": lambda given: (given["log"], strategies_of(given["lines"])),
    "log_order": lambda given: ("orders", {given["strategy_name"]: 1}),
    "log_orders": lambda given: ("orders", {given["strategy_name"]: len(given["orders"])}),
}
