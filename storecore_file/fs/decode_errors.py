"""Decides what a failed decoding proves about a file (law D5).

Our own code reads all bytes of a file first and compares them with their checksums. It fails only
if a byte is wrong: that is damage. A decoder sees the bytes after that. A `ValueError` or
`LookupError` of the decoder (another schema, a missing field) means that any machine would refuse
the same bytes: damage too. Any other error (no memory, no thread, too small a stack, a codec that
this Arrow lacks) says nothing about the file. That is a `StorageError`, and no repair may move the
file for it. Arrow reports some of these as an `OSError` ("ZSTD decompression failed: Allocation
error"), so that proves nothing either.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from storecore.errors import CorruptData, StorageError, StoreError

_WRONG = (ValueError, LookupError)
_STOPPED = (MemoryError, OSError, RuntimeError, pa.ArrowException)


class decoding:
    """Turns errors inside into `CorruptData` or `StorageError` that names the file."""

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
    """Return the error that a line is nested too deep to be decoded here."""
    return StorageError(f"{path}: cannot decode a line: nested too deep: {line[:80]!r}", path)


def cause_of(error: BaseException) -> str:
    """Return the text of an error, or words for one without text."""
    said = str(error)
    if isinstance(error, MemoryError):
        return f"out of memory ({said})" if said else "out of memory"
    return said or type(error).__name__
