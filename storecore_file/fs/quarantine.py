"""The quarantine: a folder of the store for files that reads must not see any more.

    aside/2026-11-24T22-58-32.123456Z/prices/AAPL/2026-01.parquet

A file keeps its path, under a folder named after the time, so that it can be inspected and put
back. A torn line of a log does not come here: it is moved to a file beside the log (`logs.py`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import os_errors
from storecore_file.fs.stat import identity_at

FOLDER = "aside"
_MOMENT = "%Y-%m-%dT%H-%M-%S.%fZ"


def quarantine_path(base_path: Path, path: Path, moment: datetime) -> Path:
    """Return where a file of a store goes that is quarantined at a time (UTC)."""
    return base_path / FOLDER / moment.strftime(_MOMENT) / path.relative_to(base_path)


def move_to_quarantine(disk: Disk, path: Path, into: Path, checked: tuple[int, int]) -> bool:
    """Move a file or folder to `into`, an empty place on the same file system.

    `checked` is its identity. If another file has taken its place meanwhile, that one is put back
    and False returned. Both folders are durable when this returns. Raises `StorageError`.
    """
    disk.make_folder(into.parent)
    with os_errors(path, "move aside"):
        if identity_at(path) == checked:
            os.rename(path, into)  # noqa: PTH104 - quicker than `Path`
    moved = identity_at(into)
    if moved is not None and moved != checked:
        _put_back(into, path)
    for changed in (into, path):
        with os_errors(changed, "move aside"):
            disk.created(changed)
    return moved == checked


def copy_to_quarantine(disk: Disk, path: Path, into: Path) -> None:
    """Give a file, durably, a second place at `into`, where it stays when it is replaced.

    If the file system has no hard links, it is copied. Raises `StorageError`.
    """
    disk.make_folder(into.parent)
    with os_errors(path, "copy aside"):
        try:
            os.link(path, into)
        except OSError:
            disk.replace(into, path.read_bytes())
    disk.created(into)


def _put_back(moved: Path, path: Path) -> None:
    """Put a file back, unless another one lies there by now, which is newer."""
    with os_errors(path, "put back"), suppress(FileExistsError):
        path.hardlink_to(moved)
    with os_errors(moved, "remove"):
        moved.unlink()
