"""What a plugin must leave as it is: the state that all code of a process shares."""

from __future__ import annotations

import decimal
import locale
import logging
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from storecore.plugins.loader import PluginError, load_plugin
from storecore.plugins.metadata import Plugin
from storecore.plugins.registry import RegisteredEntryPoint
from storecore.values.logger import log as _log


def _zone() -> tuple[Any, ...]:
    return os.environ.get("TZ"), time.tzname, time.timezone, time.altzone


def _signals() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _decimals() -> list[dict[str, Any]]:
    """Return the settings of the decimal contexts of this thread and of new ones."""
    names = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
    contexts = (decimal.getcontext(), decimal.DefaultContext)
    return [
        {**{name: getattr(each, name) for name in names}, "traps": dict(each.traps)}
        for each in contexts
    ]


def _folder() -> tuple[int, int]:
    found = os.stat(".")  # noqa: PTH116 - it may have been deleted
    return found.st_dev, found.st_ino


def _general_filters() -> list[Any]:
    """Return the filters of warnings of any text and module, which concern all code.

    numpy, for one, adds some with a text, which hide only warnings about itself.
    """
    return [each for each in warnings.filters if each[1] is None and each[3] is None]


def _logging() -> tuple[Any, ...]:
    loggers = logging.getLogger(), _log
    levels = [(each.level, each.disabled, each.propagate) for each in loggers]
    return levels, logging.root.manager.disable, list(loggers[0].handlers)


_STATE: dict[str, Callable[[], Any]] = {
    "the time zone (TZ)": _zone,
    "the locale": lambda: locale.setlocale(locale.LC_ALL),
    "signal handlers": _signals,
    "the decimal context": _decimals,
    "the working directory": _folder,
    "the default timeout of sockets": socket.getdefaulttimeout,
    "the handlers or levels of the root logger or of storecore's": _logging,
    "sys.path": lambda: list(sys.path),
    "the filters of warnings": _general_filters,
    "the limit of recursion": sys.getrecursionlimit,
    "sys.excepthook": lambda: sys.excepthook,
}
"""How to read each part of the state, by its name for users."""


def state() -> dict[str, Any]:
    """Return the parts of the state by their names."""
    return {name: read() for name, read in _STATE.items()}


def changed_since(before: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the parts that differ from an earlier state."""
    now = state()
    return tuple(name for name in before if now[name] != before[name])


def changed_by_import(plugin: Plugin) -> tuple[str, ...]:
    """Import a plugin and return the names of the parts of the state that this has changed.

    An error of the import is not raised. A plugin that was imported before changes nothing.
    """
    if isinstance(plugin.entry_point, RegisteredEntryPoint):
        return plugin.entry_point.changes
    before = state()
    with suppress(PluginError):
        load_plugin(plugin)
    return changed_since(before)
