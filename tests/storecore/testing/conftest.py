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


@pytest.fixture
def suite_run(pytester):
    """Run the suite of a store in an inner pytest and return its result."""

    def run(*args, store="MemoryDataStore", body="pass", only="b3_an_empty_batch_does"):
        pytester.makepyfile(test_it=MODULE.format(store=store, body=body))
        return pytester.runpytest_inprocess("-p", "no:faulthandler", "-k", only, *args)

    return run


@pytest.fixture
def no_code(pytester):
    """Run the kit against an installed backend, without code, in an inner pytest."""

    def run(*args, only="b3_an_empty_batch_does"):
        options = ("-p", "no:faulthandler", "--pyargs", "storecore.testing", "-k", only)
        return pytester.runpytest_inprocess(*options, *args)

    return run
