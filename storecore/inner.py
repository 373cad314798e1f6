"""`InnerStore`: a store named in a config, its options checked, not yet open.

It is what `open_store` makes of what it is given, and the type of a wrapper's option that is itself
a store, written as a table with `backend` and that backend's options.
"""

from __future__ import annotations

from typing import Any, NamedTuple, get_args, get_origin

from msgspec import Struct

from storecore.capabilities import CAPABILITIES
from storecore.errors import BackendLoadError, StoreError
from storecore.hooks import ResolvedSpec
from storecore.protocol import DataStore


class InnerStore(NamedTuple):
    """A backend's spec, what errors call it, and its config: all that is needed to open a store."""

    spec: ResolvedSpec
    described: str
    settings: Struct

    def open(self) -> DataStore:
        """Open the store. Raises what the backend raises, or `BackendLoadError` where it is none.

        What it opened must have the ten methods and those of the capabilities that it declares.
        """
        opened = self._opened()
        missing = _lacking(opened, DataStore)
        if missing:
            raise BackendLoadError(
                f"{self.described}: it opened a {type(opened).__name__}, which is no DataStore: "
                f"it lacks {', '.join(missing)}"
            )
        for name in sorted(self.spec.capabilities):
            missing = _lacking(opened, CAPABILITIES[name])
            if missing:
                raise BackendLoadError(
                    f"{self.described}: it declares the capability {name}, but the "
                    f"{type(opened).__name__} that it opened lacks {', '.join(missing)}"
                )
        return opened

    def _opened(self) -> DataStore:
        try:
            return self.spec.open(self.settings)
        except StoreError:
            raise
        except Exception as error:
            raise BackendLoadError(
                f"{self.described}: its open raised {type(error).__name__}: {error}"
            ) from error


def holds_stores(kind: Any) -> bool:
    """Tell whether the type of an option is a store, or a list of stores."""
    return kind is InnerStore or (get_origin(kind) is list and get_args(kind) == (InnerStore,))


def _lacking(store: object, protocol: type) -> list[str]:
    """Return the methods of a protocol that a store lacks.

    Not `isinstance`: from Python 3.12 on that does not see what a wrapper forwards.
    """
    public = [name for name in vars(protocol) if not name.startswith("_")]
    context = [name for name in ("__enter__", "__exit__") if name in vars(protocol)]
    return [name for name in (*public, *context) if not hasattr(store, name)]
