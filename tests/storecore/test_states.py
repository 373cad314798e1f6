"""The expected version of a state: any, none yet, or the one that is stored."""

from __future__ import annotations

import pytest

from storecore import InvalidData, StateConflict, StateVersion
from storecore.states import KEPT_VERSIONS, check_expected


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
