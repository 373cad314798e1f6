"""The commands by name: where each is, and what the list of commands says about it.

A command is imported when it is called. The list and the completion of names import none of them:
all together cost half a second and 100 MB.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from storecore.cli.errors import PlainErrors
from storecore.cli.plugin_option import PLUGIN

_PACKAGE = "storecore.cli"


class Place(NamedTuple):
    """A command: its module in `storecore.cli`, its name there, and its line in the list."""

    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        """Import the command, and give it the options of every command."""
        found: click.Command = getattr(import_module(f"{_PACKAGE}.{self.module}"), self.attribute)
        if PLUGIN not in found.params:
            found.params.append(PLUGIN)
        return found


COMMANDS = {
    "at": Place(
        "history", "known_at", "Show the last bars of a series as they were known at a time."
    ),
    "audit": Place(
        "audit",
        "audit",
        "Show the last decisions and orders, follow the log, or write an HTML page.",
    ),
    "backends": Place("backends", "list_backends", "List the installed backends and their health."),
    "chart": Place("chart", "chart", "Draw a series with decisions, orders and events."),
    "checkpoint": Place(
        "checkpoint", "take", "Write digests of all data of a store, to verify it against later."
    ),
    "completion": Place(
        "completion", "completion", "Print a script that completes commands and options in a shell."
    ),
    "copy": Place("copy", "copy", "Copy a store, or a part of it, into another one."),
    "corrections": Place("history", "corrections", "Show what was replaced or deleted, and when."),
    "delete": Place("delete", "delete", "Remove bars of a series."),
    "demo": Place("demo", "demo", "Run an example of a trading day, with real bars."),
    "events": Place("events", "events", "Show events by time, type and symbol."),
    "evidence": Place(
        "evidence", "evidence", "Write what was decided and read, for others to verify."
    ),
    "export": Place(
        "exports.command",
        "export",
        "Write bars or other records to a CSV, Parquet or JSON lines file.",
    ),
    "fundamentals": Place("fundamentals", "fundamentals", "Show the fundamentals of a symbol."),
    "history": Place(
        "history", "history", "Show what a day's bars and fundamentals were, and when."
    ),
    "import": Place(
        "imports.command", "import_bars", "Import bars from CSV, Parquet, Feather or JSON files."
    ),
    "info": Place("info", "info", "Show what a store holds."),
    "init": Place("init", "init", "Create a store, and print the necessary grants."),
    "ls": Place("ls", "ls", "List series, or other data, by name."),
    "new-backend": Place(
        "scaffold.command", "new_backend", "Write the package of a new backend, with its tests."
    ),
    "prune-history": Place(
        "snapshots", "prune_history", "Remove old versions of what was replaced or deleted."
    ),
    "repair": Place("maintenance", "repair", "Quarantine damaged files and leftovers."),
    "replay": Place(
        "replay", "replay", "Name the decisions that saw data which was corrected since."
    ),
    "show": Place("show", "show", "Show the last bars of a series."),
    "snapshot": Place("snapshots", "snapshot", "Name what a store holds now, or drop such a name."),
    "snapshots": Place("snapshots", "snapshots", "List the snapshots of a store."),
    "state": Place("state", "state", "Show the saved state of a strategy."),
    "verify": Place("maintenance", "verify", "Check that a store is undamaged."),
    "why": Place("replay", "why", "Show what a decision saw."),
}


class LazyCommands(PlainErrors):
    """The group of these commands."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names, sorted."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command; return None if there is none of this name."""
        place = COMMANDS.get(name)
        return None if place is None else place.load()

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in COMMANDS.items()])

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin like this, and the options of the group itself."""
        named = [
            CompletionItem(name, help=place.summary)
            for name, place in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return named + click.Command.shell_complete(self, context, incomplete)
