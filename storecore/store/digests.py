"""SHA-256 digests of records, to compare stores of any backends.

Copies compare both sides by digests, and checkpoints contain them. Bars are digested column by
column, other data record by record: a fundamental as its document (the keys of its `extra` sorted),
an event or a state as JSON with sorted keys, an audit record as its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.bars.rows import bar_columns
from storecore.fundamentals import encode_fundamental
from storecore.models import FundamentalData
from storecore.protocols import DataStore
from storecore.store.tables import iter_bar_tables
from storecore.values.documents import decode_document
from storecore.values.times import EARLIEST, LATEST, exact_instant, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

EVER = to_datetime(EARLIEST, aware=True), to_datetime(LATEST, aware=True)
_NUMBERS = (*("date", "open", "high", "low", "close", "volume"), "exact dates", "exact volumes")
_EXACT_TO = 2.0**53  # from here on a float may stand for several whole numbers
_ENCODER = msgspec.json.Encoder(order="sorted")  # equal dicts may differ in the order of their keys


class Tally(Struct, frozen=True):
    """The number of records, and a SHA-256 over their content ("" if there are none)."""

    count: int
    checksum: str


class Digest:
    """Counts records, each given as bytes, and computes a checksum over them."""

    def __init__(self) -> None:
        self._count = 0
        self._hash = sha256()

    def add(self, record: bytes) -> None:
        """Add one record."""
        self._count += 1
        self._hash.update(b"%d:%b" % (len(record), record))

    def tally(self) -> Tally:
        """Return the tally of the records added so far."""
        return Tally(self._count, self._hash.hexdigest() if self._count else "")


class BarDigest:
    """A checksum over each column of a series, independent of how it is divided into pieces.

    Further columns and null volumes (law B6) count only if there are any, so that other series have
    the digests of earlier releases.
    """

    def __init__(self) -> None:
        self._count = 0
        self._hashes = {name: sha256() for name in _NUMBERS}

    def add(self, piece: pa.Table) -> None:
        """Add the next piece of the series."""
        self._count += len(piece)
        for name, content in content_of(piece).items():
            self._hashes.setdefault(name, sha256()).update(content)

    def tally(self) -> Tally:
        """Return the tally of the records added so far."""
        further = sorted(self._hashes.keys() - set(_NUMBERS))
        whole = sha256(b"".join(self._hashes[name].digest() for name in _NUMBERS))
        for name in further:
            whole.update(sha256(name.encode()).digest() + self._hashes[name].digest())
        return Tally(self._count, whole.hexdigest() if self._count else "")


def tally(records: Iterable[bytes]) -> Tally:
    """Return the tally of records given as bytes."""
    digest = Digest()
    for record in records:
        digest.add(record)
    return digest.tally()


def canonical(record: Any) -> bytes:
    """Return an event or a state as the bytes to digest."""
    return _ENCODER.encode(record)


def canonical_filing(data: FundamentalData) -> bytes:
    """Return a fundamental as the bytes to digest: its document, the keys of its extra sorted."""
    if data.extra is None:
        return encode_fundamental(data)
    return encode_fundamental(replace(data, extra=decode_document(canonical(data.extra))))


def pieces_of(
    store: DataStore,
    symbol: str,
    timeframe: str,
    bounds: tuple[datetime, datetime] = EVER,
) -> Iterator[pa.Table]:
    """Yield the bars of a series as series tables, in order of time, with exact volumes."""
    for table in iter_bar_tables(store, symbol, *bounds, timeframe=timeframe):
        yield exact_series(store, symbol, timeframe, table)


def exact_series(store: DataStore, symbol: str, timeframe: str, table: pa.Table) -> pa.Table:
    """Return a table from a store as a series table with exact volumes."""
    import pyarrow.compute as pc

    from storecore.bars.checks import checked_series
    from storecore.bars.table import series_table

    if table["volume"].type == "double" and (pc.max(table["volume"]).as_py() or 0) >= _EXACT_TO:
        bars = store.read_bars(symbol, *bounds_of(table), timeframe=timeframe)
        return series_table(bar_columns(symbol, bars, extra=True))
    ((_, series),) = checked_series(table)
    return series


def bounds_of(piece: pa.Table) -> tuple[datetime, datetime]:
    """Return the times of the first and last bar of a non-empty table."""
    from storecore.bars.table import buffer_of

    dates = buffer_of(piece["date"], "q")
    return to_datetime(dates[0], aware=True), to_datetime(dates[-1], aware=True)


def content_of(piece: pa.Table) -> dict[str, memoryview]:
    """Return the columns of a series table as bytes, and the volumes that no float64 equals.

    Of null volumes there are the dates, of further columns the dates and values that are not null.
    """
    import pyarrow.compute as pc

    from storecore.bars.extra import EXACT, kinds_of
    from storecore.bars.table import PRICES, buffer_of

    whole = piece.slice(0, 0)
    if EXACT in piece.column_names:
        whole = piece.filter(pc.is_valid(piece[EXACT]))
    volumes = pc.add(piece["volume"], 0.0)  # -0.0 is read as the whole number 0
    columns = [
        buffer_of(piece["date"], "q"),
        *(buffer_of(piece[name], "d") for name in PRICES),
        buffer_of(pc.fill_null(volumes, 0.0), "d"),
        buffer_of(whole["date"], "q"),
        buffer_of(whole[EXACT], "q") if len(whole) else memoryview(b""),
    ]
    content = {name: each.cast("B") for name, each in zip(_NUMBERS, columns, strict=True)}
    if volumes.null_count:
        nulls = piece["date"].filter(pc.is_null(volumes))
        content["null volumes"] = buffer_of(nulls, "q").cast("B")
    for name, kind in kinds_of(piece).items():
        content |= _further(name, kind, piece["date"], piece[name])
    return content


def _further(
    name: str, kind: str, dates: pa.ChunkedArray, column: pa.ChunkedArray
) -> dict[str, memoryview]:
    """Return the dates and values of a further column that are not null as bytes."""
    import pyarrow.compute as pc

    from storecore.bars.table import buffer_of

    known = pc.is_valid(column)
    values = column.filter(known)
    if not len(values):
        return {}
    content = {"dates": buffer_of(dates.filter(known), "q").cast("B")}
    if kind == "string":
        content["lengths"] = buffer_of(pc.cast(pc.binary_length(values), "int64"), "q").cast("B")
        content["values"] = memoryview("".join(values.to_pylist()).encode())
    else:
        numbers = values if kind == "float64" else pc.cast(values, "int64")
        content["values"] = buffer_of(numbers, "d" if kind == "float64" else "q").cast("B")
    return {f"{part} of {kind} {name}": each for part, each in content.items()}


def moment_of(data: FundamentalData) -> datetime:
    """Return the time of a fundamental in aware UTC."""
    return to_datetime(exact_instant(data.timestamp, "timestamp"), aware=True)


def fundamentals_of(
    store: DataStore, symbol: str, last: datetime | None = None
) -> list[FundamentalData]:
    """Return the fundamentals of a symbol up to a time, by the ten methods alone."""
    found, as_of = list[FundamentalData](), last
    while (
        data := store.read_fundamental(symbol, as_of)
    ) is not None:  # each one leads to the previous one
        found.append(data)
        instant = exact_instant(data.timestamp, "timestamp")
        if instant == EARLIEST:
            break
        as_of = to_datetime(instant - 1, aware=True)
    return found[::-1]
