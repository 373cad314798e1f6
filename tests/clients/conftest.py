"""Fixtures of the tests with real clients: their adapters, and real bars."""

from __future__ import annotations

import importlib
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ADAPTERS = Path(__file__).parent / "adapters"
PACKAGES = Path(__file__).parents[1] / "third_party"


@pytest.fixture
def adapter(monkeypatch):
    """Import an adapter, or skip the test if the client that it adapts is not installed."""

    def load(name, *packages):
        for each in packages:
            pytest.importorskip(each, reason=f"{each} is in tests/clients/requirements.txt")
        for folder in (ADAPTERS, PACKAGES / "vnpy-storecore"):
            monkeypatch.syspath_prepend(folder)
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="session")
def real_bars():
    """13 years of daily bars of AAPL, IBM and MSFT, those of the demo."""
    table = pq.read_table(files("storecore.cli") / "daily-bars.parquet")
    stamps = table["date"].cast(pa.timestamp("us"))
    return table.set_column(1, "date", stamps)
