"""The columns of a file of bars, recognized by their names in any case.

A name is *usual* or *weak*. A weak name, such as `Last`, `Price` or `v`, counts only if no column
has a usual name of that field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import click

from storecore.cli.imports.form import Form
from storecore.cli.text import listed, printable
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
_WEAK = {
    "symbol": ("sym", "code", "instrument", "pair", "security", "T", "S"),
    "date": (
        *("t", "dt", "ts", "gmt time", "local time", "date time", "start", "begin", "start time"),
        *("unix", "unix timestamp", "epoch", "period", "trading day", "trade date"),
        *("time period start", "datum", "data", "date utc", "timestamp utc"),
    ),
    "open": ("o", "open price", "price open", "first", "erster", "eröffnung", "otwarcie"),
    "high": ("h", "high price", "price high", "max", "hoch", "najwyzszy"),
    "low": ("l", "low price", "price low", "min", "tief", "najnizszy"),
    "close": (
        *("c", "close/last", "last", "last price", "price", "close price", "price close"),
        *("latest", "settle", "schluss", "schlusskurs", "zamkniecie"),
    ),
    "volume": (
        *("v", "tick volume", "tickvol", "volume traded", "base volume", "turnover volume"),
        *("volumen", "wolumen"),
    ),
}
_EXACT = ("T", "S")  # their small letters mean something else
_TICKS = ("tickvol", "tickvolume")
_NUMBERED = re.compile(r"^\d+\. ")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|\d{3,6}", re.ASCII)
_DAY = re.compile(
    r"(\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|\d{8}|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4})", re.ASCII
)


def field_of(name: str) -> str | None:
    """Return the field that a name names, None if it names none.

    As in tables of the API, blanks, underscores and a number in front ("1. open") do not count.
    That is in `storecore.store.frames.names`, which needs Arrow.
    """
    return _FIELDS.get(_plain(_NUMBERED.sub("", name.strip())))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


_FIELDS = {_plain(name): field for field, names in NAMES.items() for name in names}
_WEAK_FIELDS = {
    name if name in _EXACT else _plain(name): (field, rank)
    for field, names in _WEAK.items()
    for rank, name in enumerate(names)
}


def names_a_field(name: str) -> bool:
    """Return whether a name is a usual or weak one of a field."""
    return field_of(name) is not None or _weak(name) is not None


def _weak(name: str) -> tuple[str, int] | None:
    """Return the field that a weak name names, and its rank among those of the field."""
    name = name.strip()
    return _WEAK_FIELDS.get(name if name in _EXACT else _plain(name))


class Columns(NamedTuple):
    """The positions of the fields of a bar in a row: `at` maps field to position.

    `clock` is the position of times of the day, if the dates are without. `ticks` is the column
    whose volumes count if those of `at` are all zero. `down` is the column of volumes at falling
    prices, which are added to those of `at`. `replaced` is the column of symbols that --symbol
    replaces. `extra` maps the name of a further column to its position; `ignored` are the others.
    `notes` say what is not as usual.
    """

    at: dict[str, int]
    width: int
    ignored: list[str]
    extra: dict[str, int]
    clock: int | None = None
    ticks: int | None = None
    down: int | None = None
    replaced: int | None = None
    notes: tuple[str, ...] = ()


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
    places = {_place_of(name, found, names): name for name, found in chosen.items()}
    for place, name in places.items():
        names[place], named[place] = name, name if name in NAMES else None
    _add_weak(names, named, [*places])
    return names, named


def _place_of(name: str, found: str, names: Sequence[str]) -> int:
    """Return the only column that `--columns` names, in its case if there is one."""
    for known, wanted in ((names, found), ([*map(str.casefold, names)], found.casefold())):
        if known.count(wanted) == 1:
            return known.index(wanted)
        if wanted in known:
            break
    near = nearest(found, names) if found not in names else []
    hint = f"is it {near[0]!r}?" if near else f"found {listed(map(repr, names))}"
    raise click.ClickException(
        f"--columns {name}={found}: the file has {names.count(found)} columns of that name; {hint}"
    )


def _add_weak(names: Sequence[str], named: list[str | None], taken: Sequence[int]) -> None:
    """Name the fields that no usual name has by the first of their weak names."""
    ranked = sorted(
        (weak[1], place, weak[0])
        for place, name in enumerate(names)
        if place not in taken and named[place] is None and (weak := _weak(name)) is not None
    )
    for _, place, field in ranked:
        if field not in named:
            named[place] = field
    if "volume" not in named:  # Volume BTC, Volume USDT
        units = [place for place, name in enumerate(names) if name.casefold().startswith("volume ")]
        for place in units[:1] or _up_and_down(names)[:1]:
            named[place] = "volume"


def _up_and_down(names: Sequence[str]) -> list[int]:
    """Return the columns of volumes at rising and at falling prices, if there are both."""
    plain = [*map(_plain, names)]
    return [plain.index("up"), plain.index("down")] if {"up", "down"} <= {*plain} else []


def recognize(header: Sequence[str], form: Form, sample: Sequence[str] | None = None) -> Columns:
    """Return the columns of a header, as `form` says; `sample` is the first row.

    Raises `click.ClickException` naming missing, duplicate or ambiguous columns.
    """
    header = [_bare(name) for name in header]
    names, named = _given_names(header, form.columns)
    clock = _split_off_clock(named, sample)
    replaced = _drop_given_symbol(named, form.symbol)
    at = {field: position for position, field in enumerate(named) if field in NAMES}
    others = [name for name, field in zip(names, named, strict=True) if field is None]
    _refuse_double(header, named)
    _refuse_volume(header, at, form.volume)
    given = {"symbol"} if form.symbol is not None else set()
    given |= set() if form.volume == "required" else {"volume"}
    missing = [field for field in NAMES if field not in at and field not in given]
    if missing:
        raise click.ClickException(_what_is_missing(missing, header, others, form.stem))
    taken = [None if field is None and place != clock else "" for place, field in enumerate(named)]
    kept = _further(names, taken) if form.extra else {}
    ignored = [
        name for name in others if name not in kept and (clock is None or name != names[clock])
    ]
    ticks, down, notes = _ticks(names, at), _down(names, at), _note(header, replaced, form.symbol)
    if down is not None:
        notes += (f"volume: the sum of {header[at['volume']]} and {header[down]}",)
    return Columns(at, len(header), ignored, kept, clock, ticks, down, replaced, notes)


def has_symbols(header: Sequence[str], form: Form) -> bool:
    """Return whether a file has a column of symbols."""
    return "symbol" in _given_names([_bare(name) for name in header], form.columns)[1]


def _bare(name: str) -> str:
    """Return `<DATE>` as DATE."""
    name = name.strip()
    return name[1:-1] if name[:1] == "<" and name[-1:] == ">" else name


def _ticks(names: Sequence[str], at: Mapping[str, int]) -> int | None:
    """Return the column of tick volumes beside the one of volumes."""
    found = [place for place, name in enumerate(names) if _plain(name) in _TICKS]
    return found[0] if found and "volume" in at and at["volume"] != found[0] else None


def _down(names: Sequence[str], at: Mapping[str, int]) -> int | None:
    """Return the column of volumes at falling prices if that of volumes has only the others."""
    both = _up_and_down(names)
    return both[1] if both and at.get("volume") == both[0] else None


def with_ticks(columns: Columns, header: Sequence[str]) -> Columns:
    """Return columns in which tick volumes count, and the others are a further column."""
    ticks, volume = columns.ticks, columns.at["volume"]
    assert ticks is not None
    extra = {
        (_bare(header[volume]) if place == ticks else name): (volume if place == ticks else place)
        for name, place in columns.extra.items()
    }
    return columns._replace(at={**columns.at, "volume": ticks}, extra=extra)


def _split_off_clock(named: list[str | None], sample: Sequence[str] | None) -> int | None:
    """Return the column of times of the day if another has the days; it names no field then."""
    dates = [place for place, field in enumerate(named) if field == "date"]
    if sample is None or len(sample) != len(named) or len(dates) != 2:
        return None
    for day, clock in (dates, dates[::-1]):
        if _DAY.fullmatch(sample[day].strip()) and _CLOCK.fullmatch(sample[clock].strip()):
            named[clock] = None
            return clock
    return None


def _drop_given_symbol(named: list[str | None], symbol: str | None) -> int | None:
    """If the symbol is given, ignore the column of symbols; return its position."""
    if symbol is None or "symbol" not in named:
        return None
    place = named.index("symbol")
    named[place] = "given"
    return place


def _note(header: Sequence[str], replaced: int | None, symbol: str | None) -> tuple[str, ...]:
    if replaced is None:
        return ()
    return (
        f"the column {printable(header[replaced])!r} is not used: all rows are stored as "
        f"{printable(str(symbol))}, as --symbol says",
    )


def _further(names: Sequence[str], named: Sequence[str | None]) -> dict[str, int]:
    """Return the further columns by name, without those that have none, such as row numbers."""
    kept: dict[str, int] = {}
    for position, (name, field) in enumerate(zip(names, named, strict=True)):
        if field is None and name:
            if name in kept:
                raise click.ClickException(
                    f"the file has two columns {name!r}: rename one, or give --extra ignore"
                )
            if name in NAMES:
                raise click.ClickException(
                    f"another column is given as {name!r}; give the one of that name another name, "
                    f"as in --columns vendor_{name}={name}"
                )
            kept[name] = position
    return kept


def _refuse_volume(header: Sequence[str], at: dict[str, int], volume: str) -> None:
    if "volume" in at and volume == "absent":
        raise click.ClickException(
            f"--volume absent is given, but the file has the column {header[at['volume']]!r}: "
            "leave out one of them"
        )


def _refuse_double(header: Sequence[str], named: Sequence[str | None]) -> None:
    for field in NAMES:
        double = [name for name, meant in zip(header, named, strict=True) if meant == field]
        if len(double) > 1:
            raise click.ClickException(
                f"the columns {' and '.join(map(repr, double))} both name the {field}: "
                f"say which one it is: --columns {field}={double[0]}"
            )


def _what_is_missing(
    missing: list[str], header: Sequence[str], ignored: list[str], stem: str
) -> str:
    hint = "; if volumes are not reported, give --volume absent" if "volume" in missing else ""
    unnamed = [field for field in missing if field not in ("symbol", "volume")]
    if unnamed:
        hint += f"; if one has another name, say so as in --column {unnamed[0]}=NAME"
    return (
        f"missing columns: {', '.join(_hinted(field, ignored, stem) for field in missing)}; "
        f"found {listed(map(repr, header)) or 'none'}{hint}"
    )


def _hinted(field: str, ignored: list[str], stem: str) -> str:
    """Return a missing field with its accepted names, or with a misspelled one."""
    near = [name for known in NAMES[field] for name in nearest(known, ignored)]
    if near:
        return f"{field} (is it {near[0]!r}?)"
    named = f", or --symbol-from-name for {stem!r}" if stem else ""
    hint = {
        "symbol": f" (or give --symbol{named})",
        "date": f" ({' or '.join(NAMES['date'])})",
    }
    return field + hint.get(field, "")
