"""What a run of the kit came to: each law held, broken, skipped or known to fail, and the level."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple

import storecore
from storecore.protocols import CAPABILITIES
from storecore.testing.kit import KIT as KIT
from storecore.testing.lawbook import LAWS
from storecore.testing.plugin import EXPECTED

_DIFFERENCE = re.compile(
    r"At index \d+ diff: |(Left|Right) contains |Extra items in |Differing items:"
)
HELD, BROKEN, SKIPPED, KNOWN, NOT_RUN = "held", "broken", "skipped", "known to fail", "not run"
NOT_TRIED = "not tried"  # declared, and the suite gave no way to try it
WORST_FIRST = (BROKEN, KNOWN, NOT_TRIED, HELD, SKIPPED)
LEGEND = {
    "none": "a law is broken, known to fail or not proven",
    "sound": "every law that needs no medium",
    "durable": "and what it wrote outlives it, a kill and a full medium",
    "shared": "and several processes write and read it at once",
    "sealed": "and no damage goes unnoticed",
}
LEVELS = {
    "durable": ("test_d1_", "test_d2_", "test_d3_", "test_l2_a_store"),
    "shared": ("test_d4_processes_",),
    "sealed": ("test_d5_",),
}
# Laws that a store shows only by a capability or a promise, and one that backends written before it
# need not obey, if they refuse what they do not keep.
_OPTIONAL = ("A", "D", "L2", "B6", "K1", "K3", "K4")
HEARTS = {  # laws whose other tests show little of them: without this one they are not held
    "A1": "test_a1_each_call_is_one_record_with_what_was_logged",
    "D4": "test_d4_processes_lose_nothing",
    "D5": "test_d5_no_flipped_bit_changes_an_answer_unnoticed",
    "D7": "test_d7_a_place_without_a_store_is_an_error_and_stays_without_one",
    "L2": "test_l2_a_store_opened_again_holds_what_was_written",
}


class Result(NamedTuple):
    """What one test came to, and why it did not hold."""

    test: str
    laws: tuple[str, ...]
    outcome: str
    detail: str


class SuiteReport(NamedTuple):
    """All results of one suite."""

    title: str
    results: tuple[Result, ...]

    def verdict(self, law: str) -> str:
        """Return what a law or capability came to; it is broken if one of its tests is.

        A law with a test in `HEARTS` came to what that test did, unless another one went worse.
        """
        worst = _worst(each.outcome for each in self.results if law in each.laws)
        if worst == HELD and law in HEARTS:
            return _worst(each.outcome for each in self.results if each.test == HEARTS[law])
        return worst

    def details(self, law: str) -> list[str]:
        """Return why a law is not held, or not in full: test and reason, or the bare reasons."""
        worst = self.verdict(law)
        of_law = [each for each in self.results if law in each.laws]
        if worst in (HELD, SKIPPED, NOT_TRIED):
            wanted = SKIPPED if worst == HELD else worst
            return sorted({each.detail for each in of_law if each.outcome == wanted})
        return [f"{each.test}: {each.detail}" for each in of_law if each.outcome == worst]

    @property
    def level(self) -> str:
        """How far a backend is proven: none, sound, durable, shared or sealed, as `LEGEND` says."""
        promised = tuple(prefix for prefixes in LEVELS.values() for prefix in prefixes)
        base = {each.outcome for each in self.results if not each.test.startswith(promised)}
        complete = all(self.verdict(law) == HELD for law in LAWS if not law.startswith(_OPTIONAL))
        if any(each.outcome == BROKEN for each in self.results) or KNOWN in base or not complete:
            return "none"
        level = "sound"
        for name, prefixes in LEVELS.items():
            kept = {each.outcome for each in self.results if each.test.startswith(prefixes)}
            if kept != {HELD}:
                break
            level = name
        return level


def suite_reports(reports: Iterable[tuple[list[Any], Any]]) -> list[SuiteReport]:
    """Return the results of pytest's reports, suite by suite in the order of their running."""
    suites: dict[str, list[Result]] = {}
    for (title, test, laws), report in reports:
        result = Result(test, tuple(laws), *_outcome(report))
        suites.setdefault(title, []).append(result)
    return [SuiteReport(title, tuple(results)) for title, results in suites.items()]


def laws_and_capabilities() -> list[str]:
    """Return all that a suite proves: the laws' names, then the capabilities'."""
    return [*LAWS, *CAPABILITIES]


def versions(titles: Iterable[str]) -> dict[str, str]:
    """Return the versions of all that took part, the named backends' distributions included.

    The kit's own version and the day of the run (UTC) come first.
    """
    found = {"kit": KIT, "on": str(datetime.now(UTC).date())}
    found |= {"python": platform.python_version(), "storecore": storecore.__version__}
    found |= {name: version(name) for name in ("pytest", "hypothesis")}
    for backend in storecore.backends():
        if backend.name in titles:
            found[backend.distribution] = backend.version
    return found


def _worst(outcomes: Iterable[str]) -> str:
    """Return the worst of some outcomes; where some tests held, what was skipped is no worse."""
    found = set(outcomes)
    return next((each for each in WORST_FIRST if each in found), NOT_RUN)


def _outcome(report: Any) -> tuple[str, str]:
    if report.skipped and hasattr(report, "wasxfail"):
        return KNOWN, report.wasxfail.removeprefix("reason: ")
    if report.skipped:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        kind = NOT_TRIED if reason.startswith(f"{NOT_TRIED}: ") else SKIPPED
        return kind, reason.removeprefix(f"{NOT_TRIED}: ")
    return (HELD, "") if report.passed else (BROKEN, _why(report))


def _why(report: Any) -> str:
    """Return the first line of what was raised, and what differs if that line is cut."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    lines = [line.strip() for line in text.strip().splitlines()] or ["no reason given"]
    expected = [said for title, said in report.sections if title == EXPECTED]
    return "; ".join([lines[0], *(_difference(lines) if "..." in lines[0] else []), *expected])


def _difference(lines: list[str]) -> list[str]:
    """Return the first difference that pytest shows, as one text in a list."""
    for number, line in enumerate(lines):
        if _DIFFERENCE.match(line):
            return [" ".join(lines[number : number + 1 + line.endswith(":")])]
    return []
