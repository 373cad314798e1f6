"""The log in the order of `seq`, from its files, and records of another store put into them."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta

import pytest

from storecore import CorruptData, StateConflict, StorageError, laws
from storecore_file import FileDataStore
from storecore_file.audit import days
from storecore_file.fs import logs

JAN_5 = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def folder(base):
    return base / "audit" / "decisions"


@pytest.fixture
def chain(decision):
    """Return the lines of a log of so many decisions, logged at the noon of given days or one."""

    def make(count, strategy="value", days=()):
        body, end, made = laws.decision_body(strategy, decision()), laws.GENESIS, []
        for day in days or [0] * count:
            (line,), end = laws.chain([body], NOON + timedelta(day), end)
            made.append(line)
        return made

    return make


@pytest.fixture
def put(store):
    """Append lines, each on a day of its own: 0 is the 5th of January."""

    def append(lines, days):
        for line, day in zip(lines, days, strict=True):
            store.append_audit("decisions", JAN_5 + timedelta(day), [line])

    return append


def seqs(store, after=0):
    return [json.loads(each.line)["seq"] for each in store.iter_audit("decisions", after)]


@pytest.mark.parametrize(
    "days", [(0, 0, 0, 0, 0), (0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (0, 1, 0, 1, 0), (2, 2, 0, 2, 1)]
)
def test_a4_days_take_turns_where_the_clock_was_set_back(store, put, chain, days):
    lines = chain(5, days=days)
    put(lines, days)
    expected = [(JAN_5 + timedelta(day), line) for day, line in zip(days, lines, strict=True)]
    assert list(store.iter_audit("decisions")) == expected
    assert store.verify_audit().ok
    assert [seqs(store, after) for after in (1, 4, 5)] == [[2, 3, 4, 5], [5], []]


def test_one_file_is_open_at_a_time_however_many_days_there_are(store, put, chain):
    put(chain(40, days=range(40)), range(40))
    given = store.iter_audit("decisions")
    next(given)
    before = len(os.listdir("/dev/fd"))
    assert len(list(given)) == 39
    given = store.iter_audit("decisions")
    next(given)
    assert len(os.listdir("/dev/fd")) == before


def test_lines_longer_than_a_block_are_whole(store, put, chain, monkeypatch):
    monkeypatch.setattr(logs, "_LARGE_BLOCK", 64)
    lines = chain(5)
    put(lines, [0, 0, 0, 1, 1])
    assert [each.line for each in store.iter_audit("decisions")] == lines


def test_d3_a_line_that_is_being_written_is_none(store, put, chain, folder):
    put(chain(2), [0, 0])
    with (folder / "2026-01-05.jsonl").open("ab") as log:
        log.write(b'{"seq":3')
    (folder / "2026-01-06.jsonl").write_bytes(b'{"seq":3')
    assert seqs(store) == [1, 2]


@pytest.mark.parametrize("row", [0, 1, 2])
def test_d5_a_damaged_line_is_named_with_its_file(store, put, chain, folder, row):
    put(chain(3), [0, 0, 0])
    path = folder / "2026-01-05.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[row] = lines[row].replace(b'"buy"', b'"hold"')
    path.write_bytes(b"".join(lines))
    with pytest.raises(CorruptData, match=r"2026-01-05\.jsonl: a line is not whole"):
        list(store.iter_audit("decisions"))


def test_d5_a_damaged_newline_at_the_end_is_damage(store, put, chain, folder):
    put(chain(2), [0, 0])
    path = folder / "2026-01-05.jsonl"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptData, match="a line is not whole"):
        list(store.iter_audit("decisions"))


def test_a_file_that_is_gone_by_now_has_no_lines(store, folder):
    assert list(days.stream(store._disk, [folder / "2026-01-05.jsonl"], 0)) == []


def test_what_does_not_follow_makes_no_file(store, chain, folder):
    with pytest.raises(StateConflict):
        store.append_audit("decisions", JAN_5, chain(2)[1:])
    assert [each.name for each in folder.iterdir() if each.suffix == ".jsonl"] == []


def test_d2_records_that_cannot_be_written_leave_the_log_as_it_was(store, put, chain, monkeypatch):
    lines = chain(4)
    put(lines[:2], [0, 0])
    with monkeypatch.context() as failing:
        failing.setattr(logs, "write_all", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(StorageError, match="full"):
            store.append_audit("decisions", JAN_5, lines[2:])
    assert seqs(store) == [1, 2]
    store.append_audit("decisions", JAN_5, lines[2:])
    assert (seqs(store), store.verify_audit().ok) == ([1, 2, 3, 4], True)


def test_d4_two_stores_of_one_folder_take_turns(store, base, chain, decision):
    lines = chain(4)
    with FileDataStore(base_path=base) as other:
        store.append_audit("decisions", JAN_5, lines[:1])
        other.append_audit("decisions", JAN_5, lines[1:2])
        store.append_audit("decisions", JAN_5 + timedelta(1), lines[2:])
        other.log_decision("value", decision())
        store.log_decision("value", decision())
    assert (seqs(store), store.verify_audit().ok) == ([1, 2, 3, 4, 5, 6], True)
