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
    """The positions of the fields of a bar in a row: `at` maps field to position.

    `extra` maps the name of a further column to its position; `ignored` are the others.
    """

    at: dict[str, int]
    width: int
    ignored: list[str]
    extra: dict[str, int]


def recognize(
    header: Sequence[str], symbol: str | None, *, extra: bool = False, volume: bool = True
) -> Columns:
    """Return the columns of a header; `symbol` is the symbol of all bars, if it is given.

    With `extra`, further columns are kept. Without `volume`, the file has none. Raises
    `click.ClickException` naming missing, duplicate or ambiguous columns.
    """
    named = [_FIELDS.get(name.strip().casefold()) for name in header]
    at = {field: position for position, field in enumerate(named) if field}
    others = [name for name, field in zip(header, named, strict=True) if field is None]
    _refuse_double(header, named)
    _refuse_two_symbols(header, at, symbol)
    _refuse_volume(header, at, volume)
    given = {"symbol"} if symbol is not None else set()
    given |= set() if volume else {"volume"}
    missing = [field for field in NAMES if field not in at and field not in given]
    if missing:
        raise click.ClickException(_what_is_missing(missing, header, others))
    kept = _further(header, named) if extra else {}
    return Columns(at, len(header), [name for name in others if name.strip() not in kept], kept)


def _further(header: Sequence[str], named: Sequence[str | None]) -> dict[str, int]:
    """Return the further columns by name; one without a name, such as row numbers, is none."""
    kept: dict[str, int] = {}
    for position, (name, field) in enumerate(zip(header, named, strict=True)):
        if field is None and name.strip():
            if name.strip() in kept:
                raise click.ClickException(f"the column {name!r} is there twice: rename one")
            kept[name.strip()] = position
    return kept


def _refuse_volume(header: Sequence[str], at: dict[str, int], volume: bool) -> None:
    if "volume" in at and not volume:
        raise click.ClickException(
            f"--volume absent is given, but the file has the column {header[at['volume']]!r}: "
            "leave out one of them"
        )


def _refuse_double(header: Sequence[str], named: Sequence[str | None]) -> None:
    for field in NAMES:
        double = [name for name, meant in zip(header, named, strict=True) if meant == field]
        if len(double) > 1:
            split = "combine days and times of the day, or " if field == "date" else ""
            raise click.ClickException(
                f"the columns {' and '.join(map(repr, double))} both name the {field}: "
                f"{split}keep only one of them"
            )


def _refuse_two_symbols(header: Sequence[str], at: dict[str, int], symbol: str | None) -> None:
    if symbol is not None and "symbol" in at:
        raise click.ClickException(
            f"--symbol {symbol} is given, but the file has its own column "
            f"{header[at['symbol']]!r}: leave out one of them"
        )


def _what_is_missing(missing: list[str], header: Sequence[str], ignored: list[str]) -> str:
    hint = "; if volumes are not reported, give --volume absent" if "volume" in missing else ""
    return (
        f"missing columns: {', '.join(_hinted(field, ignored) for field in missing)}; "
        f"found {listed(map(repr, header)) or 'none'}{hint}"
    )


def _hinted(field: str, ignored: list[str]) -> str:
    """Return a missing field with its accepted names, or with a misspelled one."""
    near = [name for known in NAMES[field] for name in nearest(known, ignored)]
    if near:
        return f"{field} (is it {near[0]!r}?)"
    hint = {"symbol": " (or give --symbol)", "date": f" ({' or '.join(NAMES['date'])})"}
    return field + hint.get(field, "")
