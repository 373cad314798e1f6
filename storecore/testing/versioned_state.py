"""The capability `VersionedState`: two writers of one state do not overwrite each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import strategies as st

from storecore.errors import InvalidData, InvalidName, NotSerializable, StateConflict
from storecore.reports import StateVersion
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import HOSTILE, NO_NAMES, for_all, refused

THREADS, EACH = 4, 10
NO_VERSIONS: tuple[Any, ...] = (-1, 1.0, True, "1")
attempts = st.lists(st.none() | st.integers(0, 6), max_size=8)


class VersionedStateLaws(Fixtures):
    """States that are counted."""

    @pytest.fixture
    def versioned(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it counts the versions of a state."""
        return having("VersionedState")

    def test_versioned_state_is_at_version_0_before_the_first_save(
        self, versioned: Recorder
    ) -> None:
        """With no state and no history; of each strategy for itself."""
        versioned.save_strategy_state("momentum", {})
        assert versioned.load_versioned_state("value") == StateVersion(0, None)
        assert versioned.state_history("value") == []
        assert versioned.load_versioned_state("momentum") == StateVersion(1, {})

    @for_all(attempts=attempts)
    def test_versioned_state_is_replaced_where_the_version_is_the_expected_one_and_only_there(
        self, versioned: Recorder, fresh_name: Callable[[], str], attempts: list[int | None]
    ) -> None:
        """Each save is the next version; one that expects another changes nothing."""
        name, stored = fresh_name(), StateVersion(0, None)
        for number, expect in enumerate(attempts):
            if expect in (None, stored.version):
                versioned.save_strategy_state(name, {"number": number}, expect=expect)
                stored = StateVersion(stored.version + 1, {"number": number})
            else:
                with refused(StateConflict, str(stored.version), str(expect), value=expect):
                    versioned.save_strategy_state(name, {"number": number}, expect=expect)
            assert versioned.load_versioned_state(name) == stored
            assert versioned.load_strategy_state(name) == stored.state

    def test_versioned_state_remembers_the_last_versions_the_newest_first(
        self, versioned: Recorder
    ) -> None:
        """As many as the store keeps, the current one and at least the one before."""
        for number in range(1, 9):
            versioned.save_strategy_state("value", {"number": number})
        kept = versioned.state_history("value")
        expected = [StateVersion(number, {"number": number}) for number in range(8, 0, -1)]
        assert kept == expected[: len(kept)]
        assert len(kept) > 1, "no version before the current one is kept"

    def test_versioned_state_refuses_what_is_no_version(self, versioned: Recorder) -> None:
        """A bool, a float, a text, a number below 0."""
        versioned.save_strategy_state("value", {})
        for wrong in NO_VERSIONS:
            with refused(InvalidData, "expect", value=wrong):
                versioned.save_strategy_state("value", {"mine": True}, expect=wrong)
        assert versioned.load_versioned_state("value") == StateVersion(1, {})

    def test_s1_a_refused_save_makes_no_version(self, versioned: Recorder) -> None:
        """A state that JSON would change is no version, expected or not."""
        versioned.save_strategy_state("value", {"old": 1})
        for expect in (None, 1):
            with refused(NotSerializable, "$.x", value=(1, 2)):
                versioned.save_strategy_state("value", {"x": (1, 2)}, expect=expect)
        assert versioned.state_history("value") == [StateVersion(1, {"old": 1})]

    def test_s1_a_version_is_a_copy_of_what_was_given_and_of_what_was_read(
        self, versioned: Recorder
    ) -> None:
        """Nobody changes a version."""
        versioned.save_strategy_state("value", {"list": [1]})
        versioned.load_versioned_state("value").state["list"].append(2)
        versioned.state_history("value")[0].state["list"].append(3)
        assert versioned.load_versioned_state("value") == StateVersion(1, {"list": [1]})

    def test_n1_hostile_strategies_are_counted_apart(self, versioned: Recorder) -> None:
        """Each name has its own versions."""
        for number, name in enumerate(HOSTILE):
            versioned.save_strategy_state(name, {}, expect=0)
            versioned.save_strategy_state(name, {"number": number}, expect=1)
        for number, name in enumerate(HOSTILE):
            expected = StateVersion(2, {"number": number})
            assert versioned.load_versioned_state(name) == expected
            assert versioned.state_history(name)[:2] == [expected, StateVersion(1, {})]

    def test_n2_what_is_no_name_has_no_versions(self, versioned: Recorder) -> None:
        """As it has no state."""
        for name in NO_NAMES:
            with refused(InvalidName, value=name):
                versioned.load_versioned_state(name)
            with refused(InvalidName, value=name):
                versioned.state_history(name)

    def test_d4_threads_that_expect_what_they_loaded_lose_no_change(
        self, versioned: Recorder
    ) -> None:
        """Who finds that another was first loads again."""

        def saved() -> bool:
            loaded = versioned.load_versioned_state("value")
            state = {"count": (loaded.state or {"count": 0})["count"] + 1}
            try:
                versioned.save_strategy_state("value", state, expect=loaded.version)
            except StateConflict:
                return False
            return True

        def count() -> None:
            done = 0
            for _ in range(THREADS * EACH):  # each refusal is a save of another: no more are needed
                if done < EACH:
                    done += saved()

        with ThreadPoolExecutor(THREADS) as pool:
            for result in [pool.submit(count) for _ in range(THREADS)]:
                result.result()
        total = THREADS * EACH
        assert versioned.load_versioned_state("value") == StateVersion(total, {"count": total})
