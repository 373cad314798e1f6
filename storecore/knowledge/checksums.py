"""Canonical checksums of answers: the number of rows, and a SHA-256 over what was answered.

RECEIPTS.md defines them byte by byte. An answer is *kept* when it is given, in a form that its
holder cannot change, and digested when the receipt is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct
from msgspec.structs import asdict, replace

from storecore.fundamentals import own_copy
from storecore.models import DecisionRecord, Event, FundamentalData, OrderRecord, PriceBar
from storecore.reports import StateVersion
from storecore.store.digests import Digest, canonical, canonical_filing
from storecore.values.documents import decode_document
from storecore.values.times import exact_instant, instants

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = (*("date", "open", "high", "low", "close", "volume"), "exact dates", "exact volumes")
_PRICES = ("open", "high", "low", "close")
_EXACT_TO = 2**53
_Parts = dict[str, bytes | memoryview]


_EXTRA = attrgetter("extra")
_RECORDS = (DecisionRecord, OrderRecord)


class Sum(NamedTuple):
    """The number of rows of an answer, and its checksum."""

    rows: int
    sha256: str


def kept(answer: Any) -> Any:
    """Return an answer in a form that no change of the answer changes.

    Bars, tables and values without dicts are kept as they are, since nobody can change them; dicts
    are copied or encoded.
    """
    if isinstance(answer, list):
        return _kept_list(answer)
    if isinstance(answer, dict):
        return _Encoded((canonical(answer),))
    return _kept_value(answer)


def checksum(answer: Any) -> Sum:
    """Return the checksum of an answer, or of one that was kept."""
    if isinstance(answer, _Bars):
        answer = answer.whole()
    if isinstance(answer, list) and answer and isinstance(answer[0], PriceBar):
        return Sum(len(answer), _series(answer))
    if hasattr(answer, "schema"):
        table = TableDigest()
        table.add(answer)
        return table.sum()
    digest, found = Digest(), records_of(answer)
    for record in found:
        digest.add(record)
    tally = digest.tally()
    return Sum(tally.count, tally.checksum or sha256().hexdigest())


class TableDigest:
    """The checksum of tables of bars, which are the pieces of one table."""

    def __init__(self) -> None:
        self._rows = 0
        self._hashes: dict[str, Any] = {}

    def add(self, piece: pa.Table) -> None:
        """Add the next piece of the table."""
        for name, content in _parts_of_table(piece, self._rows):
            if len(content):
                self._hashes.setdefault(name, sha256()).update(content)
        self._rows += len(piece)

    def sum(self) -> Sum:
        """Return the checksum of the pieces added so far."""
        whole = sha256()
        for name in sorted(self._hashes, key=str.encode):
            whole.update(sha256(name.encode()).digest() + self._hashes[name].digest())
        return Sum(self._rows, whole.hexdigest())


class _Bars(NamedTuple):
    """Bars, and copies of their further columns."""

    bars: list[PriceBar]
    extras: list[dict[str, Any] | None]

    def whole(self) -> list[PriceBar]:
        """Return the bars with the columns that they had."""
        pairs = zip(self.bars, self.extras, strict=True)
        return [replace(bar, extra=extra) if extra else bar for bar, extra in pairs]


class _Encoded(tuple[bytes, ...]):
    """Records of an answer as bytes."""

    __slots__ = ()


def _kept_list(answer: list[Any]) -> Any:
    kind = type(answer[0]) if answer else None
    if kind is PriceBar:
        if not any(map(_EXTRA, answer)):
            return answer[:]
        return _Bars(answer[:], [bar.extra and bar.extra.copy() for bar in answer])
    if kind is Event:
        return [(event, _own_payload(event.payload)) for event in answer]
    return _Encoded(records_of(answer)) if kind is StateVersion else list(map(_kept_value, answer))


def _kept_value(value: Any) -> Any:
    if isinstance(value, FundamentalData):
        return own_copy(value)
    if isinstance(value, _RECORDS):
        return _Encoded((value.hash.encode(),))
    return _Encoded(records_of([value])) if isinstance(value, StateVersion) else value


def _own_payload(payload: dict[str, Any]) -> dict[str, Any] | bytes:
    """Return a payload as a copy, or encoded if it has containers."""
    is_nested = any(type(value) in (dict, list) for value in payload.values())
    return canonical(payload) if is_nested else payload.copy()


def records_of(answer: Any) -> Iterator[bytes]:
    """Yield the records of an answer that has no bars, as RECEIPTS.md defines them."""
    if isinstance(answer, _Encoded):
        yield from answer
    elif isinstance(answer, list):
        for each in answer:
            yield from records_of(each)
    elif answer is not None:
        yield _record(answer)


def _record(value: Any) -> bytes:
    if isinstance(value, FundamentalData):
        return canonical_filing(value)
    if isinstance(value, tuple):
        event, payload = value
        plain = payload if isinstance(payload, dict) else decode_document(payload)
        return _record(replace(event, payload=plain))
    if isinstance(value, DecisionRecord | OrderRecord):
        return value.hash.encode()
    if isinstance(value, StateVersion):
        return canonical({"version": value.version, "state": value.state})
    fields = asdict(value) if isinstance(value, Struct) else value
    if isinstance(value, Struct):
        fields = {name: _in_utc(each) for name, each in fields.items()}
    return canonical(fields)


def _in_utc(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _series(bars: list[PriceBar]) -> str:
    """Return the checksum of the bars of a series, that of `storecore.store.digests.BarDigest`."""
    dates = instants([bar.date for bar in bars], "date")
    parts = _numbers(bars, dates, "exact dates")
    for name, values in _further([bar.extra for bar in bars], dates):
        parts |= dict(_further_parts("dates", name, values))
    whole = sha256(b"".join(sha256(parts.pop(name)).digest() for name in _NUMBERS))
    for name, content in sorted(parts.items(), key=lambda part: part[0].encode()):
        whole.update(sha256(name.encode()).digest() + sha256(content).digest())
    return whole.hexdigest()


def _numbers(bars: list[PriceBar], dates: list[int], exact: str) -> _Parts:
    """Return the columns of the numbers that each bar has; nulls only if there are any."""
    volumes = [bar.volume for bar in bars]
    whole = [
        (at, each)
        for at, each in zip(dates, volumes, strict=True)
        if isinstance(each, int) and each > _EXACT_TO and float(each) != each
    ]
    nulls = [at for at, each in zip(dates, volumes, strict=True) if each is None]
    return {
        "date": _ints(dates),
        **{name: _floats([getattr(bar, name) for bar in bars]) for name in _PRICES},
        "volume": _floats([(each or 0.0) for each in volumes]),
        exact: _ints([at for at, _ in whole]),
        "exact volumes": _ints([each for _, each in whole]),
        **({"null volumes": _ints(nulls)} if nulls else {}),
    }


KINDS: dict[type, str] = {
    float: "float64",
    int: "int64",
    bool: "bool",
    str: "string",
    datetime: "timestamp",
}


def _further(
    rows: Sequence[dict[str, Any] | None], places: Sequence[int]
) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    """Yield kind and name, and the places and values, of each further column with a value."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for place, extra in zip(places, rows, strict=True):
        for name, value in (extra or {}).items():
            found.setdefault(f"{KINDS[type(value)]} {name}", []).append((place, value))
    yield from found.items()


def _further_parts(
    place: str, column: str, values: list[tuple[int, Any]]
) -> Iterator[tuple[str, bytes]]:
    kind = column.partition(" ")[0]
    plain = [each for _, each in values]
    yield f"{place} of {column}", _ints([at for at, _ in values])
    if kind == "string":
        texts = [each.encode() for each in plain]
        yield f"lengths of {column}", _ints(list(map(len, texts)))
        yield f"values of {column}", b"".join(texts)
    elif kind == "float64":
        yield f"values of {column}", _floats(plain)
    else:
        whole = plain if kind != "timestamp" else [exact_instant(each, column) for each in plain]
        yield f"values of {column}", _ints(list(map(int, whole)))


def _parts_of_table(table: pa.Table, start: int) -> Iterator[tuple[str, bytes | memoryview]]:
    """Yield the columns of a table as bytes; `start` is the number of its first row."""
    from storecore.bars.extra import extra_names
    from storecore.bars.table import buffer_of

    names = table.column_names
    for name in set(names) & {"date", *_PRICES}:
        yield name, buffer_of(table[name], "q" if name == "date" else "d").cast("B")
    if "symbol" in names:
        lengths, texts = _texts(table["symbol"])
        yield "lengths of symbol", lengths
        yield "symbol", texts
    if "volume" in names:
        yield from _volume_parts(table["volume"], start)
    for name in extra_names(names):
        values = [{name: each} if each is not None else None for each in table[name].to_pylist()]
        for column, pairs in _further(values, range(start, start + len(table))):
            yield from _further_parts("rows", column, pairs)


def _volume_parts(column: pa.ChunkedArray, start: int) -> Iterator[tuple[str, bytes | memoryview]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    from storecore.bars.table import buffer_of

    floats = pc.add(pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0), 0.0)
    yield "volume", buffer_of(floats, "d").cast("B")
    if column.null_count:
        nulls = [
            start + row for row, is_null in enumerate(pc.is_null(column).to_pylist()) if is_null
        ]
        yield "null volumes", _ints(nulls)
    if pa.types.is_integer(column.type):
        rows = enumerate(column.to_pylist(), start)
        exact = [(row, each) for row, each in rows if each is not None and float(each) != each]
        yield "exact rows", _ints([row for row, _ in exact])
        yield "exact volumes", _ints([each for _, each in exact])


def _texts(column: pa.ChunkedArray) -> tuple[memoryview | bytes, memoryview | bytes]:
    """Return the lengths and the bytes of a column of texts without nulls."""
    import pyarrow.compute as pc

    from storecore.bars.table import buffer_of

    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if not len(array):
        return b"", b""
    offsets = memoryview(array.buffers()[1]).cast("i")[array.offset : array.offset + len(array) + 1]
    text = memoryview(array.buffers()[2])[offsets[0] : offsets[-1]]
    lengths = pc.cast(pc.binary_length(column), "int64")
    return buffer_of(lengths, "q").cast("B"), text


def _ints(values: Sequence[int]) -> bytes:
    return array("q", values).tobytes()


def _floats(values: Sequence[float]) -> bytes:
    return array("d", values).tobytes()
