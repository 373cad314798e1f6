"""Moves files out of the way of reads, into a folder of the store that nothing reads."""

from __future__ import annotations

import os
from pathlib import Path

from storecore_file.floor.disk import Disk
from storecore_file.floor.naming import naming

ASIDE = "aside"
MOMENT = "%Y-%m-%dT%H-%M-%S.%fZ"  # the folders in it: when files were moved there


def set_aside(disk: Disk, path: Path, into: Path) -> None:
    """Move a file or folder to `into`, on the same file system, where nothing is yet.

    Both folders are durable when this returns. Raises `StorageError`.
    """
    disk.make_folder(into.parent)
    with naming(path, "move aside"):
        os.rename(path, into)  # noqa: PTH104 - as the floor does everywhere
    for moved in (into, path):
        disk.created(moved)


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
