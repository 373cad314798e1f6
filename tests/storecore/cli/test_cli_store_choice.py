"""Which store a command works on: `--config`, or `--backend` with `--set`."""

from __future__ import annotations

import pytest

from storecore.config.file import toml_value


@pytest.fixture
def config(tmp_path, base_path):
    """A config file that names the file store of the test, by a path relative to itself."""
    file = tmp_path / "storecore.toml"
    file.write_text(f'[store]\nbackend = "file"\nbase_path = "{base_path.name}"\n')
    return file


def test_a_config_file_names_the_store(cli, config, ten_bars):
    assert "bars: 10 in 1 series" in cli("info", "--config", config).stdout


def test_without_options_the_nearest_config_is_used(cli, config, ten_bars, monkeypatch):
    below = config.parent / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert "bars: 10 in 1 series" in cli("info").stdout


def test_without_any_config_the_ways_to_give_one_are_named(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = cli("info").stderr
    assert "give --config FILE, or --backend NAME" in told


def test_a_backend_is_named_with_its_options(cli, at, ten_bars):
    assert "bars: 10 in 1 series" in cli("info", *at).stdout


def test_an_option_overrides_the_config(cli, config, tmp_path, ten_bars):
    other = f"base_path={tmp_path / 'other'}"
    cli("init", "--backend", "file", "--set", other)
    assert "bars: 0 in 0 series" in cli("info", "--config", config, "--set", other).stdout


def test_a_config_and_a_backend_exclude_each_other(cli, config):
    told = cli("info", "--config", config, "--backend", "memory").stderr
    assert "--config and --backend exclude each other" in told


@pytest.mark.parametrize("setting", ["base_path", "=data", " =data", ""])
def test_a_setting_without_key_and_equals_sign_says_what_was_expected(cli, setting):
    told = cli("info", "--backend", "file", "--set", setting).stderr
    assert f"expected KEY=VALUE, as in base_path=data, got {setting!r}" in told


def test_a_backend_cannot_be_chosen_by_a_setting(cli):
    told = cli("info", "--backend", "file", "--set", "backend=memory").stderr
    assert "chosen by --backend NAME" in told


def test_a_missing_option_of_a_backend_says_how_to_give_it(cli):
    told = cli("info", "--backend", "file").stderr
    assert "base_path" in told
    assert "given as --set KEY=VALUE" in told


def test_a_wrong_option_in_a_config_is_reported_as_the_config_names_it(cli, config):
    config.write_text('[store]\nbackend = "file"\nbase_pth = "data"\n')
    assert "--set" not in cli("info", "--config", config).stderr


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("true", True),
        ('"30"', "30"),
        ("[1, 2]", [1, 2]),
        ("data", "data"),
        ("/srv/data", "/srv/data"),
        ("a=b", "a=b"),
        ("", ""),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_a_setting_is_a_toml_value_or_else_text(text, value):
    assert toml_value(text) == value


def test_a_setting_of_a_wrong_type_is_refused(cli, base_path):
    told = cli("info", "--backend", "file", "--set", "base_path=3").stderr
    assert "base_path" in told
