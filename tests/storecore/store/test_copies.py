"""A store that cannot be pickled says so, and what its author does; others are left alone."""

from __future__ import annotations

import copy
import pickle
from contextlib import contextmanager
from threading import RLock

import pytest

from storecore import NotSerializable, Rows, RowStore, Store, StoreError, Wrapper
from storecore.builtin.memory import MemoryDataStore


class PathRows(Rows):
    """A table that is opened in each transaction, so that nothing of it is this process's own."""

    @contextmanager
    def transaction(self, *, write):
        yield

    def read(self, kind, key, first, last, *, newest=None):
        return []

    def put(self, kind, rows):
        pass

    def delete(self, kind, key, first, last):
        return 0

    def keys(self, kind):
        return []

    def close(self):
        pass


class LockedRows(PathRows):
    def __init__(self):
        self.lock = RLock()


class RefusingRows(PathRows):
    def __reduce__(self):
        raise NotSerializable("a table of this machine")


class LambdaRows(PathRows):
    def __init__(self):
        self.key = lambda row: row


class Reopened(RowStore):
    def __init__(self):
        super().__init__(LockedRows())

    def __reduce__(self):
        return Reopened, ()


class Collected(Store):
    def __init__(self):
        parts = MemoryDataStore()
        super().__init__(
            bars=parts._bars,
            fundamentals=parts._fundamentals,
            events=parts._events,
            states=parts._states,
            audit=parts._logs,
        )


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("store", [lambda: RowStore(LockedRows()), Collected])
def test_a_store_with_a_lock_says_what_its_author_does(store, copied):
    with pytest.raises(NotSerializable) as caught:
        copied(store())
    assert str(caught.value) == (
        f"{type(store()).__name__} cannot be pickled or copied: cannot pickle '_thread.RLock' "
        "object; open it again with open_store where it is needed. The author of a backend makes "
        "it possible with a __reduce__ that opens the same place: see the promise `pickled` in "
        "BACKENDS.md"
    )


def test_a_wrapper_says_it_of_the_store_in_it():
    with pytest.raises(
        NotSerializable, match=r"^Wrapper\(Wrapper\(RowStore\(\)\)\) cannot be pickled"
    ):
        pickle.dumps(Wrapper(Wrapper(RowStore(LockedRows()))))


def test_a_table_that_gives_its_own_reason_is_heard():
    with pytest.raises(NotSerializable, match=r"^a table of this machine$"):
        pickle.dumps(RowStore(RefusingRows()))


def test_what_only_other_picklers_accept_is_left_to_them():
    assert RowStore(LambdaRows()).__reduce_ex__(4)
    assert isinstance(copy.copy(RowStore(LambdaRows())), RowStore)
    with pytest.raises((pickle.PicklingError, AttributeError)) as caught:
        pickle.dumps(RowStore(LambdaRows()))
    assert not isinstance(caught.value, StoreError)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_store_whose_parts_can_be_pickled_is_pickled_by_them(protocol):
    rows = PathRows()
    rows.store = RowStore(rows)  # which refers to itself by its parts
    again = pickle.loads(pickle.dumps(rows.store, protocol))
    assert again._rows.store is again
    assert again.load_strategy_state("value") is None


def test_a_store_with_a_way_of_its_own_is_pickled_by_it():
    assert isinstance(pickle.loads(pickle.dumps(Reopened())), Reopened)
