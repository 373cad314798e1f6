"""`${NAME}` in options: in every way that a store can be named, and what a dollar is in a path."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from msgspec import Struct

from storecore import ConfigError, load_config, open_store
from storecore.config.file import expanded_at
from storecore.config.open import prepare
from storecore.config.options import build_config
from storecore.config.variables import Expanded


class Config(Struct):
    path: Path
    text: str = ""


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ODD", "/a/$DATA/$$/${DATA}")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NOT_SET", raising=False)


@pytest.fixture
def opened_at(tmp_path):
    """Name a file store by its path in each way that there is; return the path that is opened."""

    def by_keyword(path):
        return prepare("file", base_path=path)

    def by_mapping(path):
        return prepare({"backend": "file", "base_path": path})

    def by_file(path):
        (tmp_path / "storecore.toml").write_text(
            f"[store]\nbackend = 'file'\nbase_path = '{path}'\n"
        )
        return prepare(load_config(tmp_path / "storecore.toml"))

    def inside(path):
        made = prepare("readonly", store={"backend": "file", "base_path": path})
        return made.settings.store

    return {made.__name__: made for made in (by_keyword, by_mapping, by_file, inside)}


WAYS = ["by_keyword", "by_mapping", "by_file", "inside"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("${DATA}/x", "{tmp}/data/x"),
        ("${NOT_SET:-/srv}/x", "/srv/x"),
        ("${EMPTY:-/srv}/x", "/srv/x"),
        ("/srv/a$$b", "/srv/a$b"),
        ("/srv/$${DATA}", "/srv/${{DATA}}"),
        ("/srv/$", "/srv/$"),
        ("/srv/5$ 10$", "/srv/5$ 10$"),
        ("${ODD}", "/a/$DATA/$$/${{DATA}}"),
        ("${NOT_SET:-/srv/$$}", "/srv/$"),
    ],
)
def test_a_path_is_the_same_however_it_is_given(opened_at, tmp_path, way, path, expected):
    assert str(opened_at[way](path).settings.base_path) == expected.format(tmp=tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["$DATA/x", "/srv/$DATA", "a$$$DATA", "${NOT_SET:-$DATA}"])
def test_a_variable_without_braces_in_a_path_is_refused_with_how_it_is_written(
    opened_at, way, path
):
    with pytest.raises(ConfigError, match=r"base_path: \$DATA in a path: write \$\{DATA\} for"):
        opened_at[way](path)


@pytest.mark.parametrize("way", WAYS)
def test_a_variable_that_is_not_set_is_named_with_its_place(opened_at, way):
    match = r"\[store.*\].* base_path: the environment variable NOT_SET is not set"
    with pytest.raises(ConfigError, match=match):
        opened_at[way]("${NOT_SET}/x")


def test_a_path_that_a_program_made_is_taken_as_it_is():
    assert prepare("file", base_path=Path("/srv/$DATA")).settings.base_path == Path("/srv/$DATA")


def test_a_tilde_may_come_from_a_variable(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DATA", "~/data")
    assert prepare("file", base_path="${DATA}").settings.base_path == Path("/home/me/data")


@pytest.mark.parametrize("text", ["pa$word", "pa$$word", "$DATA", "a$"])
def test_a_dollar_in_other_text_is_itself(text):
    config = expanded_at({"path": "x", "text": text}, "[store]")
    assert build_config(Config, config, place="[store]").text == text


def test_what_a_mapping_holds_is_expanded_at_any_depth_and_left_as_it_was():
    given = {"a": ["${DATA}", ("${DATA}",)], "b": {"c": "${DATA}", "d": 5}}
    before = copy.deepcopy(given)
    made = expanded_at(given, "[store]")
    assert "$" not in str(made["a"]) + made["b"]["c"]
    assert given == before


def test_an_error_deep_inside_a_mapping_names_its_place():
    with pytest.raises(ConfigError, match=r"^\[store\] x y\[1\]: the environment variable NOT_SET"):
        expanded_at({"y": ["", "${NOT_SET}"]}, "[store] x")


class Own(dict):
    """A mapping that is a thing of a third party's own."""


def test_an_object_of_a_third_party_is_passed_on_untouched():
    own = Own(a="${DATA}")
    assert expanded_at(own, "[store]") is own


def test_what_was_expanded_is_not_expanded_again_wherever_it_is_put(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "${DATA}")
    path = tmp_path / "storecore.toml"
    path.write_text("[store]\nbackend = 'file'\nbase_path = '/srv/${SECRET}'")
    config = load_config(path)
    for again in (config, {**config}, copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert str(prepare(again).settings.base_path) == "/srv/${DATA}"


def test_an_expanded_text_is_a_text():
    text = Expanded.of("${EMPTY:-x}")
    assert (text, hash(text), f"{text}") == ("x", hash("x"), "x")


@pytest.mark.parametrize("path", ["acme://u:secret@h/x", "s3://bucket/x", "file:///srv"])
def test_a_url_is_no_path(path):
    with pytest.raises(ConfigError, match=r"^\[store\] base_path: Expected a path, got a URL$"):
        open_store("file", base_path=path)


def test_the_name_of_a_backend_may_be_a_variable(monkeypatch):
    monkeypatch.setenv("BACKEND", "memory")
    open_store({"backend": "${BACKEND:-file}"}).close()
