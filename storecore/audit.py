"""The audit laws: one line a record, each carrying its number and the hash of the one before.

The hash is the SHA-256 of the line's exact bytes before `,"hash":`; it covers `prev`, and so the
whole log up to there. Every backend keeps these same bytes, so that a log proves itself anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.capabilities import AuditReport, Finding
from storecore.instants import TimeRange, instant
from storecore.lossless import checked
from storecore.models import Decision, DecisionRecord, Order, OrderRecord, OrderResult
from storecore.names import check_name

_Record = TypeVar("_Record", DecisionRecord, OrderRecord)
_OPEN_END = b',"hash":""}'


class _Place(Struct):
    """What a line says of its place in the chain, whatever else it records."""

    seq: int
    prev: str
    hash: str


class Link(NamedTuple):
    """The end of a chain: the number and the hash of its last record."""

    seq: int
    hash: str


GENESIS = Link(0, "")


def decision_entry(strategy: str, decision: Decision) -> DecisionRecord:
    """Return a checked decision as a record that has no place in the chain yet."""
    plain = checked(decision, Decision, "decision")
    return DecisionRecord(0, datetime.now(UTC), strategy, plain, "", "")


def order_entry(strategy: str, order: Order, result: OrderResult) -> OrderRecord:
    """Return a checked order and its result as a record that has no place in the chain yet."""
    plain = checked(order, Order, "order"), checked(result, OrderResult, "result")
    return OrderRecord(0, datetime.now(UTC), strategy, *plain, "", "")


def chained(record: DecisionRecord | OrderRecord, last: Link) -> tuple[bytes, Link]:
    """Return the line of the record that follows `last`, and the new end of the chain."""
    unsealed = replace(record, seq=last.seq + 1, prev=last.hash, hash="")
    body = msgspec.json.encode(unsealed).removesuffix(_OPEN_END)
    digest = sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, digest.encode()), Link(last.seq + 1, digest)


def line_after(last: bytes | None, record: DecisionRecord | OrderRecord) -> bytes:
    """Return the line of the record that follows a line (None: the log is empty).

    Raises `ValueError` where `last` is not a line that was logged.
    """
    return chained(record, GENESIS if last is None else end_of(last))[0]


def end_of(line: bytes) -> Link:
    """Return the end of a chain whose last line this is. Raises `ValueError` if it is none."""
    if not is_whole(line):
        raise ValueError("the line is not the one that its hash was made of")
    place = msgspec.json.decode(line, type=_Place)
    return Link(place.seq, place.hash)


def decode_record(line: bytes, kind: type[_Record]) -> _Record:
    """Return the record of a line. Raises `ValueError` where it is not the line that was logged."""
    if not is_whole(line):
        raise ValueError("the line is not the one that its hash was made of")
    record: _Record = msgspec.json.decode(line, type=kind)
    return record


def select_records(
    records: Iterable[_Record], span: TimeRange, strategy: str | None
) -> list[_Record]:
    """Return the records of a span and a strategy (None: all), in the order of `seq` (law A4)."""
    if strategy is not None:
        check_name(strategy, "strategy_name")
    kept = [
        record if span.aware else replace(record, timestamp=record.timestamp.replace(tzinfo=None))
        for record in records
        if strategy in (None, record.strategy)
        and span.first <= instant(record.timestamp, "timestamp") <= span.last
    ]
    return sorted(kept, key=lambda record: record.seq)


def follow_chain(lines: Iterable[tuple[str, bytes]]) -> tuple[Link, Finding | None]:
    """Return the end of a chain of (place, line), and the first break where there is one."""
    last = GENESIS
    for place, line in lines:
        broken = _break_at(line, last)
        if broken is not None:
            kind, detail = broken
            return last, Finding(kind, place, detail)
        last = Link(last.seq + 1, line[-67:-3].decode())
    return last, None


def audit_report(logs: Mapping[str, Iterable[tuple[str, bytes]]]) -> AuditReport:
    """Follow the chain of each log, given as (place, line) by the log's name."""
    followed = {name: follow_chain(lines) for name, lines in logs.items()}
    return AuditReport(
        checked=sum(end.seq for end, _ in followed.values()),
        findings=tuple(broken for _, broken in followed.values() if broken),
        heads={name: end.hash for name, (end, _) in followed.items()},
    )


def _break_at(line: bytes, last: Link) -> tuple[str, str] | None:
    """Return kind and detail of what is wrong with the line that should follow `last`."""
    if not is_whole(line):
        return "edited", "the line is not the one that its hash was made of"
    try:
        found = msgspec.json.decode(line, type=_Place)
    except ValueError as error:
        return "edited", f"the line is no record, though its hash is right: {error}"
    if (found.seq, found.prev) != (last.seq + 1, last.hash):
        return "out of place", f"expected record {last.seq + 1}, found record {found.seq}"
    return None


def is_whole(line: bytes) -> bool:
    """Tell whether a line, its newline included, is the one that its hash was made of."""
    body, _, end = line.rpartition(b',"hash":"')
    return end == sha256(body).hexdigest().encode() + b'"}\n'
