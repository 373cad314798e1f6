"""What a suite gives by its fixtures is right if the tests can use it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from storecore.builtin.memory import MemoryConfig, MemoryDataStore, storecore_backend
from storecore.testing.fixture_checks import mistake


@pytest.mark.parametrize(
    ("fixture", "value"),
    [
        ("store", MemoryDataStore()),
        ("writer", MemoryDataStore()),
        ("spec", None),
        ("spec", storecore_backend()),
        ("spec", storecore_backend().resolved(MemoryConfig())),
        ("place", None),
        ("place", Path("data")),
        ("reopen", None),
        ("reopen", partial(MemoryDataStore)),
        ("nowhere", MemoryDataStore),
        ("tamper", lambda log, change: None),
    ],
)
def test_what_the_tests_can_use_is_no_mistake(fixture, value):
    assert mistake(fixture, value) == ""


def test_what_is_expected_is_shown_beside_what_was_given():
    assert mistake("place", "data") == ("expected the pathlib.Path of a folder or None, got 'data'")
