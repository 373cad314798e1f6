"""What a copy came to: counts and checksums of both sides, and what could not be copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from storecore.store.digests import Tally

_Item = TypeVar("_Item")
Progress = Callable[[str, str, int], None]


class Copied(Struct, frozen=True):
    """One thing that was copied: a series of bars, a symbol's fundamentals, the events, a log.

    `kind` is "bars", "fundamentals", "events", "state", "decisions" or "orders", `key` the symbol
    or strategy, `timeframe` that of bars; `added` counts the records that were written. `note` says
    in words what keeps two sides apart that could not be made equal.
    """

    kind: str
    key: str
    source: Tally
    target: Tally
    timeframe: str = ""
    added: int = 0
    note: str = ""

    @property
    def equal(self) -> bool:
        """True when both sides answer the same."""
        return self.source == self.target


class LeftOut(Struct, frozen=True):
    """Records of a kind that could not be copied, or not be compared, and why."""

    kind: str
    why: str


class CopyReport(Struct, frozen=True):
    """What a copy came to, thing by thing; `left_out` is what it could not see or not put in."""

    copied: tuple[Copied, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def differences(self) -> tuple[Copied, ...]:
        """What is not equal on both sides."""
        return tuple(each for each in self.copied if not each.equal)

    @property
    def ok(self) -> bool:
        """True when all is equal on both sides and nothing was left out."""
        return not self.differences and not self.left_out


def batches(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yield items in lists of at most so many."""
    rest = iter(items)
    while batch := list(islice(rest, most)):
        yield batch
