"""Names and patterns such as 'A*' on a command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase

import click

from storecore.cli.text import listed, printable
from storecore.values.suggestions import did_you_mean


def chosen(given: Sequence[str], known: Collection[str], what: str) -> list[str]:
    """Return the known names that are given or match a pattern, sorted; all if none is given.

    A known name is no pattern. Raises `click.ClickException` for one that names nothing.
    """
    if not given:
        return sorted(known)
    found: set[str] = set()
    for text in given:
        found.update(_named(text, known, what))
    return sorted(found)


def _named(text: str, known: Collection[str], what: str) -> list[str]:
    if text in known:
        return [text]
    names = [name for name in known if fnmatchcase(name, text)]
    if not names:
        hint = did_you_mean(text, known) or f"; there are {listed(sorted(known)) or 'none'}"
        raise click.ClickException(f"no {what} {printable(text)!r}{hint}")
    return names


def matcher(patterns: Sequence[str]) -> Callable[[str | None], bool]:
    """Return whether a name is one of these or matches one of them; any does if none is given."""
    return lambda name: (
        not patterns
        or (name is not None and any(name == each or fnmatchcase(name, each) for each in patterns))
    )


def split(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the names of a repeated option, each of which may be several with commas."""
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip())
