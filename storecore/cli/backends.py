"""`storecore backends`: the installed backends, their packages and their health.

With `--check NAME` one of them is opened and checked, or an observer is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import click

from storecore.cli.errors import one_line
from storecore.cli.health import LOADS, Check, checks, health
from storecore.cli.output import json_option, print_array, print_object
from storecore.cli.prints import prints_apart
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, settings_option
from storecore.cli.text import examples, printable
from storecore.cli.trial import LIMIT, tried
from storecore.config.file import StoreConfig
from storecore.errors import StoreError, UnknownBackend
from storecore.plugins import known
from storecore.plugins.discovery import (
    INSTALLED,
    BackendInfo,
    backends,
    load_spec,
    observers,
    plugins_named,
)
from storecore.plugins.metadata import Plugin, broken_packages
from storecore.plugins.observers import SWITCH, are_on, hooks_of, switched_off
from storecore.plugins.process_state import changed_by_import
from storecore.plugins.registry import find
from storecore.plugins.spec import OBSERVERS
from storecore.protocols import DataStore

_HEADINGS = ("backend", "package", "entry point", "health", "summary", "capabilities")
_OURS = "storecore"  # the distribution of the built-in backends
_OBSERVER_HEADINGS = ("observer", "package", "entry point", "health", "hooks")


@click.command(
    "backends",
    short_help="List the installed backends and their health.",
    epilog=examples(
        "storecore backends",
        "storecore backends --check file --set base_path=data",
        "storecore backends --known",
    ),
)
@click.option(
    "--check",
    metavar="NAME",
    help="Open this backend and read from it, or load this observer.",
)
@click.option(
    "--known",
    "of_others",
    is_flag=True,
    help="List the known backends, installed or not, and the level that the kit has proven, "
    "how to be listed, and which are wished for.",
)
@json_option
@settings_option
def list_backends(
    check: str | None, of_others: bool, settings: dict[str, Any], as_json: bool
) -> None:
    """List the installed backends and observers, with their packages and health.

    Each is imported. A backend is opened in a temporary folder, if its options allow that.
    """
    if of_others and (check is not None or settings):
        raise click.UsageError("--known lists all known backends: omit --check and --set")
    if settings and check is None:
        raise click.UsageError("--set gives the options of a backend to check: give --check NAME")
    if of_others:
        _print_known(as_json)
    elif check is not None:
        _check(StoreChoice(StoreConfig({"backend": check}), settings), check, as_json)
    elif as_json:
        _print_as_json()
    else:
        _print_installed()


def _print_known(as_json: bool) -> None:
    if as_json:
        print_array(each._asdict() for each in known.KNOWN)
        return
    console().print(table(known.HEADINGS, known.rows(), right=()))
    click.echo()
    for tier, meaning in known.TIERS.items():
        click.echo(f"{tier}: {meaning}")
    click.echo(f"\nTo be listed ({known.ISSUES}):")
    for number, step in enumerate(known.TO_BE_LISTED, 1):
        click.echo(f"{number}. {step}")
    click.echo(f"\nWished for: {'; '.join(each.backend for each in known.WISHES)}")


def _print_as_json() -> None:
    """Print the installed backends and observers, and the packages that are left out."""
    of_backends = ("name", "package", "entry_point", "health", "summary", "capabilities")
    of_observers = ("name", "package", "entry_point", "health", "hooks")
    with prints_apart():
        watching = _observers()
        found = {
            "backends": [dict(zip(of_backends, each, strict=True)) for each in _backends()],
            "observers": [dict(zip(of_observers, each, strict=True)) for each in watching],
            "left_out": [each._asdict() for each in broken_packages()],
        }
    print_object(found)


def _print_installed() -> None:
    broken = broken_packages()
    with prints_apart():
        watching = [list(map(printable, each)) for each in _observers()]
        rows = [list(map(printable, each)) for each in _backends()]
    console().print(table(_HEADINGS, rows, right=()))
    if any(LOADS in row for row in rows):
        click.echo(
            f"\n{LOADS}: needs options to be opened; check it with "
            "storecore backends --check NAME --set KEY=VALUE"
        )
    _print_observers(watching)
    for package in broken:
        click.echo(printable(f"{package.distribution} is left out: {package.why}"))


def _print_observers(rows: Sequence[Sequence[str]]) -> None:
    if rows:
        off = "" if are_on() else f" (off: see {SWITCH})"
        console().print(f"\nObservers, called for every store that is opened or written to{off}:")
        console().print(table(_OBSERVER_HEADINGS, rows, right=()))


def _observers() -> list[tuple[str, ...]]:
    """Return the observers with their hooks. Those that are off are not imported."""
    off = switched_off()
    return [
        (info.name, _package(info), info.entry_point, *_hooks_unless_off(plugin, info, off))
        for plugin, info in zip(find(OBSERVERS), observers(), strict=True)
    ]


def _hooks_unless_off(
    plugin: Plugin, info: BackendInfo, off: frozenset[str] | None
) -> tuple[str, str]:
    if off and info.name in off:
        return f"off: see {SWITCH}", ""
    return _hooks(plugin, info, off is not None)


def _hooks(plugin: Plugin, info: BackendInfo, on: bool) -> tuple[str, str]:
    """Return the health and the hooks of an observer."""
    if not on or info.status != INSTALLED:
        return info.status, ""
    try:
        return "healthy", ", ".join(tried(plugin.described, lambda: hooks_of(plugin), LIMIT))
    except click.ClickException as error:
        return one_line(error), ""


def _names_an_observer(name: str) -> bool:
    known = {each.name for each in backends()}
    return name not in known and name in {each.name for each in observers()}


def _check(choice: StoreChoice, name: str, as_json: bool) -> None:
    """Check a backend or an observer, print the result of each step, and fail if one failed."""
    with prints_apart():
        plugins = plugins_named(name)
        if not plugins:
            _raise_unknown(choice)
        run = _runner(plugins)
        harms = run(lambda: list(_harms(plugins)), LIMIT)
        if _names_an_observer(name):
            what = f"observer {name!r}"
            hooks = run(lambda: [hook for each in plugins for hook in hooks_of(each)], LIMIT)
            done = [*harms, *(Check(hook, "") for hook in hooks)]
        else:
            what = choice.named
            done = [*run(choice.open_to_read, LIMIT, partial(_steps, choice)), *harms]
    _conclude(done, what, as_json)


def _steps(choice: StoreChoice, store: DataStore) -> list[Check]:
    """Return the steps of the check of an open store."""
    capabilities = choice.prepared().capabilities_of(store)
    return [Check("opens", ""), *checks(store, capabilities)]


def _runner(plugins: Sequence[Plugin]) -> Callable[..., Any]:
    """Return `tried` for functions that use plugins; no child process for ours alone."""
    others = [each for each in plugins if each.distribution != _OURS]
    return partial(tried, others[0].described) if others else _directly


def _directly(
    call: Callable[[], Any], limit: float, then: Callable[[Any], Any] | None = None
) -> Any:
    return call() if then is None else then(call())


def _raise_unknown(choice: StoreChoice) -> NoReturn:
    """Raise for a name of no plugin: it may be that of a backend or of an observer."""
    try:
        choice.prepared()
    except UnknownBackend as error:
        names = ", ".join(sorted({each.name for each in observers()})) or "none"
        unknown = UnknownBackend(f"{error}; observers: {names}")
    raise unknown


def _harms(plugins: list[Plugin]) -> Iterator[Check]:
    """Import plugins and yield what they do to others. Call it before anything imports them."""
    own = plugins[0].distribution if plugins else ""
    taken = ", ".join(each.described for each in plugins if each.distribution != own)
    yield Check("no other plugin has its name", f"{taken} has it too" if taken else "")
    changes = {change: None for each in plugins for change in changed_by_import(each)}
    wrong = f"it changes {', '.join(changes)}" if changes else ""
    yield Check("its import leaves the process as it was", wrong)


def _conclude(done: list[Check], what: str, as_json: bool) -> None:
    if as_json:
        print_array(each._asdict() for each in done)
    for step in [] if as_json else done:
        click.echo(f"{'FAILED' if step.wrong else 'ok':6}  {step.what}")
    wrong = [f"{step.what}: {step.wrong}" for step in done if step.wrong]
    if wrong:
        raise click.ClickException(f"the {what} is not healthy: {'; '.join(wrong)}")


def _backends() -> list[tuple[str, ...]]:
    """Return the backends with their health, by name.

    Ours are opened last, in this process: their threads are not there yet when a child is forked.
    """
    found = sorted(backends(), key=lambda each: each.distribution == _OURS)
    return sorted((each.name, _package(each), each.entry_point, *_health(each)) for each in found)


def _package(info: BackendInfo) -> str:
    return f"{info.distribution} {info.version}".strip()


def _health(backend: BackendInfo) -> tuple[str, str, str]:
    """Load a backend and return its health, summary and capabilities."""
    if backend.status != INSTALLED:
        return backend.status, "", ""
    run = _runner(plugins_named(backend.name))
    try:
        with TemporaryDirectory(prefix="storecore-", ignore_cleanup_errors=True) as folder:
            found: tuple[str, str, str] = run(lambda: _loaded(backend.name, Path(folder)), LIMIT)
    except (StoreError, click.ClickException) as error:
        return one_line(error), "", ""
    return found


def _loaded(name: str, folder: Path) -> tuple[str, str, str]:
    spec = load_spec(name)
    found = health(name, spec, folder)
    if callable(spec.capabilities):
        return found, spec.summary, "those of its nested stores"
    return found, spec.summary, ", ".join(sorted(spec.capabilities))
