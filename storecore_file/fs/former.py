"""Puts files back whose names were given to others, where the change then cannot be made to last.

The files are held open meanwhile, so that what they hold is there to be written anew: it costs an
open and a close, and nothing on the disk. What cannot be put back, because the disk fails in that
too, stays as the change has made it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from storecore_file.fs.regular import READ, open_regular
from storecore_file.fs.stat import identity


class _Change(NamedTuple):
    """A name, the open file that it stood for, and which file it stands for then."""

    path: Path
    file: int | None
    then: tuple[int, int] | None


class Former:
    """What some names stood for, as a context manager."""

    def __init__(self) -> None:
        self._changes: list[_Change] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for change in self._changes:
            if change.file is not None:
                os.close(change.file)

    def keep(self, path: Path, new: Path | None) -> None:
        """Hold what a name stands for before `new` is renamed to it, or it is removed (None)."""
        then = None if new is None else identity(new.stat())
        try:
            file, _ = open_regular(path, READ)
        except FileNotFoundError:
            file = None
        self._changes.append(_Change(path, file, then))

    def put_back(self, write: Callable[[Path, bytes], None]) -> None:
        """Take the changes back, the last one first, so that a reader misses nothing meanwhile.

        A name that stands for what yet another writer has put there is left alone.
        """
        for path, file, then in reversed(self._changes):
            with suppress(OSError):  # the error that matters is on its way
                if _file_at(path) != then:
                    continue
                if file is not None:
                    write(path, _content(file))
                else:
                    path.unlink(missing_ok=True)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        return identity(path.stat())
    except FileNotFoundError:
        return None


def _content(file: int) -> bytes:
    with os.fdopen(os.dup(file), "rb") as reader:
        return reader.read()
