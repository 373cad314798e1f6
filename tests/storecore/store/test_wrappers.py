"""The classes of wrappers: one for each kind; stores of them can be given to other processes."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context

import pytest

from storecore import DiskUsage, NotSerializable, StoreClosed, StoreError, open_store
from storecore.builtin.cached import CachedStore
from storecore.builtin.memory import MemoryDataStore

EVER = datetime.min, datetime.max
COMPOSED = {
    "readonly": lambda file: {"backend": "readonly", "store": file},
    "cached": lambda file: {"backend": "cached", "store": file},
    "mirror": lambda file: {
        "backend": "mirror",
        "primary": file,
        "replicas": [{**file, "base_path": file["base_path"] / "replica"}],
    },
    "nested": lambda file: {"backend": "cached", "store": {"backend": "readonly", "store": file}},
}


@pytest.fixture(params=COMPOSED)
def config(request, tmp_path, bar):
    """The table of a wrapper around a store of files, which holds a bar."""
    file = {"backend": "file", "base_path": tmp_path / "data"}
    with open_store(file) as nested:
        nested.write_bars("AAPL", [bar()])
    return COMPOSED[request.param](file)


def bars_of(store):
    return store.read_bars("AAPL", *EVER)


@pytest.mark.usefixtures("site")
def test_two_wrappers_of_a_kind_are_of_one_type(config):
    with open_store(config) as one, open_store(config) as other:
        assert type(one) is type(other)


def test_wrappers_of_different_stores_are_of_one_type_and_have_different_capabilities(tmp_path):
    file = {"backend": "file", "base_path": tmp_path / "data"}
    with (
        open_store("cached", store=file) as one,
        open_store("cached", store={"backend": "memory"}) as other,
    ):
        assert type(one) is type(other) is CachedStore
        assert (isinstance(one, DiskUsage), isinstance(other, DiskUsage)) == (True, False)
        assert (hasattr(one, "bar_footprint"), hasattr(other, "bar_footprint")) == (True, False)


def test_a_method_of_a_capability_that_a_wrapper_lacks_is_an_error_that_names_the_capability():
    with (
        open_store("readonly", store={"backend": "memory"}) as store,
        pytest.raises(AttributeError, match=r"'ReadonlyStore' .* 'bar_footprint': .* DiskUsage$"),
    ):
        store.bar_footprint("AAPL")


@pytest.mark.parametrize(
    "copied", [lambda store: pickle.loads(pickle.dumps(store)), copy.copy, copy.deepcopy]
)
def test_a_wrapper_of_what_can_be_pickled_is_pickled_with_it(config, bar, copied):
    with open_store(config) as store:
        assert bars_of(store) == [bar()]
        with copied(store) as again:
            assert type(again) is type(store)
            assert bars_of(again) == [bar()]


@pytest.mark.few(2)
def test_a_wrapper_is_given_to_another_process(config, bar):
    with (
        open_store(config) as store,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as others,
    ):
        assert others.submit(bars_of, store).result(60) == [bar()]


def test_a_closed_wrapper_stays_closed_when_it_is_pickled(config):
    store = open_store(config)
    store.close()
    with pytest.raises(StoreClosed):
        bars_of(pickle.loads(pickle.dumps(store)))


@pytest.mark.parametrize("kind", ["readonly", "cached"])
def test_a_wrapper_of_what_cannot_be_pickled_says_why(kind):
    with (
        open_store(kind, store={"backend": "memory"}) as store,
        pytest.raises(NotSerializable, match="a MemoryDataStore cannot be pickled or copied"),
    ):
        pickle.dumps(store)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_store_in_memory_says_why_it_is_not_copied(copied):
    with pytest.raises(TypeError, match=r"only; copy it into another store with storecore\.copy"):
        copied(MemoryDataStore())


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_store_in_a_database_says_why_it_is_not_pickled_and_shows_no_secret(
    place_in_postgres, copied
):
    with open_store("postgres", **place_in_postgres) as store:
        with pytest.raises(StoreError, match="connections of this process") as caught:
            copied(store)
        assert place_in_postgres["dsn"] not in str(caught.value)
