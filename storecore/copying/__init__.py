"""`copy_store`: a lossless, streamed copy of a whole store.

There is a module for each kind of data. Each reads the records of both stores side by side, adds
the records that the target lacks, reads the target again and reports on both sides. So a killed
copy can simply be run again, and a copy to an equal target writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from storecore.copying.audit import copy_audit
from storecore.copying.bars import copy_bars
from storecore.copying.events import copy_events
from storecore.copying.fundamentals import copy_fundamentals
from storecore.copying.history import PresentOnly, copy_history
from storecore.copying.report import Copied, CopyReport, LeftOut, Progress
from storecore.copying.states import copy_states
from storecore.errors import CorruptData
from storecore.protocols import DataStore, History
from storecore.store.digests import Tally
from storecore.store.places import places_of, read_places_of, same_place

__all__ = ["Copied", "CopyReport", "LeftOut", "Tally", "copy_store"]

_PRESENT_ONLY = (
    "what the source holds now was copied; what was replaced or deleted before, and snapshots, are "
    "in the source only, and the target has its own times of recording"
)
_WITH_VERSIONS = {"bars": copy_bars, "fundamentals": copy_fundamentals, "events": copy_events}
_OTHERS = {
    "state": copy_states,
    "decisions and orders": copy_audit,
}


def copy_store(
    source: DataStore,
    target: DataStore,
    *,
    progress: Callable[[str, str, int], None] | None = None,
    history: bool = True,
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

    `left_out` names data that a backend cannot list or take unchanged without a capability
    (`Catalog`, `VersionedState`, `Transfer`), and data that is damaged on either side: a series, a
    state, or the rest of a kind. Raises `ConfigError` if the target keeps its data where the source
    reads, and the errors of both stores; the next copy continues from there.
    """
    if read_places_of(source) & places_of(target):
        raise same_place("source", source, "target", target)
    report_progress = progress or (lambda kind, key, count: None)
    whole, why = _history_of(source, target, report_progress) if history else (None, "")
    kinds = _OTHERS if whole is not None else _WITH_VERSIONS | _OTHERS
    found = list(whole or ())
    for kind, copy in kinds.items():
        found += _copied(kind, partial(copy, source, target, report_progress))
    items = tuple(each for each in found if isinstance(each, Copied))
    is_noted = whole is None and items and isinstance(source, History)
    return CopyReport(
        copied=items,
        left_out=tuple(each for each in found if isinstance(each, LeftOut)),
        notes=(_PRESENT_ONLY + (why and f": {why}"),) if is_noted else (),
        why_no_history=why if is_noted else "",
    )


def _history_of(
    source: DataStore, target: DataStore, progress: Progress
) -> tuple[list[Copied | LeftOut] | None, str]:
    """Copy what has versions; return None and the reason if only the present can be copied."""
    try:
        return list(copy_history(source, target, progress)), ""
    except PresentOnly as reason:
        return None, str(reason)


def _copied(
    kind: str, copy: Callable[[], Iterator[Copied | LeftOut]]
) -> Iterator[Copied | LeftOut]:
    """Copy one kind; damage in it does not stop the others."""
    try:
        yield from copy()
    except CorruptData as error:
        yield LeftOut(kind, str(error))
