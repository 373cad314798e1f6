"""The places where a store keeps its data, to refuse a place that is given twice.

A store may have an optional method:

    def places(self) -> Iterable[str]: ...

Two open stores return a common text if, and only if, they keep data in the same place, even if they
name it differently: a path through a symlink, another spelling of a DSN. A store without the method
shares no place.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from storecore.errors import ConfigError


def places_of(store: Any) -> frozenset[str]:
    """Return all places of a store, including those that it only writes to."""
    tell = getattr(store, "places", None)
    return frozenset(tell()) if callable(tell) else frozenset({f"object {id(store)}"})


def read_places_of(store: Any) -> frozenset[str]:
    """Return the places that a store reads from: for a mirror, those of its primary."""
    tell = getattr(store, "read_places", None)
    return frozenset(tell()) if callable(tell) else places_of(store)


def check_apart(stores: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if two stores share a place; the keys are their names in errors."""
    known = {name: places_of(store) for name, store in stores.items()}
    for one, other in combinations(stores, 2):
        if known[one] & known[other]:
            raise same_place(one, stores[one], other, stores[other])


def same_place(one: str, store: Any, other: str, same: Any) -> ConfigError:
    """Return the error that two stores share a place."""
    return ConfigError(
        f"{one} and {other} are the same place, {store!r} and {same!r}: each write would happen "
        "twice there; give each a place of its own"
    )
