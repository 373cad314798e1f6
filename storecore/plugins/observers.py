"""Observers: plugins that are called when stores are opened, written and closed.

A hook runs in the thread that made the call, and the caller waits for it. Observers are not called
for calls that a hook makes in that thread, or a hook that writes would be called for its own write.
`storecore.config.observed` is the store that calls them.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import pluggy

from storecore.errors import BackendLoadError, ConfigError, shown
from storecore.plugins.isolation import is_from_program
from storecore.plugins.loader import PluginError, hook_names, load_plugin
from storecore.plugins.metadata import Plugin
from storecore.plugins.registry import find, registered
from storecore.plugins.spec import FORMATS, OBSERVERS
from storecore.values.fork import reset_after_fork
from storecore.values.logger import log as _log

SWITCH = "STORECORE_OBSERVERS"
"""The environment variable that turns observers off in a process, all or those it names."""
_ON, _OFF = ("", "on", "1", "true", "yes"), ("off", "0", "false", "no")
_lock = threading.RLock()
_loaded: Observers | None = None
_loaded_with: tuple[object, ...] = ()
_loader: int | None = None  # the thread that loads them


class Observer(NamedTuple):
    """An observer in a pluggy manager of its own, and its description in the log."""

    described: str
    manager: pluggy.PluginManager


class Observers(NamedTuple):
    """The installed observers. Their hooks run within `around()`."""

    all: tuple[Observer, ...]
    around: Callable[[], AbstractContextManager[object]] = nullcontext

    def notify(self, hook: str, **what: Any) -> None:
        """Call a hook of every observer; log exceptions and go on.

        Within a hook this does nothing.
        """
        if _in_hook.now:
            return
        _in_hook.now = True
        try:
            with self.around():
                for observer in self.all:
                    _call(observer, hook, what)
        finally:
            _in_hook.now = False


class _Loading:
    """Resets the loading in a forked child, which lacks the thread that may be loading."""

    def after_fork(self) -> None:
        """Forget what that thread has begun. If the forking thread is loading, it continues."""
        global _lock, _loaded
        _lock = threading.RLock()
        _loaded = _loaded if _loader in (None, threading.get_ident()) else None


_loading = _Loading()
reset_after_fork(_loading)


class _InHook(threading.local):
    """Whether the current thread runs a hook."""

    now = False


_in_hook = _InHook()


def is_in_hook() -> bool:
    """Return whether the current thread runs a hook, so that no observer is called."""
    return _in_hook.now


_Failures = defaultdict[tuple[str, type[BaseException]], Iterator[int]]
_failures: WeakKeyDictionary[pluggy.PluginManager, _Failures] = WeakKeyDictionary()


def _report(observer: Observer, hook: str, error: BaseException) -> None:
    """Log the first error of a type in full, and then the count at 10, 100, 1000 and so on.

    A server that is down makes the hook fail at each write.
    """
    of_observer = _failures.setdefault(observer.manager, defaultdict(lambda: itertools.count(1)))
    count = next(of_observer[hook, type(error)])
    if count == 1:
        _log.exception("%s failed in %s; the store goes on", observer.described, hook)
    elif str(count).strip("0") == "1":
        kind = type(error).__name__
        _log.error("%s failed in %s %d times with %s", observer.described, hook, count, kind)


def _call(observer: Observer, hook: str, what: dict[str, Any]) -> None:
    try:
        getattr(observer.manager.hook, hook)(**what)
    except BaseException as error:
        if is_from_program(error):
            raise
        _report(observer, hook, error)


def load_observers() -> Observers:
    """Return the observers, loaded at the first call; none if they are off.

    They are loaded again after this process has registered one, or removed it.

    Raises `ConfigError` if `STORECORE_OBSERVERS` has an unknown value.
    """
    global _loaded, _loaded_with, _loader
    off = switched_off()
    if off is None:
        return Observers(())
    with _lock:
        chosen = registered(OBSERVERS), off
        if _loaded is None or _loaded_with != chosen:
            _loaded_with, _loader = chosen, threading.get_ident()
            _loaded = Observers(())  # an observer may open a store at its import
            try:
                _loaded = Observers(tuple(_load(off)))
            except BaseException:  # from the user, during an import: load them again next time
                _loaded = None
                raise
            finally:
                _loader = None
        return _loaded


def hooks_of(plugin: Plugin) -> list[str]:
    """Load an observer and return the names of its hooks.

    Raises `BackendLoadError` if it cannot be loaded or has no hook.
    """
    try:
        return _hooks(plugin, load_plugin(plugin))
    except PluginError as error:
        raise BackendLoadError(f"{plugin.described}: {error}") from error.__cause__


def _hooks(plugin: Plugin, manager: pluggy.PluginManager) -> list[str]:
    hooks = hook_names(plugin, manager)
    if not hooks:
        raise PluginError("expected a function that is marked with @storecore.hookimpl, found none")
    return hooks


def are_on() -> bool:
    """Return whether observers are on. Raises `ConfigError` for an unknown value."""
    return switched_off() is not None


def switched_off() -> frozenset[str] | None:
    """Return the names of the observers that are left out; None if all are off.

    Raises `ConfigError` for an unknown value.
    """
    value = os.environ.get(SWITCH, "")
    if value.lower() in _ON:
        return frozenset()
    if value.lower() in _OFF:
        return None
    names = [each.strip() for each in value.split(",")]
    if all(re.fullmatch("-.+", each) for each in names):
        return frozenset(each[1:] for each in names)
    words = ", ".join(filter(None, (*_ON, *_OFF)))
    raise ConfigError(
        f"{SWITCH}={shown(value)}: expected one of {words}, or the names of observers to leave "
        "out, as in -prometheus,-printer"
    )


def _load(off: frozenset[str]) -> Iterable[Observer]:
    """Yield the plugins with a hook for stores; those with formats of files observe nothing.

    An object that two entry points name, or that is registered and installed, is called once.
    """
    seen: list[object] = []
    for plugin in find(OBSERVERS):
        if plugin.name in off:
            continue
        try:
            manager = load_plugin(plugin)
            target = manager.get_plugin(plugin.name)
            is_new = not any(target is each for each in seen)
            seen.append(target)
            if _hooks(plugin, manager) != [FORMATS] and is_new:
                yield Observer(plugin.described, manager)
        except PluginError as error:
            _log.error("%s is left out: %s", plugin.described, error, exc_info=error.__cause__)
