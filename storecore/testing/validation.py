"""`validate`: the kit run from a program, on a spec and its options."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from storecore.config.file import toml_value
from storecore.config.nested import NestedStore
from storecore.config.open import open_store, prepare
from storecore.config.options import build_config
from storecore.errors import ConfigError, shown
from storecore.plugins.registration import check_spec
from storecore.plugins.spec import BackendSpec
from storecore.testing.report import SuiteReport, suite_reports

WORDS = ("{tmp}", "{unique}")
"""What stands for a new folder, and for a new short name, in the options of each test."""
_QUIET = ("-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-p", "no:faulthandler")


class Given:
    """What is to be proven, as a plugin of the inner run; and what came of it."""

    def __init__(self, spec: BackendSpec, options: Mapping[str, Any]) -> None:
        self.name = spec.name
        self._spec = spec
        self.options = dict(options)
        self.reports: list[SuiteReport] = []

    @staticmethod
    def of_run(config: pytest.Config) -> Given:
        """Return what a run is to prove: what `validate` was given, or what the command line says.

        Raises `UsageError` if neither names a backend.
        """
        for plugin in config.pluginmanager.get_plugins():
            if isinstance(plugin, Given):
                return plugin
        return Named.of(config)

    def prepared(self, options: Mapping[str, Any]) -> NestedStore:
        """Return the store of some options. Raises `ConfigError`."""
        config = build_config(self._spec.config, options, place=f"[{self.name}]")
        return NestedStore(self._spec.resolved(config), f"the backend {self.name!r}", config)

    def reopen(self, options: Mapping[str, Any]) -> Callable[[], Any]:
        """Return a callable that opens the same place again, here and in other processes."""
        again = partial(self._spec.open, self.prepared(options).settings)
        try:
            pickle.dumps(again)
        except Exception:  # a lambda, say: then other processes find the backend by its name
            return partial(open_store, {"backend": self.name, **options})
        return again

    def asked_for(self, options: Mapping[str, Any]) -> Callable[..., Any]:
        """Return a callable that opens the place by `create`, as `open_store` does."""
        prepared = self.prepared(options)

        def opened(*, create: bool) -> Any:
            return (prepared if create else prepared.existing()).open()

        return opened

    def check(self) -> None:
        """Raise before any test what each of them would raise: options that are wrong.

        Without a word for a new place, the tests would write into one that may be in use.
        """
        with TemporaryDirectory(prefix="storecore-") as folder:
            prepared = self.prepared(filled(self.options, folder, "unique"))
        if _holds_path(prepared.options()) and not has_words(self.options):
            raise ConfigError(
                f"{prepared.described}: expected {{tmp}} in the path among its options (as in "
                "path={tmp}/desk.db), which is a new folder for each test; all tests would write "
                "into one place, over the data that is there"
            )

    def pytest_terminal_summary(self, config: pytest.Config) -> None:
        """Keep the report, as it is printed."""
        results: Any = config.pluginmanager.get_plugin("storecore-results")
        self.reports = suite_reports(results.reports)


class Named(Given):
    """An installed backend, named on the command line with its options."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = dict(options)

    @classmethod
    def of(cls, config: pytest.Config) -> Named:
        """Return what the command line says. Raises `UsageError` if it is incomplete."""
        name = config.getoption("storecore_backend")
        if name is None:
            raise pytest.UsageError("which backend? give --storecore-backend NAME")
        options = {}
        for each in config.getoption("storecore_set"):
            key, equals, value = each.partition("=")
            if not (key.strip() and equals):
                raise pytest.UsageError(f"--storecore-set: expected KEY=VALUE, got {shown(each)}")
            options[key.strip()] = value
        return cls(name, options)

    def prepared(self, options: Mapping[str, Any]) -> NestedStore:
        """Return the store of some options. Raises `ConfigError`, or why it cannot be loaded."""
        return prepare({"backend": self.name, **options})

    def reopen(self, options: Mapping[str, Any]) -> Callable[[], Any]:
        """Return a callable that opens the same place again, here and in other processes."""
        return partial(open_store, {"backend": self.name, **options})

    def asked_for(self, options: Mapping[str, Any]) -> Callable[..., Any]:
        """Return a callable that opens the place by `create`, as `open_store` does."""
        return partial(open_store, {"backend": self.name, **options})


def filled(options: Mapping[str, Any], folder: str, unique: str) -> dict[str, Any]:
    """Return the options of a test: its words replaced, each text as the TOML value that it is."""
    stand_for = dict(zip(WORDS, (folder, unique), strict=True))
    return {key: _value(value, stand_for) for key, value in options.items()}


def _value(value: Any, stand_for: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    for word, text in stand_for.items():
        value = value.replace(word, text)
    return toml_value(value)


def has_words(options: Mapping[str, Any]) -> bool:
    """Return whether each test has a place of its own."""
    return any(word in str(options) for word in WORDS)


def _holds_path(value: Any) -> bool:
    """Return whether options hold a path, also those of a nested store."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return isinstance(value, Path)
    return any(map(_holds_path, value))


def validate(
    spec: BackendSpec, options: Mapping[str, Any] | None = None, *, only: str = ""
) -> SuiteReport:
    """Prove a backend by all laws and return what each came to, and the level.

    `options` are those of its config; `{tmp}` in a text stands for a fresh folder for each test,
    `{unique}` for a fresh short name, whose data `spec.remove` takes away afterwards. `only`
    chooses tests as pytest's `-k` does. Nothing is printed.

    Raises `BackendLoadError` or `ApiMismatch` for an invalid spec, `ConfigError` for options that
    do not fit or that give a path without `{tmp}`, and `RuntimeError` with pytest's own words if
    no test could be run.
    """
    check_spec(spec, "storecore.testing.validate()")
    given = Given(spec, options or {})
    given.check()
    module = Path(__file__).with_name("test_backend.py")
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        place = ("--rootdir", str(module.parent), "-c", os.devnull, str(module))
        chosen = ("-k", only) if only else ()
        pytest.main([*_QUIET, "--storecore-backend", spec.name, *chosen, *place], plugins=[given])
    if not given.reports:
        raise RuntimeError(f"no test was run: {said.getvalue()}")
    (report,) = given.reports
    return report
