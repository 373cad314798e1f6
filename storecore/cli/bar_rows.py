"""Conversion of the cells of one row to a `PriceBar`, checked by the bar laws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from storecore.bars.rows import MAX_WHOLE, price, volume
from storecore.cli.columns import Columns
from storecore.cli.timestamps import Midnights, parse_time, to_utc
from storecore.errors import InvalidData
from storecore.models import PriceBar
from storecore.values.names import check_name

# Stricter than float() and int(), which accept "nan", "1_000" and the digits of any script.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_NUMBER = 400


class Row(NamedTuple):
    """The bar of a row; `later` is the second instant of a local time that occurred twice.

    `given` is the time of a bar that is filed under its written day.
    """

    bar: PriceBar
    later: datetime | None
    given: datetime | None = None


class RowReader:
    """Reads the rows of one file; `symbol` is the symbol of all rows if there is no such column.

    With `written`, a time stands for the day that is written in it.
    """

    def __init__(
        self, columns: Columns, symbol: str | None, zone: tzinfo, *, written: bool = False
    ) -> None:
        self._columns = columns
        self._symbol = symbol
        self._zone = zone
        self._written = written
        self.midnights = Midnights(zone)

    def row(self, cells: Sequence[Any]) -> Row:
        """Return the bar of a row. Raises `InvalidData` or `InvalidName` naming the field."""
        if len(cells) != self._columns.width:
            raise InvalidData(f"expected {self._columns.width} cells, found {len(cells)}")
        cell = {field: cells[position] for field, position in self._columns.at.items()}
        symbol: Any = cell.get("symbol", self._symbol)
        name, dates = check_name(symbol, "symbol"), self._dates(cell["date"])
        given = dates.pop() if self._written else None
        bar = PriceBar(
            name,
            dates[0],
            price(number(cell["open"], "open"), "open"),
            price(number(cell["high"], "high"), "high"),
            price(number(cell["low"], "low"), "low"),
            price(number(cell["close"], "close"), "close"),
            _volume(cell.get("volume", "")),
        )
        return Row(bar, dates[1] if len(dates) > 1 else None, given)

    def _dates(self, cell: Any) -> list[datetime]:
        """Return the instants that a time may mean; with `written` its day, and the instant."""
        if not isinstance(cell, str):
            raise InvalidData(f"date={cell!r}: expected a date or a time")
        moment = parse_time(cell, "date")
        if self._written:
            instant = to_utc(moment, UTC, "date")[0]
            return [datetime(moment.year, moment.month, moment.day), instant]
        instants = to_utc(moment, self._zone, "date")
        self.midnights.see(moment, instants[0])
        return instants


def _volume(cell: Any) -> float | int | None:
    """Return the volume of a cell; an empty one was not reported."""
    return None if cell == "" else volume(number(cell, "volume"), "volume")


def number(cell: Any, what: str) -> Any:
    """Return the number of a text, an `int` if it is written as one.

    A value that is not a text is returned unchanged, to be checked by the bar laws. Raises
    `InvalidData` naming `what`.
    """
    if isinstance(cell, Decimal):
        cell = str(cell)
    if not isinstance(cell, str):
        return cell
    if len(cell) > _LONGEST_NUMBER or not _NUMBER.fullmatch(cell):
        raise InvalidData(f"{what}={cell[:40]!r}: expected a number such as 1234.5")
    return int(cell) if _WHOLE.fullmatch(cell) else _with_point(cell)


def _with_point(cell: str) -> int | float:
    """Return the nearest float of a number, or the whole number if no float may equal it."""
    near = float(cell)
    if not 2**53 <= abs(near) <= 2**63:
        return near
    exact = Decimal(cell)
    whole = int(exact)
    return whole if whole == exact and whole <= MAX_WHOLE else near
