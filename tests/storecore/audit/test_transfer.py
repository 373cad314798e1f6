"""Records that were logged elsewhere: whole, one after the other, behind the last stored."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from storecore import InvalidData, StateConflict, laws
from storecore.audit.records import end_of
from storecore.audit.transfer import loggers_of

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def lines(decision):
    """Four records of a log of decisions."""
    bodies = [laws.decision_body(strategy, decision()) for strategy in ("a", "b", "a", "c")]
    return laws.chain(bodies, NOON, laws.GENESIS)[0]


def test_a_log_is_one_of_two():
    assert [laws.check_log(log) for log in ("decisions", "orders")] == ["decisions", "orders"]
    with pytest.raises(InvalidData, match=r"^log='trades': expected one of 'decisions', 'orders'$"):
        laws.check_log("trades")


@pytest.mark.parametrize("log", [["orders"], pd.NA, np.array(["orders"]), None])
def test_what_is_no_text_is_no_log(log):
    with pytest.raises(InvalidData, match=r"^log=.*: expected one of 'decisions', 'orders'$"):
        laws.check_log(log)


@pytest.mark.parametrize("after", [-1, 1.0, True, None, "1"])
def test_what_is_no_number_of_a_record_is_refused(after):
    with pytest.raises(InvalidData, match=r"^after="):
        laws.check_log("orders", after)


def test_whole_records_are_returned_as_they_are(lines):
    assert laws.moved_lines("decisions", DAY, iter(lines)) == lines
    assert laws.moved_lines("decisions", DAY, lines[2:]) == lines[2:]
    assert laws.moved_lines("decisions", DAY, []) == []


@pytest.mark.parametrize("day", [NOON, "2026-01-05", None])
def test_the_day_is_a_date(lines, day):
    with pytest.raises(InvalidData, match=r"^day=.*: expected a date"):
        laws.moved_lines("decisions", day, lines)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.replace(b'"b"', b'"x"'), r"lines\[1\]: not a whole record of decisions"),
        (lambda line: line[:-1], r"lines\[1\]: not a whole record"),
        (lambda line: line + b"\n", r"lines\[1\]: not a whole record"),
        (lambda line: line.decode(), r"lines\[1\]: expected bytes, got str"),
    ],
)
def test_a_line_that_is_no_record_is_named(lines, change, said):
    with pytest.raises(InvalidData, match=said):
        laws.moved_lines("decisions", DAY, [lines[0], change(lines[1]), lines[2]])


def test_a_record_of_the_other_log_is_none_of_this(lines):
    with pytest.raises(InvalidData, match=r"lines\[0\]: not a whole record of orders"):
        laws.moved_lines("orders", DAY, lines)


def test_one_line_is_no_batch(lines):
    with pytest.raises(InvalidData, match=r"lines\[0\]: expected bytes, got int"):
        laws.moved_lines("decisions", DAY, lines[0])


def test_records_that_do_not_follow_each_other_are_refused(lines):
    with pytest.raises(InvalidData, match=r"lines\[2\]: it does not follow the record before it"):
        laws.moved_lines("decisions", DAY, [lines[0], lines[1], lines[3]])


def test_a_first_record_that_names_one_before_it_is_refused(decision):
    body = laws.decision_body("a", decision())
    lines, _ = laws.chain([body], NOON, laws.Link(0, "0" * 64))
    with pytest.raises(InvalidData, match=r"lines\[0\]"):
        laws.moved_lines("decisions", DAY, lines)


def test_the_end_is_that_of_the_last_record(lines):
    end = laws.moved_end("decisions", lines[:2], laws.GENESIS)
    assert end == end_of(lines[1])
    assert laws.moved_end("decisions", lines[2:], end) == end_of(lines[3])


def test_a_conflict_says_where_the_log_ends_and_what_was_given(lines):
    end = end_of(lines[0])
    said = rf"decisions ends with record 1 \({end.hash[:8]}\).* follows record 0 \(none\)"
    with pytest.raises(StateConflict, match=said):
        laws.moved_end("decisions", lines, end)


def test_records_are_counted_by_strategy(lines):
    assert loggers_of(lines) == {("a", False): 2, ("b", False): 1, ("c", False): 1}
