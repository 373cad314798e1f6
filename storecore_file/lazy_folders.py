"""A store opened with `create=False`: it must exist, and reading it creates nothing.

It may lack the folder of a kind of data, since other programs need not have kept them all. Such a
kind is read as empty, and the first write to it makes the folder.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOTDIR
from functools import partial
from pathlib import Path
from typing import Any

from storecore.errors import NoStore, StorageError
from storecore_file.fs.disk import Disk

KINDS = ("prices", "fundamentals", "events", "state", "audit")
_WRITING = frozenset({"write", "write_many", "replace", "save", "restore", "append"})


def check_is_there(base_path: Path, disk: Disk) -> None:
    """Raise `NoStore` unless the folder has that of at least one kind of data (law D7)."""
    if not disk.is_folder(base_path):
        what = "it is no folder" if _is_something(base_path, disk) else "there is no such folder"
    elif any(disk.is_folder(base_path / kind) for kind in KINDS):  # or a link to one
        return
    else:
        what = f"the folder has none of {', '.join(KINDS)}"
    raise NoStore(
        f"no store at {base_path}: {what}; check the path, or make a store with `storecore init`",
        base_path,
    )


def _is_something(path: Path, disk: Disk) -> bool:
    try:
        return disk.size(path) is not None
    except StorageError as error:
        if error.errno != ENOTDIR:  # a file stands in the place of a folder above it
            raise
    return False


class LazyCollection:
    """A collection whose folder is made, and synced, before the first write into it."""

    def __init__(self, collection: Any, disk: Disk, base_path: Path, folder: Path) -> None:
        self._collection = collection
        self._disk = disk
        self._base_path = base_path
        self._folder = folder
        self._made = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # of a copy that is still being made
            raise AttributeError(name)
        found = getattr(self._collection, name)
        return partial(self._in_folder, found) if name in _WRITING and not self._made else found

    def _in_folder(self, write: Callable[..., Any], *args: Any) -> Any:
        self._disk.make_folders([self._folder], within=self._base_path, links=True)
        self._made = True
        return write(*args)
