"""A report as lines for the screen, as JSON for programs, as Markdown for a backend's README."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from storecore.protocols import CAPABILITIES
from storecore.testing.lawbook import LAWS
from storecore.testing.report import (
    BROKEN,
    HELD,
    KNOWN,
    LEGEND,
    NOT_TRIED,
    SuiteReport,
    laws_and_capabilities,
    suite_reports,
    versions,
)

BEGIN, END = "<!-- storecore report -->", "<!-- /storecore report -->"
"""The marks of the place for the report on a page: the rest of the page stays as it is."""
_COUNTED = (HELD, BROKEN, KNOWN, NOT_TRIED, "skipped", "not run")


def publish(reports: Iterable[tuple[list[Any], Any]], screen: Any, config: Any) -> None:
    """Print the report and write it to the paths that were asked for."""
    suites = suite_reports(reports)
    used = versions([suite.title for suite in suites])
    screen.section("storecore: the laws")
    for line in lines(suites, used):
        screen.write_line(line)
    for path in config.getoption("storecore_report"):
        if path.endswith(".json"):
            Path(path).write_text(as_json(suites, used), encoding="utf-8")
        else:
            _write_page(Path(path), as_markdown(suites, used))


def _write_page(page: Path, report: str) -> None:
    """Write a report as a page, or between the marks of a page that has them, such as a README."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    whole = f"{before}{begin}\n{report}{end}{after}" if begin and end else report
    page.write_text(whole, encoding="utf-8")


def lines(suites: list[SuiteReport], versions: dict[str, str]) -> list[str]:
    """Return a line a suite, and under it one for each law that is not held in full."""
    return [
        *(line for suite in suites for line in (_headline(suite), *_remarks(suite))),
        _legend(),
        _versions(versions),
    ]


def as_json(suites: list[SuiteReport], versions: dict[str, str]) -> str:
    """Return all of it as JSON: versions, and for each suite level, laws and tests."""
    document = {
        "versions": versions,
        "levels": LEGEND,
        "suites": [_document(suite) for suite in suites],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_markdown(suites: list[SuiteReport], versions: dict[str, str]) -> str:
    """Return a table of the laws a suite, to be shown on a page."""
    parts = []
    for suite in suites:
        rows = [
            f"| {law} | {_says(law)} | {suite.verdict(law)} | {_cell(suite.details(law))} |"
            for law in laws_and_capabilities()
        ]
        head = ("| law | what it says | verdict | remarks |", "|---|---|---|---|")
        parts += [f"## {_headline(suite)}", "", *head, *rows, ""]
    return "\n".join([*parts, _legend(), "", _versions(versions), ""])


def _headline(suite: SuiteReport) -> str:
    verdicts = [suite.verdict(law) for law in laws_and_capabilities()]
    counts = [f"{verdicts.count(each)} {each}" for each in _COUNTED if each in verdicts]
    return f"{suite.title}: level {suite.level}; {', '.join(counts)}"


def _remarks(suite: SuiteReport) -> list[str]:
    return [
        f"  {law} {suite.verdict(law)}: {detail}"
        for law in laws_and_capabilities()
        for detail in suite.details(law)
        if suite.verdict(law) != HELD
    ]


def _document(suite: SuiteReport) -> dict[str, Any]:
    laws = {
        law: {"verdict": suite.verdict(law), "says": _says(law), "remarks": suite.details(law)}
        for law in laws_and_capabilities()
    }
    tests = {each.test: {"outcome": each.outcome, "detail": each.detail} for each in suite.results}
    return {"suite": suite.title, "level": suite.level, "laws": laws, "tests": tests}


def _says(law: str) -> str:
    if law in LAWS:
        return LAWS[law].says
    return f"the capability: {str(CAPABILITIES[law].__doc__).splitlines()[0]}"


def _cell(details: list[str]) -> str:
    return "; ".join(details).replace("|", "\\|").replace("\n", " ")


def _legend() -> str:
    return "levels: " + "; ".join(f"{level}: {says}" for level, says in LEGEND.items())


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
