"""Further columns of bars as objects: the dicts of `PriceBar.extra`, and their checks (law B6).

A plain dict has the columns that are not null, sorted by name. Its values are `float`, `int` of 64
bits, `bool`, `str` and `datetime` in aware UTC: one type for each column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from storecore.errors import InvalidData, shown
from storecore.models import PriceBar
from storecore.values.fields import is_whole
from storecore.values.times import instant, to_datetime

FIELDS = PriceBar.__struct_fields__[:-1]
"""The seven columns that every bar has."""

Extra = dict[str, Any]
KIND_OF: dict[type, str] = {
    float: "float64",
    int: "int64",
    bool: "bool",
    str: "string",
    datetime: "timestamp",
}
"""The type of a column, by the type of its plain values."""
_EXPECTED = "a float, an int of 64 bits, a bool, a str, a datetime or None"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LEVEL = re.compile(r"__index_level_\d+__")
_NUMPY_BOOLS = ("bool", "bool_")  # their names in numpy 2 and 1
_LEAST, _MOST = -(2**63), 2**63 - 1
MOST_COLUMNS = 1_000
"""The most further columns of a series: any backend can keep so many."""


class Misfit(InvalidData):
    """A value of a further column that does not suit the type that the column has in its series.

    It names the bar by symbol and date. `Store` names it by its row in what was given.
    """

    symbol: str
    at: int
    column: str
    why: str

    @classmethod
    def of(cls, symbol: str, at: int, column: str, why: str) -> Misfit:
        """Return the error for a column of the bar at an instant."""
        place = f"{symbol}, {to_datetime(at, aware=False)}".removeprefix(", ")
        error = cls(f"bar of {place}: extra[{column!r}]={why}")
        error.symbol, error.at, error.column, error.why = symbol, at, column, why
        return error

    def among(self, bars: Iterable[PriceBar]) -> InvalidData:
        """Return the same error, with the row of the bar in a batch if it can be read again."""
        given = bars if isinstance(bars, Sequence) else ()
        rows = [row for row, bar in enumerate(given) if instant(bar.date, "date") == self.at]
        return InvalidData(f"bars[{rows[-1]}].extra[{self.column!r}]={self.why}") if rows else self


def check_column(name: Any, what: str) -> str:
    """Return the name of a further column as a plain `str`. Raises `InvalidData`.

    Any text is a name, if it is not one of the seven, and neither empty nor unprintable.
    """
    if not isinstance(name, str):
        raise InvalidData(f"{what}: expected names of columns, got {shown(name)}")
    plain: str = str.__str__(name)
    why = _not_a_column(plain)
    if why:
        raise InvalidData(f"{what}: {shown(plain)} cannot be the name of a further column: {why}")
    return plain


def check_number(columns: int, what: str) -> None:
    """Raise `InvalidData` if a series would have too many further columns."""
    if columns > MOST_COLUMNS:
        raise InvalidData(
            f"{what}: the series would have {columns:,} further columns, and {MOST_COLUMNS:,} are "
            "the most; write only those that you need"
        )


def _not_a_column(name: str) -> str:
    if not name:
        return "it is empty"
    if name in FIELDS:
        return f"every bar has {', '.join(FIELDS)} already"
    if _CONTROL.search(name):
        return "it contains a control character"
    if _LEVEL.fullmatch(name):
        return "tables take it for an index of pandas, and leave it out"
    return "" if is_text(name) else "a lone surrogate is not text"


def is_text(value: str) -> bool:
    """Return whether a `str` is text, without lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_extra(given: Iterable[Any]) -> list[Extra | None] | None:
    """Check the dicts of a batch; return them as plain dicts, or None if no bar has values.

    Whole numbers in a column that also has floats become floats. Raises `InvalidData` naming bar
    and column, as in `bars[3].extra['vwap']`.
    """
    rows = [None if extra is None else _plain(extra, row) for row, extra in enumerate(given)]
    first: dict[str, tuple[int, str]] = {}
    mixed: set[str] = set()
    for row, name, value in _values(rows):
        kind = KIND_OF[type(value)]
        known = first.setdefault(name, (row, kind))[1]
        if kind != known and {kind, known} != {"int64", "float64"}:
            raise InvalidData(
                f"bars[{row}].extra[{name!r}]={shown(value)}: expected {known}, as in "
                f"bars[{first[name][0]}]; a column has one type"
            )
        mixed |= {name} if kind != known else set()
    if mixed:
        _check_exact(rows, mixed)
        rows = [row and as_floats(row, mixed) for row in rows]
    return rows if first else None


def as_floats(extra: Mapping[str, Any], names: Collection[str]) -> Extra:
    """Return a plain dict with the numbers of some columns as floats."""
    return {name: float(each) if name in names else each for name, each in extra.items()}


def _plain(extra: Any, row: int) -> Extra | None:
    if not isinstance(extra, dict):
        raise InvalidData(
            f"bars[{row}].extra={shown(extra)}: expected a dict of further columns or None, got "
            f"{type(extra).__name__}"
        )
    named = {check_column(name, f"bars[{row}].extra"): value for name, value in extra.items()}
    kept = sorted((name, value) for name, value in named.items() if value is not None) or None
    return kept and {name: _value(each, f"bars[{row}].extra[{name!r}]") for name, each in kept}


def _value(value: Any, what: str) -> Any:
    """Return a value as the plain one that it equals."""
    if isinstance(value, bool) or _is_numpy(value, *_NUMPY_BOOLS):
        return bool(value)
    if isinstance(value, float) or _is_numpy(value, "float32", "float16"):
        return float(value)
    if isinstance(value, str):
        return _text(str.__str__(value), what)
    if isinstance(value, datetime) or _is_numpy(value, "datetime64"):
        return to_datetime(instant(value, what), aware=True)
    if is_whole(value):
        return _whole(int(value), what)
    raise InvalidData(f"{what}={shown(value)}: expected {_EXPECTED}, got {type(value).__name__}")


def _is_numpy(value: Any, *names: str) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ in names


def _text(value: str, what: str) -> str:
    if not is_text(value) or "\0" in value:
        raise InvalidData(
            f"{what}={shown(value)}: expected text without NUL characters and lone surrogates"
        )
    return value


def _whole(value: int, what: str) -> int:
    if not _LEAST <= value <= _MOST:
        raise InvalidData(f"{what}={shown(value)}: expected an int of 64 bits; give a float")
    return value


def _values(rows: list[Extra | None]) -> Iterator[tuple[int, str, Any]]:
    """Yield row, column and value of each value."""
    for row, extra in enumerate(rows):
        for name, value in (extra or {}).items():
            yield row, name, value


def _check_exact(rows: list[Extra | None], mixed: set[str]) -> None:
    for row, name, value in _values(rows):
        if name in mixed and float(value) != value and isinstance(value, int):
            raise InvalidData(
                f"bars[{row}].extra[{name!r}]={value}: no 64-bit float equals it, and other bars "
                "of the batch have floats; a column has one type"
            )


def in_utc(instants: Iterable[int | None]) -> list[datetime | None]:
    """Return instants as datetimes in aware UTC."""
    return [None if each is None else to_datetime(each, aware=True) for each in instants]


def instant_of(value: datetime) -> int:
    """Return the instant of a plain value."""
    return (value - _EPOCH) // _MICROSECOND


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = to_datetime(1, aware=True) - _EPOCH
