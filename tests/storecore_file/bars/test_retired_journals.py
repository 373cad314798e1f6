"""The record of journals that are past: what it keeps, and how much of it."""

from __future__ import annotations

import pytest

from storecore_file.bars import retired_journals
from storecore_file.bars.journal_lines import HOUR, Known, Row
from storecore_file.bars.retired_journals import RetiredJournals
from storecore_file.fs.disk import Disk

KEY = ("AAPL", "1d")


def name(number):
    return f"{number:016}-0123456789abcdef.jsonl"


def known(number, *hours):
    """What is read of a file that has a row of AAPL for some hours, a line each."""
    file = Known()
    file.line, file.end = len(hours), b"end"
    rows = [
        Row(name(number), line, (hour * HOUR + 5, 1.0, 1.0, 1.0, 1.0, 1))
        for line, hour in enumerate(hours, 1)
    ]
    file.rows = {KEY: rows}
    return file


@pytest.fixture
def record(tmp_path):
    return RetiredJournals(tmp_path / ".past", Disk("os"))


def test_nothing_is_past_in_the_beginning(record):
    past = record.read()
    assert (past.newest, past.of(KEY), name(1) in past) == ({}, {}, False)
    record.add({name(1): Known()})  # without a line
    assert not record.path.exists()


def test_the_last_row_of_an_hour_is_expected(record):
    record.add({name(2): known(2, 7, 8, 7)})
    record.add({name(1): known(1, 7, 9)})  # an older one that came back
    past = record.read()
    assert past.of(KEY) == {7: (2, 3), 8: (2, 2), 9: (1, 2)}
    assert past.newest == {name(2): 3}
    assert past.is_whole(name(1), known(1, 7, 9))
    assert not past.is_whole(name(1), known(1, 7))


def test_rows_that_are_forgotten_are_expected_no_more(record):
    record.add({name(1): known(1, 7, 8)})
    record.forget(lambda key, hour: key == KEY and hour == 7)
    assert record.read().of(KEY) == {8: (1, 2)}
    before = record.path.stat().st_ino
    record.forget(lambda key, hour: False)
    assert record.path.stat().st_ino == before


def test_the_oldest_files_and_rows_are_known_by_their_number_alone(record, monkeypatch):
    monkeypatch.setattr(retired_journals, "_MOST_FILES", 2)
    monkeypatch.setattr(retired_journals, "_MOST_ROWS", 3)
    for number in range(1, 5):
        record.add({name(number): known(number, number, number + 100)})
    past = record.read()
    assert list(past.files) == [name(3), name(4)]
    assert [number for number in range(1, 6) if name(number) in past] == [1, 2, 3, 4]
    assert past.of(KEY) == {103: (3, 2), 4: (4, 1), 104: (4, 2)}
    assert past.named(1).startswith("0000000000000001-")
