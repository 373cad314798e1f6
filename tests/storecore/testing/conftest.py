"""What the tests of the conformance kit share: an inner run of pytest over one suite."""

from __future__ import annotations

import pytest

MODULE = """
    import pytest
    from storecore.builtin.memory import MemoryDataStore, storecore_backend
    from storecore.testing import DataStoreSuite

    class Wrong(MemoryDataStore):
        def write_bars(self, symbol, bars, *, timeframe="1d"):
            super().write_bars(symbol, list(bars)[::-1], timeframe=timeframe)

    class Older(MemoryDataStore):
        @property
        def restore_versions(self):
            raise AttributeError("written before this method was")

    class TestOne(DataStoreSuite):
        {body}

        @pytest.fixture
        def store(self):
            return {store}()
"""
FAST = "test_b1_within_a_batch_the_last_of_a_date_wins"


class Asked:
    """A plugin that makes no item of a test that `-k` leaves out: a suite has hundreds."""

    def __init__(self, only):
        self._any_of = [each.split(" and ") for each in only.split(" or ")]

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector, name):
        if not (isinstance(collector, pytest.Class) and name.startswith("test_")):
            return None
        return None if any(all(x in name for x in each) for each in self._any_of) else []


@pytest.fixture
def inner(pytester):
    """Run the tests that are asked for in an inner pytest and return its result."""

    def run(*args, only):
        options = ("-p", "no:faulthandler", "-k", only)
        return pytester.runpytest_inprocess(*options, *args, plugins=[Asked(only)])

    return run


@pytest.fixture
def suite_run(pytester, inner):
    """Run the suite of a store in an inner pytest and return its result."""

    def run(*args, store="MemoryDataStore", body="pass", only="b3_an_empty_batch_does"):
        pytester.makepyfile(test_it=MODULE.format(store=store, body=body))
        return inner(*args, only=only)

    return run


@pytest.fixture
def no_code(inner):
    """Run the kit against an installed backend, without code, in an inner pytest."""

    def run(*args, only="b3_an_empty_batch_does"):
        return inner("--pyargs", "storecore.testing", *args, only=only)

    return run
