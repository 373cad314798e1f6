"""The columns of a file of bars, recognized by their names in any case."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

from storecore.cli.text import listed
from storecore.values.suggestions import nearest

NAMES = {
    "symbol": ("symbol", "ticker"),
    "date": (
        *("date", "datetime", "timestamp", "time", "day"),
        *("open_time", "ts_event", "window_start"),
    ),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol"),
}
_NUMBERED = re.compile(r"^\d+\. ")


def field_of(name: str) -> str | None:
    """Return the field that a name names, None if it names none.

    As in tables of the API, blanks, underscores and a number in front ("1. open") do not count.
    That is in `storecore.store.frames.names`, which needs Arrow.
    """
    return _FIELDS.get(_plain(_NUMBERED.sub("", name.strip())))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


_FIELDS = {_plain(name): field for field, names in NAMES.items() for name in names}


class Columns(NamedTuple):
    """The positions of the fields of a bar in a row: `at` maps field to position.

    `extra` maps the name of a further column to its position; `ignored` are the others.
    """

    at: dict[str, int]
    width: int
    ignored: list[str]
    extra: dict[str, int]


def chosen_columns(texts: Sequence[str]) -> dict[str, str]:
    """Return what `--columns date=open_time,volume=v` says. Raises `click.BadParameter`."""
    chosen: dict[str, str] = {}
    for text in ",".join(texts).split(",") if texts else ():
        name, sign, found = (part.strip() for part in text.partition("="))
        if not (name and sign and found) or name in chosen:
            raise click.BadParameter(
                f"--columns {text!r}: expected each column of a bar once, and that of the file, as "
                "in date=open_time,volume=v"
            )
        chosen[name] = found
    return chosen


def _given_names(
    header: Sequence[str], chosen: Mapping[str, str]
) -> tuple[list[str], list[str | None]]:
    """Return the names of the columns, and what they name, as `--columns` says."""
    names = [name.strip() for name in header]
    named = [field_of(name) for name in names]
    named = [None if field in chosen else field for field in named]
    places = {}
    for name, found in chosen.items():
        if names.count(found) != 1:
            near = nearest(found, names) if found not in names else []
            hint = f"is it {near[0]!r}?" if near else f"found {listed(map(repr, header))}"
            raise click.ClickException(
                f"--columns {name}={found}: the file has {names.count(found)} columns of that "
                f"name; {hint}"
            )
        places[names.index(found)] = name
    for place, name in places.items():
        names[place], named[place] = name, name if name in NAMES else None
    return names, named


def recognize(
    header: Sequence[str],
    symbol: str | None,
    *,
    extra: bool = False,
    volume: bool = True,
    chosen: Mapping[str, str] | None = None,
) -> Columns:
    """Return the columns of a header; `symbol` is the symbol of all bars, if it is given.

    `chosen` maps a name of a bar's column to a column of the file; the others count as usual. With
    `extra`, further columns are kept. Without `volume`, the file has none. Raises
    `click.ClickException` naming missing, duplicate or ambiguous columns.
    """
    names, named = _given_names(header, chosen or {})
    at = {field: position for position, field in enumerate(named) if field}
    others = [name for name, field in zip(names, named, strict=True) if field is None]
    _refuse_double(header, named)
    _refuse_two_symbols(header, at, symbol)
    _refuse_volume(header, at, volume)
    given = {"symbol"} if symbol is not None else set()
    given |= set() if volume else {"volume"}
    missing = [field for field in NAMES if field not in at and field not in given]
    if missing:
        raise click.ClickException(_what_is_missing(missing, header, others))
    kept = _further(names, named) if extra else {}
    return Columns(at, len(header), [name for name in others if name not in kept], kept)


def _further(header: Sequence[str], named: Sequence[str | None]) -> dict[str, int]:
    """Return the further columns by name; one without a name, such as row numbers, is none."""
    kept: dict[str, int] = {}
    for position, (name, field) in enumerate(zip(header, named, strict=True)):
        if field is None and name:
            if name in kept:
                raise click.ClickException(f"the column {name!r} is there twice: rename one")
            if name in NAMES:
                raise click.ClickException(
                    f"another column is given as {name!r}; give the one of that name another name, "
                    f"as in --columns vendor_{name}={name}"
                )
            kept[name] = position
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
                f"{split}say which one it is: --columns {field}={double[0]}"
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
