"""Rows whose local time occurred twice, kept until the order of all rows decides which is meant."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

import pyarrow as pa

from storecore.cli.imports.repeated_hours import resolved_by_order
from storecore.cli.timestamps import local_text, with_offset
from storecore.values.times import instant, to_datetime


class _Near(NamedTuple):
    """The instants of a row near a night in which the clocks went back; `row` is one that waits."""

    readings: tuple[int, ...]
    row: pa.Table | None = None
    place: int = 0


class Nights:
    """Rows near such nights, by symbol, in the order of the file."""

    def __init__(self) -> None:
        self._near: dict[str, list[_Near]] = {}

    def add(self, symbol: str, first: int) -> None:
        """Add a row that is near a night."""
        self._near.setdefault(symbol, []).append(_Near((first,)))

    def wait(self, symbol: str, readings: tuple[int, int], row: pa.Table, place: int) -> None:
        """Add a row whose time is ambiguous."""
        self._near.setdefault(symbol, []).append(_Near(readings, row, place))

    def decided(self, zone: tzinfo) -> tuple[list[pa.Table], list[tuple[int, str]]]:
        """Return the rows that the order decides, with their dates, and the others as bad rows."""
        rows, bad = [], []
        for near in self._near.values():
            readings = [[to_datetime(each, aware=False) for each in row.readings] for row in near]
            for at, meant in resolved_by_order(readings):
                waiting = near[at]
                assert waiting.row is not None
                if meant is None:
                    bad.append((waiting.place, _ambiguous(waiting.readings, zone)))
                    continue
                date = pa.array([instant(meant, "date")], pa.int64()).cast(pa.timestamp("us"))
                place = waiting.row.column_names.index("date")
                rows.append(waiting.row.set_column(place, "date", date))
        return rows, bad


def _ambiguous(readings: tuple[int, ...], zone: tzinfo) -> str:
    first, second = (to_datetime(each, aware=False) for each in readings)
    both = [with_offset(each, zone) for each in (first, second)]
    return (
        f"date={local_text(first, zone)!r}: that time occurred twice in {zone}, and the order of "
        f"the symbol's rows does not decide between them: write {' or '.join(both)}"
    )
