"""Wrappers forward the history of the store that they read; only a writable one prunes it."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from functools import partial, wraps

import pytest

import storecore
from storecore.builtin.cached import CachedStore
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore
from storecore.builtin.readonly import ReadonlyStore
from storecore.errors import StorageError
from storecore.protocols import History, declaration, methods_of
from storecore.testing.recorded import RecordedLaws

JAN_5 = datetime(2026, 1, 5)
JAN_9 = datetime(2026, 1, 9, tzinfo=UTC)


class Foreign:
    """A store that brings its own methods, here those of memory, and no class of core."""

    def __init__(self, store):
        self.store = store

    def close(self):
        """Leave the other store open."""

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        pass


def own_method(name):
    @wraps(declaration(name))
    def method(self, *args, **kwargs):
        return getattr(self.store, name)(*args, **kwargs)

    return method


for _name in (*methods_of(""), *methods_of("History")):
    setattr(Foreign, _name, own_method(_name))


@pytest.fixture
def nested():
    with MemoryDataStore() as store:
        yield store


@pytest.fixture(params=["cached", "mirror", "readonly", "foreign", "readonly of foreign"])
def wrapped(request, nested):
    """A store around another one."""
    return {
        "cached": lambda: CachedStore(nested, 1000),
        "mirror": lambda: MirrorStore(nested, [MemoryDataStore()], "raise"),
        "readonly": lambda: ReadonlyStore(nested),
        "foreign": lambda: Foreign(nested),
        "readonly of foreign": lambda: ReadonlyStore(Foreign(nested)),
    }[request.param]()


def test_what_was_held_is_answered_through_a_wrapper(wrapped, nested, bar, fundamental, event):
    nested.write_bars("AAPL", [bar(JAN_5, close=1.0)])
    nested.write_fundamental("AAPL", fundamental(JAN_5, employees=1))
    then = wrapped.recorded_now()
    nested.write_bars("AAPL", [bar(JAN_5, close=2.0)])
    nested.write_fundamental("AAPL", fundamental(JAN_5, employees=2))
    nested.write_event(event())
    assert isinstance(wrapped, History)
    assert wrapped.bar_versions("AAPL") == nested.bar_versions("AAPL")
    assert wrapped.fundamental_versions("AAPL") == nested.fundamental_versions("AAPL")
    assert wrapped.event_versions() == nested.event_versions()
    assert wrapped.corrections() == nested.corrections() != []
    assert wrapped.snapshots() == []
    view = storecore.at(wrapped, JAN_9, recorded=then)
    assert [each.close for each in view.read_bars("AAPL")] == [1.0]
    assert view.read_fundamental("AAPL").employees == 1


def test_a_readonly_store_neither_prunes_nor_names(nested):
    store = ReadonlyStore(nested)
    for write in (
        lambda: store.prune_history(store.recorded_now()),
        lambda: store.snapshot("q1"),
        lambda: store.drop_snapshot("q1"),
    ):
        with pytest.raises(StorageError) as caught:
            write()
        assert caught.value.errno == errno.EROFS


def test_a_mirror_names_and_prunes_in_each_store_and_answers_of_the_primary(nested, bar):
    replica = MemoryDataStore()
    with MirrorStore(nested, [replica], "raise") as mirror:
        for close in (1.0, 2.0):
            mirror.write_bars("AAPL", [bar(JAN_5, close=close)])
        replica.write_bars("AAPL", [bar(JAN_5, close=3.0)])
        named = mirror.snapshot("q1", "note")
        assert mirror.snapshots() == nested.snapshots() == [named]
        assert [each.note for each in replica.snapshots()] == ["note"]
        assert [each.bar.close for each in mirror.bar_versions("AAPL")] == [1.0, 2.0]
        assert mirror.drop_snapshot("q1")
        assert replica.snapshots() == []
        assert mirror.prune_history(mirror.recorded_now()) == 1
        assert len(replica.bar_versions("AAPL")) == 1


def test_a_cache_shows_the_present_beside_the_past(nested, bar):
    with CachedStore(nested, 10_000) as store:
        store.write_bars("AAPL", [bar(JAN_5, close=1.0)])
        then = store.recorded_now()
        assert [each.close for each in store.read_bars("AAPL")] == [1.0]
        store.write_bars("AAPL", [bar(JAN_5, close=2.0)])
        assert [each.close for each in store.read_bars("AAPL")] == [2.0]
        assert [each.bar.close for each in store.bar_versions("AAPL", recorded=then)] == [1.0]


class TestHistoryAlone(RecordedLaws):
    """The laws of history hold for a store that has the ten methods and no other capability."""

    @pytest.fixture
    def store(self, nested):
        nested._bars.keeps_extra = False
        return Foreign(nested)

    @pytest.fixture
    def reopen(self, nested):
        return partial(Foreign, nested)
