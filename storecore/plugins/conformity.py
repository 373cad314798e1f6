"""Whether a store has the methods of a protocol, with their signatures (laws P1 and P2)."""

from __future__ import annotations

import inspect
from collections.abc import Container, Iterable
from typing import Any

from storecore.protocols import ADDED, CAPABILITIES, GROWN, OPENED, DataStore, declaration


def undelivered(store: object, capabilities: Iterable[str]) -> list[str]:
    """Return how a store differs from the ten methods and from the capabilities it declares."""
    of_ten = [f"it is no DataStore: {problem}" for problem in differences(store, DataStore)]
    return of_ten + [
        f"it declares {name}, but {problem}"
        for name in sorted(capabilities)
        for problem in differences(store, CAPABILITIES[name])
    ]


def undeclared(store: object, capabilities: Container[str]) -> list[str]:
    """Return the capabilities of which a store has all methods, but that it does not declare."""
    return [
        name
        for name, protocol in CAPABILITIES.items()
        if name not in capabilities
        and all(hasattr(store, each) for each in methods_in(protocol) if each not in ADDED)
    ]


def methods_in(protocol: type) -> list[str]:
    """Return the names of the public methods of a protocol."""
    return [name for name in vars(protocol) if not name.startswith("_")]


def differences(store: object, protocol: type) -> list[str]:
    """Return each missing method of a protocol, and each one with another signature."""
    wrong = []
    for name in methods_in(protocol):
        method = getattr(store, name, None)
        if method is None and name in ADDED:
            continue
        if not callable(method):
            wrong.append(f"it lacks {name}")
        elif not _fits(_shape(method), name, protocol):
            expected = inspect.signature(getattr(protocol, name))
            parameters = list(expected.parameters.values())[1:]
            wrong.append(
                f"it has {name}{_signature(method)}, the protocol "
                f"{name}{expected.replace(parameters=parameters)}"
            )
    return wrong


_Shape = list[tuple[str, Any, Any]]


def _fits(own: _Shape, name: str, protocol: type) -> bool:
    """Return whether a method takes at least what the protocol's did at first.

    A bound that was required then may be required still. The method may take any of the optional
    keywords that were added since, or that another capability adds to it, and nothing else.
    """
    today, widest = _shape(getattr(protocol, name))[1:], _shape(declaration(name))[1:]
    at_first = [each for each in today if each[0] not in GROWN.get(name, ())]
    given = [_opened(each) for each in own] if name in OPENED else own
    required = [each for each in given if each in at_first]
    return required == at_first and given == [each for each in widest if each in given]


def _opened(parameter: tuple[str, Any, Any]) -> tuple[str, Any, Any]:
    """Return a bound that is required as one that is open, which it is today."""
    name, kind, default = parameter
    is_required = name in ("start", "end") and default is inspect.Parameter.empty
    return (name, kind, None) if is_required else parameter


def _shape(method: Any) -> _Shape:
    """Return name, kind and default of each parameter; types may be written in any way."""
    parameters = _signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters]


def _signature(method: Any) -> inspect.Signature:
    """Return the signature of a method; without parameters if it does not show them."""
    try:
        return inspect.signature(method)
    except (TypeError, ValueError):  # of some that are written in C
        return inspect.Signature()
