"""The hooks of plugins, and the spec of a backend.

A *backend* is an entry point in the group `storecore.backends`. Its name is the word that users
write in their config; its target is a module (or object) with the hook `storecore_backend`. An
*observer* is an entry point in the group `storecore.plugins` with any of the three hooks that are
called for a store. `storecore_import_formats`, in the same group, adds formats to the import.

```python
from storecore import BackendSpec, hookimpl

@hookimpl
def storecore_backend():
    return BackendSpec(name="redis", config=RedisConfig, open=RedisStore.from_config)
```
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pluggy
from msgspec import Struct

from storecore.protocols import DataStore

if TYPE_CHECKING:
    from storecore.plugins.formats import ImportFormat

PROJECT = "storecore"
BACKENDS = "storecore.backends"
OBSERVERS = "storecore.plugins"
FORMATS = "storecore_import_formats"
API_VERSION = 1
"""The version of the plugin interface: the hooks and their parameters."""
PROMISES = {
    "durable": "after a write has returned, its data survives kill -9",
    "shared": "several processes may open the same place at once, to read and to write",
    "sealed": "no damaged byte in its files changes the result of a read without an error",
    "forked": "an open store works in a forked child as in its parent",
    "pickled": "a pickled store is loaded, in this or another process, with the same place",
}
"""The promises that a spec may declare, by name: durable, shared, sealed, forked and pickled."""

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as a hook: the one with the name of the function."""
hookspec = pluggy.HookspecMarker(PROJECT)


class BackendSpec(Struct, frozen=True, kw_only=True):
    """What a backend declares about itself.

    `name` is the name of its entry point. `config` is a msgspec Struct. Its fields are the options;
    a field of type `Path` is relative to the folder of the config file. `open` opens the store of a
    config. `open_existing`, if there is one, opens an existing store: it creates nothing, and
    raises `NoStore` if there is none (law D7).

    `capabilities` names the protocols of `storecore.protocols` that its stores satisfy,
    `promises` its guarantees beyond one process (`PROMISES`). Both may be functions of the config,
    since those of a wrapper depend on its nested stores. `optional` names those capabilities that
    some of its stores lack: which ones is known only when they are open. `init`, if there is one,
    returns the instructions for an administrator that `storecore init` prints, such as grants for
    other roles. `remove`, if there is one, removes all data of the store of a config. Only the
    conformance kit calls it, for a `{unique}` name that a test has used. `api` is the version of
    the plugin interface for which the backend was written.
    """

    name: str
    config: type[Struct]
    open: Callable[[Any], DataStore]
    open_existing: Callable[[Any], DataStore] | None = None
    api: int = API_VERSION
    capabilities: frozenset[str] | Callable[[Any], frozenset[str]] = frozenset()
    promises: frozenset[str] | Callable[[Any], frozenset[str]] = frozenset()
    optional: frozenset[str] = frozenset()
    init: Callable[[Any], str] | None = None
    remove: Callable[[Any], None] | None = None
    summary: str = ""

    def resolved(self, config: Any) -> ResolvedSpec:
        """Return the spec for a config, with its capabilities and promises as sets."""
        return self.resolved_as(_names(self.capabilities, config), _names(self.promises, config))

    def resolved_as(self, capabilities: frozenset[str], promises: frozenset[str]) -> ResolvedSpec:
        """Return the spec with these capabilities and promises."""
        return ResolvedSpec(
            name=self.name,
            config=self.config,
            open=self.open,
            open_existing=self.open_existing,
            api=self.api,
            capabilities=capabilities,
            promises=promises,
            optional=self.optional,
            init=self.init,
            remove=self.remove,
            summary=self.summary,
        )


class ResolvedSpec(BackendSpec, frozen=True, kw_only=True):
    """A spec for one config, as observers and the conformance kit receive it."""

    capabilities: frozenset[str] = frozenset()
    promises: frozenset[str] = frozenset()


def _names(
    declared: frozenset[str] | Callable[[Any], frozenset[str]], config: Any
) -> frozenset[str]:
    names: Any = declared(config) if callable(declared) else declared
    if isinstance(names, str):  # a set of it would be one of letters
        raise TypeError(f"expected a set of names, got {names!r}")
    return frozenset(names)


@hookspec
def storecore_backend() -> BackendSpec:  # type: ignore[empty-body]
    """Return the spec of the backend. Called when its name is used; returns the same each time.

    A hook that raises, or returns another type, is a `BackendLoadError` that names the package.
    """


@hookspec
def storecore_opened(store: DataStore, spec: BackendSpec) -> None:
    """Called after a store has been opened, or unpickled.

    `spec` has the capabilities and promises of this store as sets. `spec.name` is the name of the
    backend. Of a wrapper, such as "mirror", it is the wrapper's: the nested stores that it opens
    are not reported. The hook may read and write the store. Observers are not called for calls that
    a hook makes. An exception is logged, and the store goes on.
    """


@hookspec
def storecore_written(store: DataStore, kind: str, key: str, count: int) -> None:
    """Called after a write has succeeded.

    The hook runs in the thread that wrote, which waits for it. Work of more than some 50
    microseconds belongs in a queue that a thread of the observer reads. Writes of that thread are
    reported like any other. An exception is logged, and the write stays.

    `kind` is "bars", "fundamentals", "events", "state", "decisions" or "orders"; `key` is the
    symbol, the event's type or the strategy's name; `count` is the number of records given. A batch
    is reported once for each key in it. Deleted bars have the kind "deletions", and `count` is the
    number of bars removed; other data has "event_deletions" (the key is the type, if one was asked
    for, otherwise ""), "fundamental_deletions" and "state_deletions". A deletion that removed
    nothing is not reported. A renamed symbol has the kind "renames", once with the old name as the
    key and once with the new one. What a run (a backtest) writes has the kinds "run_decisions",
    "run_orders", "run_state" and "run_state_deletions". The key of the last two is not the strategy
    but the name under which the run keeps its state, which begins with
    `storecore.states.RUN_STATES`.
    """


@hookspec
def storecore_closed(store: DataStore) -> None:
    """Called after a store has been closed.

    Only its `repr` works; every method raises `StoreClosed`. An exception is logged.
    """


@hookspec
def storecore_import_formats() -> list[ImportFormat]:  # type: ignore[empty-body]
    """Return formats of files for `storecore import --format`, in any order.

    Only this command calls the hook. A format replaces storecore's own of the same name. A hook
    that raises, or returns another type, is a `BackendLoadError` that names the package.
    """
