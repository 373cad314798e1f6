"""`--plugin FILE` makes one file a plugin of any command, for as long as the command runs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from subprocess import PIPE

import pytest

import storecore
from storecore.cli.app import app
from storecore.cli.commands import COMMANDS

SOURCE = """
from datetime import datetime
from msgspec import Struct
from storecore import BackendSpec, PriceBar, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    pass

def opened(config):
    store = MemoryDataStore()
    store.write_bars("AAPL", [PriceBar("AAPL", datetime(2026, 1, 5), 1, 1, 1, 1.25, 1)])
    return store

@hookimpl
def storecore_backend():
    return BackendSpec(name="desk", config=Config, open=opened)
"""
OBSERVER = """
from storecore import hookimpl

@hookimpl
def storecore_opened(store, spec):
    print("opened", spec.name)

@hookimpl
def storecore_written(kind, key):
    print("written", key)

@hookimpl
def storecore_closed():
    print("closed")
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "desk.py"
    file.write_text(SOURCE)
    return file


def test_a_command_uses_the_backend_of_a_file(cli, file):
    result = cli("show", "AAPL", "--backend", "desk", "--plugin", file)
    assert (result.exit_code, "1.25" in result.stdout) == (0, True)


def test_the_option_may_stand_before_the_command(cli, file):
    assert "1.25" in cli("--plugin", file, "show", "AAPL", "--backend", "desk").stdout


def test_the_backend_of_a_file_is_listed_with_the_file(cli, file):
    assert f"--plugin {file}" in cli("backends", "--plugin", file).stdout


def test_the_observer_of_a_file_is_called(cli, file, tmp_path):
    observer = tmp_path / "watch.py"
    observer.write_text(OBSERVER)
    result = cli("ls", "--backend", "desk", "--plugin", file, "--plugin", observer)
    assert "opened desk" in result.stderr


def test_what_an_observer_prints_in_a_hook_is_no_part_of_the_answer(cli, tmp_path, at):
    observer, bars = tmp_path / "watch.py", tmp_path / "AAPL.csv"
    observer.write_text(OBSERVER)
    bars.write_text("date,open,high,low,close,volume\n2026-01-05,1,1,1,1,1\n")
    imported = cli("import", bars, "--symbol", "AAPL", *at, "--plugin", observer)
    assert (imported.exit_code, "written" in imported.stdout) == (0, False)
    assert "written AAPL" in imported.stderr
    listed = cli("ls", "--json", *at, "--plugin", observer)
    assert [each["symbol"] for each in json.loads(listed.stdout)] == ["AAPL"]
    assert "closed" in listed.stderr


@pytest.mark.parametrize("last", ["ls", "--bad"])
def test_a_file_is_forgotten_after_the_command_even_if_it_failed(cli, file, last):
    cli("backends", "--plugin", file, last)
    assert "desk" not in [each.name for each in storecore.backends()]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_the_option(name):
    for _ in range(2):
        assert [each.name for each in COMMANDS[name].load().params].count("plugin") == 1


def test_a_file_that_is_missing_is_one_error(cli):
    result = cli("ls", "--plugin", "missing.py")
    assert (result.exit_code, "'missing.py' does not exist" in result.stderr) == (1, True)


def test_a_file_that_fails_is_one_error(cli, file):
    file.write_text("1 / 0")
    result = cli("ls", "--plugin", file)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert f"--plugin {file}: its import failed in line 1: ZeroDivisionError" in result.stderr


def test_a_shell_that_completes_words_runs_no_file(cli, file, tmp_path):
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with app.make_context("storecore", ["--plugin", str(file), "ls"], resilient_parsing=True):
        pass
    assert not (tmp_path / "ran").exists()


# Files that do not let the command go on.

HANGS = """
import pathlib, time
pathlib.Path(__file__).with_suffix(".begun").touch()
time.sleep(600)
"""


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("given", [["backends"], ["backends", "--check", "desk"]])
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (HANGS, "--plugin {}: it has not ended after 1 seconds"),
        ("import os; os._exit(3)", "--plugin {}: it ended its process with status 3"),
        ("1 / 0", "--plugin {}: its import failed in line 1: ZeroDivisionError"),
    ],
)
def test_a_file_that_hangs_or_ends_the_process_is_reported_by_the_command_that_tries_plugins(
    cli, file, monkeypatch, given, before, source, said
):
    monkeypatch.setattr("storecore.cli.trial.LIMIT", 1 if source == HANGS else 60)
    file.write_text(source)
    option = ["--plugin", file]
    result = cli(*option, *given) if before else cli(*given, *option)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert said.format(file) in result.stderr


def test_a_file_that_is_tried_first_is_used_afterwards(cli, file):
    assert "ok      reads bars" in cli("backends", "--check", "desk", "--plugin", file).stdout


@pytest.mark.parametrize("given", [["ls"], ["backends"]])
def test_an_interrupt_while_a_file_is_imported_names_the_file(file, given):
    file.write_text(HANGS)
    command = [
        sys.executable,
        "-c",
        "import signal, sys; from storecore.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()",
    ]
    process = subprocess.Popen([*command, *given, "--plugin", file], stderr=PIPE, text=True)
    wait_for(file.with_suffix(".begun"))
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, "Traceback" in said) == (130, False)
    assert re.search(rf"^interrupted: .*--plugin {file} has not ended$", said, re.M)


def wait_for(path):
    for _ in range(6000):
        if path.exists():
            return
        time.sleep(0.01)
    pytest.fail(f"{path} is not there after a minute")
