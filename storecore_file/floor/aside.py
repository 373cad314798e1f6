"""Moves files out of the way of reads, into a folder of the store that nothing reads."""

from __future__ import annotations

import os
from pathlib import Path

from storecore_file.floor.disk import Disk
from storecore_file.floor.naming import naming

ASIDE = "aside"


def set_aside(disk: Disk, path: Path, into: Path) -> None:
    """Move a file or folder to `into`, on the same file system, where nothing is yet.

    Both folders are durable when this returns. Raises `StorageError`.
    """
    disk.make_folder(into.parent)
    with naming(path, "move aside"):
        os.rename(path, into)  # noqa: PTH104 - as the floor does everywhere
    for moved in (into, path):
        disk.created(moved)
