"""All broken backends, and the suite of each."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import broken_bars
import broken_batches
import broken_behaviour
import broken_caches
import broken_columns
import broken_extras
import broken_facts
import broken_far
import broken_files
import broken_filters
import broken_forms
import broken_known
import broken_maintenance
import broken_names
import broken_questions
import broken_recorded
import broken_reopened
import broken_restarts
import broken_runs
import broken_sizes
import broken_times
import broken_together
import broken_transfers
import broken_verdicts
import broken_whole
import broken_zones
import pytest
from msgspec.structs import replace
from plain_store import storecore_backend

from storecore import NoStore
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.audit import MemoryLog
from storecore.testing import DataStoreSuite

MODULES = (
    *(broken_bars, broken_batches, broken_times, broken_names, broken_facts, broken_files),
    *(broken_transfers, broken_caches, broken_restarts, broken_sizes, broken_zones, broken_filters),
    *(broken_behaviour, broken_verdicts, broken_maintenance, broken_columns),
    *(broken_together, broken_whole, broken_reopened, broken_far, broken_forms),
    broken_questions,
    broken_extras,
    broken_known,
    broken_runs,
    broken_recorded,
)
BROKEN = {
    name: cls
    for module in MODULES
    for name, cls in vars(module).items()
    if isinstance(cls, type) and hasattr(cls, "law")
}


def suite_of(cls):
    """Return the suite of a backend, which any other may be put in place of."""
    on_disk = issubclass(cls, broken_files.SavedStore)

    class Suite(DataStoreSuite):
        law = getattr(cls, "law", None)

        @pytest.fixture
        def spec(self):
            spec = replace(storecore_backend(), promises=getattr(cls, "promises", frozenset()))
            own = getattr(cls, "capabilities", None)  # of a `Store`, a property
            given = own if isinstance(own, frozenset) else spec.capabilities
            if issubclass(cls, MemoryDataStore):
                given |= {"History"}
            return replace(spec, capabilities=given)

        @pytest.fixture
        def place(self, tmp_path):
            folder = tmp_path / "place"
            folder.mkdir()
            return folder if on_disk else None

        @pytest.fixture
        def reopen(self, place):
            return partial(cls, place / "saved") if on_disk else None

        @pytest.fixture
        def tamper(self, store):
            def tamper(log, change):
                kept = store._logs[log]
                if isinstance(kept, MemoryLog):
                    kept.kept = change(kept.kept)
                    kept.days = [date(2026, 1, 5)] * len(kept.kept)
                else:
                    store._logs[log] = change(kept)

            return tamper

        @pytest.fixture
        def nowhere(self, place):
            if not on_disk:
                return None

            def open_there(*, create):
                if not create and not getattr(cls, "finds", Path.exists)(place / "new"):
                    raise NoStore("no store here")
                store = cls(place / "new")
                store.save()
                return store

            return open_there

        @pytest.fixture
        def store(self, reopen):
            store = reopen() if on_disk else cls()
            yield store
            store.close()

    Suite.__name__ = Suite.__qualname__ = f"Test{cls.__name__}"
    return Suite
