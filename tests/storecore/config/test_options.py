"""A backend's config is what the user wrote, or one error that says all that is wrong with it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pytest
from msgspec import Struct, field

from storecore import ConfigError
from storecore.config.options import build_config
from storecore.values.suggestions import did_you_mean


class Client:
    """Something of a third party's that only Python code can give."""


class Pool(Struct, forbid_unknown_fields=True):
    size: int = 1
    folder: Path | None = None


class Config(Struct, kw_only=True):
    base_path: Path
    durability: Literal["full", "os"] = "full"
    timeout: float = 30.0
    limit: int | None = None
    shards: list[Path] = []
    pool: Pool = field(default_factory=Pool)
    client: Client | None = None
    pure: PurePosixPath | None = None
    as_: str = field(default="", name="as")


class Checked(Struct):
    low: int = 0
    high: int = 1

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")


class Nothing(Struct):
    pass


def build(options, kind=Config, folder=None):
    folders = dict.fromkeys(options, folder) if folder else {}
    return build_config(kind, options, place="[store]", folders=folders)


def test_what_is_not_given_has_its_default():
    assert build({"base_path": "data"}) == Config(base_path=Path("data"))


def test_an_option_is_converted_to_the_type_of_its_field():
    config = build({"base_path": "data", "timeout": 5, "pool": {"size": 3}})
    assert (config.timeout, type(config.timeout), config.pool) == (5.0, float, Pool(3))


def test_an_option_is_given_by_the_name_that_users_type():
    assert build({"base_path": "data", "as": "me"}).as_ == "me"


@pytest.mark.parametrize("base_path", ["data", Path("data"), "./data"])
def test_a_relative_path_is_taken_from_the_folder_of_the_config(base_path):
    assert build({"base_path": base_path}, folder=Path("/etc")).base_path == Path("/etc/data")


def test_a_relative_path_without_a_folder_is_taken_from_here():
    assert build({"base_path": "data"}).base_path == Path("data")


def test_an_absolute_path_is_kept():
    assert build({"base_path": "/data"}, folder=Path("/etc")).base_path == Path("/data")


def test_a_tilde_is_the_home_of_the_user(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert build({"base_path": "~/data"}, folder=Path("/etc")).base_path == Path("/home/me/data")


def test_paths_inside_lists_and_tables_are_taken_from_the_folder_too():
    options = {"base_path": "a", "shards": ["b", "/c"], "pool": {"folder": "d"}}
    config = build(options, folder=Path("/etc"))
    assert (config.shards, config.pool.folder) == ([Path("/etc/b"), Path("/c")], Path("/etc/d"))


@pytest.mark.parametrize(("name", "value"), [("client", Client()), ("pure", PurePosixPath("x"))])
def test_an_object_of_a_type_that_no_file_can_say_is_kept(name, value):
    assert getattr(build({"base_path": "a", name: value}), name) is value


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"base_pth": "a"},
            "base_pth: unknown option (did you mean 'base_path'?); expected one of",
        ),
        ({"zzz": "a"}, "zzz: unknown option; expected one of as, base_path, client"),
        ({3: "a"}, "3: unknown option; expected one of"),
        ({}, "base_path: missing; expected Path"),
        ({"base_path": ""}, "base_path: Expected a path, got an empty text"),
        ({"base_path": 3}, "base_path: Expected `Path`, got `int`"),
        ({"base_path": "~no-such-user/x"}, "base_path: Could not determine home directory"),
        ({"durability": "none"}, "durability: expected one of full, os"),
        ({"durability": "ful"}, "durability: expected one of full, os (did you mean 'full'?)"),
        ({"timeout": "5"}, "timeout: Expected `float`, got `str`"),
        ({"limit": 1.5}, "limit: Expected `int | null`, got `float`"),
        ({"limit": True}, "limit: Expected `int | null`, got `bool`"),
        ({"shards": ["a", 3]}, "shards[1]: Expected `Path`, got `int`"),
        ({"pool": {"size": "3"}}, "pool.size: Expected `int`, got `str`"),
        (
            {"pool": {"sizes": 3}},
            "pool.sizes: unknown option (did you mean 'size'?); expected one of folder, size",
        ),
        ({"client": 3}, "client: Expected `Client`, got `int`"),
        ({"pure": "x"}, "pure: Expected `PurePosixPath`, got `str`"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_was_expected(options, problem):
    with pytest.raises(ConfigError) as caught:
        build({"base_path": "a", **options} if options else {})
    assert str(caught.value).startswith(f"[store] {problem}")


def test_all_mistakes_are_reported_in_one_error():
    with pytest.raises(ConfigError) as caught:
        build({"base_pth": "a", "timeout": "5", "limit": []})
    problems = str(caught.value).split("; [store] ")
    assert [problem.split(":")[0] for problem in problems] == [
        "[store] base_pth",
        "base_path",
        "timeout",
        "limit",
    ]


def test_a_backend_without_options_says_so():
    with pytest.raises(ConfigError, match=r"^\[store\] base_path: unknown option; it takes no opt"):
        build({"base_path": "a"}, Nothing)


def test_what_a_config_itself_refuses_is_a_config_error():
    with pytest.raises(ConfigError, match=r"^\[store\]: low is above high$"):
        build({"low": 3}, Checked)


def test_the_type_of_a_missing_option_is_told_whatever_it_is():
    class Odd(Struct):
        either: int | str
        anything: Any

    with pytest.raises(
        ConfigError, match=r"either: missing; expected int \| str; .*typing\.Any|Any"
    ):
        build({}, Odd)


@pytest.mark.parametrize(
    ("word", "hint"), [("fille", " (did you mean 'file'?)"), ("redis", ""), ("", "")]
)
def test_the_nearest_spelling(word, hint):
    assert did_you_mean(word, ["file", "memory"]) == hint
