"""A file that a reader holds open for a moment is replaced all the same."""

from __future__ import annotations

import errno
import os

import pytest

from storecore_file.fs import disk as renaming
from storecore_file.fs.disk import put_in_place


def sharing_violation():
    error = PermissionError(errno.EACCES, "held by another")
    error.winerror = 32
    return error


@pytest.fixture
def files(tmp_path):
    new, path = tmp_path / "new", tmp_path / "a.json"
    new.write_bytes(b"new")
    path.write_bytes(b"old")
    return new, path


@pytest.fixture
def refused(monkeypatch):
    """Let a rename be refused so many times; return the waits between."""
    waits, real = [], os.replace
    monkeypatch.setattr(renaming.time, "sleep", waits.append)

    def refuse(times, error):
        def replace(*args):
            if len(waits) < times:
                raise error
            real(*args)

        monkeypatch.setattr(os, "replace", replace)
        return waits

    return refuse


@pytest.mark.parametrize("error", [sharing_violation(), OSError(errno.EBUSY, "busy")])
@pytest.mark.parametrize("times", [0, 1, 7])
def test_a_file_that_is_held_for_a_moment_is_replaced(files, refused, error, times):
    waits = refused(times, error)
    put_in_place(*files)
    assert files[1].read_bytes() == b"new"
    assert len(waits) == times


def test_a_file_that_is_held_for_long_stays(files, refused):
    waits = refused(99, sharing_violation())
    with pytest.raises(PermissionError):
        put_in_place(*files)
    assert files[1].read_bytes() == b"old"
    assert 0.5 < sum(waits) < 2


def test_what_is_no_reader_is_not_waited_for(files, refused):
    waits = refused(99, PermissionError(errno.EACCES, "read-only"))
    with pytest.raises(PermissionError):
        put_in_place(*files)
    assert waits == []
