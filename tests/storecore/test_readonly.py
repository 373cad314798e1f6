"""The readonly backend reads what another store holds, and refuses every write."""

from __future__ import annotations

import errno

import pytest

from storecore import AuditTrail, Catalog, DataStore, StorageError, open_store
from storecore.capabilities import DiskUsage

WRITES = ["write_bars", "write_fundamental", "write_event", "save_strategy_state"]
LOGS = ["log_decision", "log_order"]


@pytest.fixture
def readonly(tmp_path, bar):
    inner = {"backend": "file", "base_path": tmp_path / "data"}
    with open_store(inner) as store:
        store.write_bars("AAPL", [bar()])
    with open_store("readonly", store=inner) as store:
        yield store


def test_it_reads_what_is_there(readonly, bar):
    assert readonly.read_bars("AAPL", bar().date, bar().date) == [bar()]


@pytest.mark.parametrize("name", WRITES + LOGS)
def test_every_write_is_refused_whatever_it_is_given(readonly, writes, name):
    with pytest.raises(StorageError, match=rf"{name}: ReadonlyStore\(FileDataStore.*") as caught:
        getattr(readonly, name)(**writes[name])
    assert caught.value.errno == errno.EROFS


def test_it_has_the_capabilities_of_the_store_in_it(readonly):
    protocols = (DataStore, Catalog, AuditTrail, DiskUsage)
    assert all(isinstance(readonly, each) for each in protocols)
    assert not isinstance(open_store("readonly", store={"backend": "memory"}), DiskUsage)


def test_a_call_that_does_not_fit_is_a_type_error(readonly):
    with pytest.raises(TypeError, match="missing a required argument"):
        readonly.write_bars("AAPL")
