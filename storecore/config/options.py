"""Conversion of options to the config of a backend, with one error for all mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from storecore.config.mistakes import mistakes, unknown_key
from storecore.config.nested import NestedStore, holds_stores
from storecore.config.variables import path_text
from storecore.errors import ConfigError, caused_by, text_of, type_name
from storecore.errors.redaction import redacted
from storecore.plugins.isolation import is_from_program
from storecore.plugins.observers import SWITCH

_Config = TypeVar("_Config", bound=Struct)
_VALUE = re.compile(r"Invalid (enum )?value .*", re.S)  # of msgspec, which repeats the value
_OF_OPEN_STORE = {
    "create": "; it is an argument of open_store: open_store(…, create=False)",
    "observers": "; observers are switched off by open_store(…, observers=False), or in the "
    f"environment by {SWITCH}=off",
}
"""What to do with arguments of `open_store` that are given as options of a backend."""
MakeNested = Callable[[Any, str, Path | None], NestedStore]
"""Returns the store of an option's value, given its key and the folder of relative paths."""


def build_config(
    kind: type[_Config],
    options: Mapping[str, Any],
    *,
    place: str,
    folders: Mapping[str, Path] = MappingProxyType({}),
    nested: MakeNested | None = None,
) -> _Config:
    """Return the config with these options.

    `folders` maps options to the folder of their relative paths, by default the current one.
    `nested` returns the store of an option that is one. Raises one `ConfigError` that names, after
    `place`, every unknown key (with the nearest one), missing key and wrong type at any depth. It
    does not repeat values, which may be secrets.
    """
    known = {field.encode_name: field for field in fields(kind)}
    unknown = [key for key in options if key not in known]
    problems = [f"{unknown_key(key, known)}{_OF_OPEN_STORE.get(key, '')}" for key in unknown]
    values: dict[str, Any] = {}
    for key, field in known.items():
        if key in options and not holds_stores(field.type):
            _convert(field, options[key], folders.get(key), values, problems)
        elif key not in options and field.required:
            problems.append(f"{key}: missing; expected {_expected(key, field)}")
    if problems:
        raise ConfigError("; ".join(f"{place} {problem}" for problem in problems))
    for key, field in known.items():
        if key in options and holds_stores(field.type):
            values[field.name] = _stores(field, options[key], folders.get(key), place, nested)
    try:
        return kind(**values)
    except BaseException as error:  # any error of the backend's own check
        if is_from_program(error):
            raise
        failed = error
    raise caused_by(ConfigError(f"{place}: {text_of(failed)}"), failed)


def _convert(
    field: FieldInfo,
    value: Any,
    folder: Path | None,
    values: dict[str, Any],
    problems: list[str],
) -> None:
    """Add the value of one field to `values`, or its mistakes to `problems`."""

    def native(kind: type, given: Any) -> Any:
        if kind is Path and isinstance(given, str | Path):
            return _path(given, folder)
        if isinstance(given, kind):
            return given
        raise ValueError(f"Expected `{kind.__name__}`, got `{type_name(given)}`")

    found = list(mistakes(field.type, value, field.encode_name))
    problems += found
    if found:
        return
    try:
        values[field.name] = msgspec.convert(value, field.type, dec_hook=native)
    except msgspec.ValidationError as error:
        what, _, inside = str(error).partition(" - at `$")
        what = _VALUE.sub("expected another value", what)
        problems.append(f"{field.encode_name}{inside.rstrip('`')}: {what}")


def _stores(
    field: FieldInfo, value: Any, folder: Path | None, place: str, nested: MakeNested | None
) -> Any:
    """Return the value of a field that is a store, which may be missing, or a list of them."""
    assert nested is not None, "only storecore.config.open builds a config with nested stores"
    key = field.encode_name
    if get_origin(field.type) is not list:
        return None if value is None and not field.required else nested(value, key, folder)
    if isinstance(value, list | tuple):
        return [nested(each, f"{key}[{index}]", folder) for index, each in enumerate(value)]
    raise ConfigError(f"{place} {key}: expected a list of stores, got {type_name(value)}")


def _path(given: str | Path, folder: Path | None) -> Path:
    if given == "":  # such as an environment variable set to an empty string
        raise ValueError("Expected a path, got an empty text")
    if isinstance(given, str):  # in a Path from a program a dollar is literal
        given = path_text(given)
    if "://" in str(given) or redacted(str(given)) != str(given):
        raise ValueError("Expected a path, got a URL")
    try:
        expanded = Path(given).expanduser()
    except RuntimeError as error:  # ~name of an unknown user
        raise ValueError(str(error)) from error
    return expanded if folder is None else folder / expanded


def _expected(key: str, field: FieldInfo) -> str:
    """Return the type of an option for users, with an example if it is a store or some of them."""
    if not holds_stores(field.type):
        return _type_name(field)
    if get_origin(field.type) is list:
        return f'a list of stores, as in {key}=[{{backend="memory"}}]'
    return f'a store, as in {key}={{backend="memory"}}'


def _type_name(field: FieldInfo) -> str:
    return getattr(field.type, "__name__", str(field.type))
