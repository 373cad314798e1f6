"""Discovery of installed backends; a backend is loaded by its name only.

Three steps: *find* reads the metadata of installed distributions and imports nothing; *load*
imports one plugin and registers it with pluggy; *check* examines the returned `BackendSpec`. Every
error names the backend, the distribution and version, the entry point and the cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

import pluggy
from msgspec import Struct
from msgspec.structs import fields

from storecore.errors import (
    ApiMismatch,
    BackendLoadError,
    DuplicateBackend,
    UnknownBackend,
    text_of,
)
from storecore.plugins.isolation import is_from_program, reason
from storecore.plugins.known import KNOWN
from storecore.plugins.loader import PluginError, load_plugin
from storecore.plugins.metadata import (
    Plugin,
    broken_packages,
    check_packages_are_read,
    is_installed,
)
from storecore.plugins.registry import find
from storecore.plugins.spec import API_VERSION, BACKENDS, OBSERVERS, PROMISES, BackendSpec
from storecore.protocols import CAPABILITIES
from storecore.values.suggestions import did_you_mean

INSTALLED = "installed"
KNOWN_PACKAGES = {each.name: each.package for each in KNOWN}
"""The packages of known backends, as arguments of pip, by the name of the backend."""


class BackendInfo(NamedTuple):
    """A backend or an observer as described by package metadata, without importing it.

    `status` is "installed" or a problem ("duplicate: …", "missing extra: pip install …").
    """

    name: str
    distribution: str
    version: str
    entry_point: str
    status: str


def observers() -> list[BackendInfo]:
    """Return the observers of installed packages, without importing them."""
    return [_info(plugin, 1) for plugin in find(OBSERVERS)]


def backends() -> list[BackendInfo]:
    """Return the backends that installed packages provide, sorted by name and distribution."""
    found = find(BACKENDS)
    names = [plugin.name for plugin in found]
    return [_info(plugin, names.count(plugin.name)) for plugin in found]


def _info(plugin: Plugin, namesakes: int) -> BackendInfo:
    return BackendInfo(
        plugin.name,
        plugin.distribution,
        plugin.version,
        plugin.entry_point.value,
        _status(plugin, namesakes),
    )


def load_spec(name: str) -> BackendSpec:
    """Import the backend of that name, and no other, and return its spec.

    Raises `UnknownBackend`, `DuplicateBackend`, `ApiMismatch` or `BackendLoadError`.
    """
    plugin = _the_one(name, find(BACKENDS))
    try:
        manager = load_plugin(plugin)
    except PluginError as error:
        raise BackendLoadError(f"{plugin.described}: {text_of(error)}") from error.__cause__
    return checked_spec(plugin, _returned(plugin, manager))


def spec_of(plugin: Plugin, manager: pluggy.PluginManager) -> BackendSpec:
    """Return the spec of a loaded plugin, by whatever name. Raises `BackendLoadError`."""
    return _the_spec(plugin, _returned(plugin, manager))


def _returned(plugin: Plugin, manager: pluggy.PluginManager) -> list[object]:
    """Return the results of the hook of a backend."""
    try:
        results: list[object] = manager.hook.storecore_backend()
    except BaseException as error:
        if is_from_program(error):
            raise
        raise BackendLoadError(
            f"{plugin.described}: its storecore_backend raised {reason(error)}"
        ) from error
    return results


def described(name: str) -> str:
    """Return the name and origin of a backend, with which every error about it begins."""
    return _the_one(name, find(BACKENDS)).described


def _the_one(name: str, found: list[Plugin]) -> Plugin:
    matches = [plugin for plugin in found if plugin.name == name]
    if not matches:
        check_packages_are_read()
        names = sorted({plugin.name for plugin in found})
        raise UnknownBackend(
            f"no backend {name!r}{_provided(str(name)) or did_you_mean(str(name), names)}; "
            f"installed: {', '.join(names) or 'none (is storecore itself installed with pip?)'}"
            f"{_left_out()}"
        )
    if len(matches) > 1:
        raise DuplicateBackend(
            f"backend {name!r} is provided twice, by "
            f"{' and by '.join(plugin.origin for plugin in matches)}; {_remedy(name, matches)}"
        )
    return matches[0]


def _remedy(name: str, namesakes: list[Plugin]) -> str:
    """Return which package to uninstall: of a known backend, every one but its own."""
    owner = KNOWN_PACKAGES.get(name, "").partition("[")[0]
    others = [each.distribution for each in namesakes if each.distribution != owner]
    if 0 < len(others) < len(namesakes):
        return f"the name belongs to {owner}: uninstall {', '.join(others)}"
    return "uninstall one of them"


def plugins_named(name: str) -> list[Plugin]:
    """Return the backends and observers with a name, without importing them."""
    return [each for group in (BACKENDS, OBSERVERS) for each in find(group) if each.name == name]


def _left_out() -> str:
    """Return `; left out: …` with the packages that may provide a missing plugin, or ""."""
    broken = ", ".join(f"{each.distribution} ({each.why})" for each in broken_packages())
    return f"; left out: {broken}" if broken else ""


def _provided(name: str) -> str:
    """Return ` (… provides it: …)` for a backend of a known package, else an empty string."""
    package = KNOWN_PACKAGES.get(name)
    return f" (a known package provides it: pip install '{package}')" if package else ""


def checked_spec(plugin: Plugin, results: list[object]) -> BackendSpec:
    """Return the spec that a plugin returned. Raises if there is not exactly one valid spec."""
    spec = _the_spec(plugin, results)
    if spec.api != API_VERSION:
        raise ApiMismatch(
            f"{plugin.described}: written for version {spec.api} of the plugin interface, this "
            f"storecore has version {API_VERSION}; "
            f"upgrade {'storecore' if _newer(spec.api) else plugin.distribution}"
        )
    for problem in _problems(plugin, spec):
        raise BackendLoadError(f"{plugin.described}: {problem}")
    return spec


def _the_spec(plugin: Plugin, results: list[object]) -> BackendSpec:
    if len(results) != 1:
        raise BackendLoadError(
            f"{plugin.described}: expected a hook storecore_backend that returns a BackendSpec, "
            "found none; is it marked with @storecore.hookimpl?"
        )
    spec = results[0]
    if not isinstance(spec, BackendSpec):
        raise BackendLoadError(
            f"{plugin.described}: expected its storecore_backend to return a BackendSpec, "
            f"got {type(spec).__name__}"
        )
    return spec


def _newer(api: object) -> bool:
    return isinstance(api, int) and api > API_VERSION


def _problems(plugin: Plugin, spec: BackendSpec) -> Iterable[str]:
    if spec.name != plugin.name:
        yield f"its spec is named {spec.name!r}, expected {plugin.name!r}, its entry point's name"
    if not (isinstance(spec.config, type) and issubclass(spec.config, Struct)):
        yield f"expected its spec's config to be a msgspec.Struct class, got {spec.config!r}"
    else:
        yield from _unknown_types(spec.config)
    if not callable(spec.open):
        yield f"expected its spec's open to be callable, got {spec.open!r}"
    for optional in ("init", "open_existing", "remove"):
        given = getattr(spec, optional)
        if not (given is None or callable(given)):
            yield f"expected its spec's {optional} to be callable or None, got {given!r}"
    if not isinstance(spec.summary, str):
        yield f"expected its spec's summary to be a str, got {spec.summary!r}"
    if callable(spec.optional):
        yield f"expected its spec's optional to be a frozenset, got {spec.optional!r}"
    yield from name_problems(spec)


def _unknown_types(config: type[Struct]) -> Iterable[str]:
    """Yield why the types of the options cannot be read, such as a name that is not there."""
    try:
        fields(config)
    except Exception as error:
        yield f"the types of its config {config.__name__} cannot be read: {reason(error)}"


def name_problems(spec: BackendSpec) -> Iterable[str]:
    """Yield the mistakes in the names that a spec declares."""
    yield from _name_problems("capability", "capabilities", spec.capabilities, CAPABILITIES)
    yield from _name_problems("capability", "optional", spec.optional, CAPABILITIES)
    yield from _name_problems("promise", "promises", spec.promises, PROMISES)


def _name_problems(
    kind: str, field: str, declared: object, known: Mapping[str, object]
) -> Iterable[str]:
    """Yield the mistakes in declared names; a function of the config is called only at opening."""
    if callable(declared):
        return
    if isinstance(declared, Set):
        for name in sorted(map(str, declared - known.keys())):
            yield f"unknown {kind} {name!r}{did_you_mean(name, known)}"
    else:
        yield f"expected its spec's {field} to be a frozenset, got {declared!r}"


def _status(plugin: Plugin, namesakes: int) -> str:
    if namesakes > 1:
        return "duplicate: provided by more than one distribution"
    missing = next((extra for extra in plugin.extras if _lacks(plugin, extra)), None)
    return INSTALLED if missing is None else f"missing extra: {plugin.pip_command(missing)}"


def _lacks(plugin: Plugin, extra: str) -> bool:
    """Return whether a requirement of an extra is not installed, in whatever version."""
    return any(not is_installed(name) for name in plugin.requirements(extra))
