"""What `--help` says, and what the command prints when nothing is asked of it."""

from __future__ import annotations

import pytest

COMMANDS = (
    *(
        "demo",
        "backends",
        "new-backend",
        "init",
        "import",
        "show",
        "chart",
        "info",
        "history",
        "corrections",
        "at",
    ),
    *("snapshot", "snapshots", "prune-history"),
    *("export", "delete", "events", "fundamentals", "state", "ls", "audit", "completion"),
    *("copy", "verify", "checkpoint", "repair", "replay", "why", "evidence"),
)


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
