"""`repair()` moves aside, never deletes, so that reads of the rest work; the rest is reported."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date, datetime, timedelta

import pytest

from storecore import CorruptData
from storecore_file import FileDataStore
from storecore_file.fs.locks import Locked
from storecore_file.integrity import QUARANTINE, Files, Issue
from storecore_file.repair import Repairs

ALL = date.min, date.max
JAN_5 = datetime(2026, 1, 5)


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    return bytes(content)


def set_aside(base):
    """Return what was moved aside: content by path."""
    moved = [path for path in (base / "aside").rglob("*") if path.is_file()]
    return {
        "/".join(path.relative_to(base / "aside").parts[1:]): path.read_bytes() for path in moved
    }


@pytest.fixture
def two_parts(store, base, bar):
    """A store with two parts of AAPL; return their files."""
    store.write_bars("AAPL", [bar(JAN_5)])
    store.write_bars("AAPL", [bar(JAN_5 + timedelta(40))])
    return sorted((base / "prices" / "AAPL").glob("*.parquet"))


def test_a_whole_store_is_left_as_it_is(store, two_parts):
    report = store.repair()
    assert (report.ok, report.actions) == (True, ())


def test_a_damaged_partition_is_moved_and_the_rest_is_read(store, base, two_parts):
    content = damage(two_parts[0])
    with pytest.raises(CorruptData):
        store.read_bars("AAPL", *ALL)
    report = store.repair()
    assert report.ok
    assert len(store.read_bars("AAPL", *ALL)) == 1
    name = f"prices/AAPL/{two_parts[0].name}"
    assert set_aside(base) == {name: content}
    assert report.actions[0].startswith(f"moved {name} to aside/")


def test_a_dry_run_moves_nothing_and_says_what_is_wrong(store, base, two_parts):
    damage(two_parts[0])
    report = store.repair(dry_run=True)
    assert len(report.findings) == len(report.actions) == 1
    assert report.actions[0].startswith("would move prices/AAPL/")
    assert not (base / "aside").exists()


def test_a_folder_in_the_place_of_a_partition_is_moved(store, base, two_parts):
    two_parts[0].unlink()
    two_parts[0].mkdir()
    (two_parts[0] / "inside").write_bytes(b"x")
    assert store.repair().ok
    assert set_aside(base) == {f"prices/AAPL/{two_parts[0].name}/inside": b"x"}


def test_a_temporary_file_of_a_killed_writer_is_moved(store, base):
    left = base / "state" / ".value.json.0123456789abcdef.tmp"
    left.write_bytes(b"x")
    os.utime(left, (time.time() - 9_999,) * 2)
    report = store.repair()
    assert set_aside(base) == {f"state/{left.name}": b"x"}
    assert (report.notes, left.exists()) == ((), False)


def test_a_damaged_document_is_moved_and_the_one_before_answers(store, base, fundamental):
    for day in (0, 1):
        store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(day), employees=day))
    damage(max((base / "fundamentals").rglob("*.json")))
    assert store.repair().ok
    assert store.read_fundamental("AAPL").employees == 0


def test_a_damaged_sealed_day_is_moved_and_other_days_are_read(store, base, event):
    for day in (0, 1):
        store.write_event(event(JAN_5 + timedelta(day)))
    store.compact()
    damage(base / "events" / "2026-01-05.parquet")
    assert store.repair().ok
    assert len(store.read_events(*ALL)) == 1


def test_d5_a_damaged_state_is_never_made_to_look_like_none(store, base):
    for number in range(3):
        store.save_strategy_state("value", {"n": number})
    damage(base / "state" / "value.json")
    damage(base / "state" / ".value.json.1")
    report = store.repair()
    assert list(set_aside(base)) == ["state/.value.json.1"]
    assert [each.place for each in report.findings] == [str(base / "state" / "value.json")]
    with pytest.raises(CorruptData):
        store.load_strategy_state("value")


def test_d3_a_damaged_middle_of_a_log_is_reported_and_nothing_behind_it_is_lost(
    store, base, event, decision
):
    for _ in range(3):
        store.write_event(event())
        store.log_decision("value", decision())
    logs = [*base.glob("events/*.jsonl"), *base.glob("audit/decisions/*.jsonl")]
    damaged = {log: damage(log) for log in logs}
    report = store.repair()
    assert [each.kind for each in report.findings] == ["damaged", "edited"]
    assert report.actions == ()
    assert {log: log.read_bytes() for log in logs} == damaged


def test_d3_a_torn_end_is_moved_to_the_sidecar(store, base, event, decision):
    store.write_event(event())
    store.log_decision("value", decision())
    logs = [*base.glob("events/*.jsonl"), *base.glob("audit/decisions/*.jsonl")]
    whole = [log.read_bytes() for log in logs]
    for log in logs:
        log.write_bytes(log.read_bytes() + b"half")
    report = store.repair()
    assert (report.ok, report.notes, len(report.actions)) == (True, (), 2)
    assert report.actions[0] == (
        "moved the torn end of events/2026-01-05.jsonl to 2026-01-05.jsonl.torn"
    )
    assert [log.read_bytes() for log in logs] == whole
    for log in logs:
        assert log.with_name(f"{log.name}.torn").read_bytes() == b"half\n"


def test_d6_a_part_of_another_state_is_left_to_the_next_write(store, base, bar, two_parts):
    old = two_parts[0].read_bytes()
    store.write_bars("AAPL", [bar(close=99.5)])
    two_parts[0].rename(two_parts[0].with_name("2026-01-01--2026-01-09.parquet"))
    two_parts[0].write_bytes(old)
    report = store.repair()
    assert ([each.kind for each in report.findings], report.actions) == (["older"], ())
    store.compact()
    assert store.verify().ok
    assert list(set_aside(base).values()) == [old]
    assert store.read_bars("AAPL", *ALL)[0].close == 99.5


def test_what_a_writer_has_mended_since_is_left_alone(store, base, two_parts):
    repairs = Repairs(base, store._disk, 1, dry_run=False)
    looks_well = Issue("damaged", two_parts[0], "was", QUARANTINE, Files(None, lambda path: None))
    vanished = Issue("temporary", base / "gone", "was", QUARANTINE)
    assert [repairs.repair(each) for each in (looks_well, vanished)] == [None, None]
    assert two_parts[0].exists()


def test_a_repair_leaves_what_a_writer_holds_and_says_so(base, two_parts):
    damage(two_parts[0])
    with FileDataStore(base, lock_timeout=0.01) as store:
        with Locked(two_parts[0].parent / ".lock", 1):
            report = store.repair()
        assert [each.kind for each in report.findings] == ["damaged", "unrepaired"]
        assert "another writer has held this lock" in report.findings[1].detail
        assert store.repair().ok


def test_what_was_moved_can_be_put_back(store, base, two_parts):
    content = damage(two_parts[0])
    store.repair()
    (moved,) = (base / "aside").rglob("*.parquet")
    moved.rename(two_parts[0])
    assert two_parts[0].read_bytes() == content


def test_a_leftover_that_has_become_a_partition_is_left_alone(store, base, two_parts):
    """The newer part may have gone meanwhile."""
    left = two_parts[0].with_name("2026-01-05.parquet")
    shutil.copy(two_parts[0], left)
    (issue,) = [each for each in store._bars.issues() if each and each.kind == "leftover"]
    (two_parts[0] if issue.path == left else left).unlink()
    assert Repairs(base, store._disk, 1, dry_run=False).repair(issue) is None
    assert issue.path.exists()


def test_a_leftover_is_moved_and_the_newer_part_answers(store, base, two_parts):
    shutil.copy(two_parts[0], two_parts[0].with_name("2026-01-05.parquet"))
    assert store.repair().ok
    assert store.verify().notes == ()
    assert len(set_aside(base)) == 1
    assert len(store.read_bars("AAPL", *ALL)) == 2


def test_of_two_leftovers_each_is_looked_at_for_itself(store, base, two_parts):
    """The second one first, while the first one still lies before it."""
    for part in two_parts:
        day = sorted(each.date for each in store.read_bars("AAPL", *ALL))[two_parts.index(part)]
        shutil.copy(part, part.with_name(f"{day:%Y-%m-%d}.parquet"))
    leftovers = [each for each in store._bars.issues() if each and each.kind == "leftover"]
    repairs = Repairs(base, store._disk, 1, dry_run=False)
    assert all(repairs.repair(each) for each in reversed(leftovers))
    assert len(set_aside(base)) == len(leftovers) == 2
    assert len(store.read_bars("AAPL", *ALL)) == 2


def test_a_torn_end_that_was_settled_meanwhile_is_left_alone(store, base, event):
    store.write_event(event())
    log = next(base.glob("events/*.jsonl"))
    whole = log.read_bytes()
    log.write_bytes(whole + b"half")
    (issue,) = [each for each in store._events.issues() if each and each.kind == "torn"]
    log.write_bytes(whole)
    repairs = Repairs(base, store._disk, 1, dry_run=False)
    assert repairs.repair(issue) is None
    log.unlink()
    assert repairs.repair(issue) is None
    assert not log.exists()
