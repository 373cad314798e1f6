"""All entries of a folder are seen, hidden ones too; what vanishes meanwhile is not among them."""

from __future__ import annotations

import os

from storecore_file.floor.looking import entries


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
