"""The suite that needs no code: any installed backend, by its name and options.

pytest --pyargs storecore.testing --storecore-backend NAME [--storecore-set key=value …]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from storecore.errors import StoreError
from storecore.plugins.spec import ResolvedSpec
from storecore.testing import DataStoreSuite
from storecore.testing.validation import Given, filled, has_words

_UNOPENED = pytest.StashKey[bool]()


class TestBackend(DataStoreSuite):
    """The backend that `--storecore-backend` names."""

    @classmethod
    def title(cls, backend: str | None) -> str:
        """Return the name of the backend."""
        return str(backend)

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """What `{tmp}` stands for, a new folder for each test."""
        folder = tmp_path / "place"
        folder.mkdir()
        return folder

    @pytest.fixture
    def unique(self) -> str:
        """What `{unique}` stands for, a short name that no other test has: of a schema, say."""
        return f"t{token_hex(6)}"

    @pytest.fixture
    def given(self, request: pytest.FixtureRequest) -> Given:
        """The backend, and its options as they were given."""
        return Given.of_run(request.config)

    @pytest.fixture
    def options(self, given: Given, place: Path, unique: str) -> Iterator[dict[str, Any]]:
        """The options of one test; what was made under a unique name is removed."""
        options = filled(given.options, str(place), unique)
        yield options
        if any("{unique}" in str(value) for value in given.options.values()):
            prepared = given.prepared(options)
            if prepared.spec.remove is not None:
                prepared.spec.remove(prepared.settings)

    @pytest.fixture
    def spec(self, given: Given, options: dict[str, Any]) -> ResolvedSpec:
        """The spec of the backend, for these options."""
        return given.prepared(options).spec

    @pytest.fixture
    def reopen(
        self, given: Given, options: dict[str, Any], spec: ResolvedSpec
    ) -> Callable[[], Any] | None:
        """Open the same place once more, if the backend promises anything of it."""
        return given.reopen(options) if spec.promises else None

    @pytest.fixture
    def nowhere(
        self, given: Given, options: dict[str, Any], spec: ResolvedSpec
    ) -> Callable[..., Any] | None:
        """Open a place in which no store has been made yet, if there is one and the backend can."""
        is_new = has_words(given.options)
        return given.asked_for(options) if is_new and spec.open_existing else None

    @pytest.fixture
    def store(
        self, request: pytest.FixtureRequest, given: Given, options: dict[str, Any]
    ) -> Iterator[Any]:
        """A store of the backend, in a place of its own. That none can be opened is said once."""
        if request.config.stash.get(_UNOPENED, False):
            pytest.skip("not tried: no store can be opened, as another test says")
        try:
            opened = given.prepared(options).open()
        except StoreError as error:
            request.config.stash[_UNOPENED] = True
            pytest.fail(f"{type(error).__name__}: {error}", pytrace=False)
        with opened as store:
            yield store
