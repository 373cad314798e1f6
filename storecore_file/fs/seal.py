"""Seals lines of JSON and Parquet files: a checksum proves that they are whole.

The last member of a line of JSON is the CRC-32 of all before it; `jq` and others see one more
member.

    {"type":"split","symbol":"AAPL",…,"crc32":"1c291ca3"}

The pages of a Parquet file carry checksums, but its footer (schema, row counts, metadata) and the
headers of its pages do not, and a damaged header may hide the checksum of its page. So a CRC-32
lies in the four bytes before the footer, where no reader looks. It covers all other bytes, or the
footer and a note before the checksum that has checksums of the rest.

What a failed decode proves about a file (law D5): our own code reads all bytes first and compares
them with their checksums, so it fails only if a byte is wrong. That is damage. A decoder sees the
bytes after that. A `ValueError` or `LookupError` of the decoder (another schema, a missing field)
means that any machine would reject the same bytes: damage too. Any other error (no memory, no
thread, too small a stack, a codec that this Arrow lacks) proves nothing: it is a `StorageError`,
and no repair may move the file for it. Arrow reports some of these as an `OSError` ("ZSTD
decompression failed: Allocation error"), so that proves nothing either.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pyarrow as pa

from storecore.errors import CorruptData, StorageError, StoreError

_WRONG = (ValueError, LookupError)
_STOPPED = (MemoryError, OSError, RuntimeError, pa.ArrowException)
_MARK = b',"crc32":"'
_CHECKSUM = 4
_LENGTH = len(_MARK) + len('01234567"}\n')


def sealed(json_object: bytes) -> bytes:
    """Return a JSON object that is not empty as a line with its checksum."""
    body = json_object[:-1]
    return b'%b%b%08x"}\n' % (body, _MARK, crc32(body))


def unsealed(line: bytes) -> bytes:
    """Return the JSON object that was sealed. Raises `ValueError` if the line is not whole."""
    if not is_sealed(line):
        raise ValueError("its checksum does not match")
    return line[:-_LENGTH] + b"}"


def is_sealed(line: bytes) -> bool:
    """Return whether a line is whole."""
    body = line[:-_LENGTH]
    return line[-_LENGTH:] == b'%b%08x"}\n' % (_MARK, crc32(body))


def sealed_parquet(content: bytes | memoryview, note: bytes = b"", before: bytes = b"") -> bytes:
    """Return a Parquet file with a note and a checksum inserted before its footer.

    The checksum covers the footer and the note, or without a note all bytes. `before` is inserted
    before the note; the note covers it.
    """
    view = memoryview(content)
    start = footer_start(view)
    data, footer = view[:start], view[start:]
    return b"".join((data, before, note, parquet_checksum(note or data, footer), footer))


def check_parquet(content: bytes) -> None:
    """Raise `ValueError` if a Parquet file that was sealed without a note is not whole."""
    start = footer_start(content)
    end = start - _CHECKSUM
    data, footer = memoryview(content)[: max(end, 0)], memoryview(content)[max(start, 0) :]
    if end < 0 or content[end:start] != parquet_checksum(data, footer):
        raise ValueError("its checksum does not match")


def footer_start(content: bytes | memoryview) -> int:
    """Return where the footer begins; its length is in the file's last bytes, before `PAR1`."""
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


def parquet_checksum(covered: bytes | memoryview, footer: bytes | memoryview) -> bytes:
    """Return the checksum of what a seal covers, and the footer."""
    return crc32(footer, crc32(covered)).to_bytes(_CHECKSUM, "little")


class decode_errors:
    """Turns errors inside into `CorruptData` or `StorageError` that names the file."""

    __slots__ = ("_path", "_what")

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what

    def __enter__(self) -> None:
        """Do nothing."""

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
