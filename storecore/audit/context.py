"""What a record says of itself beside the decision or order: its time, its run and its reads.

`as_of` is the time at which a strategy stood, `run` the backtest that it was part of, `reads` the
receipts of what it had read. In a line they follow the decision, or the order and its result. What
is None is absent, so a line without any of them is as it was before they existed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec.structs import asdict, replace

from storecore.errors import InvalidData, shown, type_name
from storecore.models import DecisionRecord, OrderRecord, Read
from storecore.values.batches import listed
from storecore.values.documents import decode_document, encode_document, uses_extra
from storecore.values.names import check_name
from storecore.values.times import TimeRange, exact_instant, instant, to_datetime

ALL_RUNS = "*"
"""Stands for the live log and every run, in a question; no run has this name."""
WAYS = ("timestamp", "as_of")
"""The times by which records are selected."""
_Record = TypeVar("_Record", DecisionRecord, OrderRecord)
_ENCODER = msgspec.json.Encoder()
_FIELDS = frozenset(Read.__struct_fields__)
_ENDS_PLAIN = b"},"  # a body that ends with its decision, order or result


def context(
    as_of: datetime | None, run: str | None, reads: Iterable[Read | Mapping[str, Any]] | None
) -> bytes:
    """Check what a record says of itself and return it as the end of a body; empty for nothing.

    Raises `InvalidData`, `InvalidName` or `NotSerializable`.
    """
    about = b""
    if as_of is not None:
        about += b'"as_of":%b,' % _ENCODER.encode(_in_utc(as_of, "as_of"))
    if run is not None:
        about += b'"run":%b,' % _ENCODER.encode(checked_run(run))
    if reads is not None:
        given = enumerate(listed(reads, "Read", "reads"))
        plain = [_checked_read(each, f"reads[{row}]") for row, each in given]
        about += b'"reads":%b,' % _ENCODER.encode(plain)
    return about


def has_context(record: bytes) -> bool:
    """Return whether a body or a line of the log says anything of itself."""
    if record.endswith(_ENDS_PLAIN):  # a body, as most are; a line ends with its hash
        return False
    return not record.rpartition(b'"prev":"')[0].endswith(_ENDS_PLAIN)


def needs_newer_release(record: bytes) -> bool:
    """Return whether an earlier release would misread a body or a line of the log.

    It would take a decision of a backtest for a live one, and what has an `extra` for damaged.
    """
    if not record.endswith(_ENDS_PLAIN) and has_context(record):  # the first spares a call
        return True
    return uses_extra(record)


def checked_run(run: str) -> str:
    """Return the name of a run. Raises `InvalidName`, or `InvalidData` for "*"."""
    plain = check_name(run, "run")
    if plain == ALL_RUNS:
        raise InvalidData('run="*": it stands for all runs in a question; choose another name')
    return plain


def check_question(by: str, run: str | None) -> None:
    """Raise `InvalidData` or `InvalidName` unless records can be selected so."""
    if by not in WAYS:
        raise InvalidData(f'by={shown(by)}: expected "timestamp" or "as_of"')
    if run is not None:
        check_name(run, "run")


def chosen(records: Iterable[_Record], span: TimeRange | None, run: str | None) -> list[_Record]:
    """Return the records of a run (None: of the live log) and of a range of `as_of` (None: all).

    The `as_of` of a record without one is its timestamp.
    """
    kept = records if run == ALL_RUNS else [each for each in records if each.run == run]
    return [each for each in kept if span is None or _stood_within(each, span)]


def in_kind(record: _Record, aware: bool) -> _Record:
    """Return a record as it was decoded, or with naive times (law T2)."""
    if aware:
        return record
    naive = record.timestamp.replace(tzinfo=None)
    if record.as_of is None:
        return replace(record, timestamp=naive)
    return replace(record, timestamp=naive, as_of=record.as_of.replace(tzinfo=None))


def _stood_within(record: DecisionRecord | OrderRecord, span: TimeRange) -> bool:
    at = record.timestamp if record.as_of is None else record.as_of
    return span.first <= instant(at, "as_of") <= span.last


def _in_utc(value: datetime, what: str) -> datetime:
    return to_datetime(exact_instant(value, what), aware=True)


def _checked_read(read: Read | Mapping[str, Any], what: str) -> Read:
    """Return a receipt with plain values and aware times. Raises if `read` is not a receipt."""
    if not isinstance(read, Read | Mapping):
        raise InvalidData(f"{what}: expected a Read, got {type_name(read)}")
    given = asdict(read) if isinstance(read, Read) else dict(read)
    unknown = sorted(map(str, given.keys() - _FIELDS))
    if unknown:
        raise InvalidData(f"{what}: a Read has no field {shown(unknown[0])}")
    arguments = encode_document(given.get("arguments", {}), f"{what}.arguments")
    try:
        plain = msgspec.convert({**given, "arguments": decode_document(arguments)}, Read)
    except msgspec.ValidationError as error:
        raise InvalidData(f"{what}: {error}") from None
    times = {name: getattr(plain, name) for name in ("as_of", "recorded", "read_at")}
    known = {name: _in_utc(at, f"{what}.{name}") for name, at in times.items() if at is not None}
    return replace(plain, **known)
