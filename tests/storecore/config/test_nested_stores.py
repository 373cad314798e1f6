"""Stores in the config of a store: their paths, their errors, their capabilities."""

from __future__ import annotations

import pytest
from msgspec import Struct

from storecore import BackendLoadError, Catalog, ConfigError, History, load_config, open_store
from storecore.config.nested import NestedStore, holds_stores
from storecore.config.open import prepare
from storecore.protocols import CAPABILITIES

MEMORY = {"backend": "memory"}
CONFIG = """
[store]
backend = "mirror"
primary = { backend = "file", base_path = "data" }
replicas = [{ backend = "readonly", store = { backend = "file", base_path = "copy" } }]
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "storecore.toml").write_text(CONFIG)
    return load_config(tmp_path / "storecore.toml")


def test_paths_at_any_depth_are_taken_from_the_folder_of_the_config_file(config, tmp_path):
    open_store("file", base_path=tmp_path / "copy").close()
    open_store(config).close()
    assert (tmp_path / "data" / "prices").is_dir()


def test_paths_given_in_a_call_are_taken_from_the_current_folder(config, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    nested = {"backend": "file", "base_path": "own"}
    open_store(config, primary=nested, replicas=[]).close()
    assert (tmp_path / "here" / "own").is_dir()


@pytest.mark.parametrize(
    ("primary", "replicas", "message"),
    [
        ({"backend": "file", "base_pth": "x"}, [], r"^\[store\.primary\] base_pth: unknown option"),
        ({}, [], r"^\[store\.primary\] backend: expected the name of a backend, it is missing"),
        ("file", [], r"^\[store\] primary: expected a store, as in \{ backend = .*got str"),
        (MEMORY, MEMORY, r"^\[store\] replicas: expected a list of stores, got dict"),
        (MEMORY, ["file"], r"^\[store\] replicas\[0\]: expected a store"),
        (MEMORY, [MEMORY, {"backend": "file"}], r"^\[store\.replicas\[1\]\] base_path: missing"),
    ],
)
def test_an_error_inside_names_its_place(primary, replicas, message):
    with pytest.raises(ConfigError, match=message):
        open_store("mirror", primary=primary, replicas=replicas)


def test_an_error_inside_a_file_names_the_file(config):
    config["primary"]["base_pth"] = "x"
    with pytest.raises(ConfigError, match=r"storecore\.toml: \[store\.primary\] base_pth: unknown"):
        open_store(config)


def test_an_error_deep_inside_names_all_of_the_way():
    nested = {"backend": "readonly", "store": {"backend": "memory", "size": 1}}
    with pytest.raises(ConfigError, match=r"^\[store\.store\.store\] size: unknown option"):
        open_store("cached", store=nested, max_bytes=1)


def test_what_is_wrong_outside_is_told_before_what_is_inside_is_looked_at():
    with pytest.raises(ConfigError, match=r"^\[store\] primry: unknown.*; \[store\] primary: miss"):
        open_store("mirror", primry={}, replicas=[{}])


def test_a_prepared_store_tells_what_it_can_before_it_is_opened(tmp_path):
    file = {"backend": "file", "base_path": tmp_path / "data"}
    spec = prepare("cached", store=file).spec
    assert spec.capabilities == CAPABILITIES.keys()
    assert spec.promises == {"durable", "sealed", "forked", "pickled"}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *((NestedStore, True), (NestedStore | None, True), (list[NestedStore], True)),
        *((list[str], False), (Struct, False), (Struct | None, False)),
    ],
)
def test_the_type_of_an_option_tells_that_it_holds_stores(kind, expected):
    assert holds_stores(kind) is expected


def test_a_promise_that_is_none_is_refused(site):
    site.backend(
        """
        from storecore import BackendSpec, hookimpl
        from storecore.builtin.memory import MemoryConfig, MemoryDataStore

        @hookimpl
        def storecore_backend():
            return BackendSpec(
                name="broken", config=MemoryConfig, open=MemoryDataStore, promises={"durabel"}
            )
        """
    )
    with pytest.raises(BackendLoadError, match=r"unknown promise 'durabel' \(.*'durable'\?\)"):
        open_store("broken")


SOMETIMES = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin import memory

class Config(Struct, frozen=True):
    recording: bool

class Sometimes(memory.MemoryDataStore):
    pass

def opened(config):
    store = Sometimes()
    if not config.recording:
        del store._clock
        store._reasons = {"History": "recording is off"}
    return store

@hookimpl
def storecore_backend():
    return BackendSpec(
        name="sometimes",
        config=Config,
        open=opened,
        capabilities=memory.storecore_backend().capabilities,
        optional={"History"},
    )
"""
OBSERVER = """
from storecore import hookimpl

@hookimpl
def storecore_closed(store):
    pass
"""


@pytest.mark.parametrize("observes", [False, True])
@pytest.mark.parametrize("recording", [False, True])
def test_an_optional_capability_is_had_if_the_open_store_has_it(site, recording, observes):
    site.backend(SOMETIMES, name="sometimes")
    if observes:
        site.install("acme-watch", "1.0", modules={"watch": OBSERVER}, plugins={"watch": "watch"})
    own = {"backend": "sometimes", "recording": recording}
    for config in (
        own,
        {"backend": "readonly", "store": own},
        {"backend": "cached", "store": own},
        {"backend": "mirror", "primary": MEMORY, "replicas": [MEMORY, own]},
    ):
        with open_store(config) as store:
            assert isinstance(store, History) is recording
            assert isinstance(store, Catalog)
            assert hasattr(store, "recorded_now") is recording


def test_the_error_says_why_a_store_lacks_it(site):
    site.backend(SOMETIMES, name="sometimes")
    with (
        open_store("sometimes", recording=False) as store,
        pytest.raises(AttributeError, match="the capability History: recording is off"),
    ):
        store.snapshots()


def test_an_optional_capability_that_is_none_is_refused(site):
    site.backend(SOMETIMES.replace('{"History"}', '{"Histories"}'), name="sometimes")
    with pytest.raises(BackendLoadError, match=r"unknown capability 'Histories' \(.*'History'\?"):
        open_store("sometimes", recording=True)


def test_a_store_inside_itself_is_an_error_that_names_its_place():
    config = {"backend": "routed", "default": {"backend": "memory"}}
    config["bars"] = config
    with pytest.raises(ConfigError, match=r"bars: nested too deeply; .*not inside themselves"):
        open_store(config)
