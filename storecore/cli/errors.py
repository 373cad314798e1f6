"""Errors of the command line: one readable line on stderr, exit status 1, no traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterable
from typing import Any, NoReturn, TextIO

import click

from storecore.errors import StoreError
from storecore.errors.redaction import plain
from storecore.plugins.isolation import reason

INTERRUPTED = 130
_NO_ANSWER = "\nError: stdin has ended without an answer: nothing was changed; --yes does not ask"


class PlainErrors(click.Group):
    """A group whose errors, wrong options included, end in one line and status 1."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command and exit: 0, 1 after an error, 130 after an interrupt."""
        _open_what_is_closed()
        _never_fail_to_print((sys.stdout, sys.stderr))
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except click.Abort as error:
            if isinstance(error.__context__, EOFError):  # click treats both alike
                click.echo(_NO_ANSWER, err=True)
                sys.exit(1)
            sys.exit(INTERRUPTED)
        except Exception as error:
            click.echo(f"Error: {one_line(error)}", err=True)
            sys.exit(1)
        sys.exit(status)


def one_line(error: BaseException) -> str:
    """Return the text of an error as one printable line without secrets."""
    return plain(" ".join(part.strip() for part in _message(error).split("\n") if part.strip()))


def _message(error: BaseException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message().rstrip('.')}. See '{error.ctx.command_path} --help'."
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the output cannot be written: {error.strerror}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {reason(error)} (in {place.filename}, line {place.lineno})"


def _open_what_is_closed() -> None:
    """Discard what is printed if the shell has closed stdout or stderr (`>&-`)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8"))  # until the process ends


def _never_fail_to_print(streams: Iterable[TextIO]) -> None:
    """Escape characters that the encoding of the terminal lacks."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a replaced stream may be any file
            reconfigure(errors="backslashreplace")
