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
_BOOL, _INT8, _TEXT, _FLOAT8, _TIMESTAMPTZ = 16, 20, 25, 701, 1184
_BOOLS, _WHOLES, _TEXTS, _FLOATS, _INSTANTS = 1000, 1016, 1009, 1022, 1185
_LENGTH = struct.pack(">i", 8)  # of each number
_NULL = struct.pack(">i", -1)
_EARLIEST, _LATEST = -(2**63), 2**63 - 1  # -infinity and infinity, as they are sent
_FEW = 200  # dates, for which the interpreter is faster than two calls of Arrow
_ROWS = 100_000  # whose fields are joined at once: a column of Arrow has at most 2 GB


class Encoded:
    """A parameter in its binary format."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class BoolArray(Encoded):
    """A bool[]."""


class WholeArray(Encoded):
    """An int8[]."""


class TextArray(Encoded):
    """A text[]."""


class FloatArray(Encoded):
    """A float8[]."""


class TimestamptzArray(Encoded):
    """A timestamptz[]."""


class Timestamptz(Encoded):
    """A timestamptz."""


BEFORE = Timestamptz(_EARLIEST.to_bytes(8, "big", signed=True))
"""-infinity: what was written before a store had a history is recorded then."""


def timestamptz(instant: int) -> Timestamptz:
    """Return an instant as a parameter, exact in all years and in any session time zone."""
    return Timestamptz(struct.pack(">q", instant - EPOCH))


def timestamptz_array(instants: Iterable[int]) -> TimestamptzArray:
    """Return instants as a parameter."""
    sent = b"".join(struct.pack(">q", instant - EPOCH) for instant in instants)
    return TimestamptzArray(_array(_TIMESTAMPTZ, sent))


def spans_of(
    versions: Iterable[tuple[int | None, int | None]],
) -> tuple[TimestamptzArray, TimestamptzArray]:
    """Return the instants `recorded` and `replaced` of versions as parameters.

    None stands for -infinity as `recorded`, and for infinity as `replaced`.
    """
    spans = list(versions)
    ends = _EARLIEST + EPOCH, _LATEST + EPOCH
    began, ended = (
        timestamptz_array(ends[side] if each[side] is None else each[side] for each in spans)  # type: ignore[misc]
        for side in (0, 1)
    )
    return began, ended


def instant(sent: bytes) -> int:
    """Return the instant in the result of `timestamptz_send`."""
    return int.from_bytes(sent, "big", signed=True) + EPOCH


def moment(sent: bytes) -> int | None:
    """Return the instant in the result of `timestamptz_send`; None if it is infinite."""
    number = int.from_bytes(sent, "big", signed=True)
    return None if number in (_EARLIEST, _LATEST) else number + EPOCH


def moment_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `timestamptz_send`; infinite ones are null."""
    numbers = whole_column(sent)
    return pc.if_else(pc.equal(numbers, _EARLIEST), None, pc.add(numbers, EPOCH))


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


def value_array(column: pa.ChunkedArray) -> Encoded:
    """Return a column that may have nulls as a parameter: an array of its own type."""
    array, kind = _ARRAY_OF[_code(column.type)]
    has_nulls = int(column.null_count > 0)
    head = struct.pack(">iiiii", 1, has_nulls, kind, len(column), 1)
    return array(head + b"".join(_content(_fields(each)) for each in _slices(column)))


def copy_rows_of(
    texts: Sequence[str], columns: Sequence[pa.ChunkedArray], recorded: Timestamptz | None = None
) -> bytes:
    """Return rows for COPY: texts, the same in each row, then columns that may have nulls.

    `recorded` is at the end of each row, if it is given.
    """
    tail = _field(recorded)
    head = struct.pack(">h", len(texts) + len(columns) + bool(tail))
    for text in texts:
        encoded = text.encode()
        head += struct.pack(">i", len(encoded)) + encoded
    parts = zip(*map(_slices, columns), strict=True)
    return b"".join(
        _content(
            pc.binary_join_element_wise(
                pa.scalar(head), *map(_fields, part), *([pa.scalar(tail)] if tail else []), b""
            )
        )
        for part in parts
    )


def copy_rows(
    texts: Sequence[str],
    date: pa.ChunkedArray,
    *numbers: pa.ChunkedArray,
    recorded: Timestamptz | None = None,
) -> bytes:
    """Return rows for COPY: texts, the same in each row, then a date, numbers and `recorded`."""
    tail = _field(recorded)
    row = bytearray(struct.pack(">h", len(texts) + 1 + len(numbers) + bool(tail)))
    for text in texts:
        encoded = text.encode()
        row += struct.pack(">i", len(encoded)) + encoded
    columns = [_date_bytes(date), *(_network_bytes(column, "d") for column in numbers)]
    places = []
    for _ in columns:
        row += _LENGTH
        places.append(len(row))
        row += bytes(8)
    row += tail
    rows = row * len(date)
    for place, sent in zip(places, columns, strict=True):
        for byte in range(8):
            rows[place + byte :: len(row)] = sent[byte::8]
    return bytes(rows)


def _field(value: Timestamptz | None) -> bytes:
    """Return a time as the field of a row for COPY; empty for None."""
    return b"" if value is None else _LENGTH + value.content


def float_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `float8send`."""
    return pa.Array.from_buffers(pa.float64(), len(sent) // 8, [None, _native_buffer(sent, "d")])


def date_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `timestamptz_send`."""
    return pc.add(whole_column(sent), EPOCH).view(DATE)


def whole_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `int8send`."""
    return pa.Array.from_buffers(pa.int64(), len(sent) // 8, [None, _native_buffer(sent, "q")])


def pairs(sent: bytes) -> tuple[pa.Array, pa.Array]:
    """Return concatenated pairs of `timestamptz_send` and `int8send` as two columns."""
    numbers = array("q", sent)
    dates, wholes = numbers[0::2].tobytes(), numbers[1::2].tobytes()
    return date_column(dates), whole_column(wholes)


def text_column(lengths: bytes, sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `textsend`, and of `int4send` of their sizes."""
    sizes = pa.Array.from_buffers(
        pa.int32(), len(lengths) // 4, [None, pa.py_buffer(_swapped(lengths, "i"))]
    )
    ends = pc.cumulative_sum_checked(pc.cast(sizes, pa.int64()))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    texts = pa.Array.from_buffers(
        pa.large_string(), len(sizes), [None, offsets.buffers()[1], pa.py_buffer(sent)]
    )
    return pc.cast(texts, pa.string())


def bool_column(sent: bytes) -> pa.Array:
    """Return the column of concatenated results of `boolsend`."""
    flags = pa.Array.from_buffers(pa.uint8(), len(sent), [None, pa.py_buffer(sent)])
    return pc.not_equal(flags, 0)


def spread(column: pa.Array, dates: pa.Array, of_nulls: pa.Array) -> pa.Array:
    """Return a column with a row for each of `dates`: null for those in `of_nulls`."""
    has_value = pc.invert(pc.is_in(dates, of_nulls))
    return pc.replace_with_mask(pa.nulls(len(dates), column.type), has_value, column)


def _code(kind: pa.DataType) -> str:
    """Return the name of a type in `_ARRAY_OF`."""
    return "timestamp" if pa.types.is_timestamp(kind) else str(kind)


def _slices(column: pa.ChunkedArray) -> list[pa.Array]:
    """Return the parts of a column whose fields are joined at once."""
    starts = range(0, len(column), _ROWS)
    return [column.slice(start, _ROWS).combine_chunks() for start in starts]


def _fields(column: pa.Array) -> pa.Array:
    """Return for each value its length and its bytes, as in COPY and in arrays."""
    code = _code(column.type)
    if code == "bool":
        fields = pc.if_else(column, pa.scalar(b"\0\0\0\1\1"), pa.scalar(b"\0\0\0\1\0"))
    elif code == "string":
        sizes = pc.fill_null(pc.binary_length(column), 0)
        lengths = _fixed(_swapped(bytes(sizes.buffers()[1])[: 4 * len(sizes)], "i"), 4)
        fields = pc.binary_join_element_wise(lengths, pc.cast(column, pa.binary()), b"")
    else:
        fields = _number_fields(column, code)
    return pc.fill_null(fields, _NULL)


def _number_fields(column: pa.Array, code: str) -> pa.Array:
    plain = pa.chunked_array([pc.fill_null(_as_number(column, code), 0)])
    sent = _network_bytes(plain, "d" if code == "double" else "q")
    fields = _fixed(_with_lengths(sent), 12)
    return pc.if_else(pc.is_valid(column), fields, pa.scalar(None, pa.binary()))


def _as_number(column: pa.Array, code: str) -> pa.Array:
    return pc.subtract(pc.cast(column, pa.int64()), EPOCH) if code == "timestamp" else column


def _fixed(content: Any, width: int) -> pa.Array:
    """Return values of one width as binary values."""
    buffer = pa.py_buffer(content)
    kind = pa.binary(width)
    return pc.cast(pa.Array.from_buffers(kind, len(buffer) // width, [None, buffer]), pa.binary())


def _content(column: pa.Array) -> bytes:
    """Return the values of a binary column that was just made, concatenated."""
    _, offsets, content = column.buffers()
    return bytes(memoryview(content)[: memoryview(offsets).cast("i")[len(column)]])


def _array(kind: int, sent: bytes) -> bytes:
    """Return an array of numbers, each after its length: three 4-byte words for each number."""
    return _array_head(kind, len(sent) // 8) + _with_lengths(sent)


def _with_lengths(sent: bytes) -> bytes:
    count = len(sent) // 8
    halves, words = array("I", sent), array("I", _LENGTH * 3 * count)
    words[1::3], words[2::3] = halves[0::2], halves[1::2]
    return words.tobytes()


def _array_head(kind: int, count: int) -> bytes:
    return struct.pack(">iiiii", 1, 0, kind, count, 1)


def _date_bytes(column: pa.ChunkedArray) -> bytes:
    if len(column) <= _FEW:
        sent = array("q", [instant - EPOCH for instant in buffer_of(column, "q")])
        return _swapped(sent.tobytes()).tobytes()
    return _network_bytes(pc.subtract(pc.cast(column, pa.int64()), EPOCH), "q")


def _network_bytes(column: pa.ChunkedArray, code: Literal["q", "d"]) -> bytes:
    return _swapped(bytes(buffer_of(column, code))).tobytes()


def _native_buffer(sent: bytes, code: Literal["q", "d"]) -> pa.Buffer:
    return pa.py_buffer(_swapped(sent))


def _swapped(content: bytes, code: Literal["q", "i"] = "q") -> array[int]:
    """Convert numbers of 8 bytes, or of 4, between native and network byte order."""
    numbers = array(code, content)
    return numbers if sys.byteorder == "big" else _byteswapped(numbers)


def _byteswapped(numbers: array[int]) -> array[int]:
    numbers.byteswap()
    return numbers


_ARRAY_OF: dict[str, tuple[type[Encoded], int]] = {
    "bool": (BoolArray, _BOOL),
    "int64": (WholeArray, _INT8),
    "double": (FloatArray, _FLOAT8),
    "string": (TextArray, _TEXT),
    "timestamp": (TimestamptzArray, _TIMESTAMPTZ),
}


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
    (BoolArray, _BOOLS),
    (WholeArray, _WHOLES),
    (TextArray, _TEXTS),
    (FloatArray, _FLOATS),
    (TimestamptzArray, _INSTANTS),
    (Timestamptz, _TIMESTAMPTZ),
):
    ADAPTERS.register_dumper(_kind, _dumper(_kind, _number))
