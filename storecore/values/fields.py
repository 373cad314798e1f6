"""The values that each field of a record accepts, and the plain value stored for each.

Brokers, exchanges and data frames give numbers as `Decimal` or numpy scalars, and texts as enums of
`str`. Each is stored as the equal plain value, or refused with the name of its field. A `Decimal`
is stored as the float with the same digits: `Decimal("0.1")` as 0.1.

Only records that are not plain already need this table: see `documents.checked`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from math import isfinite
from numbers import Integral, Rational, Real
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Struct

from storecore.errors import InvalidData, shown
from storecore.models import Action, Decision, Event, FundamentalData, Order, OrderResult, Side


class Field(NamedTuple):
    """A description of the values that a field accepts, and the function that makes one plain."""

    expected: str
    plain: Callable[[Any], Any]

    def checked(self, value: Any, place: str) -> Any:
        """Return the plain value. Raises `InvalidData` with place, value and expectation."""
        try:
            return self.plain(value)
        except NotTaken as why:
            raise InvalidData(f"{place}={shown(value)}: expected {self.expected}{why}") from None


class NotTaken(Exception):
    """The reason why a value is refused: the end of a sentence that begins with the expectation."""


def plain_record(record: Struct, kind: type[Struct], what: str) -> Any:
    """Return a record of plain values. Raises `InvalidData` naming the first wrong field.

    `record` is of `kind` or of a subclass. A field that only the subclass has is refused: it would
    be lost.
    """
    known = FIELDS[kind]
    for name in record.__struct_fields__:
        if name not in known:
            raise InvalidData(
                f"{what}.{name}={shown(getattr(record, name))}: {kind.__name__} has no such field, "
                f"so it would be lost; give a plain {kind.__name__}"
            )
    return kind(
        **{
            name: field.checked(getattr(record, name), f"{what}.{name}")
            for name, field in known.items()
        }
    )


def is_number(value: Any) -> bool:
    """Return whether a value is a real number of any library, but not a bool.

    numpy registers its durations as whole numbers; they are refused, since their unit is unknown.
    """
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return False
    return (type(value).__module__, type(value).__name__) != ("numpy", "timedelta64")


def is_whole(value: Any) -> bool:
    """Return whether a value is a number of a type for whole numbers."""
    return isinstance(value, Integral) and is_number(value)


def nearest_float(value: Any) -> float:
    """Return the nearest float of a number, infinity if there is none."""
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):  # too large, or a Real without a float
        return float("inf")


def is_kept_as(number: float, value: Any) -> bool:
    """Return whether a finite float equals a number, or has the digits of a `Decimal`."""
    return number == value or (isinstance(value, Decimal) and Decimal(repr(number)) == value)


def without_point(value: Any) -> Any:
    """Return a whole `Decimal` within the range of floats as an int, any other value as it is.

    Converting a longer one, such as `Decimal("1e1000000")`, would take minutes.
    """
    if isinstance(value, Decimal) and isfinite(nearest_float(value)):
        whole = int(value)
        return whole if whole == value else value
    return value


def _float(value: Any) -> float:
    _check_number(value)
    number = nearest_float(value)
    if isfinite(number) and is_kept_as(number, value):
        return number
    finite = isfinite(number) or _is_finite(value)
    raise NotTaken("; no 64-bit float equals it: round it first" if finite else "")


def _number(value: Any) -> int | float:
    value = without_point(value)
    if is_whole(value):
        return _writable(int(value))
    return _float(value)


def _is_finite(value: Any) -> bool:
    """Return whether a number beyond all floats is finite."""
    return value.is_finite() if isinstance(value, Decimal) else isinstance(value, Rational)


def _check_number(value: Any) -> None:
    if not is_number(value):
        hint = "; convert it to a number" if isinstance(value, str) else ""
        raise NotTaken(f", got {type(value).__name__}{hint}")


def _writable(number: int) -> int:
    try:
        msgspec.json.encode(number)
    except ValueError:
        raise NotTaken("; it has too many digits") from None
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if isinstance(number, float) and not number.is_integer():
        raise NotTaken("")
    return int(number)


def _share(value: Any) -> float:
    number = _float(value)
    if not 0 <= number <= 1:
        raise NotTaken("")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        hint = "decode it first" if isinstance(value, bytes) else "convert it to a str"
        raise NotTaken(f", got {type(value).__name__}{'' if value is None else f'; {hint}'}")
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotTaken("; a lone surrogate is not text") from None
    return text


def _identifier(value: Any) -> int | str:
    if is_whole(value):
        return _writable(int(value))
    return _text(value)


def _side(value: Any) -> str:
    if isinstance(value, str) and str.__str__(value) in _SIDES:
        return str.__str__(value)
    meant = _meant(value)
    hint = f'; give "{meant}"' if meant in _SIDES else ""
    raise NotTaken(f", got {shown(value)}{hint}")


def _action(value: Any) -> Action:
    if isinstance(value, Action):
        return value
    meant = _meant(value)
    hint = f"; give Action.{meant}" if meant in Action.__members__ else ""
    raise NotTaken(f", got {shown(value)}{hint}")


def _meant(value: Any) -> str:
    """Return a text, or the value of an enum of texts, in capitals."""
    word = value.value if isinstance(value, Enum) else value
    return str.__str__(word).upper() if isinstance(word, str) else ""


def _or_none(field: Field) -> Field:
    return Field(
        f"{field.expected} or None", lambda value: None if value is None else field.plain(value)
    )


def _elsewhere(value: Any) -> Any:
    """Return a value unchanged: it was checked as a time or a document before."""
    return value


_SIDES = get_args(Side)
_CHECKED = Field("", _elsewhere)
_TEXT = Field("a str", _text)
_FLOAT = Field("a finite number", _float)
_NUMBER = Field("a finite number", _number)
_WHOLE = Field("a whole number", _whole)

FIELDS: Mapping[type[Struct], Mapping[str, Field]] = {
    FundamentalData: {
        "symbol": _TEXT,
        "timestamp": _CHECKED,
        "company_name": _TEXT,
        "cik": _TEXT,
        "employees": _or_none(_WHOLE),
        "shares_outstanding": _or_none(_NUMBER),
        "float_shares": _or_none(_NUMBER),
        "industry": _or_none(_TEXT),
        "category": _or_none(_TEXT),
        "subcategory": _or_none(_TEXT),
        "raw_xml": _TEXT,
        "extra": _CHECKED,
    },
    Event: {
        "type": _TEXT,
        "symbol": _or_none(_TEXT),
        "timestamp": _CHECKED,
        "ingested_at": _CHECKED,
        "source": _TEXT,
        "payload": _CHECKED,
    },
    Decision: {
        "symbol": _TEXT,
        "action": Field(f"one of {', '.join(map(str, Action))}", _action),
        "target_weight": _FLOAT,
        "confidence": Field("a number from 0 to 1", _share),
        "reasoning": _TEXT,
        "extra": _CHECKED,
    },
    Order: {
        "strategy_name": _TEXT,
        "symbol": _TEXT,
        "action": Field(" or ".join(f'"{side}"' for side in _SIDES), _side),
        "quantity": _NUMBER,
        "order_type": _TEXT,
        "limit_price": _or_none(_FLOAT),
        "extra": _CHECKED,
    },
    OrderResult: {
        "order_id": Field("an int or a str", _identifier),
        "status": _TEXT,
        "fill_price": _or_none(_FLOAT),
        "fill_quantity": _or_none(_NUMBER),
        "message": _or_none(_TEXT),
        "extra": _CHECKED,
    },
}
"""The fields of all records but bars, which are checked as columns in `storecore.bars`."""
