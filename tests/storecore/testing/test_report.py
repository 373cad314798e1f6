"""A report: what each law came to, and how far a backend is proven."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import storecore
from storecore.testing import DataStoreSuite
from storecore.testing.lawbook import LAWS, proves
from storecore.testing.report import (
    BROKEN,
    HEARTS,
    HELD,
    KNOWN,
    NOT_RUN,
    NOT_TRIED,
    SKIPPED,
    Result,
    SuiteReport,
    suite_reports,
    versions,
)

PROMISED = {
    "test_d1_what_was_acknowledged_survives_kill_9": "D1",
    "test_d2_a_write_that_fails_leaves_what_was_there": "D2",
    "test_d3_the_next_writer_goes_on_after_a_killed_one": "D3",
    "test_l2_a_store_opened_again_holds_what_was_written": "L2",
    "test_d4_processes_lose_nothing": "D4",
    "test_d5_no_flipped_bit_changes_an_answer_unnoticed": "D5",
}


def suite(**outcomes):
    """A suite of one test a law, all held but these."""
    names = {law: f"test_{law.lower()}_is_so" for law in LAWS if law[0] != "D" and law != "L2"}
    names |= {law: test for test, law in PROMISED.items()} | HEARTS
    return SuiteReport(
        "one",
        tuple(
            Result(test, (law,), outcomes.get(law, HELD), "because") for law, test in names.items()
        ),
    )


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((HELD, HELD), HELD),
        ((HELD, SKIPPED), HELD),
        ((HELD, KNOWN), KNOWN),
        ((KNOWN, BROKEN, HELD), BROKEN),
        ((HELD, NOT_TRIED), NOT_TRIED),
        ((SKIPPED,), SKIPPED),
        ((), NOT_RUN),
    ],
)
def test_a_law_is_as_good_as_the_worst_of_its_tests(outcomes, verdict):
    results = [Result(f"test_{n}", ("B1",), each, "") for n, each in enumerate(outcomes)]
    assert SuiteReport("one", tuple(results)).verdict("B1") == verdict


@pytest.mark.parametrize(("law", "heart"), HEARTS.items())
@pytest.mark.parametrize(
    ("of_heart", "of_another", "verdict"),
    [
        (HELD, HELD, HELD),
        (HELD, SKIPPED, HELD),
        (SKIPPED, HELD, SKIPPED),
        (NOT_TRIED, HELD, NOT_TRIED),
        (NOT_RUN, HELD, NOT_RUN),
        (SKIPPED, BROKEN, BROKEN),
        (SKIPPED, KNOWN, KNOWN),
        (SKIPPED, NOT_TRIED, NOT_TRIED),
        (BROKEN, HELD, BROKEN),
    ],
)
def test_a_law_is_not_held_without_the_test_that_is_its_heart(
    law, heart, of_heart, of_another, verdict
):
    results = [Result(f"test_{law.lower()}_another", (law,), of_another, "another")]
    results += [Result(heart, (law,), of_heart, "why")] * (of_heart != NOT_RUN)
    assert SuiteReport("one", tuple(results)).verdict(law) == verdict


@pytest.mark.parametrize("second", [HELD, SKIPPED])
def test_of_two_suites_of_one_name_the_broken_one_counts(second):
    test = HEARTS["D5"]
    again = Result(test, ("D5",), second, "")
    whole = suite(D5=BROKEN)
    both = SuiteReport("one", (*whole.results, again))
    assert (both.verdict("D5"), both.level) == (BROKEN, "none")


def test_a_law_that_is_skipped_with_its_heart_says_why():
    results = (
        Result("test_d5_another", ("D5",), HELD, ""),
        Result(HEARTS["D5"], ("D5",), SKIPPED, "the backend does not promise to be sealed"),
    )
    assert SuiteReport("one", results).details("D5") == [
        "the backend does not promise to be sealed"
    ]


def test_each_heart_is_a_test_of_its_law():
    assert all(hasattr(DataStoreSuite, test) for test in HEARTS.values())
    assert all(proves(test, frozenset()) == (law,) for law, test in HEARTS.items())


@pytest.mark.parametrize(
    ("outcomes", "level"),
    [
        ({}, "sealed"),
        ({"D5": SKIPPED}, "shared"),
        ({"D5": KNOWN}, "shared"),
        ({"D4": SKIPPED, "D5": SKIPPED}, "durable"),
        ({"D4": KNOWN}, "durable"),
        ({"D1": SKIPPED, "D2": SKIPPED, "D3": SKIPPED}, "sound"),
        (dict.fromkeys(("D1", "D2", "D3", "D4", "D5", "L2"), SKIPPED), "sound"),
        (dict.fromkeys(("A1", "A2", "A3", "A4"), SKIPPED), "sealed"),
        (dict.fromkeys(("K1", "K3", "K4"), SKIPPED), "sealed"),
        ({"B1": SKIPPED}, "none"),
        ({"K2": SKIPPED}, "none"),
        ({"B1": KNOWN}, "none"),
        ({"A1": KNOWN}, "none"),
        ({"D5": BROKEN}, "none"),
        ({"A3": BROKEN}, "none"),
    ],
)
def test_the_level_is_how_far_the_laws_are_held(outcomes, level):
    assert suite(**outcomes).level == level


def test_a_partial_run_reaches_no_level():
    whole = suite()
    assert SuiteReport("one", whole.results[1:]).level == "none"


@pytest.mark.parametrize(
    ("longrepr", "why"),
    [
        ("one\ntwo", "one"),
        ("", "no reason given"),
        (
            SimpleNamespace(reprcrash=SimpleNamespace(message="assert 1 == 2\n +more")),
            "assert 1 == 2",
        ),
    ],
)
def test_why_a_test_is_broken_is_the_first_line(longrepr, why):
    report = SimpleNamespace(skipped=False, passed=False, longrepr=longrepr, sections=[])
    (one,) = suite_reports([(["one", "test_b1_x", ["B1"]], report)])
    assert one.results == (Result("test_b1_x", ("B1",), BROKEN, why),)


def test_the_versions_of_the_backends_that_were_named_are_reported():
    assert versions(["file"])["storecore"] == storecore.__version__
    assert list(versions([])) == ["kit", "on", "python", "storecore", "pytest", "hypothesis"]
