"""Names the file in every error of the disk."""

from __future__ import annotations

from pathlib import Path

from storecore.errors import StorageError, StoreError


class naming:
    """Turns an `OSError` inside into a `StorageError` that names the file and the cause."""

    __slots__ = ("_doing", "_path")

    def __init__(self, path: Path, doing: str) -> None:
        self._path = path
        self._doing = doing

    def __enter__(self) -> None:
        """Go on."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            cause = error.strerror or str(error)
            message = f"{self._path}: cannot {self._doing}: {cause}"
            raise StorageError(message, self._path, error.errno) from error
