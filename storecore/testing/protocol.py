"""Laws P1 and P2: ten methods, declared capabilities, and no other signatures."""

from __future__ import annotations

import inspect
from typing import Any

from storecore.protocols import ADDED, CAPABILITIES, GROWN, DataStore
from storecore.testing.givens import Givens


class ProtocolLaws(Givens):
    """What a store is, before it is used."""

    def test_p1_a_store_has_the_ten_methods_with_the_protocols_signatures(
        self, store: Any, declared: frozenset[str]
    ) -> None:
        """Each method of `DataStore` is there and takes what the protocol's takes.

        Where a declared capability gives a method more keywords, law P2 holds it to those.
        """
        wrong = _differences(store, DataStore, but_for=_methods_in(declared))
        assert not wrong, f"{type(store).__name__} is no DataStore: {'; '.join(wrong)}"

    def test_p1_a_store_is_a_context_manager(self, store: Any) -> None:
        """`with` gives the store itself."""
        missing = {"__enter__", "__exit__"} - set(dir(type(store)))
        assert not missing, f"{type(store).__name__} lacks {sorted(missing)}"
        with store as entered:
            assert entered is store, f"`with store as s` gave {entered!r}, not the store"

    def test_p2_a_declared_capability_is_satisfied(
        self, store: Any, claimed: frozenset[str]
    ) -> None:
        """Each method of a declared capability is there and takes what the protocol's takes.

        What was added to a capability later, a method or an optional keyword, may be missing: core
        stands in. A method that is there takes the whole of today's signature or that of then.
        """
        unknown = claimed - CAPABILITIES.keys()
        assert not unknown, f"no such capability: {sorted(unknown)}"
        wrong = [
            f"{name} is declared, but {problem}"
            for name in sorted(claimed)
            for problem in _differences(store, CAPABILITIES[name])
        ]
        assert not wrong, f"{'; '.join(wrong)}: write what is missing, or do not declare it"

    def test_p2_a_capability_that_is_satisfied_is_declared(
        self, store: Any, claimed: frozenset[str]
    ) -> None:
        """A store that has all methods of a capability says so."""
        silent = [
            name
            for name, protocol in CAPABILITIES.items()
            if name not in claimed
            and all(hasattr(store, each) for each in _methods(protocol) if each not in ADDED)
        ]
        assert not silent, f"the store satisfies {silent}, which its spec does not declare"


def _methods(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_")]


def _methods_in(declared: frozenset[str]) -> frozenset[str]:
    """Return the methods of the declared capabilities."""
    known = (CAPABILITIES[name] for name in declared & CAPABILITIES.keys())
    return frozenset(name for protocol in known for name in _methods(protocol))


def _differences(store: Any, protocol: type, but_for: frozenset[str] = frozenset()) -> list[str]:
    """Return what a store lacks of a protocol, or takes otherwise."""
    wrong = []
    for name in _methods(protocol):
        method = getattr(store, name, None)
        if method is None and name in ADDED:
            continue
        if not callable(method):
            wrong.append(f"it lacks {name}")
        elif name not in but_for and _shape(method) not in _shapes(name, protocol):
            expected = inspect.signature(getattr(protocol, name))
            parameters = list(expected.parameters.values())[1:]
            wrong.append(
                f"it has {name}{inspect.signature(method)}, the protocol "
                f"{name}{expected.replace(parameters=parameters)}"
            )
    return wrong


def _shapes(name: str, protocol: type) -> list[list[tuple[str, Any, Any]]]:
    """Return the shapes that a method may have: today's, and the one before it has grown."""
    today = _shape(getattr(protocol, name))[1:]
    return [today, [each for each in today if each[0] not in GROWN.get(name, ())]]


def _shape(method: Any) -> list[tuple[str, Any, Any]]:
    """Return name, kind and default of each parameter; types may be written in any way."""
    parameters = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters]
