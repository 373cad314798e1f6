"""A store of files that is opened with `create=False`: what it lacks is read as empty."""

from __future__ import annotations

import errno
import os
import pickle
from datetime import date

import pytest

from storecore import ConfigError, NoStore, StateVersion, StorageError
from storecore.testing.records import bar_table
from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk

ALL = date.min, date.max


@pytest.fixture
def existing(tmp_path):
    """Open what is in the folder `data`, made with these folders in it."""

    def open_existing(*folders, **options):
        for folder in folders:
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
        return FileDataStore(tmp_path / "data", create=False, **options)

    return open_existing


@pytest.fixture
def tree(tmp_path):
    """Return all that is below the folder of the test."""
    return lambda: sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))


def test_a_folder_that_is_missing_is_no_store(existing, tmp_path):
    with pytest.raises(NoStore, match=f"^no store at {tmp_path}/data: there is no such folder; "):
        existing()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_store(existing, tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(NoStore, match="it is no folder"):
        existing()


def test_a_path_below_a_file_is_no_store(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NoStore, match="there is no such folder"):
        FileDataStore(tmp_path / "file" / "data", create=False)


def test_a_link_to_itself_cannot_be_looked_at(tmp_path):
    (tmp_path / "data").symlink_to(tmp_path / "data")
    with pytest.raises(StorageError, match="cannot look at") as caught:
        FileDataStore(tmp_path / "data", create=False)
    assert not isinstance(caught.value, NoStore)


@pytest.mark.parametrize("folder", [".", "price", "aside", ".git"])
def test_a_folder_of_anything_else_is_no_store(existing, tree, folder):
    with pytest.raises(NoStore, match="the folder has none of prices, fundamentals, events, state"):
        existing(folder)
    assert len(tree()) <= 2


def test_a_file_of_the_name_of_a_kind_makes_no_store(existing, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prices").touch()
    with pytest.raises(NoStore):
        existing()


def test_a_folder_that_cannot_be_looked_at_is_a_storage_error(existing, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("os.stat", refuse)
        with pytest.raises(StorageError, match="cannot look at: Permission denied") as caught:
            existing()
    assert not isinstance(caught.value, NoStore)


@pytest.mark.parametrize("kind", ["prices", "fundamentals", "events", "state", "audit"])
def test_one_kind_of_data_makes_a_store_and_the_others_are_empty(existing, tree, kind):
    with existing(kind) as store:
        before = tree()
        assert store.symbols() == store.timeframes("AAPL") == store.strategies() == []
        assert store.read_bars("AAPL", *ALL) == store.read_events(*ALL) == []
        assert store.read_bar_table(["AAPL"], *ALL).num_rows == 0
        assert store.read_fundamental("AAPL") is None
        assert store.load_versioned_state("value") == StateVersion(0, None)
        assert store.read_decisions(*ALL) == store.read_orders(*ALL) == []
        assert [*store.iter_events(), *store.iter_fundamentals(), *store.iter_audit("orders")] == []
        assert store.delete_bars("AAPL", *ALL) == 0
        assert store.verify_audit().checked == store.verify().checked == 0
        assert store.compact().ok
    assert tree() == before


WRITES = {
    "prices": lambda store, make: store.write_bars("AAPL", [make("bar")()]),
    "fundamentals": lambda store, make: store.write_fundamentals([make("fundamental")()]),
    "events": lambda store, make: store.write_event(make("event")()),
    "state": lambda store, make: store.save_strategy_state("value", {"cash": 1}),
    "audit/decisions": lambda store, make: store.log_decision("value", make("decision")()),
    "audit/orders": lambda store, make: store.log_orders("value", [make("sent")()]),
}
OTHER_WRITES = {
    "prices": lambda store, make: store.write_bar_table(bar_table([make("bar")()])),
    "fundamentals": lambda store, make: store.write_fundamental("AAPL", make("fundamental")()),
    "audit/decisions": lambda store, make: store.log_decisions("value", [make("decision")()]),
    "audit/orders": lambda store, make: store.log_order("value", *make("sent")()),
    "events": lambda store, make: store.write_events([make("event")()]),
    "state": lambda store, make: store.restore_state("value", [StateVersion(1, {})], expect=None),
}


@pytest.mark.parametrize(
    ("folder", "write"), [*WRITES.items(), *OTHER_WRITES.items()], ids=lambda each: str(each)[:9]
)
def test_the_first_write_of_a_kind_makes_its_folder_and_no_other(
    existing, request, tmp_path, folder, write
):
    first = "state" if folder != "state" else "prices"
    with existing(first) as store:
        write(store, request.getfixturevalue)
        write(store, request.getfixturevalue)
    made = {path for path in os.listdir(tmp_path / "data") if not path.startswith(".")}
    assert made == {first, folder.split("/")[0]}
    assert any((tmp_path / "data" / folder).iterdir())


def test_what_is_written_is_read_by_others(existing, tmp_path, bar, decision):
    with existing("prices") as store:
        store.write_bars("AAPL", [bar()])
        store.log_decision("value", decision())
    with FileDataStore(tmp_path / "data") as store:
        assert store.read_bars("AAPL", *ALL) == [bar()]
        assert store.verify_audit().checked == 1


def test_records_of_another_store_are_taken(existing, tmp_path, decision):
    with FileDataStore(tmp_path / "other") as other:
        other.log_decision("value", decision())
        (record,) = other.iter_audit("decisions")
    with existing("prices") as store:
        store.append_audit("decisions", record.day, [record.line])
        assert [each.line for each in store.iter_audit("decisions")] == [record.line]


def test_d1_the_name_of_a_folder_is_made_durable_before_the_first_write(
    existing, tmp_path, syscalls
):
    with existing("state") as store:
        before = len(syscalls)
        store.save_strategy_state("value", {})
    synced = [args for name, args in syscalls[before:] if name == "fsync"]
    assert len(synced) >= 2  # the folder that holds the room's, then the room's


def test_a_folder_that_vanishes_is_not_made_again(existing, tmp_path, event):
    with existing("prices") as store:
        (tmp_path / "data").rename(tmp_path / "gone")
        with pytest.raises(StorageError, match="the store's folder has vanished"):
            store.write_event(event())
    assert not (tmp_path / "data").exists()


def test_a_copy_of_the_store_goes_on(existing, tmp_path):
    with existing("prices") as store, pickle.loads(pickle.dumps(store)) as copy:
        copy.save_strategy_state("value", {"cash": 1})
        assert store.load_strategy_state("value") == {"cash": 1}


def test_a_url_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="base_path: expected a folder, got what looks like"):
        FileDataStore("acme://user:secret@host/data")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_looked_at_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    def size(disk, path):
        raise StorageError(f"{path}: permission denied", path, errno.EACCES)

    monkeypatch.setattr(Disk, "size", size)
    with pytest.raises(StorageError, match="permission denied") as caught:
        FileDataStore(tmp_path / "there", create=False)
    assert not isinstance(caught.value, NoStore)
