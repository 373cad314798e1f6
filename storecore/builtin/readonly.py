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
from storecore.knowledge.versions import Unreplaced
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.protocols import DataStore
from storecore.store.wrapper import Wrapper
from storecore.values.times import TimeRange


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

    def unreplaced_bars(self, symbol: str, span: TimeRange, timeframe: str) -> Unreplaced | None:
        """Return what the nested store returns, None if it has no such method."""
        self._check_open()
        ask = getattr(self._nested, "unreplaced_bars", None)
        return ask(symbol, span, timeframe) if ask else None

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
