"""`copy_store`: a lossless, streamed copy of a whole store.

There is a module for each kind of data. Each reads the records of both stores side by side, adds
the records that the target lacks, reads the target again and reports on both sides. So a killed
copy can simply be run again, and a copy to an equal target writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

from storecore.copying.audit import copy_audit
from storecore.copying.bars import copy_bars
from storecore.copying.events import copy_events
from storecore.copying.fundamentals import copy_fundamentals
from storecore.copying.history import copy_history
from storecore.copying.report import Copied, CopyReport, LeftOut, Progress
from storecore.copying.scope import KINDS, Scope, scope_of
from storecore.copying.states import copy_states
from storecore.copying.trial import Trial
from storecore.copying.versions import PresentOnly
from storecore.errors import CorruptData
from storecore.protocols import DataStore, History
from storecore.store.digests import Tally
from storecore.store.places import places_of, read_places_of, same_place
from storecore.values.times import Bound

__all__ = ["Copied", "CopyReport", "LeftOut", "Tally", "copy_store"]

_Found = Iterator[Copied | LeftOut]
_PRESENT_ONLY = (
    "the present is copied; what was replaced or deleted before, and snapshots, are "
    "in the source only, and the target has its own times of recording"
)
_WHOLE_ONLY = "states and the audit log are left out: they are copied whole or not at all"
_WITH_VERSIONS = {"bars": copy_bars, "fundamentals": copy_fundamentals, "events": copy_events}
_OTHERS = {"states": ("state", copy_states), "audit": ("decisions and orders", copy_audit)}


def copy_store(
    source: DataStore,
    target: DataStore,
    *,
    progress: Callable[[str, str, int], None] | None = None,
    history: bool = True,
    only: Collection[str] | None = None,
    symbols: Collection[str] | None = None,
    since: Bound = None,
    dry_run: bool = False,
) -> CopyReport:
    """Copy all that an open store holds into another one, and report on both sides.

    A bar, fundamental or state that differs is overwritten with the source's value; nothing else in
    the target changes, and nothing is deleted. Events and audit records are only appended, if the
    target's are the beginning of the source's. Data that only the target has is a difference in the
    report.

    `progress` is called with the kind of records (as for observers), the symbol or strategy, and
    the number of records processed since the last call.

    With `history`, all versions of bars, fundamentals and events are copied with their instants,
    and the snapshots, as they are when the copy begins. Both stores need the capability `History`,
    and the target must be empty, or hold versions of the source only, from an earlier copy. In any
    other case only the present is copied, and `why_no_history` of the report is the reason.

    `only` names kinds to copy: "bars", "fundamentals", "events", "states", "audit". With `symbols`,
    names or patterns such as "A*", and `since`, only data of these symbols from this time on is
    copied; events without a symbol are left out. States and the audit log are whole or left
    out: naming them in `only` beside `symbols` or `since` raises `InvalidData`, as an unknown kind
    does. The report is about this part alone, and its present alone: `history` does not apply.

    With `dry_run` nothing is written: `added` of the report counts what would be.

    `left_out` names data that a backend cannot list or take unchanged without a capability
    (`Catalog`, `VersionedState`, `Transfer`), and data that is damaged on either side: a series, a
    state, or the rest of a kind. Raises `ConfigError` if the target keeps its data where the source
    reads, and the errors of both stores; the next copy continues from there.
    """
    if read_places_of(source) & places_of(target):
        raise same_place("source", source, "target", target)
    scope = scope_of(only, symbols, since)
    kept = Trial(target) if dry_run else target
    report_progress = progress or (lambda kind, key, count: None)
    is_asked = history and not scope.is_part
    whole, why = _history_of(source, kept, report_progress) if is_asked else (None, "")
    found = list(whole or ())
    for kind, copy in _copies(scope, with_versions=whole is None):
        found += _copied(kind, partial(copy, source, kept, report_progress))
    items = tuple(each for each in found if isinstance(each, Copied))
    has_versions = any(each.kind in _WITH_VERSIONS for each in items) or not scope.is_part
    is_noted = whole is None and items and has_versions and isinstance(source, History)
    notes = [_PRESENT_ONLY + (why and f": {why}")] if is_noted else []
    notes += [_WHOLE_ONLY] if only is None and scope.kinds != KINDS else []
    return CopyReport(
        copied=items,
        left_out=tuple(each for each in found if isinstance(each, LeftOut)),
        notes=tuple(notes),
        why_no_history=why if is_noted else "",
    )


def _copies(scope: Scope, with_versions: bool) -> Iterator[tuple[str, Callable[..., _Found]]]:
    """Yield the kinds to copy, and the function that copies each."""
    for kind in scope.kinds:
        if kind in _OTHERS:
            yield _OTHERS[kind]
        elif with_versions:
            yield kind, partial(_WITH_VERSIONS[kind], scope=scope)


def _history_of(
    source: DataStore, target: DataStore, progress: Progress
) -> tuple[list[Copied | LeftOut] | None, str]:
    """Copy what has versions; return None and the reason if only the present can be copied."""
    try:
        return list(copy_history(source, target, progress)), ""
    except PresentOnly as reason:
        return None, str(reason)


def _copied(kind: str, copy: Callable[[], _Found]) -> _Found:
    """Copy one kind; damage in it does not stop the others."""
    try:
        yield from copy()
    except CorruptData as error:
        yield LeftOut(kind, str(error))
