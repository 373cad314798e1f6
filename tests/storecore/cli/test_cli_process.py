"""The command as a process: the installed script, pipes, terminals and encodings."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("storecore")
MODULE = (sys.executable, "-m", "storecore.cli")
PACKAGE = (sys.executable, "-m", "storecore")


def run(*args, **options):
    return subprocess.run(args, capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize(
    "command", [(str(SCRIPT),), MODULE, PACKAGE], ids=["script", "module", "package"]
)
def test_the_command_runs_as_script_as_module_and_as_package(command):
    assert run(*command, "--version").stdout.startswith("storecore, version ")


def test_an_error_of_the_process_is_one_line_and_status_1():
    ended = run(*MODULE, "show", "AAPL", "--backend", "nowhere")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)


def test_importing_the_package_loads_neither_click_nor_rich():
    ended = run(
        sys.executable,
        "-c",
        "import sys, storecore.cli; print({'click', 'rich'} & sys.modules.keys())",
    )
    assert ended.stdout == "set()\n"


def test_a_reader_that_stops_early_causes_no_complaint(at, ten_bars):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed_pipe:
        ended = subprocess.run(
            [*MODULE, "show", "AAPL", *at],
            stdout=closed_pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ended.stderr == ""


def test_a_piped_table_is_not_cut_off_whatever_the_terminal_s_width(at, opened):
    symbol = "A_LONG_SYMBOL_" * 10
    with opened() as store:
        store.save_strategy_state(symbol, {})
    assert symbol in run(*MODULE, "info", *at, env={**os.environ, "COLUMNS": "40"}).stdout


def test_an_encoding_without_the_characters_is_no_error(at, opened):
    with opened() as store:
        store.save_strategy_state("Ünïcødé", {})
    printed = run(*MODULE, "info", *at, env={**os.environ, "PYTHONIOENCODING": "ascii"}).stdout
    assert r"\xdcn\xefc\xf8d\xe9" in printed


def test_an_import_on_a_terminal_shows_its_progress(at, csv_file):
    file = csv_file("AAPL,2026-01-05,1,2,0.5,1.5,100")
    assert "writing bars" in on_a_terminal(*MODULE, "import", str(file), *at)


def test_an_import_into_a_pipe_shows_no_progress(at, csv_file):
    file = csv_file("AAPL,2026-01-05,1,2,0.5,1.5,100")
    assert run(*MODULE, "import", str(file), *at).stderr == ""


def on_a_terminal(*command):
    """Return what a command prints on stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    printed = b""
    while chunk := _read(ours):
        printed += chunk
    os.close(ours)
    process.wait(60)
    return printed.decode()


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other side has been closed
        return b""


def test_output_without_room_is_one_line_that_names_neither_code_nor_a_bug(at, ten_bars):
    for command in (("ls",), ("ls", "--json"), ("export", "-o", "-")):
        with open("/dev/full", "w") as full:
            ended = subprocess.run(
                [*MODULE, *command, *at], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
            )
        expected = "Error: the output cannot be written: No space left on device\n"
        assert (ended.returncode, ended.stderr) == (1, expected)


@pytest.mark.parametrize("command", ["ls", "info", "show AAPL", "export -o -"])
def test_a_closed_stdout_or_stderr_is_no_error(at, ten_bars, command):
    command = [*MODULE, *command.split(), *at]
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
