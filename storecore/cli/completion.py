"""`storecore completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from storecore.cli.store_choice import examples

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    short_help="Print a script that completes commands and options in a shell.",
    epilog=examples(
        'eval "$(storecore completion bash)"',
        "storecore completion fish > ~/.config/fish/completions/storecore.fish",
    ),
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL, to be evaluated in its startup file."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "storecore", "_STORECORE_COMPLETE").source())
