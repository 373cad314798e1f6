"""Recognition of the seven columns of a bar by the names that vendors give them.

Case, blanks, underscores and a number in front ("1. open") do not count. A table that begins with
the seven columns in storecore's order is taken as storecore's own: its other columns are further
ones, whatever their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from storecore.bars.extra_values import FIELDS
from storecore.store.frames.clocks import is_clock, is_day
from storecore.store.frames.numbers import is_text
from storecore.store.frames.options import Options
from storecore.store.frames.source import Column
from storecore.values.suggestions import nearest

_NAMES = {
    "symbol": "symbol ticker",
    "date": "date datetime timestamp time day opentime tsevent windowstart",
    **{name: name for name in ("open", "high", "low", "close", "volume")},
}
_FIELDS = {name: field for field, names in _NAMES.items() for name in names.split()}
_SHORT = {"symbol": "T S sym", "date": "t dt", "open": "o", "high": "h", "low": "l", "close": "c"}
_SHORT["volume"] = "v"
_NUMBERED = re.compile(r"^\d+\. ")
_DATE_NAMES = "Date, Datetime, timestamp, time, day, open_time, ts_event or window_start"


class Named(NamedTuple):
    """The columns of a table by what they are; `problems` says what is missing or ambiguous.

    `near` are columns that may be meant for missing ones.
    """

    fields: dict[str, Column]
    extra: dict[str, Column]
    problems: list[str]
    near: dict[str, str]


def field_of(label: str) -> str | None:
    """Return the field that a name names, None if it names none."""
    return _FIELDS.get(re.sub(r"[\W_]", "", _NUMBERED.sub("", label)).casefold())


def named(columns: list[Column], options: Options) -> Named:
    """Assign the columns of a table to the fields of a bar; the rest are further columns."""
    chosen, problems = _chosen(columns, options)
    rest = _without(columns, chosen.values())
    is_own = _is_own([each for each in columns if not each.is_index])
    for field in FIELDS:
        if field not in chosen:
            found = [each for each in rest if _is_named(each, field, is_own)]
            found = found or _unnamed(field, rest, options)
            problems += _ambiguous(field, found)
            chosen |= {field: found[0]} if found else {}
            rest = _without(rest, found)
    missing = _missing(chosen, options)
    others = [name for name in options.columns if name not in FIELDS]
    misspelt = {field: nearest(field, others) for field in missing}
    near = _near([field for field in missing if not misspelt[field]], rest)
    problems += _doubled(chosen, options)
    problems += [_absent(field, near.get(field), misspelt[field]) for field in missing]
    further = {name: each for name, each in chosen.items() if name not in FIELDS}
    extra, more = _further(further, rest, options)
    fields = {name: chosen[name] for name in FIELDS if name in chosen}
    return Named(fields, extra, problems + more, near)


def _is_own(columns: list[Column]) -> bool:
    """Return whether a table looks like one that storecore has given: it begins with the seven.

    Not if it may have been split into dates and times: a further column is called like a date, and
    has texts or times of a day, or several bars have one date.
    """
    own = columns[: len(FIELDS)]
    if tuple(each.name for each in own) != FIELDS:
        return False
    others = [each.values.type for each in columns[len(FIELDS) :] if field_of(each.name) == "date"]
    if not others:
        return True
    pairs = pa.table([own[0].values, own[1].values], names=["symbol", "date"])
    is_split = any(is_text(kind) or pa.types.is_time(kind) for kind in others)
    return not is_split and len(pairs.group_by(["symbol", "date"]).aggregate([])) == len(pairs)


def _without(columns: Iterable[Column], others: Iterable[Column]) -> list[Column]:
    """Return the columns that are not among others; columns have no equality."""
    seen = set(map(id, others))
    return [each for each in columns if id(each) not in seen]


def _chosen(given: list[Column], options: Options) -> tuple[dict[str, Column], list[str]]:
    """Return the columns that the keyword `columns` names."""
    chosen, problems = {}, []
    names = [each.name for each in given]
    for field, name in options.columns.items():
        found = [each for each in given if each.name == name]
        if len(found) == 1:
            chosen[field] = found[0]
        elif field not in FIELDS and name in FIELDS and field in names:
            problems.append(
                f"columns={{{field!r}: {name!r}}}: a column of a bar comes first, then that of the "
                f"table; swap them, as in columns={{{name!r}: {field!r}}}"
            )
        else:
            near = nearest(name, names)
            hint = f"is it {near[0]!r}?" if near and not found else f"it has {_listed(names)}"
            what = f"columns={{{field!r}: {name!r}}}"
            problems.append(f"{what}: the table has {len(found)} columns of that name; {hint}")
    return chosen, problems


def _is_named(column: Column, field: str, is_own: bool) -> bool:
    """Return whether a column has a name of a field, or is an index of times without a name."""
    if column.is_index:
        return field == "date" and _is_time(column.values.type)
    return column.name == field if is_own else field_of(column.name) == field


def _unnamed(field: str, rest: list[Column], options: Options) -> list[Column]:
    """Return the index of texts without a name that is a field for lack of a column.

    Symbols are looked for before dates, so a date must be there for a text to be a symbol.
    """
    texts = [each for each in rest if each.is_index and _is_label(each.values.type)]
    if field == "date":
        return texts[:1]
    dates = [each for each in rest if _is_named(each, "date", False)]
    is_asked = field == "symbol" and options.symbol is None
    return texts if is_asked and (dates or "date" in options.columns) else []


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_label(kind: pa.DataType) -> bool:
    """Return whether a level of an index holds neither times nor row numbers."""
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    return not _is_time(kind) and not any(bool(is_kind(kind)) for is_kind in numbers)


def _ambiguous(field: str, found: list[Column]) -> list[str]:
    if len(found) < 2:
        return []
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        return [f"expected one column {field!r}, got {len(names)}; drop the others"]
    clock = next((each for each in found if is_clock(each.values)), None)
    day = next((each for each in found if is_day(each.values)), None)
    if field == "date" and clock and day:
        return [_split(day.name, clock.name)]
    return [
        f"{_listed(names, ' and ')} may all be {field!r}; say which one it is, as in "
        f"columns={{{field!r}: {names[0]!r}}}: the others are then further columns"
    ]


def _split(day: str, clock: str) -> str:
    """Return the problem of dates that are split into days and times of the day."""
    return (
        f"{day!r} has days and {clock!r} times of the day; combine them into one column, as in "
        f"frame[{day!r}] = pandas.to_datetime(frame[{day!r}].astype(str) + ' ' + "
        f"frame.pop({clock!r}).astype(str)); a time without a zone is UTC"
    )


def _doubled(chosen: dict[str, Column], options: Options) -> list[str]:
    """Return the problems of a symbol or volume that is given by a keyword and a column."""
    problems = []
    if options.symbol is not None and "symbol" in chosen:
        column = chosen["symbol"]
        others = [each for each in column.values.unique().to_pylist() if each != options.symbol]
        if others:
            what = f"symbol={options.symbol!r} is given, but the column {column.name!r} has"
            problems.append(f"{what} {others[0]!r}; leave out one of them")
    if options.volume == "absent" and "volume" in chosen:
        what = f'volume="absent" is given, but the table has a column {chosen["volume"].name!r}'
        problems.append(f"{what}; leave out one of them")
    return problems


def _missing(chosen: dict[str, Column], options: Options) -> list[str]:
    """Return the fields that a table must have, and has not."""
    optional = {"symbol"} if options.symbol is not None else set()
    optional |= {"volume"} if options.volume == "absent" else set()
    given = {*chosen, *options.columns, *optional}
    return [field for field in FIELDS if field not in given]


def _near(missing: list[str], rest: list[Column]) -> dict[str, str]:
    """Return for missing fields the column that may be meant, by its spelling."""
    names = [each.name for each in rest if not each.is_index]
    found: dict[str, str] = {}
    for field in missing:
        near = [name for name in names if name in _SHORT[field].split()] or nearest(field, names)
        near = near or [name for name in names if field in name.casefold()]
        found |= {field: near[0]} if near else {}
    return found


def _absent(field: str, near: str | None, misspelt: list[str]) -> str:
    """Return the problem of a missing field, with what may be meant and what to do.

    `misspelt` are names in the keyword `columns` that are spelled like the field.
    """
    hint = "" if near is None else f"; is it {near!r}?"
    if misspelt:
        hint = f"; columns has {misspelt[0]!r}: did you mean {field!r}?"
    elif field == "volume":
        hint += '; if it is not reported, give volume="absent"'
    elif field == "symbol" and near is None:
        hint += '; if all rows are of one symbol, give it, as in symbol="AAPL"'
    elif field == "date" and near is None:
        hint += f"; it may be an index of times, or be called {_DATE_NAMES}"
    return f"expected one column {field!r}, got 0{hint}"


def _further(
    further: dict[str, Column], rest: list[Column], options: Options
) -> tuple[dict[str, Column], list[str]]:
    """Return the further columns by name, and the problems of those that cannot have theirs.

    An index without a name, such as row numbers, is left out.
    """
    if options.extra == "ignore":
        return further, []
    extra, problems = dict(further), []
    for column in rest:
        name = column.name
        if name in extra:
            problems.append(f"expected one column {name!r}, got several; rename or drop the others")
        elif name in FIELDS:
            problems.append(
                f"another column is given as {name!r}; give the one of that name another name, as "
                f"in columns={{'vendor_{name}': {name!r}}}"
            )
        if not column.is_index:
            extra[name] = column
    return extra, problems


def _listed(names: list[str], between: str = ", ") -> str:
    return between.join(map(repr, names))
