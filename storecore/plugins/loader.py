"""Loading of one plugin, backend or observer, through pluggy."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pluggy

from storecore.errors import text_of
from storecore.plugins import spec as hooks
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.metadata import Plugin
from storecore.values.suggestions import did_you_mean

_SPECIFIED = [name for name in vars(hooks) if name.startswith("storecore_")]


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
        problem = _unknown_hook(manager) or _unknown_parameter(manager, target)
        raise PluginError(problem or text_of(error)) from error
    except BaseException as error:  # pluggy reads all attributes; lazy ones may fail
        if is_from_program(error):
            raise
        raise PluginError(f"it cannot be registered: {reason(error)}") from error
    return manager


def hook_names(plugin: Plugin, manager: pluggy.PluginManager) -> list[str]:
    """Return the names of the hooks that a loaded plugin has.

    Raises `PluginError` if a function with the name of a hook is not marked, or if a call of a hook
    would not run it: nothing awaits a coroutine or iterates over a generator.
    """
    target = manager.get_plugin(plugin.name)
    callers = manager.get_hookcallers(target) or []
    for name in _SPECIFIED:
        function = getattr(target, name, None)
        if inspect.isroutine(function) and manager.parse_hookimpl_opts(target, name) is None:
            raise PluginError(f"{_place(function)}: {name} is not marked with @storecore.hookimpl")
    for caller in callers:
        for each in caller.get_hookimpls():
            _check_runs(caller.name, each)
    return [caller.name for caller in callers]


def _check_runs(name: str, hook: pluggy.HookImpl) -> None:
    function = hook.function
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(
            f"{_place(function)}: {name} is async, and nothing awaits it; write a plain function"
        )
    if inspect.isgeneratorfunction(function) and not (hook.wrapper or hook.hookwrapper):
        raise PluginError(
            f"{_place(function)}: {name} has a yield, and nothing runs it; write a plain function"
        )


def _import(plugin: Plugin) -> object:
    try:
        return plugin.entry_point.load()
    except BaseException as error:
        if is_from_program(error):
            raise
        raise PluginError(_why_not_imported(plugin, error)) from error


def _why_not_imported(plugin: Plugin, error: BaseException) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return f"its import failed: {reason(error)}"
    extra = plugin.extra_for(error.name or "")
    if extra is None:
        return f"its import failed: {error}"
    return f"it needs {error.name!r}: {plugin.pip_command(extra)}"


def _unknown_hook(manager: pluggy.PluginManager) -> str | None:
    """Return the error text for the first unknown hook of a plugin."""
    for name in vars(manager.hook):
        if not name.startswith("_") and name not in _SPECIFIED:
            return f"unknown hook {name!r}{did_you_mean(name, _SPECIFIED)}"
    return None


def _unknown_parameter(manager: pluggy.PluginManager, target: object) -> str | None:
    """Return the error text for the first parameter of a hook that storecore does not pass."""
    for attribute in dir(target):
        options = manager.parse_hookimpl_opts(target, attribute)
        if options is None:
            continue
        hook, function = options["specname"] or attribute, getattr(target, attribute)
        known = list(inspect.signature(getattr(hooks, hook)).parameters)
        for name in _required(function):
            if name not in known:
                may = f"it may name {', '.join(known)}" if known else "it has none"
                return f"{_place(function)}: {hook} has no parameter {name!r}; {may}"
    return None


def _required(function: Any) -> list[str]:
    """Return the names of the parameters without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]


def _place(function: Any) -> str:
    """Return file and line of a function, or its name if it is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else repr(function)
