"""What a failed decoding proves of a file, and what it does not (law D5).

The bytes of a file are read completely and held to their checksums first, by code of ours that
can only fail if a byte is wrong: that is damage. A decoder sees them after that. If it says that
their content is wrong (a `ValueError` or `LookupError`: another schema, a field that is missing),
the same bytes would be refused anywhere: damage too. Whatever else stops it, no memory, no thread,
a stack that is too deep for it, a codec that this Arrow lacks, says nothing about the file: that is
a `StorageError`, and nobody may move the file away for it. Arrow reports some of these as an
`OSError` ("ZSTD decompression failed: Allocation error"), so that is no proof either.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from storecore.errors import CorruptData, StorageError, StoreError

_WRONG = (ValueError, LookupError)
_STOPPED = (MemoryError, OSError, RuntimeError, pa.ArrowException)


class decoding:
    """Turns what goes wrong inside into `CorruptData` or `StorageError` that names the file."""

    __slots__ = ("_path", "_what")

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what

    def __enter__(self) -> None:
        """Go on."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, StoreError):
            return
        if isinstance(error, _WRONG):
            message = f"{self._path}: not a whole {self._what}: {error}"
            raise CorruptData(message, self._path) from error
        if isinstance(error, _STOPPED):
            message = f"{self._path}: cannot decode it: {cause_of(error)}"
            raise StorageError(message, self._path) from error


def too_deep(path: Path, line: bytes) -> StorageError:
    """Return that a line is nested deeper than it can be decoded here."""
    return StorageError(f"{path}: cannot decode a line: nested too deep: {line[:80]!r}", path)


def cause_of(error: BaseException) -> str:
    """Return what an error says, in words if it says nothing."""
    said = str(error)
    if isinstance(error, MemoryError):
        return f"out of memory ({said})" if said else "out of memory"
    return said or type(error).__name__
