"""What a plugin may implement: pluggy hooks, and the spec that a backend returns from one.

A *backend* is an entry point in the group `storecore.backends`; its name is the word that users
write in their config, its target a module (or object) with `storecore_backend`. An *observer* is an
entry point in the group `storecore.plugins` with any of the other three.

```python
from storecore import BackendSpec, hookimpl

@hookimpl
def storecore_backend():
    return BackendSpec(name="redis", config=RedisConfig, open=RedisStore.from_config)
```
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy
from msgspec import Struct

from storecore.protocol import DataStore

PROJECT = "storecore"
BACKENDS = "storecore.backends"
OBSERVERS = "storecore.plugins"
API_VERSION = 1

hookimpl = pluggy.HookimplMarker(PROJECT)
hookspec = pluggy.HookspecMarker(PROJECT)


class BackendSpec(Struct, frozen=True, kw_only=True):
    """What a backend tells of itself.

    `name` is its entry point's name. `config` is a msgspec Struct: its fields are the options, a
    field of type `Path` is taken from the folder of the config file. `open` makes a store of a
    config. `capabilities` names the protocols of `storecore.capabilities` that its stores satisfy.
    `api` is the version of the plugin interface that it was written for.
    """

    name: str
    config: type[Struct]
    open: Callable[[Any], DataStore]
    api: int = API_VERSION
    capabilities: frozenset[str] = frozenset()
    summary: str = ""


@hookspec
def storecore_backend() -> BackendSpec:  # type: ignore[empty-body]
    """Return the spec of the backend. Called once, when its name is first asked for."""


@hookspec
def storecore_opened(store: DataStore, spec: BackendSpec) -> None:
    """Take note of a store that has just been opened."""


@hookspec
def storecore_written(store: DataStore, kind: str, key: str, count: int) -> None:
    """Take note of a write that has succeeded.

    `kind` is "bars", "fundamentals", "events", "state", "decisions" or "orders"; `key` the symbol,
    the event's type or the strategy's name; `count` the records given. A batch is told of once for
    each key in it. Bars that were deleted are of the kind "deletions", with a count of 1.
    """


@hookspec
def storecore_closed(store: DataStore) -> None:
    """Take note of a store that has just been closed."""
