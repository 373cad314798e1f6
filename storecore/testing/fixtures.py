"""What a suite may be given, and what its tests are given in turn: the base of every law's tests.

Who inherits `DataStoreSuite` gives fixtures: `store`, and as far as they apply `reopen`, `spec`,
`place`, `nowhere`, `writer` and `tamper`. What begins with `test_`, and every other name, is the
kit's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storecore.errors import StorageError
from storecore.plugins.spec import BackendSpec, ResolvedSpec
from storecore.protocols import ADDED, CAPABILITIES, GROWN, METHODS, OPENED
from storecore.store.questions import has_method
from storecore.testing.recorder import Recorder

GIVEN = frozenset(
    {"store", "reopen", "spec", "place", "nowhere", "writer", "tamper", "known_failures"}
)
Tamper = Callable[[str, Callable[[list[bytes]], list[bytes]]], bool | None]


def lacking(store: Any, capability: str) -> list[str]:
    """Return the methods of a capability that a store lacks; of an unknown one, its name."""
    protocol = CAPABILITIES.get(capability)
    if protocol is None:
        return [capability]
    methods = [name for name in vars(protocol) if name[0] != "_" and name not in ADDED]
    return [name for name in methods if not callable(getattr(store, name, None))]


class Fixtures:
    """The fixtures that a suite may override, with what holds where it does not."""

    known_failures: ClassVar[Mapping[str, str]] = {}
    """Tests that are known to fail, each with the reason. One that passes after all is an error."""

    @pytest.fixture
    def store(self) -> Any:
        """A fresh, open, empty store. Required; close it after its `yield`."""
        pytest.fail(f"{type(self).__name__} gives no fixture `store`: an open, empty DataStore")

    @pytest.fixture
    def reopen(self) -> Callable[[], Any] | None:
        """A callable that opens the place of `store` once more, or None for a store without one.

        For stores that promise to be durable or shared it must be picklable, as
        `functools.partial(MyStore, path)` is: other processes call it.
        """
        return None

    @pytest.fixture
    def spec(self) -> BackendSpec | None:
        """The backend's spec, resolved for a config if it is a wrapper's; it is held to it."""
        return None

    @pytest.fixture
    def place(self) -> Path | None:
        """The folder in which `store`, and nothing else, keeps its files, or None.

        A store that is one file has it in this folder.
        """
        return None

    @pytest.fixture
    def nowhere(self) -> Callable[..., Any] | None:
        """A callable that opens a place that holds no store yet, or None.

        It is called as `open_store(…, create=create)` is: `nowhere(create=False)` must raise
        `NoStore`. Then `nowhere(create=True)` must create a store there, which
        `nowhere(create=False)` opens to read and write.
        """
        return None

    @pytest.fixture
    def writer(self, store: Any) -> Any:
        """The store that the kit writes through: `store` itself, unless that one only reads."""
        return store

    @pytest.fixture
    def tamper(self) -> Tamper | None:
        """A callable that changes stored records behind the store's back, or None.

        `tamper(log, change)` puts `change(lines)` in the place of the lines of a log, "decisions"
        or "orders": each a record as JSON bytes with its newline, the oldest first, as it was
        logged. What is left is numbered from 1; the end of the chain stays as it is. It may be
        called again after a log was emptied, to put its lines back. It returns False if the medium
        itself cannot hold them so: two records of one number, say. Without it law A3 is "not tried"
        in the report, however well its other tests went.
        """
        return None

    # What follows is given to the tests.

    @pytest.fixture
    def subject(self, store: Any, writer: Any) -> Recorder:
        """The store under test; its calls are reported when a law is broken."""
        return Recorder(store, writer)

    @pytest.fixture
    def claimed(self, request: pytest.FixtureRequest, spec: ResolvedSpec | None) -> frozenset[str]:
        """The capabilities that the spec declares; without a spec, those that the store has.

        An optional one counts only if the store has it.
        """
        declared = frozenset(CAPABILITIES) if spec is None else spec.capabilities
        sure = frozenset() if spec is None else declared - spec.optional
        if sure == declared:
            return declared
        store = request.getfixturevalue("store")
        held = (
            name for name in declared & CAPABILITIES.keys() if isinstance(store, CAPABILITIES[name])
        )
        return sure | frozenset(held)

    @pytest.fixture
    def declared(self, store: Any, claimed: frozenset[str]) -> frozenset[str]:
        """The declared capabilities whose methods are there; law P2 tells of the others, once."""
        return frozenset(name for name in claimed if not lacking(store, name))

    @pytest.fixture
    def having(
        self, request: pytest.FixtureRequest, claimed: frozenset[str]
    ) -> Callable[[str], Recorder]:
        """Return the subject if it declares a capability; else the test is skipped, and says so.

        Where it is skipped no store is opened: opening may be what a test costs.
        """

        def with_capability(name: str) -> Recorder:
            if name not in claimed:
                pytest.skip(f"the backend does not declare the capability {name}")
            subject: Recorder = request.getfixturevalue("subject")
            missing = lacking(request.getfixturevalue("store"), name)
            if missing:
                pytest.skip(f"not tried: declared, but {', '.join(missing)} is missing (law P2)")
            return subject

        return with_capability

    @pytest.fixture
    def current(self, store: Any, writer: Any, declared: frozenset[str]) -> frozenset[str]:
        """The declared capabilities, and the later methods that the store has as of today.

        Core provides what is missing, or says that it is missing: the kit does not try it.
        """
        later = ADDED | GROWN.keys() | OPENED
        names = {name for name in later if METHODS[name].capability in {"", *declared}}
        found = {n for n in names if has_method(writer if METHODS[n].is_write else store, n)}
        if "write_bar_table" in found and not _replaces(writer):
            found.remove("write_bar_table")
        return declared | found

    @pytest.fixture
    def offering(self, subject: Recorder, current: frozenset[str]) -> Callable[..., Recorder]:
        """Return the subject if it has methods as of today; else the test is skipped."""

        def with_methods(*names: str) -> Recorder:
            lacking = [name for name in names if name not in current]
            if lacking:
                pytest.skip(f"core provides what the backend lacks: {', '.join(lacking)}")
            return subject

        return with_methods

    @pytest.fixture
    def promised(
        self, spec: ResolvedSpec | None, reopen: Callable[[], Any] | None
    ) -> Callable[[str], Callable[[], Any]]:
        """Return `reopen` if the spec makes a promise; else the test is skipped, and says so.

        A promise without `reopen` is not tried: no other process could open the place.
        """

        def with_promise(name: str) -> Callable[[], Any]:
            if spec is None or name not in spec.promises:
                pytest.skip(f"the backend does not promise to be {name}")
            if reopen is None:
                pytest.skip(f"not tried: promised to be {name}, but the suite gives no `reopen`")
            return reopen

        return with_promise

    @pytest.fixture
    def fresh_name(self, subject: Recorder) -> Callable[[], str]:
        """Give a name that no other example of the test has used; a new example begins."""
        numbers = itertools.count()

        def fresh() -> str:
            subject.forget()
            return f"S{next(numbers)}"

        return fresh


def _replaces(writer: Any) -> bool:
    """Return whether a store replaces whole series, by replacing none."""
    from storecore.testing.records import bar_table

    try:
        writer.write_bar_table(bar_table([]), replace=True)
    except StorageError:
        return False
    return True
