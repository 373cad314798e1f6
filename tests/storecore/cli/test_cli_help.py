"""What `--help` says, and what the command prints when nothing is asked of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from storecore.cli.app import app
from storecore.cli.commands import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_with_examples_to_copy(cli, command):
    printed = cli(command, "--help").stdout
    assert f"  storecore {command}" in printed.partition("Examples:")[2]


def test_the_help_lists_every_command(cli):
    listed = cli("--help").stdout.partition("Commands:")[2]
    assert all(f"\n  {command} " in listed for command in COMMANDS)


def test_without_a_command_five_examples_are_printed(cli):
    printed = cli().stdout
    assert sum(line.startswith("  storecore ") for line in printed.splitlines()) == 5
    assert "storecore --help lists all commands" in printed


def test_help_is_no_error(cli):
    assert cli("show", "--help").exit_code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_a_command_says_of_itself(command):
    loaded = COMMANDS[command].load()
    assert (loaded.name, loaded.short_help) == (command, COMMANDS[command].summary)


def test_the_list_is_sorted():
    with app.make_context("storecore", [], resilient_parsing=True) as context:
        assert app.list_commands(context) == sorted(COMMANDS)


@pytest.mark.parametrize("asked", [["--help"], ["--version"], []])
def test_what_needs_no_command_imports_none(asked):
    program = (
        "import json, sys\nfrom storecore.cli.app import app\n"
        f"try: app({asked!r})\n"
        "except SystemExit: print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded & {"pyarrow", "rich", "storecore.cli.show", "storecore.cli.store_choice"} == set()


def test_names_of_commands_and_options_are_completed():
    with app.make_context("storecore", [], resilient_parsing=True) as context:
        assert [each.value for each in app.shell_complete(context, "sna")] == [
            "snapshot",
            "snapshots",
        ]
        assert [each.value for each in app.shell_complete(context, "--v")] == ["--version"]


def test_an_unknown_command_is_an_error(cli):
    result = cli("shw")
    assert (result.exit_code, "No such command 'shw'" in result.stderr) == (1, True)
