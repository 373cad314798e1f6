"""Loading of one plugin, backend or observer, through pluggy."""

from __future__ import annotations

import pluggy

from storecore.plugins import spec as hooks
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.metadata import Plugin
from storecore.values.suggestions import did_you_mean


class PluginError(Exception):
    """The reason why a plugin could not be loaded; the caller adds the name of the plugin."""


def load_plugin(plugin: Plugin) -> pluggy.PluginManager:
    """Import a plugin and return a pluggy manager with only this plugin.

    A separate manager keeps its errors out of the hooks of others. Raises `PluginError`.
    """
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    target = _import(plugin)
    try:
        manager.register(target, plugin.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{_unknown_hook(manager) or error}") from error
    except BaseException as error:  # pluggy reads all attributes; lazy ones may fail
        if is_from_program(error):
            raise
        raise PluginError(f"it cannot be registered: {reason(error)}") from error
    return manager


def hook_names(plugin: Plugin, manager: pluggy.PluginManager) -> list[str]:
    """Return the names of the hooks that a loaded plugin has."""
    callers = manager.get_hookcallers(manager.get_plugin(plugin.name)) or []
    return [caller.name for caller in callers]


def _import(plugin: Plugin) -> object:
    try:
        return plugin.entry_point.load()
    except ModuleNotFoundError as error:
        extra = plugin.extra_for(error.name or "")
        if extra is None:
            raise PluginError(f"its import failed: {error}") from error
        raise PluginError(f"it needs {error.name!r}: {plugin.pip_command(extra)}") from error
    except BaseException as error:
        if is_from_program(error):
            raise
        raise PluginError(f"its import failed: {reason(error)}") from error


def _unknown_hook(manager: pluggy.PluginManager) -> str | None:
    """Return the error text for the first unknown hook of a plugin."""
    specified = [name for name in vars(hooks) if name.startswith("storecore_")]
    for name in vars(manager.hook):
        if not name.startswith("_") and name not in specified:
            return f"unknown hook {name!r}{did_you_mean(name, specified)}"
    return None
