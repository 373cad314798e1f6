"""Where a store's configuration comes from: the `[store]` table of a TOML file, or a mapping."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storecore.errors import ConfigError

FILE_NAME = "storecore.toml"
TABLE = "store"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class StoreConfig(dict[str, Any]):
    """The options of a store: a plain dict that knows which file it came from.

    `source` is that file, or None. Relative paths among the options are taken from its folder.
    """

    def __init__(self, options: Mapping[str, Any], source: Path | None = None) -> None:
        super().__init__(options)
        self.source = source


def load_config(path: str | os.PathLike[str]) -> StoreConfig:
    """Return the `[store]` table of a TOML file, `"${NAME}"` in it taken from the environment.

    Raises `ConfigError` naming the file and the place.
    """
    source = Path(path)
    table = _parse(source).get(TABLE)
    if not isinstance(table, dict):
        raise ConfigError(f'{source}: expected a table [{TABLE}] with backend = "…", found none')
    return StoreConfig(_expand(table, f"{source}: [{TABLE}]"), source.absolute())


def find_config(start: str | os.PathLike[str] | None = None) -> Path:
    """Return the nearest `storecore.toml`, in `start` (default: here) or a folder above.

    Raises `ConfigError` where there is none.
    """
    folder = Path(start or ".").absolute()
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    raise ConfigError(
        f"no {FILE_NAME} in {folder} or above; write one with a table [{TABLE}], "
        'or name a backend: open_store("file", base_path="data")'
    )


def _parse(source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(source.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error


def _expand(value: Any, place: str) -> Any:
    """Return value with every `${NAME}` in its strings replaced."""
    if isinstance(value, dict):
        return {key: _expand(item, f"{place} {key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match[1], place), value)
    return value


def _variable(name: str, place: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"{place}: the environment variable {name} is not set; set it")
    return value
