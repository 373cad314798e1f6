"""Observers: plugins that are called when stores are opened, written and closed.

Without observers a user holds the backend's own store and pays nothing. With one, the store is
wrapped in a class made for its capabilities, so that `isinstance` answers as before.

A hook runs in the thread that made the call, and the caller waits for it. Observers are not called
for what a hook does in that thread: one that writes would be called for its own writes.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sized
from functools import cache, wraps
from typing import Any, NamedTuple, cast

import pluggy

from storecore.capabilities import CAPABILITIES
from storecore.chain_moves import strategies_of
from storecore.discovery import find
from storecore.errors import BackendLoadError, ConfigError, shown
from storecore.hooks import OBSERVERS, ResolvedSpec
from storecore.isolation import is_from_program
from storecore.logs import log as _log
from storecore.plugins import Plugin, PluginError, load_plugin
from storecore.protocol import DataStore
from storecore.tables import bars_by_symbol, kept_table
from storecore.wrapping import method_of

SWITCH = "STORECORE_OBSERVERS"
"""The environment variable that turns observers off in a process."""
_ON, _OFF = ("", "on", "1", "true", "yes"), ("off", "0", "false", "no")
_lock = threading.RLock()
_loaded: Observers | None = None


class Observers(NamedTuple):
    """The installed observers, each in a pluggy manager of its own."""

    managers: tuple[pluggy.PluginManager, ...]

    def watch(self, store: DataStore, spec: ResolvedSpec) -> DataStore:
        """Return the store, wrapped if anyone is watching, and tell of its opening."""
        if not self.managers:
            return store
        watched = _watched_class(type(store), spec.capabilities)(store, self)
        try:
            self.tell("storecore_opened", store=watched, spec=spec)
        except BaseException:  # the user's, who never gets to hold the store
            store.close()
            raise
        return cast(DataStore, watched)

    def tell(self, hook: str, **what: Any) -> None:
        """Call a hook of every observer; log one that raises, and go on.

        Within a hook it does nothing.
        """
        if _in_hook.now:
            return
        _in_hook.now = True
        try:
            for manager in self.managers:
                _call(manager, hook, what)
        finally:
            _in_hook.now = False


class _InHook(threading.local):
    """Whether this thread is in a hook."""

    now = False


_in_hook = _InHook()


def _call(manager: pluggy.PluginManager, hook: str, what: dict[str, Any]) -> None:
    try:
        getattr(manager.hook, hook)(**what)
    except BaseException as error:
        if is_from_program(error):
            raise
        names = ", ".join(name for name, _ in manager.list_name_plugin())
        _log.exception("observer %s failed in %s; the store goes on", names, hook)


def load_observers() -> Observers:
    """Return the installed observers, loaded when first asked for; none if they are off.

    Raises `ConfigError` if the environment says neither that they are on nor off.
    """
    global _loaded
    if not are_on():
        return Observers(())
    with _lock:
        if _loaded is None:
            _loaded = Observers(())  # for an observer that opens a store while it is imported
            try:
                _loaded = Observers(tuple(_load()))
            except BaseException:  # the user's, in the midst of an import: they are loaded again
                _loaded = None
                raise
        return _loaded


def hooks_of(name: str) -> list[str]:
    """Load the observers of a name and return their hooks.

    Raises `BackendLoadError` if one cannot be loaded.
    """
    return [hook for each in find(OBSERVERS) if each.name == name for hook in _hooks(each)]


def _hooks(plugin: Plugin) -> list[str]:
    try:
        manager = load_plugin(plugin)
    except PluginError as error:
        raise BackendLoadError(f"{plugin.described}: {error}") from error.__cause__
    callers = manager.get_hookcallers(manager.get_plugin(plugin.name)) or []
    return [caller.name for caller in callers]


def are_on() -> bool:
    """Return whether observers are on. Raises `ConfigError` if the environment says neither."""
    said = os.environ.get(SWITCH, "")
    if said.lower() not in (*_ON, *_OFF):
        raise ConfigError(
            f"{SWITCH}={shown(said)}: expected one of {', '.join(filter(None, (*_ON, *_OFF)))}"
        )
    return said.lower() in _ON


def _load() -> Iterable[pluggy.PluginManager]:
    for plugin in find(OBSERVERS):
        try:
            yield load_plugin(plugin)
        except PluginError as error:
            _log.error("%s is left out: %s", plugin.described, error, exc_info=error.__cause__)


class _Watched:
    """A store that forwards to another and tells observers of what succeeded."""

    _capabilities: frozenset[str]

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
        return getattr(self._store, name)  # what a backend offers beyond the protocols

    def __repr__(self) -> str:
        return repr(self._store)

    def __reduce__(self) -> tuple[Any, ...]:
        # The observers are those of the process in which the copy is made.
        return _watched_again, (self._store, self._capabilities, self._told_closed)


def _watched_again(store: DataStore, capabilities: frozenset[str], told_closed: bool) -> Any:
    observers = load_observers()
    if not observers.managers:
        return store
    watched = _watched_class(type(store), capabilities)(store, observers)
    watched._told_closed = told_closed
    return watched


@cache
def _watched_class(inner: type, capabilities: frozenset[str]) -> type[_Watched]:
    """Return the class with the ten methods and those of the declared capabilities."""
    # A capability may say more of a method than the protocol that every store has.
    protocols = (*(CAPABILITIES[name] for name in sorted(capabilities)), DataStore)
    names = {
        name
        for protocol in protocols
        for name in vars(protocol)
        if not name.startswith("_") and not hasattr(_Watched, name)
    }
    methods: dict[str, Any] = {
        name: _forward(name, _method(inner, name, protocols)) for name in names
    }
    return type(f"Watched{inner.__name__}", (_Watched,), {**methods, "_capabilities": capabilities})


def _method(inner: type, name: str, protocols: tuple[type, ...]) -> Callable[..., Any]:
    """Return the method of a class, or the protocol's where the class does not say as much.

    A store may pass its calls on by `__getattr__` or `*args`, which name no parameters.
    """
    declared = next(getattr(protocol, name) for protocol in protocols if hasattr(protocol, name))
    own = getattr(inner, name, declared)
    says_as_much = _parameters(own) >= _parameters(declared)
    return cast(Callable[..., Any], own if says_as_much else declared)


def _parameters(method: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(method).parameters)
    except (TypeError, ValueError):  # one that is not written in Python may have none to show
        return set()


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
        kind, counts = summarize(given, answer)
        for key, count in counts.items():
            if count:
                self._tell_written(kind, key, count)
        return answer

    return write


_BATCHES = {"bars", "events", "fundamentals", "decisions", "orders", "lines", "versions"}
_Summary = tuple[str, Mapping[str, int]]
_WRITES: dict[str, Callable[[dict[str, Any], Any], _Summary]] = {
    "write_bars": lambda given, _: ("bars", {given["symbol"]: len(given["bars"])}),
    "write_bar_table": lambda given, _: ("bars", bars_by_symbol(given["table"])),
    "write_fundamental": lambda given, _: ("fundamentals", {given["symbol"]: 1}),
    "write_fundamentals": lambda given, _: (
        "fundamentals",
        Counter(data.symbol for data in given["fundamentals"]),
    ),
    "write_event": lambda given, _: ("events", {given["event"].type: 1}),
    "write_events": lambda given, _: ("events", Counter(event.type for event in given["events"])),
    "delete_bars": lambda given, removed: ("deletions", {given["symbol"]: removed}),
    "save_strategy_state": lambda given, _: ("state", {given["strategy_name"]: 1}),
    "log_decision": lambda given, _: ("decisions", {given["strategy_name"]: 1}),
    "log_decisions": lambda given, _: (
        "decisions",
        {given["strategy_name"]: len(given["decisions"])},
    ),
    "restore_state": lambda given, _: ("state", {given["strategy_name"]: len(given["versions"])}),
    "append_audit": lambda given, _: (given["log"], strategies_of(given["lines"])),
    "log_order": lambda given, _: ("orders", {given["strategy_name"]: 1}),
    "log_orders": lambda given, _: ("orders", {given["strategy_name"]: len(given["orders"])}),
}
