"""What the tests of the command line share: a runner, a store on disk and files to import."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from click.testing import CliRunner

import storecore
from storecore import PriceBar
from storecore.cli.app import app

HEADER = "Symbol,Date,Open,High,Low,Close,Volume"


@pytest.fixture
def cli():
    """Run the command line on arguments and return click's result."""
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def base_path(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def at(base_path):
    """The options that name the file store of the test."""
    return ("--backend", "file", "--set", f"base_path={base_path}")


@pytest.fixture
def opened(base_path):
    """Open the file store of the test, as a user would."""
    return lambda: storecore.open_store("file", base_path=base_path, durability="os")


@pytest.fixture
def stored(opened):
    """Return the bars of a symbol in the file store of the test."""

    def read(symbol="AAPL", timeframe="1d"):
        with opened() as store:
            return store.read_bars(symbol, date.min, date.max, timeframe=timeframe)

    return read


@pytest.fixture
def csv_file(tmp_path):
    """Write a CSV of rows under the usual header, or another one."""

    def write(*rows, header=HEADER, encoding="utf-8"):
        file = tmp_path / "bars.csv"
        file.write_text("\n".join((header, *rows)) + "\n", encoding=encoding)
        return file

    return write


@pytest.fixture
def ten_bars(opened):
    """Write ten daily bars of AAPL, 2026-01-01 to 2026-01-10, closing at 100 to 109."""
    bars = [
        PriceBar(
            "AAPL", datetime(2026, 1, 1) + timedelta(day), 99.5, 120.0, 90.0, 100.0 + day, 1000
        )
        for day in range(10)
    ]
    with opened() as store:
        store.write_bars("AAPL", bars)
    return bars


@pytest.fixture
def backend_with(site):
    """Install a backend `partial` that has the ten methods and these capabilities alone.

    It keeps one store in memory, in which AAPL has a bar. Return the options that name it.
    """

    def install(*capabilities):
        site.backend(
            f"""
            from datetime import datetime
            from msgspec import Struct
            from storecore import BackendSpec, DataStore, PriceBar, hookimpl
            from storecore.protocols import CAPABILITIES
            from storecore.builtin.memory import MemoryDataStore

            KEPT = MemoryDataStore()
            KEPT.write_bars("AAPL", [PriceBar("AAPL", datetime(2026, 1, 5), 1, 1, 1, 1, 1)])

            class Config(Struct):
                pass

            class Partial:
                def __enter__(self):
                    return self

                def __exit__(self, *exc):
                    pass

                def close(self):
                    pass

            for protocol in (DataStore, *map(CAPABILITIES.get, {capabilities!r})):
                for name in vars(protocol):
                    if not name.startswith("_") and name != "close":
                        setattr(Partial, name, staticmethod(getattr(KEPT, name)))

            @hookimpl
            def storecore_backend():
                return BackendSpec(
                    name="partial",
                    config=Config,
                    open=lambda config: Partial(),
                    capabilities=frozenset({capabilities!r}),
                )
            """,
            name="partial",
        )
        return ("--backend", "partial")

    return install
