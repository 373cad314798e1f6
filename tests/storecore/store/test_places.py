"""A place that is named twice is refused, whatever it is called (a mirror of itself, a copy)."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from storecore import ConfigError, StoreClosed, copy_store, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore
from storecore.store.places import check_apart, places_of, read_places_of

MEMORY = {"backend": "memory"}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder `data` in the current one, with a link to it and one to the folder above."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "above").symlink_to(".")
    return tmp_path / "data"


def file(path):
    return {"backend": "file", "base_path": path}


@pytest.mark.parametrize(
    "spelling", ["data", "link", "data/", "./data", "data/../data", "above/link", "../{}/data"]
)
@pytest.mark.parametrize("others", [[], ["other"]])
def test_a_mirror_whose_replica_is_its_primary_is_refused(data, spelling, others):
    paths = [*others, spelling.format(data.parent.name)]
    with pytest.raises(ConfigError) as caught:
        open_store("mirror", primary=file(data), replicas=list(map(file, paths)))
    said = str(caught.value)
    assert said.startswith(
        f"primary and replicas[{len(others)}] are the same place, FileDataStore("
    )
    assert str(data) in said
    assert said.endswith("give each a place of its own")


def test_a_replica_that_is_named_twice_is_refused(data):
    with pytest.raises(ConfigError, match=r"^replicas\[0\] and replicas\[2\] are the same place"):
        open_store("mirror", primary=MEMORY, replicas=[file("data"), MEMORY, file("link")])


@pytest.mark.parametrize(
    "wrapped",
    [
        {"backend": "cached", "store": file("link")},
        {"backend": "readonly", "store": file("link")},
        {"backend": "mirror", "primary": MEMORY, "replicas": [file("link")]},
        {"backend": "cached", "store": {"backend": "cached", "store": file("link")}},
    ],
)
def test_a_place_inside_a_wrapper_is_seen(data, wrapped):
    with pytest.raises(ConfigError, match=r"^primary and replicas\[0\] are the same place"):
        open_store("mirror", primary=file("data"), replicas=[wrapped])
    with pytest.raises(ConfigError, match=r"^primary and replicas\[0\] are the same place"):
        open_store("mirror", primary=wrapped, replicas=[file("data")])


def test_a_replica_of_which_one_folder_leads_into_the_primary_is_refused(data, tmp_path):
    open_store(file("data")).close()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "events").symlink_to(data / "events")
    with pytest.raises(ConfigError, match="are the same place"):
        open_store("mirror", primary=file("data"), replicas=[file("copy")])


def test_what_is_refused_is_left_closed(data, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "storecore_file.store.FileDataStore.__enter__",
        lambda self: opened.append(self) or self,
    )
    with pytest.raises(ConfigError):
        open_store("mirror", primary=file("data"), replicas=[file("link")])
    assert len(opened) == 2
    for store in opened:
        with pytest.raises(StoreClosed):
            store.symbols()


def test_stores_apart_make_a_mirror(data, bar):
    with open_store(
        "mirror", primary=file("data"), replicas=[file("copy"), MEMORY, MEMORY]
    ) as store:
        store.write_bars("AAPL", [bar()])
        assert len(places_of(store)) == 2 * 7 + 2
        assert len(read_places_of(store)) == 7


def test_a_store_given_twice_is_refused():
    store = MemoryDataStore()
    with pytest.raises(ConfigError, match="primary and replicas"):
        MirrorStore(store, [store], "log")


def test_a_folder_of_a_store_that_is_missing_is_no_place(data):
    with open_store(file("data")) as store:
        before = places_of(store)
        (data / "state").rmdir()
        assert len(before - places_of(store)) == 1


class Silent:
    """A store that does not say where it is."""


def test_a_store_that_does_not_say_is_a_place_of_its_own():
    store = Silent()
    check_apart({"one": store, "other": Silent()})
    with pytest.raises(ConfigError, match=r"^one and same are the same place"):
        check_apart({"one": store, "same": store})


def test_a_store_is_not_copied_onto_itself(data, bar):
    with open_store(file("data")) as one, open_store(file("link")) as other:
        one.write_bars("AAPL", [bar()])
        with pytest.raises(
            ConfigError, match=r"^source and target are the same place, FileDataStore"
        ):
            copy_store(one, other)


def test_a_copy_into_a_mirror_of_its_source_is_refused_and_one_to_its_replica_is_not(data, bar):
    mirror = {"backend": "mirror", "primary": file("data"), "replicas": [file("copy")]}
    with open_store(mirror) as both, open_store(file("data")) as primary:
        primary.write_bars("AAPL", [bar()])  # which the replica has missed
        with pytest.raises(ConfigError, match=r"^source and target are the same place"):
            copy_store(primary, both)
        with open_store(file("copy")) as replica:
            assert copy_store(both, replica).ok
            assert replica.symbols() == ["AAPL"]


def test_where_a_closed_store_is_it_does_not_say(store):
    assert places_of(store) == places_of(store) != frozenset()
    store.close()
    with pytest.raises(StoreClosed):
        places_of(store)


def test_a_schema_is_one_place_however_its_server_is_called(place_in_postgres):
    spelt = {**place_in_postgres, "backend": "postgres"}
    other = {**spelt, "dsn": make_conninfo(spelt["dsn"], application_name="another")}
    assert other["dsn"] != spelt["dsn"]
    with pytest.raises(ConfigError, match=r"are the same place, PostgresDataStore\(schema='"):
        open_store("mirror", primary=spelt, replicas=[other])


def test_two_schemas_are_two_places(place_in_postgres):
    one = {**place_in_postgres, "backend": "postgres"}
    other = {**one, "schema": f"{one['schema']}_other"}
    with open_store(one) as here, open_store(other) as there:
        assert not places_of(here) & places_of(there)
    with psycopg.connect(one["dsn"], autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {other['schema']} CASCADE")
