"""Versions of another store, checked and sorted for the collections that take them in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from storecore.bars.extra_values import Extra, as_floats
from storecore.bars.rows import BarColumns, bar_columns
from storecore.errors import InvalidData
from storecore.events import checked_event
from storecore.fundamentals import checked_fundamental
from storecore.knowledge.versions import (
    BarVersion,
    EventVersion,
    FundamentalVersion,
    Unreplaced,
    Version,
    Versions,
)
from storecore.models import Event, FundamentalData
from storecore.values.batches import listed
from storecore.values.times import EARLIEST, exact_instant, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

AnyVersion = BarVersion | FundamentalVersion | EventVersion


def checked_kinds(versions: Iterable[AnyVersion]) -> list[AnyVersion]:
    """Return versions as a list. Raises `InvalidData` naming the first that is none."""
    given = listed(versions, "BarVersion, FundamentalVersion or EventVersion", "versions")
    for row, each in enumerate(given):
        if not isinstance(each, AnyVersion):
            raise InvalidData(
                f"versions[{row}]: expected a BarVersion, FundamentalVersion or EventVersion, got "
                f"{type(each).__name__}"
            )
    return given


def sorted_by_kind(
    versions: Iterable[AnyVersion],
) -> tuple[list[BarVersion], list[Version[FundamentalData]], list[Version[Event]]]:
    """Return versions of bars as they are given, those of fundamentals and events checked.

    Raises `InvalidData`.
    """
    bars, filings, events = list[BarVersion](), list[Version[Any]](), list[Version[Any]]()
    for each in versions:
        if isinstance(each, BarVersion):
            bars.append(each)
        elif isinstance(each, FundamentalVersion):
            data = checked_fundamental(each.data.symbol, each.data)
            filings.append((data, *span_of(each)))
        else:
            events.append((checked_event(each.event), *span_of(each)))
    return bars, filings, events


def check_restorable(versions: Iterable[AnyVersion], asked: int | None) -> None:
    """Raise `InvalidData` if a version would change the answer to a question (law K3).

    `asked` is the last instant that was asked about, None if there was none.
    """
    for each in versions:
        recorded, replaced = span_of(each)
        if recorded is not None and replaced is not None and recorded >= replaced:
            raise InvalidData("versions: expected each to be recorded before it was replaced")
        if not is_restorable((recorded, replaced), asked):
            raise InvalidData(
                f"versions: one was recorded at {each.recorded_at}, but the store was asked what "
                f"it held at {to_datetime(asked or 0, aware=True)}, and that answer must not change"
            )


def is_restorable(span: tuple[int | None, int | None], asked: int | None) -> bool:
    """Return whether a version of a span, or its end, came after the last question."""
    recorded, replaced = span
    latest = replaced if replaced is not None else recorded
    return asked is None or (latest is not None and latest > asked)


def are_restorable(recorded: pa.Array, asked: int | None) -> bool:
    """Return whether versions that are held were all recorded after the last question."""
    import pyarrow.compute as pc

    if asked is None or not len(recorded):
        return True
    return not recorded.null_count and bool(pc.min(recorded).as_py() > asked)


def quickly_checked(
    symbol: str, given: Unreplaced, asked: int | None, *, extra: bool
) -> Unreplaced | None:
    """Return bars checked as those that are written are, None if each has to be looked at.

    That is so if a version may not be restored, and for volumes that no column of numbers holds.
    Raises `InvalidData`.
    """
    from storecore.bars.checks import checked_series
    from storecore.bars.extra import EVERY, EXACT
    from storecore.bars.query import query_result
    from storecore.bars.table import FIELDS

    if EXACT in given.bars.column_names or not are_restorable(given.recorded, asked):
        return None
    table = query_result([(symbol, given.bars)], (*FIELDS, EVERY), aware=True)
    ((_, bars),) = checked_series(table, "keep" if extra else "refuse")
    return Unreplaced(bars, given.recorded)


def span_of(version: AnyVersion) -> tuple[int | None, int | None]:
    """Return from when and until when a version was held, as instants."""
    began, ended = version.recorded_at, version.replaced_at
    return (
        None if began is None else exact_instant(began, "recorded_at"),
        None if ended is None else exact_instant(ended, "replaced_at"),
    )


def bars_by_symbol(
    versions: Iterable[BarVersion], *, extra: bool
) -> Iterator[tuple[str, Versions]]:
    """Yield the versions of each symbol, checked as bars that are written are.

    Raises `InvalidData`.
    """
    by_symbol: dict[str, list[BarVersion]] = {}
    for each in versions:
        by_symbol.setdefault(each.bar.symbol, []).append(each)
    for symbol, found in by_symbol.items():
        yield symbol, _sorted(symbol, found, extra=extra)


def _sorted(symbol: str, versions: list[BarVersion], *, extra: bool) -> Versions:
    """Return versions of a series by date, then by `recorded`."""
    keyed = [(exact_instant(each.bar.date, "date"), *span_of(each), each) for each in versions]
    keyed.sort(key=lambda each: (each[0], EARLIEST if each[1] is None else each[1]))
    columns: list[list[Any]] = [[] for _ in range(6)]
    further: list[Extra | None] = []
    for layer in _layers([each.bar.date for *_, each in keyed]):  # of different dates
        checked = bar_columns(symbol, [keyed[row][3].bar for row in layer], extra=extra)
        further += checked.extra or [None] * len(layer)
        for column, values in zip(columns, cast(list[list[Any]], checked), strict=True):
            column += values
    order = sorted(range(len(keyed)), key=columns[0].__getitem__)  # stable: layers are in order
    chosen = [[column[row] for row in order] for column in columns]
    recorded, replaced = [each[1] for each in keyed], [each[2] for each in keyed]
    bars = BarColumns.of(chosen, of_one_type([further[row] for row in order]))
    return Versions(bars, recorded, replaced)


def _layers(dates: list[Any]) -> list[list[int]]:
    """Return rows whose dates are sorted in lists of which each has a date once."""
    layers: list[list[int]] = []
    number = 0
    for row, date in enumerate(dates):
        number = number + 1 if row and dates[row - 1] == date else 0
        if number == len(layers):
            layers.append([])
        layers[number].append(row)
    return layers


def of_one_type(extra: list[Extra | None]) -> list[Extra | None] | None:
    """Return further columns with floats in each column that has a float in any row."""
    if not any(extra):
        return None
    kinds = {(name, type(value)) for each in extra if each for name, value in each.items()}
    mixed = {name for name, kind in kinds if kind is float and (name, int) in kinds}
    return [each and as_floats(each, mixed) for each in extra] if mixed else extra
