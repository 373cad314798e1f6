"""`open_store`: from what a user gives to an open store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from storecore.config import TABLE, StoreConfig, find_config, load_config
from storecore.discovery import described, load_spec
from storecore.errors import BackendLoadError, ConfigError, UnknownBackend
from storecore.hooks import BackendSpec, ResolvedSpec
from storecore.inner import InnerStore
from storecore.isolation import is_programs, reason
from storecore.observers import load_observers
from storecore.options import build_config, did_you_mean
from storecore.protocol import DataStore


def open_store(
    store: str | Mapping[str, Any] | None = None, /, *, observers: bool = True, **options: Any
) -> DataStore:
    """Open a store: a backend's name with its options, one mapping, or the config file found.

    Without arguments the `[store]` table of the nearest `storecore.toml`, here or above, is used.
    Options beside a mapping override its values. Relative paths of a config file are taken from its
    folder, those given here from the current one. With `observers=False` no installed observer is
    called for this store. Raises `ConfigError` for options that do not fit,
    `UnknownBackend` or `BackendLoadError` for a backend that cannot be had, and what the backend
    raises when it opens.
    """
    prepared = prepare(store, **options)
    if not observers:
        return prepared.open()
    return load_observers().watch(prepared.open(), prepared.spec)


def prepare(store: str | Mapping[str, Any] | None = None, /, **options: Any) -> InnerStore:
    """Return the store that `open_store` would open, its options checked, without opening it."""
    config = _config(store, options)
    source = config.source
    folders = {}
    if source:
        folders = dict.fromkeys(config.keys() - options.keys(), source.parent)
    return _prepared(config, f"{source}: " if source else "", TABLE, folders)


def _prepared(
    config: Mapping[str, Any], source: str, table: str, folders: Mapping[str, Path]
) -> InnerStore:
    """Return the store of a table of options, and so of the tables in it."""
    place = f"{source}[{table}]"
    name = config.get("backend")
    if not isinstance(name, str):
        raise ConfigError(f"{place} backend: expected the name of a backend, {_got(config)}")
    spec = _spec(name, f"{place} backend: " if source or table != TABLE else "")

    def inner(given: Any, key: str, folder: Path | None) -> InnerStore:
        if not isinstance(given, Mapping):
            raise ConfigError(
                f'{place} {key}: expected a store, as in {{ backend = "file", … }}, '
                f"got {type(given).__name__}"
            )
        inside = dict.fromkeys(given, folder) if folder else {}
        return _prepared(given, source, f"{table}.{key}", inside)

    given = {key: value for key, value in config.items() if key != "backend"}
    settings = build_config(spec.config, given, place=place, folders=folders, inner=inner)
    return InnerStore(_resolved(spec, name, settings), described(name), settings)


def _resolved(spec: BackendSpec, name: str, settings: Struct) -> ResolvedSpec:
    try:
        return spec.resolved(settings)
    except BaseException as error:
        if is_programs(error):
            raise
        raise BackendLoadError(
            f"{described(name)}: its capabilities or promises raised {reason(error)}"
        ) from error


def _got(config: Mapping[str, Any]) -> str:
    if "backend" in config:
        return f"got {config['backend']!r}"
    near = [key for key in config if did_you_mean(str(key), ["backend"])]
    return f"it is missing; is it {near[0]!r}?" if near else "it is missing"


def _spec(name: str, place: str) -> BackendSpec:
    try:
        return load_spec(name)
    except UnknownBackend as error:
        raise UnknownBackend(f"{place}{error}") from None


def _config(store: str | Mapping[str, Any] | None, options: dict[str, Any]) -> StoreConfig:
    """Return all that was given as one config."""
    if isinstance(store, str):
        return _named(store, options)
    if store is None:
        store = StoreConfig({}) if "backend" in options else load_config(find_config())
    if not isinstance(store, Mapping):
        raise ConfigError(
            f"open_store: expected a backend's name or a mapping, got {type(store).__name__}; "
            "for a config file give open_store(load_config(path))"
        )
    return StoreConfig({**store, **options}, getattr(store, "source", None))


def _named(name: str, options: dict[str, Any]) -> StoreConfig:
    if "backend" in options:
        raise ConfigError(
            f"open_store: two backends, {name!r} and {options['backend']!r}; give one"
        )
    if name.endswith(".toml"):
        raise ConfigError(
            f"open_store: expected a backend's name, got {name!r}; for a config file give "
            f"open_store(load_config({name!r}))"
        )
    return StoreConfig({**options, "backend": name})
