"""Every error is one readable line on stderr and exit status 1, without a traceback."""

from __future__ import annotations

import errno
import io
import subprocess
import sys

import click
import pytest

import storecore.cli
from storecore.cli.errors import one_line

WRONG_USES = {
    "unknown command": ("shw",),
    "unknown option": ("show", "AAPL", "--nope"),
    "missing argument": ("show",),
    "option without its value": ("show", "AAPL", "--config"),
    "value out of range": ("show", "AAPL", "--last", "0"),
    "surplus argument": ("info", "x"),
    "unknown backend": ("info", "--backend", "fil"),
    "unknown option of the backend": ("info", "--backend", "memory", "--set", "x=1"),
    "missing file": ("import", "nowhere.csv", "--backend", "memory"),
    "a folder for a file": ("import", ".", "--backend", "memory"),
}


@pytest.mark.parametrize("args", WRONG_USES.values(), ids=WRONG_USES)
def test_an_error_exits_with_status_1(cli, args):
    assert cli(*args).exit_code == 1


@pytest.mark.parametrize("args", WRONG_USES.values(), ids=WRONG_USES)
def test_an_error_is_one_line_on_stderr(cli, args):
    printed = cli(*args).stderr
    assert printed.startswith("Error: ")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("args", WRONG_USES.values(), ids=WRONG_USES)
def test_an_error_leaves_stdout_empty(cli, args):
    assert cli(*args).stdout == ""


def test_a_wrong_use_points_to_the_help_of_its_command(cli):
    assert "See 'storecore show --help'." in cli("show").stderr


def test_a_missing_file_is_named_with_the_reason(cli):
    result = cli("import", "nowhere.csv", "--backend", "memory")
    assert result.stderr == "Error: nowhere.csv: No such file or directory\n"


def test_newlines_in_a_message_are_joined():
    assert one_line(click.ClickException("first\n  second\n\nthird\n")) == "first second third"


def test_an_unexpected_error_whose_text_would_end_the_program_is_told_by_its_type():
    class Leaving(Exception):
        def __str__(self):
            raise SystemExit

    with pytest.raises(Leaving) as caught:
        raise Leaving
    assert one_line(caught.value).startswith("unexpected Leaving (in ")


def test_an_unexpected_error_names_its_type_and_place():
    with pytest.raises(ZeroDivisionError) as caught:
        raise ZeroDivisionError("by zero")
    told = one_line(caught.value)
    assert told.startswith(f"unexpected ZeroDivisionError: by zero (in {__file__}, line ")


def test_an_operating_system_error_without_a_file_names_its_type():
    with pytest.raises(OSError, match="broken") as caught:
        raise OSError(errno.EIO, "broken")
    assert one_line(caught.value).startswith("unexpected OSError: ")


def test_an_interrupt_exits_with_status_130(cli, monkeypatch):
    monkeypatch.setattr("storecore.cli.backends.backends", _interrupted)
    assert cli("backends").exit_code == 130


def test_an_interrupt_prints_no_traceback(cli, monkeypatch):
    monkeypatch.setattr("storecore.cli.backends.backends", _interrupted)
    assert cli("backends").stderr.strip() == ""


def _interrupted():
    raise KeyboardInterrupt


def test_an_interrupt_before_the_commands_are_imported_prints_no_traceback(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "storecore.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "storecore.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit, match="130"):
        storecore.cli.main()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_the_pip_command_is_printed(missing):
    ended = main_without(missing)
    told = f"Error: no module '{missing}': pip install 'storecore[cli]'\n"
    assert (ended.returncode, ended.stderr) == (1, told)


def test_another_missing_module_is_not_taken_for_the_extra():
    assert "ModuleNotFoundError: import of zoneinfo halted" in main_without("zoneinfo").stderr


def main_without(module):
    """Run `main` in a process that cannot import a module."""
    program = f"import sys; sys.modules[{module!r}] = None; from storecore.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "show", "AAPL"], capture_output=True, text=True, timeout=60
    )


def test_main_runs_the_command_line_on_sys_argv(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["storecore", "--version"])
    with pytest.raises(SystemExit):
        storecore.cli.main()
    assert capsys.readouterr().out == f"storecore, version {storecore.__version__}\n"


def test_a_stream_of_any_kind_may_stand_for_stdout(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["storecore", "--version"])
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit):
        storecore.cli.main()
    assert "version" in out.getvalue()
