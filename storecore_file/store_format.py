"""The format number of a store: a small document that a release reads before anything else.

    data/.storecore      {"format":2,"crc32":"…"}

A store without it has format 1: an earlier release began it, and its partitions may have no
generations. Writing to it does not change that. New stores have format 2.
The number holds for the whole store, all kinds of data. It is raised when a release writes what an
older one would misread, and so lose.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from storecore.errors import CorruptData, StorageError, StoreError
from storecore_file.fs.disk import Disk
from storecore_file.fs.seal import sealed, unsealed
from storecore_file.integrity import QUARANTINE, Files, Issue, issue_of

NAME = ".storecore"
FORMAT = 2
OLDEST = 1  # of a store without the file
_log = logging.getLogger("storecore")


class _Document(Struct, frozen=True):
    """The content of the file; a later release may add fields."""

    format: int


def read_format(disk: Disk, base_path: Path) -> int:
    """Return the format number of a store. Raises `CorruptData`."""
    path = base_path / NAME
    content = disk.read(path)
    if content is None:
        return OLDEST
    try:
        return msgspec.json.decode(unsealed(content), type=_Document).format
    except ValueError as error:
        raise CorruptData(f"{path}: not a whole format number: {error}", path) from error


def check_format(disk: Disk, base_path: Path) -> None:
    """Raise `StorageError` if a newer release has made the store.

    A number that cannot be read is logged, and `verify()` reports it; the data stay readable.
    """
    try:
        found = read_format(disk, base_path)
    except StoreError as error:
        _log.warning("%s", error)
        return
    if found > FORMAT:
        path = base_path / NAME
        raise StorageError(
            f"{path}: written by a newer storecore: this store has format {found}, this release "
            f"reads up to {FORMAT}; update storecore to one that reads format {found}",
            path,
        )


def mark_new(disk: Disk, base_path: Path, folders: Iterable[Path]) -> None:
    """Write the format number of a new store, if none of its folders exists yet."""
    if not any(map(disk.is_folder, folders)) and disk.size(base_path / NAME) is None:
        document = msgspec.json.encode(_Document(FORMAT))
        disk.replace(base_path / NAME, sealed(document))


def format_issues(disk: Disk, base_path: Path) -> Iterator[Issue | None]:
    """Yield the issue of the format number, None if it is whole."""
    path = base_path / NAME

    def check(path: Path) -> None:
        read_format(disk, path.parent)

    if disk.size(path) is not None:
        yield issue_of(path, Files(None, check, QUARANTINE))
