"""The `memory` backend: a store within one process, for tests and as an example.

It is the reference for other backends, and the example to read first: five collections, a
module each, whose values no caller can change, and a clock of recording. Bars, fundamentals and
events keep what was replaced beside what is held (law K1).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins

from storecore.audit.transfer import LOGS
from storecore.builtin.memory.audit import MemoryLog
from storecore.builtin.memory.bars import MemoryBars
from storecore.builtin.memory.clock import MemoryClock
from storecore.builtin.memory.events import MemoryEvents
from storecore.builtin.memory.fundamentals import MemoryFundamentals
from storecore.builtin.memory.states import MemoryStates
from storecore.errors import NotSerializable
from storecore.knowledge.clock import checked_history, prunable
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.reports import Report
from storecore.reports.display import counted
from storecore.states import KEPT_VERSIONS, checked_kept
from storecore.store.base import Store
from storecore.values.names import check_rename


class MemoryConfig(Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True):
    """The options of the `memory` backend.

    `state_versions` is the number of versions that it keeps of each state, `history` for how long
    it keeps replaced bars, fundamentals and events (see `MemoryDataStore`).
    """

    state_versions: int = KEPT_VERSIONS
    history: bool | str = True

    def __post_init__(self) -> None:
        checked_history(self.history)  # here, so that the error names the place in the config


class MemoryDataStore(Store):
    """A `DataStore` of dictionaries. It is thread-safe.

    Of each state it keeps `state_versions`. With `history=True` it keeps all replaced versions of
    bars, fundamentals and events, with False none. With "90d" (h: hours, d: days, w: weeks)
    `compact()` prunes those that were replaced longer ago. Raises `ConfigError` for other values.
    """

    _bars: MemoryBars
    _fundamentals: MemoryFundamentals
    _events: MemoryEvents

    _clock: MemoryClock

    def __init__(self, state_versions: int = KEPT_VERSIONS, history: bool | str = True) -> None:
        self._kept_for = checked_history(history)
        clock = MemoryClock(keeps=self._kept_for != 0)
        super().__init__(
            bars=MemoryBars(clock),
            fundamentals=MemoryFundamentals(clock),
            events=MemoryEvents(clock),
            states=MemoryStates(checked_kept(state_versions)),
            audit={name: MemoryLog(name) for name in LOGS},
            clock=clock,
        )

    def compact(self) -> Report:
        """Prune the history that is older than the option `history` keeps."""
        self._check_open()
        if self._kept_for is None:
            return Report(0)
        with self._clock.lock:
            self._prune(prunable(self._kept_for, self._clock.ask(None), self._clock.snapshots()))
        return Report(0)

    def places(self) -> frozenset[str]:
        """Return a place that no other store shares."""
        self._check_open()
        return frozenset({f"memory {id(self)}"})

    def _rename(self, old: str, new: str) -> None:
        """Rename a symbol in three collections: for their history, a deletion and a write.

        No function is called between the assignments: no other thread runs, and an exception of a
        signal handler finds all or none.
        """
        bars, fundamentals, events = self._bars, self._fundamentals, self._events
        with self._clock.lock:
            known = {*bars.symbols(None), *fundamentals.symbols(), *events.symbols()}
            check_rename(old, new, has_old=old in known, has_new=new in known)
            now = self._clock.tick()
            by_series, by_symbol = bars.renamed(old, new, now), fundamentals.renamed(old, new, now)
            held = events.renamed(old, new, now)
            if not self._clock.keeps():
                self._clock.prune_to(now)
            bars.by_series, fundamentals.by_symbol, events.held = by_series, by_symbol, held

    def _shown(self) -> list[str]:
        return [counted(len(self._bars.series()), "series")]

    def _series_shown(self) -> list[tuple[str, str, int]]:
        known = dict(self._bars.by_series)
        return sorted((*key, len(each.rows)) for key, each in known.items() if each.rows)

    def __reduce__(self) -> Any:
        raise NotSerializable(
            "a MemoryDataStore cannot be pickled or copied: its data is in this process "
            "only; copy it into another store with storecore.copy_store"
        )


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `memory` backend."""
    return BackendSpec(
        name="memory",
        config=MemoryConfig,
        open=lambda config: MemoryDataStore(**to_builtins(config)),
        capabilities=frozenset(
            {"BarTables", "Catalog", "AuditTrail", "Bulk", "BulkAudit"}
            | {"VersionedState", "Transfer", "Maintenance", "History"}
        ),
        summary="keeps everything in the memory of this process",
    )
