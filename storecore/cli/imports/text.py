"""Text as blocks of whole lines in UTF-8, each with the number of its first line.

A line of more than `LONGEST` bytes is refused, so a block is bounded whatever the file is.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from storecore.cli.text import printable

BLOCK = 2**21
LONGEST = 2**20
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Lines(NamedTuple):
    """Whole lines, the last one with its end too, and the number of the first, from 1."""

    data: bytes
    first: int


def line_blocks(file: Any, name: str, encoding: str | None) -> Iterator[Lines]:
    """Yield the lines of a file. Raises `click.ClickException` naming the line that is not text."""
    rest, number = b"", 1
    for chunk in _in_utf8(file, name, encoding):
        data = rest + chunk
        cut = _end_of_rows(data)
        if not cut and len(data) > LONGEST:
            _refuse_nul(Lines(data, number), name)
            raise click.ClickException(_too_long(name, number, data))
        if cut:
            yield _checked(Lines(data[:cut], number), name)
        number += data.count(b"\n", 0, cut)
        rest = data[cut:]
    if rest:
        yield _checked(Lines(rest.removesuffix(b"\n") + b"\n", number), name)


def _end_of_rows(data: bytes) -> int:
    """Return the end of the last whole row: a line end outside of quotes."""
    cut = data.rfind(b"\n") + 1
    if b'"' not in data:
        return cut
    odd = data.count(b'"', 0, cut) % 2
    while odd and cut:
        before = data.rfind(b"\n", 0, cut - 1) + 1
        if len(data) - before > LONGEST:
            return 0
        odd, cut = odd ^ data.count(b'"', before, cut) % 2, before
    return cut


def _too_long(name: str, number: int, data: bytes) -> str:
    if b"\n" in data:
        number += next(at for at, line in enumerate(data.split(b"\n")) if line.count(b'"') % 2)
        what = f"line {number}: a quote is not closed within {LONGEST // 2**20} MB: not CSV"
    else:
        what = f"line {number} is longer than {LONGEST // 2**20} MB: not a table of bars"
    return f"{printable(name)}: {what}"


def _refuse_nul(lines: Lines, name: str) -> None:
    at = lines.data.find(b"\0")
    if at >= 0:
        line = lines.first + lines.data.count(b"\n", 0, at)
        raise click.ClickException(f"{printable(name)}: line {line} has a NUL byte: not text")


def _checked(lines: Lines, name: str) -> Lines:
    _refuse_nul(lines, name)
    data = lines.data
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            line = lines.first + data.count(b"\n", 0, error.start)
            raise click.ClickException(
                f"{printable(name)}: neither Parquet nor text in UTF-8 (line {line}, byte "
                f"{error.start}); save it as UTF-8, or give --encoding, such as --encoding latin-1"
            ) from None
    return lines


def _in_utf8(file: Any, name: str, encoding: str | None) -> Iterator[bytes]:
    """Yield the text of a file in UTF-8, without a byte order mark, lines ended by newlines."""
    head = file.read(BLOCK)
    codec = encoding or _codec_of(head)
    between = b"\r" if b"\r" in head and b"\n" not in head and codec != "utf-16" else b""
    decoder = None if codec == "utf-8" else codecs.getincrementaldecoder(codec)()
    chunk = head.removeprefix(codecs.BOM_UTF8) if decoder is None else head
    while chunk:
        if decoder is not None:
            chunk = _decoded(decoder, chunk, name, codec)
        yield chunk.replace(between, b"\n") if between else chunk
        chunk = file.read(BLOCK)
    if decoder is not None:
        yield _decoded(decoder, b"", name, codec)


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, name: str, codec: str) -> bytes:
    try:
        return decoder.decode(chunk, final=not chunk).encode()
    except UnicodeError:
        raise click.ClickException(f"{printable(name)}: not text in {codec}") from None


def _codec_of(head: bytes) -> str:
    """Return the encoding of a text: by its mark, or UTF-16 if every second byte is zero."""
    for mark, codec in _MARKS.items():
        if head.startswith(mark):
            return codec
    start = head[:64]
    for codec, zeros, others in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if len(start) > 1 and not any(start[zeros::2]) and all(start[others::2]):
            return codec
    return "utf-8"
