"""Mistakes in the nested tables of a config are told like those at the top, at any depth."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from msgspec import Meta, Struct, field

from storecore import ConfigError
from storecore.config.options import build_config

SECRET = "hunter2"


class Mode(enum.Enum):
    READ = "read"
    WRITE = "write"


class Lenient(enum.Enum):
    ON = "on"

    @classmethod
    def _missing_(cls, value):
        return cls.ON if value == "yes" else None


class Login(Struct):
    user: str
    password: str = "default"
    mode: Mode = Mode.READ
    lenient: Lenient = Lenient.ON
    level: Literal[1, "two"] = 1


class Key(Struct, tag="key"):
    path: Path


class Token(Struct, tag="token"):
    value: str = ""


@dataclass
class Retry:
    times: int
    pause: float = 1.0


class Labels(TypedDict):
    name: str


class Row(Struct, array_like=True):
    number: int


class Config(Struct):
    conn: Login | None = None
    many: list[Login] = []
    named: dict[str, Login] = {}
    pair: tuple[int, Login] | None = None
    auth: Key | Token | None = None
    one: Key | None = None
    retry: Retry | None = None
    labels: Labels | None = None
    row: Row | None = None
    free: dict[str, Any] = {}
    renamed: Login | None = field(default=None, name="as")
    threshold: int | Literal["never"] | None = 5
    some: Annotated[list[Login], Meta(max_length=2)] = []
    modes: frozenset[Mode] = frozenset()
    noted: Annotated[Login, Meta(title="who logs in")] | None = None


def build(**options):
    return build_config(Config, options, place="[store]")


GOOD = {
    "conn": {"user": "u", "password": SECRET, "mode": "write", "lenient": "yes", "level": "two"},
    "many": [{"user": "u", "level": 1}],
    "named": {"a b": {"user": "u"}},
    "pair": [1, {"user": "u"}],
    "auth": {"type": "key", "path": "x"},
    "one": {"type": "key", "path": "x"},
    "retry": {"times": 3},
    "labels": {"name": "x"},
    "row": [1],
    "free": {"any": {"thing": [1]}},
    "as": {"user": "u"},
    "threshold": "never",
    "some": [{"user": "u"}],
    "modes": ["read"],
}


def test_what_is_right_is_taken():
    config = build(**GOOD)
    assert config.conn == Login("u", SECRET, Mode.WRITE, Lenient.ON, "two")
    assert (config.auth, config.retry, config.row) == (Key(Path("x")), Retry(3), Row(1))
    assert (config.threshold, config.modes) == ("never", {Mode.READ})


def test_what_is_made_already_is_taken_as_it_is():
    login = Login("u")
    assert build(conn=login, many=[login]).many == [login]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"conn": {"user": "u", "pasword": SECRET}},
            "conn.pasword: unknown option (did you mean 'password'?); expected one of le",
        ),
        ({"conn": {"password": SECRET}}, "conn.user: missing; expected str"),
        (
            {"conn": {"user": "u", "mode": "wrte"}},
            "conn.mode: expected one of read, write (did you mean 'write'?)",
        ),
        ({"conn": {"user": "u", "mode": SECRET}}, "conn.mode: expected one of read, write"),
        ({"conn": {"user": "u", "lenient": SECRET}}, "conn.lenient: expected one of on"),
        ({"conn": {"user": "u", "level": SECRET}}, "conn.level: expected one of 1, two"),
        ({"conn": {"user": "u", "level": 3}}, "conn.level: expected another value"),
        ({"conn": {"user": 5}}, "conn.user: Expected `str`, got `int`"),
        ({"conn": SECRET}, "conn: Expected `object | null`, got `str`"),
        ({"many": [{"user": "u"}, {"usr": "u"}]}, "many[1].usr: unknown option (did you mean"),
        ({"named": {"a": {"user": "u", "x": 1}}}, "named.a.x: unknown option; expected one of"),
        ({"pair": [1, {"user": "u", "x": 1}]}, "pair[1].x: unknown option"),
        ({"auth": {"type": "kye"}}, "auth.type: expected one of key, token (did you mean 'key'?)"),
        ({"auth": {"path": "x"}}, "auth.type: missing; expected one of key, token"),
        ({"auth": {"type": "key"}}, "auth.path: missing; expected Path"),
        ({"auth": {"type": "token", "path": "x"}}, "auth.path: unknown option; expected one of va"),
        ({"one": {"type": "key", "pth": "x"}}, "one.pth: unknown option (did you mean 'path'?)"),
        ({"one": {"type": SECRET, "path": "x"}}, "one.type: expected another value"),
        ({"retry": {"tmes": 3}}, "retry.tmes: unknown option (did you mean 'times'?)"),
        ({"retry": {}}, "retry.times: missing; expected int"),
        ({"labels": {"nme": "x"}}, "labels.nme: unknown option (did you mean 'name'?)"),
        ({"row": {"number": 1}}, "row: Expected `array | null`, got `object`"),
        ({"as": {"user": "u", "usr": 1}}, "as.usr: unknown option (did you mean 'user'?)"),
        ({"threshold": "nevr"}, "threshold: expected one of never (did you mean 'never'?)"),
        ({"some": [{"user": "u", "usr": 1}]}, "some[0].usr: unknown option"),
        ({"noted": {"usr": "u"}}, "noted.usr: unknown option (did you mean 'user'?)"),
        ({"modes": ["reed"]}, "modes[0]: expected one of read, write (did you mean 'read'?)"),
        ({"conn": {"user": "u", f"acme://u:{SECRET}@h": 1}}, "conn.acme://…@h: unknown option"),
        ({"conn": {"user": "u", "a\nb": 1}}, "conn.a\\nb: unknown option"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_no_value(options, problem):
    with pytest.raises(ConfigError) as caught:
        build(**options)
    assert str(caught.value).startswith(f"[store] {problem}")
    assert SECRET not in str(caught.value)


def test_all_mistakes_of_nested_tables_are_reported_in_one_error():
    with pytest.raises(ConfigError) as caught:
        build(conn={"pasword": 1}, many=[{"mode": "x"}], nme=1)
    places = [each.split(":")[0] for each in str(caught.value).split("; [store] ")]
    assert places == [
        "[store] nme",
        "conn.pasword",
        "conn.user",
        "many[0].user",
        "many[0].mode",
    ]


class Nested(Struct):
    missing: Login
    union: int | str
    choice: Mode
    free: Any


class Needing(Struct):
    inner: Nested


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing", "a table"),
        ("union", "int | str"),
        ("choice", "one of read, write"),
        ("free", "any"),
    ],
)
def test_the_type_of_a_missing_nested_option_is_reported_in_words(name, expected):
    with pytest.raises(ConfigError, match="missing") as caught:
        build_config(Needing, {"inner": {}}, place="[store]")
    assert f"inner.{name}: missing; expected {expected}" in str(caught.value)
