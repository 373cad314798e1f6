"""Columns of bars as PostgreSQL's binary protocol has them, without a Python object a value.

A number there is 8 bytes, the most significant first; a timestamp is microseconds since 2000. The
layouts are those of the server's `array_send`, of `COPY … (FORMAT binary)` and of `float8send`
(PostgreSQL's documentation, "COPY", and `src/backend/utils/adt/arrayfuncs.c`).
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
    """A parameter as the bytes that the server is sent."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class Texts(Encoded):
    """A text[]."""


class Floats(Encoded):
    """A float8[]."""


class Instants(Encoded):
    """A timestamptz[]."""


class Moment(Encoded):
    """A timestamptz."""


def moment(instant: int) -> Moment:
    """Return an instant as a parameter: exact in all years, whatever the session's time zone."""
    return Moment(struct.pack(">q", instant - EPOCH))


def moments(instants: Iterable[int]) -> Instants:
    """Return some instants as a parameter."""
    sent = b"".join(struct.pack(">q", instant - EPOCH) for instant in instants)
    return Instants(_array(_TIMESTAMPTZ, sent))


def instant(sent: bytes) -> int:
    """Return the instant that `timestamptz_send` gave."""
    return int.from_bytes(sent, "big", signed=True) + EPOCH


def texts(names: Iterable[tuple[str, int]]) -> Texts:
    """Return names, each repeated so many times, as a parameter."""
    parts, count = [], 0
    for name, times in names:
        encoded = name.encode()
        parts.append((struct.pack(">i", len(encoded)) + encoded) * times)
        count += times
    return Texts(_array_head(_TEXT, count) + b"".join(parts))


def each_once(documents: Iterable[str]) -> Texts:
    """Return texts as a parameter; as a list of str they would be searched for quotes, slowly."""
    return texts((document, 1) for document in documents)


def floats(column: pa.ChunkedArray) -> Floats:
    """Return a float64 column as a parameter."""
    return Floats(_array(_FLOAT8, _sent(column, "d")))


def instants(column: pa.ChunkedArray) -> Instants:
    """Return a column of dates as a parameter."""
    return Instants(_array(_TIMESTAMPTZ, _sent_dates(column)))


def copied_rows(texts: Sequence[str], date: pa.ChunkedArray, *numbers: pa.ChunkedArray) -> bytes:
    """Return rows for COPY: some texts, the same in each, then a date, then numbers."""
    row = bytearray(struct.pack(">h", len(texts) + 1 + len(numbers)))
    for text in texts:
        encoded = text.encode()
        row += struct.pack(">i", len(encoded)) + encoded
    columns = [_sent_dates(date), *(_sent(column, "d") for column in numbers)]
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
    """Return the column whose values `float8send` gave, one after another."""
    return pa.Array.from_buffers(pa.float64(), len(sent) // 8, [None, _received(sent, "d")])


def date_column(sent: bytes) -> pa.Array:
    """Return the column whose values `timestamptz_send` gave, one after another."""
    return pc.add(whole_column(sent), EPOCH).view(DATE)


def whole_column(sent: bytes) -> pa.Array:
    """Return the column whose values `int8send` gave, one after another."""
    return pa.Array.from_buffers(pa.int64(), len(sent) // 8, [None, _received(sent, "q")])


def _array(kind: int, sent: bytes) -> bytes:
    """Return an array of numbers, each behind its length: three words a number."""
    count = len(sent) // 8
    halves, words = array("I", sent), array("I", _LENGTH * 3 * count)
    words[1::3], words[2::3] = halves[0::2], halves[1::2]
    return _array_head(kind, count) + words.tobytes()


def _array_head(kind: int, count: int) -> bytes:
    return struct.pack(">iiiii", 1, 0, kind, count, 1)


def _sent_dates(column: pa.ChunkedArray) -> bytes:
    return _sent(pc.subtract(pc.cast(column, pa.int64()), EPOCH), "q")


def _sent(column: pa.ChunkedArray, code: Literal["q", "d"]) -> bytes:
    return _swapped(bytes(buffer_of(column, code))).tobytes()


def _received(sent: bytes, code: Literal["q", "d"]) -> pa.Buffer:
    return pa.py_buffer(_swapped(sent))


def _swapped(content: bytes) -> array[int]:
    """Return 8-byte numbers between this machine's order of bytes and the network's."""
    numbers = array("q", content)
    return numbers if sys.byteorder == "big" else _turned(numbers)


def _turned(numbers: array[int]) -> array[int]:
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
"""What connections know of these parameters."""
for _kind, _number in (
    (Texts, _TEXTS),
    (Floats, _FLOATS),
    (Instants, _INSTANTS),
    (Moment, _TIMESTAMPTZ),
):
    ADAPTERS.register_dumper(_kind, _dumper(_kind, _number))
