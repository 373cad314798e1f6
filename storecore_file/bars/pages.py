"""Columns of a partition, decoded without the Parquet reader of Arrow.

To parse a footer and to make readers of columns takes Arrow longer than to decode 2,560 rows. A
column chunk of a row group, as this package writes it, is one page: a header, then values of 8
bytes, compressed by LZ4: prices one after another, volumes split by their bytes. Dates are stored
as differences. Most symbols of a market trade on the same days, so their chunks of dates are the
same bytes: these are decoded once, and known by their bytes. Whatever looks otherwise is left to
Arrow.

Pages: https://parquet.apache.org/docs/file-format/data-pages/
Their headers, in the compact protocol of Thrift: parquet.thrift, `PageHeader`
Encodings: https://parquet.apache.org/docs/file-format/data-pages/encodings/
"""

from __future__ import annotations

import re
import sys
from functools import cache, lru_cache

import pyarrow as pa

from storecore.bars.table import buffer_of

_VALUE = 8  # bytes
_PLAIN, _BYTE_STREAM_SPLIT = b"\x00", b"\x12"  # 0 and 9, as numbers are stored
_DIFFERENCES = b"\x0a"  # 5
_ENCODINGS = (_PLAIN, _BYTE_STREAM_SPLIT)
_IS_LITTLE = sys.byteorder == "little"  # as values are stored
_MOST_DATES = 256  # chunks, of up to 20 KB decoded
_NUMBER = rb"\x15([\x80-\xff]{0,4}[\x00-\x7f])"
_BEGIN = (
    rb"\x15\x00"  # a page of data,
    + _NUMBER * 2  # its bytes as decoded and as stored,
    + rb"(?:\x15[\x80-\xff]{0,4}[\x00-\x7f]\x1c|\x2c)"  # a checksum or none,
    + _NUMBER * 2  # its values, their encoding,
)
_DATES = re.compile(_BEGIN, re.DOTALL)  # statistics follow, which need not be read
_HEADER = re.compile(
    _BEGIN
    + rb"\x15[\x00-\x7f]\x15[\x00-\x7f]"  # those of levels, of which there are none,
    + rb"(?:\x1c\x00)?\x00\x00",  # no statistics, and nothing else
    re.DOTALL,
)
_LONGEST = 64  # bytes of such a header
_dates: dict[bytes, pa.Array] = {}


def values(chunk: memoryview, rows: int) -> pa.Array | None:
    """Return a column of floats without nulls, None if its chunk is not one page of such values.

    More bytes may follow the page, as a block follows the last column of a partition.
    """
    page = _page(chunk, rows)
    if page is None:
        return None
    found, is_split = page
    if is_split:
        found = pa.py_buffer(_joined(memoryview(found), rows, 0, rows))
    return pa.Array.from_buffers(pa.float64(), rows, [None, found])


def some_values(chunk: memoryview, rows: int, start: int, count: int) -> bytes | None:
    """Return the bytes of some of the values that `values` returns."""
    page = _page(chunk, rows)
    if page is None:
        return None
    found, is_split = memoryview(page[0]).cast("B"), page[1]
    if is_split:
        return bytes(_joined(found, rows, start, count))
    return found[start * _VALUE : (start + count) * _VALUE].tobytes()


def _page(chunk: memoryview, rows: int) -> tuple[pa.Buffer, bool] | None:
    """Return the values of a chunk, and whether they are split by their bytes."""
    header = _HEADER.match(chunk[:_LONGEST])
    if header is None or not _IS_LITTLE:
        return None
    size, stored, count, encoding = header.groups()
    if (size, count) != _numbers(rows * _VALUE, rows) or encoding not in _ENCODINGS:
        return None
    length = _number(stored)
    page = chunk[header.end() : header.end() + length]
    if len(page) < length:
        return None
    try:
        return _lz4().decompress(page, rows * _VALUE), encoding == _BYTE_STREAM_SPLIT
    except OSError:  # compressed in another way
        return None


def differences(chunk: memoryview, rows: int) -> bytes | None:
    """Return a page of dates, stored by their differences; None if a chunk is not one of these."""
    header = _DATES.match(chunk[:_LONGEST])
    if header is None:
        return None
    size, stored, count, encoding = header.groups()
    start = len(chunk) - _number(stored)  # the page is the last thing in its chunk
    if start < header.end() or (count,) != _numbers(rows) or encoding != _DIFFERENCES:
        return None
    try:
        page: bytes = _lz4().decompress(chunk[start:], _number(size), asbytes=True)
    except OSError:  # compressed in another way
        return None
    return page


@cache
def _lz4() -> pa.Codec:
    return pa.Codec("lz4_raw")


def _number(varint: bytes) -> int:
    """Return a number in Thrift's form: 7 bits a byte, the lowest first, and the sign as bit 0."""
    found = 0
    for byte in reversed(varint):
        found = found << 7 | byte & 0x7F
    return found >> 1


@lru_cache
def _numbers(*numbers: int) -> tuple[bytes, ...]:
    """Return numbers in Thrift's form. To compare them is quicker than to decode others."""
    return tuple(map(_varint, numbers))


def _varint(number: int) -> bytes:
    found, rest = bytearray(), number << 1
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*found, rest])


def _joined(streams: memoryview, rows: int, start: int, count: int) -> bytearray:
    """Return values of which the first bytes are stored first, then the second ones, and so on.

    Of all `rows` values these are `count` from `start` on.
    """
    found = bytearray(count * _VALUE)
    for number in range(_VALUE):
        at = number * rows + start
        found[number::_VALUE] = streams[at : at + count]
    return found


def known_dates(chunk: memoryview) -> pa.Array | None:
    """Return the dates that a chunk of these bytes has, None if they are not known."""
    return _dates.get(bytes(chunk))


def learned_dates(chunk: memoryview, dates: pa.ChunkedArray) -> pa.Array:
    """Remember the dates of a chunk; return them in memory of their own."""
    if len(_dates) >= _MOST_DATES:
        _dates.clear()
    own = pa.py_buffer(buffer_of(dates, "q").tobytes())
    found = _dates[bytes(chunk)] = pa.Array.from_buffers(dates.type, len(dates), [None, own])
    return found
