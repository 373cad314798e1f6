"""Laws A2, D2 and D3 in `fs`: logs grow by whole lines, and a torn one is moved to a sidecar."""

from __future__ import annotations

import copy
import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.errors import CorruptData, StorageError
from storecore_file.fs import handles, logs
from storecore_file.fs.disk import Disk
from storecore_file.fs.logs import Log, last_line, torn_end, whole_lines

lines = st.binary(max_size=9_000).map(lambda line: line.replace(b"\n", b"") + b"\n")


@pytest.fixture(autouse=True)
def none_doubtful():
    """A file of another test may have had the same inode."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logs, "_doubtful", set())
        yield


@pytest.fixture
def disk():
    return Disk("full")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


def opened(disk, log):
    """Return a log of which one line proves itself."""
    return Log(disk, log, is_whole=lambda line: line == b"whole\n")


def add(disk, log, *lines):
    """Append lines; return what they were told to follow."""
    followed = []
    opened(disk, log).append(lambda last: (followed.append(last), lines)[1])
    return followed[0]


def test_lines_follow_each_other(disk, log):
    for line in (b"one\n", b"two\n", b"three\n"):
        add(disk, log, line)
    assert log.read_bytes() == b"one\ntwo\nthree\n"


def test_the_length_of_the_log_is_returned(disk, log):
    assert [opened(disk, log).append(lambda _: [b"four\n"]) for _ in range(3)] == [5, 10, 15]


def test_the_first_line_follows_none(disk, log):
    assert add(disk, log, b"one\n") is None


@given(written=st.lists(lines, min_size=1, max_size=4))
def test_a_line_is_told_which_one_it_follows_however_long_that_is(tmp_path_factory, written):
    log = tmp_path_factory.mktemp("log") / "log.jsonl"
    assert [add(Disk("os"), log, line) for line in written] == [None, *written[:-1]]


@pytest.mark.parametrize("length", [1, 4_095, 4_096, 4_097, 16_384, 100_000])
@pytest.mark.parametrize("before", [b"", b"one\n"])
def test_the_last_line_is_found_across_blocks(disk, log, length, before):
    long = b"x" * (length - 1) + b"\n"
    log.write_bytes(before + long)
    assert last_line(log, lambda line: False) == long


@pytest.mark.parametrize("torn", [1, 4_096, 5_000, 100_000])
def test_the_last_whole_line_is_found_before_a_torn_tail(log, torn):
    log.write_bytes(b"one\ntwo\n" + b"x" * torn)
    assert last_line(log, lambda line: False) == b"two\n"


@pytest.mark.parametrize("content", [b"", b"torn", b"x" * 100_000])
def test_a_log_without_a_whole_line_has_no_last_one(log, content):
    log.write_bytes(content)
    assert last_line(log, lambda line: False) is None


def test_a_missing_log_has_no_last_line_to_read(log):
    with pytest.raises(StorageError, match=r"log\.jsonl: cannot read"):
        last_line(log, lambda line: False)


@pytest.mark.parametrize("torn", [b"x", b'{"half', b"x" * 5_000, b"x" * 100_000])
@pytest.mark.parametrize("before", [b"", b"one\n"])
def test_d3_a_torn_line_is_quarantined_before_the_next_is_written(disk, log, caplog, before, torn):
    log.write_bytes(before + torn)
    assert add(disk, log, b"next\n") == (before or None)
    assert log.read_bytes() == before + b"next\n"
    assert log.with_name("log.jsonl.torn").read_bytes() == torn + b"\n"


def test_d3_a_torn_line_is_told_of(disk, log, caplog):
    log.write_bytes(b"one\ntorn")
    add(disk, log, b"next\n")
    assert caplog.messages == [f"{log}: a torn line of 4 bytes was moved to log.jsonl.torn"]


def test_d3_every_torn_line_is_kept(disk, log, caplog):
    for torn in (b"first", b"second"):
        with log.open("ab") as file:
            file.write(torn)
        add(disk, log, b"next\n")
    assert log.with_name("log.jsonl.torn").read_bytes() == b"first\nsecond\n"


def test_d2_a_sync_that_fails_without_an_append_names_the_log_and_keeps_it(disk, log, failing):
    log.write_bytes(b"one\n")
    failing("fdatasync")
    with pytest.raises(StorageError, match="cannot append to") as caught:
        opened(disk, log).truncate_torn_tail()
    assert caught.value.path == str(log)
    assert log.read_bytes() == b"one\n"


def test_d3_a_torn_tail_is_truncated_without_an_append(disk, log, caplog):
    log.write_bytes(b"one\ntorn")
    opened(disk, log).truncate_torn_tail()
    assert log.read_bytes() == b"one\n"


def test_d3_a_torn_line_is_synced_aside_before_it_is_cut_off(disk, log, syscalls, caplog):
    log.write_bytes(b"one\ntorn")
    add(disk, log, b"next\n")
    cut = syscalls.index(("ftruncate", "log.jsonl"))
    assert {("fdatasync", "log.jsonl.torn"), ("fsync", log.parent.name)} <= set(syscalls[:cut])


def test_d3_a_torn_line_that_cannot_be_quarantined_stays(disk, log, failing):
    log.write_bytes(b"one\ntorn")
    failing("write", errno.ENOSPC)
    with pytest.raises(StorageError, match="No space left"):
        add(disk, log, b"next\n")
    assert log.read_bytes() == b"one\ntorn"


def test_d1_a_line_is_synced_and_the_name_of_a_new_log_too(disk, log, syscalls):
    add(disk, log, b"one\n")
    assert syscalls == [
        ("write", "log.jsonl"),
        ("fdatasync", "log.jsonl"),
        ("fsync", log.parent.name),
    ]


def test_d1_the_name_of_a_log_that_was_there_is_synced_once(disk, log, syscalls):
    log.write_bytes(b"one\n")
    add(disk, log, b"two\n")
    appended = [("write", "log.jsonl"), ("fdatasync", "log.jsonl")]
    assert syscalls == [*appended, ("fsync", log.parent.name)]
    add(disk, log, b"three\n")
    assert syscalls[3:] == appended


@pytest.mark.parametrize(("call", "code"), [("write", errno.ENOSPC), ("fdatasync", errno.EIO)])
def test_d2_a_line_that_cannot_be_written_leaves_the_log_as_it_was(disk, log, failing, call, code):
    log.write_bytes(b"one\n")
    failing(call, code)
    with pytest.raises(StorageError) as caught:
        add(disk, log, b"two\n")
    assert (caught.value.path, caught.value.errno) == (str(log), code)
    assert log.read_bytes() == b"one\n"


def test_d2_a_first_line_whose_log_cannot_be_made_durable_is_not_there(disk, log, failing):
    failing("fsync")
    with pytest.raises(StorageError):
        add(disk, log, b"one\n")
    assert not log.exists()


def test_d2_a_line_that_was_written_in_part_is_cut_off(disk, log, monkeypatch):
    log.write_bytes(b"one\n")
    real, calls = os.write, []

    def half(file, content):
        calls.append(content)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, content[:2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StorageError):
        add(disk, log, b"two\n")
    assert log.read_bytes() == b"one\n"


def test_d2_what_cannot_be_cut_off_either_is_a_torn_line_to_the_next_writer(
    disk, log, monkeypatch, caplog
):
    log.write_bytes(b"one\n")
    real = os.write

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as faults:
        faults.setattr(os, "write", lambda file, content: real(file, content[:2]) and broken())
        faults.setattr(os, "ftruncate", broken)
        with pytest.raises(StorageError):
            add(disk, log, b"two\n")
    add(disk, log, b"three\n")
    assert log.read_bytes() == b"one\nthree\n"


def test_lines_of_one_append_are_written_and_synced_at_once(disk, log, syscalls):
    log.write_bytes(b"one\n")
    assert add(disk, log, b"two\n", b"three\n") == b"one\n"
    assert add(disk, log, b"four\n") == b"three\n"
    assert log.read_bytes() == b"one\ntwo\nthree\nfour\n"
    appended = [("write", "log.jsonl"), ("fdatasync", "log.jsonl")]
    assert syscalls == [*appended, ("fsync", log.parent.name), *appended]


@pytest.mark.parametrize("before", [b"", b"one\n"])
def test_d2_lines_can_be_taken_back(disk, log, before):
    log.write_bytes(before)
    kept = opened(disk, log)
    length = kept.append(lambda _: [b"two\n", b"three\n"])
    logs.cut(log, length - len(b"two\nthree\n"))
    assert (log.read_bytes() if log.exists() else b"") == before
    assert kept.append(lambda last: [last or b"new\n"]) == len(before) + 4


def test_d2_a_sync_that_failed_is_not_tried_again_on_the_same_file(
    disk, log, monkeypatch, syscalls
):
    synced = []

    def sync(file):
        number = os.fstat(file).st_ino
        synced.append(number)
        if number == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    add(disk, log, b"one\n")
    broken = log.stat().st_ino
    monkeypatch.setattr(os, "fdatasync", sync)
    kept = opened(disk, log)
    with pytest.raises(StorageError, match=r"log\.jsonl: cannot append to: Input/output error"):
        kept.append(lambda _: [b"two\n"])
    assert log.read_bytes() == b"one\n"
    kept.append(lambda last: [b"three\n" if last == b"one\n" else b"lost\n"])
    assert log.read_bytes() == b"one\nthree\n"
    assert synced.count(broken) == 1


def test_d2_a_log_whose_disk_takes_no_fresh_copy_yet_takes_one_before_the_next_line(
    disk, log, monkeypatch
):
    add(disk, log, b"one\n")
    old = log.stat().st_ino

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as faults:
        for call in ("fdatasync", "ftruncate"):
            faults.setattr(os, call, broken)
        with pytest.raises(StorageError):
            add(disk, log, b"two\n")
    assert log.stat().st_ino == old
    assert add(disk, log, b"three\n") == b"two\n"  # it could not be taken back
    assert log.stat().st_ino != old
    assert log.read_bytes() == b"one\ntwo\nthree\n"
    assert logs._doubtful == set()


def test_d2_a_new_log_whose_sync_failed_is_begun_anew(disk, log, monkeypatch, failing):
    with monkeypatch.context():
        failing("fdatasync")
        with pytest.raises(StorageError):
            add(disk, log, b"one\n")
    monkeypatch.undo()
    assert not log.exists()
    assert add(disk, log, b"two\n") is None
    assert logs._doubtful == set()


def test_a_line_that_cannot_be_made_changes_nothing(disk, log):
    log.write_bytes(b"one\n")

    def refuse(last):
        raise ValueError(last)

    with pytest.raises(ValueError, match="one"):
        opened(disk, log).append(refuse)
    assert log.read_bytes() == b"one\n"


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (None, []),
        (b"", []),
        (b"torn", []),
        (b"one\n", [b"one\n"]),
        (b"one\ntwo\ntorn", [b"one\n", b"two\n"]),
        (b"\n\n", [b"\n", b"\n"]),
    ],
)
def test_d3_a_reader_takes_whole_lines_only(content, whole):
    assert whole_lines(content, is_whole=lambda line: False) == whole


def test_d5_a_last_line_whose_newline_is_damaged_is_not_taken_for_torn():
    assert whole_lines(b"one\ntwo\x0b", lambda line: line == b"two\n") == [b"one\n", b"two\x0b"]


def test_a_log_that_stays_open_follows_what_another_appended(disk, log):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    opened(disk, log).append(lambda _: [b"two\n"])
    lasts = []
    kept.append(lambda last: lasts.append(last) or [b"three\n"])
    assert lasts == [b"two\n"]
    assert log.read_bytes() == b"one\ntwo\nthree\n"


def test_a_log_that_stays_open_does_not_follow_a_file_that_was_moved_away(disk, log):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    log.rename(log.with_name("archived"))
    assert kept.append(lambda last: [b"new\n" if last is None else b"old\n"]) == 4
    assert log.read_bytes() == b"new\n"


def test_a_log_that_stays_open_reads_its_last_line_alone_again(disk, log, monkeypatch):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"] * 1_000)
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *asked: read.append(asked[1:]) or pread(*asked))
    assert kept.append(lambda last: [last]) == 4_004
    assert read == [(4, 3_996)]


def test_a_log_that_stays_open_follows_another_line_in_place_of_its_last_one(disk, log):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    kept.append(lambda _: [b"two\n"])
    with log.open("r+b") as file:  # as a restore of the first line, and an append, would
        file.write(b"one\nTWO\n")
    lasts = []
    kept.append(lambda last: lasts.append(last) or [b"three\n"])
    assert lasts == [b"TWO\n"]


def test_a_closed_log_opens_again(disk, log):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    kept.close()
    kept.close()
    assert kept.append(lambda last: [last]) == 8


def test_d1_a_log_whose_descriptor_was_closed_and_reused_writes_into_no_other_file(
    disk, log, tmp_path
):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    os.close(kept._kept.number)
    with (tmp_path / "other").open("wb") as other:
        assert other.fileno() == kept._kept.number
        kept.append(lambda _: [b"two\n"])
        assert (tmp_path / "other").read_bytes() == b""
    assert log.read_bytes() == b"one\ntwo\n"


def test_d1_a_copy_of_a_log_has_a_file_of_its_own(disk, log):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    copy.copy(kept).close()
    assert kept.append(lambda last: [last]) == 8


def test_d1_a_log_whose_descriptor_was_closed_opens_again(disk, log):
    kept = opened(disk, log)
    kept.append(lambda _: [b"one\n"])
    os.close(kept._kept.number)
    assert kept.append(lambda last: [last]) == 8


def test_d3_a_last_line_whose_newline_is_damaged_is_no_torn_one(disk, log):
    log.write_bytes(b"one\nwhole\x0b")
    with pytest.raises(CorruptData, match=r"log\.jsonl: the newline of its last line is damaged"):
        add(disk, log, b"two\n")
    assert log.read_bytes() == b"one\nwhole\x0b"


def test_d3_a_last_line_that_lacks_its_newline_alone_is_data_and_gets_one(disk, log, caplog):
    log.write_bytes(b"one\nwhole")
    assert whole_lines(log.read_bytes(), lambda line: line == b"whole\n") == [b"one\n", b"whole\n"]
    assert last_line(log, lambda line: line == b"whole\n") == b"whole\n"
    assert add(disk, log, b"two\n") == b"whole\n"
    assert log.read_bytes() == b"one\nwhole\ntwo\n"
    assert caplog.messages == [f"{log}: the newline of its last line was missing"]


def test_the_end_of_a_log_that_cannot_be_opened_is_an_error_and_that_of_none_is_whole(log, failing):
    assert torn_end(log, lambda line: True) == (0, False)
    log.write_bytes(b"torn")
    assert torn_end(log, lambda line: False) == (4, False)
    failing("open", errno.EACCES)
    with pytest.raises(StorageError, match="Permission denied"):
        torn_end(log, lambda line: True)


def test_d2_a_newline_that_cannot_be_written_refuses_the_line_after_it(disk, log, failing):
    log.write_bytes(b"one\nwhole")
    failing("write", errno.ENOSPC)
    with pytest.raises(StorageError, match="No space left"):
        add(disk, log, b"two\n")
    assert log.read_bytes() == b"one\nwhole"


@pytest.mark.parametrize("torn", [b"", b'{"half'])
def test_d3_the_tail_of_a_log_of_300_mb_is_found_by_reading_its_end_alone(
    disk, log, torn, monkeypatch, caplog
):
    line = b"x" * 299 + b"\n"
    with log.open("wb") as file:
        file.truncate(300_000_000)  # a hole costs no disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line + torn)
    real, read = os.pread, []
    monkeypatch.setattr(os, "pread", lambda *args: read.append(args[1]) or real(*args))
    assert add(disk, log, b"next\n") == line
    assert sum(read) < 20_000


def test_d1_the_name_of_a_new_log_is_synced_though_an_earlier_one_had_its_inode(
    disk, log, monkeypatch, syscalls
):
    monkeypatch.setattr(handles, "identity", lambda found: (1, 1))
    for _ in range(2):
        syscalls.clear()
        add(disk, log, b"one\n")
        assert ("fsync", log.parent.name) in syscalls
        log.unlink()
