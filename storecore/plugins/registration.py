"""Registration of plugins at run time: a spec or an observer for a test, or one file."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from traceback import walk_tb
from types import FunctionType, ModuleType, TracebackType
from typing import Self

from storecore.errors import BackendLoadError, shown, type_name
from storecore.plugins.discovery import checked_spec, spec_of
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.loader import PluginError, hook_names, load_plugin
from storecore.plugins.metadata import Plugin
from storecore.plugins.process_state import changed_since, state
from storecore.plugins.registry import add, plugin_in_memory, remove
from storecore.plugins.spec import BACKENDS, OBSERVERS, PROJECT, BackendSpec, hookimpl

_CALL = "storecore.register()"
_HOOK = "storecore_backend"
_PLUGIN = (
    "a BackendSpec, or a module or an object with functions that are marked with "
    "@storecore.hookimpl"
)
_NAME = re.compile(r"[\w.-]+")  # what the rules of Python allow for a new entry point


class Registration:
    """Registered plugins. As a context manager it removes them at the end of the block."""

    def __init__(self, plugins: Sequence[Plugin], module: str = "") -> None:
        self._plugins = plugins
        self._module = module

    def undo(self) -> None:
        """Remove the plugins. Stores that are open stay open; a second call does nothing."""
        remove(self._plugins)
        module, self._module = self._module, ""  # a later plugin may get a module of this name
        sys.modules.pop(module, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()


def register(plugin: object) -> Registration:
    """Register a backend or an observer in this process, for tests.

    `plugin` is a `BackendSpec`, which `open_store` finds by its name, or a module or an object with
    functions that are marked with `@storecore.hookimpl`, as an entry point names. Observers are
    called for stores that are opened from then on. Call `undo()` of the result to remove it, or use
    the result in a `with` statement. Other processes do not see the plugin.

    Raises `BackendLoadError` or `ApiMismatch` for an invalid spec, a plugin without a valid hook
    and an observer that is registered already, and `DuplicateBackend` if a backend with this name
    is installed or registered.
    """
    if isinstance(plugin, BackendSpec):
        plugins = [_backend(plugin, _CALL)]
    elif isinstance(plugin, str | type | FunctionType):  # of a class the hooks lack `self`
        raise BackendLoadError(f"{_CALL}: expected {_PLUGIN}; got {_given(plugin)}")
    else:
        plugins = _plugins(getattr(plugin, "__name__", type_name(plugin)), _CALL, plugin)
    add(plugins)
    return Registration(plugins)


def check_spec(spec: BackendSpec, source: str) -> None:
    """Check a spec as that of an installed backend is checked; `source` names it in errors.

    Raises `BackendLoadError` or `ApiMismatch`.
    """
    if not isinstance(spec, BackendSpec):
        raise BackendLoadError(f"{source}: expected a BackendSpec, got {type_name(spec)}")
    _backend(spec, source)


def register_file(path: Path) -> Registration:
    """Import a file and register it as a plugin: a backend, an observer or formats of files.

    The file is code, and runs with all rights of this process. Raises `BackendLoadError` if it
    cannot be imported, has no hook or is an observer already, and what `register` raises for a
    backend in it.
    """
    name = _free_name(path)
    before = state()
    try:
        module = _imported(path, name)
        plugins = _plugins(path.stem, f"--plugin {path}", module, changed_since(before))
        add(plugins)
    except BaseException:
        sys.modules.pop(name, None)  # it may have removed itself
        raise
    return Registration(plugins, name)


class _OfSpec:
    """A plugin with one backend."""

    def __init__(self, spec: BackendSpec) -> None:
        self._spec = spec

    @hookimpl
    def storecore_backend(self) -> BackendSpec:
        return self._spec


def _backend(spec: BackendSpec, source: str, changes: tuple[str, ...] = ()) -> Plugin:
    """Return the plugin of a spec. Raises if the spec is invalid."""
    if not (isinstance(spec.name, str) and _NAME.fullmatch(spec.name)):
        raise BackendLoadError(
            f"{source}: expected the name of its spec to be letters, digits, '.', '-' and '_', "
            f"as that of an entry point, got {shown(spec.name)}"
        )
    plugin = plugin_in_memory(spec.name, source, BACKENDS, _OfSpec(spec), changes)
    checked_spec(plugin, [spec])
    return plugin


def _plugins(name: str, source: str, target: object, changes: tuple[str, ...] = ()) -> list[Plugin]:
    """Return the plugins of a module or an object: its backend, and itself for other hooks."""
    whole = plugin_in_memory(name, source, OBSERVERS, target, changes)
    try:
        manager = load_plugin(whole)
        hooks = hook_names(whole, manager)
    except PluginError as error:
        raise BackendLoadError(f"{source}: {error}") from error.__cause__
    if not hooks:
        given = f" in {_given(target)}; or give a BackendSpec" if source == _CALL else ""
        raise BackendLoadError(
            f"{source}: expected a function that is marked with @storecore.hookimpl, such as "
            f"{_HOOK}(); found none{given}"
        )
    backends = [_backend(spec_of(whole, manager), source, changes)] if _HOOK in hooks else []
    return [*backends, whole] if set(hooks) - {_HOOK} else backends


def _given(plugin: object) -> str:
    """Return what `register` was given, with what to give instead if that is known."""
    if isinstance(plugin, str):
        return f"the text {shown(plugin)}; open_store finds an installed backend by its name"
    if isinstance(plugin, type):
        has_hooks = any(hasattr(each, f"{PROJECT}_impl") for each in vars(plugin).values())
        return f"the class {plugin.__name__}{'; give an object of it' if has_hooks else ''}"
    if isinstance(plugin, FunctionType):
        called = f"; give {_HOOK}(), its result" if plugin.__name__ == _HOOK else ""
        return f"the function {plugin.__name__}{called}"
    if isinstance(plugin, ModuleType):
        return f"the module {plugin.__name__}"
    return f"the object {shown(plugin)}"


def _free_name(path: Path) -> str:
    """Return a name for the module of a file that no module has."""
    name = f"storecore_plugin_{re.sub(r'[^0-9A-Za-z]', '_', path.stem)}"
    while name in sys.modules:
        name += "_"
    return name


def _imported(path: Path, name: str) -> ModuleType:
    """Return the module of a file, with whatever ending. No compiled file is written."""
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(path.absolute())
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except BaseException as error:
        if is_from_program(error):
            raise
        raise BackendLoadError(
            f"--plugin {path}: its import failed{_line(error, path)}: {reason(error)}"
        ) from error
    return module


def _line(error: BaseException, path: Path) -> str:
    """Return the last line of a file that an error has passed through, for its message."""
    frames = walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == str(path)]
    return f" in line {lines[-1]}" if lines else ""
