"""Commands that read create nothing: a wrong path is one line and status 1 (law D7)."""

from __future__ import annotations

import pytest

import storecore

READING = [
    ("info",),
    ("show", "AAPL"),
    ("verify",),
    ("checkpoint",),
    ("repair",),
    ("repair", "--dry-run"),
    ("backends", "--check", "file"),
]


@pytest.fixture
def command(cli, at):
    """Run a reading command on the file store of the test."""

    def run(args):
        settings = at[2:] if args[0] == "backends" else at
        return cli(*args, *settings)

    return run


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_a_place_without_a_store_is_one_line_and_status_1(command, base_path, tmp_path, args):
    result = command(args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: no store at {base_path}: there is no such folder; ")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_an_empty_folder_stays_empty(command, base_path, args):
    base_path.mkdir()
    assert command(args).exit_code == 1
    assert list(base_path.iterdir()) == []


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_what_a_store_lacks_is_not_made(command, base_path, ten_bars, args):
    for folder in ("audit/decisions", "audit/orders", "audit", "fundamentals", "events", "state"):
        (base_path / folder).rmdir()
    before = sorted(base_path.rglob("*"))
    assert command(args).exit_code == 0
    assert sorted(base_path.rglob("*")) == before


def test_a_copy_reads_its_source_and_makes_its_target(cli, base_path, tmp_path, ten_bars):
    named = {name: f"file:base_path={tmp_path / name}" for name in ("typo", "copy", "data")}
    result = cli("copy", named["typo"], named["copy"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"no store at {tmp_path / 'typo'}" in result.stderr
    assert not (tmp_path / "copy").exists()
    assert cli("copy", named["data"], named["copy"]).exit_code == 0


@pytest.mark.parametrize("command", ["init", "import"])
def test_commands_that_write_make_what_is_missing(cli, at, base_path, csv_file, command):
    file = [csv_file("AAPL,2026-01-05,1,2,0.5,1.5,100")] if command == "import" else []
    assert cli(command, *file, *at).exit_code == 0
    assert (base_path / "prices").is_dir()


def test_a_backend_that_cannot_promise_it_is_read_as_ever(cli, backend_with):
    assert cli("info", *backend_with("Catalog")).exit_code == 0


@pytest.fixture
def config(tmp_path):
    """A config of the file store of the test, with a profile."""
    path = tmp_path / "desk.toml"
    path.write_text(
        "[store]\nbackend = 'file'\nbase_path = 'data'\n[profiles.paper]\nbase_path = 'paper'\n"
    )
    return path


def test_the_environment_names_the_config(cli, config, ten_bars, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("STORECORE_CONFIG", str(config))
    assert "bars: 10 in 1 series" in cli("info").stdout


def test_a_config_that_the_environment_names_wrongly_is_told_so(cli, monkeypatch):
    monkeypatch.setenv("STORECORE_CONFIG", "nowhere.toml")
    result = cli("info")
    assert result.exit_code == 1
    assert "variable STORECORE_CONFIG names 'nowhere.toml', which is not a file" in result.stderr


def test_a_profile_is_chosen(cli, config, tmp_path, ten_bars):
    with storecore.open_store("file", base_path=tmp_path / "paper"):
        pass
    result = cli("info", "--config", config, "--profile", "paper")
    assert f"backend 'file' of {config} (profile 'paper')" in result.stdout
    assert "bars: 0 in 0 series" in result.stdout


def test_a_profile_is_chosen_of_the_config_that_is_found(cli, config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config.rename(tmp_path / "storecore.toml")
    result = cli("info", "--profile", "papr")
    assert result.exit_code == 1
    assert "no profile 'papr' (did you mean 'paper'?)" in result.stderr


def test_a_mistake_in_a_profile_is_reported_with_its_name(cli, config):
    config.write_text("[store]\nbackend = 'file'\n[profiles.paper]\nbase_pth = 'x'\n")
    result = cli("info", "--config", config, "--profile", "paper")
    assert f"{config} (profile 'paper'): [store] base_pth: unknown option" in result.stderr


def test_a_profile_and_a_backend_exclude_each_other(cli):
    result = cli("info", "--profile", "paper", "--backend", "memory")
    assert result.exit_code == 1
    assert "--profile and --backend exclude each other" in result.stderr


def test_variables_are_taken_in_settings(cli, base_path, ten_bars, monkeypatch):
    monkeypatch.setenv("DATA", str(base_path))
    told = cli("info", "--backend", "file", "--set", "base_path=${DATA}").stdout
    assert "bars: 10 in 1 series" in told
    result = cli("info", "--backend", "file", "--set", "base_path=$DATA")
    assert (result.exit_code, "write ${DATA} for the variable" in result.stderr) == (1, True)
    assert "given as --set KEY=VALUE" in result.stderr


def test_names_that_would_move_the_cursor_are_escaped(cli, tmp_path, ten_bars, at):
    name = "a\x1b[2Jb\nc"
    for args in (
        ("show", name, *at),
        ("show", "AAPL", "--timeframe", name, *at),
        ("info", "--backend", name),
        ("info", "--backend", "file", "--set", f"base_path={tmp_path / name}"),
        ("info", "--config", tmp_path / name),
        ("import", tmp_path / name, *at),
    ):
        result = cli(*args)
        assert result.exit_code == 1
        assert "\x1b" not in result.output
        assert result.stderr.count("\n") == 1
        assert "\\x1b[2Jb" in result.stderr
