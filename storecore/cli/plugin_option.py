"""`--plugin FILE`: an option of every command, which makes one file a plugin while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from storecore.cli.interrupts import reporting
from storecore.cli.prints import prints_apart

if TYPE_CHECKING:
    from storecore.plugins.registration import Registration

_BEFORE = "storecore.cli.plugin_option"  # the files that are given before the command
_TRYING = ("backends",)  # the commands that find out what plugins do


def _register(context: click.Context, option: click.Parameter, files: tuple[Path, ...]) -> None:
    """Register the files until the program ends; a shell that completes words runs none.

    Those before the name of the command are registered with it: it decides how they are imported.
    """
    if context.resilient_parsing:
        return
    if isinstance(context.command, click.Group):
        context.meta[_BEFORE] = files
        return
    for file in (*context.meta.pop(_BEFORE, ()), *files):
        if context.command.name in _TRYING:
            _try(file)
        context.find_root().with_resource(_registered(file))


def _registered(file: Path) -> Registration:
    from storecore.plugins.registration import register_file  # not for the list of commands

    with reporting(lambda: f"the import of --plugin {file} has not ended"), prints_apart():
        return register_file(file)


def _try(file: Path) -> None:
    """Import a file in a child process, where it may hang or end the process."""
    from storecore.cli.trial import LIMIT, tried

    tried(f"--plugin {file}", lambda: bool(_registered(file)), LIMIT)


PLUGIN = click.Option(
    ["--plugin"],
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_register,
    help="A Python file with a backend, an observer or formats, used as if it were installed. "
    "It runs with your rights. May be repeated.",
)
"""It is eager: the plugin is there before a command opens a store."""
