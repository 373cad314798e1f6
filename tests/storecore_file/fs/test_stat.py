"""All entries of a folder are seen, hidden ones too; what vanishes meanwhile is not among them."""

from __future__ import annotations

import os

from storecore_file.fs.handles import OpenFile
from storecore_file.fs.stat import NO_FILE, entries, identity_at, is_there, state_at, type_at


def test_hidden_files_and_folders_are_listed_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    for name in (".hidden", "a"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (5, 5))
    found = entries(tmp_path)
    assert [(each.name, each.is_folder) for each in found] == [
        (".hidden", False),
        ("a", False),
        ("b", True),
    ]
    assert found[0].changed == 5


def test_a_folder_that_is_missing_has_none(tmp_path):
    assert entries(tmp_path / "none") == []


def test_a_link_to_nowhere_is_listed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    assert [each.name for each in entries(tmp_path)] == ["link"]


def test_a_file_that_a_call_reads_a_part_of_is_read_on(tmp_path, monkeypatch):
    """One call reads 2 GiB at most."""
    path, real = tmp_path / "a", os.pread
    path.write_bytes(b"0123456789")
    monkeypatch.setattr(os, "pread", lambda file, length, at: real(file, min(length, 3), at))
    with OpenFile(path) as file:
        assert (file.read(0), file.read(4), file.read(20)) == (b"0123456789", b"456789", b"")


def test_a_file_that_becomes_shorter_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with OpenFile(path) as file:
        os.truncate(path, 4)
        assert file.read(0) == b"0123"


def test_what_cannot_be_looked_at_counts_as_there(tmp_path, monkeypatch):
    assert not is_there(tmp_path / "none")
    assert is_there(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", refuse)
    assert is_there(tmp_path / "none")


def test_what_lies_at_a_path_is_told_or_none(tmp_path):
    assert type_at(tmp_path) == "folder"
    assert type_at(tmp_path / "none") is identity_at(tmp_path / "none") is None


def test_an_entry_that_cannot_be_looked_at_says_why(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", refuse)
    (entry,) = entries(tmp_path)
    assert (entry.name, entry.problem) == ("a", "cannot look at it: Permission denied")


def test_an_entry_that_is_gone_by_now_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "listdir", lambda folder: ["gone"])
    assert entries(tmp_path) == []


def test_the_state_of_a_file_says_when_it_was_changed_though_its_times_are_set(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    before = state_at(str(path))
    os.utime(path, ns=(0, before[3]))
    assert state_at(str(path))[:4] == before[:4]
    assert state_at(str(path)) != before


def test_the_state_of_what_cannot_be_looked_at_is_unknown(tmp_path):
    (tmp_path / "a").touch()
    assert state_at(str(tmp_path / "none")) == NO_FILE
    assert state_at(str(tmp_path / "a" / "b")) is None
