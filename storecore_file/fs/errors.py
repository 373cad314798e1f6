"""Names the file in every error of the disk."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

from storecore.errors import StorageError, StoreError


class naming:
    """Turns an `OSError` or `MemoryError` inside into a `StorageError` with the file and cause."""

    __slots__ = ("_doing", "_path")

    def __init__(self, path: Path, doing: str) -> None:
        self._path = path
        self._doing = doing

    def __enter__(self) -> None:
        """Go on."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError | MemoryError):
            refuse(error, self._path, self._doing)


def refuse(error: OSError | MemoryError, path: Path, doing: str) -> NoReturn:
    """Raise an error of the system as a `StorageError` that names the file; one as it is."""
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, MemoryError):
        raise StorageError(f"{path}: cannot {doing}: out of memory", path, errno.ENOMEM) from error
    cause = error.strerror or str(error)
    raise StorageError(f"{path}: cannot {doing}: {cause}", path, error.errno) from error
