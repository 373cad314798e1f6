"""The bar laws: a batch of `PriceBar` is checked whole, as columns, before anything is written.

`bar_columns` turns the bars of a caller into instants and numbers; `price_bars` turns these into
the bars that are returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from math import isfinite
from numbers import Integral
from typing import Any, NamedTuple

from storecore.bars.extra_values import Extra, checked_extra
from storecore.errors import InvalidData, shown
from storecore.models import PriceBar
from storecore.values.fields import is_number, nearest_float, without_point
from storecore.values.names import check_owner
from storecore.values.times import instants, to_datetime

MAX_WHOLE = 2**63 - 1
_OF_TABLES = ("__arrow_c_stream__", "__arrow_c_array__", "collect_schema")
MAX_BYTES = 32 * 2**20
"""The default of how many bytes of bars a stream holds at once: 32 MiB."""
SEVEN_ONLY = (
    "this backend was written before bars had further columns and volumes that are not reported; "
    "it keeps the seven fields of a bar, each with a value"
)


class _Seven(NamedTuple):
    date: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int | float | None]


class BarColumns(_Seven):
    """Bars of one series as columns of equal length, sorted by date, one row per date.

    `date` holds instants (microseconds since 1970, UTC). A whole volume is an `int`; one that was
    not reported is None. `extra` holds the further columns (law B6): for each row a plain dict or
    None, or None if no row has any. It is not among the items of the tuple, so that code for the
    numbers of a bar is the same with and without it.
    """

    extra: list[Extra | None] | None = None

    def __new__(
        cls,
        date: list[int],
        open: list[float],
        high: list[float],
        low: list[float],
        close: list[float],
        volume: list[Any],
        extra: list[Extra | None] | None = None,
    ) -> BarColumns:
        """Return columns of equal length."""
        columns = super().__new__(cls, date, open, high, low, close, volume)
        if extra is not None:
            columns.extra = extra
        return columns

    @classmethod
    def of(cls, numbers: Sequence[Any], extra: list[Extra | None] | None) -> BarColumns:
        """Return columns whose dates, prices and volumes are given as one sequence."""
        date, opened, high, low, close, volume = numbers
        return cls(date, opened, high, low, close, volume, extra)

    @classmethod
    def none(cls) -> BarColumns:
        """Return empty columns."""
        return cls([], [], [], [], [], [])


def bar_columns(symbol: str, bars: Iterable[PriceBar], *, extra: bool = False) -> BarColumns:
    """Check a whole batch; return it sorted, one row per date, the last one wins (law B1).

    With `extra`, a bar may have further columns and a volume of None (law B6): only a backend that
    keeps both asks for them. Raises `InvalidData` naming row and field, as in `bars[3].open=nan`
    (laws B2, N3, T1).
    """
    batch = _batch(bars)
    _check_owners(symbol, batch)
    volumes = [bar.volume for bar in batch]
    further = [bar.extra for bar in batch]
    has_extra = not set(map(type, further)) <= {type(None)}
    if not extra:
        _check_seven(volumes, further if has_extra else [])
    columns = BarColumns(
        instants([bar.date for bar in batch], "bars[{}].date"),
        _prices([bar.open for bar in batch], "open"),
        _prices([bar.high for bar in batch], "high"),
        _prices([bar.low for bar in batch], "low"),
        _prices([bar.close for bar in batch], "close"),
        _volumes(volumes),
        checked_extra(further) if has_extra else None,
    )
    return _sorted_unique(columns)


def price_bars(symbol: str, columns: BarColumns, aware: bool) -> list[PriceBar]:
    """Return columns as bars, their dates in UTC, aware or naive (law T2)."""
    dates = map(to_datetime, columns.date, repeat(aware))
    if columns.extra is None:
        return list(map(PriceBar, repeat(symbol), dates, *columns[1:]))
    # Copies: the caller may change the dict of a bar.
    copies = [each and dict(each) for each in columns.extra]
    return list(map(PriceBar, repeat(symbol), dates, *columns[1:], copies))


def newest_bars(bars: BarColumns, number: int | None) -> BarColumns:
    """Return the last bars of a series; all if `number` is None."""
    if number is None:
        return bars
    chosen: list[Any] = [column[-number:] for column in bars]
    return BarColumns.of(chosen, bars.extra and bars.extra[-number:])


def asked_to_replace(replace: bool) -> bool:
    """Return the argument `replace`. Raises `InvalidData` if it is not a bool.

    Any other value that counts as true would remove bars.
    """
    if not isinstance(replace, bool):
        raise InvalidData(f"replace={shown(replace)}: expected True or False")
    return replace


def check_max_bytes(max_bytes: int) -> None:
    """Raise `InvalidData` if `max_bytes` is not a positive int."""
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        raise InvalidData(f"max_bytes={max_bytes!r}: expected a number of bytes, 1 or more")


def _batch(bars: Iterable[PriceBar]) -> list[PriceBar]:
    if isinstance(bars, PriceBar):
        raise InvalidData(
            "bars: expected an iterable of PriceBar, got one PriceBar; put it in a list"
        )
    if (isinstance(bars, Mapping) and bars) or any(hasattr(bars, name) for name in _OF_TABLES):
        raise InvalidData(
            f"bars: expected an iterable of PriceBar, got a table ({type(bars).__name__}); write "
            'tables by write_bar_table, as in store.write_bar_table(frame, symbol="AAPL")'
        )
    try:
        given = iter(bars)
    except TypeError:
        raise InvalidData(
            f"bars: expected an iterable of PriceBar, got {type(bars).__name__}"
        ) from None
    batch = list(given)
    if set(map(type, batch)) <= {PriceBar}:
        return batch
    for row, bar in enumerate(batch):
        # A subclass with additional fields would lose them.
        if getattr(bar, "__struct_fields__", None) != PriceBar.__struct_fields__:
            raise InvalidData(f"bars[{row}]: expected a PriceBar, got {type(bar).__name__}")
    return batch


def _check_owners(symbol: str, batch: list[PriceBar]) -> None:
    owners = [bar.symbol for bar in batch]
    if set(map(type, owners)) <= {str} and owners.count(symbol) == len(owners):
        return
    for row, bar in enumerate(batch):
        check_owner(symbol, bar.symbol, f"bars[{row}]")


def _check_seven(volumes: list[Any], further: list[Any]) -> None:
    """Refuse what a backend that was written before law B6 would lose."""
    for row, given in enumerate(volumes):
        if given is None:
            raise InvalidData(f"bars[{row}].volume=None: {SEVEN_ONLY}")
    for row, extra in enumerate(further):
        if extra:
            raise InvalidData(f"bars[{row}].extra={shown(extra)}: {SEVEN_ONLY}")


def _prices(values: list[Any], field: str) -> list[float]:
    if set(map(type, values)) <= {float} and all(map(isfinite, values)):
        return values
    return [price(value, f"bars[{row}].{field}") for row, value in enumerate(values)]


def _volumes(values: list[Any]) -> list[int | float | None]:
    if set(map(type, values)) <= {int} and values and min(values) >= 0 and max(values) <= MAX_WHOLE:
        return values
    return [
        None if value is None else volume(value, f"bars[{row}].volume")
        for row, value in enumerate(values)
    ]


def price(value: Any, what: str) -> float:
    """Return a price as the `float` that equals it. Raises `InvalidData` if no float does.

    A `Decimal` becomes the nearest float, which has the same digits if there are at most 15.
    """
    if type(value) is float and isfinite(value):
        return value
    _check_finite(value, what)
    number = nearest_float(value)
    if number != value and not isinstance(value, Decimal):
        raise InvalidData(f"{what}={shown(value)}: no 64-bit float equals it; round it first")
    return number


def volume(value: Any, what: str) -> int | float:
    """Return a volume as `int` if it is whole and below 2**63, else as `float`."""
    _check_finite(value, what)
    value = without_point(value)
    if value < 0:
        raise InvalidData(f"{what}={shown(value)}: expected a volume of 0 or more")
    if isinstance(value, Integral):
        if int(value) > MAX_WHOLE:
            raise InvalidData(
                f"{what}={shown(value)}: out of range, at most {MAX_WHOLE} (2**63 - 1)"
            )
        return int(value)
    number = price(value, what)
    return int(number) if number.is_integer() and number <= MAX_WHOLE else number


def _check_finite(value: Any, what: str) -> None:
    if not is_number(value):
        raise InvalidData(f"{what}={shown(value)}: expected a number, got {type(value).__name__}")
    if not isinstance(value, Integral) and not isfinite(nearest_float(value)):
        raise InvalidData(
            f"{what}={shown(value)}: expected a finite number; leave a bar out if it has none"
        )


def _sorted_unique(columns: BarColumns) -> BarColumns:
    last_row = {date: row for row, date in enumerate(columns.date)}
    rows = [last_row[date] for date in sorted(last_row)]
    if rows == list(range(len(columns.date))):
        return columns
    extra = columns.extra and [columns.extra[row] for row in rows]
    chosen: list[Any] = [[column[row] for row in rows] for column in columns]
    return BarColumns.of(chosen, extra)
