"""The `[store]` table of a TOML file: found, read, its variables expanded, its mistakes named."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
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


@pytest.mark.parametrize("text", ["$HOME", "{HOME}", "${HOME", "$", "100 %"])
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


@pytest.mark.parametrize("name", ["API-KEY", "", "API KEY"])
def test_a_variable_of_an_odd_name_is_never_kept_as_text(write, name):
    with pytest.raises(ConfigError, match=f"the environment variable {name} is not set"):
        load_config(write(f"[store]\nsecret = '${{{name}}}'"))


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
        ConfigError, match=rf"^no storecore\.toml in {tmp_path} or above; write one"
    ):
        find_config(tmp_path)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000 + "]" * 5000])
def test_toml_that_python_cannot_hold_is_told_with_its_file(tmp_path, value):
    file = tmp_path / "storecore.toml"
    file.write_text(f"[store]\nx = {value}\n")
    with pytest.raises(ConfigError, match=r"storecore\.toml: not valid TOML"):
        load_config(file)
