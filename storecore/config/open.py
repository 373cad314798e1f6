"""`open_store`: from the arguments of a user to an open store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from storecore.config.file import TABLE, StoreConfig, expanded_at, load_config
from storecore.config.nested import NestedStore
from storecore.config.observed import observed
from storecore.config.options import build_config
from storecore.errors import (
    BackendLoadError,
    ConfigError,
    UnknownBackend,
    caused_by,
    shown,
    type_name,
)
from storecore.errors.redaction import is_connection
from storecore.plugins.discovery import described, load_spec, name_problems
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.observers import SWITCH, load_observers
from storecore.plugins.spec import BackendSpec, ResolvedSpec
from storecore.protocols import DataStore
from storecore.values.suggestions import did_you_mean

if TYPE_CHECKING:
    from storecore.store.base import Store


def open_store(
    store: str | Mapping[str, Any] | None = None,
    /,
    *,
    create: bool = True,
    observers: bool = True,
    **options: Any,
) -> Store:
    """Open a store: a backend's name with its options, one mapping, or the config file found.

    Without arguments, the config is the `[store]` table of the file that `STORECORE_CONFIG` names,
    or of the nearest `storecore.toml` in the current folder or above. Options override the values
    of a mapping. Relative paths in a config file are relative to its folder, those in arguments to
    the current folder. `${NAME}` in any text is replaced from the environment.

    Missing parts of the store are created. With `create=False` nothing is created, and a place
    without a store raises `NoStore`. With `observers=False` no installed observer is called for
    this store.

    For type checkers the result is a `Store`, with all capabilities. A backend may have fewer, and
    may be a class of its own with the ten methods: `isinstance(store, Catalog)` asks.

    Raises `ConfigError` for options that do not fit or a `create` or `observers` that is no bool,
    `UnknownBackend` or
    `BackendLoadError` for a backend that cannot be loaded, and what the backend raises when it
    opens.
    """
    _check_switches(create, observers)
    prepared = prepare(store, **options)
    chosen = prepared if create else prepared.existing()
    return cast("Store", opened(chosen) if observers else chosen.open())


def _check_switches(create: object, observers: object) -> None:
    """Raise if an argument is no bool: a text such as "off" would be true."""
    if not isinstance(create, bool):
        raise ConfigError(f"open_store: create: expected True or False, got {type_name(create)}")
    if not isinstance(observers, bool):
        raise ConfigError(
            f"open_store: observers: expected True or False, got {type_name(observers)}; to leave "
            f"single observers out, name them in the environment: {SWITCH}=-NAME,-NAME"
        )


def opened(
    prepared: NestedStore, around: Callable[[], AbstractContextManager[object]] = nullcontext
) -> DataStore:
    """Open a prepared store, with the installed observers, whose hooks run within `around()`."""
    observers = load_observers()._replace(around=around)
    store = prepared.open()
    return observed(store, prepared.spec, prepared.capabilities_of(store), observers)


def prepare(store: str | Mapping[str, Any] | None = None, /, **options: Any) -> NestedStore:
    """Return the store that `open_store` would open, with checked options."""
    config = _config(store, options)
    place = f"{config.place}[{TABLE}]"
    table = {key: expanded_at(value, f"{place} {key}") for key, value in config.items()}
    folders = {}
    if config.source:
        folders = dict.fromkeys(config.keys() - options.keys(), config.source.parent)
    return _prepared(table, config.place, TABLE, folders)


def _prepared(
    config: Mapping[str, Any], source: str, table: str, folders: Mapping[str, Path]
) -> NestedStore:
    """Return the store of a table of options, and recursively of its nested tables."""
    place = f"{source}[{table}]"
    name = config.get("backend")
    if not isinstance(name, str):
        raise ConfigError(f"{place} backend: expected the name of a backend, {_got(config)}")
    _check_name(name, place)
    spec = _spec(name, f"{place} backend: " if source or table != TABLE else "")

    def nested(given: Any, key: str, folder: Path | None) -> NestedStore:
        if not isinstance(given, Mapping):
            raise ConfigError(
                f'{place} {key}: expected a store, as in {{ backend = "file", … }}, '
                f"got {type_name(given)}"
            )
        inside = dict.fromkeys(given, folder) if folder else {}
        return _prepared(given, source, f"{table}.{key}", inside)

    given = {key: value for key, value in config.items() if key != "backend"}
    settings = build_config(spec.config, given, place=place, folders=folders, nested=nested)
    return NestedStore(_resolved(spec, name, settings), described(name), settings)


def _resolved(spec: BackendSpec, name: str, settings: Struct) -> ResolvedSpec:
    try:
        resolved = spec.resolved(settings)
    except BaseException as error:
        if is_from_program(error):
            raise
        failed = error
    else:
        for problem in name_problems(resolved):  # of functions: other names are known by now
            raise BackendLoadError(f"{described(name)}: {problem}")
        return resolved
    why = f"its capabilities or promises raised {reason(failed)}"
    raise caused_by(BackendLoadError(f"{described(name)}: {why}"), failed)


def _check_name(name: str, place: str) -> None:
    """Raise `UnknownBackend` if the name looks like a connection string, without repeating it."""
    if is_connection(name):
        raise UnknownBackend(
            f"{place} backend: expected the name of a backend, got what looks like a connection "
            'string; give it as an option of its backend: open_store(NAME, dsn="${DATABASE_URL}")'
        )


def _got(config: Mapping[str, Any]) -> str:
    if "backend" in config:
        given = config["backend"]
        return f"got {given if isinstance(given, int | float) else type_name(given)}"
    near = [key for key in config if did_you_mean(str(key), ["backend"])]
    return f"it is missing; is it {near[0]!r}?" if near else "it is missing"


def _spec(name: str, place: str) -> BackendSpec:
    try:
        return load_spec(name)
    except UnknownBackend as error:
        hint = "" if place else _if_folder(name)
        raise UnknownBackend(f"{place}{error}{hint}") from None


def _folders() -> set[Path]:
    """Return the folders in the current one, as far as it can be read."""
    with suppress(OSError):
        return {each for each in Path().iterdir() if each.is_dir()}
    return set()


def _if_folder(name: str) -> str:
    """Return what to do with the name of a backend that may be a folder."""
    is_path = name == "data" or any(each in name for each in "/\\~.") or Path(name) in _folders()
    return f'; for a folder give open_store("file", base_path={name!r})' if is_path else ""


def _config(store: str | Mapping[str, Any] | None, options: dict[str, Any]) -> StoreConfig:
    """Return the arguments of `open_store` as one config."""
    if isinstance(store, str):
        return _named(store, options)
    if store is None:
        store = StoreConfig() if "backend" in options else load_config()
    if not isinstance(store, Mapping):
        raise ConfigError(
            f"open_store: expected a backend's name or a mapping, got {type(store).__name__}; "
            'for a folder give open_store("file", base_path=…), for a config file '
            "open_store(load_config(path))"
        )
    source, profile = getattr(store, "source", None), getattr(store, "profile", None)
    return StoreConfig({**store, **options}, source, profile)


def _named_as(name: object) -> str:
    return "a connection string" if is_connection(str(name)) else shown(name)


def _named(name: str, options: dict[str, Any]) -> StoreConfig:
    if "backend" in options:
        raise ConfigError(
            f"open_store: two backends, {_named_as(name)} and {_named_as(options['backend'])}; "
            "give one"
        )
    if name.endswith(".toml"):
        raise ConfigError(
            f"open_store: expected a backend's name, got {_named_as(name)}; for a config file give "
            f"open_store(load_config({_named_as(name)}))"
        )
    return StoreConfig({**options, "backend": name})
