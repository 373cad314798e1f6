"""Transfer of records to another store: the same bytes, the same chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from storecore.audit.chain import links
from storecore.audit.records import GENESIS, Link, Place, day_bounds, decode_record, end_of
from storecore.errors import InvalidData, StateConflict, shown
from storecore.models import DecisionRecord, OrderRecord
from storecore.values.batches import listed

LOGS: dict[str, type[Any]] = {"decisions": DecisionRecord, "orders": OrderRecord}
"""The two logs, and the type of a record of each."""


def check_log(log: str, after: int = 0) -> str:
    """Return the name of a log. Raises `InvalidData` for another one or a wrong `after`."""
    if not isinstance(log, str) or log not in LOGS:
        raise InvalidData(f"log={shown(log)}: expected one of {', '.join(map(repr, LOGS))}")
    if not isinstance(after, int) or isinstance(after, bool) or after < 0:
        raise InvalidData(f"after={shown(after)}: expected the number of a record, or 0")
    return log


def moved_lines(log: str, day: date, lines: Iterable[bytes]) -> list[bytes]:
    """Check records of another store: each belongs to this log and follows the one before it.

    Their times, in UTC, differ from the local day by one day at most. Raises `InvalidData` naming
    the line. `moved_end` checks that the first follows the stored records.
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
            raise InvalidData(f"lines[{row}]: not a whole record of {log}: {error}") from None
        if not first <= at <= last:
            raise InvalidData(
                f"lines[{row}]: it was logged at {at}, which is not a time of {day=!s}"
            )
    followed = links(batch, _before(batch[0])) if batch else 0
    if followed < len(batch):
        raise InvalidData(f"lines[{followed}]: it does not follow the record before it")
    return batch


def moved_end(log: str, lines: Sequence[bytes], end: Link) -> Link:
    """Return the new end of a chain after appending checked lines, one or more.

    Raises `StateConflict` if the first of them does not follow the end.
    """
    before = _before(lines[0])
    if before != end:
        raise StateConflict(
            f"the log of {log} ends with record {end.seq} ({_named(end)}), and the first record "
            f"given follows record {before.seq} ({_named(before)}): a chain continues only at its "
            "end, and in the log in which it began"
        )
    return end_of(lines[-1])


def loggers_of(lines: Iterable[bytes]) -> Counter[tuple[str, bool]]:
    """Return the number of records of each strategy; those of its runs (True) are counted apart."""
    loggers = (msgspec.json.decode(line, type=_Logger) for line in lines)
    return Counter((each.strategy, each.run is not None) for each in loggers)


class _Logger(Struct):
    """The fields of a line that name the strategy and the run."""

    strategy: str
    run: str | None = None


def _before(line: bytes) -> Link:
    place = msgspec.json.decode(line, type=Place)
    return Link(place.seq - 1, place.prev) if place.seq > 1 else GENESIS


def _named(link: Link) -> str:
    return link.hash[:8] or "none"
