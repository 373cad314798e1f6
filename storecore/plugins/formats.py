"""Formats of files of bars, by vendor, which plugins add to those of `storecore import`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from storecore.errors import BackendLoadError, text_of
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.loader import PluginError, load_plugin
from storecore.plugins.metadata import Plugin
from storecore.plugins.registry import find
from storecore.plugins.spec import FORMATS, OBSERVERS


class ImportFormat(Struct, frozen=True, kw_only=True):
    """How a vendor writes files of bars: each field is the default of an option of the import.

    `names` has one entry for each number of columns that a file without a header may have, as in
    "date,open,high,low,close,volume". `header` and `row` are regular expressions that recognize a
    file: for the first names of its header, between commas, or for its first row. `file_name` is
    one for the whole name of a file without its endings, with the groups `symbol` (or `base`,
    `quote` and `settled`) and `timeframe`. `notice` says of times that are read as `timezone`
    what they are, if that may be wrong. `footer` begins lines that are not data. Whole prices have
    `fixed_point` decimals.
    """

    name: str
    summary: str = ""
    names: tuple[str, ...] = ()
    header: str = ""
    row: str = ""
    file_name: str = ""
    columns: Mapping[str, str] = {}
    delimiter: str | None = None
    date_format: str | None = None
    timezone: str = "UTC"
    notice: str = ""
    timeframe: str | None = None
    day: str = "instant"
    volume: str = "required"
    decimal: str | None = None
    encoding: str | None = None
    skip_lines: int = 0
    footer: str = ""
    fixed_point: int = 0


def plugin_formats() -> list[ImportFormat]:
    """Return the formats of installed plugins. Raises `BackendLoadError` naming a broken one."""
    return [each for plugin in find(OBSERVERS) for each in _formats_of(plugin)]


def _formats_of(plugin: Plugin) -> list[ImportFormat]:
    try:
        manager: Any = load_plugin(plugin)
        found = [each for given in manager.hook.storecore_import_formats() for each in given]
    except PluginError as error:
        raise BackendLoadError(f"{plugin.described}: {text_of(error)}") from error.__cause__
    except BaseException as error:
        if is_from_program(error):
            raise
        raise BackendLoadError(
            f"{plugin.described}: its {FORMATS} raised {reason(error)}"
        ) from error
    for each in found:
        if not isinstance(each, ImportFormat):
            raise BackendLoadError(
                f"{plugin.described}: expected its {FORMATS} to return a list of ImportFormat, "
                f"got one of {type(each).__name__}"
            )
    return found
