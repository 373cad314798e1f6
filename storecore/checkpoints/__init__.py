"""Checkpoints: what a store held at one time, and what of it is missing later.

`verify()` proves what is there; of what was taken away whole it has no memory. A checkpoint, kept
elsewhere, is that memory.

    checkpoint = store.checkpoint()
    checkpoint.save("/mnt/elsewhere/2026-01-06.json")
    store.verify(against="/mnt/elsewhere/2026-01-06.json")

A backend that can list and give all that it holds (`Catalog`, `VersionedState`, `Transfer`) makes
both by `laws.checkpoint` and `laws.held_to`. The functions `checkpoint(store)` and `verify(store)`
take any store with `Maintenance`, those of an earlier release too, which have no such methods.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from msgspec.structs import replace

import storecore
from storecore.capabilities import CAPABILITIES
from storecore.chain_moves import LOGS
from storecore.checkpoints.comparison import compared
from storecore.checkpoints.document import (
    Against,
    Checkpoint,
    EventDay,
    Filings,
    LogEnd,
    SavedState,
    Series,
    loaded,
    sealed,
)
from storecore.checkpoints.survey import (
    Surveyed,
    all_days,
    all_filings,
    all_series,
    end_of_log,
    state_of,
)
from storecore.errors import StorageError
from storecore.reports import Report

__all__ = [
    "Against",
    "Checkpoint",
    "EventDay",
    "Filings",
    "LogEnd",
    "SavedState",
    "Series",
    "checkpoint",
    "held_to",
    "loaded",
    "taken",
    "verify",
]

_NEEDED = ("Catalog", "VersionedState", "Transfer")


def checkpoint(store: Any) -> Checkpoint:
    """Return the checkpoint that a store takes of itself, or take it if the store cannot.

    Raises `StorageError` if the store lacks the capabilities for it.
    """
    own = getattr(store, "checkpoint", None)
    return taken(store) if own is None else cast(Checkpoint, own())


def verify(store: Any, *, against: Against | None = None) -> Report:
    """Verify a store with `Maintenance`, and hold it to a checkpoint even if it cannot itself."""
    if against is None:
        return cast(Report, store.verify())
    if "against" in inspect.signature(store.verify).parameters:
        return cast(Report, store.verify(against=against))
    return held_to(store, against, store.verify)


def taken(store: Any) -> Checkpoint:
    """Return a new checkpoint of a store: an entry for each thing that it holds.

    Each entry is as of when it is read, at or after `taken_at`. Raises what the store's reads
    raise, for a damaged store has no checkpoint, and `StorageError` if it lacks a capability.
    """
    taken_at = datetime.now(UTC)
    given = _surveyed(store)
    states = (state_of(given, strategy) for strategy in given.strategies())
    ends = (end_of_log(given, log) for log in LOGS)
    return sealed(
        Checkpoint(
            storecore=storecore.__version__,
            taken_at=taken_at,
            store=type(store).__name__,
            bars=tuple(all_series(given)),
            fundamentals=tuple(all_filings(given.iter_fundamentals(), {})),
            events=tuple(all_days(given.iter_events(), {})),
            states=tuple(each for each in states if each is not None),
            audit=tuple(each for each in ends if each is not None),
        )
    )


def held_to(store: Any, against: Against | None, look: Callable[[], Report]) -> Report:
    """Return what looking over a store found, and what it lacks of a checkpoint (None: of none).

    A checkpoint that cannot be used is an error before the store is looked at.
    """
    if against is None:
        return look()
    given, then = _surveyed(store), loaded(against)
    report, found = look(), compared(given, then)
    return replace(
        report,
        checked=report.checked + found.checked,
        findings=(*report.findings, *found.findings),
        notes=(*report.notes, *found.notes),
    )


def _surveyed(store: Any) -> Surveyed:
    lacking = [name for name in _NEEDED if not isinstance(store, CAPABILITIES[name])]
    if lacking:
        raise StorageError(
            f"{store!r} can take no checkpoint and be held to none: it lacks the capability "
            f"{' and '.join(lacking)}"
        )
    return cast(Surveyed, store)
