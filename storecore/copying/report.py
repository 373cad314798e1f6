"""The report of a copy: counts and checksums of both sides, and data that was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from storecore.reports.display import counted, html, html_table
from storecore.store.digests import Tally

_Item = TypeVar("_Item")
Progress = Callable[[str, str, int], None]


class Copied(Struct, frozen=True):
    """One item of a copy: a series, the fundamentals of a symbol, all events, a state or a log.

    `kind` is "bars", "fundamentals", "events", "state", "decisions" or "orders"; `key` is the
    symbol or strategy, `timeframe` that of bars; `added` counts the written records. `note`
    explains why the two sides could not be made equal.
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
        """True if both sides hold the same records."""
        return self.source == self.target


class LeftOut(Struct, frozen=True):
    """Records of a kind that could not be copied or compared, and the reason."""

    kind: str
    why: str


class CopyReport(Struct, frozen=True):
    """The report of a copy, item by item; `left_out` are data that could not be read or written.

    `notes` are sentences about data that the copy does not carry. `why_no_history` is the reason if
    only the present was copied although the history was asked for, else empty. `ok` does not depend
    on either.
    """

    copied: tuple[Copied, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    why_no_history: str = ""

    @property
    def differences(self) -> tuple[Copied, ...]:
        """The items that are not equal on both sides."""
        return tuple(each for each in self.copied if not each.equal)

    @property
    def ok(self) -> bool:
        """True if both sides are equal and nothing was left out."""
        return not self.differences and not self.left_out

    def __repr__(self) -> str:
        series = sum(each.kind == "bars" for each in self.copied)
        parts = ["ok" if self.ok else "not ok", counted(series, "series")]
        parts.append(f"{len(self.differences):,} differ")
        parts += [f"{len(self.left_out):,} left out"] if self.left_out else []
        parts += ["no history"] if self.why_no_history else []
        return f"CopyReport({', '.join(parts)})"

    def _repr_html_(self) -> str:
        columns = ["kind", "key", "timeframe", "source", "target", "added", "equal", "note"]
        ordered = sorted(self.copied, key=lambda each: each.equal)  # differences first
        rows = (
            (e.kind, e.key, e.timeframe, e.source.count, e.target.count, e.added, e.equal, e.note)
            for e in ordered
        )
        left = ((each.kind, each.why) for each in self.left_out)
        return html(
            repr(self),
            html_table(columns, rows, len(ordered)),
            html_table(["left out", "why"], left, len(self.left_out)),
        )


def batches(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yield items in lists of at most `most`."""
    rest = iter(items)
    while batch := list(islice(rest, most)):
        yield batch
