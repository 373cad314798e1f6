"""Where logs end: a cut is found, and stays so; whatever else befalls the file raises no alarm."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore import StorageError
from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk
from storecore_file.fs.high_water_marks import HighWaterMarks, Mark

JAN_5 = datetime(2026, 1, 5)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def disk():
    return Disk("full")


@pytest.fixture
def ends(tmp_path, disk):
    return HighWaterMarks(tmp_path / ".ends", disk)


@pytest.fixture
def found(store):
    return lambda: [(each.kind, each.detail) for each in store.verify().findings]


@pytest.fixture
def log(base):
    return base / "events" / "2026-01-05.jsonl"


def cut(path, kept):
    """Leave so many lines of a log, as they are."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))


def put(ends, log, before, after):
    ends.meet(log, before)
    ends.follow(log, after)


# The file itself.


def test_the_file_is_lines_of_json_of_equal_length(ends):
    put(ends, "2026-01-05", 0, 3)
    put(ends, "2026-01-06", 0, 1)
    lines = ends.path.read_bytes().splitlines(keepends=True)
    assert {len(line) for line in lines} == {128}
    assert [(json.loads(line)["log"], json.loads(line)["n"]) for line in lines] == [
        ("2026-01-05", 3),
        ("2026-01-06", 1),
    ]


def test_a_log_keeps_its_line_whoever_writes(ends, disk):
    other = HighWaterMarks(ends.path, disk)
    for number in range(4):
        put(ends, "a", 2 * number, 2 * number + 1)
        put(other, "b", number, number + 1)
        put(other, "a", 2 * number + 1, 2 * number + 2)
    assert ends.read() == {"a": Mark("a", 8), "b": Mark("b", 4)}
    assert ends.path.stat().st_size == 2 * 128


def test_the_line_of_a_log_that_is_retired_is_the_next_ones(ends, disk):
    other = HighWaterMarks(ends.path, disk)
    for log in ("a", "b"):
        put(ends, log, 0, 5)
    put(other, "b", 5, 6)
    ends.forget("a", "never there")
    assert ends.read() == {"b": Mark("b", 6)}
    put(
        HighWaterMarks(ends.path, disk), "c", 0, 1
    )  # takes the place that `ends` believes to be free
    put(ends, "d", 0, 1)
    put(other, "e", 0, 1)
    assert set(ends.read()) == {"b", "c", "d", "e"}
    assert ends.path.stat().st_size == 4 * 128


def test_what_is_forgotten_is_durable_before_its_log_is_removed(ends, syscalls):
    put(ends, "a", 0, 1)
    syscalls.clear()
    ends.forget("a")
    ends.forget("a, which is not there")
    assert [name for name, _ in syscalls] == ["pwrite", "fdatasync"]


def test_a_log_that_was_forgotten_is_not_followed_until_it_is_met(ends):
    put(ends, "a", 0, 1)
    ends.forget("a")
    ends.follow("a", 2)
    assert ends.read() == {}
    put(ends, "a", 2, 3)
    assert ends.read() == {"a": Mark("a", 3)}


@pytest.mark.parametrize("spoil", [os.unlink, lambda path: path.write_bytes(b"x" * 200)])
def test_a_file_that_is_another_by_now_is_begun_anew(ends, spoil):
    for log in ("a", "b"):
        put(ends, log, 0, 5)
    spoil(ends.path)
    put(ends, "b", 3, 4)
    ends.follow("a", 9)  # its place is not known any more
    assert ends.read() == {"b": Mark("b", 4)}
    put(ends, "a", 9, 10)
    assert ends.read() == {"b": Mark("b", 4), "a": Mark("a", 10)}


def test_a_line_that_another_put_where_one_was_retired_is_not_put_twice(ends, disk):
    other = HighWaterMarks(ends.path, disk)
    put(ends, "a", 0, 1)
    ends.forget("a")
    put(other, "b", 0, 1)
    put(ends, "b", 1, 2)
    put(other, "b", 2, 3)
    assert ends.read() == {"b": Mark("b", 3)}
    assert ends.path.stat().st_size == 128


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 1), st.booleans())))
def test_any_writers_and_retirements_leave_each_log_where_it_ends(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("ends") / ".ends"
    writers = [HighWaterMarks(path, Disk("os")) for _ in range(2)]
    model: dict[str, int] = {}
    for log, writer, retires in steps:
        if retires:
            writers[writer].forget(log)
            model.pop(log, None)
        else:
            put(writers[writer], log, model.get(log, 0), model.get(log, 0) + 1)
            model[log] = model.get(log, 0) + 1
    assert writers[0].read() == {log: Mark(log, number) for log, number in model.items()}


def test_what_cannot_be_noted_is_reported_and_holds_up_nobody(ends, failing, caplog):
    put(ends, "a", 0, 1)
    failing("pwrite")
    ends.follow("a", 2)
    assert "where the log a ends is not noted" in caplog.text
    assert ends.read() == {"a": Mark("a", 1)}


def test_a_folder_in_its_place_holds_up_nobody(store, base, event, caplog):
    (base / "events" / ".ends").mkdir()
    store.write_event(event())
    store.write_event(event())
    assert "where the log 2026-01-05 ends is not known" in caplog.text
    assert len(store.read_events(*ALWAYS)) == 2
    assert store.repair().ok
    store.write_event(event())
    assert store.verify().ok


def test_a_file_that_cannot_be_read_is_reported(store, base, event, monkeypatch):
    store.write_event(event())
    real = Disk.read

    def broken(self, path, start=0):
        if path.name == ".ends":
            raise StorageError(f"{path}: cannot read: broken", path)
        return real(self, path, start)

    monkeypatch.setattr(Disk, "read", broken)
    assert [each.place for each in store.verify().findings] == [str(base / "events" / ".ends")]


# Logs of events.


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_d5_a_day_of_events_that_is_cut_at_a_lines_end_is_found(store, log, event, found, kept):
    for _ in range(3):
        store.write_event(event())
    cut(log, kept)
    assert found() == [("truncated", f"it ends at event {kept} of 3")]


def test_d5_a_cut_is_not_hidden_by_what_is_written_after_it(store, base, log, event, found):
    store.write_events([event()] * 3)
    cut(log, 1)
    for _ in range(4):
        store.write_event(event())
    with FileDataStore(base) as other:
        other.write_event(event())
    assert found() == [("truncated", "its end was cut off before event 2 was written")]
    store.compact()
    assert [kind for kind, _ in found()] == ["truncated"]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_d5_a_day_that_is_deleted_is_found(store, log, event, found, suffix):
    store.write_events([event(), event(JAN_5 + timedelta(1))])
    if suffix == ".parquet":
        store.compact()
    log.with_suffix(suffix).unlink()
    assert found() == [("truncated", "it ends at event 0 of 1")]


def test_d5_late_events_that_are_cut_from_a_sealed_day_are_found(store, log, event, found):
    store.write_events([event()] * 2)
    store.compact()
    store.write_event(event())
    assert found() == []
    log.unlink()
    assert found() == [("truncated", "it ends at event 2 of 3")]


def test_a_batch_that_failed_leaves_no_end_behind(store, event, found, failing, monkeypatch):
    store.write_event(event())
    failing("fdatasync", after=1)
    with pytest.raises(StorageError):
        store.write_events([event(), event(JAN_5 + timedelta(1))])
    monkeypatch.undo()
    assert found() == []
    store.write_event(event())
    assert found() == []


def test_an_older_store_without_ends_has_no_finding_and_gets_them(store, base, log, event, found):
    for _ in range(3):
        store.write_event(event())
    store.close()
    (base / "events" / ".ends").unlink()
    with FileDataStore(base) as anew:
        cut(log, 2)
        assert anew.verify().ok
        anew.write_event(event())
        cut(log, 2)
        assert [each.kind for each in anew.verify().findings] == ["truncated"]


def test_an_end_that_is_behind_its_log_is_healed_by_the_next_write(store, base, log, event, found):
    store.write_event(event())
    behind = (base / "events" / ".ends").read_bytes()
    store.write_events([event()] * 2)
    (base / "events" / ".ends").write_bytes(behind)
    assert found() == []
    with FileDataStore(base) as other:
        other.write_event(event())
    assert found() == []
    cut(log, 3)
    assert found() == [("truncated", "it ends at event 3 of 4")]


def test_a_sealed_day_that_a_repair_quarantines_is_no_cut_one(store, log, event):
    store.write_events([event(), event(JAN_5 + timedelta(1))])
    store.compact()
    log.with_suffix(".parquet").write_bytes(b"damaged")
    assert store.repair().ok
    store.write_event(event())
    assert store.verify().ok


# The journal of bars.


@pytest.fixture
def journal(store, base, bar, monkeypatch):
    """Write tables of few bars into the journal; return its file."""
    monkeypatch.setattr("storecore_file.bars.collection.MANY_SERIES", 1)
    names = bar().__struct_fields__

    def write(times=1):
        for _ in range(times):
            rows = [bar(symbol=symbol) for symbol in ("AAPL", "MSFT")]
            table = {name: [getattr(row, name) for row in rows] for name in names}
            store.write_bar_table(pa.table(table))
        return max((base / "prices" / ".journal").glob("*.jsonl"))

    return write


@pytest.mark.parametrize("kept", [0, 1, 2, None])
def test_d5_a_journal_that_is_cut_or_deleted_is_found(journal, found, kept):
    path = journal(3)
    path.unlink() if kept is None else cut(path, kept)
    assert found() == [("truncated", f"it ends at line {kept or 0} of 3")]


def test_d5_a_cut_of_the_journal_is_not_hidden_by_what_is_written_after_it(journal, found):
    cut(journal(3), 2)
    journal(2)
    assert found() == [("truncated", "it ends at line 2 of 3")]


@pytest.mark.parametrize("torn", [0, 1])
def test_d5_a_cut_of_the_journal_is_not_hidden_by_flushing_what_is_left(
    journal, store, found, torn
):
    path = journal(3)
    one, two, _ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(one + two[: len(two) - torn * 30])
    store.compact()
    assert not path.exists()
    assert [kind for kind, _ in found()] == ["truncated"]
    store.compact()
    journal(1)
    assert [kind for kind, _ in found()] == ["truncated"]


def test_a_journal_that_was_flushed_is_no_deleted_one(journal, store, base, found):
    for _ in range(3):
        journal(2)
        store.compact()
        assert found() == []
    assert (base / "prices" / ".journal" / ".ends").stat().st_size == 128


def test_a_journal_that_is_retired_while_it_is_verified_is_no_deleted_one(
    journal, store, base, found, monkeypatch
):
    journal(2)
    read = HighWaterMarks.known

    def then_folded(self):
        known = read(self)
        if known and self.path.parent.name == ".journal":
            monkeypatch.undo()
            store.compact()
        return known

    monkeypatch.setattr(HighWaterMarks, "known", then_folded)
    assert found() == []


def test_a_store_that_is_copied_without_ends_is_whole(journal, store, base, event, tmp_path):
    journal(2)
    store.write_event(event())
    copied = tmp_path / "copied"
    shutil.copytree(base, copied, ignore=shutil.ignore_patterns(".*s"))
    with FileDataStore(copied) as other:
        assert other.verify().ok


def test_a_place_that_another_writer_took_is_not_taken_twice(ends, tmp_path, disk):
    ends.meet("retired", 1)
    ends.follow("retired", 1)
    ends.forget("retired")
    other = HighWaterMarks(tmp_path / ".ends", disk)
    other.meet("theirs", 0)
    other.follow("theirs", 1)
    ends.meet("ours", 0)
    ends.follow("ours", 2)
    assert ends.read() == {"theirs": Mark("theirs", 1), "ours": Mark("ours", 2)}
