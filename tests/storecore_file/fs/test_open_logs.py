"""Logs that are open: read a part at a time, whatever the parts."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore_file.fs.handles import OpenFile
from storecore_file.fs.logs import last_line_in, line_blocks, lines_from, whole_lines
from storecore_file.fs.seal import is_sealed, sealed

LINES = [sealed(b'{"n":%d,"x":"%b"}' % (n, b"x" * (n * 37 % 90))) for n in range(60)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("logs") / "log.jsonl"


def opened(path, content):
    path.write_bytes(content)
    return OpenFile(path)


TAILS = st.sampled_from([b"", b'{"torn":', LINES[5], LINES[5][:-1], LINES[5][:-1] + b"!"])


@given(count=st.integers(0, 40), tail=TAILS, size=st.integers(1, 400))
def test_parts_have_the_lines_that_are_read_at_once(path, count, tail, size):
    content = b"".join(LINES[:count]) + tail
    with opened(path, content) as file:
        expected = whole_lines(content, is_sealed)
        found = list(line_blocks(file, is_sealed, 0, file.size, size))
        assert [line for _, lines in found for line in lines] == expected
        for at, lines in found:
            assert content[at:].startswith(b"".join(lines)[:-1])
        windows, at = [], 0
        while lines := lines_from(file, is_sealed, at, size):
            windows.append(lines)
            at += len(lines)
        assert b"".join(windows) == b"".join(expected)
        assert last_line_in(file, is_sealed) == (expected[-1] if expected else None)


def test_the_last_line_is_found_however_long_it_is(path):
    long = sealed(b'{"x":"%b"}' % (b"x" * 50_000))
    for content, last in (
        (LINES[0] + long, long),
        (LINES[0] + long + LINES[1][:-9], long),
        (long, long),
    ):
        with opened(path, content) as file:
            assert last_line_in(file, is_sealed) == last


def test_what_is_cut_off_meanwhile_is_left_out(path):
    with opened(path, b"".join(LINES)) as file:
        os.truncate(path, len(b"".join(LINES[:3])) + 5)
        (found,) = line_blocks(file, is_sealed, 0, file.size, 10**6)
        assert found == (0, LINES[:3])
        assert file.part(0, 10) == LINES[0][:10]
        assert file.part(10**7, 10) == b""


def test_a_part_of_a_log_begins_where_it_is_told(path):
    with opened(path, b"".join(LINES)) as file:
        start = len(b"".join(LINES[:10]))
        end = start + len(b"".join(LINES[10:20]))
        found = list(line_blocks(file, is_sealed, start, end, 150))
        assert found[0][0] == start
        assert [line for _, lines in found for line in lines] == LINES[10:20]
