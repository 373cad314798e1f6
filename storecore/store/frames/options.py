"""The keywords of `write_bar_table` that say how a table is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from storecore.errors import InvalidData, shown
from storecore.protocols import Day, Extra, Missing, Volume
from storecore.values.names import check_name
from storecore.values.suggestions import did_you_mean

_CHOICES: dict[str, tuple[str, ...]] = {
    "extra": get_args(Extra),
    "missing": get_args(Missing),
    "day": get_args(Day),
    "volume": get_args(Volume),
}


class Options(NamedTuple):
    """Checked keywords; `columns` maps a name of a bar's column to the name in the table."""

    symbol: str | None = None
    columns: Mapping[str, str] = {}
    extra: str = "keep"
    missing: str = "error"
    day: str = "instant"
    volume: str = "required"
    replace: bool = False


DEFAULTS = Options()
_NO_OPTIONS = (None, None, *DEFAULTS[2:-1])


def checked_options(
    symbol: str | None,
    columns: Mapping[str, str] | None,
    extra: str,
    missing: str,
    day: str,
    volume: str,
    replace: bool = False,
) -> Options:
    """Return checked keywords, `DEFAULTS` itself for these. Raises `InvalidData` with the choices.

    `replace` counts beside others only: without them, a table keeps all its rows and symbols.

    Raises `InvalidName` for a symbol that is not a valid name.
    """
    if (symbol, columns, extra, missing, day, volume) == _NO_OPTIONS:
        return DEFAULTS
    chosen = {"extra": extra, "missing": missing, "day": day, "volume": volume}
    for name, choices in _CHOICES.items():
        if chosen[name] not in choices:
            hint = did_you_mean(str(chosen[name]), choices)
            expected = " or ".join(map(repr, choices))
            raise InvalidData(f"{name}={shown(chosen[name])}: expected {expected}{hint}")
    if symbol is not None:
        symbol = check_name(symbol, "symbol")
    return Options(symbol, _checked_columns(columns), extra, missing, day, volume, replace)


def _checked_columns(columns: Any) -> Mapping[str, str]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise InvalidData(
            f"columns={shown(columns)}: expected a mapping from a column of a bar to a column of "
            "the table, as in columns={'date': 'window_start', 'volume': 'v'}"
        )
    return {str(name): _column_name(found) for name, found in columns.items()}


def _column_name(found: Any) -> str:
    return " ".join(map(str, found)) if isinstance(found, tuple) else str(found)
