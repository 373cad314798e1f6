"""`storecore backends`: the installed backends, their packages and their health.

With `--check NAME` one of them is opened and checked.
"""

from __future__ import annotations

from typing import Any

import click

from storecore.cli.errors import one_line
from storecore.cli.health import Check, checks
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, settings_option
from storecore.cli.text import printable
from storecore.config.file import StoreConfig
from storecore.errors import StoreError
from storecore.plugins.discovery import (
    INSTALLED,
    BackendInfo,
    backends,
    load_spec,
    observers,
)
from storecore.plugins.metadata import broken_packages
from storecore.plugins.observers import SWITCH, are_on, hooks_of

_HEADINGS = ("backend", "package", "entry point", "health", "summary", "capabilities")
_OBSERVER_HEADINGS = ("observer", "package", "entry point", "health")


@click.command(
    "backends",
    short_help="List the installed backends and their health.",
    epilog=examples("storecore backends", "storecore backends --check file --set base_path=data"),
)
@click.option(
    "--check",
    metavar="NAME",
    help="Open this backend and read from it, or load this observer.",
)
@settings_option
def list_backends(check: str | None, settings: dict[str, Any]) -> None:
    """List the installed backends and observers, with their packages and health."""
    if check is not None and _names_an_observer(check):
        _check_observer(check)
    elif check is not None:
        _check(StoreChoice(StoreConfig({"backend": check}), settings))
    elif settings:
        raise click.UsageError("--set gives the options of a backend to check: give --check NAME")
    else:
        broken = broken_packages()
        console().print(table(_HEADINGS, [_row(backend) for backend in backends()], right=()))
        _print_observers()
        for package in broken:
            click.echo(printable(f"{package.distribution} is left out: {package.why}"))


def _print_observers() -> None:
    """Print the installed observers, without importing them: an import may do anything."""
    rows = [
        list(map(printable, (each.name, _package(each), each.entry_point, each.status)))
        for each in observers()
    ]
    if rows:
        off = "" if are_on() else f" (off: see {SWITCH})"
        console().print(f"\nObservers, called for every store that is opened and written{off}:")
        console().print(table(_OBSERVER_HEADINGS, rows, right=()))


def _names_an_observer(name: str) -> bool:
    known = {each.name for each in backends()}
    return name not in known and name in {each.name for each in observers()}


def _check_observer(name: str) -> None:
    """Load an observer and print which hooks it has."""
    for hook in hooks_of(name):
        click.echo(f"{'ok':6}  {hook}")


def _check(choice: StoreChoice) -> None:
    """Print the result of each step, and fail if one failed."""
    done = [Check("opens", ""), *checks(choice.open_to_read())]
    for step in done:
        click.echo(f"{'FAILED' if step.wrong else 'ok':6}  {step.what}")
    wrong = [f"{step.what}: {step.wrong}" for step in done if step.wrong]
    if wrong:
        raise click.ClickException(f"the {choice.named} is not healthy: {'; '.join(wrong)}")


def _row(backend: BackendInfo) -> list[str]:
    row = [backend.name, _package(backend), backend.entry_point, *_health(backend)]
    return list(map(printable, row))


def _package(info: BackendInfo) -> str:
    return f"{info.distribution} {info.version}"


def _health(backend: BackendInfo) -> tuple[str, str, str]:
    """Load a backend and return its health, summary and capabilities."""
    if backend.status != INSTALLED:
        return backend.status, "", ""
    try:
        spec = load_spec(backend.name)
    except StoreError as error:
        return one_line(error), "", ""
    if callable(spec.capabilities):
        return "healthy", spec.summary, "those of its nested stores"
    return "healthy", spec.summary, ", ".join(sorted(spec.capabilities))
