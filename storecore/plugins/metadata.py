"""The metadata of installed distributions: the plugins that they declare. Nothing is imported.

Every plugin is an entry point. A distribution whose metadata cannot be read is left out, and does
not hide the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import (
    Distribution,
    EntryPoint,
    MetadataPathFinder,
    PackageMetadata,
    PackageNotFoundError,
    distribution,
    distributions,
    entry_points,
)
from pathlib import Path
from typing import Any, NamedTuple, Self

from storecore.errors import StorageError
from storecore.plugins.isolation import reason
from storecore.plugins.spec import BACKENDS, OBSERVERS
from storecore.values.logger import log as _log

_Named = Callable[[Distribution | None], tuple[str, str]]
_REQUIREMENT = re.compile(r"([\w.-]+).*;.*\bextra\s*==\s*['\"]([^'\"]+)['\"]")


class Plugin(NamedTuple):
    """An entry point and the distribution that declares it."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    @classmethod
    def of(cls, entry_point: EntryPoint, *, named: _Named | None = None) -> Self:
        """Return the plugin that an entry point declares; `named` names its distribution."""
        return cls(entry_point.name, *(named or _name_and_version)(entry_point.dist), entry_point)

    @property
    def origin(self) -> str:
        """The distribution, its version and the entry point, for an error message.

        A plugin of no distribution has no version; then it is what registered it.
        """
        if not self.version:
            return self.distribution
        return f"{self.distribution} {self.version} (entry point {self.entry_point.value!r})"

    @property
    def described(self) -> str:
        """The plugin's name and origin, with which every error about it begins."""
        kind = "backend" if self.entry_point.group == BACKENDS else "plugin"
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


class BrokenPackage(NamedTuple):
    """An installed distribution with unreadable metadata: its name or folder, and the reason."""

    distribution: str
    why: str

    @classmethod
    def of(cls, dist: Any, error: Exception) -> Self:
        """Return the broken package of a distribution and the error that its metadata raised."""
        why = f"its metadata cannot be read: {reason(error)}; reinstall or uninstall it"
        folder = getattr(dist, "_path", "an unknown place")
        try:
            name = f"{dist.metadata['Name']} ({folder})"
        except Exception:
            name = str(folder)
        return cls(f"the package {name}", why)


_reported: set[BrokenPackage] = set()


def find(group: str) -> list[Plugin]:
    """Return the plugins of an entry-point group, sorted, importing nothing.

    A distribution with broken metadata is left out, and logged once.
    """
    found, broken = _found(group)
    for each in broken:
        if each not in _reported:
            _reported.add(each)
            _log.warning("%s is left out: %s", *each)
    return sorted(found)


def broken_packages() -> list[BrokenPackage]:
    """Return the distributions with broken metadata, for a caller that reports them.

    They are not logged again.
    """
    broken = {each for group in (BACKENDS, OBSERVERS) for each in _found(group)[1]}
    _reported.update(broken)
    return sorted(broken)


def _found(group: str) -> tuple[list[Plugin], list[BrokenPackage]]:
    try:
        declared: Iterable[EntryPoint | BrokenPackage] = entry_points(group=group)
    except Exception:  # one distribution with broken metadata must not hide all the others
        declared = _found_one_by_one(group)
    plugins: list[Plugin] = []
    broken: list[BrokenPackage] = []
    named = cache(_name_and_version)  # which takes a while, and a package may declare many
    for each in declared:
        if isinstance(each, BrokenPackage):
            broken.append(each)
            continue
        try:
            plugins.append(Plugin.of(each, named=named))
        except Exception as error:
            broken.append(BrokenPackage.of(each.dist, error))
    if broken:
        check_packages_are_read()
    return plugins, broken


def _found_one_by_one(group: str) -> Iterable[EntryPoint | BrokenPackage]:
    names = set[str]()
    for dist in distributions():
        try:
            declared = list(dist.entry_points.select(group=group))
            own = {normalized(Plugin.of(each).distribution) for each in declared}
            if not own & names:  # else one before it on the path hides it
                yield from declared
            names |= own
        except Exception as error:
            yield BrokenPackage.of(dist, error)


def check_packages_are_read() -> None:
    """Raise `StorageError` if no file can be opened, so that no package can be found.

    The cached listings of folders are dropped, since they are incomplete.
    """
    try:
        Path(__file__).open("rb").close()
    except OSError as error:
        MetadataPathFinder().invalidate_caches()
        raise StorageError(
            f"the installed packages cannot be read: {error.strerror}", __file__, error.errno
        ) from error


def is_installed(name: str) -> bool:
    """Return whether the distribution of a requirement is installed, in whatever version."""
    try:
        distribution(re.split(r"[^\w.-]", name)[0])
    except PackageNotFoundError:
        return False
    return True


def normalized(name: str) -> str:
    """Return the name of a distribution or an extra in the form that pip compares."""
    return re.sub(r"[-_.]+", "_", name).lower()


def _name_and_version(dist: Distribution | None) -> tuple[str, str]:
    if dist is None:  # an entry point without a distribution
        return "unknown", "unknown"
    fields = dist.metadata  # read and parsed, its long description too, each time it is asked for
    return _field(fields, "Name"), _field(fields, "Version")


def _field(fields: PackageMetadata, field: str) -> str:
    # A folder left by a broken uninstall has neither name nor version, and Python 3.12 and later
    # warn about reading a missing field.
    return fields[field] if field in fields else "unknown"  # noqa: SIM401 - typed without a get
