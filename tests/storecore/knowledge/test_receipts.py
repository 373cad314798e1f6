"""Receipts of reads: the question as JSON, the checksum of the answer, the time of both."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import numpy as np
import pandas as pd
import pytest

from storecore.builtin.memory import MemoryDataStore
from storecore.knowledge import receipts
from storecore.knowledge.checksums import checksum
from storecore.knowledge.receipts import Reads, arguments_of
from storecore.testing.records import NOON, NOON_UTC, bar, bar_table, decision
from storecore.values.times import exact_instant

DAY = timedelta(days=1)
T = exact_instant(NOON_UTC, "t")
EAST = timezone(timedelta(hours=9))


@pytest.fixture
def reads():
    return Reads()


def taken(reads, **options):
    return reads.receipt(T, None, **options)


def test_a_read_has_the_question_and_the_checksum_of_the_answer(reads):
    before = datetime.now(UTC)
    answer = [bar(), bar(NOON + DAY)]
    reads.add("read_bars", ("AAPL", NOON), {"last": 2}, answer)
    (read,) = reads.receipt(T, T + 1)
    asked = {"symbol": "AAPL", "start": "2026-01-05T12:00:00", "end": None}
    assert (read.call, read.arguments) == ("read_bars", asked | {"timeframe": "1d", "last": 2})
    assert (read.rows, read.sha256) == checksum(answer)
    assert (read.as_of, read.recorded) == (NOON_UTC, NOON_UTC + timedelta(microseconds=1))
    assert before <= read.read_at <= datetime.now(UTC)


def test_a_receipt_is_of_the_reads_since_the_last_one(reads):
    reads.add("read_bars", ("AAPL",), {}, [bar()])
    reads.add("symbols", (), {}, ["AAPL"])
    assert [each.call for each in taken(reads)] == ["read_bars", "symbols"]
    assert taken(reads) == []
    reads.add("symbols", (), {}, [])
    assert [(each.call, each.rows) for each in taken(reads)] == [("symbols", 0)]


def test_what_the_caller_does_to_the_answer_and_the_arguments_changes_no_receipt(reads):
    symbols, answer = ["AAPL"], [bar()]
    reads.add("read_bar_table", (symbols,), {"columns": symbols}, bar_table([bar()]))
    reads.add("read_bars", ("AAPL",), {}, answer)
    symbols.append("MSFT")
    answer.clear()
    table, bars = taken(reads)
    assert table.arguments["symbols"] == table.arguments["columns"] == ["AAPL"]
    assert (bars.rows, bars.sha256) == checksum([bar()])


TIMES = {
    "naive": (NOON, "2026-01-05T12:00:00"),
    "aware": (NOON_UTC, "2026-01-05T12:00:00Z"),
    "of another zone": (NOON_UTC.astimezone(EAST), "2026-01-05T12:00:00Z"),
    "a date": (date(2026, 1, 5), "2026-01-05"),
    "a text": ("2026-01-05T21:00+09:00", "2026-01-05T21:00+09:00"),
    "of pandas": (pd.Timestamp("2026-01-05T12:00:00.000000001"), "2026-01-05T12:00:00.000000001"),
    "of pandas, aware": (pd.Timestamp(NOON_UTC), "2026-01-05T12:00:00Z"),
    "of numpy": (np.datetime64("2026-01-05T12", "us"), "2026-01-05T12:00:00.000000"),
    "none": (None, None),
}


@pytest.mark.parametrize(("bound", "text"), TIMES.values(), ids=TIMES)
def test_a_bound_of_any_kind_is_text_that_asks_the_same(bound, text):
    asked = arguments_of("read_bars", ("AAPL", bound), {})
    assert asked["start"] == text
    with MemoryDataStore() as store:
        store.write_bars("AAPL", [bar(NOON - DAY), bar(), bar(NOON + DAY)])
        assert store.read_bars(**asked) == store.read_bars("AAPL", bound)


def test_names_are_arrays_and_sets_are_sorted_ones():
    asked = arguments_of(
        "read_events", (), {"types": ("b", "a"), "symbols": frozenset("BA") | {None}}
    )
    assert (asked["types"], asked["symbols"]) == (["b", "a"], [None, "A", "B"])
    assert arguments_of("strategies", (np.str_("v"),), {}) == {"prefix": "v"}


def test_numbers_of_other_libraries_are_plain():
    assert arguments_of("read_bars", ("AAPL",), {"last": np.int64(5)})["last"] == 5
    assert arguments_of("read_bars", (object,), {})["symbol"] == "<class 'object'>"


def test_a_receipt_is_json_and_what_a_log_takes(reads):
    reads.add("read_events", (NOON, NOON_UTC), {"symbols": {None, "A"}}, [])
    given = taken(reads, lengths={"session": 82_800_000_000})
    assert given[0].arguments["lengths"] == {"session": 82_800.0}
    with MemoryDataStore() as store:
        store.log_decision("value", decision(), reads=given)
        (record,) = store.read_decisions()
    assert record.reads == json.loads(msgspec.json.encode(given))
    assert msgspec.convert(record.reads, list[type(given[0])]) == given


def test_many_rows_are_digested_before_they_are_asked_for(reads, monkeypatch):
    """A view that is read for days holds no answers for days."""
    monkeypatch.setattr(receipts, "MOST_BYTES", 3 * 512)
    for number in range(4):
        reads.add("read_bars", (f"S{number}",), {}, [bar(NOON + number * DAY)])
    reads.add("read_fundamental", ("AAPL",), {}, None)
    kept = [each for _, each in reads._reads]
    assert [len(each) for each in kept[:4]] == [2, 2, 2, 1]  # rows and checksum; the newest bars
    found = [(each.rows, each.sha256) for each in taken(reads)]
    assert found == [*(checksum([bar(NOON + number * DAY)]) for number in range(4)), checksum(None)]


def test_a_long_answer_is_digested_when_its_receipt_is_asked_for(reads, monkeypatch):
    monkeypatch.setattr(receipts, "MOST_BYTES", 0)
    answer = bar_table([bar()])
    reads.add("read_bar_table", (["AAPL"],), {}, answer)
    assert reads._reads[0][1] is answer
    reads.add("read_bar_table", (["AAPL"],), {}, answer)
    assert [each is answer for _, each in reads._reads] == [False, True]
    assert {each.sha256 for each in taken(reads)} == {checksum(answer).sha256}


def test_a_stream_is_one_read_of_all_its_tables(reads):
    tables = [bar_table([bar()]), bar_table([bar(NOON + DAY)])]
    stream = reads.stream("iter_bar_tables", (["AAPL"],), {}, iter(tables))
    assert taken(reads) == []
    assert list(stream) == tables
    (read,) = taken(reads)
    assert (read.rows, read.sha256) == checksum(bar_table([bar(), bar(NOON + DAY)]))
    assert "first" not in read.arguments
    assert taken(reads) == []


def test_the_receipt_of_a_stream_that_goes_on_is_one_of_the_rows_so_far(reads, monkeypatch):
    monkeypatch.setattr(receipts, "MOST_BYTES", 0)
    tables = [bar_table([bar()]), bar_table([bar(NOON + DAY)])]
    stream = reads.stream("iter_bar_tables", (["AAPL"],), {}, iter(tables))
    next(stream)
    for _ in range(2):  # with the second one the first is digested
        reads.add("symbols", (), {}, ["AAPL"])
    read, *_ = taken(reads)
    assert (read.rows, read.sha256) == checksum(tables[0])
    assert read.arguments["first"] == 1
    list(stream)
    (read,) = taken(reads)
    assert (read.rows, "first" in read.arguments) == (2, False)
