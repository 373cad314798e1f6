"""All plugins of this process: those of installed packages, and those that it registers itself.

A process registers a plugin by `storecore.register(…)`, or by the option `--plugin FILE` of the
command line. `find` is the one place in which both are found.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from storecore.errors import BackendLoadError, DuplicateBackend
from storecore.plugins import metadata
from storecore.plugins.metadata import Plugin
from storecore.plugins.spec import BACKENDS, OBSERVERS
from storecore.values.fork import reset_after_fork

_lock = threading.Lock()
_registered: tuple[Plugin, ...] = ()  # replaced as a whole, so readers need no lock


class _Registering:
    """Replaces the lock in a forked child, which lacks the thread that may hold it."""

    def after_fork(self) -> None:
        global _lock
        _lock = threading.Lock()


_registering = _Registering()
reset_after_fork(_registering)


class RegisteredEntryPoint(EntryPoint):
    """An entry point whose target is in memory: nothing is imported to load it.

    `changes` names the state of the process that its import has changed.
    """

    target: Any
    changes: tuple[str, ...]

    def __init__(
        self, name: str, source: str, group: str, target: object, changes: tuple[str, ...]
    ) -> None:
        super().__init__(name, source, group)
        vars(self).update(target=target, changes=changes)  # it cannot be assigned to

    def load(self) -> object:
        """Return the target."""
        return self.target

    def __eq__(self, other: object) -> bool:
        """Return whether it is this one: a file may be registered again with other contents."""
        return self is other

    def __hash__(self) -> int:
        return id(self)


def find(group: str) -> list[Plugin]:
    """Return the plugins of a group, installed and registered, sorted, importing nothing."""
    own = registered(group)
    return sorted([*metadata.find(group), *own]) if own else metadata.find(group)


def registered(group: str) -> tuple[Plugin, ...]:
    """Return the plugins of a group that this process has registered."""
    return tuple(each for each in _registered if each.entry_point.group == group)


def plugin_in_memory(
    name: str, source: str, group: str, target: object, changes: tuple[str, ...] = ()
) -> Plugin:
    """Return a plugin that is not of a package; `source` names its origin in errors."""
    return Plugin(name, source, "", RegisteredEntryPoint(name, source, group, target, changes))


def add(plugins: Sequence[Plugin]) -> None:
    """Register plugins, all or none of them.

    Raises `DuplicateBackend` if a backend with the same name is installed or registered, and
    `BackendLoadError` if an observer is registered already: it would be called twice. Of two
    threads that register one name, one succeeds.
    """
    global _registered
    installed = metadata.find(BACKENDS)
    with _lock:
        for each in plugins:
            _check_name_is_free(each, [*installed, *registered(BACKENDS)])
            _check_is_new(each)
        _registered = (*_registered, *plugins)


def remove(plugins: Sequence[Plugin]) -> None:
    """Remove plugins; those that are not registered any more are ignored."""
    global _registered
    gone = set(map(id, plugins))
    with _lock:
        _registered = tuple(each for each in _registered if id(each) not in gone)


def _check_name_is_free(plugin: Plugin, backends: Sequence[Plugin]) -> None:
    if plugin.entry_point.group != BACKENDS:
        return
    for other in backends:
        if other.name == plugin.name:
            raise DuplicateBackend(
                f"{plugin.described}: there is a backend {other.name!r} already, from "
                f"{other.origin}; give yours another name"
            )


def _check_is_new(plugin: Plugin) -> None:
    """Raise if an observer is one already, or is of the same file, by whatever path."""
    if plugin.entry_point.group != OBSERVERS:
        return
    for other in registered(OBSERVERS):
        if _identity(other) == _identity(plugin):
            what = "file" if isinstance(_identity(plugin), Path) else "object"
            raise BackendLoadError(
                f"{plugin.described}: this {what} is a plugin already, from {other.origin}; "
                "name it once"
            )


def _identity(plugin: Plugin) -> object:
    """Return the file of a registered module, or the `id` of another object."""
    target = plugin.entry_point.load()
    file = getattr(target, "__file__", None) if isinstance(target, ModuleType) else None
    return id(target) if file is None else Path(file).resolve()
