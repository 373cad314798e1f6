"""The laws, proven of this backend by storecore's conformance kit."""

from functools import partial

import pytest
from storecore_sqlite import storecore_backend

from storecore import open_store
from storecore.testing import DataStoreSuite


class TestSqlite(DataStoreSuite):
    @pytest.fixture
    def spec(self):
        return storecore_backend()

    @pytest.fixture
    def reopen(self, tmp_path):
        return partial(open_store, "sqlite", path=tmp_path / "desk.db")

    @pytest.fixture
    def store(self, reopen):
        with reopen() as store:
            yield store
