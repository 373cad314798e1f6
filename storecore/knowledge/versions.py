"""The versions of what a store holds: what was recorded when, and what replaced it when.

A version was held from the instant `recorded` until just before the instant `replaced`. `recorded`
is None for data from before the store kept history; `replaced` is None for what is held now. A
deletion ends a version without beginning another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from msgspec import Struct

from storecore.bars.rows import BarColumns
from storecore.models import Event, FundamentalData, PriceBar
from storecore.values.times import to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

_Value = TypeVar("_Value")
Kind = Literal["bars", "fundamentals", "events"]
"""The kinds of data of which a store with `History` keeps versions."""


class BarVersion(Struct, frozen=True):
    """A bar as the store held it from `recorded_at` until `replaced_at`, both in aware UTC.

    `recorded_at` is None if it was written before the store kept history. `replaced_at` is None if
    it is held now.
    """

    bar: PriceBar
    recorded_at: datetime | None
    replaced_at: datetime | None


class FundamentalVersion(Struct, frozen=True):
    """A fundamental as the store held it; see `BarVersion`."""

    data: FundamentalData
    recorded_at: datetime | None
    replaced_at: datetime | None


class EventVersion(Struct, frozen=True):
    """An event as the store held it; see `BarVersion`. Only a deletion or a renaming ends it."""

    event: Event
    recorded_at: datetime | None
    replaced_at: datetime | None


class Correction(Struct, frozen=True):
    """What a write replaced or a deletion removed, recorded at `recorded_at` (aware UTC).

    `before` and `after` are a `PriceBar`, a `FundamentalData` or an `Event`, depending on `kind`;
    `after` is None if it was deleted. `timestamp` is the date of a bar, and the timestamp of the
    others, in aware UTC. `timeframe` is None except for bars.
    """

    kind: Kind
    symbol: str | None
    timeframe: str | None
    timestamp: datetime
    recorded_at: datetime
    before: PriceBar | FundamentalData | Event
    after: PriceBar | FundamentalData | Event | None


class Snapshot(Struct, frozen=True):
    """A name for an instant of recording: `store.at(name)` shows what was held at it."""

    name: str
    recorded_at: datetime
    note: str = ""


class Recording(Struct, frozen=True):
    """What a store has recorded: what a copy of its history must know.

    `asked_at` is the last moment that the store was asked about, None if there was no question yet.
    Questions about moments before `pruned_before` (None: there are none) are refused. `is_kept` is
    whether the store keeps what is replaced. `series` are the symbols and timeframes of bars,
    `symbols` those of fundamentals; what is deleted, but has versions, is among them.
    """

    asked_at: datetime | None
    pruned_before: datetime | None
    is_kept: bool
    series: tuple[tuple[str, str], ...]
    symbols: tuple[str, ...]


class Versions(NamedTuple):
    """The versions of the bars of a series, sorted by date, then by `recorded`.

    `bars` are columns, or a series table, with one row for each version: a date may be in several.
    `recorded` and `replaced` have the instants of each row, or None.
    """

    bars: BarColumns | pa.Table
    recorded: Sequence[int | None]
    replaced: Sequence[int | None]


class Unreplaced(NamedTuple):
    """The bars of a range of which none was ever replaced or deleted, and when each was recorded.

    `bars` are a series table, `recorded` a column of instants: null is before the history.
    """

    bars: pa.Table
    recorded: pa.Array

    def versions(self) -> Versions:
        """Return the same as versions."""
        return Versions(self.bars, self.recorded.to_pylist(), [None] * len(self.bars))


class Forming(NamedTuple):
    """Which bars a view shows: those dated not after `ended`, and as of `at` those dated later.

    A bar dated after `ended` was still forming. It is shown as it was recorded last by `at`.
    """

    ended: int
    at: int

    def is_shown(self, recorded: int | None, replaced: int | None) -> bool:
        """Return whether a version of a bar that was still forming is shown."""
        return recorded is not None and was_held(recorded, replaced, self.at)


Version = tuple[_Value, int | None, int | None]
"""A value with its instants `recorded` and `replaced`."""


def was_held(recorded: int | None, replaced: int | None, at: int) -> bool:
    """Return whether a store held a version at an instant of recording."""
    return (recorded is None or recorded <= at) and (replaced is None or replaced > at)


def held_bars(versions: Versions, at: int) -> BarColumns | pa.Table:
    """Return the bars that a store held at an instant of recording, sorted by date."""
    bars, recorded, replaced = versions
    instants = zip(recorded, replaced, strict=True)
    rows = [row for row, each in enumerate(instants) if was_held(*each, at)]
    if not isinstance(bars, BarColumns):
        from storecore.bars.table import taken

        return taken(bars, rows)
    if len(rows) == len(bars.date):
        return bars
    extra = [bars.extra[row] for row in rows] if bars.extra else []
    chosen = [[column[row] for row in rows] for column in bars]
    return BarColumns.of(chosen, extra if any(extra) else None)


def columns_of(bars: BarColumns | pa.Table) -> BarColumns:
    """Return bars, given as columns or as a series table, as columns."""
    if isinstance(bars, BarColumns):
        return bars
    from storecore.bars.table import bar_columns_of

    return bar_columns_of(bars)


def moment(instant: int | None) -> datetime | None:
    """Return an instant of recording as an aware datetime in UTC."""
    return None if instant is None else to_datetime(instant, aware=True)
