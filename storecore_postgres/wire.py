"""Columns in PostgreSQL's binary protocol, without a Python object for each value.

A number is 8 bytes, most significant first. A timestamp is microseconds since 2000. The layouts are
those of the server's `array_send`, `float8send` and `COPY … (FORMAT binary)`; see "COPY" in the
PostgreSQL manual and `src/backend/utils/adt/arrayfuncs.c`.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

from storecore.bars.table import DATE, buffer_of

EPOCH = 946_684_800_000_000  # 2000-01-01 as an instant
COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = struct.pack(">h", -1)
_TEXT, _FLOAT8, _TIMESTAMPTZ = 25, 701, 1184
_TEXTS, _FLOATS, _INSTANTS = 1009, 1022, 1185
_LENGTH = struct.pack(">i", 8)  # of each number


class Encoded:
    """A parameter in its binary format."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class TextArray(Encoded):
    """A text[]."""


class FloatArray(Encoded):
    """A float8[]."""


class TimestamptzArray(Encoded):
    """A timestamptz[]."""


class Timestamptz(Encoded):
    """A timestamptz."""


def timestamptz(instant: int) -> Timestamptz:
    """Return an instant as a parameter, exact in all years and in any session time zone."""
    return Timestamptz(struct.pack(">q", instant - EPOCH))


def timestamptz_array(instants: Iterable[int]) -> TimestamptzArray:
    """Return instants as a parameter."""
    sent = b"".join(struct.pack(">q", instant - EPOCH) for instant in instants)
    return TimestamptzArray(_array(_TIMESTAMPTZ, sent))


def instant(sent: bytes) -> int:
    """Return the instant in the result of `timestamptz_send`."""
    return int.from_bytes(sent, "big", signed=True) + EPOCH


def repeated_texts(names: Iterable[tuple[str, int]]) -> TextArray:
    """Return texts as a parameter, each repeated the given number of times."""
    parts, count = [], 0
    for name, times in names:
        encoded = name.encode()
        parts.append((struct.pack(">i", len(encoded)) + encoded) * times)
        count += times
    return TextArray(_array_head(_TEXT, count) + b"".join(parts))


def text_array(documents: Iterable[str]) -> TextArray:
    """Return texts as a parameter. The driver would search a list of str for quotes, slowly."""
    return repeated_texts((document, 1) for document in documents)


def float_array(column: pa.ChunkedArray) -> FloatArray:
    """Return a float64 column as a parameter."""
    return FloatArray(_array(_FLOAT8, _network_bytes(column, "d")))


def date_array(column: pa.ChunkedArray) -> TimestamptzArray:
    """Return a column of dates as a parameter."""
    return TimestamptzArray(_array(_TIMESTAMPTZ, _date_bytes(column)))


def copy_rows(texts: Sequence[str], date: pa.ChunkedArray, *numbers: pa.ChunkedArray) -> bytes:
    """Return rows for COPY: texts, the same in each row, then a date, then numbers."""
    row = bytearray(struct.pack(">h", len(texts) + 1 + len(numbers)))
    for text in texts:
        encoded = text.encode()
        row += struct.pack(">i", len(encoded)) + encoded
    columns = [_date_bytes(date), *(_network_bytes(column, "d") for column in numbers)]
    places = []
    for _ in columns:
        row += _LENGTH
        places.append(len(row))
        row += bytes(8)
    rows = row * len(date)
    for place, sent in zip(places, columns, strict=True):
        for byte in range(8):
            rows[place + byte :: len(row)] = sent[byte::8]
    return bytes(rows)


def float_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `float8send`."""
    return pa.Array.from_buffers(pa.float64(), len(sent) // 8, [None, _native_buffer(sent, "d")])


def date_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `timestamptz_send`."""
    return pc.add(whole_column(sent), EPOCH).view(DATE)


def whole_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `int8send`."""
    return pa.Array.from_buffers(pa.int64(), len(sent) // 8, [None, _native_buffer(sent, "q")])


def _array(kind: int, sent: bytes) -> bytes:
    """Return an array of numbers, each after its length: three 4-byte words for each number."""
    count = len(sent) // 8
    halves, words = array("I", sent), array("I", _LENGTH * 3 * count)
    words[1::3], words[2::3] = halves[0::2], halves[1::2]
    return _array_head(kind, count) + words.tobytes()


def _array_head(kind: int, count: int) -> bytes:
    return struct.pack(">iiiii", 1, 0, kind, count, 1)


def _date_bytes(column: pa.ChunkedArray) -> bytes:
    return _network_bytes(pc.subtract(pc.cast(column, pa.int64()), EPOCH), "q")


def _network_bytes(column: pa.ChunkedArray, code: Literal["q", "d"]) -> bytes:
    return _swapped(bytes(buffer_of(column, code))).tobytes()


def _native_buffer(sent: bytes, code: Literal["q", "d"]) -> pa.Buffer:
    return pa.py_buffer(_swapped(sent))


def _swapped(content: bytes) -> array[int]:
    """Convert 8-byte numbers between native and network byte order."""
    numbers = array("q", content)
    return numbers if sys.byteorder == "big" else _byteswapped(numbers)


def _byteswapped(numbers: array[int]) -> array[int]:
    numbers.byteswap()
    return numbers


def _dumper(kind: type[Encoded], type_number: int) -> type[Dumper]:
    class EncodedDumper(Dumper):
        format = Format.BINARY
        oid = type_number

        def dump(self, obj: Any) -> bytes:
            content: bytes = obj.content
            return content

    return EncodedDumper


ADAPTERS = AdaptersMap(psycopg.adapters)
"""The adapters that connections need for these parameters."""
for _kind, _number in (
    (TextArray, _TEXTS),
    (FloatArray, _FLOATS),
    (TimestamptzArray, _INSTANTS),
    (Timestamptz, _TIMESTAMPTZ),
):
    ADAPTERS.register_dumper(_kind, _dumper(_kind, _number))
