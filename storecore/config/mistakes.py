"""Mistakes in options at any depth: unknown and missing keys, wrong tags and choices.

msgspec ignores unknown keys, stops at the first mistake, and repeats a wrong value, which may be a
secret. So these are checked here first; msgspec then checks the types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec.inspect as kinds

from storecore.values.suggestions import did_you_mean

_Table = kinds.StructType | kinds.DataclassType | kinds.TypedDictType
_Choice = kinds.LiteralType | kinds.EnumType
_LISTS = (kinds.ListType, kinds.VarTupleType, kinds.SetType, kinds.FrozenSetType)
_TABLES = (kinds.StructType, kinds.DataclassType, kinds.TypedDictType)
_CHOICES = (kinds.LiteralType, kinds.EnumType)


def mistakes(kind: Any, value: Any, place: str) -> Iterator[str]:
    """Yield `PLACE: mistake` for each mistake in an option's value, without repeating the value."""
    yield from _mistakes(kinds.type_info(kind), value, place)


def unknown_key(key: object, known: Iterable[str], place: str = "") -> str:
    """Return the error text for an unknown key, with the nearest known one."""
    names = sorted(known)
    expected = f"expected one of {', '.join(names)}" if names else "it takes no options"
    return f"{place}{key}: unknown option{did_you_mean(str(key), names)}; {expected}"


def _mistakes(kind: kinds.Type, value: Any, place: str) -> Iterator[str]:
    if isinstance(kind, kinds.Metadata):
        yield from _mistakes(kind.type, value, place)
    elif isinstance(kind, kinds.UnionType):
        yield from _in_union(kind.types, value, place)
    elif isinstance(kind, _TABLES) and isinstance(value, Mapping):
        yield from _in_table(kind, value, place)
    elif isinstance(kind, kinds.DictType) and isinstance(value, Mapping):
        for key, each in value.items():
            yield from _mistakes(kind.value_type, each, f"{place}.{key}")
    elif isinstance(kind, _LISTS) and _is_list(value):
        for index, each in enumerate(value):
            yield from _mistakes(kind.item_type, each, f"{place}[{index}]")
    elif isinstance(kind, kinds.TupleType) and _is_list(value):
        for index, (item, each) in enumerate(zip(kind.item_types, value, strict=False)):
            yield from _mistakes(item, each, f"{place}[{index}]")
    elif isinstance(kind, _CHOICES) and isinstance(value, str) and not _is_choice(kind, value):
        yield _no_choice(_choices(kind), value, place)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _in_table(kind: _Table, value: Mapping[Any, Any], place: str) -> Iterator[str]:
    """Yield the mistakes in a nested table."""
    known = {field.encode_name: field for field in kind.fields}
    tag = getattr(kind, "tag_field", None)
    for key in value:
        if key not in known and key != tag:
            yield unknown_key(key, known, f"{place}.")
    for key, field in known.items():
        if key in value:
            yield from _mistakes(field.type, value[key], f"{place}.{key}")
        elif field.required:
            yield f"{place}.{key}: missing; expected {_name(field.type)}"


def _in_union(types: Sequence[kinds.Type], value: Any, place: str) -> Iterator[str]:
    """Yield the mistakes in a value of a union, checked by the types of its shape."""
    tables = [each for each in types if isinstance(each, kinds.StructType)]
    if len(tables) > 1 and isinstance(value, Mapping):
        yield from _in_tagged(tables, value, place)
    else:
        for each in types:
            yield from _mistakes(each, value, place)


def _in_tagged(
    tables: Sequence[kinds.StructType], value: Mapping[Any, Any], place: str
) -> Iterator[str]:
    """Yield the mistakes in a table whose tag names its type."""
    by_tag = {str(each.tag): each for each in tables}
    field = str(tables[0].tag_field)
    if field not in value:
        yield f"{place}.{field}: missing; expected one of {', '.join(by_tag)}"
    elif (given := str(value[field])) in by_tag:
        yield from _in_table(by_tag[given], value, place)
    else:
        yield _no_choice(list(by_tag), given, f"{place}.{field}")


def _no_choice(choices: Sequence[str], value: str, place: str) -> str:
    return f"{place}: expected one of {', '.join(choices)}{did_you_mean(value, choices)}"


def _is_choice(kind: _Choice, value: str) -> bool:
    if isinstance(kind, kinds.LiteralType):
        return value in kind.values
    try:
        return kind.cls(value) in kind.cls  # an enum may accept more than its members
    except ValueError:
        return False


def _choices(kind: _Choice) -> list[str]:
    values = (
        kind.values if isinstance(kind, kinds.LiteralType) else [each.value for each in kind.cls]
    )
    return [str(each) for each in values]


def _name(kind: kinds.Type) -> str:
    """Return the name of a type for users."""
    if isinstance(kind, kinds.UnionType):
        return " | ".join(map(_name, kind.types))
    if isinstance(kind, _CHOICES):
        return f"one of {', '.join(_choices(kind))}"
    if isinstance(kind, kinds.CustomType):
        return kind.cls.__name__
    if isinstance(kind, _TABLES):
        return "a table"
    return type(kind).__name__.removesuffix("Type").lower()
