"""Loading of one plugin, backend or observer, through pluggy."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, EntryPoint
from typing import NamedTuple, Self

import pluggy

from storecore.plugins import spec as hooks
from storecore.plugins.isolation import is_from_program, reason
from storecore.values.suggestions import did_you_mean

_REQUIREMENT = re.compile(r"([\w.-]+).*;.*\bextra\s*==\s*['\"]([^'\"]+)['\"]")


class PluginError(Exception):
    """The reason why a plugin could not be loaded; the caller adds the name of the plugin."""


class Plugin(NamedTuple):
    """An entry point and the distribution that declares it."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    @classmethod
    def of(cls, entry_point: EntryPoint) -> Self:
        """Return the plugin that an entry point declares."""
        dist = entry_point.dist
        if dist is None:  # an entry point without a distribution
            return cls(entry_point.name, "unknown", "unknown", entry_point)
        # A folder left by a broken uninstall has neither name nor version.
        name, version = _field(dist, "Name"), _field(dist, "Version")
        return cls(entry_point.name, name, version, entry_point)

    @property
    def origin(self) -> str:
        """The distribution, its version and the entry point, for an error message."""
        return f"{self.distribution} {self.version} (entry point {self.entry_point.value!r})"

    @property
    def described(self) -> str:
        """The plugin's name and origin, with which every error about it begins."""
        kind = "backend" if self.entry_point.group == hooks.BACKENDS else "plugin"
        return f"{kind} {self.name!r} from {self.origin}"

    @property
    def extras(self) -> list[str]:
        """The extras that the entry point declares; Python 3.11 would split `my-extra`."""
        declared = re.search(r"\[(.*)\]", self.entry_point.value)
        return re.findall(r"[\w.-]+", declared[1]) if declared else []

    def requirements(self, extra: str) -> list[str]:
        """Return the names of the distributions that an extra of this one requires."""
        return [
            name
            for name, required_by in self._optional()
            if normalized(required_by) == normalized(extra)
        ]

    def extra_for(self, module: str) -> str | None:
        """Return the extra whose absence explains a missing module, or None."""
        missing = module.partition(".")[0]
        of = [extra for name, extra in self._optional() if normalized(name) == normalized(missing)]
        if of:
            declared = [*map(normalized, self.extras)]
            return min(of, key=lambda extra: normalized(extra) not in declared)
        own = self.entry_point.module.partition(".")[0]
        return None if missing == own else next(iter(self.extras), None)

    def pip_command(self, extra: str) -> str:
        """Return the command that installs an extra."""
        return f"pip install '{self.distribution}[{extra}]'"

    def _optional(self) -> list[tuple[str, str]]:
        """Return (distribution, extra) for each optional requirement."""
        dist = self.entry_point.dist
        matches = (_REQUIREMENT.match(line) for line in (dist and dist.requires) or ())
        return [(match[1], match[2]) for match in matches if match]


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


def _field(dist: Distribution, field: str) -> str:
    fields = dist.metadata
    # Python 3.12 and later warn about reading a missing field.
    return fields[field] if field in fields else "unknown"  # noqa: SIM401 - typed without a get


def normalized(name: str) -> str:
    """Return the name of a distribution or an extra in the form that pip compares."""
    return re.sub(r"[-_.]+", "_", name).lower()
