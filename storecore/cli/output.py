"""What commands print for other programs, with --json, and the files that they write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

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
    """Write an HTML page, as `replaced` does."""
    with replaced(path) as file:
        file.write(page.encode())


@contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write to. It has the path once the block has ended without an error.

    So an earlier file stays whole until then. What is no file, such as a device, is written to as
    it is. An error of the system names the path.
    """
    target = path.resolve()  # a link stays one
    part = target.with_name(f"{target.name}.{token_hex(4)}.part")
    is_device = target.exists() and not target.is_file()
    try:
        with target.open("wb") if is_device else part.open("xb") as file:
            yield file
        if not is_device:
            part.replace(target)
    except OSError as error:
        if error.errno is None:  # not of the system: it has a text of its own
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)
