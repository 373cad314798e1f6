"""The store of a command: a config file, or a backend and its options."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from storecore.cli.prints import prints_apart
from storecore.cli.text import examples as examples
from storecore.cli.text import printable
from storecore.config.file import FILE_VARIABLE, StoreConfig, find_config, load_config, toml_value
from storecore.config.nested import NestedStore
from storecore.config.open import opened, prepare
from storecore.errors import ConfigError
from storecore.errors.redaction import is_connection
from storecore.protocols import DataStore

_Made = TypeVar("_Made")
_KEY = re.compile(r"\w+")
_NEXT_OPTION = re.compile(r",(?=\w+=)")
_EXAMPLE = re.compile(r"as in (\w+=\[?\{[^}]*\}\]?)")  # of a store, which a shell must not read
_FORMS = "a store is a config file, or NAME:KEY=VALUE,… as in file:base_path=data"


class StoreChoice(NamedTuple):
    """The store that a command line names: a config, and the settings of --set."""

    config: StoreConfig
    settings: dict[str, Any]
    how: str = "options are given as --set KEY=VALUE"

    def open(self) -> DataStore:
        """Open the store, creating it if it is missing. Raises like `storecore.open_store`."""
        return self._hinted(lambda: opened(self.prepared(), prints_apart))

    def open_to_read(self) -> DataStore:
        """Open the store without creating anything (law D7). Raises `NoStore` if there is none."""
        return self._hinted(lambda: opened(self.prepared().for_reading(), prints_apart))

    def prepared(self) -> NestedStore:
        """Return the store with checked options, not yet open."""
        return self._hinted(lambda: prepare(self.config, **self.settings))

    def _hinted(self, make: Callable[[], _Made]) -> _Made:
        """Return the result of `make`; add to an error in the options how they are given."""
        try:
            with prints_apart():
                return make()
        except ConfigError as error:
            if self.config.source or str(error).endswith(self.how):
                raise
            quoted = _EXAMPLE.sub(r"as in --set '\1'", str(error))
            hinted = ConfigError(f"{quoted}; {self.how}")
        raise hinted

    @property
    def named(self) -> str:
        """The backend and its config file, without values of options, which may be secrets."""
        source = self.config.source
        backend = f"backend {self.config.get('backend')!r}"
        profile = f" (profile {self.config.profile!r})" if self.config.profile else ""
        return backend if source is None else f"{backend} of {printable(str(source))}{profile}"


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --config, --profile, --backend and --set to a command, which receives a `choice`."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="A config file [default: STORECORE_CONFIG, or the storecore.toml in this folder or "
        "the nearest one above].",
    )
    @click.option("--profile", metavar="NAME", help="A profile of the config: [profiles.NAME].")
    @click.option("--backend", metavar="NAME", help="The name of a backend, instead of a config.")
    @settings_option
    @functools.wraps(command)
    def with_choice(
        config: Path | None,
        profile: str | None,
        backend: str | None,
        settings: dict[str, Any],
        **given: Any,
    ) -> None:
        command(choice=_choice(config, profile, backend, settings), **given)

    return with_choice


def store_argument(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an argument that names a store: a config file or NAME:KEY=VALUE,…."""
    return click.argument(name, callback=_named)


def settings_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --set to a command, which receives `settings`: values by their keys."""
    return click.option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_parsed,
        help="An option of the backend, as a TOML value or as text; may be repeated. "
        "Overrides the config.",
    )(command)


def _choice(
    config: Path | None, profile: str | None, backend: str | None, settings: dict[str, Any]
) -> StoreChoice:
    if backend is None:
        return StoreChoice(load_config(config or _nearest_config(), profile=profile), settings)
    for option, given in (("--config", config), ("--profile", profile)):
        if given is not None:
            raise click.UsageError(f"{option} and --backend exclude each other: give one of them")
    return StoreChoice(StoreConfig({"backend": backend}), settings)


def _named(context: click.Context, parameter: click.Parameter, text: str) -> StoreChoice:
    """Return the store that an argument names. Errors do not show its options."""
    name, colon, options = text.partition(":")
    if Path(text).is_file() or not colon:
        if not Path(text).is_file():
            raise click.BadParameter(f"no config file {text!r}: {_FORMS}")
        return StoreChoice(load_config(text), {})
    settings = {}
    for setting in filter(None, _NEXT_OPTION.split(options)):
        key, equals, value = setting.partition("=")
        if not (_KEY.fullmatch(key) and equals) or key == "backend":
            raise click.BadParameter(f"expected KEY=VALUE,… after {name + colon!r}: {_FORMS}")
        settings[key] = toml_value(value)
    return StoreChoice(StoreConfig({"backend": name}), settings, _FORMS)


def _nearest_config() -> Path:
    if os.environ.get(FILE_VARIABLE):
        return find_config()
    try:
        return find_config()
    except ConfigError as error:
        raise click.UsageError(
            f"no storecore.toml in {Path.cwd()} or above: give --config FILE, "
            "or --backend NAME with its options as --set KEY=VALUE"
        ) from error


def _parsed(
    context: click.Context, parameter: click.Parameter, settings: tuple[str, ...]
) -> dict[str, Any]:
    """Return the values of --set by their keys."""
    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (key.strip() and equals) or is_connection(key):
            got = "" if is_connection(setting) else f", got {setting!r}"
            raise click.BadParameter(f"expected KEY=VALUE, as in base_path=data{got}")
        if key.strip() == "backend":
            raise click.BadParameter("a backend is chosen by --backend NAME")
        parsed[key.strip()] = toml_value(value)
    return parsed
