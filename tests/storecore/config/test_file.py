"""The `[store]` table of a TOML file: found, read, its variables expanded, its mistakes named."""

from __future__ import annotations

import copy
import json
import pickle
import pprint
from pathlib import Path

import pytest
import rich.pretty
from hypothesis import given
from hypothesis import strategies as st

from storecore import ConfigError, StoreConfig, find_config, load_config


@pytest.fixture
def write(tmp_path):
    """Write a config file and return its path."""

    def write(content, folder=tmp_path):
        path = folder / "storecore.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_the_store_table_is_the_config(write):
    config = load_config(write('[store]\nbackend = "file"\nbase_path = "data"\n[other]\na = 1'))
    assert config == {"backend": "file", "base_path": "data"}


def test_a_config_knows_its_file(write, tmp_path, monkeypatch):
    write('[store]\nbackend = "file"')
    monkeypatch.chdir(tmp_path)
    assert load_config("storecore.toml").source == tmp_path / "storecore.toml"


def test_a_config_of_a_mapping_has_no_file():
    assert StoreConfig({"backend": "memory"}).source is None


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_config_knows_its_file_too(copied):
    assert copied(StoreConfig({"a": 1}, Path("x"))).source == Path("x")


def test_a_byte_order_mark_is_no_part_of_the_config(write):
    assert load_config(write(b'\xef\xbb\xbf[store]\nbackend = "file"')) == {"backend": "file"}


def test_a_variable_is_taken_from_the_environment_wherever_it_stands(write, monkeypatch):
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.setenv("HOST", "db")
    config = load_config(
        write(
            """
            [store]
            secret = "${PASSWORD}"
            url = "redis://me:${PASSWORD}@${HOST}/0"
            hosts = ["${HOST}-1", ["${HOST}-2"]]
            tables = [{host = "${HOST}-3"}]
            [store.pool]
            host = "${HOST}"
            size = 3
            """
        )
    )
    assert config == {
        "secret": "hunter2",
        "url": "redis://me:hunter2@db/0",
        "hosts": ["db-1", ["db-2"]],
        "tables": [{"host": "db-3"}],
        "pool": {"host": "db", "size": 3},
    }


def test_a_variable_may_be_empty(write, monkeypatch):
    monkeypatch.setenv("PREFIX", "")
    assert load_config(write('[store]\nprefix = "${PREFIX}"')) == {"prefix": ""}


def test_a_variable_is_not_expanded_again(write, monkeypatch):
    monkeypatch.setenv("SECRET", "${HOME}")
    assert load_config(write('[store]\nsecret = "${SECRET}"')) == {"secret": "${HOME}"}


@pytest.mark.parametrize("text", ["$HOME", "{HOME}", "pa$$word", "$", "100 %"])
def test_what_is_no_variable_is_kept(write, text):
    assert load_config(write(f"[store]\ntext = '{text}'")) == {"text": text}


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('secret = "a${NOT_SET}b"', r"\[store\] secret"),
        ('pool = {hosts = ["a", "${NOT_SET}"]}', r"\[store\] pool hosts\[1\]"),
    ],
)
def test_a_variable_that_is_not_set_is_named_with_its_place(write, monkeypatch, line, place):
    monkeypatch.delenv("NOT_SET", raising=False)
    path = write(f"[store]\n{line}")
    with pytest.raises(
        ConfigError, match=rf"^{path}: {place}: the environment variable NOT_SET is not set"
    ):
        load_config(path)


@pytest.mark.parametrize("name", ["API-KEY", "", "API KEY", "1A", "A-x", "A:?x", ":-x", "ÄÖ"])
def test_a_variable_of_an_odd_name_is_never_kept_as_text(write, name):
    with pytest.raises(
        ConfigError, match=r"secret: the text between \$\{ and \} is not the name of"
    ):
        load_config(write(f"[store]\nsecret = '${{{name}}}'"))


@pytest.mark.parametrize("text", ["${HOME", "a ${", "${A:-${B}}"])
def test_braces_that_are_not_closed_are_refused_with_how_to_write_them(write, text):
    with pytest.raises(ConfigError, match=r"text: .* a literal \"\$\{\" is written \"\$\$\{\"$"):
        load_config(write(f"[store]\ntext = '{text}'"))


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (None, "${HOST:-db}/0", "db/0"),
        ("", "${HOST:-db}", "db"),
        ("box", "${HOST:-db}", "box"),
        (None, "${HOST:-}", ""),
        (None, "${HOST:-a:-b c}", "a:-b c"),
        (None, "$${HOST}", "${HOST}"),
    ],
)
def test_a_variable_may_have_a_default_and_be_escaped(write, monkeypatch, value, text, expected):
    monkeypatch.delenv("HOST", raising=False)
    if value is not None:
        monkeypatch.setenv("HOST", value)
    assert load_config(write(f"[store]\ntext = '{text}'")) == {"text": expected}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[store\nbackend = 1", r"not valid TOML: .*line 1"),
        (b'[store]\nbackend = "\xff"', r"not UTF-8 \(byte 19\)"),
        ("", r"expected a table \[store\] with backend"),
        ("[stores]\nbackend = 'file'", r"expected a table \[store\]"),
        ("store = 'file'", r"expected a table \[store\]"),
    ],
)
def test_a_file_that_cannot_be_a_config_is_named_with_the_reason(write, content, message):
    path = write(content)
    with pytest.raises(ConfigError, match=rf"^{path}: {message}"):
        load_config(path)


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, name, reason):
    path = tmp_path / name
    with pytest.raises(ConfigError, match=f"^{path}: cannot be read: {reason}$"):
        load_config(path)


@given(
    content=st.binary() | st.text().map(lambda text: f"[store]\n{text}".encode(errors="replace"))
)
def test_any_file_is_a_config_or_a_config_error(write, content):
    path = write(content)
    try:
        said = str(load_config(path).source)
    except ConfigError as error:
        said = str(error)
    assert said.startswith(str(path))


def test_the_nearest_config_above_is_found(write, tmp_path):
    deep = tmp_path / "project" / "src" / "bot"
    deep.mkdir(parents=True)
    write("", tmp_path)
    nearest = write("", tmp_path / "project")
    assert find_config(deep) == nearest


def test_a_config_is_searched_from_here(write, tmp_path, monkeypatch):
    path = write("")
    monkeypatch.chdir(tmp_path)
    assert find_config() == path


def test_a_folder_of_that_name_is_no_config(write, tmp_path):
    path = write("")
    (tmp_path / "src" / "storecore.toml").mkdir(parents=True)
    assert find_config(tmp_path / "src") == path


def test_no_config_at_all_says_where_it_was_sought_and_what_to_do(tmp_path):
    with pytest.raises(
        ConfigError, match=rf"^no storecore\.toml in {tmp_path} or above; create one"
    ):
        find_config(tmp_path)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000 + "]" * 5000])
def test_toml_that_python_cannot_hold_is_reported_with_its_file(tmp_path, value):
    file = tmp_path / "storecore.toml"
    file.write_text(f"[store]\nx = {value}\n")
    with pytest.raises(ConfigError, match=r"storecore\.toml: not valid TOML"):
        load_config(file)


def test_no_text_is_repeated_when_its_variable_is_wrong(write):
    with pytest.raises(ConfigError) as caught:
        load_config(write("[store]\nsecret = 'hunter2${!}'"))
    assert "hunter2" not in str(caught.value)


PROFILES = """
[store]
backend = "file"
base_path = "live"
lock_timeout = 5.0
secret = "${NOT_SET}"

[profiles.paper]
base_path = "paper"
secret = "none"

[profiles.copy]
backend = "memory"
"""


def test_a_profile_is_laid_over_the_store_table_key_by_key(write):
    config = load_config(write(PROFILES), profile="paper")
    assert config == {
        "backend": "file",
        "base_path": "paper",
        "lock_timeout": 5.0,
        "secret": "none",
    }
    assert config.profile == "paper"


def test_a_profile_of_another_backend_stands_alone(write):
    assert load_config(write(PROFILES), profile="copy") == {"backend": "memory"}


def test_a_profile_of_the_same_backend_does_not(write):
    path = write("[store]\nbackend = 'file'\na = 1\n[profiles.x]\nbackend = 'file'\nb = 2")
    assert load_config(path, profile="x") == {"backend": "file", "a": 1, "b": 2}


def test_a_profile_may_bring_the_backend_of_options_that_all_share(write):
    path = write("[store]\na = 1\n[profiles.x]\nbackend = 'file'")
    assert load_config(path, profile="x") == {"backend": "file", "a": 1}


def test_a_profile_needs_no_store_table(write):
    assert load_config(write("[profiles.x]\nbackend = 'memory'"), profile="x") == {
        "backend": "memory"
    }


def test_without_a_profile_nothing_of_any_is_used(write, monkeypatch):
    monkeypatch.setenv("NOT_SET", "set")
    config = load_config(write(PROFILES))
    assert (config["base_path"], config.profile) == ("live", None)


def test_a_mistake_in_a_profile_is_reported_with_its_place(write):
    path = write("[store]\n[profiles.x]\na = '${NOT_SET}'")
    with pytest.raises(ConfigError, match=rf"^{path}: \[profiles\.x\] a: .* NOT_SET is not set"):
        load_config(path, profile="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PROFILES, r"no profile 'papr' \(did you mean 'paper'\?\); .*, it has copy, paper$"),
        ("[store]", r"no profile 'papr'; expected a table \[profiles\.papr\], found none$"),
        ("[profile.papr]", r"\[profiles\.papr\], found none; is it \[profile\]\?$"),
        ("profiles = 1", r"found none; is it \[profiles\]\?$"),
        ("[profiles]\npapr = 1", r"no profile 'papr'"),
    ],
)
def test_an_unknown_profile_is_reported_with_those_that_there_are(write, content, message):
    path = write(content)
    with pytest.raises(ConfigError, match=rf"^{path}: .*{message}"):
        load_config(path, profile="papr")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[stroe]\nbackend = 'file'", r"is it \[stroe\]\?"),
        ("backend = 'file'", r"should backend be below \[store\]\?"),
    ],
)
def test_a_missing_store_table_is_reported_with_what_may_have_been_meant(write, content, hint):
    with pytest.raises(ConfigError, match=rf"found none; {hint}$"):
        load_config(write(content))


def test_without_a_path_the_config_is_found(write, tmp_path, monkeypatch):
    write(PROFILES)
    monkeypatch.chdir(tmp_path)
    assert load_config(profile="paper")["base_path"] == "paper"


@pytest.fixture
def named(tmp_path, monkeypatch):
    """A config file that only STORECORE_CONFIG names, in a process whose folder has another."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "storecore.toml").write_text("[store]\nbackend = 'here'")
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "named.toml"
    path.write_text("[store]\nbackend = 'named'")
    monkeypatch.setenv("STORECORE_CONFIG", str(path))
    return path


def test_the_environment_names_the_config_before_one_is_looked_for(named):
    assert find_config() == named
    assert load_config() == {"backend": "named"}


def test_a_variable_that_is_empty_names_none(named, monkeypatch):
    monkeypatch.setenv("STORECORE_CONFIG", "")
    assert load_config() == {"backend": "here"}


def test_a_path_or_folder_that_is_given_counts_more_than_the_environment(named, tmp_path):
    assert load_config("storecore.toml") == {"backend": "here"}
    assert find_config(".") == tmp_path / "here" / "storecore.toml"


def test_a_tilde_in_the_variable_is_the_home_of_the_user(named, monkeypatch):
    monkeypatch.setenv("HOME", str(named.parent))
    monkeypatch.setenv("STORECORE_CONFIG", "~/named.toml")
    assert find_config() == named


@pytest.mark.parametrize("name", ["nowhere.toml", ".", "~nobody-at-all/x.toml", "x" * 5000])
def test_a_variable_that_names_no_file_is_reported_by_its_name(named, monkeypatch, name):
    monkeypatch.setenv("STORECORE_CONFIG", name)
    with pytest.raises(
        ConfigError, match=rf"variable STORECORE_CONFIG names '{name}', .* not a file"
    ):
        find_config()


@pytest.fixture
def secrets(write, monkeypatch):
    """A config that holds secrets at every depth."""
    monkeypatch.setenv("PASSWORD", "hunter2")
    return load_config(
        write(
            """
            [store]
            backend = "acme"
            dsn = "acme://u:${PASSWORD}@h"
            plain = "hunter2"
            hosts = ["hunter2"]
            tables = [{key = "hunter2"}]
            [store.pool]
            key = "hunter2"
            """
        )
    )


def test_a_config_does_not_show_its_values(secrets):
    shown = repr(secrets) + str(secrets) + f"{secrets}" + pprint.pformat(secrets)
    shown += repr(secrets["pool"]) + repr(secrets["tables"]) + rich.pretty.pretty_repr(secrets)
    assert "hunter2" not in shown
    assert repr(secrets).startswith("StoreConfig({'backend': 'acme', 'dsn': …, 'plain': …,")


@pytest.mark.parametrize(
    "merged",
    [
        lambda config: config | {"extra": 1},
        lambda config: {"extra": 1} | config,
        lambda config: config.copy(),
        lambda config: copy.deepcopy(config),
        lambda config: pickle.loads(pickle.dumps(config)),
    ],
)
def test_what_a_config_is_merged_or_copied_into_shows_none_and_knows_its_file(secrets, merged):
    made = merged(secrets)
    assert "hunter2" not in repr(made)
    assert made.items() >= secrets.items()
    assert (type(made), made.source, made.profile) == (StoreConfig, secrets.source, None)


def test_a_config_merges_with_mappings_only(secrets):
    with pytest.raises(TypeError):
        secrets | 5
    with pytest.raises(TypeError):
        5 | secrets


def test_a_config_is_a_plain_dict_otherwise(secrets):
    assert json.loads(json.dumps(secrets))["plain"] == "hunter2"
    assert {**secrets}["dsn"] == "acme://u:hunter2@h"
    assert StoreConfig() == {}
