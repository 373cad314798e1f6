"""The suite that needs no code: any installed backend, by its name and options.

pytest --pyargs storecore.testing --storecore-backend NAME [--storecore-set key=value …]
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storecore.config.open import open_store, prepare
from storecore.plugins.spec import ResolvedSpec
from storecore.testing.suite import DataStoreSuite


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
    def options(self, request: pytest.FixtureRequest, place: Path) -> dict[str, Any]:
        """The options of the command line."""
        config = request.config
        name = config.getoption("storecore_backend")
        if name is None:
            pytest.fail("which backend? give --storecore-backend NAME", pytrace=False)
        settings = (each.partition("=") for each in config.getoption("storecore_set"))
        options = {key.strip(): _value(value, place) for key, _, value in settings}
        return {"backend": name, **options}

    @pytest.fixture
    def spec(self, options: dict[str, Any]) -> ResolvedSpec:
        """The spec of the backend, for these options."""
        return prepare(options).spec

    @pytest.fixture
    def reopen(self, options: dict[str, Any], spec: ResolvedSpec) -> Callable[[], Any] | None:
        """Open the same place once more, if the backend says that it outlives a store."""
        return partial(open_store, options) if "durable" in spec.promises else None

    @pytest.fixture
    def nowhere(
        self, request: pytest.FixtureRequest, options: dict[str, Any], spec: ResolvedSpec
    ) -> Callable[..., Any] | None:
        """Open the place of `{tmp}`, in which no store has been made yet, if the backend can."""
        is_new = any("{tmp}" in each for each in request.config.getoption("storecore_set"))
        return partial(open_store, options) if is_new and spec.open_existing else None

    @pytest.fixture
    def store(self, options: dict[str, Any]) -> Iterator[Any]:
        """A store of the backend, in a place of its own."""
        with open_store(options) as store:
            yield store


def _value(text: str, place: Path) -> Any:
    """Return a text as the TOML value that it is, or as it is, `{tmp}` in it replaced."""
    text = text.replace("{tmp}", str(place))
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if document.keys() == {"value"} else text
