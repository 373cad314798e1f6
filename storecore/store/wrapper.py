"""`Wrapper`: a store around another one, to be inherited.

A wrapper overrides `_read` or `_write`: every call goes through one of them. Its config names the
nested store, a field of type `NestedStore`; its spec's capabilities and promises are functions of
that config. `storecore.builtin.readonly` is the smallest.

A method that is declared to write is refused by `readonly`, and sent to every replica by `mirror`:
what a method does is declared once, in `storecore.protocols`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache, partial, wraps
from typing import Any

from storecore.protocols import CAPABILITIES, METHODS, DataStore, declaration
from storecore.store.base import Store, offered
from storecore.store.checkpoints import checkpoint, verify
from storecore.store.places import places_of, read_places_of


def capabilities_of(store: object) -> frozenset[str]:
    """Return the names of the capabilities that a store has."""
    return frozenset(name for name, each in CAPABILITIES.items() if isinstance(store, each))


def method_of(store: Any, name: str) -> Callable[..., Any]:
    """Return a method of a store, or the one that core provides for an earlier release."""
    stand_in = _STAND_INS.get(name)
    return getattr(store, name) if stand_in is None else partial(stand_in, store)


_STAND_INS: dict[str, Callable[..., Any]] = {"verify": verify, "checkpoint": checkpoint}


class Wrapper(Store):
    """A `DataStore` that passes every call on to a nested one.

    It has the capabilities that it is given the names of, by default those of the nested store.
    """

    def __init__(self, nested: DataStore, capabilities: Iterable[str] | None = None) -> None:
        self._nested = nested
        given = capabilities_of(nested) if capabilities is None else capabilities
        self._capabilities = frozenset(given)

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities that the wrapper has."""
        return self._capabilities

    def close(self) -> None:
        """Close the nested store. A second call does nothing."""
        self._closed = True
        self._nested.close()

    def places(self) -> frozenset[str]:
        """Return the places of the nested store (`storecore.store.places`)."""
        return places_of(self._nested)

    def read_places(self) -> frozenset[str]:
        """Return the places that are read from."""
        return read_places_of(self._nested)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._nested!r})"

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do a call that changes nothing."""
        return method_of(self._nested, method)(*args, **kwargs)

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do a call that changes something."""
        return getattr(self._nested, method)(*args, **kwargs)

    def _offers(self, method: str, needs: tuple[str, ...]) -> bool:
        return METHODS[method].capability in self._capabilities


@lru_cache(maxsize=1024)
def signature_of(kind: Hashable, method: str) -> inspect.Signature:
    """Return the signature of a store's method, or the declared one if the store's says less.

    A store may pass its calls on by `__getattr__` or `*args`, which name no parameters.
    """
    declared = inspect.signature(declaration(method))
    try:
        own = inspect.signature(getattr(kind, method))
    except (AttributeError, TypeError, ValueError):  # one that is not written in Python, say
        return declared
    return own if own.parameters.keys() >= declared.parameters.keys() else declared


def _forwarding(name: str) -> Any:
    """Return a method of the declared signature that goes through `_read` or `_write`."""
    declared = declaration(name)
    way = "_write" if METHODS[name].is_write else "_read"

    @wraps(declared)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_open()
        # A wrong call is wrong here, not further down.
        kind: Any = type(self._nested)
        signature_of(kind, name).bind(self, *args, **kwargs)
        return getattr(self, way)(name, args, kwargs)

    return offered()(forward) if METHODS[name].capability else forward


for _name in METHODS:
    setattr(Wrapper, _name, _forwarding(_name))
