"""The expected version of a state: any, none yet, or the one that is stored."""

from __future__ import annotations

import pytest

from storecore import InvalidData, NotSerializable, StateConflict, StateVersion
from storecore.states import KEPT_VERSIONS, check_expected, checked_versions


@pytest.mark.parametrize(("expect", "stored"), [(None, 0), (None, 7), (0, 0), (7, 7)])
def test_the_stored_version_may_be_replaced(expect, stored):
    check_expected("value", expect, stored)


@pytest.mark.parametrize(("expect", "stored"), [(0, 1), (1, 0), (6, 7), (8, 7)])
def test_another_version_is_a_conflict_that_says_what_to_do(expect, stored):
    message = f"the state of 'value' is at version {stored}, not {expect}: .*load it again"
    with pytest.raises(StateConflict, match=message):
        check_expected("value", expect, stored)


@pytest.mark.parametrize("expect", ["1", 1.0, True, -1])
def test_what_is_no_version_is_refused(expect):
    with pytest.raises(InvalidData, match=r"^expect="):
        check_expected("value", expect, 1)


def test_the_last_five_versions_are_kept_by_each_backend(store):
    for number in range(1, 9):
        store.save_strategy_state("value", {"number": number})
    kept = [StateVersion(number, {"number": number}) for number in (8, 7, 6, 5, 4)]
    assert store.state_history("value") == kept
    assert len(kept) == KEPT_VERSIONS


def test_versions_of_another_store_are_kept_as_far_back_as_its_own():
    given = [StateVersion(number, {"n": number}) for number in (9, 8, 6, 5, 4, 2)]
    kept = checked_versions(iter(given))
    assert kept == [(9, b'{"n":9}'), (8, b'{"n":8}'), (6, b'{"n":6}'), (5, b'{"n":5}')]
    assert checked_versions([]) == []


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ([StateVersion(2, {}), StateVersion(2, {})], r"versions\[1\]\.version=2: .* below 2"),
        ([StateVersion(0, {})], r"versions\[0\]\.version=0: expected a number from 1"),
        ([StateVersion("1", {})], r"versions\[0\]\.version='1'"),
        ([(1, {})], r"versions\[0\]: expected a StateVersion, got tuple"),
        (StateVersion(1, {}), r"versions: .* got one StateVersion; put it in a list"),
    ],
)
def test_versions_that_do_not_fall_from_one_to_the_next_are_refused(versions, said):
    with pytest.raises(InvalidData, match=said):
        checked_versions(versions)


@pytest.mark.parametrize("state", [None, {"x": (1,)}])
def test_a_version_that_json_would_change_is_refused(state):
    with pytest.raises(NotSerializable, match=r"^versions\[0\]\.state: "):
        checked_versions([StateVersion(1, state)])
