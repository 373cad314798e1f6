"""`NestedStore`: a store from a config with checked options, not yet open.

`open_store` creates one from its arguments. It is also the type of a wrapper's option that is a
store itself, written as a table with `backend` and the options of that backend.
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
from storecore.protocols import ADDED, CAPABILITIES, DataStore


class Opening(Enum):
    """Whether opening a store may create it (law D7).

    A backend without `open_existing` may always create it. With EXISTING (`create=False`) that is
    an error; with EXISTING_IF_ABLE, for readers, such a backend is opened as usual.
    """

    CREATING = "creating"
    EXISTING = "existing"
    EXISTING_IF_ABLE = "existing if able"


class NestedStore(NamedTuple):
    """The spec of a backend, its description in errors, and its config.

    `opening` is also set on the stores in its config; a wrapper opens them as they are.
    """

    spec: ResolvedSpec
    described: str
    settings: Struct
    opening: Opening = Opening.CREATING

    def __repr__(self) -> str:
        return f"NestedStore({self.described})"  # its settings may contain secrets

    def existing(self, opening: Opening = Opening.EXISTING) -> NestedStore:
        """Return the same store, to be opened only if it exists."""
        nested = self._of_nested_stores(lambda each: each.existing(opening))
        settings = replace(self.settings, **nested) if nested else self.settings
        return self._replace(settings=settings, opening=opening)

    def for_reading(self) -> NestedStore:
        """Return the same store, to be opened without creating anything if the backend can."""
        if self.opening is Opening.EXISTING:
            return self
        return self.existing(Opening.EXISTING_IF_ABLE)

    def options(self) -> tuple[str, dict[str, Any]]:
        """Return the backend and its options, equal if another config gives the same ones."""
        given = {field.name: getattr(self.settings, field.name) for field in fields(self.settings)}
        return self.described, given | self._of_nested_stores(NestedStore.options)

    def _nested_stores(self) -> list[NestedStore]:
        """Return the stores in the options."""
        given = self._of_nested_stores(lambda each: each).values()
        return [each for one in given for each in (one if isinstance(one, list) else [one])]

    def _of_nested_stores(self, value_of: Callable[[NestedStore], Any]) -> dict[str, Any]:
        """Return the options that are stores or lists of stores, with a value for each store."""
        names = [field.name for field in fields(self.settings) if holds_stores(field.type)]
        given = {name: getattr(self.settings, name) for name in names}
        return {
            name: list(map(value_of, each)) if isinstance(each, list) else value_of(each)
            for name, each in given.items()
            if each is not None
        }

    @property
    def optional(self) -> frozenset[str]:
        """The capabilities that the open store may lack: those of its nested stores, too."""
        return self.spec.optional.union(*(each.optional for each in self._nested_stores()))

    def capabilities_of(self, opened: DataStore) -> frozenset[str]:
        """Return the declared capabilities, without the optional ones that an open store lacks."""
        optional = self.optional
        return frozenset(
            name
            for name in self.spec.capabilities
            if name not in optional or isinstance(opened, CAPABILITIES[name])
        )

    def open(self) -> DataStore:
        """Open the store. Raises the errors of the backend.

        Raises `BackendLoadError` if the opened object lacks one of the ten methods or a method of a
        declared capability.
        """
        opened = self._opened()
        missing = _lacking(opened, DataStore)
        if missing:
            raise BackendLoadError(
                f"{self.described}: it opened a {type(opened).__name__}, which is not a DataStore: "
                f"it lacks {', '.join(missing)}"
            )
        for name in sorted(self.spec.capabilities - self.optional):
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
            if not is_clean(error):  # its message is redacted, its causes are not
                error.__cause__ = error.__context__ = None
            raise
        except BaseException as error:
            if is_from_program(error):
                raise
            failed = error
        why = f"its open raised {reason(failed)}"
        raise caused_by(BackendLoadError(f"{self.described}: {why}"), failed)

    def _opener(self) -> Callable[[Any], DataStore]:
        """Return the function of the spec for `opening`."""
        if self.opening is Opening.CREATING:
            return self.spec.open
        if self.spec.open_existing is not None:
            return self.spec.open_existing
        if self.opening is Opening.EXISTING and not self._nested_stores():
            raise ConfigError(
                f"{self.described}: it cannot open a store without creating it (its spec has no "
                "open_existing); omit create=False"
            )
        return self.spec.open


def holds_stores(kind: Any) -> bool:
    """Return whether the type of an option is a store, one that may be missing, or a list."""
    if kind in (NestedStore, NestedStore | None):
        return True
    return get_origin(kind) is list and get_args(kind) == (NestedStore,)


def _lacking(store: object, protocol: type) -> list[str]:
    """Return the methods that a protocol had at first and that a store lacks.

    `isinstance` does not work: from Python 3.12 on it ignores methods that a wrapper forwards.
    """
    public = [name for name in vars(protocol) if not name.startswith("_") and name not in ADDED]
    context = [name for name in ("__enter__", "__exit__") if name in vars(protocol)]
    return [name for name in (*public, *context) if not hasattr(store, name)]
