"""Laws P1 and P2: ten methods, declared capabilities, and no other signatures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from storecore.plugins.conformity import differences, undeclared
from storecore.plugins.spec import PROMISES, ResolvedSpec
from storecore.protocols import CAPABILITIES, DataStore
from storecore.testing.fixtures import Fixtures
from storecore.values.suggestions import did_you_mean


class ProtocolLaws(Fixtures):
    """What a store is, before it is used."""

    def test_p1_a_store_has_the_ten_methods_with_the_protocols_signatures(self, store: Any) -> None:
        """Each method of `DataStore` is there and takes what the protocol's takes.

        It may also take the optional keywords that a capability adds to it; law P2 holds it to
        those of the capabilities that it declares.
        """
        wrong = differences(store, DataStore)
        assert not wrong, f"{type(store).__name__} is no DataStore: {'; '.join(wrong)}"

    def test_p1_a_store_is_a_context_manager(self, store: Any) -> None:
        """`with` gives the store itself."""
        missing = {"__enter__", "__exit__"} - set(dir(type(store)))
        assert not missing, f"{type(store).__name__} lacks {sorted(missing)}"
        with store as entered:
            assert entered is store, f"`with store as s` gave {entered!r}, not the store"

    def test_p2_a_declared_capability_is_satisfied(
        self, store: Any, claimed: frozenset[str], spec: ResolvedSpec | None
    ) -> None:
        """Each method of a declared capability is there and takes what the protocol's takes.

        What was added to a capability later, a method or an optional keyword, may be missing: core
        stands in. A method that is there takes the whole of today's signature or that of then.
        """
        optional, promises = (spec.optional, spec.promises) if spec else (frozenset(),) * 2
        unknown = (claimed | optional) - CAPABILITIES.keys()
        assert not unknown, f"no such capability: {_listed(unknown, CAPABILITIES)}"
        unkept = promises - PROMISES.keys()
        assert not unkept, f"no such promise: {_listed(unkept, PROMISES)}"
        wrong = [
            f"{name} is declared, but {problem}"
            for name in sorted(claimed)
            for problem in differences(store, CAPABILITIES[name])
        ]
        assert not wrong, f"{'; '.join(wrong)}: write what is missing, or do not declare it"

    def test_p2_a_capability_that_is_satisfied_is_declared(
        self, store: Any, claimed: frozenset[str]
    ) -> None:
        """A store that has all methods of a capability says so."""
        silent = undeclared(store, claimed)
        assert not silent, f"the store satisfies {silent}, which its spec does not declare"


def _listed(names: Iterable[str], known: Iterable[str]) -> str:
    """Return unknown names with the nearest known ones, and then all known ones."""
    near = ", ".join(f"{name!r}{did_you_mean(str(name), known)}" for name in sorted(names, key=str))
    return f"{near}; there are {', '.join(sorted(known))}"
