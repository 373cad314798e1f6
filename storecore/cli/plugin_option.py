"""`--plugin FILE`: an option of every command, which makes one file a plugin while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from storecore.cli.prints import prints_apart


def _register(context: click.Context, option: click.Parameter, files: tuple[Path, ...]) -> None:
    """Register the files until the program ends; a shell that completes words runs none."""
    if files and not context.resilient_parsing:
        from storecore.plugins.registration import register_file  # not for the list of commands

        for file in files:
            with prints_apart():
                registration = register_file(file)
            context.find_root().with_resource(registration)


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
