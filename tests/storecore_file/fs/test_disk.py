"""Laws D1 and D2 in `fs`: whole files that are the old ones or the new ones."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import time
from pathlib import Path

import pytest

from storecore.errors import CorruptData, StorageError
from storecore_file.fs import disk as disk_module
from storecore_file.fs import handles
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import os_errors
from storecore_file.fs.stat import state_at


@pytest.fixture
def disk():
    return Disk("full")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.json"


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_file_that_was_replaced_holds_the_new_content(disk, path):
    for content in (b"old", b"new", b""):
        disk.replace(path, content)
        assert disk.read(path) == content


def test_d1_a_file_is_synced_before_its_name_and_its_name_before_the_write_returns(
    disk, path, syscalls
):
    disk.replace(path, b"new")
    temporary = syscalls[0][1]
    assert syscalls == [
        ("write", temporary),
        ("fdatasync", temporary),
        ("replace", "a.json"),
        ("fsync", path.parent.name),
    ]
    assert temporary != "a.json"


def test_d1_durability_os_syncs_nothing(path, syscalls):
    disk = Disk("os")
    disk.make_folder(path.parent / "b")
    disk.replace(path, b"new")
    disk.remove(path)
    assert {name for name, _ in syscalls} == {"write", "replace", "unlink"}


def test_d1_a_platform_with_a_deeper_sync_is_asked_for_it(disk, path, syscalls, monkeypatch):
    asked = []
    monkeypatch.setattr(handles, "_FULL_SYNC", fcntl.F_GETFD)
    monkeypatch.setattr(fcntl, "fcntl", lambda file, command: asked.append(command))
    disk.replace(path, b"new")
    assert asked == [fcntl.F_GETFD]
    assert "fdatasync" not in {name for name, _ in syscalls}


FAULTS = [("open", errno.EMFILE), ("write", errno.ENOSPC), ("fdatasync", errno.EIO)]
FAULTS += [("replace", errno.EIO), ("close", errno.EIO)]


@pytest.mark.parametrize(("call", "code"), FAULTS)
def test_d2_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    disk, path, failing, call, code, monkeypatch
):
    path.write_bytes(b"old")
    failing(call, code)
    with pytest.raises(StorageError):
        disk.replace(path, b"new")
    monkeypatch.undo()
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == {"a.json": b"old"}


@pytest.mark.parametrize(("call", "code"), FAULTS)
def test_d2_the_error_names_the_file_and_the_cause(disk, path, failing, call, code):
    failing(call, code)
    with pytest.raises(StorageError) as caught:
        disk.replace(path, b"new")
    assert (caught.value.path, caught.value.errno) == (str(path), code)
    assert str(caught.value) == f"{path}: cannot write: {os.strerror(code)}"


def test_d2_a_failed_sync_is_not_tried_again(disk, path, syscalls, monkeypatch):
    tried = []

    def broken(file):
        tried.append(file)
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StorageError):
        disk.replace(path, b"new")
    assert len(tried) == 1


def test_d2_a_folder_that_cannot_be_synced_is_an_error_and_the_old_file_is_back(
    disk, path, failing
):
    path.write_bytes(b"old")
    failing("fsync")
    with pytest.raises(StorageError, match="cannot write"):
        disk.replace(path, b"new")
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]
    assert path.read_bytes() == b"old"


def test_d2_a_full_disk_leaves_the_old_content(path, script):
    path.write_bytes(b"old")
    process = script(
        """if True:
        import resource, sys
        from pathlib import Path
        from storecore_file.fs.disk import Disk
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, unlimited[1]))
        try:
            Disk("full").replace(Path(sys.argv[1]), bytes(5_000))
        except OSError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        """,
        path,
    )
    assert process.communicate()[0] == f"{path}: cannot write: {os.strerror(errno.EFBIG)}\n"
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == {"a.json": b"old"}


KILLED_BEFORE_THE_RENAME = """if True:
    import os, sys
    from pathlib import Path
    from storecore_file.fs.disk import Disk
    os.getpid = lambda: 1
    os.replace = lambda *_: os._exit(9)
    Disk("full").replace(Path(sys.argv[1]), b"new")
"""


def test_d2_a_writer_that_was_killed_leaves_the_old_content(disk, path, script):
    path.write_bytes(b"old")
    assert script(KILLED_BEFORE_THE_RENAME, path).wait() == 9
    assert disk.read(path) == b"old"
    assert disk.names(path.parent) == ["a.json"]


def test_what_a_killed_writer_left_stops_no_other_of_the_same_process_id(path, script):
    # The first process of every container has the same one.
    assert [script(KILLED_BEFORE_THE_RENAME, path).wait() for _ in range(2)] == [9, 9]
    assert len(list(path.parent.iterdir())) == 2


def test_a_write_that_takes_a_portion_only_is_completed(disk, path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, content[:7]))
    disk.replace(path, bytes(range(100)))
    assert path.read_bytes() == bytes(range(100))


def test_a_temporary_file_matches_no_glob_for_data(disk, path, syscalls):
    disk.replace(path, b"new")
    temporary = syscalls[0][1]
    assert temporary.startswith(".")
    assert temporary.endswith(".tmp")


def test_the_umask_is_respected(disk, path, umask):
    disk.replace(path, b"new")
    disk.make_folder(path.parent / "folder")
    modes = {each.name: oct(stat.S_IMODE(each.stat().st_mode)) for each in path.parent.iterdir()}
    assert modes == {"a.json": "0o640", "folder": "0o750"}


def test_a_missing_file_has_no_content_and_no_size(disk, path):
    assert (disk.read(path), disk.size(path)) == (None, None)


def test_an_empty_file_has_content(disk, path):
    path.touch()
    assert (disk.read(path), disk.size(path)) == (b"", 0)


@pytest.mark.parametrize(
    ("method", "doing"),
    [("read", "read"), ("size", "look at"), ("names", "list"), ("folders", "list")],
)
def test_what_cannot_be_read_is_an_error_and_never_taken_as_missing(disk, path, method, doing):
    path.touch()
    below = path / "below" if method in ("read", "size") else path
    with pytest.raises(StorageError, match=f"cannot {doing}: Not a directory") as caught:
        getattr(disk, method)(below)
    assert caught.value.path == str(below)


def test_names_are_sorted_and_hide_dotfiles(disk, tmp_path):
    for name in ("b", "a", ".lock", ".b.1.tmp"):
        (tmp_path / name).touch()
    assert disk.names(tmp_path) == ["a", "b"]


def test_folders_are_sorted_and_hide_dotfiles_and_files(disk, tmp_path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    assert disk.folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]


def test_a_missing_folder_holds_nothing(disk, path):
    assert (disk.names(path), disk.folders(path)) == ([], [])


def test_a_removed_file_is_gone_and_the_folder_synced(disk, path, syscalls):
    path.touch()
    disk.remove(path)
    assert not path.exists()
    assert syscalls == [("unlink", "a.json"), ("fsync", path.parent.name)]


def test_a_file_that_is_gone_already_is_removed(disk, path):
    disk.remove(path)
    assert not path.exists()


def test_a_file_that_cannot_be_removed_is_an_error_that_names_it(disk, path):
    path.mkdir()
    with pytest.raises(StorageError, match=r"a\.json: expected a file, found a folder"):
        disk.remove(path)


def test_d1_folders_are_made_from_the_top_each_synced_into_the_one_above(disk, tmp_path, syscalls):
    disk.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert syscalls == [("fsync", tmp_path.name), ("fsync", "a")]


def test_a_folder_that_is_there_stays_as_it_is(disk, tmp_path, syscalls):
    disk.make_folder(tmp_path)
    assert syscalls == []


@pytest.mark.parametrize("below", ["", "b", "b/c"])
def test_a_file_where_a_folder_is_needed_is_an_error_that_names_it(disk, path, below):
    path.write_bytes(b"mine")
    with pytest.raises(StorageError, match="expected a folder, found a file") as caught:
        disk.make_folder(path / below)
    assert caught.value.path == str(path)
    assert path.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(disk, tmp_path):
    too_long = tmp_path / ("x" * 300)
    with pytest.raises(
        StorageError, match=r"cannot (make this folder|look at): File name too long"
    ):
        disk.make_folder(too_long)


def test_a_folder_that_another_made_meanwhile_is_taken(disk, tmp_path, monkeypatch):
    real = os.mkdir

    def late(folder, *args):
        real(folder, *args)
        real(folder, *args)

    monkeypatch.setattr(os, "mkdir", late)
    disk.make_folder(tmp_path / "a")
    assert (tmp_path / "a").is_dir()


def test_an_error_that_names_its_file_already_passes_as_it_is(path):
    damaged = CorruptData("b.json: damaged")
    with pytest.raises(CorruptData) as caught, os_errors(path, "read"):
        raise damaged
    assert caught.value is damaged


def test_an_error_without_a_cause_of_the_system_is_reported_in_its_own_words(path):
    with pytest.raises(StorageError, match=r"a\.json: cannot read: odd"), os_errors(path, "read"):
        raise OSError("odd")


# Files that are staged, put together, and read in parts.


def test_d2_staged_files_are_put_together_and_the_folder_is_synced_once(disk, tmp_path, syscalls):
    staged = []
    for name in "ab":
        disk.stage(tmp_path / name, name.encode(), staged)
    assert disk.names(tmp_path) == []
    syscalls.clear()
    disk.put(staged)
    assert syscalls == [("replace", "a"), ("replace", "b"), ("fsync", tmp_path.name)]
    assert [disk.read(tmp_path / name) for name in "ab"] == [b"a", b"b"]


def test_staged_files_that_are_discarded_leave_nothing(disk, tmp_path):
    staged = []
    for name in "ab":
        disk.stage(tmp_path / name, b"new", staged)
    disk.discard(staged)
    assert list(tmp_path.iterdir()) == []


def test_d2_a_staged_file_that_cannot_be_put_takes_back_those_before_it(
    disk, tmp_path, failing, monkeypatch
):
    staged = []
    for name in "abc":
        disk.stage(tmp_path / name, b"new", staged)
    failing("replace", after=1)
    with pytest.raises(StorageError, match="b: cannot write"):
        disk.put(staged)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_read_from_a_position_on(disk, path):
    path.write_bytes(b"0123456789")
    assert [disk.read(path, start) for start in (0, 7, 10, 99)] == [b"0123456789", b"789", b"", b""]


def test_an_open_file_is_the_one_that_was_opened_whatever_replaces_it(disk, path):
    disk.replace(path, b"the old one")
    with disk.opened(path) as file:
        disk.replace(path, b"new")
        disk.remove(path)
        content = bytearray(file.size)
        file.fill(memoryview(content)[4:], 4)
        file.fill(memoryview(content)[:4], 0)
    assert bytes(content) == b"the old one"


def test_an_open_file_is_closed_at_the_end(disk, path):
    path.write_bytes(b"x")
    with disk.opened(path) as file:
        number = file._number
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_missing_file_is_not_opened(disk, path):
    assert disk.opened(path) is None


def test_what_cannot_be_opened_or_read_is_an_error_that_names_it(disk, path, failing):
    path.write_bytes(b"x" * 10)
    with pytest.raises(StorageError, match=r"below: cannot read: Not a directory"):
        disk.opened(path / "below")
    with disk.opened(path) as file:
        failing("preadv")
        with pytest.raises(StorageError, match=r"a\.json: cannot read: Input/output error"):
            file.fill(memoryview(bytearray(10)), 0)


def test_a_read_that_gives_a_portion_only_is_completed(disk, path, monkeypatch):
    path.write_bytes(bytes(range(100)))
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, views, at: real(file, [views[0][:7]], at))
    content = bytearray(100)
    with disk.opened(path) as file:
        file.fill(memoryview(content), 0)
    assert content == bytes(range(100))


def test_a_file_that_becomes_shorter_is_an_error_and_no_endless_read(disk, path):
    path.write_bytes(bytes(100))
    with disk.opened(path) as file:
        path.write_bytes(b"short")
        with pytest.raises(StorageError, match="became shorter while it was read"):
            file.fill(memoryview(bytearray(100)), 0)


def test_files_of_a_folder_are_removed_with_one_sync(disk, tmp_path, syscalls):
    for name in "ab":
        (tmp_path / name).touch()
    disk.remove(*(tmp_path / name for name in "axb"))
    assert [name for name, _ in syscalls] == ["unlink", "unlink", "fsync"]
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_remove_is_nothing_to_sync(disk, syscalls):
    disk.remove()
    assert syscalls == []


def test_a_folder_is_distinguished_from_a_file_and_from_nothing(disk, tmp_path, path):
    path.touch()
    assert [disk.is_folder(each) for each in (tmp_path, path, tmp_path / "none")] == [
        True,
        False,
        False,
    ]


def test_d1_many_folders_sync_each_folder_above_them_once(disk, tmp_path, syscalls):
    disk.make_folders([tmp_path / name / "1m" for name in "abc"])
    assert sorted(syscalls) == [
        ("fsync", "a"),
        ("fsync", "b"),
        ("fsync", "c"),
        ("fsync", tmp_path.name),
    ]
    syscalls.clear()
    disk.make_folders(tmp_path / name for name in "abc")
    assert syscalls == []


def test_a_store_whose_folder_vanished_is_not_made_again(disk, tmp_path):
    base = tmp_path / "store"
    with pytest.raises(StorageError, match="the store's folder has vanished") as caught:
        disk.make_folders([base / "AAPL" / "1m", base / "MSFT"], within=base)
    assert (caught.value.path, caught.value.errno) == (str(base), errno.ENOENT)
    assert list(tmp_path.iterdir()) == []


# Listings that are kept.


class Listed(list):
    """The folders that were listed, and what changes while one is."""

    def changing(self):
        pass


@pytest.fixture
def listed(monkeypatch):
    """The folders that were listed."""
    folders, real = Listed(), os.listdir

    def listdir(folder):
        folders.append(Path(folder))
        names = real(folder)
        folders.changing()
        return names

    monkeypatch.setattr(os, "listdir", listdir)
    return folders


def settle(folder, seconds=60.5):
    """Let a folder have changed some time ago."""
    ago = time.time_ns() - int(seconds * 10**9)
    os.utime(folder, ns=(ago, ago))


def test_a_folder_that_has_not_changed_is_not_listed_again(disk, tmp_path, listed):
    (tmp_path / "a").touch()
    settle(tmp_path)
    assert [disk.names(tmp_path) for _ in range(3)] == [["a"]] * 3
    assert listed == [tmp_path]


def test_a_folder_that_changes_while_it_is_listed_is_listed_until_two_listings_agree(
    disk, tmp_path, listed
):
    settle(tmp_path)
    listed.changing = (tmp_path / "a").touch
    assert disk.names(tmp_path) == ["a"]
    assert len(listed) > 1


def test_a_folder_that_has_changed_is_listed_again(disk, tmp_path):
    settle(tmp_path)
    assert disk.names(tmp_path) == []
    disk.replace(tmp_path / "a", b"new")
    assert disk.names(tmp_path) == ["a"]
    settle(tmp_path)
    disk.remove(tmp_path / "a")
    assert disk.names(tmp_path) == []


def test_a_folder_that_has_just_changed_is_not_taken_as_known(disk, tmp_path, listed):
    # Another change may come within the same tick of the clock.
    for seconds in (0.0, 0.01):
        settle(tmp_path, seconds)
        for _ in range(2):
            disk.names(tmp_path)
    assert listed == [tmp_path] * 8


def test_a_change_within_the_tick_of_a_clock_is_seen(disk, tmp_path):
    for number in range(200):
        assert len(disk.names(tmp_path)) == number
        disk.replace(tmp_path / str(number), b"")


def test_a_file_system_that_counts_whole_seconds_is_given_more_time(disk, tmp_path, listed):
    second = time.time_ns() // 10**9 - 1
    os.utime(tmp_path, (second, second))
    for _ in range(2):
        disk.names(tmp_path)
    assert listed == [tmp_path] * 4


def test_only_so_many_listings_are_kept(disk, tmp_path, listed, monkeypatch):
    monkeypatch.setattr(disk_module, "_LISTINGS", 2)
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        settle(folder)
    for folder in folders:
        disk.names(folder)
    listed.clear()
    for folder in (folders[2], folders[0]):  # the last is known, the first is forgotten
        disk.names(folder)
    assert set(listed) == {folders[0]}


def test_b4_a_listing_is_of_one_time_though_files_come_and_go(tmp_path, monkeypatch):
    (tmp_path / "old").touch()
    listed, calls = os.listdir, []

    def then_replaced(folder):
        names = listed(folder)
        if not calls:
            (tmp_path / "new").touch()
            (tmp_path / "old").unlink()
        calls.append(folder)
        return names

    monkeypatch.setattr(os, "listdir", then_replaced)
    assert Disk("os").names(tmp_path) == ["new"]


def test_b4_a_folder_that_never_stands_still_gives_all_that_was_seen(tmp_path, monkeypatch):
    numbers = itertools.count()
    monkeypatch.setattr(os, "listdir", lambda folder: ["always", str(next(numbers))])
    assert {"always", "0", "50"} <= set(Disk("os").names(tmp_path))


def test_d1_a_folder_that_another_process_has_made_is_made_durable_once(disk, tmp_path, syscalls):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for _ in range(2):
        disk.make_folder(tmp_path / "a" / "b", within=tmp_path)
    assert syscalls == [("fsync", tmp_path.name), ("fsync", "a")]


def test_a_file_that_is_not_there_has_never_changed(disk, tmp_path):
    assert disk.changed(tmp_path / "none") is None


def test_the_end_of_a_file_that_is_not_there_is_none(disk, path):
    assert disk.end_of(str(path), 8192) is None


@pytest.fixture
def quick(monkeypatch):
    """Let what has changed 10 ms ago count as settled."""
    monkeypatch.setattr(disk_module, "_TICK", 10_000_000)


@pytest.mark.usefixtures("quick")
def test_a_listing_is_given_with_the_state_of_its_folder_once_that_has_settled(disk, tmp_path):
    (tmp_path / "a").touch()
    assert disk.listing(str(tmp_path)) is None
    time.sleep(0.012)
    assert disk.listing(str(tmp_path)) == (state_at(str(tmp_path)), ["a"])
    assert disk.listing(str(tmp_path / "none")) is None


@pytest.mark.usefixtures("quick")
def test_a_listing_of_what_is_no_folder_or_changes_meanwhile_is_none(disk, tmp_path, listed):
    (tmp_path / "a").touch()
    time.sleep(0.012)
    assert disk.listing(str(tmp_path / "a")) is None
    listed.changing = (tmp_path / "b").touch
    assert disk.listing(str(tmp_path)) is None
