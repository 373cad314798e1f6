"""`storecore backends`: the installed backends, their packages and their health.

With `--check NAME` one of them is opened and checked.
"""

from __future__ import annotations

from typing import Any

import click

from storecore.cli.errors import one_line
from storecore.cli.health import Check, checks
from storecore.cli.output import json_option, print_array, print_object
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
@json_option
@settings_option
def list_backends(check: str | None, settings: dict[str, Any], as_json: bool) -> None:
    """List the installed backends and observers, with their packages and health."""
    if check is not None and _names_an_observer(check):
        _check_observer(check, as_json)
    elif check is not None:
        _check(StoreChoice(StoreConfig({"backend": check}), settings), as_json)
    elif settings:
        raise click.UsageError("--set gives the options of a backend to check: give --check NAME")
    elif as_json:
        _print_as_json()
    else:
        broken = broken_packages()
        console().print(table(_HEADINGS, [_row(backend) for backend in backends()], right=()))
        _print_observers()
        for package in broken:
            click.echo(printable(f"{package.distribution} is left out: {package.why}"))


def _print_as_json() -> None:
    """Print the installed backends and observers, and the packages that are left out."""
    headings = ("name", "package", "entry_point", "health", "summary", "capabilities")
    watching = [(each.name, _package(each), each.entry_point, each.status) for each in observers()]
    print_object(
        {
            "backends": [dict(zip(headings, _fields(each), strict=True)) for each in backends()],
            "observers": [dict(zip(headings, each, strict=False)) for each in watching],
            "left_out": [each._asdict() for each in broken_packages()],
        }
    )


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


def _check_observer(name: str, as_json: bool) -> None:
    """Load an observer and print which hooks it has."""
    if as_json:
        print_array(hooks_of(name))
        return
    for hook in hooks_of(name):
        click.echo(f"{'ok':6}  {hook}")


def _check(choice: StoreChoice, as_json: bool) -> None:
    """Print the result of each step, and fail if one failed."""
    done = [Check("opens", ""), *checks(choice.open_to_read())]
    if as_json:
        print_array(each._asdict() for each in done)
    for step in [] if as_json else done:
        click.echo(f"{'FAILED' if step.wrong else 'ok':6}  {step.what}")
    wrong = [f"{step.what}: {step.wrong}" for step in done if step.wrong]
    if wrong:
        raise click.ClickException(f"the {choice.named} is not healthy: {'; '.join(wrong)}")


def _row(backend: BackendInfo) -> list[str]:
    return list(map(printable, _fields(backend)))


def _fields(backend: BackendInfo) -> tuple[str, ...]:
    return backend.name, _package(backend), backend.entry_point, *_health(backend)


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
