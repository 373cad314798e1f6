"""The format number of a store: a small document that an older release reads before all else.

    data/.storecore      {"format":2,"crc32":"…"}

1 is a store without it: its partitions have no generations. 2 is what this release makes. The
number is of the whole store, of all kinds of data; it is raised when a release writes what an older
one would misread, and so lose.
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
from storecore_file.integrity import ASIDE, Trouble, problem_of, trouble_of

NAME = ".storecore"
FORMAT = 2
OLDEST = 1  # of a store that does not say
_log = logging.getLogger("storecore")


class _Document(Struct, frozen=True):
    """What the file says; a later release may add more."""

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
    """Refuse a store that a newer release has made; raises `StorageError`.

    A number that cannot be read is logged, and a finding of `verify()`: it keeps nobody from the
    data.
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


def mark_new(disk: Disk, base_path: Path, rooms: Iterable[Path]) -> None:
    """Write the format number into a store that is about to be made: none of its folders is there.

    An older store stays as it is.
    """
    if not any(map(disk.is_folder, rooms)) and disk.size(base_path / NAME) is None:
        document = msgspec.json.encode(_Document(FORMAT))
        disk.replace(base_path / NAME, sealed(document))


def format_troubles(disk: Disk, base_path: Path) -> Iterator[Trouble | None]:
    """Yield what is wrong with the format number, None where nothing is."""
    path = base_path / NAME

    def check(path: Path) -> None:
        read_format(disk, path.parent)

    if disk.size(path) is not None:
        problem = problem_of(path, check)
        yield trouble_of(path, problem, ASIDE, None, check) if problem else None
