"""`Methods`: what the methods of a store about any kind of data have in common.

Each needs an open store and plain names. One that is marked as `offered` is there only if the
collections have the optional methods that it calls: this is how a store gets its capabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any, TypeVar, cast

from storecore.protocols import ADDED, METHODS
from storecore.store.closing import Closing
from storecore.store.collections import AuditLog
from storecore.store.questions import why_lacking
from storecore.values.names import check_name

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Offered:
    """A method that a store has only if its collections have the methods that it needs."""

    def __init__(self, function: Callable[..., Any], needs: tuple[str, ...]) -> None:
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self.needs = needs

    def __get__(self, store: Any, owner: type | None = None) -> Any:
        function = self.__wrapped__
        if store is None:
            return function
        if not store._offers(function.__name__, self.needs):
            raise AttributeError(
                f"{type(store).__name__!r} object has no attribute {function.__name__!r}: it does "
                f"not have {_what_is_missing(store, function.__name__)}"
            )
        return MethodType(function, store)


def _what_is_missing(store: Any, method: str) -> str:
    capability = METHODS[method].capability
    if method in ADDED and capability in store.capabilities:
        why = why_lacking(store, method) or ", which was added later"
        return f"this method of the capability {capability}{why}"
    return f"the capability {capability}{why_lacking(store, capability)}"


def offered(*needs: str) -> Callable[[_Function], _Function]:
    """Declare the optional collection methods that a method needs.

    `needs` are names such as "bars.series". If there are none, every `Store` has the method.
    """

    def declare(function: _Function) -> _Function:
        return cast(_Function, _Offered(function, needs))

    return declare


class Methods(Closing):
    """The base of the methods about one kind of data, which check names and what is offered."""

    _logs: Mapping[str, AuditLog]

    def __init__(self) -> None:
        self._offers_known: dict[str, bool] = {}

    def _offers(self, method: str, needs: tuple[str, ...]) -> bool:
        """Return whether the collections have the methods that a method of the store needs."""
        known = self._offers_known.get(method)
        if known is None:
            known = self._offers_known[method] = all(map(self._has, needs))
        return known

    def _has(self, need: str) -> bool:
        collection, _, method = need.partition(".")
        if collection == "store":
            return hasattr(self, method)
        if collection == "audit":
            return all(hasattr(log, method) for log in self._logs.values())
        return hasattr(getattr(self, f"_{collection}"), method)

    def _name(self, name: str, what: str) -> str:
        """Return a name as a plain `str`. Raises `StoreClosed` or `InvalidName`."""
        self._check_open()
        return check_name(name, what)

    def _series(self, symbol: str, timeframe: str) -> tuple[str, str]:
        return self._name(symbol, "symbol"), self._name(timeframe, "timeframe")
