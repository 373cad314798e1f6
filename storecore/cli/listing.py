"""`storecore backends`: what is installed, from which package, healthy or why not."""

from __future__ import annotations

import click

from storecore.cli.choosing import examples
from storecore.cli.failing import one_line
from storecore.cli.screen import console, table
from storecore.discovery import INSTALLED, BackendInfo, backends, load_spec
from storecore.errors import StoreError

_HEADINGS = ("backend", "package", "entry point", "health", "what it is", "can also")


@click.command(
    "backends",
    short_help="List the installed backends and their health.",
    epilog=examples("storecore backends"),
)
def list_backends() -> None:
    """List the installed backends: their packages, and whether each can be loaded."""
    console().print(table(_HEADINGS, [_row(backend) for backend in backends()], right=()))


def _row(backend: BackendInfo) -> list[str]:
    package = f"{backend.distribution} {backend.version}"
    return [backend.name, package, backend.entry_point, *_health(backend)]


def _health(backend: BackendInfo) -> tuple[str, str, str]:
    """Return health, summary and capabilities; to know them the backend is loaded."""
    if backend.status != INSTALLED:
        return backend.status, "", ""
    try:
        spec = load_spec(backend.name)
    except StoreError as error:
        return one_line(error), "", ""
    return "healthy", spec.summary, ", ".join(sorted(spec.capabilities))
