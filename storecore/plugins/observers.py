"""Observers: plugins that are called when stores are opened, written and closed.

Without observers a user holds the backend's own store and pays nothing. With one, the store is
wrapped in `Watched`, which has the same capabilities.

A hook runs in the thread that made the call, and the caller waits for it. Observers are not called
for what a hook does in that thread: one that writes would be called for its own writes.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from typing import Any, NamedTuple, Self

import pluggy

from storecore.audit.transfer import strategies_of
from storecore.errors import BackendLoadError, ConfigError, shown
from storecore.plugins.discovery import find
from storecore.plugins.isolation import is_from_program
from storecore.plugins.loader import Plugin, PluginError, load_plugin
from storecore.plugins.spec import OBSERVERS, ResolvedSpec
from storecore.protocols import METHODS, DataStore, Method
from storecore.store.tables import bars_by_symbol, kept_table
from storecore.store.wrapper import Wrapper, signature_of
from storecore.values.logger import log as _log

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
        watched = Watched(store, spec.capabilities, self)
        try:
            self.notify("storecore_opened", store=watched, spec=spec)
        except BaseException:  # the user's, who never gets to hold the store
            store.close()
            raise
        return watched

    def notify(self, hook: str, **what: Any) -> None:
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


class Watched(Wrapper):
    """A store that passes its calls on to another and tells observers of what succeeded."""

    def __init__(self, store: DataStore, capabilities: Iterable[str], observers: Observers) -> None:
        super().__init__(store, capabilities)
        self._observers = observers
        self._close_notified = False

    def close(self) -> None:
        """Close the store and tell the observers, once."""
        self._nested.close()
        if not self._close_notified:
            self._close_notified = True
            self._observers.notify("storecore_closed", store=self)

    def __enter__(self) -> Self:
        self._nested.__enter__()
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "_nested":  # not there yet while a copy is made
            raise AttributeError(name)
        return getattr(self._nested, name)  # what a backend offers beyond the protocols

    def __repr__(self) -> str:
        return repr(self._nested)

    def __reduce__(self) -> tuple[Any, ...]:
        # The observers are those of the process in which the copy is made.
        return _watched_again, (self._nested, self._capabilities, self._close_notified)

    def _check_open(self) -> None:
        """Leave it to the store, which knows its own name."""

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind: Any = type(self._nested)
        bound = signature_of(kind, method).bind(self, *args, **kwargs)
        declared, given = METHODS[method], bound.arguments
        if declared.batch:
            given[declared.batch] = _countable(given[declared.batch])
        result = super()._write(method, bound.args[1:], bound.kwargs)
        for key, count in _counts(declared, given, result).items():
            if count:
                kind = declared.notify.format_map(given)
                self._observers.notify(
                    "storecore_written", store=self, kind=kind, key=key, count=count
                )
        return result


def _watched_again(store: DataStore, capabilities: frozenset[str], close_notified: bool) -> Any:
    observers = load_observers()
    if not observers.managers:
        return store
    watched = Watched(store, capabilities, observers)
    watched._close_notified = close_notified
    return watched


def _countable(batch: Any) -> Any:
    """Return a batch that can be counted and then written; a generator only by using it up."""
    kept = kept_table(batch)
    return list(kept) if isinstance(kept, Iterable) and not isinstance(kept, Sized) else kept


def _counts(method: Method, given: Mapping[str, Any], result: Any) -> Mapping[str, int]:
    """Return how many records were written under each key."""
    if not method.notify:
        return {}
    if method.key:
        name, _, attribute = method.key.partition(".")
        key = getattr(given[name], attribute) if attribute else given[name]
        if method.notify == "deletions":
            return {key: result}
        return {key: len(given[method.batch]) if method.batch else 1}
    batch = given[method.batch]
    if method.batch == "table":
        return bars_by_symbol(batch)
    if method.batch == "lines":
        return strategies_of(batch)
    return Counter(getattr(each, method.each) for each in batch)
