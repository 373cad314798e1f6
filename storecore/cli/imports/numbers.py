"""Texts as numbers: by Arrow where it reads them as we do, else each different text by Python.

Arrow takes `nan`, `inf` and numbers out of range, so its results are checked. Python takes what
vendors write: `$1,234.50`, `1.234,50` with a decimal comma, `58.41M`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.rows import MAX_WHOLE, price, volume
from storecore.errors import InvalidData
from storecore.store.frames.numbers import is_text

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
_ONE_GROUP = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)
_SIGNS = re.compile(r"^([+-]?)\s*(?:[$€£¥]|USD|EUR)\s*")
_TIMES = re.compile(r"(.*\d)\s*([KkMmBb])", re.ASCII | re.DOTALL)
_POINT = r"\.(\d{1,2}|\d{4,})\D*$|,\d{3}[,.]\d{3}"
_SUFFIX = {"k": 3, "m": 6, "b": 9}
_LONGEST = 400
_EXACT = 2.0**53
_ABSENT = ("", "-", "-1", "-1.0", "nan", "null", "none", "n/a", "na")  # with --volume none
Problems = dict[int, str]


class Style(NamedTuple):
    """How numbers are written: the decimal mark, `None` if a group of three is to be refused.

    Whole prices have `fixed_point` decimals.
    """

    decimal: str | None = None
    fixed_point: int = 0


class Values(NamedTuple):
    """A column of numbers, and the problems of rows whose number is null for that."""

    column: pa.Array
    problems: Problems


def prices(cells: pa.Array, field: str, style: Style) -> Values:
    """Return the prices of cells, which are texts or numbers of a typed file."""
    if is_text(cells.type) and style.fixed_point and not _with_points(cells):
        whole = prices(cells, field, style._replace(fixed_point=0))
        return whole._replace(column=pc.divide(whole.column, 10.0**style.fixed_point))
    quick = _quick(cells, style)
    if quick is not None and pc.all(pc.is_finite(quick)).as_py() is not False:
        return Values(quick, {})
    return _one_by_one(cells, lambda cell: price(number(cell, field, style), field), pa.float64())


def volumes(cells: pa.Array, style: Style, *, lenient: bool) -> Values:
    """Return the volumes of cells; an empty one was not reported.

    With `lenient`, neither was one of -1, a dash or what is written for nothing.
    """
    quick = _quick(cells, style)
    if quick is not None and _are_plain_volumes(quick):
        return Values(quick, {})

    def one(cell: Any) -> Any:
        text = str(cell).strip().casefold()
        is_absent = text in _ABSENT
        if cell is None or text == "" or (lenient and is_absent):
            return None
        try:
            return volume(number(cell, "volume", style), "volume")
        except InvalidData as error:
            hint = "; if it was not reported, give --volume none" if is_absent else ""
            raise InvalidData(f"{error}{hint}") from None

    found = _one_by_one(cells, one, None)
    return found._replace(column=_as_column(found.column))


def _are_plain_volumes(quick: pa.Array) -> bool:
    sound = pc.and_(pc.greater_equal(quick, 0.0), pc.less(quick, _EXACT))
    return quick.null_count == 0 and pc.all(sound).as_py() is not False


def _as_column(values: list[Any]) -> pa.Array:
    """Return volumes as int64 if a whole one is no float, else as float64."""
    whole = [each for each in values if type(each) is int]
    given = sum(each is not None for each in values)
    if len(whole) == given and any(int(float(each)) != each for each in whole):
        return pa.array(values, pa.int64())
    return pa.array([None if each is None else float(each) for each in values], pa.float64())


def _quick(cells: pa.Array, style: Style) -> pa.Array | None:
    """Return cells as Arrow's floats, None if it cannot read all of them."""
    kind = cells.type
    if pa.types.is_floating(kind):
        return pc.cast(cells, pa.float64()) if not cells.null_count else None
    if not is_text(kind) or cells.null_count or style.decimal == ",":
        return None
    try:
        return pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None


def _with_points(cells: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring(cells, ".")).as_py())


def _one_by_one(cells: pa.Array, convert: Callable[[Any], Any], kind: Any) -> Values:
    """Return each different cell converted once: a column of `kind`, or a list without one."""
    given = cells.to_pylist()
    known: dict[Any, tuple[Any, str]] = {}
    problems: Problems = {}
    found: list[Any] = []
    for row, cell in enumerate(given):
        key = (type(cell), str(cell))
        if key not in known:
            known[key] = _converted(cell, convert)
        value, problem = known[key]
        if problem:
            problems[row] = problem
        found.append(value)
    return Values(found if kind is None else pa.array(found, kind), problems)


def _converted(cell: Any, convert: Callable[[Any], Any]) -> tuple[Any, str]:
    try:
        return convert(cell), ""
    except InvalidData as error:
        return None, str(error)


def number(cell: Any, what: str, style: Style) -> Any:
    """Return the number of a text, an `int` if it is written as one.

    A value that is not a text is returned unchanged, to be checked by the bar laws. Raises
    `InvalidData` naming `what`.
    """
    if not isinstance(cell, str):
        return cell
    text = _plain(cell.strip(), what, style)
    times = _TIMES.fullmatch(text)
    text, power = (times[1], _SUFFIX[times[2].lower()]) if times else (text, 0)
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        raise InvalidData(f"{what}={cell[:40]!r}: expected a number such as 1234.5{_hint(text)}")
    if power:
        return _exact(Decimal(text).scaleb(power))
    return int(text) if _WHOLE.fullmatch(text) else _with_point(text)


def _plain(text: str, what: str, style: Style) -> str:
    """Return a number without a sign of money and separators of thousands, with a point."""
    if len(text) > _LONGEST:
        return text
    text = _SIGNS.sub(r"\1", text)
    if style.decimal == ",":
        whole, comma, rest = (
            text.replace("'", "").replace("\u00a0", "").replace(" ", "").partition(",")
        )
        return f"{whole.replace('.', '')}.{rest}" if comma else whole.replace(".", "")
    if not _GROUPED.fullmatch(text):
        return text
    if style.decimal is None and _ONE_GROUP.fullmatch(text):
        raise InvalidData(
            f"{what}={text!r}: it may be {text.replace(',', '')} or {text.replace(',', '.')}: give "
            "--decimal . or --decimal ,"
        )
    return text.replace(",", "")


def _hint(text: str) -> str:
    is_comma = re.fullmatch(r"[+-]?[\d.]*,\d+", text, re.ASCII)
    return "; if the comma is a decimal one, give --decimal ," if is_comma else ""


def _with_point(cell: str) -> int | float:
    """Return the nearest float of a number, or the whole number if no float may equal it."""
    near = float(cell)
    if not 2**53 <= abs(near) <= 2**63:
        return near
    return _exact(Decimal(cell))


def _exact(value: Decimal) -> int | float:
    whole = int(value)
    return whole if whole == value and whole <= MAX_WHOLE else float(value)


def with_points(texts: pa.Array, style: Style) -> pa.Array:
    """Return texts with numbers that have a decimal comma, such as 1.234,5, as 1234.5."""
    if style.decimal != "," or not is_text(texts.type):
        return texts
    is_number = pc.match_substring_regex(texts, r"^\s*[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?\s*$")
    plain = pc.replace_substring(pc.replace_substring(texts, ".", ""), ",", ".")
    return pc.if_else(is_number, plain, texts)


def decimal_of(columns: list[pa.Array]) -> str | None:
    """Return "." if columns of texts show that it is the decimal mark, None if they do not.

    1,234 beside 98.5 does, and so does 1,234.5 or 1,234,567. A decimal comma is never assumed.
    """
    texts = [column for column in columns if is_text(column.type)]
    shows = (pc.any(pc.match_substring_regex(column, _POINT)).as_py() for column in texts)
    return "." if any(shows) else None
