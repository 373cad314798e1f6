"""Law D2: files whose change cannot be made to last are what they were before."""

from __future__ import annotations

import errno
import itertools
import os

import pytest

from storecore.errors import StorageError
from storecore_file.fs.disk import Disk

OLD = {"a": b"old a", "b": b"old b", "c": b"old c"}


@pytest.fixture
def disk():
    return Disk("full")


@pytest.fixture
def folder(tmp_path):
    for name, content in OLD.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def exchange(disk, folder):
    staged = []
    for name in ("a", "d"):
        disk.stage(folder / name, b"new", staged)
    disk.exchange(staged, [folder / name for name in ("b", "c", "none")])


def test_files_are_put_and_others_removed(disk, folder):
    exchange(disk, folder)
    assert content(folder) == {"a": b"new", "d": b"new"}


@pytest.fixture
def fails_once(monkeypatch):
    """Let the nth call of a function of `os` fail, and no other."""

    def fail(name, nth):
        real, calls = getattr(os, name), itertools.count()

        def broken(*args, **kwargs):
            if next(calls) == nth:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, broken)

    return fail


CALLS = [("replace", 0), ("replace", 1), ("fsync", 0), ("fsync", 1), ("unlink", 0), ("unlink", 1)]


@pytest.mark.parametrize(("call", "nth"), CALLS)
def test_d2_an_exchange_that_fails_anywhere_leaves_all_as_it_was(
    disk, folder, fails_once, call, nth
):
    fails_once(call, nth)
    with pytest.raises(StorageError):
        exchange(disk, folder)
    assert content(folder) == OLD


@pytest.mark.parametrize(("call", "after"), CALLS)
def test_d2_where_the_disk_fails_for_good_each_file_is_old_or_new(
    disk, folder, failing, call, after
):
    failing(call, after=after)
    with pytest.raises(StorageError):
        exchange(disk, folder)
    left = content(folder)
    assert left.pop("d", b"new") == b"new"
    assert {name: left.get(name) for name in "bc"} == {name: OLD[name] for name in "bc"}
    assert left["a"] in (OLD["a"], b"new")


def test_what_another_writer_has_put_there_meanwhile_is_left_alone(disk, folder, monkeypatch):
    def others(_):
        Disk("os").replace(folder / "a", b"theirs")
        (folder / "d").unlink()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(disk, "_sync_folder", others)
    with pytest.raises(StorageError):
        exchange(disk, folder)
    assert content(folder) == {**OLD, "a": b"theirs"}
