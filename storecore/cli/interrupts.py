"""What a command prints if it is interrupted: which part of its work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def reporting(what: Callable[[], str]) -> Iterator[None]:
    """If the block is interrupted, print what was written by then on stderr."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"interrupted: {what()}", err=True)
        raise
