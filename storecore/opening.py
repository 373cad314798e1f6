"""`open_store`: from what a user gives to an open store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storecore.capabilities import CAPABILITIES
from storecore.config import TABLE, StoreConfig, find_config, load_config
from storecore.discovery import described, load_spec
from storecore.errors import BackendLoadError, ConfigError, StoreError, UnknownBackend
from storecore.hooks import BackendSpec
from storecore.observers import load_observers
from storecore.options import build_config, did_you_mean
from storecore.protocol import DataStore


def open_store(store: str | Mapping[str, Any] | None = None, /, **options: Any) -> DataStore:
    """Open a store: a backend's name with its options, one mapping, or the config file found.

    Without arguments the `[store]` table of the nearest `storecore.toml`, here or above, is used.
    Options beside a mapping override its values. Relative paths of a config file are taken from its
    folder, those given here from the current one. Raises `ConfigError` for options that do not fit,
    `UnknownBackend` or `BackendLoadError` for a backend that cannot be had, and what the backend
    raises when it opens.
    """
    config = _config(store, options)
    name = config.get("backend")
    place = f"{config.source}: [{TABLE}]" if config.source else f"[{TABLE}]"
    if not isinstance(name, str):
        raise ConfigError(f"{place} backend: expected the name of a backend, {_got(config)}")
    spec = _spec(name, f"{place} backend: " if config.source else "")
    folders = {}
    if config.source:
        folders = dict.fromkeys(config.keys() - options.keys(), config.source.parent)
    given = {key: value for key, value in config.items() if key != "backend"}
    observers = load_observers()
    opened = _open(spec, build_config(spec.config, given, place=place, folders=folders))
    return observers.watch(opened, spec)


def _got(config: StoreConfig) -> str:
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


def _open(spec: BackendSpec, config: Any) -> DataStore:
    try:
        opened = spec.open(config)
    except StoreError:
        raise
    except Exception as error:
        raise BackendLoadError(
            f"{described(spec.name)}: its open raised {type(error).__name__}: {error}"
        ) from error
    missing = _lacking(opened, DataStore)
    if missing:
        raise BackendLoadError(
            f"{described(spec.name)}: it opened a {type(opened).__name__}, which is no DataStore: "
            f"it lacks {', '.join(missing)}"
        )
    for name in sorted(spec.capabilities):
        if _lacking(opened, CAPABILITIES[name]):
            raise BackendLoadError(
                f"{described(spec.name)}: it declares the capability {name}, but the "
                f"{type(opened).__name__} that it opened does not satisfy it"
            )
    return opened


def _lacking(store: object, protocol: type) -> list[str]:
    """Return the methods of a protocol that a store lacks.

    Not `isinstance`: from Python 3.12 on that does not see what a wrapper forwards.
    """
    public = [name for name in vars(protocol) if not name.startswith("_")]
    context = [name for name in ("__enter__", "__exit__") if name in vars(protocol)]
    return [name for name in (*public, *context) if not hasattr(store, name)]
