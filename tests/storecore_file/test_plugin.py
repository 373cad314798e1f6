"""The backend `file`, as a user names it in a config."""

from __future__ import annotations

import subprocess
import sys

import pytest

import storecore
from storecore.errors import ConfigError, StorageError
from storecore_file import FileDataStore


def test_it_is_opened_by_its_name(tmp_path):
    with storecore.open_store("file", base_path=tmp_path / "data") as store:
        assert isinstance(store, FileDataStore)
        assert store.base_path == tmp_path / "data"


def test_it_is_opened_by_a_config_file_beside_which_its_folder_lies(tmp_path):
    config = tmp_path / "storecore.toml"
    config.write_text('[store]\nbackend = "file"\nbase_path = "data"\n')
    with storecore.open_store(storecore.load_config(config)) as store:
        assert store.base_path == tmp_path / "data"


def test_its_options_are_those_of_the_store(tmp_path, syscalls, bar):
    with storecore.open_store("file", base_path=str(tmp_path), durability="os") as store:
        store.write_bars("AAPL", [bar()])
    assert not {"fsync", "fdatasync"} & {name for name, _ in syscalls}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "base_path"),
        ({"base_pth": "data"}, "did you mean 'base_path'"),
        ({"base_path": 5}, "base_path"),
        ({"base_path": "data", "durability": "none"}, "durability"),
        ({"base_path": "data", "lock_timeout": "30"}, "lock_timeout"),
        ({"base_path": "data", "lock_timeout": -1}, "lock_timeout"),
        ({"base_path": "data", "state_versions": 0}, r"\[store\]: state_versions=0"),
        ({"base_path": "data", "history": "soon"}, r"\[store\]: history='soon'"),
    ],
)
def test_an_option_that_does_not_fit_is_a_config_error_that_names_it(
    options, named, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=named):
        storecore.open_store("file", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="expected a folder, found a file"):
        storecore.open_store("file", base_path=tmp_path / "file")


def test_importing_the_package_does_not_load_pyarrow():
    code = "import sys, storecore_file; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


_LIFE = """
import sys
from datetime import UTC, datetime, timedelta
from storecore import Event, PriceBar, open_store

DAY, MINUTE = datetime(2026, 1, 5, tzinfo=UTC), timedelta(minutes=1)

def bars(count, close):
    return [PriceBar("AAPL", DAY + n * MINUTE, 1.0, 2.0, 0.5, close, 7) for n in range(count)]

def events(days):
    happened = [DAY + days * timedelta(1) + n * MINUTE for n in range(600)]
    return [Event("trade", "AAPL", at, at, "feed", {"price": 1.5}) for at in happened]

path, step = sys.argv[1:]
store = open_store("file", base_path=path)
STEPS = {
    "filled": lambda: (
        store.write_events(events(0)), store.compact(), store.write_events(events(1)),
        store.write_bars("AAPL", bars(3_000, 1.0), timeframe="1m"),
        store.write_bars("AAPL", bars(9, 1.5), timeframe="1m"),
    ),
    "bars that replace others": lambda: store.write_bars("AAPL", bars(50, 1.25), timeframe="1m"),
    "a table": lambda: store.write_bar_table(
        store.read_bar_table("AAPL", timeframe="1m"), timeframe="1m"
    ),
    "bars as of a moment": lambda: store.at(DAY + timedelta(9), recorded=datetime.now(UTC))
        .read_bar_table("AAPL", timeframe="1m"),
    "versions": lambda: store.bar_versions("AAPL", DAY, DAY + MINUTE, timeframe="1m"),
    "corrections": lambda: list(store.corrections(DAY)),
    "events": lambda: store.read_events(
        DAY, DAY + timedelta(2), ["trade"], symbols=["AAPL"], ingested_by=DAY + timedelta(1)
    ),
    "a stream of events": lambda: list(store.iter_events(DAY, DAY + 99 * MINUTE)),
    "bars that are deleted": lambda: store.delete_bars("AAPL", DAY, DAY + MINUTE, timeframe="1m"),
}
STEPS[step]()
store.close()
print("pandas" in sys.modules)
"""


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Return a function that does a step of a store's life in a process of its own."""
    path = tmp_path_factory.mktemp("life")

    def live(step):
        code = [sys.executable, "-c", _LIFE, str(path / "data"), step]
        return subprocess.run(code, capture_output=True, text=True, check=True).stdout

    live("filled")
    return live


@pytest.mark.parametrize(
    "step",
    [
        "bars that replace others",
        "a table",
        "bars as of a moment",
        "versions",
        "corrections",
        "events",
        "a stream of events",
        "bars that are deleted",
    ],
)
def test_no_work_of_a_trading_day_loads_pandas(lived, step):
    """It takes 0.3 s and 40 MB, in the first call of a process that needs no frame."""
    assert lived(step) == "False\n"


def test_a_write_of_bars_does_not_load_pandas(tmp_path):
    code = (
        "import sys, datetime; from storecore import PriceBar; import storecore_file;"
        "bar = PriceBar('AAPL', datetime.datetime(2026, 1, 5), 1.0, 2.0, 0.5, 1.5, 7);"
        f"store = storecore_file.FileDataStore({str(tmp_path / 'data')!r});"
        "store.write_bars('AAPL', [bar]); store.close(); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
