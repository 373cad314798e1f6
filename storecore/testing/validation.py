"""`validate`: the kit run from a program, on a spec and its options."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storecore.config.nested import NestedStore
from storecore.config.open import open_store, prepare
from storecore.config.options import build_config
from storecore.plugins.spec import BackendSpec
from storecore.testing.report import SuiteReport, suite_reports

_QUIET = ("-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-p", "no:faulthandler")


class Given:
    """What is to be proven, as a plugin of the inner run; and what came of it."""

    def __init__(self, spec: BackendSpec, options: Mapping[str, Any]) -> None:
        self.name = spec.name
        self._spec = spec
        self.options = dict(options)
        self.reports: list[SuiteReport] = []

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
        """Return what the command line says; the test fails if it names no backend."""
        name = config.getoption("storecore_backend")
        if name is None:
            pytest.fail("which backend? give --storecore-backend NAME", pytrace=False)
        given = [each.partition("=") for each in config.getoption("storecore_set")]
        return cls(name, {key.strip(): value for key, _, value in given})

    def prepared(self, options: Mapping[str, Any]) -> NestedStore:
        """Return the store of some options. Raises `ConfigError`, or why it cannot be loaded."""
        return prepare({"backend": self.name, **options})

    def reopen(self, options: Mapping[str, Any]) -> Callable[[], Any]:
        """Return a callable that opens the same place again, here and in other processes."""
        return partial(open_store, {"backend": self.name, **options})

    def asked_for(self, options: Mapping[str, Any]) -> Callable[..., Any]:
        """Return a callable that opens the place by `create`, as `open_store` does."""
        return partial(open_store, {"backend": self.name, **options})


def validate(
    spec: BackendSpec, options: Mapping[str, Any] | None = None, *, only: str = ""
) -> SuiteReport:
    """Prove a backend by all laws and return what each came to, and the level.

    `options` are those of its config; `{tmp}` in a text stands for a fresh folder for each test,
    `{unique}` for a fresh short name, whose data `spec.remove` takes away afterwards. `only`
    chooses tests as pytest's `-k` does. Nothing is printed. Raises `RuntimeError` with pytest's
    own words if no test could be run.
    """
    given = Given(spec, options or {})
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
