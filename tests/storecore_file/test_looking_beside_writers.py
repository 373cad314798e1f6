"""What is looked at while it is written is not accused: verify and repair beside all writes."""

from __future__ import annotations

import itertools
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from storecore import StorageError
from storecore.audit.records import GENESIS
from storecore_file import FileDataStore, integrity
from storecore_file.fs.disk import Disk
from storecore_file.integrity import Files, Issue, agreed, issue_of
from storecore_file.repair import Repairs

ALL = date.min, date.max
PATH = Path("value.json")
JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def beside(base):
    """Look at a store again and again while another one writes, in a thread of this process."""

    def run(write, look, times):
        problems = []

        def work():
            with FileDataStore(base, durability="os") as store:
                for number in range(times):
                    try:
                        write(store, number)
                    except Exception as error:
                        problems.append(error)

        with FileDataStore(base, durability="os") as store:
            writer = Thread(target=work)
            writer.start()
            looks = 0
            while writer.is_alive() or not looks:
                report = look(store)
                assert report.findings == (), report
                assert report.actions == (), report
                looks += 1
            writer.join()
        assert problems == []

    return run


@pytest.fixture
def writes(bar, event, decision, fundamental, sent):
    return {
        "states": (300, lambda store, n: store.save_strategy_state("value", {"n": n})),
        "fundamentals": (
            300,
            lambda store, n: store.write_fundamental("AAPL", fundamental(employees=n)),
        ),
        "events": (
            40,
            lambda store, n: (store.write_event(event()), n % 4 or store.compact()),
        ),
        "audit": (
            200,
            lambda store, n: (
                store.log_decision("value", decision()),
                store.log_order("value", *sent()),
            ),
        ),
        "bars": (
            60,
            lambda store, n: (
                store.write_bars("AAPL", [bar(JAN_5 + timedelta(3 * n))]),
                n % 20 or store.compact(),
            ),
        ),
    }


@pytest.mark.parametrize("look", ["verify", "repair", "verify_audit"])
@pytest.mark.parametrize("kind", ["states", "fundamentals", "events", "audit", "bars"])
def test_looking_beside_a_writer_finds_nothing_and_moves_nothing(beside, writes, kind, look, small):
    times, write = writes[kind]
    beside(write, lambda store: getattr(store, look)(), times)


def test_a_version_that_was_dropped_before_it_was_read_is_no_damage(store, base, monkeypatch):
    for number in range(3):
        store.save_strategy_state("value", {"n": number})
    real = Disk.read
    monkeypatch.setattr(
        Disk,
        "read",
        lambda disk, path, start=0: None if path.name.endswith(".1") else real(disk, path, start),
    )
    assert store.verify().ok


def test_a_file_that_is_gone_has_no_problem(tmp_path):
    def check(path):
        path.read_bytes()

    assert issue_of(tmp_path / "gone", Files(None, check)) is None


def test_damage_that_the_next_look_does_not_find_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(integrity, "_PAUSE", 0)
    answers = iter([Issue("damaged", PATH, "a"), Issue("damaged", PATH, "b"), None])
    assert agreed(lambda: next(answers)) is None


def test_what_two_looks_find_is_found(monkeypatch):
    monkeypatch.setattr(integrity, "_PAUSE", 0)
    answers = iter(
        [Issue("damaged", PATH, "a"), Issue("damaged", PATH, "b"), Issue("damaged", PATH, "b")]
    )
    assert agreed(lambda: next(answers)) == Issue("damaged", PATH, "b")


def test_what_never_stays_the_same_is_reported_as_it_was_seen_last(monkeypatch):
    monkeypatch.setattr(integrity, "_PAUSE", 0)
    numbers = itertools.count()
    assert agreed(lambda: Issue("damaged", PATH, str(next(numbers)))).kind == "damaged"


def test_a_document_that_is_quarantined_while_it_is_read_is_not_taken_for_damaged(
    store, base, fundamental, monkeypatch
):
    for day in (0, 1):
        store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(day), employees=day))
    newest, real = max(base.rglob("fundamentals/AAPL/*")), Disk.read

    def gone(disk, path, start=0):
        newest.unlink(missing_ok=True)
        return real(disk, path, start)

    monkeypatch.setattr(Disk, "read", gone)
    assert store.read_fundamental("AAPL").employees == 0


def test_a_line_that_goes_on_in_another_file_meanwhile_is_not_missing(
    store, base, decision, monkeypatch
):
    """A writer whose clock was set back goes on in a file that was read already."""
    for _ in range(3):
        store.log_decision("value", decision())
    log = next(base.glob("audit/decisions/*.jsonl"))
    first, second, third = log.read_bytes().splitlines(keepends=True)
    other = log.with_name(f"{date.fromisoformat(log.stem) + timedelta(1)}.jsonl")
    log.write_bytes(first)
    other.write_bytes(third)
    real = Disk.opened

    def then_written(disk, path):
        file = real(disk, path)
        if path == other:
            log.write_bytes(first + second)
        return file

    monkeypatch.setattr(Disk, "opened", then_written)
    report = store.verify_audit()
    assert report.ok
    assert report.heads["decisions"] != GENESIS.hash


def test_a_chain_that_there_is_no_memory_for_is_unchecked(store, base, decision, monkeypatch):
    store.log_decision("value", decision())

    def out_of_memory(files, heads):
        raise MemoryError

    monkeypatch.setattr("storecore_file.audit.log.follow", out_of_memory)
    found = store.verify().findings
    assert [(each.kind, each.place) for each in found] == [
        ("unchecked", str(base / "audit" / log)) for log in ("decisions", "orders")
    ]


def test_documents_that_vanish_again_and_again_are_a_storage_error(store, fundamental, monkeypatch):
    store.write_fundamental("AAPL", fundamental())
    monkeypatch.setattr(Disk, "read", lambda disk, path, start=0: None)
    with pytest.raises(StorageError, match="vanished while they were read"):
        store.read_fundamental("AAPL")
    assert list(store.iter_fundamentals()) == []


def test_an_entry_that_cannot_be_looked_at_is_unchecked(store, base, monkeypatch):
    store.save_strategy_state("value", {"n": 1})
    real = os.lstat

    def refuse(path):
        if str(path).endswith("value.json"):
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "lstat", refuse)
    (finding,) = store.verify().findings
    assert (finding.kind, finding.place) == ("unchecked", str(base / "state" / "value.json"))
    assert finding.detail == "could not be checked: cannot look at it: Input/output error"


def test_a_file_that_has_come_in_the_place_of_another_thing_is_not_moved(store, base):
    path = base / "events" / "2026-01-05.parquet"
    os.mkfifo(path)
    (issue,) = [each for each in store._events.issues() if each]
    path.unlink()
    path.write_bytes(b"x")
    assert Repairs(base, store._disk, 1, dry_run=False).repair(issue) is None
    assert path.exists()
