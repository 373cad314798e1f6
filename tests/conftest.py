"""Fixtures that every test may use: a store of each backend, opened by name like a user's."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

import storecore

# The machine that runs this may be busy: a slow example is no failure.
settings.register_profile(
    "storecore",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("storecore")


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    """An open store of each backend in turn."""
    options = {"base_path": tmp_path / "data"} if request.param == "file" else {}
    with storecore.open_store(request.param, **options) as opened:
        yield opened
