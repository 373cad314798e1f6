"""Copies states, with their versions and kept history if both stores number versions.

The target's state is overwritten with a later version from the source. A state that was saved in
the target itself, at the same version or a later one, stays and is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from storecore.copying.report import Copied, LeftOut, Progress
from storecore.errors import CorruptData
from storecore.protocols import Catalog, DataStore, Transfer, VersionedState
from storecore.reports import StateVersion
from storecore.store.digests import canonical, tally
from storecore.store.questions import all_strategies

_OWN = "this state was saved in the target too: it is left as it is"


def copy_states(
    source: DataStore, target: DataStore, progress: Progress
) -> Iterator[Copied | LeftOut]:
    """Copy the states of all strategies that the source can list."""
    if not isinstance(source, Catalog):
        why = "the source cannot list its strategies: it lacks the capability Catalog"
        yield LeftOut("state", why)
        return
    listed = all_strategies(target) if isinstance(target, Catalog) else []
    names = all_strategies(source)
    uncounted = _uncounted(source, target)
    if names and uncounted:
        yield LeftOut("state", f"the states were copied without their versions: {uncounted}")
    for name in sorted({*names, *listed}):
        copy = _copy_state if uncounted else _copy_versions
        try:
            yield copy(source, target, name)
        except CorruptData as error:  # in this state: the others are copied
            yield LeftOut("state", f"{name}: {error}")
        progress("state", name, 1)


def _uncounted(source: DataStore, target: DataStore) -> str:
    """Return why versions cannot be copied; empty if they can."""
    if not isinstance(source, VersionedState):
        return "the source lacks the capability VersionedState"
    if not (isinstance(target, VersionedState) and isinstance(target, Transfer)):
        return "the target lacks the capability VersionedState or Transfer"
    return ""


def _copy_state(source: DataStore, target: DataStore, name: str) -> Copied:
    """Copy the current state."""
    given, kept = source.load_strategy_state(name), target.load_strategy_state(name)
    changed = given is not None and canonical(given) != canonical(kept)
    if changed:
        target.save_strategy_state(name, cast(dict[str, Any], given))
        kept = target.load_strategy_state(name)
    ours, theirs = (
        tally(canonical(each) for each in [side] if side is not None) for side in (given, kept)
    )
    return Copied("state", name, ours, theirs, added=int(changed))


def _copy_versions(source: Any, target: Any, name: str) -> Copied:
    """Copy a state with its version and the kept previous versions."""
    given, kept = source.state_history(name), target.state_history(name)
    note, added = "", 0
    if given and given != kept:
        if _goes_on(given, kept):
            is_news = not kept or given[: len(kept)] != kept
            target.restore_state(name, given, expect=kept[0].version if kept else 0)
            before, kept = kept, target.state_history(name)
            added = int(is_news or kept != before)
            if kept and kept == given[: len(kept)]:
                given = kept  # the target keeps fewer versions
        else:
            note = _OWN
    # Without the time of the save, which stores of earlier releases do not know.
    ours, theirs = (
        tally(canonical(StateVersion(each.version, each.state)) for each in side)
        for side in (given, kept)
    )
    return Copied("state", name, ours, theirs, added=added, note=note)


def _goes_on(given: Sequence[StateVersion], kept: Sequence[StateVersion]) -> bool:
    """Return whether a history may continue another one: no common version differs."""
    if not kept:
        return True
    known = {each.version: each.state for each in given}
    same = all(known.get(each.version, each.state) == each.state for each in kept)
    return same and given[0].version >= kept[0].version
