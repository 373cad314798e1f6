"""Files that stay open write into no other file, whatever becomes of their descriptor."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import stat

import pytest

from storecore.errors import StorageError
from storecore_file.fs.handles import InPlaceFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "note"


@pytest.fixture
def note(path):
    return InPlaceFile(path)


def test_a_note_is_written_in_place_and_not_synced(note, path, syscalls):
    note.write(b"a longer one", 0)
    number = path.stat().st_ino
    note.write(b"short", 2)
    assert (path.read_bytes(), path.stat().st_ino) == (b"a shortr one", number)
    assert {name for name, _ in syscalls} == {"pwrite"}


def test_a_note_that_cannot_be_written_is_an_error_that_names_it(note, failing):
    failing("pwrite", errno.ENOSPC)
    with pytest.raises(StorageError, match=r"note: cannot write: No space"):
        note.write(b"new", 0)


def test_the_umask_is_respected(note, path):
    before = os.umask(0o027)
    try:
        note.write(b"new", 0)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_closed_note_opens_what_is_at_its_path_then(note, path):
    note.write(b"old", 0)
    path.rename(path.with_name("archived"))
    note.close()
    note.close()
    note.write(b"new", 0)
    assert path.read_bytes() == b"new"


def test_a_note_whose_descriptor_was_closed_and_reused_writes_into_no_other_file(note, path):
    note.write(b"old", 0)
    os.close(note._kept.number)
    with path.with_name("other").open("wb") as other:
        assert other.fileno() == note._kept.number
        note.write(b"new", 0)
    assert path.with_name("other").read_bytes() == b""
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda note: pickle.loads(pickle.dumps(note))]
)
def test_a_copy_can_be_closed_without_harm(note, path, copied):
    note.write(b"old", 0)
    copied(note._kept).close()
    note.write(b"new", 0)
    assert path.read_bytes() == b"new"


def test_a_note_is_read_where_it_lies(note, path, failing):
    path.write_bytes(b"some words")
    assert [note.read(5, 5), note.read(9, 8)] == [b"words", b"ds"]
    failing("pread")
    with pytest.raises(StorageError, match=r"note: cannot read"):
        note.read(1, 0)


@pytest.mark.parametrize("call", ["pwrite", "pread"])
def test_a_note_that_is_closed_in_the_midst_of_a_call_keeps_its_file_open_for_it(
    note, path, tmp_path, monkeypatch, call
):
    note.write(b"old", 0)
    real, other = getattr(os, call), tmp_path / "other"

    def late(number, *given):
        note.close()
        with other.open("wb"):  # it would get the number of a file that was closed
            return real(number, *given)

    monkeypatch.setattr(os, call, late)
    if call == "pwrite":
        note.write(b"new", 0)
        assert path.read_bytes() == b"new"
    else:
        assert note.read(3, 0) == b"old"
    assert other.read_bytes() == b""


def test_a_note_that_was_closed_after_a_write_is_synced_all_the_same(note, syscalls):
    note.write(b"old", 0)
    note.close()
    note.sync(durable=True)
    assert "fdatasync" in {name for name, _ in syscalls}
