"""An instant in a file that only goes forward, and the lock that goes with it."""

import threading

import pytest

from storecore.errors import CorruptData, LockTimeout, StorageError
from storecore_file.fs.disk import Disk
from storecore_file.fs.instants import InstantFile


@pytest.fixture
def file(tmp_path):
    return InstantFile(tmp_path / ".clock", Disk("os"), 0.05)


def test_no_file_is_no_instant(file):
    assert (file.exists(), file.read()) == (False, 0)


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_none(file):
    file.path.symlink_to(file.path)  # as without the right to search the folder
    with pytest.raises(StorageError, match="cannot look at"):
        file.exists()


def test_it_only_goes_forward(file):
    for instant, expected in ((5, 5), (3, 5), (9, 9), (9, 9), (12, 12)):
        file.move(instant)
        assert (file.read(), file.exists()) == (expected, True)
    assert file.path.stat().st_size == 128


def test_it_does_not_move_while_others_share_its_lock(file):
    file.move(5)
    with file.held() as one, file.held() as other:
        assert (one, other) == (5, 5)
        with pytest.raises(LockTimeout):
            file.move(9)
    file.move(9)
    assert file.read() == 9


def test_one_torn_entry_leaves_the_other(file):
    file.move(5)
    file.move(9)
    content = file.path.read_bytes()
    file.path.write_bytes(content[:64] + b"x" * 64)
    assert file.read() == 5
    file.path.write_bytes(b"x" * 64 + content[64:])
    assert file.read() == 9
    file.path.write_bytes(content[:20])
    assert file.read() == 0


def test_two_torn_entries_are_damage(file):
    file.path.write_bytes(b"x" * 128)
    with pytest.raises(CorruptData, match="neither"):
        file.read()


def test_who_moves_it_waits_for_those_who_share_it(file):
    file = InstantFile(file.path, Disk("full"), 10)
    file.move(1)
    moved = threading.Thread(target=file.move, args=(2,))
    with file.held() as instant:
        moved.start()
        assert instant == 1
    moved.join()
    assert file.read() == 2
