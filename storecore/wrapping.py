"""A store around another: forwards what it does not do itself, capabilities included.

A wrapper inherits `Wrapper` and overrides `_read` or `_write`: every call goes through one of them.
Its config names the inner store, a field of type `InnerStore`; its spec's capabilities and promises
are functions of that config. `storecore.readonly` is the smallest.

A method that is not known to read counts as one that writes: what a later capability brings is
refused by `readonly`, and sent to every replica by `mirror`, until it is listed here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache, partial, wraps
from typing import Any, cast

from storecore.capabilities import CAPABILITIES
from storecore.checkpoints import checkpoint, verify
from storecore.closing import Closing
from storecore.places import places_of, read_places_of
from storecore.protocol import DataStore

_READING = ("read_", "iter_", "load_", "bar_", "verify")
_READS = frozenset({"symbols", "timeframes", "strategies", "state_history", "checkpoint"})


def is_read(method: str) -> bool:
    """Tell whether a method of `DataStore` or of a capability changes nothing."""
    return method in _READS or method.startswith(_READING)


def methods_of(capabilities: Iterable[str]) -> list[str]:
    """Return the methods of some capabilities."""
    protocols = (CAPABILITIES[name] for name in capabilities)
    return [name for each in protocols for name in vars(each) if not name.startswith("_")]


def method_of(store: Any, name: str) -> Callable[..., Any]:
    """Return a method of a store, or the one that core provides for an earlier release."""
    stand_in = _STAND_INS.get(name)
    return getattr(store, name) if stand_in is None else partial(stand_in, store)


_STAND_INS: dict[str, Callable[..., Any]] = {"verify": verify, "checkpoint": checkpoint}


class Wrapper(Closing):
    """A `DataStore` that passes every call on to an inner one, to be inherited."""

    def __init__(self, inner: DataStore) -> None:
        self._inner = inner

    def close(self) -> None:
        """Close the inner store. A second call does nothing."""
        super().close()
        self._inner.close()

    def places(self) -> frozenset[str]:
        """Return the places of the nested store (`storecore.places`)."""
        return places_of(self._inner)

    def read_places(self) -> frozenset[str]:
        """Return the places that are read from."""
        return read_places_of(self._inner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inner!r})"

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do a call that changes nothing."""
        return method_of(self._inner, method)(*args, **kwargs)

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do a call that changes something."""
        return getattr(self._inner, method)(*args, **kwargs)


def wrapper_class(base: type[Wrapper], capabilities: Iterable[str]) -> Callable[..., DataStore]:
    """Return the class that has the ten methods and those of the capabilities, and no other.

    There is one for each set of capabilities, and its stores can be pickled if their contents can.
    Methods that `base` does not define go through its `_read` or `_write`. `isinstance` and the
    signatures of methods answer as for the nested store.
    """
    made: Callable[..., DataStore] = _wrapper_class(cast(Any, base), frozenset(capabilities))
    return made


@cache
def _wrapper_class(base: type[Wrapper], capabilities: frozenset[str]) -> Callable[..., DataStore]:
    methods = {
        name: _forwarding(name, getattr(protocol, name))
        for protocol in (DataStore, *(CAPABILITIES[each] for each in sorted(capabilities)))
        for name in vars(protocol)
        if not name.startswith("_") and not hasattr(base, name)
    }
    methods["__reduce__"] = lambda self: (_unpickled, (base, capabilities), self.__getstate__())
    return cast(Callable[..., DataStore], type(base.__name__, (base,), methods))


def _unpickled(base: type[Wrapper], capabilities: frozenset[str]) -> Any:
    """Return a store of `wrapper_class` without its state yet."""
    return object.__new__(cast(type[Any], wrapper_class(base, capabilities)))


def _forwarding(name: str, declared: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of the declared signature that goes through `_read` or `_write`."""
    signature = inspect.signature(declared)
    way = "_read" if is_read(name) else "_write"

    @wraps(declared)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_open()
        signature.bind(self, *args, **kwargs)  # a wrong call is wrong here, not further down
        return getattr(self, way)(name, args, kwargs)

    return forward
