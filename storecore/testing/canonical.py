"""What a decision is by value: a form that two runs can compare, taken when it was decided.

Two arrays, frames, structs or objects are the same if their types and contents are. A number that
is not one (NaN) is the same as another. The form does not change with the value, which a strategy
may use again for its next decision.
"""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Set, ValuesView
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import ModuleType, NoneType
from typing import Any

from msgspec import Struct

from storecore.errors import InvalidData, shown
from storecore.store.base import Store

Path = tuple[int, ...]
"""The ids of the values around a value."""


def canonical(value: Any, what: str) -> Hashable:
    """Return a form of a value that equals another one if both values are the same.

    Raises `InvalidData`, which begins with `what`, if nothing of the value can be compared.
    """
    try:
        return _form(value, ())
    except _Incomparable as error:
        part = error.args[0]
        raise InvalidData(
            f"{what}: {shown(part)} is a {type(part).__name__}, which cannot be compared by value; "
            "return numbers, text, times, lists, dicts, arrays, frames, dataclasses, or objects "
            "whose attributes are such values"
        ) from None


class _Incomparable(Exception):
    """The value that has no form."""


def _form(value: Any, around: Path) -> Hashable:
    kind = type(value)
    for known, form in _PLAIN:
        if isinstance(value, known):
            return _name(kind), form(value)
    if id(value) in around or isinstance(value, Store | ModuleType):
        raise _Incomparable(value)
    around = (*around, id(value))
    if isinstance(value, Mapping):
        pairs = ((_form(key, around), _form(each, around)) for key, each in value.items())
        return _name(kind), frozenset(pairs)
    if isinstance(value, Set):
        return _name(kind), frozenset(_form(each, around) for each in value)
    if isinstance(value, list | tuple | deque | ValuesView):
        return _name(kind), _forms(value, around)
    parts = _LIBRARIES.get(kind.__module__.partition(".")[0], _attributes)(value)
    return _name(kind), _forms(parts, around)


def _forms(values: Iterable[Any], around: Path) -> tuple[Hashable, ...]:
    return tuple(_form(each, around) for each in values)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _number(value: float) -> Hashable:
    return "nan" if value != value else float(value)


_PLAIN: tuple[tuple[Any, Callable[[Any], Hashable]], ...] = (
    (Enum, lambda value: (value.name, str(value.value))),
    (bool | NoneType, lambda value: value),
    (int, int),
    (float, _number),
    (complex, lambda value: (_number(value.real), _number(value.imag))),
    (str, str.__str__),
    (bytes | bytearray, bytes),
    (Decimal | Fraction, str),
    (date | time, lambda value: value.isoformat()),
    (timedelta, lambda value: (str(value), value.total_seconds())),
    (os.PathLike, os.fspath),
    (type, _name),
)
"""Values without parts, and how to get a form of each."""


def _of_numpy(value: Any) -> list[Any]:
    """Return the parts of an array or a scalar."""
    if not hasattr(value, "tolist"):
        return [_text(value)]
    listed = value.tolist()
    return [str(value.dtype), value.shape, str(value) if type(listed) is type(value) else listed]


def _of_pandas(value: Any) -> list[Any]:
    """Return the parts of a frame, a series or an index."""
    if not hasattr(value, "to_numpy"):
        return [_text(value)]
    if hasattr(value, "columns"):
        columns = [value.iloc[:, number] for number in range(len(value.columns))]
        return [value.columns, value.index, columns]
    index = getattr(value, "index", None)
    return [str(value.dtype), getattr(value, "name", None), index, value.to_numpy().tolist()]


def _of_polars(value: Any) -> list[Any]:
    """Return the parts of a frame or a series. A lazy one has none yet."""
    if hasattr(value, "rows"):
        return [list(map(str, value.schema.items())), value.rows()]
    if hasattr(value, "to_list"):
        return [value.name, str(value.dtype), value.to_list()]
    raise _Incomparable(value)


def _of_arrow(value: Any) -> list[Any]:
    """Return the parts of a table, an array or a scalar."""
    if hasattr(value, "schema"):
        return [str(value.schema), [each.to_pylist() for each in value.columns]]
    if hasattr(value, "as_py"):
        return [str(value.type), value.as_py()]
    return [str(value.type), value.to_pylist()] if hasattr(value, "to_pylist") else [_text(value)]


_LIBRARIES: dict[str, Callable[[Any], list[Any]]] = {
    "numpy": _of_numpy,
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_arrow,
}
"""By the package of a type, how to get the parts of a value of it."""


def _attributes(value: Any) -> list[Any]:
    """Return the attributes of any other object, or its text if it cannot be pickled.

    An object of a type written in C may have more than its attributes. Then it is what a pickle of
    it would hold.
    """
    if isinstance(value, Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    if dataclasses.is_dataclass(value):
        return [getattr(value, each.name) for each in dataclasses.fields(value)]
    if isinstance(value, BaseException):
        return [value.args, vars(value)]
    if hasattr(value, "__next__"):
        raise _Incomparable(value)
    try:
        pickled = value.__reduce_ex__(2)
    except Exception:  # a type may refuse with any error
        return [_text(value)]
    if any(getattr(type(value), name) is not getattr(object, name) for name in _PICKLING):
        return [pickled] if isinstance(pickled, str) else [_again(each) for each in pickled[1:]]
    held = _slots(value) | getattr(value, "__dict__", {})
    return [held] if held or hasattr(value, "__dict__") else [_text(value)]


_PICKLING = ("__reduce_ex__", "__reduce__", "__getstate__")


def _again(value: Any) -> Any:
    return list(value) if hasattr(value, "__next__") else value


def _slots(value: Any) -> dict[str, Any]:
    """Return the attributes that are no entries of a `__dict__`."""
    found = {}
    for kind in type(value).__mro__:
        slots = getattr(kind, "__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            is_private = slot.startswith("__") and not slot.endswith("__")
            name = f"_{kind.__name__.lstrip('_')}{slot}" if is_private else slot
            if hasattr(value, name) and slot not in ("__dict__", "__weakref__"):
                found[name] = getattr(value, name)
    return found


def _text(value: Any) -> str:
    """Return the text of a value, if it says more than where the value is in memory."""
    text = repr(value)
    if " at 0x" in text:
        raise _Incomparable(value)
    return text
