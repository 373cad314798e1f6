"""Stores for views: of each kind, and one that has the first ten methods alone."""

from __future__ import annotations

import pytest

from storecore import open_store

KINDS = ("memory", "file", "cached", "readonly", "first ten")


class FirstTen:
    """A third party's store: the ten methods as they were at first, and nothing else."""

    def __init__(self, nested):
        self._nested = nested
        for name in ("write_bars", "write_fundamental", "read_fundamental", "write_event"):
            setattr(self, name, getattr(nested, name))
        for name in ("save_strategy_state", "load_strategy_state", "log_decision", "log_order"):
            setattr(self, name, getattr(nested, name))

    def __repr__(self):
        return "FirstTen()"

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        """Return the bars of a range."""
        assert None not in (start, end)
        return self._nested.read_bars(symbol, start, end, timeframe=timeframe)

    def read_events(self, start, end, types=None):
        """Return the events of a range."""
        assert None not in (start, end)
        return self._nested.read_events(start, end, types)

    def close(self):
        """Close it."""
        self._nested.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def opened(kind, folder):
    """Return a store to write to, and one of a kind around it to ask."""
    if kind in ("memory", "first ten"):
        written = open_store("memory")
        return written, FirstTen(written) if kind == "first ten" else written
    place = {"backend": "file", "base_path": folder / "data", "durability": "os"}
    written = open_store(place)
    return written, written if kind == "file" else open_store(kind, store=place)


@pytest.fixture(params=KINDS)
def stores(request, tmp_path):
    """A store to write to, and one of each kind around it to ask."""
    written, asked = opened(request.param, tmp_path)
    with written, asked:
        yield written, asked


@pytest.fixture
def written(stores):
    """The store to write to."""
    return stores[0]


@pytest.fixture
def asked(stores):
    """The store that is asked; it holds what is written to the other one."""
    return stores[1]
