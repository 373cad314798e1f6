"""Turns the options that a user wrote into a backend's config, or says all that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from storecore.errors import ConfigError
from storecore.inner import InnerStore, holds_stores
from storecore.isolation import is_programs

_Config = TypeVar("_Config", bound=Struct)
MakeInner = Callable[[Any, str, Path | None], InnerStore]
"""Makes a store of an option's value, given its key and the folder of its relative paths."""


def build_config(
    kind: type[_Config],
    options: Mapping[str, Any],
    *,
    place: str,
    folders: Mapping[str, Path] = MappingProxyType({}),
    inner: MakeInner | None = None,
) -> _Config:
    """Return the config that options say.

    `folders` says from which folder an option's relative path is taken, where not from here;
    `inner` makes a store of an option that is one. Raises one `ConfigError` that names every
    unknown key (with the nearest), missing key and wrong type after `place`. It does not repeat
    values, which may be secrets.
    """
    known = {field.encode_name: field for field in fields(kind)}
    problems = [_unknown(key, known) for key in options if key not in known]
    values: dict[str, Any] = {}
    for key, field in known.items():
        if key in options and not holds_stores(field.type):
            _convert(field, options[key], folders.get(key), values, problems)
        elif key not in options and field.required:
            problems.append(f"{key}: missing; expected {_type_name(field)}")
    if problems:
        raise ConfigError("; ".join(f"{place} {problem}" for problem in problems))
    for key, field in known.items():
        if key in options and holds_stores(field.type):
            values[field.name] = _stores(field, options[key], folders.get(key), place, inner)
    try:
        return kind(**values)
    except BaseException as error:  # whatever the backend's own check raises
        if is_programs(error):
            raise
        raise ConfigError(f"{place}: {error}") from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean …?)` for the nearest spelling, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _unknown(key: object, known: Iterable[str]) -> str:
    names = sorted(known)
    expected = f"expected one of {', '.join(names)}" if names else "it takes no options"
    return f"{key}: unknown option{did_you_mean(str(key), names)}; {expected}"


def _convert(
    field: FieldInfo,
    value: Any,
    folder: Path | None,
    values: dict[str, Any],
    problems: list[str],
) -> None:
    """Put the value of one field into `values`, or what is wrong with it into `problems`."""

    def native(kind: type, given: Any) -> Any:
        if kind is Path and isinstance(given, str | Path):
            return _path(given, folder)
        if isinstance(given, kind):
            return given
        raise ValueError(f"Expected `{kind.__name__}`, got `{type(given).__name__}`")

    try:
        values[field.name] = msgspec.convert(value, field.type, dec_hook=native)
    except msgspec.ValidationError as error:
        where, _, inside = str(error).partition(" - at `$")
        choices = [str(choice) for choice in get_args(field.type)]
        if get_origin(field.type) is Literal:
            where = f"expected one of {', '.join(choices)}{did_you_mean(str(value), choices)}"
        problems.append(f"{field.encode_name}{inside.rstrip('`')}: {where}")


def _stores(
    field: FieldInfo, value: Any, folder: Path | None, place: str, inner: MakeInner | None
) -> Any:
    """Return the value of a field that is a store, or a list of them."""
    assert inner is not None, "a config that holds stores is made by storecore.opening alone"
    key = field.encode_name
    if field.type is InnerStore:
        return inner(value, key, folder)
    if isinstance(value, list | tuple):
        return [inner(each, f"{key}[{index}]", folder) for index, each in enumerate(value)]
    raise ConfigError(f"{place} {key}: expected a list of stores, got {type(value).__name__}")


def _path(given: str | Path, folder: Path | None) -> Path:
    if given == "":  # of an environment variable that is set to nothing, say
        raise ValueError("Expected a path, got an empty text")
    try:
        expanded = Path(given).expanduser()
    except RuntimeError as error:  # ~name where there is no such user
        raise ValueError(str(error)) from error
    return expanded if folder is None else folder / expanded


def _type_name(field: FieldInfo) -> str:
    return getattr(field.type, "__name__", str(field.type))
