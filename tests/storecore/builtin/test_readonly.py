"""The readonly backend reads what another store holds, and refuses every write."""

from __future__ import annotations

import errno
from datetime import date

import pytest

from storecore import AuditTrail, Catalog, DataStore, StorageError, open_store
from storecore.protocols import DiskUsage

WRITES = ["write_bars", "write_fundamental", "write_event", "save_strategy_state"]
LOGS = ["log_decision", "log_order"]
EVER = date.min, date.max


@pytest.fixture
def readonly(tmp_path, bar):
    nested = {"backend": "file", "base_path": tmp_path / "data"}
    with open_store(nested) as store:
        store.write_bars("AAPL", [bar()])
    with open_store("readonly", store=nested) as store:
        yield store


def test_it_reads_what_is_there(readonly, bar):
    assert readonly.read_bars("AAPL", bar().date, bar().date) == [bar()]


@pytest.mark.parametrize("name", WRITES + LOGS)
def test_every_write_is_refused_whatever_it_is_given(readonly, writes, name):
    with pytest.raises(StorageError, match=rf"{name}: ReadonlyStore\(FileDataStore.*") as caught:
        getattr(readonly, name)(**writes[name])
    assert caught.value.errno == errno.EROFS


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("write_bar_table", (None,)),
        ("write_events", ([],)),
        ("write_fundamentals", ([],)),
        ("delete_bars", ("AAPL", *EVER)),
        ("log_decisions", ("value", [])),
        ("log_orders", ("value", [])),
        ("append_audit", ("orders", EVER[0], [])),
    ],
)
def test_every_write_of_a_capability_is_refused_too(readonly, bar, name, given):
    with pytest.raises(StorageError, match=f"{name}: ReadonlyStore"):
        getattr(readonly, name)(*given)
    assert readonly.read_bars("AAPL", *EVER) == [bar()]


def test_a_state_is_not_saved_whatever_version_is_expected(readonly):
    with pytest.raises(StorageError, match="save_strategy_state: ReadonlyStore"):
        readonly.save_strategy_state("value", {}, expect=0)
    with pytest.raises(StorageError, match="restore_state: ReadonlyStore"):
        readonly.restore_state("value", [], expect=0)
    assert readonly.load_versioned_state("value").version == 0
    assert readonly.state_history("value") == []


def test_tables_and_streams_are_read(readonly, bar):
    assert readonly.read_bar_table("AAPL", *EVER)["close"].to_pylist() == [bar().close]
    (table,) = readonly.iter_bar_tables("AAPL", *EVER)
    assert table["close"].to_pylist() == [bar().close]


def test_it_has_the_capabilities_of_the_store_in_it(readonly):
    protocols = (DataStore, Catalog, AuditTrail, DiskUsage)
    assert all(isinstance(readonly, each) for each in protocols)
    assert not isinstance(open_store("readonly", store={"backend": "memory"}), DiskUsage)


def test_a_call_that_does_not_fit_is_a_type_error(readonly):
    with pytest.raises(TypeError, match="missing a required argument"):
        readonly.write_bars("AAPL")
