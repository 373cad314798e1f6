"""What a backend declares and its suite cannot try is "not tried", never held and never broken."""

from __future__ import annotations

import pytest

SUITE = """
    from functools import partial

    import pytest
    from msgspec.structs import replace
    from storecore.testing import DataStoreSuite
    from storecore_file import FileDataStore
    from storecore_file.plugin import storecore_backend

    class TestOne(DataStoreSuite):
        {given}

        @pytest.fixture
        def spec(self):
            return storecore_backend()

        @pytest.fixture
        def store(self, tmp_path):
            with FileDataStore(tmp_path / "data") as store:
                yield store
"""
REOPEN = """
        @pytest.fixture
        def reopen(self, tmp_path):
            return partial(FileDataStore, tmp_path / "data")
"""
EMPTY_PLACE = """
        @pytest.fixture
        def place(self, tmp_path):
            return tmp_path / "elsewhere"
"""


@pytest.fixture
def suite(pytester, inner):
    """Run tests of a suite of the file backend that gives some fixtures; return what it says."""

    def run(only, *given):
        pytester.makepyfile(test_it=SUITE.format(given="".join(given).strip() or "pass"))
        done = inner(only=only)
        assert not {"failed", "errors"} & done.parseoutcomes().keys()
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("law", "test", "promise"),
    [
        ("D1", "d1_what", "durable"),
        ("D2", "d2_a_write", "durable"),
        ("D3", "d3_the_next", "durable"),
        ("D4", "d4_processes", "shared"),
        ("D5", "d5_no_flipped", "sealed"),
    ],
)
def test_a_promise_is_not_tried_without_another_process(suite, law, test, promise):
    said = f"  {law} not tried: promised to be {promise}, but the suite gives no `reopen`"
    suite(test).fnmatch_lines(["TestOne: level none; 1 not tried, *", said])


def test_seals_are_not_tried_without_the_place_of_the_files(suite):
    said = "  D5 not tried: promised to be sealed, but the suite gives no `place`"
    suite("d5_no_flipped", REOPEN).fnmatch_lines([said])


def test_seals_are_not_tried_where_no_file_is(suite):
    said = "  D5 not tried: promised to be sealed, but the store has no file in `place`"
    suite("d5_no_flipped", REOPEN, EMPTY_PLACE).fnmatch_lines([said])


def test_a_missing_store_is_not_tried_without_a_place_for_none(suite):
    said = "  D7 not tried: declared by `open_existing`, but there is no `nowhere`"
    suite("d7_", REOPEN).fnmatch_lines([said])


def test_a_forger_is_not_tried_without_tamper(suite):
    said = "  A3 not tried: the suite gives no `tamper` that edits stored records"
    suite("a3_an_edited or a3_a_log").fnmatch_lines([said])
