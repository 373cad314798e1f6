"""The laws, proven of this backend by storecore's conformance kit."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from storecore_sqlite import storecore_backend

from storecore import BackendSpec, DataStore, open_store
from storecore.testing import DataStoreSuite


class TestSqlite(DataStoreSuite):
    @pytest.fixture
    def spec(self) -> BackendSpec:
        return storecore_backend()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], DataStore]:
        return partial(open_store, "sqlite", path=tmp_path / "desk.db")

    @pytest.fixture
    def store(self, reopen: Callable[[], DataStore]) -> Iterator[DataStore]:
        with reopen() as store:
            yield store
