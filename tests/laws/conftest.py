"""What the law tests share."""

from __future__ import annotations

import itertools

import pytest


@pytest.fixture
def fresh_name():
    """Give a symbol that no other hypothesis example of this test has used."""
    numbers = itertools.count()
    return lambda: f"S{next(numbers)}"
