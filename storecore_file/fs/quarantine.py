"""Moves files out of the way of reads, into a folder of the store that nothing reads."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import naming
from storecore_file.fs.stat import identity_at

ASIDE = "aside"
MOMENT = "%Y-%m-%dT%H-%M-%S.%fZ"  # the folders in it: when files were moved there


def set_aside(disk: Disk, path: Path, into: Path, judged: tuple[int, int]) -> bool:
    """Move a file or folder to `into`, an empty place on the same file system.

    `judged` is its identity. If another file has taken its place meanwhile, that is put back and
    False returned. Both folders are durable when this returns. Raises `StorageError`.
    """
    disk.make_folder(into.parent)
    with naming(path, "move aside"):
        if identity_at(path) == judged:
            os.rename(path, into)  # noqa: PTH104 - as the floor does everywhere
    moved = identity_at(into)
    if moved is not None and moved != judged:
        _put_back(into, path)
    for changed in (into, path):
        with naming(changed, "move aside"):
            disk.created(changed)
    return moved == judged


def _put_back(moved: Path, path: Path) -> None:
    """Put a file back, unless another one lies there by now: that is newer."""
    with naming(path, "put back"), suppress(FileExistsError):
        path.hardlink_to(moved)
    with naming(moved, "remove"):
        moved.unlink()


def copy_aside(disk: Disk, path: Path, into: Path) -> None:
    """Give a file, durably, a second place at `into`, where it stays when it is replaced.

    Where the file system has no such names, it is copied. Raises `StorageError`.
    """
    disk.make_folder(into.parent)
    with naming(path, "copy aside"):
        try:
            os.link(path, into)
        except OSError:
            disk.replace(into, path.read_bytes())
    disk.created(into)
