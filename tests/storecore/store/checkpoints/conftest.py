"""A store in memory with some of each kind, and one by a backend of an earlier release."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import wraps

import pytest

from storecore.builtin.memory import MemoryDataStore
from storecore.protocols import ADDED, CAPABILITIES, DataStore

JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def filled(bar, event, fundamental, decision, sent):
    """A store with two days of each kind."""
    store = MemoryDataStore()
    for day in (JAN_5, JAN_5 + timedelta(1)):
        store.write_bars("AAPL", [bar(date=day)])
        store.write_fundamental("AAPL", fundamental(day))
        store.write_event(event(day))
        store.save_strategy_state("value", {"cash": 1.5})
        store.log_decision("value", decision())
        store.log_order("value", *sent())
    return store


@pytest.fixture
def earlier():
    """Return a store as a backend of an earlier release has it, without what was added since."""

    def made(store, capabilities=tuple(CAPABILITIES)):
        class Earlier:
            def __enter__(self):
                return self

            def __exit__(self, *exc):
                self.close()

        for protocol in (DataStore, *(CAPABILITIES[name] for name in capabilities)):
            for name in vars(protocol).keys() - ADDED:
                own = getattr(type(store), name, None)
                if not name.startswith("_") and own is not None:
                    setattr(Earlier, name, _passed_on(store, own))
        Earlier.verify = lambda self: store.verify()
        return Earlier()

    return made


def _passed_on(store, own):
    return wraps(own)(lambda self, *args, **kwargs: own(store, *args, **kwargs))
