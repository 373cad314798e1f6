"""Law A3 over the files of a log: where a chain goes on, and where and how it breaks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import Action, Decision
from storecore.audit.chain import LogFile, follow
from storecore.audit.records import GENESIS, Link, chain, decision_bodies

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
COUNT = 9
DECISIONS = [Decision("AAPL", Action.BUY, 0.5, 0.9, f"reason {n}") for n in range(COUNT)]
LINES, END = chain(decision_bodies("value", DECISIONS), NOON, GENESIS)
IN_FILES = st.lists(st.integers(0, 3), min_size=COUNT, max_size=COUNT)


def files_of(lines, places):
    """Put each line at the end of the file that its place says."""
    placed = [*zip(lines, places, strict=True)]
    return [
        LogFile(str(at), b"".join(line for line, place in placed if place == at)) for at in range(4)
    ]


@given(places=IN_FILES)
def test_a4_a_chain_is_followed_however_a_clock_put_it_into_files(places):
    assert follow(files_of(LINES, places), [END]) == (END, None)


@given(places=IN_FILES, at=st.integers(0, COUNT - 1))
def test_a3_an_edited_line_is_found_in_its_file_wherever_that_is(places, at):
    lines = [*LINES]
    lines[at] = lines[at].replace(b"0.5", b"0.6")
    end, broken = follow(files_of(lines, places), [])
    before = [n for n in range(at) if places[n] == places[at]]
    assert (broken.kind, broken.file, broken.line) == ("edited", str(places[at]), len(before) + 1)
    assert broken.offset == sum(len(lines[n]) for n in before)
    assert end.seq == at


@given(places=IN_FILES, at=st.integers(0, COUNT - 2))
def test_a3_a_missing_line_is_found_where_the_next_one_stands(places, at):
    lines = [*LINES]
    lines[at] = b""
    end, broken = follow(files_of(lines, places), [])
    assert (broken.kind, end.seq) == ("missing", at)
    assert broken.detail == f"expected record {at + 1}, found record {at + 2}"


@pytest.mark.parametrize("seq", [1, 5, COUNT])
def test_a3_a_head_that_the_chain_never_had_is_found(seq):
    end, broken = follow([LogFile("log", b"".join(LINES))], [END, Link(seq, "0" * 64)])
    assert (broken.kind, broken.line) == ("edited", seq)
    assert (end.seq, len(end.hash)) == (seq - 1, 64 if seq > 1 else 0)


def test_a3_a_head_ahead_of_the_log_is_left_to_who_knows_the_files():
    assert follow([LogFile("log", b"".join(LINES))], [Link(COUNT + 1, "")]) == (END, None)


def test_no_file_is_an_empty_chain():
    assert follow([], []) == (GENESIS, None)
