"""The health check of `storecore backends --check`: it reads from a store and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from storecore.cli.errors import one_line
from storecore.errors import StoreClosed
from storecore.plugins.isolation import is_from_program
from storecore.protocols import AuditTrail, DataStore

_NOBODY = "storecore health check"  # a symbol and a strategy that do not exist


class Check(NamedTuple):
    """One step of the check, and its problem; empty if there is none."""

    what: str
    wrong: str


def checks(store: DataStore) -> Iterator[Check]:
    """Check an open store, close it, and yield the result of each step. Nothing is written."""
    now = datetime.now(UTC)
    yield _tried("reads bars", lambda: store.read_bars(_NOBODY, now, now))
    yield _tried("reads fundamentals", lambda: store.read_fundamental(_NOBODY, now))
    yield _tried("reads events", lambda: store.read_events(now, now, []))
    yield _tried("loads states", lambda: store.load_strategy_state(_NOBODY))
    if isinstance(store, AuditTrail):
        yield _tried("its audit log is whole", lambda: _breaks(store))
    yield _tried("closes", store.close)
    yield _tried("refuses use after close", lambda: _use_after_close(store))


def _tried(what: str, call: Callable[[], Any]) -> Check:
    """Return the check of a call that should return nothing."""
    try:
        result = call()
    except BaseException as error:
        if is_from_program(error):
            raise
        return Check(what, f"{type(error).__name__}: {one_line(error)}")
    return Check(what, f"expected nothing, got {result!r}" if result else "")


def _breaks(store: AuditTrail) -> str:
    report = store.verify_audit()
    return "; ".join(f"{each.kind} at {each.place}: {each.detail}" for each in report.findings)


def _use_after_close(store: DataStore) -> str:
    try:
        store.load_strategy_state(_NOBODY)
    except StoreClosed:
        return ""
    return "a result after close()"
