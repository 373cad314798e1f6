"""What is moved aside keeps its content, and both folders are durable."""

from __future__ import annotations

import pytest

from storecore import StorageError
from storecore_file.floor.aside import copy_aside, set_aside
from storecore_file.floor.disk import Disk


def test_a_file_is_moved_and_both_folders_are_synced(tmp_path, syscalls):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "a.json").write_bytes(b"x")
    set_aside(Disk("full"), tmp_path / "state" / "a.json", tmp_path / "aside" / "now" / "a.json")
    assert (tmp_path / "aside" / "now" / "a.json").read_bytes() == b"x"
    assert not (tmp_path / "state" / "a.json").exists()
    assert syscalls[-3:] == [("rename", "a.json"), ("fsync", "now"), ("fsync", "state")]


def test_a_file_that_cannot_be_moved_is_an_error_that_names_it(tmp_path):
    with pytest.raises(StorageError, match="cannot move aside") as caught:
        set_aside(Disk("os"), tmp_path / "none", tmp_path / "aside" / "none")
    assert caught.value.path == str(tmp_path / "none")


def test_a_copy_stays_when_the_file_is_replaced(tmp_path, failing):
    path, disk = tmp_path / "a.json", Disk("full")
    for name in ("linked", "copied"):
        path.write_bytes(name.encode())
        if name == "copied":
            failing("link")
        copy_aside(disk, path, tmp_path / "aside" / name)
        disk.replace(path, b"new")
        assert (tmp_path / "aside" / name).read_bytes() == name.encode()
