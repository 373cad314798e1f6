"""The columns of a file of bars, recognized by their names in any case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click

from storecore.cli.text import listed
from storecore.values.suggestions import nearest

NAMES = {
    "symbol": ("symbol", "ticker"),
    "date": ("date", "datetime", "timestamp", "time", "day"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol"),
}
_FIELDS = {name: field for field, names in NAMES.items() for name in names}


class Columns(NamedTuple):
    """The positions of the fields of a bar in a row: `at` maps field to position."""

    at: dict[str, int]
    width: int
    ignored: list[str]


def recognize(header: Sequence[str], symbol: str | None) -> Columns:
    """Return the columns of a header; `symbol` is the symbol of all bars, if it is given.

    Raises `click.ClickException` naming missing, duplicate or ambiguous columns.
    """
    named = [_FIELDS.get(name.strip().casefold()) for name in header]
    at = {field: position for position, field in enumerate(named) if field}
    ignored = [name for name, field in zip(header, named, strict=True) if field is None]
    _refuse_double(header, named)
    _refuse_two_symbols(header, at, symbol)
    needed = NAMES if symbol is None else NAMES.keys() - {"symbol"}
    missing = [field for field in NAMES if field in needed and field not in at]
    if missing:
        raise click.ClickException(_what_is_missing(missing, header, ignored))
    return Columns(at, len(header), ignored)


def _refuse_double(header: Sequence[str], named: Sequence[str | None]) -> None:
    for field in NAMES:
        double = [name for name, meant in zip(header, named, strict=True) if meant == field]
        if len(double) > 1:
            raise click.ClickException(
                f"the columns {' and '.join(map(repr, double))} both name the {field}: "
                "keep only one of them"
            )


def _refuse_two_symbols(header: Sequence[str], at: dict[str, int], symbol: str | None) -> None:
    if symbol is not None and "symbol" in at:
        raise click.ClickException(
            f"--symbol {symbol} is given, but the file has its own column "
            f"{header[at['symbol']]!r}: leave out one of them"
        )


def _what_is_missing(missing: list[str], header: Sequence[str], ignored: list[str]) -> str:
    return (
        f"missing columns: {', '.join(_hinted(field, ignored) for field in missing)}; "
        f"found {listed(map(repr, header)) or 'none'}"
    )


def _hinted(field: str, ignored: list[str]) -> str:
    """Return a missing field with its accepted names, or with a misspelled one."""
    near = [name for known in NAMES[field] for name in nearest(known, ignored)]
    if near:
        return f"{field} (is it {near[0]!r}?)"
    hint = {"symbol": " (or give --symbol)", "date": f" ({' or '.join(NAMES['date'])})"}
    return field + hint.get(field, "")
