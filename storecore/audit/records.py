"""The audit laws: one line per record, with its number and the hash of the previous record.

The hash is the SHA-256 of the line's exact bytes before `,"hash":`. It covers `prev`, and so the
whole log up to this line. Every backend keeps the same bytes, so a log can be verified in any
store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, tzinfo
from hashlib import sha256
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from storecore.audit.context import context, in_kind
from storecore.errors import InvalidData, StorageError
from storecore.models import Decision, DecisionRecord, Order, OrderRecord, OrderResult
from storecore.values.batches import listed
from storecore.values.documents import checked, checked_all
from storecore.values.names import check_name, check_strategy
from storecore.values.times import TimeRange, instant

_Record = TypeVar("_Record", DecisionRecord, OrderRecord)
_ENCODER = msgspec.json.Encoder()
_STRATEGY = b'"strategy":'
_NO_EXTRA = b',"extra":null'  # in a line of an earlier release there is no such field


class Place(Struct):
    """The fields of a line that give its place in the chain."""

    seq: int
    prev: str
    hash: str


class Link(NamedTuple):
    """The end of a chain: the number and the hash of its last record."""

    seq: int
    hash: str


GENESIS = Link(0, "")
"""The end of an empty chain: the first record has number 1 and an empty `prev`."""


def decision_entry(strategy: str, decision: Decision) -> DecisionRecord:
    """Return a checked decision as a record without a place in the chain."""
    plain = checked(decision, Decision, "decision")
    return DecisionRecord(0, datetime.now(UTC), strategy, plain, "", "")


def order_entry(strategy: str, order: Order, result: OrderResult) -> OrderRecord:
    """Return a checked order and its result as a record without a place in the chain."""
    plain = checked(order, Order, "order"), checked(result, OrderResult, "result")
    check_strategy(strategy, plain[0].strategy_name, "order")
    return OrderRecord(0, datetime.now(UTC), strategy, *plain, "", "")


def decision_body(strategy: str, decision: Decision, about: bytes = b"") -> bytes:
    """Return a checked decision as the body of a line: without number, time and hashes.

    `about` is what `context` returns: the time, the run and the reads of the record.
    """
    return _decision(_ENCODER.encode(strategy), checked(decision, Decision, "decision")) + about


def decision_bodies(
    strategy: str, decisions: Iterable[Decision], about: bytes = b""
) -> list[bytes]:
    """Check a whole batch of decisions and return the bodies of their lines, in this order."""
    plain = checked_all(listed(decisions, "Decision", "decisions"), Decision, "decisions[{}]")
    encoded = _ENCODER.encode(strategy)
    return [_decision(encoded, decision) + about for decision in plain]


def order_body(strategy: str, order: Order, result: OrderResult, about: bytes = b"") -> bytes:
    """Return a checked order and its result as the body of a line."""
    plain = checked(order, Order, "order"), checked(result, OrderResult, "result")
    if plain[0].strategy_name != strategy:  # saves a call for each valid order
        check_strategy(strategy, plain[0].strategy_name, "order")
    return _order(_ENCODER.encode(strategy), *plain) + about


def order_bodies(
    strategy: str, orders: Iterable[tuple[Order, OrderResult]], about: bytes = b""
) -> list[bytes]:
    """Check a whole batch of orders with their results and return the bodies of their lines.

    They are in the order given. Raises `InvalidData` or `NotSerializable` naming row and field.
    """
    pairs = listed(orders, "(Order, OrderResult)", "orders")
    for row, pair in enumerate(pairs):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InvalidData(
                f"orders[{row}]: expected (Order, OrderResult), got {type(pair).__name__}"
            )
    sent = checked_all([order for order, _ in pairs], Order, "orders[{}]")
    results = checked_all([result for _, result in pairs], OrderResult, "orders[{}].result")
    for row, order in enumerate(sent):
        if order.strategy_name != strategy:
            check_strategy(strategy, order.strategy_name, f"orders[{row}]")
    encoded = _ENCODER.encode(strategy)
    return [_order(encoded, *pair) + about for pair in zip(sent, results, strict=True)]


def chain(bodies: Iterable[bytes], logged_at: datetime, last: Link) -> tuple[list[bytes], Link]:
    """Return the lines of the records that follow `last`, and the new end of the chain."""
    lines, seq, prev = [], last.seq, last.hash.encode()
    stamp = _ENCODER.encode(logged_at)
    for seq, body in enumerate(bodies, last.seq + 1):
        line = b'{"seq":%d,"timestamp":%b,%b"prev":"%b"' % (seq, stamp, body, prev)
        prev = sha256(line).hexdigest().encode()
        lines.append(b'%b,"hash":"%b"}\n' % (line, prev))
    return lines, Link(seq, prev.decode())


def moment_and_day(now: Callable[[tzinfo], datetime]) -> tuple[datetime, date]:
    """Return the current time in UTC and the machine's local date.

    Raises `StorageError` if the date is not between the years 1 and 9999.
    """
    try:
        moment = now(UTC)
        try:
            return moment, date.fromtimestamp(moment.timestamp())
        except ValueError:  # a float rounds the last microsecond of year 9999 up to year 10000
            return moment, date.fromtimestamp(moment.replace(microsecond=0).timestamp())
    except (ValueError, OverflowError, OSError) as error:
        raise StorageError(
            f"the machine's clock gives no local date in the years 1 to 9999 ({error}); set the "
            "clock and write again"
        ) from error


def logged_now(bodies: Iterable[bytes], last: Link) -> tuple[date, list[bytes], Link]:
    """Return the machine's local date, the lines of records logged now, and the chain's new end.

    The lines follow `last`. Raises `StorageError` if the clock gives no valid date.
    """
    moment, today = moment_and_day(datetime.now)
    return today, *chain(bodies, moment, last)


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first and last instant of records of a local date, with a day's tolerance."""
    first = date.fromordinal(max(day.toordinal() - 1, date.min.toordinal()))
    last = date.fromordinal(min(day.toordinal() + 1, date.max.toordinal()))
    return datetime.combine(first, time.min, UTC), datetime.combine(last, time.max, UTC)


def chained(record: DecisionRecord | OrderRecord, last: Link) -> tuple[bytes, Link]:
    """Return the line of the record that follows `last`, and the new end of the chain."""
    (line,), end = chain([_body(record)], record.timestamp, last)
    return line, end


def _body(record: DecisionRecord | OrderRecord) -> bytes:
    strategy = _ENCODER.encode(record.strategy)
    about = context(record.as_of, record.run, record.reads)
    if isinstance(record, DecisionRecord):
        return _decision(strategy, record.decision) + about
    return _order(strategy, record.order, record.result) + about


def line_after(last: bytes | None, record: DecisionRecord | OrderRecord) -> bytes:
    """Return the line of the record that follows a line (None: the log is empty).

    Raises `ValueError` if `last` is not a whole record.
    """
    return chained(record, GENESIS if last is None else end_of(last))[0]


def end_of(line: bytes) -> Link:
    """Return the end of a chain with this last line. Raises `ValueError` if it is not whole."""
    if not is_whole(line):
        raise ValueError("the line does not match its hash")
    place = msgspec.json.decode(line, type=Place)
    return Link(place.seq, place.hash)


def decode_record(line: bytes, kind: type[_Record]) -> _Record:
    """Return the record of a line. Raises `ValueError` if the line is not whole."""
    if not is_whole(line):
        raise ValueError("the line does not match its hash")
    record: _Record = msgspec.json.decode(line, type=kind)
    return record


def select_records(
    records: Iterable[_Record], span: TimeRange, strategy: str | None
) -> list[_Record]:
    """Return the records of a range and a strategy (None: all), in the order of `seq` (law A4).

    Those of all runs are among them: `chosen` selects a run.
    """
    if strategy is not None:
        check_name(strategy, "strategy_name")
    kept = [
        in_kind(record, span.aware)
        for record in records
        if strategy in (None, record.strategy)
        and span.first <= instant(record.timestamp, "timestamp") <= span.last
    ]
    return sorted(kept, key=lambda record: record.seq)


def is_whole(line: bytes) -> bool:
    """Return whether a line, newline included, matches its hash."""
    body, _, end = line.rpartition(b',"hash":"')
    return end == sha256(body).hexdigest().encode() + b'"}\n'


def _decision(strategy: bytes, decision: Decision) -> bytes:
    return b'%b%b,"decision":%b,' % (_STRATEGY, strategy, _encoded(decision))


def _order(strategy: bytes, order: Order, result: OrderResult) -> bytes:
    encoded = _STRATEGY, strategy, _encoded(order), _encoded(result)
    return b'%b%b,"order":%b,"result":%b,' % encoded


def _encoded(record: Decision | Order | OrderResult) -> bytes:
    """Return a record as JSON, without an `extra` of None: it is the last field."""
    encoded = _ENCODER.encode(record)
    return encoded if record.extra is not None else encoded[: -len(_NO_EXTRA) - 1] + b"}"
