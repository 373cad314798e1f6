"""The health of plugins: what a backend declares, and whether an open store has it and reads.

`checks` writes nothing. `health` opens a backend in a temporary folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_origin

from msgspec.structs import FieldInfo, fields

from storecore.cli.errors import one_line
from storecore.config.nested import holds_stores
from storecore.config.open import prepare
from storecore.errors import BackendLoadError, ConfigError, StoreClosed, StoreError
from storecore.plugins.conformity import undeclared, undelivered
from storecore.plugins.isolation import is_from_program
from storecore.plugins.spec import BackendSpec
from storecore.protocols import AuditTrail, DataStore

HEALTHY, LOADS = "healthy", "loads"
_NOBODY = "storecore health check"  # a symbol and a strategy that do not exist
_NESTED = {"backend": "memory"}
_OF_A_MEDIUM = {"durable", "shared", "sealed"}


class Check(NamedTuple):
    """One step of the check, and its problem; empty if there is none."""

    what: str
    wrong: str


def health(name: str, spec: BackendSpec, folder: Path) -> str:
    """Return HEALTHY if a store of a backend has what the spec declares, otherwise why not.

    The store is opened in a temporary folder. LOADS means that this was not tried, since it needs
    other options or may have data elsewhere. With an error behind it, opening has failed.
    """
    try:
        options = _options_in(folder, spec)
        return LOADS if options is None else _health_in(name, options)
    except BaseException as error:  # of a plugin: it may not end the list
        if is_from_program(error):
            raise
        return one_line(error)


def _health_in(name: str, options: dict[str, Any]) -> str:
    """Return the health of a backend with some options."""
    try:
        prepared = prepare({"backend": name, **options})
        store = prepared.open()
    except BackendLoadError:
        raise
    except ConfigError:  # options that are needed together, say
        return LOADS
    except StoreError as error:
        return f"{LOADS}: opening failed: {type(error).__name__}: {one_line(error)}"
    capabilities = prepared.capabilities_of(store)
    wrong = [
        _undelivered(store, capabilities),
        _answers(store, capabilities),
        _tried("closes", store.close),
    ]
    return "; ".join(each.wrong for each in wrong if each.wrong) or HEALTHY


def checks(store: DataStore, capabilities: frozenset[str]) -> Iterator[Check]:
    """Check an open store, close it, and yield the result of each step. Nothing is written."""
    now = datetime.now(UTC)
    yield _undelivered(store, capabilities)
    yield _undeclared(store, capabilities)
    yield _tried("reads bars", lambda: store.read_bars(_NOBODY, now, now))
    yield _tried("reads fundamentals", lambda: store.read_fundamental(_NOBODY, now))
    yield _tried("reads events", lambda: store.read_events(now, now, []))
    yield _tried("loads states", lambda: store.load_strategy_state(_NOBODY))
    yield _answers(store, capabilities)
    if isinstance(store, AuditTrail):
        yield _tried("its audit log is whole", lambda: _breaks(store))
    yield _tried("closes", store.close)
    yield _tried("refuses use after close", lambda: _use_after_close(store))


_QUESTIONS: dict[str, Callable[[Any, datetime], object]] = {
    "BarTables": lambda store, now: store.read_bar_table(_NOBODY, now, now),
    "BarStream": lambda store, now: list(store.iter_bar_tables(_NOBODY, now, now)),
    "Catalog": lambda store, now: store.timeframes(_NOBODY),
    "AuditTrail": lambda store, now: store.read_decisions(now, now),
    "VersionedState": lambda store, now: store.state_history(_NOBODY),
    "DiskUsage": lambda store, now: store.bar_footprint(_NOBODY),
    "Transfer": lambda store, now: next(iter(store.iter_audit("decisions")), None),
    "History": lambda store, now: store.bar_versions(_NOBODY, now, now),
}
"""A question by each capability that has one which costs little; any answer is right."""


def _answers(store: DataStore, capabilities: frozenset[str]) -> Check:
    """Ask a question by each capability: a method that is there may do no more than raise."""
    now = datetime.now(UTC)
    raised = {
        name: _raised(partial(question, store, now))
        for name, question in _QUESTIONS.items()
        if name in capabilities
    }
    wrong = [f"{name}: {error}" for name, error in raised.items() if error]
    return Check("answers by what it declares", "; ".join(wrong))


def _options_in(folder: Path, spec: BackendSpec) -> dict[str, Any] | None:
    """Return options of a store within a folder, or None if it may need or reach anything else."""
    options = fields(spec.config)
    given: dict[str, Any] = {
        each.encode_name: str(folder / each.name) for each in options if each.type is Path
    }
    given |= _nested_stores([each for each in options if holds_stores(each.type)])
    lacks = any(each.required and each.encode_name not in given for each in options)
    promises = frozenset() if callable(spec.promises) else spec.promises
    return None if lacks or (promises & _OF_A_MEDIUM and not given) else given


def _nested_stores(options: list[FieldInfo]) -> dict[str, Any]:
    """Return a store in memory for each required option that is one, or else for the first."""
    needed = [each for each in options if each.required] or options[:1]
    return {
        each.encode_name: [_NESTED] if get_origin(each.type) is list else _NESTED for each in needed
    }


def _undelivered(store: DataStore, capabilities: frozenset[str]) -> Check:
    what = "has what it declares"
    found: list[str] = []
    failed = _tried(what, lambda: found.extend(undelivered(store, capabilities))).wrong
    return Check(what, "; ".join([*found, failed] if failed else found))


def _undeclared(store: DataStore, capabilities: frozenset[str]) -> Check:
    what = "declares what it has"
    found: list[str] = []
    failed = _tried(what, lambda: found.extend(undeclared(store, capabilities))).wrong
    wrong = f"it has {', '.join(found)}, which its spec does not declare" if found else failed
    return Check(what, wrong)


def _tried(what: str, call: Callable[[], Any]) -> Check:
    """Return the check of a call that should return nothing."""
    results: list[Any] = []
    raised = _raised(lambda: results.append(call()))
    return Check(what, raised or (f"expected nothing, got {results[0]!r}" if results[0] else ""))


def _raised(call: Callable[[], object]) -> str:
    """Return the error that a call raises, as text; an empty one if it raises none."""
    try:
        call()
    except BaseException as error:
        if is_from_program(error):
            raise
        return f"{type(error).__name__}: {one_line(error)}"
    return ""


def _breaks(store: AuditTrail) -> str:
    report = store.verify_audit()
    return "; ".join(f"{each.kind} at {each.place}: {each.detail}" for each in report.findings)


def _use_after_close(store: DataStore) -> str:
    try:
        store.load_strategy_state(_NOBODY)
    except StoreClosed:
        return ""
    return "a result after close()"
