"""The capability `Transfer`, its other half: chains and histories are taken as they are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from storecore.audit import records
from storecore.errors import InvalidData, InvalidName, NotSerializable, StateConflict
from storecore.reports import StateVersion
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, HOSTILE, NO_NAMES, decision, refused, sent

LEAP, MARCH = date(2020, 2, 29), date(2020, 3, 1)  # where the clock is ahead of UTC
LOGGED_AT = datetime(2020, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
THREADS = 4
NO_VERSIONS: tuple[tuple[Any, type[Exception], str], ...] = (
    ([StateVersion(1, {}), StateVersion(2, {})], InvalidData, "versions[1]"),
    ([StateVersion(2, {}), StateVersion(2, {})], InvalidData, "versions[1]"),
    ([StateVersion(0, {})], InvalidData, "versions[0]"),
    ([StateVersion(True, {})], InvalidData, "versions[0]"),
    ([{"cash": 1}], InvalidData, "versions[0]"),
    (StateVersion(1, {}), InvalidData, "versions"),
    ([StateVersion(1, None)], NotSerializable, "versions[0]"),
    ([StateVersion(2, {}), StateVersion(1, {"x": (1,)})], NotSerializable, "$.x"),
)


def chain(log: str, count: int, *, of: str = "value") -> list[bytes]:
    """Return the lines of a log of so many records, as another store would have them."""
    order, result = sent(strategy_name=of)
    bodies = {
        "orders": records.order_body(of, order, result),
        "decisions": records.decision_body(of, decision()),
    }
    return records.chain([bodies[log]] * count, LOGGED_AT, records.GENESIS)[0]


class TransferIntoLaws(Fixtures):
    """What is taken from a copy."""

    @pytest.fixture
    def into(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it takes what another store held."""
        return having("Transfer")

    def test_a3_records_of_another_store_stay_byte_for_byte_what_they_are(
        self, into: Recorder
    ) -> None:
        """And so does the day on which they were logged, in each log for itself."""
        for log in ("decisions", "orders"):
            lines = chain(log, 5)
            into.append_audit(log, LEAP, lines[:2])
            into.append_audit(log, MARCH, iter(lines[2:]))
            given = list(into.iter_audit(log))
            assert given == [
                *((LEAP, line) for line in lines[:2]),
                *((MARCH, line) for line in lines[2:]),
            ]

    def test_a3_a_chain_goes_on_in_the_store_that_took_it(
        self, into: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """It verifies, is read like any other, and its next record follows it."""
        trail = having("AuditTrail")
        into.append_audit("decisions", LEAP, chain("decisions", 3, of="Ünïcødé"))
        into.log_decision("value", decision())
        records = trail.read_decisions(*EVER)
        assert [(each.seq, each.strategy) for each in records] == [
            *((number, "Ünïcødé") for number in (1, 2, 3)),
            (4, "value"),
        ]
        assert records[0].timestamp == LOGGED_AT.replace(tzinfo=None)
        report = trail.verify_audit()
        assert (report.ok, report.checked) == (True, 4), report
        assert report.heads["decisions"] == records[-1].hash

    def test_a3_what_does_not_follow_the_last_record_is_a_conflict(self, into: Recorder) -> None:
        """A record again, one too far, one of another chain: nothing is appended."""
        lines, others = chain("decisions", 4), chain("decisions", 4, of="momentum")
        with refused(StateConflict, value="a chain without its beginning"):
            into.append_audit("decisions", LEAP, lines[1:])
        into.append_audit("decisions", LEAP, lines[:2])
        for wrong in (lines[:1], lines[1:], lines[3:], others[2:], others):
            with refused(StateConflict, value=wrong):
                into.append_audit("decisions", LEAP, wrong)
        assert [each.line for each in into.iter_audit("decisions")] == lines[:2]

    def test_b2_one_line_that_is_no_record_refuses_all(self, into: Recorder) -> None:
        """The error names it: edited, cut, of the other log, or not after the one before it."""
        lines = chain("decisions", 4)
        edited = lines[1].replace(b'"buy"', b'"hold"')
        for second in (edited, lines[1][:-1], lines[1].decode(), b"", lines[2], lines[0]):
            with refused(InvalidData, "lines[1]", value=second):
                into.append_audit("decisions", LEAP, [lines[0], second])
        with refused(InvalidData, "lines[0]", value="a line of another log"):
            into.append_audit("decisions", LEAP, chain("orders", 1))
        for day in (LOGGED_AT, "2020-02-29", None, date(2021, 5, 1)):
            with refused(InvalidData, "day", value=day):
                into.append_audit("decisions", day, lines)
        with refused(InvalidData, "log", value="trades"):
            into.append_audit("trades", LEAP, lines)
        assert list(into.iter_audit("decisions")) == []

    def test_b3_an_empty_batch_of_another_store_does_nothing(self, into: Recorder) -> None:
        """Of records and of versions."""
        into.save_strategy_state("value", {"cash": 1})
        into.append_audit("orders", LEAP, [])
        into.restore_state("value", [], expect=1)
        assert list(into.iter_audit("orders")) == []
        assert into.load_strategy_state("value") == {"cash": 1}

    def test_transfer_restores_a_state_with_its_versions(
        self, into: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """The next save is the next version. Versions that were not kept leave gaps."""
        versioned = having("VersionedState")
        history = [StateVersion(number, {"number": number}) for number in (9, 8, 6)]
        for name in HOSTILE:
            into.restore_state(name, iter(history), expect=0)
            kept = versioned.state_history(name)
            assert kept == history[: len(kept)]
            assert versioned.load_versioned_state(name) == history[0]
            into.save_strategy_state(name, {"number": 10}, expect=9)
            assert versioned.state_history(name)[:2] == [
                StateVersion(10, {"number": 10}),
                history[0],
            ]

    def test_transfer_replaces_a_history_by_the_one_it_is_given(
        self, into: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """No version of the store's own is left among them, and no more are kept than of those."""
        versioned = having("VersionedState")
        for number in range(1, 7):
            into.save_strategy_state("value", {"mine": number})
        most = len(versioned.state_history("value"))
        into.restore_state("value", [StateVersion(7, {}), StateVersion(5, {})], expect=6)
        kept = versioned.state_history("value")
        assert kept == [StateVersion(7, {}), StateVersion(5, {})][: len(kept)]
        many = [StateVersion(number, {"n": number}) for number in range(30, 10, -1)]
        into.restore_state("value", many, expect=7)
        assert versioned.state_history("value") == many[:most]

    def test_transfer_restores_only_in_place_of_the_expected_version(
        self, into: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """Another one stays, with its history."""
        versioned = having("VersionedState")
        with refused(StateConflict, value=1):
            into.restore_state("value", [StateVersion(3, {})], expect=1)
        into.save_strategy_state("value", {"mine": True})
        for expect in (0, 2):
            with refused(StateConflict, str(expect), value=expect):
                into.restore_state("value", [StateVersion(3, {})], expect=expect)
        assert versioned.state_history("value") == [StateVersion(1, {"mine": True})]
        into.restore_state("value", [StateVersion(3, {})], expect=None)
        assert versioned.load_versioned_state("value") == StateVersion(3, {})

    def test_b2_one_wrong_version_refuses_all(self, into: Recorder) -> None:
        """The error names it; the state that was there stays."""
        into.save_strategy_state("value", {"mine": True})
        for wrong, kind, place in NO_VERSIONS:
            with refused(kind, place, value=wrong):
                into.restore_state("value", wrong, expect=1)
        for name in NO_NAMES:
            with refused(InvalidName, value=name):
                into.restore_state(name, [StateVersion(1, {})], expect=0)
        assert into.load_strategy_state("value") == {"mine": True}

    def test_d4_of_threads_that_bring_the_same_only_one_is_taken(self, into: Recorder) -> None:
        """The others get a `StateConflict`."""
        lines = chain("decisions", 20)
        given: list[Callable[[], None]] = [
            lambda: into.append_audit("decisions", LEAP, lines),
            lambda: into.restore_state("value", [StateVersion(5, {})], expect=0),
        ]
        for bring in given:
            with ThreadPoolExecutor(THREADS) as pool:
                done = [pool.submit(bring) for _ in range(THREADS)]
            errors = [each.exception() for each in done]
            assert [type(each) for each in errors if each] == [StateConflict] * (THREADS - 1)
        assert [each.line for each in into.iter_audit("decisions")] == lines
        assert into.load_strategy_state("value") == {}

    def test_transfer_of_what_was_taken_is_there_for_who_opens_the_store_next(
        self, into: Recorder, store: Any, promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Records with their days, states with their versions."""
        reopen = promised("durable")
        into.append_audit("orders", MARCH, chain("orders", 2))
        into.restore_state("value", [StateVersion(4, {"cash": 1})], expect=0)
        store.close()
        with closing(reopen()) as again:
            assert list(again.iter_audit("orders")) == [
                (MARCH, line) for line in chain("orders", 2)
            ]
            again.restore_state("value", [StateVersion(5, {"cash": 2})], expect=4)
            assert again.load_strategy_state("value") == {"cash": 2}
