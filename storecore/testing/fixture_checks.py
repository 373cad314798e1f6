"""Checks of what a suite gives by its fixtures: a mistake there is no broken law of the backend.

Law P2 says which names of a spec are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from storecore.errors import shown
from storecore.plugins.spec import PROMISES, BackendSpec
from storecore.protocols import CAPABILITIES

_NAMES: dict[str, Mapping[str, object]] = {
    "capabilities": CAPABILITIES,
    "optional": CAPABILITIES,
    "promises": PROMISES,
}


def mistake(fixture: str, value: object) -> str:
    """Return what is wrong with the value of a fixture; an empty text if nothing is."""
    return next(_MISTAKES[fixture](value), "")


def _store(value: object) -> Iterator[str]:
    if value is None or isinstance(value, type):
        yield f"expected an open store, got {shown(value)}; return or yield a DataStore"


def _opener(value: object) -> Iterator[str]:
    if not (value is None or callable(value)):
        yield (
            f"expected a callable that the tests call, as functools.partial(MyStore, path), or "
            f"None; got {shown(value)}"
        )


def _place(value: object) -> Iterator[str]:
    if not (value is None or isinstance(value, Path)):
        yield f"expected the pathlib.Path of a folder or None, got {shown(value)}"


def _spec(value: object) -> Iterator[str]:
    if isinstance(value, BackendSpec):
        for field, known in _NAMES.items():
            yield from _names(field, getattr(value, field), known)
    elif value is not None:
        yield f"expected a BackendSpec, as storecore_backend() returns, or None; got {shown(value)}"


def _names(field: str, names: Any, known: Mapping[str, object]) -> Iterator[str]:
    if callable(names):
        yield f"its {field} are a function of the config: give spec.resolved(config)"
    elif not isinstance(names, AbstractSet):
        example = f"frozenset({{{next(iter(known))!r}}})"
        yield f"expected its {field} to be a set of names, as {example}; got {shown(names)}"


_MISTAKES: dict[str, Callable[[object], Iterator[str]]] = {
    "store": _store,
    "writer": _store,
    "spec": _spec,
    "place": _place,
    **dict.fromkeys(("reopen", "nowhere", "tamper"), _opener),
}
