"""`open_store`: a backend's name, one mapping, a config file, or the one that is found."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

import pytest

from storecore import (
    BackendLoadError,
    ConfigError,
    StorageError,
    UnknownBackend,
    load_config,
    open_store,
)
from storecore.builtin.memory import MemoryDataStore

ACME = """
import re
from pathlib import Path
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    base_path: Path = Path("here")
    limit: int = 1

class Store(MemoryDataStore):
    def __init__(self, config):
        super().__init__()
        self.config = config

{definitions}

@hookimpl
def storecore_backend():
    return BackendSpec(name="acme", config=Config, open={open}, capabilities=frozenset({caps}))
"""
ORIGIN = "backend 'acme' from acme-acme 1.5 (entry point 'acme_acme')"
TOML = '[store]\nbackend = "acme"\nbase_path = "data"\nlimit = 2\n'


@pytest.fixture
def acme(site):
    """Install the backend `acme`, whose stores tell the config that they were opened with."""

    def install(definitions="", open="Store", caps="()"):
        site.backend(ACME.format(definitions=definitions, open=open, caps=caps), name="acme")

    return install


@pytest.fixture
def toml(tmp_path):
    """A project whose `storecore.toml` opens `acme`."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "storecore.toml").write_text(TOML)
    return folder / "storecore.toml"


@pytest.fixture
def opened(acme):
    """Open a store and return what its config is."""
    acme()

    def fields(*args, **kwargs):
        with open_store(*args, **kwargs) as store:
            return store.config.base_path, store.config.limit

    return fields


def test_without_options_a_name_is_enough():
    assert type(open_store("memory")) is MemoryDataStore


def test_a_name_and_its_options(opened):
    assert opened("acme", base_path="data", limit=2) == (Path("data"), 2)


@pytest.mark.parametrize("mapping", [dict, MappingProxyType])
def test_one_mapping(opened, mapping):
    assert opened(mapping({"backend": "acme", "limit": 2})) == (Path("here"), 2)


def test_a_mapping_is_left_as_it_was(opened):
    mapping = {"backend": "acme"}
    opened(mapping, limit=2)
    assert mapping == {"backend": "acme"}


def test_a_backend_among_the_options_alone(opened):
    assert opened(backend="acme", limit=2) == (Path("here"), 2)


def test_a_config_file_whose_relative_paths_are_taken_from_its_folder(opened, toml):
    assert opened(load_config(toml)) == (toml.parent / "data", 2)


def test_the_config_file_that_is_found_above(opened, toml, monkeypatch):
    monkeypatch.chdir(toml.parent / "src")
    assert opened() == (toml.parent / "data", 2)


def test_options_override_those_of_a_mapping(opened, toml):
    assert opened(load_config(toml), limit=3) == (toml.parent / "data", 3)


def test_options_override_those_of_the_config_file_that_is_found(opened, toml, monkeypatch):
    monkeypatch.chdir(toml.parent)
    assert opened(limit=3) == (toml.parent / "data", 3)


def test_opening_a_config_twice_gives_two_stores(opened, toml):
    config = load_config(toml)
    assert opened(config) == opened(config)


def test_no_config_file_at_all_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"or name a backend: open_store\("):
        open_store()


@pytest.mark.parametrize("store", [Path("storecore.toml"), 5, ["memory"], b"memory"])
def test_what_is_neither_name_nor_mapping_is_refused_with_what_to_do(store):
    with pytest.raises(ConfigError, match=r"^open_store: expected a backend's name or a mapping"):
        open_store(store)


@pytest.mark.parametrize(
    ("mapping", "got"),
    [({}, "it is missing"), ({"backend": 5}, "got 5"), ({"backend": []}, "got ")],
)
def test_a_mapping_without_a_backends_name_is_refused(mapping, got):
    with pytest.raises(ConfigError, match=rf"^\[store\] backend: expected the name .*, {got}"):
        open_store(mapping)


def test_a_config_file_without_a_backend_is_named(toml):
    toml.write_text("[store]\nlimit = 2")
    with pytest.raises(ConfigError, match=rf"^{toml}: \[store\] backend: .* it is missing$"):
        open_store(load_config(toml))


def test_mistakes_in_a_config_file_are_reported_with_its_name(acme, toml):
    acme()
    toml.write_text(TOML.replace("base_path", "base_pth"))
    with pytest.raises(
        ConfigError, match=rf"^{toml}: \[store\] base_pth: .*\(did you mean 'base_path'\?\)"
    ):
        open_store(load_config(toml))


def test_mistakes_in_options_are_reported_with_their_place():
    with pytest.raises(ConfigError, match=r"^\[store\] base_path: unknown option; expected"):
        open_store("memory", base_path="data")


def test_an_unknown_backend_is_told_before_its_options_are_looked_at():
    with pytest.raises(UnknownBackend, match=r"^no backend 'memry' \(did you mean 'memory'\?\)"):
        open_store("memry", limit=3)


NO_STORE = """
class NoStore:
    def write_bars(self): ...
    def close(self): ...
"""


@pytest.mark.parametrize(
    ("definitions", "opens", "caps", "message"),
    [
        ("", "lambda config: 1 / 0", "()", "its open raised ZeroDivisionError: division by zero"),
        ("", "lambda: None", "()", "its open raised TypeError: "),
        (
            "",
            "lambda config: None",
            "()",
            "it opened a NoneType, which is not a DataStore: it lacks write_bars, read_bars, ",
        ),
        (
            NO_STORE,
            "lambda config: NoStore()",
            "()",
            "it opened a NoStore, which is not a DataStore: it lacks read_bars, write_fundamental, "
            "read_fundamental, write_event, read_events, save_strategy_state, "
            "load_strategy_state, log_decision, log_order, __enter__, __exit__",
        ),
        (
            "",
            "Store",
            "{'DiskUsage', 'Catalog'}",
            "it declares the capability DiskUsage, but the Store that it opened lacks "
            "bar_footprint",
        ),
    ],
)
def test_a_backend_that_opens_no_proper_store_is_reported_with_its_origin(
    acme, definitions, opens, caps, message
):
    acme(definitions, opens, caps)
    with pytest.raises(BackendLoadError) as caught:
        open_store("acme")
    assert str(caught.value).startswith(f"{ORIGIN}: {message}")
    assert isinstance(open_store("memory"), MemoryDataStore)


def test_the_exception_behind_a_failed_open_is_its_cause(acme):
    acme(open="lambda config: 1 / 0")
    with pytest.raises(BackendLoadError) as caught:
        open_store("acme")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_error_of_storecore_from_a_backend_passes_as_it_is(acme):
    acme(
        "from storecore import StorageError\ndef fail(config): raise StorageError('disk full')",
        open="fail",
    )
    with pytest.raises(StorageError, match=r"^disk full$"):
        open_store("acme")


def test_a_relative_path_given_beside_a_config_file_is_taken_from_here(opened, toml):
    assert opened(load_config(toml), base_path="mine")[0] == Path("mine")


def test_a_backend_given_twice_is_refused():
    with pytest.raises(ConfigError, match="two backends, 'memory' and 'file'"):
        open_store("memory", backend="file")


def test_a_config_files_name_in_place_of_a_backends_says_what_to_do():
    with pytest.raises(ConfigError, match=r"open_store\(load_config\('desk\.toml'\)\)"):
        open_store("desk.toml")


def test_no_value_of_an_option_is_repeated_in_an_error(acme, monkeypatch, tmp_path):
    acme()
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "storecore.toml").write_text('[store]\nbackend = "acme"\nlimit = "${SECRET}"\n')
    with pytest.raises(ConfigError, match="limit: Expected `int`, got `str`") as caught:
        open_store(load_config(tmp_path / "storecore.toml"))
    assert "hunter2" not in str(caught.value)


def test_an_unknown_backend_in_a_config_file_is_reported_with_its_place(toml):
    toml.write_text('[store]\nbackend = "fiel"\n')
    with pytest.raises(
        UnknownBackend, match=r"storecore\.toml: \[store\] backend: no backend 'fiel'"
    ):
        open_store(load_config(toml))


def test_a_misspelt_backend_key_is_reported_with_the_nearest(toml):
    toml.write_text('[store]\nbacknd = "file"\n')
    with pytest.raises(ConfigError, match="it is missing; is it 'backnd'"):
        open_store(load_config(toml))


@pytest.mark.parametrize("name", ["data", "./store", "/var/lib/bars", "~/bars", "bars"])
def test_a_folder_in_place_of_a_backend_is_given_as_an_option(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bars").mkdir()
    hint = re.escape(f'; for a folder give open_store("file", base_path={name!r})')
    with pytest.raises(UnknownBackend, match=rf"^no backend '{name}'.*{hint}$"):
        open_store(name)


def test_a_path_in_place_of_a_backend_is_given_as_an_option():
    with pytest.raises(ConfigError, match=r'for a folder give open_store\("file", base_path=…\)'):
        open_store(Path("data"))


def test_another_name_is_not_taken_for_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownBackend, match=r"^no backend 'oracle'; installed: [\w, ]*$"):
        open_store("oracle")


def test_a_current_folder_that_cannot_be_listed_is_no_reason_to_fail(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UnknownBackend, match=r"^no backend 'oracle'"):
        open_store("oracle")


def test_an_unknown_backend_is_reported_where_the_current_folder_cannot_be_read(monkeypatch):
    def fail(self):
        raise PermissionError(13, "no permission")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(UnknownBackend, match=r"^no backend 'oracle'; installed: [\w, ]*$"):
        open_store("oracle")
