"""The names of a new backend: in a config, of its package, its module and its classes."""

from __future__ import annotations

import re
from typing import NamedTuple

import storecore
from storecore.errors import ConfigError, shown
from storecore.errors.redaction import is_connection
from storecore.plugins.discovery import KNOWN_PACKAGES
from storecore.plugins.metadata import normalized

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_PREFIX = "storecore-"
_MOST = 50
_FORM = (
    f"expected at most {_MOST} lowercase letters, digits and single - or _ between them, beginning "
    "with a letter, as in 'duckdb'"
)


class Names(NamedTuple):
    """What the parts of a new package are called."""

    name: str

    @property
    def package(self) -> str:
        """The name of the distribution, as pip knows it."""
        return f"{_PREFIX}{self.name}"

    @property
    def module(self) -> str:
        """The name of the module, an identifier."""
        return self.package.replace("-", "_")

    @property
    def stem(self) -> str:
        """With what the names of its classes begin."""
        return "".join(map(str.capitalize, re.split("[-_]", self.name)))


def checked_names(name: str) -> Names:
    """Return the names of a new backend. Raises `ConfigError` if it cannot have that name."""
    if is_connection(name):
        raise ConfigError(f"NAME looks like a connection string: {_FORM}")
    if not (_NAME.fullmatch(name) and len(name) <= _MOST):
        raise ConfigError(f"NAME {shown(name)}: {_FORM}{_suggestion(name)}")
    if name.startswith(_PREFIX):
        raise ConfigError(f"NAME {name!r}: omit {_PREFIX}, which is added{_suggestion(name)}")
    if name in KNOWN_PACKAGES:
        raise ConfigError(
            f"NAME {name!r}: a known backend of {KNOWN_PACKAGES[name]} has this name; "
            "choose another one"
        )
    for backend in storecore.backends():
        source = f"{backend.distribution} {backend.version}"
        if normalized(backend.name) == normalized(name):  # acme-kv has the module of acme_kv
            raise ConfigError(
                f"NAME {name!r}: a backend of this name is installed, from {source.strip()}; "
                "choose another one or uninstall that package"
            )
    return Names(name)


def _suggestion(name: str) -> str:
    """Return the nearest valid name, for an error, or an empty string."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-").removeprefix(_PREFIX)
    near = plain[:_MOST].strip("-")
    return f" (did you mean {near!r}?)" if _NAME.fullmatch(near) else ""
