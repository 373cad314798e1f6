"""The `mirror` backend: a store that writes to several others and reads from the first.

```toml
[store]
backend = "mirror"
primary = { backend = "file", base_path = "data" }
replicas = [{ backend = "file", base_path = "/mnt/backup" }]
on_failure = "log"
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

from msgspec import Struct

from storecore.config.nested import NestedStore
from storecore.errors import StorageError
from storecore.plugins.isolation import is_from_program
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.protocols import METHODS, DataStore, methods_of
from storecore.store.places import check_apart, places_of
from storecore.store.tables import kept_table, with_plain_table
from storecore.store.wrapper import Wrapper, method_of
from storecore.values.logger import log as _log


class MirrorConfig(Struct, frozen=True, kw_only=True):
    """The options of the `mirror` backend: the store that is read and its replicas.

    See `MirrorStore` for `on_failure`.
    """

    primary: NestedStore
    replicas: list[NestedStore]
    on_failure: Literal["log", "raise"] = "log"


class MirrorStore(Wrapper):
    """A `DataStore` with copies: each write goes to the primary, then to each replica in turn.

    If the primary fails or refuses a write, the error is raised and no replica is written. Once the
    primary has the write, every read shows it. If a replica then fails, the others are still
    written. With `on_failure="log"`, the default, the failure is logged as an error that names the
    replica: trading goes on, and a write that raises wrote nothing (law D2). With "raise", a
    `StorageError` is raised after all replicas were tried. It says that the primary has the write,
    so that no caller writes an event twice. A replica that missed a write does not catch up by
    itself.

    Each store gives audit records its own time and hash, so each replica has its own chain. Each
    also has its own versions of a state; `expect` is compared with the version of the primary only.

    Raises `ConfigError` if two of the stores share a place: everything would be written twice.
    """

    def __init__(
        self,
        primary: DataStore,
        replicas: list[DataStore],
        on_failure: str,
        capabilities: Iterable[str] | None = None,
    ) -> None:
        super().__init__(primary, capabilities)
        numbered = {f"replicas[{row}]": replica for row, replica in enumerate(replicas)}
        check_apart({"primary": primary, **numbered})
        self._replicas = replicas
        self._on_failure = on_failure

    def close(self) -> None:
        """Close all stores, even if closing one fails. A second call does nothing."""
        with ExitStack() as stack:
            for replica in self._replicas:
                stack.callback(replica.close)
            super().close()

    def places(self) -> frozenset[str]:
        """Return the places of all stores."""
        return super().places().union(*map(places_of, self._replicas))

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if METHODS[method].batch == "table":
            args, kwargs = with_plain_table(args, kwargs)
        args = tuple(map(_reusable, args))
        kwargs = {name: _reusable(value) for name, value in kwargs.items()}
        result = super()._write(method, args, kwargs)
        if "expect" in kwargs:
            kwargs["expect"] = None  # the primary has decided
        failed = [
            f"{replica!r}: {type(error).__name__}: {error}"
            for replica in self._replicas
            if (error := _failure(replica, method, args, kwargs)) is not None
        ]
        if failed:
            missing = "; ".join(failed)
            self._report_failure(f"{method}: the primary has it, but not these replicas: {missing}")
        return result

    def _report_failure(self, message: str) -> None:
        _log.error("%s", message)
        if self._on_failure == "raise":
            raise StorageError(f"{message}; do not write it again")


def _failure(
    replica: DataStore, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> BaseException | None:
    try:
        method_of(replica, method)(*args, **kwargs)
    except BaseException as error:
        if is_from_program(error):
            raise
        return error
    return None


def _reusable(value: Any) -> Any:
    """Return an argument that each store can iterate over; a generator as a list."""
    kept = kept_table(value)  # an Arrow stream is an iterator too
    return list(kept) if isinstance(kept, Iterator) else kept


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `mirror` backend."""
    return BackendSpec(
        name="mirror",
        config=MirrorConfig,
        open=_open,
        capabilities=_capabilities,
        promises=lambda config: config.primary.spec.promises,
        summary="writes to several stores, reads from the first",
    )


def _capabilities(config: MirrorConfig) -> frozenset[str]:
    replicas = (replica.spec.capabilities for replica in config.replicas)
    return _shared(config.primary.spec.capabilities, list(replicas))


def _shared(primary: frozenset[str], replicas: list[frozenset[str]]) -> frozenset[str]:
    """Return the capabilities of the primary, without writing ones that a replica lacks."""
    return frozenset(
        name
        for name in primary
        if not any(METHODS[each].is_write for each in methods_of(name))
        or all(name in each for each in replicas)
    )


def _open(config: MirrorConfig) -> DataStore:
    opened: list[DataStore] = []
    capabilities: list[frozenset[str]] = []
    with ExitStack() as stack:  # an error leaves no store open
        for each in (config.primary, *config.replicas):
            opened.append(stack.enter_context(each.open()))
            capabilities.append(each.capabilities_of(opened[-1]))
        shared = _shared(capabilities[0], capabilities[1:])
        mirror = MirrorStore(opened[0], opened[1:], config.on_failure, shared)
        stack.pop_all()
    return mirror
