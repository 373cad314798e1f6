"""The configuration of a store: the `[store]` table of a TOML file, or a mapping.

A file may have profiles beside `[store]`. `[profiles.paper]` overrides `[store]` key by key. A
profile that names another backend replaces `[store]`, since its options would not fit.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from stat import S_ISDIR
from types import MappingProxyType
from typing import Any, Self

from storecore.config.variables import Expanded
from storecore.errors import ConfigError
from storecore.errors.redaction import redacted
from storecore.values.suggestions import did_you_mean

FILE_NAME = "storecore.toml"
FILE_VARIABLE = "STORECORE_CONFIG"
TABLE = "store"
PROFILES = "profiles"


class Options(dict[str, Any]):
    """A plain dict whose repr shows only its keys, since values may be secrets."""

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{redacted(repr(key))}: {_shown(key, value)}" for key, value in self.items()
        )
        return f"{type(self).__name__}({{{shown}}})"

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:
        yield "keys", ", ".join(map(str, self))


class StoreConfig(Options):
    """The options of a store: a plain dict with the file that it was loaded from.

    `source` is that file, or None; `profile` is the chosen profile, or None. Relative paths among
    the options are relative to the folder of the file. A merged config (`config | {…}`) keeps both.
    """

    def __init__(
        self,
        options: Mapping[str, Any] = MappingProxyType({}),
        source: Path | None = None,
        profile: str | None = None,
    ) -> None:
        super().__init__(options)
        self.source = source
        self.profile = profile

    def copy(self) -> Self:
        """Return a copy with the same file and profile."""
        return type(self)(self, self.source, self.profile)

    def __or__(self, other: Mapping[str, Any]) -> Self:  # type: ignore[override]
        if not isinstance(other, Mapping):
            return NotImplemented
        return type(self)({**self, **other}, self.source, self.profile)

    def __ror__(self, other: Mapping[str, Any]) -> Self:  # type: ignore[override]
        if not isinstance(other, Mapping):
            return NotImplemented
        return type(self)({**other, **self}, self.source, self.profile)

    @property
    def place(self) -> str:
        """The prefix of errors about the options: the file, or an empty string."""
        profile = f" (profile {self.profile!r})" if self.profile else ""
        return f"{self.source}{profile}: " if self.source else ""


def load_config(
    path: str | os.PathLike[str] | None = None, *, profile: str | None = None
) -> StoreConfig:
    """Return the `[store]` table of a TOML file, with `"${NAME}"` replaced from the environment.

    Without a path the file is the result of `find_config`. `profile` names a table
    `[profiles.…]` that overrides `[store]`. Raises `ConfigError` naming the file and the place.
    """
    source = find_config() if path is None else Path(path)
    if redacted(str(source)) != str(source):
        raise ConfigError("expected a config file, got what looks like a connection string")
    document = _parse(source)
    options: dict[str, Any] = {}
    for name, table in _tables(document, source, profile):
        place = f"{source}: [{name}]"
        options |= {key: (value, f"{place} {key}") for key, value in table.items()}
    expanded = {key: expanded_at(value, place) for key, (value, place) in options.items()}
    return StoreConfig(expanded, source.absolute(), profile)


def find_config(start: str | os.PathLike[str] | None = None) -> Path:
    """Return the file that `STORECORE_CONFIG` names, or the nearest `storecore.toml`.

    The search covers `start` (by default the current folder) and the folders above. With `start`,
    the variable is ignored. Raises `ConfigError` if there is no such file.
    """
    named = os.environ.get(FILE_VARIABLE)
    if named and start is None:
        return _named_by_environment(named)
    folder = Path(start or ".").absolute()
    for place in (folder, *folder.parents):
        if _is_file(place / FILE_NAME):
            return place / FILE_NAME
    raise ConfigError(
        f"no {FILE_NAME} in {folder} or above; create one with a table [{TABLE}], "
        f'set {FILE_VARIABLE} to one, or name a backend: open_store("file", base_path="data")'
    )


def toml_value(text: str) -> Any:
    """Return the value of a text as TOML, or the text itself if it is not TOML."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if document.keys() == {"value"} else text


def expanded_at(value: Any, place: str) -> Any:
    """Return an option with every `${NAME}` in its strings replaced, once.

    Raises `ConfigError`, also if a table is inside itself.
    """
    try:
        return _expanded(value, place)
    except RecursionError:
        raise ConfigError(
            f"{place}: nested too deeply; expected tables that are not inside themselves"
        ) from None


def _expanded(value: Any, place: str) -> Any:
    kind = type(value)
    if kind in (dict, Options, StoreConfig, MappingProxyType):
        return Options({key: _expanded(item, f"{place} {key}") for key, item in value.items()})
    if kind in (list, tuple):
        return kind(_expanded(item, f"{place}[{index}]") for index, item in enumerate(value))
    if kind is str and "$" in value:
        try:
            return Expanded.of(value)
        except ValueError as error:
            raise ConfigError(f"{place}: {error}") from None
    return value


def _named_by_environment(named: str) -> Path:
    path = Path(os.path.expanduser(named))  # noqa: PTH111 - it leaves an unknown ~name as it is
    if not _is_file(path):
        raise ConfigError(
            f"the environment variable {FILE_VARIABLE} names {named!r}, which is not a file; "
            "set it to a config file, or unset it"
        )
    return path


def _is_file(path: Path) -> bool:
    """Return whether a path is a file or a pipe; False in a folder without access."""
    try:
        return not S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _parse(source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(source.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        failed = ConfigError(f"{source}: not UTF-8 (byte {error.start}); save it as UTF-8")
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    raise failed  # without its cause, which shows the content of the file


def _tables(
    document: dict[str, Any], source: Path, profile: str | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names and tables that make up a config; each overrides the ones before it."""
    store = document.get(TABLE)
    chosen = None if profile is None else _profile(document, source, profile)
    if chosen is None and not isinstance(store, dict):
        raise ConfigError(
            f'{source}: expected a table [{TABLE}] with backend = "…", found none'
            f"{_hint(TABLE, document)}"
        )
    if isinstance(store, dict) and not _stands_alone(chosen, store):
        yield TABLE, store
    if chosen is not None:
        yield f"{PROFILES}.{profile}", chosen


def _stands_alone(profile: dict[str, Any] | None, store: dict[str, Any]) -> bool:
    """Return whether a profile names another backend than `[store]` does."""
    if profile is None or "backend" not in profile or "backend" not in store:
        return False
    return bool(profile["backend"] != store["backend"])


def _profile(document: dict[str, Any], source: Path, profile: str) -> dict[str, Any]:
    profiles = document.get(PROFILES, {})
    names = profiles.keys() if isinstance(profiles, dict) else ()
    found = profiles[profile] if profile in names else None
    if not isinstance(found, dict):
        there = f"it has {', '.join(sorted(names))}" if names else _no_profiles(document)
        raise ConfigError(
            f"{source}: no profile {profile!r}{did_you_mean(str(profile), names)}; "
            f"expected a table [{PROFILES}.{profile}], {there}"
        )
    return found


def _no_profiles(document: dict[str, Any]) -> str:
    return f"found none{_hint(PROFILES, document)}"


def _hint(name: str, document: Iterable[str]) -> str:
    """Return a hint to the text that was written instead of a missing table, or an empty string."""
    near = [key for key in document if did_you_mean(key, [name])]
    if near:
        return f"; is it [{near[0]}]?"
    outside = name == TABLE and "backend" in document
    return f"; should backend be below [{TABLE}]?" if outside else ""


def _shown(key: str, value: Any) -> str:
    if key == "backend" and isinstance(value, str):
        return redacted(repr(value))
    return repr(value) if isinstance(value, Options) else "…"
