"""The files of an import: paths, patterns, stdin and members of archives, decompressed.

The first bytes of a file decide its format, not its name.
"""

from __future__ import annotations

import bz2
import gzip
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from glob import glob
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePath
from typing import IO, Any, NamedTuple

import click

from storecore.cli.text import printable

STDIN = "-"
MOST_TIMES = 250  # the size of its compressed file; real bars take a tenth of theirs
FREE = 2**28  # bytes that any file may have
_ENDINGS = re.compile(
    r"(\.(csv|txt|tsv|dat|prn|json|jsonl|ndjson|parquet|feather|arrow|gz|zst|bz2))+$"
)
_ARCHIVE, _GZIP, _ZSTD, _BZIP2 = b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh"
_FOREIGN = {
    b"\xfd7zXZ\x00": "an xz file",
    b"7z\xbc\xaf\x27\x1c": "a 7z file",
    b"Rar!": "a RAR file",
    b"%PDF": "a PDF file",
    b"\xd0\xcf\x11\xe0": "an Excel file; save it as CSV in Excel",
    b"SQLite format 3": "an SQLite database; read it into a frame for write_bar_table",
    b"\x89HDF": "an HDF5 file; read it with pandas into a frame for write_bar_table",
    b"FEA1": "a Feather file of version 1; write it again with version 2",
    b"ORC": "an ORC file; read it with pyarrow.orc into a table for write_bar_table",
}


class Source(NamedTuple):
    """A file to import. `stem` is its name without folders and endings, empty for a stream.

    `open` takes what will close all files that it opens.
    """

    name: str
    stem: str
    open: Callable[[ExitStack], Opened]


class Opened(NamedTuple):
    """The decompressed content of a source: its first bytes, and a file to read from.

    `is_file` says that the file can be read in any order. `held` closes all files in the end.
    """

    head: bytes
    file: Any
    is_file: bool
    held: ExitStack


def sources_of(given: Sequence[str]) -> Iterator[Source]:
    """Yield the sources that paths, patterns and `-` name, archives member by member."""
    for each in given:
        if each == STDIN:
            yield Source("stdin", "", lambda held: _opened("stdin", _stdin(), 0, held))
            continue
        for path in _matching(each):
            yield from _of_path(path)


def _stdin() -> Any:
    stream: Any = sys.stdin.buffer
    return stream if hasattr(stream, "peek") else BufferedReader(stream)


def _matching(given: str) -> list[str]:
    """Return the files of a pattern, sorted; a path that exists is no pattern."""
    if Path(given).exists() or not glob_of(given):
        return [given]
    every = glob(given, recursive=True)  # noqa: PTH207 - relative to no folder
    found = sorted(each for each in every if Path(each).is_file())
    if not found:
        raise click.ClickException(f"{printable(given)}: no file matches this pattern")
    return found


def glob_of(text: str) -> bool:
    """Return whether a text is a pattern for names of files."""
    return any(character in text for character in "*?[")


def _of_path(path: str) -> Iterator[Source]:
    if Path(path).exists() and not Path(path).is_file():  # a pipe can be read only once
        yield Source(path, "", lambda held: _of_file(path, held))
        return
    with Path(path).open("rb") as file:
        is_archive = file.read(4) == _ARCHIVE
    if not is_archive:
        yield Source(path, stem_of(path), lambda held: _of_file(path, held))
        return
    with explained(path), zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if _is_data(each)]
    _refuse_a_workbook(path, [each.filename for each in members])
    if not members:
        raise click.ClickException(f"{printable(path)}: the archive has no files")
    for member in members:
        name = f"{path}/{member.filename}"
        yield Source(name, stem_of(member.filename), _opener(path, member, name))


def _opener(path: str, member: zipfile.ZipInfo, name: str) -> Callable[[ExitStack], Opened]:
    return lambda held: _of_member(path, member, name, held)


def _is_data(member: zipfile.ZipInfo) -> bool:
    parts = PurePath(member.filename).parts
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return not (member.is_dir() or is_hidden or member.filename.endswith(".CHECKSUM"))


def _refuse_a_workbook(path: str, names: Sequence[str]) -> None:
    if "[Content_Types].xml" in names:
        raise click.ClickException(f"{printable(path)}: an Excel file; save it as CSV in Excel")


def stem_of(path: str) -> str:
    """Return the name of a file without folders and the endings of formats and compression."""
    name = PurePath(path).name
    return _ENDINGS.sub("", name, count=1) or name


def _of_file(path: str, held: ExitStack) -> Opened:
    file = held.enter_context(Path(path).open("rb"))  # noqa: SIM115
    return _opened(path, file, Path(path).stat().st_size, held, is_file=Path(path).is_file())


def _of_member(path: str, member: zipfile.ZipInfo, name: str, held: ExitStack) -> Opened:
    with explained(name):
        archive = held.enter_context(zipfile.ZipFile(path))
        raw: Any = held.enter_context(archive.open(member))
    inner = BufferedReader(Metered(name, raw, member.compress_size))
    return _opened(name, held.enter_context(inner), 0, held)


def _opened(name: str, raw: Any, size: int, held: ExitStack, *, is_file: bool = False) -> Opened:
    """Return the content of a stream, decompressed; `size` is that of its file, 0 if unknown."""
    with explained(name):
        head = raw.peek(16)
    unpack = next((each for magic, each in _UNPACKED.items() if head.startswith(magic)), None)
    if unpack is None:
        _refuse_foreign(name, head)
        return Opened(head, raw, is_file, held)
    unpacked = held.enter_context(closing(unpack(raw)))
    inner = held.enter_context(BufferedReader(Metered(name, unpacked, size)))
    with explained(name):
        head = inner.peek(16)
    if any(head.startswith(magic) for magic in (*_UNPACKED, _ARCHIVE)):
        raise click.ClickException(f"{printable(name)}: compressed twice; decompress it first")
    _refuse_foreign(name, head)
    return Opened(head, inner, False, held)


def _zstd(raw: IO[bytes]) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")


_UNPACKED: dict[bytes, Callable[[Any], Any]] = {
    _GZIP: lambda raw: gzip.GzipFile(fileobj=raw),
    _ZSTD: _zstd,
    _BZIP2: bz2.BZ2File,
}


def _refuse_foreign(name: str, head: bytes) -> None:
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise click.ClickException(
                f"{printable(name)}: {what}; import reads CSV, Parquet, Feather and JSON"
            )


class Metered(RawIOBase):
    """A decompressed stream that raises if it grows far larger than its compressed `size`."""

    def __init__(self, name: str, raw: Any, size: int) -> None:
        self._name, self._raw, self._read = name, raw, 0
        self._most = max(FREE, size * MOST_TIMES)

    def readable(self) -> bool:
        """Return True, for `BufferedReader`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as `RawIOBase` says."""
        with explained(self._name):
            found = self._raw.read(len(buffer))
        self._read += len(found)
        if self._read > self._most:
            raise click.ClickException(
                f"{printable(self._name)}: decompressed it is more than "
                f"{self._read // 2**20:,} MB, over {MOST_TIMES} times its size: nothing was "
                "written; if it is sound, decompress it and import the result"
            )
        buffer[: len(found)] = found
        return len(found)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what decompression raises into an error that names the file."""
    try:
        yield
    except (
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        NotImplementedError,
    ) as error:
        why = str(error) or "it is cut off"
    except RuntimeError as error:  # of zipfile, about a password
        why = str(error)
    except OSError as error:
        why = str(error)
    else:
        return
    raise click.ClickException(f"{printable(name)}: cannot be decompressed: {why}")


def as_file(opened: Opened) -> Any:
    """Return a file that can be read in any order, a temporary one if need be."""
    if opened.is_file:
        return opened.file
    copy = opened.held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(opened.file, copy, 2**20)
    copy.seek(0)
    return copy
