"""The room of state: a document a strategy, the old one or the new one and nothing else."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pytest

from storecore import StateVersion, open_store
from storecore.errors import (
    ConfigError,
    CorruptData,
    NotSerializable,
    StateConflict,
    StorageError,
)
from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk
from storecore_file.fs.seal import sealed


@pytest.fixture
def folder(base):
    return base / "state"


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        ("value_strategy", "value_strategy.json"),
        ("Value", "+V+alue.json"),
        ("a/b", "a%2Fb.json"),
        ("con", "%63on.json"),
    ],
)
def test_a_state_is_a_document_named_after_its_strategy(store, folder, strategy, name):
    store.save_strategy_state(strategy, {})
    assert visible(folder) == [name]


def test_a_state_is_json_that_says_whose_it_is(store, folder):
    store.save_strategy_state("value", {"positions": ["AAPL"]})
    fields = json.loads((folder / "value.json").read_text())
    assert len(fields.pop("crc32")) == 8
    assert fields.pop("saved") > 1_700_000_000_000_000
    assert fields == {"strategy": "value", "version": 1, "state": {"positions": ["AAPL"]}}


def test_a_state_that_was_never_saved_is_none(store):
    assert store.load_strategy_state("value") is None


def test_strategies_are_listed_by_name(store):
    long = "Ünïcødé" * 50
    for strategy in ("value", "Momentum", "a/b", long):
        store.save_strategy_state(strategy, {})
    assert store.strategies() == sorted(["value", "Momentum", "a/b", long])


def test_files_that_are_no_documents_are_no_strategies(store, folder):
    store.save_strategy_state("value", {})
    for name in ("notes.txt", ".value.json.0.tmp"):
        (folder / name).write_bytes(b"garbage")
    assert store.strategies() == ["value"]


def test_d5_every_flipped_bit_of_a_state_is_noticed(store, folder, flipped_bytes):
    store.save_strategy_state("value", {"cash": 100.25, "positions": {"AAPL": 3}})
    for _ in flipped_bytes(folder / "value.json"):
        with pytest.raises(CorruptData, match=r"value\.json: not a whole document"):
            store.load_strategy_state("value")


@pytest.mark.parametrize("length", [0, 1, 20, -1])
def test_d5_a_state_that_was_cut_is_corrupt_and_named(store, folder, length):
    store.save_strategy_state("value", {"cash": 100.25})
    path = folder / "value.json"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CorruptData) as caught:
        store.load_strategy_state("value")
    assert caught.value.path == str(path)


def test_d5_the_state_of_another_strategy_is_not_taken_for_this_one(store, folder):
    store.save_strategy_state("value", {"cash": 1})
    shutil.copy(folder / "value.json", folder / "momentum.json")
    with pytest.raises(CorruptData, match="expected the state of 'momentum', found 'value'"):
        store.load_strategy_state("momentum")


def test_d5_a_document_of_another_kind_is_not_taken_for_a_state(store, base, folder, fundamental):
    store.write_fundamental("AAPL", fundamental())
    (document,) = (base / "fundamentals" / "AAPL").iterdir()
    shutil.copy(document, folder / "value.json")
    with pytest.raises(CorruptData, match="not a whole document"):
        store.load_strategy_state("value")


def test_d5_a_strategy_whose_name_only_a_damaged_document_tells_is_no_guess(store, folder):
    store.save_strategy_state("x" * 300, {})
    (name,) = visible(folder)
    document = folder / name
    document.write_bytes(b"")
    with pytest.raises(CorruptData) as caught:
        store.strategies()
    assert caught.value.path == str(document)


@pytest.mark.parametrize("call", ["write", "fdatasync", "replace"])
def test_d2_a_state_that_cannot_be_replaced_stays(store, failing, call, monkeypatch):
    store.save_strategy_state("value", {"cash": 1})
    failing(call)
    with pytest.raises(StorageError, match=r"value\.json: cannot write"):
        store.save_strategy_state("value", {"cash": 2})
    monkeypatch.undo()
    assert store.load_strategy_state("value") == {"cash": 1}


def test_s1_a_state_that_is_refused_touches_no_file(store, folder):
    with pytest.raises(NotSerializable):
        store.save_strategy_state("value", {"when": {1}})
    assert list(folder.iterdir()) == []


# Versions.


def test_a_version_before_is_a_document_beside_the_state_that_no_glob_matches(store, folder):
    for cash in range(7):
        store.save_strategy_state("value", {"cash": cash})
    assert visible(folder) == ["value.json"]
    kept = {path.name: json.loads(path.read_text()) for path in folder.glob(".value.json.[0-9]")}
    assert sorted(kept) == [f".value.json.{version}" for version in (3, 4, 5, 6)]
    assert [kept[name]["state"]["cash"] for name in sorted(kept)] == [2, 3, 4, 5]


def test_d2_a_save_that_fails_leaves_every_version_that_there_was(store, failing, monkeypatch):
    for cash in range(7):
        store.save_strategy_state("value", {"cash": cash})
    before = store.state_history("value")
    failing("fdatasync")
    with pytest.raises(StorageError):
        store.save_strategy_state("value", {"cash": 7})
    monkeypatch.undo()
    assert store.state_history("value") == before


def test_a_state_that_was_saved_without_a_version_is_the_first(store, folder):
    document = sealed(b'{"strategy":"value","state":{"cash":1}}')
    (folder / "value.json").write_bytes(document)
    assert store.load_versioned_state("value") == StateVersion(1, {"cash": 1})
    store.save_strategy_state("value", {"cash": 2}, expect=1)
    assert [each.version for each in store.state_history("value")] == [2, 1]


def test_d5_a_version_in_the_place_of_another_is_not_read(store, folder):
    for cash in range(4):
        store.save_strategy_state("value", {"cash": cash})
    kept = folder / ".value.json.2"
    kept.write_bytes((folder / ".value.json.1").read_bytes())
    with pytest.raises(CorruptData, match=r"value\.json\.2: found version 1 of the state"):
        store.state_history("value")
    assert [each.place for each in store.verify().findings] == [str(kept)]


def test_d1_a_save_is_one_sync_of_the_document_and_one_of_its_folder(store, folder, syscalls):
    for cash in range(7):
        syscalls.clear()
        store.save_strategy_state("value", {"cash": cash})
    calls = [name for name, _ in syscalls]
    assert (calls.count("fdatasync"), calls.count("fsync")) == (1, 1)
    assert calls.index("fdatasync") < calls.index("replace") < calls.index("fsync")


def test_versions_are_kept_where_a_file_can_have_no_second_name(store, failing):
    failing("link", errno.EPERM)
    for cash in range(3):
        store.save_strategy_state("value", {"cash": cash})
    assert [each.state["cash"] for each in store.state_history("value")] == [2, 1, 0]


def test_d2_a_save_that_was_killed_before_the_state_was_replaced_is_done_again(
    store, failing, monkeypatch
):
    store.save_strategy_state("value", {"cash": 1})
    failing("replace")
    with pytest.raises(StorageError):
        store.save_strategy_state("value", {"cash": 2})
    monkeypatch.undo()
    store.save_strategy_state("value", {"cash": 3}, expect=1)
    assert [each.state["cash"] for each in store.state_history("value")] == [3, 1]


def test_restored_versions_are_the_documents_that_saves_would_have_made(store, folder, tmp_path):
    for cash in range(7):
        store.save_strategy_state("value", {"cash": cash})
    with FileDataStore(base_path=tmp_path / "other") as other:
        other.restore_state("value", store.state_history("value"), expect=0)
    there = tmp_path / "other" / "state"
    paths = [folder / "value.json", *folder.glob(".*.json.[0-9]")]
    saved = {path.name: path.read_bytes() for path in paths}
    assert {name: (there / name).read_bytes() for name in saved} == saved
    assert len(saved) == 5


def test_d2_a_restore_that_fails_leaves_the_state_and_its_history(store, failing, monkeypatch):
    store.save_strategy_state("value", {"cash": 1})
    failing("replace")
    with pytest.raises(StorageError):
        store.restore_state("value", [StateVersion(9, {}), StateVersion(8, {})], expect=1)
    monkeypatch.undo()
    assert store.state_history("value") == [StateVersion(1, {"cash": 1})]


def test_versions_of_its_own_that_a_restore_did_not_name_are_gone(store, folder):
    for cash in range(4):
        store.save_strategy_state("value", {"cash": cash})
    store.restore_state("value", [StateVersion(5, {}), StateVersion(2, {})], expect=4)
    assert [path.name for path in folder.glob(".*.json.[0-9]")] == [".value.json.2"]
    assert [each.version for each in store.state_history("value")] == [5, 2]


def test_d5_a_version_before_that_is_damaged_is_corrupt_and_named(store, folder):
    for cash in range(2):
        store.save_strategy_state("value", {"cash": cash})
    (folder / ".value.json.1").write_bytes(b"garbage")
    assert store.load_strategy_state("value") == {"cash": 1}
    with pytest.raises(CorruptData, match=r"\.value\.json\.1: not a whole document"):
        store.state_history("value")


def test_d5_a_damaged_state_is_not_overwritten(store, folder):
    store.save_strategy_state("value", {"cash": 1})
    (folder / "value.json").write_bytes(b"garbage")
    with pytest.raises(CorruptData, match=r"value\.json: not a whole document"):
        store.save_strategy_state("value", {"cash": 2})
    assert (folder / "value.json").read_bytes() == b"garbage"


COUNTER = """if True:
    import sys
    from storecore import StateConflict
    from storecore_file import FileDataStore

    with FileDataStore(sys.argv[1]) as store:
        sys.stdin.readline()
        done = 0
        while done < 20:
            loaded = store.load_versioned_state("value")
            count = (loaded.state or {"count": 0})["count"]
            try:
                store.save_strategy_state("value", {"count": count + 1}, expect=loaded.version)
                done += 1
            except StateConflict:
                pass
"""


def test_d4_processes_that_expect_what_they_loaded_lose_no_change(store, base, script):
    processes = [script(COUNTER, base) for _ in range(3)]
    for process in processes:
        print(file=process.stdin, flush=True)
    for process in processes:
        process.communicate(timeout=60)
    assert store.load_versioned_state("value") == StateVersion(60, {"count": 60})


# Deleting a state, and how many versions are kept.


def hidden(folder):
    return sorted(path.name for path in folder.glob(".*") if path.suffix != ".lock")


def saved(store, count, strategy="value"):
    for number in range(1, count + 1):
        store.save_strategy_state(strategy, {"n": number})


def versions(store, strategy="value"):
    return [each.version for each in store.state_history(strategy)]


def test_a_state_is_deleted_with_its_history(store, folder):
    saved(store, 9)
    saved(store, 9, "value.json")
    assert store.delete_strategy_state("value") is True
    assert store.load_strategy_state("value") is None
    assert store.load_versioned_state("value") == StateVersion(0, None)
    assert (store.state_history("value"), store.strategies()) == ([], ["value.json"])
    assert versions(store, "value.json") == [9, 8, 7, 6, 5]
    assert store.delete_strategy_state("value") is False
    assert [name for name in hidden(folder) if name.startswith(".value.json.")] == [
        ".value.json.deleted",
        *(f".value.json.json.{number}" for number in range(5, 9)),
    ]
    assert store.verify().ok


def test_a_state_that_was_deleted_goes_on_after_its_last_version(store, base, folder):
    saved(store, 9)
    store.delete_strategy_state("value")
    with FileDataStore(base) as later:  # which knows it from the disk alone
        later.save_strategy_state("value", {"n": 10}, expect=0)
        assert versions(later) == [10]
        assert hidden(folder) == []
        saved(later, 6)
        assert versions(later) == [16, 15, 14, 13, 12]
        later.delete_strategy_state("value")
        saved(later, 1)
        assert versions(later) == [17]


def test_what_is_left_of_a_deleted_state_is_its_version_and_nothing_else(store, folder):
    saved(store, 3)
    store.delete_strategy_state("value")
    left = json.loads((folder / ".value.json.deleted").read_bytes())
    assert (left["strategy"], left["version"], left["state"]) == ("value", 3, {})


def test_a_deletion_of_release_0_1_0_a_is_the_last_version_too(store, folder):
    """It renamed the state and removed the file later: what a crash has left has the number."""
    saved(store, 3)
    (folder / "value.json").rename(folder / ".value.json.deleted")
    saved(store, 1)
    assert versions(store) == [4]
    assert hidden(folder) == []


def test_d5_a_damaged_version_of_a_deleted_state_is_not_taken_for_none(store, folder):
    saved(store, 3)
    store.delete_strategy_state("value")
    left = folder / ".value.json.deleted"
    left.write_bytes(left.read_bytes().replace(b'"version":3', b'"version":2'))
    with pytest.raises(CorruptData, match=r"\.value\.json\.deleted"):
        store.save_strategy_state("value", {})
    assert [each.place for each in store.verify().findings] == [str(left)]
    store.repair()
    assert store.verify().ok
    saved(store, 1)
    assert versions(store) == [1]


def test_a_version_of_a_deleted_state_that_stays_beside_a_later_save_is_harmless(
    store, folder, monkeypatch
):
    saved(store, 3)
    store.delete_strategy_state("value")
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "drop", lambda self, path: (_ for _ in ()).throw(StorageError("x")))
        saved(store, 2)
    assert ".value.json.deleted" in hidden(folder)
    assert (versions(store), store.verify().ok) == ([5, 4], True)
    store.delete_strategy_state("value")
    saved(store, 1)
    assert versions(store) == [6]


def test_a_state_that_is_restored_after_a_deletion_has_the_numbers_of_its_store(store, folder):
    saved(store, 9)
    store.delete_strategy_state("value")
    store.restore_state("value", [], expect=0)
    assert hidden(folder) == [".value.json.deleted"]
    store.restore_state("value", [StateVersion(4, {}), StateVersion(3, {})], expect=0)
    assert versions(store) == [4, 3]
    saved(store, 1)
    assert versions(store) == [5, 4, 3]
    assert hidden(folder) == [".value.json.3", ".value.json.4"]


def test_only_the_expected_version_is_deleted(store, folder):
    saved(store, 2)
    with pytest.raises(StateConflict, match="at version 2, not 1"):
        store.delete_strategy_state("value", expect=1)
    assert versions(store) == [2, 1]
    assert store.delete_strategy_state("value", expect=2) is True
    assert store.delete_strategy_state("value", expect=0) is False
    with pytest.raises(StateConflict, match="at version 0, not 2"):
        store.delete_strategy_state("value", expect=2)


def test_a_store_without_states_has_none_to_delete(base):
    (base / "prices").mkdir(parents=True)
    with FileDataStore(base, create=False) as store:
        assert store.delete_strategy_state("value") is False
        with pytest.raises(StateConflict):
            store.delete_strategy_state("value", expect=2)
    assert not (base / "state").exists()


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("restored", [False, True])
def test_a_deletion_that_was_killed_is_finished_by_the_next_write(
    store, folder, monkeypatch, steps, restored
):
    saved(store, 9)
    real, calls = os.unlink, []

    def unlink(path, *args, **kwargs):
        calls.append(path)
        if len(calls) > steps:
            raise KeyboardInterrupt
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        patch.setattr(Disk, "_write_again", lambda self, path, content: None)
        with pytest.raises(KeyboardInterrupt):
            store.delete_strategy_state("value")
    assert store.state_history("value") == []
    assert store.verify().ok
    assert ".value.json.deleted" in hidden(folder)
    if restored:
        store.restore_state("value", [StateVersion(7, {"n": 7})], expect=0)
    else:
        saved(store, 1)
    assert len(versions(store)) == 1
    assert hidden(folder) == []


def test_history_that_cannot_be_removed_yet_is_no_error(store, folder, monkeypatch, caplog):
    saved(store, 3)
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "remove", lambda self, *paths: (_ for _ in ()).throw(StorageError("x")))
        assert store.delete_strategy_state("value") is True
    assert "is removed by the next save" in caplog.text
    saved(store, 1)
    assert versions(store) == [4]
    assert hidden(folder) == []


@pytest.fixture
def looked_at(monkeypatch):
    """The calls of the system that list a folder or look at a file, from now on."""
    calls = []

    def watch(name, real):
        def call(*args, **kwargs):
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("listdir", "scandir", "stat", "lstat"):
        watch(name, getattr(os, name))
    return calls


def test_the_work_of_a_deletion_does_not_grow_with_the_number_of_strategies(store, looked_at):
    counts = []
    for others in (1, 30):
        for number in range(others):
            store.save_strategy_state(f"other{number}", {})
        saved(store, 3, f"value{others}")
        looked_at.clear()
        store.delete_strategy_state(f"value{others}")
        counts.append(len(looked_at))
        assert not {"listdir", "scandir"} & set(looked_at)
    assert counts[0] == counts[1]


def test_versions_of_a_store_that_kept_more_go_with_the_state(base, folder):
    with FileDataStore(base, state_versions=20) as store:
        saved(store, 20)
    for gap in range(12, 16):  # one less than a store keeps versions
        (folder / f".value.json.{gap}").unlink()
    with FileDataStore(base, state_versions=1) as store:
        store.delete_strategy_state("value")
    assert hidden(folder) == [".value.json.deleted"]


def test_versions_far_below_those_that_are_restored_do_not_stay(store, folder):
    saved(store, 9)
    store.restore_state("value", [StateVersion(100, {"n": 100})], expect=9)
    assert hidden(folder) == []
    assert versions(store) == [100]


def test_d2_a_state_whose_deletion_is_not_durable_is_still_there(store, failing):
    saved(store, 3)
    failing("fsync", only=0)
    with pytest.raises(StorageError):
        store.delete_strategy_state("value")
    assert versions(store) == [3, 2, 1]


@pytest.mark.parametrize("kept", [1, 2, 9])
def test_a_store_keeps_as_many_versions_as_it_is_reported(base, folder, kept):
    with FileDataStore(base, state_versions=kept) as store:
        saved(store, 12)
        assert versions(store) == [*range(12, 12 - kept, -1)]
        assert len(hidden(folder)) == kept - 1
        store.restore_state("value", [StateVersion(n, {}) for n in range(30, 0, -1)], expect=None)
        assert versions(store) == [*range(30, 30 - kept, -1)]
        assert store.verify().ok


def test_a_store_that_keeps_fewer_versions_removes_the_others(base, folder):
    with FileDataStore(base, state_versions=9) as store:
        saved(store, 12)
    with FileDataStore(base, state_versions=2) as store:
        assert versions(store) == [12, 11]
        saved(store, 1)
        assert hidden(folder) == [".value.json.12"]
        assert store.verify().ok


@pytest.mark.parametrize("kept", [0, -1, 1.5, True, "5"])
def test_a_number_of_versions_that_is_none_is_refused(base, kept):
    with pytest.raises(ConfigError, match="state_versions"):
        FileDataStore(base, state_versions=kept)
    assert not base.exists()


def test_the_number_of_versions_is_an_option_of_the_config(base):
    with open_store("file", base_path=str(base), state_versions=1) as store:
        saved(store, 3)
        assert versions(store) == [3]
