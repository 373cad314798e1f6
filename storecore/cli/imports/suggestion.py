"""The formats that fit a file, suggested if none is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import click

from storecore.cli.imports.formats import all_formats, fitting
from storecore.cli.imports.options import FileOptions
from storecore.cli.imports.sources import Source
from storecore.cli.imports.text import line_blocks

_LOOKED_AT = 5  # lines


def suggested(source: Source) -> list[str]:
    """Return the names of the formats that fit the first lines of a file, but not of stdin."""
    known = all_formats()
    found = (
        name
        for at, line in enumerate(_first_lines(source))
        for name in fitting(line, known, is_first=at == 0)
    )
    return list(dict.fromkeys(found))


def _first_lines(source: Source) -> Iterator[str]:
    if not source.stem:
        return
    with ExitStack() as held:
        try:
            first = next(line_blocks(source.open(held).file, source.name, None), None)
        except (click.ClickException, OSError):  # no text, or not there
            return
    if first is not None:
        for line in first.data.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]:
            yield line.decode(errors="replace").strip("\r﻿")


def hint_after_an_error(source: Source) -> str:
    """Return what to try, to be added to an error about a file."""
    names = suggested(source)
    return f"; or give --format {' or '.join(names)}, which fits this file" if names else ""


def note_after_a_success(source: Source, options: FileOptions) -> list[str]:
    """Return the note that a format would read the times of a file otherwise."""
    if options.format is not None or options.timezone is not None or options.day is not None:
        return []
    known = all_formats()
    names = [
        name
        for name in suggested(source)
        if known[name].timezone != "UTC" or known[name].day != "instant"
    ]
    if not names:
        return []
    first = known[names[0]]
    day = ", and days as they are written" if first.day == "written" else ""
    return [f"--format {first.name} fits this file: it reads times as {first.timezone}{day}"]
