"""`storecore init`: creates a store and prints instructions for an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from storecore.cli.prints import prints_apart
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.config.nested import NestedStore
from storecore.errors import BackendLoadError
from storecore.plugins.isolation import is_from_program, reason


@click.command(
    short_help="Create a store, and print the necessary grants.",
    epilog=examples(
        "storecore init",
        "storecore init --backend file --set base_path=data",
        "storecore init --backend postgres --set dsn='host=db dbname=desk' --set schema=storecore",
    ),
)
@store_options
def init(choice: StoreChoice) -> None:
    """Create what a store needs if it is missing; change nothing that exists.

    The instructions of its backend for an administrator are printed, such as the grants for other
    roles of a database.
    """
    prepared = choice.prepared()
    choice.open().close()
    click.echo(f"the store in {choice.named} is ready", err=True)
    if prepared.spec.init is not None:
        click.echo(_instructions(prepared, prepared.spec.init), nl=False)


def _instructions(prepared: NestedStore, init: Callable[[Any], str]) -> str:
    try:
        with prints_apart():
            return init(prepared.settings)
    except BaseException as error:
        if is_from_program(error):
            raise
        raise BackendLoadError(f"{prepared.described}: its init raised {reason(error)}") from error
