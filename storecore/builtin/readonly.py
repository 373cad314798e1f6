"""The `readonly` backend: a store around another one that refuses every write.

```toml
[store]
backend = "readonly"
store = { backend = "file", base_path = "data" }
```
"""

from __future__ import annotations

import errno
from typing import Any

from msgspec import Struct

from storecore.config.nested import NestedStore
from storecore.errors import StorageError
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.protocols import DataStore
from storecore.store.wrapper import Wrapper


class ReadonlyConfig(Struct, frozen=True, kw_only=True):
    """The options of the `readonly` backend: the store that is read."""

    store: NestedStore


class ReadonlyStore(Wrapper):
    """A `DataStore` for read-only users: a report, a notebook, a backtest.

    Every read goes to the nested store. Every write, of the ten methods or of a capability, raises
    a `StorageError` with `errno.EROFS`, whatever its arguments, and does not reach the nested
    store. Opening creates nothing in the place of the nested store, and raises `NoStore` if there
    is none. A backend without `open_existing` is opened as usual.
    """

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise StorageError(
            f"{method}: {self!r} is opened for reading only; open the store itself to write",
            errno=errno.EROFS,
        )


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `readonly` backend."""
    return BackendSpec(
        name="readonly",
        config=ReadonlyConfig,
        open=_open,
        capabilities=lambda config: config.store.spec.capabilities,
        promises=lambda config: config.store.spec.promises,
        summary="another store that cannot be written",
    )


def _open(config: ReadonlyConfig) -> DataStore:
    nested = config.store.for_reading()
    store = nested.open()
    return ReadonlyStore(store, nested.capabilities_of(store))
