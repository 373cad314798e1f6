"""`storecore new-backend`: writes a package, which can be installed and tested as it is."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from storecore.cli.scaffold.names import checked_names
from storecore.cli.scaffold.project import project, write_project
from storecore.cli.text import examples, printable
from storecore.errors import ConfigError
from storecore.errors.redaction import is_connection


@click.command(
    "new-backend",
    short_help="Write the package of a new backend, with its tests.",
    epilog=examples("storecore new-backend duckdb", "storecore new-backend duckdb src/duckdb"),
)
@click.argument("name")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def new_backend(name: str, folder: Path | None) -> None:
    """Write the package storecore-NAME into DIR (default ./storecore-NAME).

    Its backend keeps everything in one SQLite file and passes the conformance kit. Replace SQLite
    with your medium; the README of the package lists what to change.
    """
    names = checked_names(name)
    target = folder or Path(names.package)
    if is_connection(str(target)):
        raise ConfigError("expected a folder, got what looks like a connection string")
    texts = project(names)
    write_project(target, texts)
    click.echo(f"wrote {names.package} into {printable(str(target))}:")
    for path in texts:
        click.echo(f"  {path}")
    click.echo("\nTry next:")
    click.echo(f"  cd {shlex.quote(str(target))}")
    click.echo("  pip install -e '.[test]'")
    click.echo(f"  storecore init --backend {name} --set path=desk.db")
    click.echo(f"  storecore backends --check {name} --set path=desk.db")
    click.echo("  pytest    # the conformance kit: some minutes, longer on a slow medium")
