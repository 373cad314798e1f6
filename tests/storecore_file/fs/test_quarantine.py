"""What is moved aside keeps its content, and both folders are durable."""

from __future__ import annotations

import os

import pytest

from storecore import StorageError
from storecore_file.fs.disk import Disk
from storecore_file.fs.quarantine import copy_to_quarantine, move_to_quarantine
from storecore_file.fs.stat import identity_at


def test_a_file_is_moved_and_both_folders_are_synced(tmp_path, syscalls):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "a.json").write_bytes(b"x")
    path, into = tmp_path / "state" / "a.json", tmp_path / "aside" / "now" / "a.json"
    assert move_to_quarantine(Disk("full"), path, into, identity_at(path))
    assert (tmp_path / "aside" / "now" / "a.json").read_bytes() == b"x"
    assert not (tmp_path / "state" / "a.json").exists()
    assert syscalls[-3:] == [("rename", "a.json"), ("fsync", "now"), ("fsync", "state")]


def test_a_file_that_cannot_be_moved_is_an_error_that_names_it(tmp_path, failing):
    path = tmp_path / "a.json"
    path.write_bytes(b"x")
    failing("rename")
    with pytest.raises(StorageError, match="cannot move aside") as caught:
        move_to_quarantine(Disk("os"), path, tmp_path / "aside" / "a.json", identity_at(path))
    assert caught.value.path == str(path)


def test_a_file_that_is_gone_is_not_moved(tmp_path):
    path = tmp_path / "a.json"
    assert not move_to_quarantine(Disk("os"), path, tmp_path / "aside" / "a.json", (1, 2))
    assert list((tmp_path / "aside").iterdir()) == []


def test_a_file_that_has_taken_the_place_of_the_judged_one_is_not_moved(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"new")
    assert not move_to_quarantine(Disk("os"), path, tmp_path / "aside" / "a.json", (1, 2))
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("newest", [False, True])
def test_one_that_takes_its_place_at_the_last_moment_is_put_back(tmp_path, monkeypatch, newest):
    path, into = tmp_path / "a.json", tmp_path / "aside" / "a.json"
    path.write_bytes(b"judged")
    judged, rename = identity_at(path), os.rename

    def replaced(source, target):
        path.with_name("b").write_bytes(b"new")
        os.replace(path.with_name("b"), path)
        rename(source, target)
        if newest:
            path.write_bytes(b"newest")

    monkeypatch.setattr(os, "rename", replaced)
    assert not move_to_quarantine(Disk("os"), path, into, judged)
    assert path.read_bytes() == (b"newest" if newest else b"new")
    assert not into.exists()


def test_a_copy_stays_when_the_file_is_replaced(tmp_path, failing):
    path, disk = tmp_path / "a.json", Disk("full")
    for name in ("linked", "copied"):
        path.write_bytes(name.encode())
        if name == "copied":
            failing("link")
        copy_to_quarantine(disk, path, tmp_path / "aside" / name)
        disk.replace(path, b"new")
        assert (tmp_path / "aside" / name).read_bytes() == name.encode()
