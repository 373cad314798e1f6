"""The health check of `storecore backends --check`: opens a store and reads from it, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from storecore.cli.errors import one_line
from storecore.errors import StoreClosed
from storecore.plugins.isolation import is_from_program
from storecore.protocols import AuditTrail, DataStore

_NOBODY = "storecore health check"  # a symbol and a strategy that nobody has


class Check(NamedTuple):
    """One thing that was tried, and what is wrong with it; empty where nothing is."""

    what: str
    wrong: str


def checks(store: DataStore) -> Iterator[Check]:
    """Try an open store, close it, and yield what came of each step. Nothing is written."""
    now = datetime.now(UTC)
    yield _tried("reads bars", lambda: store.read_bars(_NOBODY, now, now))
    yield _tried("reads fundamentals", lambda: store.read_fundamental(_NOBODY, now))
    yield _tried("reads events", lambda: store.read_events(now, now, []))
    yield _tried("loads states", lambda: store.load_strategy_state(_NOBODY))
    if isinstance(store, AuditTrail):
        yield _tried("its audit log is whole", lambda: _breaks(store))
    yield _tried("closes", store.close)
    yield _tried("is closed then", lambda: _use_after_close(store))


def _tried(what: str, call: Callable[[], Any]) -> Check:
    """Return the check of a call that should answer nothing."""
    try:
        answer = call()
    except BaseException as error:
        if is_from_program(error):
            raise
        return Check(what, f"{type(error).__name__}: {one_line(error)}")
    return Check(what, f"expected nothing, got {answer!r}" if answer else "")


def _breaks(store: AuditTrail) -> str:
    report = store.verify_audit()
    return "; ".join(f"{each.kind} at {each.place}: {each.detail}" for each in report.findings)


def _use_after_close(store: DataStore) -> str:
    try:
        store.load_strategy_state(_NOBODY)
    except StoreClosed:
        return ""
    return "an answer after close()"
