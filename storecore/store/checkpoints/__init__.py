"""Checkpoints: the content of a store at one time, to detect data that was lost since.

`verify()` checks the existing data, but cannot detect that a whole series or file was removed. A
checkpoint that is kept elsewhere can:

    checkpoint = store.checkpoint()
    checkpoint.save("/mnt/elsewhere/2026-01-06.json")
    store.verify(against="/mnt/elsewhere/2026-01-06.json")

`Store` implements both by `take_checkpoint` and `verify_against`. The functions `checkpoint(store)`
and `verify(store)` accept any store with `Maintenance`, also one of an earlier release without
these methods.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from msgspec.structs import replace

from storecore.audit.transfer import LOGS
from storecore.errors import StorageError
from storecore.protocols import CAPABILITIES
from storecore.reports import Report
from storecore.reports.checkpoint import (
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
from storecore.reports.version import __version__
from storecore.store.checkpoints.comparison import compare
from storecore.store.checkpoints.survey import (
    Surveyed,
    Written,
    all_days,
    all_filings,
    all_series,
    end_of_log,
    state_of,
)
from storecore.store.questions import all_strategies

__all__ = [
    "Against",
    "Checkpoint",
    "EventDay",
    "Filings",
    "LogEnd",
    "SavedState",
    "Series",
    "checkpoint",
    "loaded",
    "take_checkpoint",
    "verify",
    "verify_against",
]

_NEEDED = ("Catalog", "VersionedState", "Transfer")


def checkpoint(store: Any) -> Checkpoint:
    """Return the checkpoint of a store, taken by its own method if it has one.

    Raises `StorageError` if the store lacks a capability for it.
    """
    own = getattr(store, "checkpoint", None)
    return take_checkpoint(store) if own is None else cast(Checkpoint, own())


def verify(store: Any, *, against: Against | None = None) -> Report:
    """Verify a store, also against a checkpoint, even if its own method has no `against`."""
    if against is None:
        return cast(Report, store.verify())
    if "against" in inspect.signature(store.verify).parameters:
        return cast(Report, store.verify(against=against))
    return verify_against(store, against, store.verify)


def _unnumbered(symbol: str, timeframe: str) -> int:
    """Return 0, the number of the last write in a store that does not number writes."""
    return 0


def take_checkpoint(store: Any, *, written: Written = _unnumbered) -> Checkpoint:
    """Return a new checkpoint of a store.

    `written` returns the number of the last write to a series, if the store numbers its writes.
    Each entry describes the time of its reading, at or after `taken_at`. No checkpoint is taken of
    damaged data: the errors of the store are raised. Raises `StorageError` if the store lacks a
    capability.
    """
    taken_at = datetime.now(UTC)
    given = _surveyed(store)
    states = (state_of(given, strategy) for strategy in all_strategies(store))
    ends = (end_of_log(given, log) for log in LOGS)
    return sealed(
        Checkpoint(
            storecore=__version__,
            taken_at=taken_at,
            store=type(store).__name__,
            bars=tuple(all_series(given, written)),
            fundamentals=tuple(all_filings(given.iter_fundamentals(), {})),
            events=tuple(all_days(given.iter_events(), {})),
            states=tuple(each for each in states if each is not None),
            audit=tuple(each for each in ends if each is not None),
        )
    )


def verify_against(
    store: Any,
    against: Against | None,
    look: Callable[[], Report],
    *,
    written: Written = _unnumbered,
) -> Report:
    """Return the report of `look`, with the data that is missing against a checkpoint.

    An unusable checkpoint raises before `look` is called.
    """
    if against is None:
        return look()
    given, then = _surveyed(store), loaded(against)
    report, found = look(), compare(given, then, written)
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
            f"{store!r} supports no checkpoints: it lacks the capability {' and '.join(lacking)}"
        )
    return cast(Surveyed, store)
