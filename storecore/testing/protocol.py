"""Laws P1 and P2: ten methods, declared capabilities, and no other signatures."""

from __future__ import annotations

import inspect
from typing import Any

from storecore.protocols import ADDED, CAPABILITIES, GROWN, OPENED, DataStore, declaration
from storecore.testing.fixtures import Fixtures


class ProtocolLaws(Fixtures):
    """What a store is, before it is used."""

    def test_p1_a_store_has_the_ten_methods_with_the_protocols_signatures(self, store: Any) -> None:
        """Each method of `DataStore` is there and takes what the protocol's takes.

        It may also take the optional keywords that a capability adds to it; law P2 holds it to
        those of the capabilities that it declares.
        """
        wrong = _differences(store, DataStore)
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


def _differences(store: Any, protocol: type) -> list[str]:
    """Return what a store lacks of a protocol, or takes otherwise."""
    wrong = []
    for name in _methods(protocol):
        method = getattr(store, name, None)
        if method is None and name in ADDED:
            continue
        if not callable(method):
            wrong.append(f"it lacks {name}")
        elif not _fits(_shape(method), name, protocol):
            expected = inspect.signature(getattr(protocol, name))
            parameters = list(expected.parameters.values())[1:]
            wrong.append(
                f"it has {name}{inspect.signature(method)}, the protocol "
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
    parameters = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters]
