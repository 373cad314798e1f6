"""Law S1: what is loaded equals what was saved, or the save is refused and the old state stays."""

from __future__ import annotations

import enum
import math
import threading
from collections import OrderedDict, namedtuple
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import Action, InvalidData, NotSerializable, StateConflict, StateVersion

text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
)
states = st.dictionaries(text, json_values, max_size=4)
Point = namedtuple("Point", "x y")


def same(left, right):
    """Equal, and of the same types all the way down."""
    return repr(left) == repr(right)


def test_s1_a_strategy_that_never_saved_has_no_state(store):
    assert store.load_strategy_state("value") is None


@given(state=states)
def test_s1_any_json_state_comes_back_equal(store, state):
    store.save_strategy_state("value", state)
    assert same(store.load_strategy_state("value"), state)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"": ""},
        {"zero": -0.0, "one": 1, "float one": 1.0, "true": True},
        {"big": 2**63, "bigger": -(2**200), "tiny": 5e-324, "huge": 1.7976931348623157e308},
        {"text": '\0\n\u2028😀"\\'},
        {"a": {"b": [[], {}, [None]]}},
    ],
)
def test_s1_edges_of_json_come_back_equal(store, state):
    store.save_strategy_state("value", state)
    assert same(store.load_strategy_state("value"), state)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"positions": [1, 2, 3, (4, 5)]}, r"\$\.positions\[3\]"),
        ({"seen": {1, 2}}, r"\$\.seen"),
        ({"seen": frozenset()}, r"\$\.seen"),
        ({"at": datetime(2026, 1, 5)}, r"\$\.at"),
        ({"day": date(2026, 1, 5)}, r"\$\.day"),
        ({"a": {"b": {1: 2}}}, r"\$\.a\.b"),
        ({"a": {None: 2}}, r"\$\.a"),
        ({"x": math.nan}, r"\$\.x"),
        ({"x": [math.inf]}, r"\$\.x\[0\]"),
        ({"x": -math.inf}, r"\$\.x"),
        ({"x": 10**5000}, r"\$\.x"),
        ({"x": Decimal("1.10")}, r"\$\.x"),
        ({"x": 1j}, r"\$\.x"),
        ({"x": b"bytes"}, r"\$\.x"),
        ({"x": UUID(int=1)}, r"\$\.x"),
        ({"x": Action.BUY}, r"\$\.x"),
        ({"x": Point(1, 2)}, r"\$\.x"),
        ({"x": object()}, r"\$\.x"),
        ({"x": np.array([1.0])}, r"\$\.x"),
        ({"x": np.int64(1)}, r"\$\.x"),
        ({"x": "\ud800"}, r"\$\.x"),
        ({"\ud800": 1}, r"\$"),
        ([1, 2], r"\$: expected a dict"),
        ("text", r"\$: expected a dict"),
        (None, r"\$: expected a dict"),
    ],
)
def test_s1_what_json_would_change_is_refused_by_path_and_the_old_state_stays(store, value, path):
    store.save_strategy_state("value", {"old": 1})
    with pytest.raises(NotSerializable, match=path):
        store.save_strategy_state("value", value)
    assert store.load_strategy_state("value") == {"old": 1}


def test_s1_a_state_that_holds_itself_is_refused(store):
    state = {}
    state["self"] = state
    with pytest.raises(NotSerializable, match="holding itself"):
        store.save_strategy_state("value", state)


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    "state",
    [OrderedDict(a=1), {"x": np.float64(1.5)}, {"x": Level.HIGH}, {"x": [np.str_("text")]}],
)
def test_s1_subclasses_of_json_types_come_back_as_what_they_equal(store, state):
    store.save_strategy_state("value", state)
    assert store.load_strategy_state("value") == state


def test_s1_a_state_is_a_copy_of_what_was_given_and_of_what_was_read(store):
    state = {"list": [1]}
    store.save_strategy_state("value", state)
    state["list"].append(2)
    store.load_strategy_state("value")["list"].append(3)
    assert store.load_strategy_state("value") == {"list": [1]}


def test_s1_the_last_save_wins(store):
    for number in range(3):
        store.save_strategy_state("value", {"number": number})
    assert store.load_strategy_state("value") == {"number": 2}


def test_the_catalog_lists_strategies_with_a_state(store):
    for name in ("value", "Momentum", "value"):
        store.save_strategy_state(name, {})
    assert store.strategies() == ["Momentum", "value"]


# Versions, with which two writers do not overwrite each other.


def test_a_strategy_that_never_saved_is_at_version_0(store):
    assert store.load_versioned_state("value") == StateVersion(0, None)
    assert store.state_history("value") == []


def test_each_save_is_the_next_version(store):
    for number in (1, 2, 3):
        store.save_strategy_state("value", {"number": number})
        assert store.load_versioned_state("value") == StateVersion(number, {"number": number})
    assert store.load_versioned_state("momentum").version == 0


def test_the_last_few_versions_can_be_read_the_newest_first(store):
    for number in range(1, 9):
        store.save_strategy_state("value", {"number": number})
    assert store.state_history("value") == [StateVersion(n, {"number": n}) for n in (8, 7, 6, 5, 4)]


def test_a_state_is_replaced_where_the_version_is_the_expected_one(store):
    for number in range(7):
        store.save_strategy_state("value", {"number": number}, expect=number)
    assert store.load_strategy_state("value") == {"number": 6}


@pytest.mark.parametrize("saved", [0, 1, 3])
def test_a_state_is_not_replaced_where_another_version_is_expected(store, saved):
    for number in range(saved):
        store.save_strategy_state("value", {"number": number})
    before = store.load_versioned_state("value"), store.state_history("value")
    for expect in {0, 1, 2, 3, 4} - {saved}:
        with pytest.raises(StateConflict, match=f"is at version {saved}, not {expect}: another"):
            store.save_strategy_state("value", {"mine": True}, expect=expect)
    assert (store.load_versioned_state("value"), store.state_history("value")) == before


@pytest.mark.parametrize("wrong", [-1, 1.0, True, "1"], ids=repr)
def test_what_is_no_version_is_refused(store, wrong):
    store.save_strategy_state("value", {})
    with pytest.raises(InvalidData, match="expected the version of a state"):
        store.save_strategy_state("value", {"mine": True}, expect=wrong)
    assert store.load_versioned_state("value") == StateVersion(1, {})


def test_threads_that_expect_what_they_loaded_lose_no_change(store):
    def count():
        done = 0
        while done < 10:
            loaded = store.load_versioned_state("value")
            state = {"count": (loaded.state or {"count": 0})["count"] + 1}
            try:
                store.save_strategy_state("value", state, expect=loaded.version)
                done += 1
            except StateConflict:
                continue

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load_versioned_state("value") == StateVersion(40, {"count": 40})
