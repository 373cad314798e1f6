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


def test_a_write_of_bars_does_not_load_pandas(tmp_path):
    code = (
        "import sys, datetime; from storecore import PriceBar; import storecore_file;"
        "bar = PriceBar('AAPL', datetime.datetime(2026, 1, 5), 1.0, 2.0, 0.5, 1.5, 7);"
        f"store = storecore_file.FileDataStore({str(tmp_path / 'data')!r});"
        "store.write_bars('AAPL', [bar]); store.close(); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
