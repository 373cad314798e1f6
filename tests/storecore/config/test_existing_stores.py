"""`create=False`: a store is opened only if it is there, and nothing is made (law D7)."""

from __future__ import annotations

import errno
import os
from datetime import date

import pytest
from msgspec.structs import replace

from storecore import (
    BackendLoadError,
    ConfigError,
    NoStore,
    StorageError,
    UnknownBackend,
    open_store,
)
from storecore.config.nested import Opening
from storecore.config.open import prepare
from storecore.protocols import CAPABILITIES

EVER = date.min, date.max
MEMORY = {"backend": "memory"}
THIRD = """
from msgspec import Struct
from storecore import BackendSpec, NoStore, hookimpl
from storecore.builtin.memory import MemoryDataStore
OPENED = []

class Config(Struct):
    name: str = "here"

def make(config):
    OPENED.append("made " + config.name)
    return MemoryDataStore()

def find(config):
    if config.name != "here":
        raise NoStore("no store at " + config.name)
    OPENED.append("found " + config.name)
    return MemoryDataStore()

@hookimpl
def storecore_backend():
    return BackendSpec(name="{name}", config=Config, open=make{more})
"""


@pytest.fixture
def file(tmp_path):
    """The table of a file store in the folder of the test, by its name."""
    return lambda name: {"backend": "file", "base_path": tmp_path / name}


@pytest.fixture
def third(site):
    """Two backends of third parties, of which one has `open_existing`; return what they opened."""
    import importlib

    site.backend(THIRD.format(name="able", more=", open_existing=find"), name="able")
    site.backend(THIRD.format(name="old", more=""), name="old")
    return lambda name: importlib.import_module(f"acme_{name}").OPENED


def wrapped(kind, nested):
    """Return the options of a wrapper of each kind, or the store itself."""
    if kind == "mirror":
        return {"backend": kind, "primary": nested, "replicas": []}
    return nested if kind == "itself" else {"backend": kind, "store": nested}


KINDS = ["itself", "readonly", "cached", "mirror"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_without_a_store_is_an_error_and_nothing_is_made(file, tmp_path, kind):
    with pytest.raises(NoStore, match=f"^no store at {tmp_path}/typo: ") as caught:
        open_store(wrapped(kind, file("typo")), create=False)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.path == str(tmp_path / "typo")
    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, StorageError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_there_is_opened(file, bar, kind):
    with open_store(file("data")) as store:
        store.write_bars("AAPL", [bar()])
    with open_store(wrapped(kind, file("data")), create=False) as store:
        assert store.read_bars("AAPL", *EVER) == [bar()]


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_a_store_is_made_unless_it_is_only_read(file, tmp_path, kind):
    options = wrapped(kind, file("data"))
    if kind == "readonly":
        with pytest.raises(NoStore):
            open_store(options)
    else:
        open_store(options).close()
    assert (tmp_path / "data").exists() == (kind != "readonly")


@pytest.mark.parametrize("depth", [1, 3])
def test_who_only_reads_makes_nothing_however_deep_it_is(file, tmp_path, depth):
    options = file("typo")
    for kind in ("mirror", "cached", "readonly")[-depth:]:
        options = wrapped(kind, options)
    with pytest.raises(NoStore):
        open_store(options)
    assert list(tmp_path.iterdir()) == []


def test_a_replica_that_is_missing_is_an_error_too(file, tmp_path):
    open_store(file("data")).close()
    options = {"backend": "mirror", "primary": file("data"), "replicas": [file("copy")]}
    with pytest.raises(NoStore, match=f"no store at {tmp_path}/copy"):
        open_store(options, create=False)
    assert not (tmp_path / "copy").exists()


def test_what_is_opened_may_be_written(file, bar):
    open_store(file("data")).close()
    with open_store(file("data"), create=False) as store:
        store.write_bars("AAPL", [bar()])
        assert store.symbols() == ["AAPL"]


@pytest.mark.parametrize(
    ("options", "opened"),
    [
        ({"create": False}, "found here"),
        ({"create": True}, "made here"),
        ({}, "made here"),
    ],
)
def test_a_backend_of_a_third_party_says_how_it_is_opened(third, options, opened):
    open_store("able", **options).close()
    assert third("able") == [opened]


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_that_cannot_promise_it_is_an_error_that_says_so(third, kind):
    with pytest.raises(ConfigError, match=r"backend 'old' .*has no open_existing.*create=False"):
        open_store(wrapped(kind, {"backend": "old"}), create=False)
    assert third("old") == []


def test_a_memory_store_is_always_a_new_one():
    with pytest.raises(
        ConfigError, match=r"backend 'memory' .* cannot open a store without creating it"
    ):
        open_store("memory", create=False)


def test_who_only_reads_opens_such_a_backend_as_ever(third):
    options = {"backend": "mirror", "primary": {"backend": "able"}, "replicas": [MEMORY]}
    open_store(wrapped("readonly", options)).close()
    open_store(wrapped("readonly", {"backend": "old"})).close()
    assert (third("able"), third("old")) == (["found here"], ["made here"])


def test_how_a_store_is_opened_is_known_of_the_stores_in_it_too(file):
    prepared = prepare(wrapped("readonly", wrapped("cached", file("data"))))
    assert prepared.opening is Opening.CREATING
    strict = prepared.existing()
    assert strict.settings.store.settings.store.opening is Opening.EXISTING
    assert strict.for_reading() is strict
    reading = prepared.for_reading()
    assert reading.settings.store.settings.store.opening is Opening.EXISTING_IF_ABLE
    assert prepared.settings.store.opening is Opening.CREATING


def test_a_wrapper_of_a_third_party_may_bring_its_own_way(file, monkeypatch):
    prepared = prepare("cached", store=file("typo"))
    own = replace(prepared.spec, open_existing=lambda config: "opened")
    assert prepared._replace(spec=own).existing()._opened() == "opened"


def test_what_is_no_function_is_refused(site):
    site.backend(
        """
        from storecore import BackendSpec, hookimpl
        from storecore.builtin.memory import MemoryConfig, MemoryDataStore

        @hookimpl
        def storecore_backend():
            return BackendSpec(
                name="broken", config=MemoryConfig, open=MemoryDataStore, open_existing="yes"
            )
        """
    )
    with pytest.raises(BackendLoadError, match="its spec's open_existing to be callable or None"):
        open_store("broken")


def test_an_unknown_backend_is_reported_first():
    with pytest.raises(UnknownBackend):
        open_store("memry", create=False)


def test_the_backends_that_keep_something_can_promise_it(file, tmp_path):
    specs = [prepare(file("x")).spec, prepare("postgres", dsn="host=h").spec]
    assert all(callable(spec.open_existing) for spec in specs)
    assert specs[0].capabilities == CAPABILITIES.keys()
    assert os.listdir(tmp_path) == []
