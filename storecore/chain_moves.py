"""Records that were logged in one store and go on in another: the same bytes, the same chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from storecore.audit import GENESIS, Link, Place, day_bounds, decode_record, end_of
from storecore.batches import listed
from storecore.chain import links
from storecore.errors import InvalidData, StateConflict, shown
from storecore.models import DecisionRecord, OrderRecord

LOGS: dict[str, type[Any]] = {"decisions": DecisionRecord, "orders": OrderRecord}


def check_log(log: str, after: int = 0) -> str:
    """Return the name of a log. Raises `InvalidData` for another, or where `after` is no number."""
    if not isinstance(log, str) or log not in LOGS:
        raise InvalidData(f"log={shown(log)}: expected one of {', '.join(map(repr, LOGS))}")
    if not isinstance(after, int) or isinstance(after, bool) or after < 0:
        raise InvalidData(f"after={shown(after)}: expected the number of a record, or 0")
    return log


def moved_lines(log: str, day: date, lines: Iterable[bytes]) -> list[bytes]:
    """Check records of another store whole: each is one of this log and follows the one before.

    Their times, in UTC, are a day off the local day at most.

    Raises `InvalidData` naming the line. `moved_end` says whether the first follows what is stored.
    """
    kind = LOGS[check_log(log)]
    if not isinstance(day, date) or isinstance(day, datetime):
        raise InvalidData(f"day={shown(day)}: expected a date, the local day of the records")
    first, last = day_bounds(day)
    batch = listed(lines, "bytes", "lines")
    for row, line in enumerate(batch):
        if not isinstance(line, bytes):
            raise InvalidData(f"lines[{row}]: expected bytes, got {type(line).__name__}")
        try:
            at = decode_record(line, kind).timestamp
        except ValueError as error:
            raise InvalidData(f"lines[{row}]: no whole record of {log}: {error}") from None
        if not first <= at <= last:
            raise InvalidData(f"lines[{row}]: it was logged at {at}, which is no time of {day=!s}")
    followed = links(batch, _before(batch[0])) if batch else 0
    if followed < len(batch):
        raise InvalidData(f"lines[{followed}]: it does not follow the record before it")
    return batch


def moved_end(log: str, lines: Sequence[bytes], end: Link) -> Link:
    """Return the new end of a chain that checked lines, one or more, go on from its end.

    Raises `StateConflict` where the first of them does not follow it.
    """
    before = _before(lines[0])
    if before != end:
        raise StateConflict(
            f"the log of {log} ends with record {end.seq} ({_named(end)}), and the first record "
            f"given follows record {before.seq} ({_named(before)}): a chain goes on only where it "
            "ends, and in the log that it began in"
        )
    return end_of(lines[-1])


def strategies_of(lines: Iterable[bytes]) -> Counter[str]:
    """Return how many of some records each strategy has."""
    return Counter(msgspec.json.decode(line, type=_Logger).strategy for line in lines)


class _Logger(Struct):
    """What a line says of who logged it."""

    strategy: str


def _before(line: bytes) -> Link:
    place = msgspec.json.decode(line, type=Place)
    return Link(place.seq - 1, place.prev) if place.seq > 1 else GENESIS


def _named(link: Link) -> str:
    return link.hash[:8] or "none"
