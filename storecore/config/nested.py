"""`NestedStore`: a store named in a config, its options checked, not yet open.

It is what `open_store` makes of what it is given, and the type of a wrapper's option that is itself
a store, written as a table with `backend` and that backend's options.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields, replace

from storecore.errors import BackendLoadError, ConfigError, StoreError, caused_by
from storecore.errors.redaction import is_clean
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.spec import ResolvedSpec
from storecore.protocols import CAPABILITIES, DataStore


class Opening(Enum):
    """Whether opening a store may create what is missing in its place (law D7).

    A backend without `open_existing` may create it. That is an error if the caller asked for
    `create=False`; a reader opens such a backend as usual.
    """

    CREATING = "creating"
    EXISTING = "existing"
    EXISTING_IF_ABLE = "existing if able"


class NestedStore(NamedTuple):
    """A backend's spec, the name that errors give it, and its config: enough to open a store.

    How to open it also applies to the stores in its config; a wrapper just opens them.
    """

    spec: ResolvedSpec
    described: str
    settings: Struct
    opening: Opening = Opening.CREATING

    def __repr__(self) -> str:
        return f"NestedStore({self.described})"  # its settings may hold secrets

    def existing(self, opening: Opening = Opening.EXISTING) -> NestedStore:
        """Return the same store, to be opened only if it exists."""
        nested = {
            name: [each.existing(opening) for each in stores]
            if isinstance(stores, list)
            else stores.existing(opening)
            for name, stores in self._nested_stores()
        }
        settings = replace(self.settings, **nested) if nested else self.settings
        return self._replace(settings=settings, opening=opening)

    def for_reading(self) -> NestedStore:
        """Return the same store, to be opened without creating anything if the backend can."""
        if self.opening is Opening.EXISTING:
            return self
        return self.existing(Opening.EXISTING_IF_ABLE)

    def _nested_stores(self) -> list[tuple[str, Any]]:
        """Return the options that are stores, or lists of them, by name."""
        names = [field.name for field in fields(self.settings) if holds_stores(field.type)]
        return [(name, getattr(self.settings, name)) for name in names]

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
        opens = self._opener()
        try:
            return opens(self.settings)
        except StoreError as error:
            if not is_clean(error):  # its own message is; what led to it may show a secret
                error.__cause__ = error.__context__ = None
            raise
        except BaseException as error:
            if is_from_program(error):
                raise
            failed = error
        why = f"its open raised {reason(failed)}"
        raise caused_by(BackendLoadError(f"{self.described}: {why}"), failed)

    def _opener(self) -> Callable[[Any], DataStore]:
        """Return the function that opens the store in the mode asked for."""
        if self.opening is Opening.CREATING:
            return self.spec.open
        if self.spec.open_existing is not None:
            return self.spec.open_existing
        if self.opening is Opening.EXISTING and not self._nested_stores():
            raise ConfigError(
                f"{self.described}: it cannot open a store without creating it (its spec has no "
                "open_existing); leave out create=False"
            )
        return self.spec.open


def holds_stores(kind: Any) -> bool:
    """Tell whether the type of an option is a store, or a list of stores."""
    return kind is NestedStore or (get_origin(kind) is list and get_args(kind) == (NestedStore,))


def _lacking(store: object, protocol: type) -> list[str]:
    """Return the methods of a protocol that a store lacks.

    Not `isinstance`: from Python 3.12 on that does not see what a wrapper forwards.
    """
    public = [name for name in vars(protocol) if not name.startswith("_")]
    context = [name for name in ("__enter__", "__exit__") if name in vars(protocol)]
    return [name for name in (*public, *context) if not hasattr(store, name)]
