"""The option --json, and what it prints: one array or object on stdout, for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct
from msgspec.structs import asdict


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --json to a command, which receives `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON: times in UTC, all digits."
    )(command)


def print_array(items: Iterable[Any]) -> int:
    """Print records as one array, a record a line, as they come; return their number."""
    count = 0
    click.echo("[", nl=False)
    for item in items:
        click.echo(f"{',' if count else ''}\n{encoded(item)}", nl=False)
        count += 1
    click.echo("\n]" if count else "]")
    return count


def print_object(value: Mapping[str, Any]) -> None:
    """Print one object."""
    click.echo(encoded(value))


def encoded(value: Any) -> str:
    """Return a value as JSON on one line, records with all their fields."""
    return msgspec.json.encode(_plain(value)).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def write_page(path: Path, page: str) -> None:
    """Write an HTML page. An error names the file, also if the disk is full."""
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
