"""Where a store keeps its data, so that nobody names one place twice.

A store may say so by a method that `DataStore` does not ask for:

    def places(self) -> Iterable[str]: ...

Each is a text that another open store gives too if, and only if, it keeps data in the same place,
whatever it was called to get there: a path through a symlink, another spelling of a DSN. A store
that does not say is taken for a place of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from storecore.errors import ConfigError


def places_of(store: Any) -> frozenset[str]:
    """Return all places of a store, the ones that it only writes to too."""
    tell = getattr(store, "places", None)
    return frozenset(tell()) if callable(tell) else frozenset({f"object {id(store)}"})


def read_places_of(store: Any) -> frozenset[str]:
    """Return the places that a store reads from: of a mirror, those of its primary."""
    tell = getattr(store, "read_places", None)
    return frozenset(tell()) if callable(tell) else places_of(store)


def check_apart(stores: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if two stores, given by what errors call them, share a place."""
    known = {name: places_of(store) for name, store in stores.items()}
    for one, other in combinations(stores, 2):
        if known[one] & known[other]:
            raise same_place(one, stores[one], other, stores[other])


def same_place(one: str, store: Any, other: str, same: Any) -> ConfigError:
    """Return the error that two stores share a place, named as they were given."""
    return ConfigError(
        f"{one} and {other} are one place, {store!r} and {same!r}: each write would be done "
        "twice there, and no copy made; give each a place of its own"
    )
