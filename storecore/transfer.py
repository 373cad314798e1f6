"""`Transfer`: what a copy from store to store needs, and no other capability gives.

Bars, states and their versions can be listed and read by others; what is here is the rest: all
fundamentals and events in their order, and the audit log and the versions of a state as they are,
to be put into another store unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from storecore.models import Event, FundamentalData

if TYPE_CHECKING:
    from storecore.reports import StateVersion


class AuditLine(NamedTuple):
    """A record of the audit log as it was logged: the machine's local day, and the exact bytes."""

    day: date
    line: bytes


@runtime_checkable
class Transfer(Protocol):
    """Gives all that a store holds beyond its bars, and takes a chain and a history as they are.

    The iterators hold a bounded part of it at once, and take it as it is when they come to it: what
    is written meanwhile may be among it or not. What is wrong with the question is an error at
    once, not when they are gone through.
    """

    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, each exactly as it was written."""
        ...

    def iter_events(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing, their times in aware UTC."""
        ...

    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log, "decisions" or "orders", from number `after` + 1 on.

        They come in the order of `seq`, each the bytes of its line, newline included.
        """
        ...

    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that were logged elsewhere, all of them or none.

        Their bytes, number, time and hashes stay what they are. Raises `InvalidData` naming the
        line that is no whole record of that log or does not follow the one before, `StateConflict`
        where the first does not follow the last record that is stored.
        """
        ...

    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history by versions that another store has, newest first.

        They keep their numbers; as many are kept as the store keeps of its own. Raises
        `StateConflict` where the stored version is not `expect` (0: none, None: whichever it is),
        `InvalidData` where they do not fall from one to the next.
        """
        ...
