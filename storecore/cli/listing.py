"""`storecore backends`: what is installed, from which package, healthy or why not.

With `--check NAME` one of them is opened and tried.
"""

from __future__ import annotations

from typing import Any

import click

from storecore.cli.checking import Check, checks
from storecore.cli.choosing import StoreChoice, examples, settings_option
from storecore.cli.failing import one_line
from storecore.cli.screen import console, table
from storecore.cli.wording import printable
from storecore.config import StoreConfig
from storecore.discovery import INSTALLED, BackendInfo, backends, load_spec
from storecore.errors import StoreError

_HEADINGS = ("backend", "package", "entry point", "health", "what it is", "can also")


@click.command(
    "backends",
    short_help="List the installed backends and their health.",
    epilog=examples("storecore backends", "storecore backends --check file --set base_path=data"),
)
@click.option("--check", metavar="NAME", help="Open this backend, read from it, and say how it is.")
@settings_option
def list_backends(check: str | None, settings: dict[str, Any]) -> None:
    """List the installed backends: their packages, and whether each can be loaded."""
    if check is not None:
        _check(StoreChoice(StoreConfig({"backend": check}), settings))
    elif settings:
        raise click.UsageError("--set gives the options of a backend to check: give --check NAME")
    else:
        console().print(table(_HEADINGS, [_row(backend) for backend in backends()], right=()))


def _check(choice: StoreChoice) -> None:
    """Print what came of each step, and fail if one did."""
    done = [Check("opens", ""), *checks(choice.open_to_read())]
    for step in done:
        click.echo(f"{'FAILED' if step.wrong else 'ok':6}  {step.what}")
    wrong = [f"{step.what}: {step.wrong}" for step in done if step.wrong]
    if wrong:
        raise click.ClickException(f"the {choice.named} is not healthy: {'; '.join(wrong)}")


def _row(backend: BackendInfo) -> list[str]:
    package = f"{backend.distribution} {backend.version}"
    row = [backend.name, package, backend.entry_point, *_health(backend)]
    return list(map(printable, row))


def _health(backend: BackendInfo) -> tuple[str, str, str]:
    """Return health, summary and capabilities; to know them the backend is loaded."""
    if backend.status != INSTALLED:
        return backend.status, "", ""
    try:
        spec = load_spec(backend.name)
    except StoreError as error:
        return one_line(error), "", ""
    if callable(spec.capabilities):
        return "healthy", spec.summary, "what its inner store can"
    return "healthy", spec.summary, ", ".join(sorted(spec.capabilities))
