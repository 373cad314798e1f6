"""The report of the template's backend, as the kit of this release proves it.

A new package has it in its README until its author runs the kit. A test runs the kit on a new
package and compares.
"""

from __future__ import annotations

from storecore import __version__
from storecore.cli.scaffold.names import Names
from storecore.testing.rendering import as_markdown
from storecore.testing.report import (
    HEARTS,
    HELD,
    KIT,
    NOT_TRIED,
    SKIPPED,
    Result,
    SuiteReport,
    laws_and_capabilities,
)

_HISTORY = "the backend does not declare the capability History"
_NOT_HELD = {
    "A3": (NOT_TRIED, "the suite gives no `tamper` that edits stored records"),
    "D5": (SKIPPED, "the backend does not promise to be sealed"),
    "D7": (
        SKIPPED,
        "the suite gives no `nowhere`: the backend may create what is missing; "
        "the suite gives no `reopen` or no `place`",
    ),
    "K1": (SKIPPED, _HISTORY),
    "K3": (SKIPPED, _HISTORY),
    "BarStream": (SKIPPED, "the backend does not declare the capability BarStream"),
    "DiskUsage": (SKIPPED, "the backend does not declare the capability DiskUsage"),
    "History": (SKIPPED, _HISTORY),
}
"""What the backend does not declare or show, and why. It holds all other laws."""


def report(names: Names) -> str:
    """Return the report as text for a README."""
    results = tuple(map(_result, laws_and_capabilities()))
    suite = SuiteReport(f"Test{names.stem}", results)
    return as_markdown([suite], {"kit": KIT, "storecore": __version__}).strip()


def _result(law: str) -> Result:
    verdict, why = _NOT_HELD.get(law, (HELD, ""))
    return Result(HEARTS.get(law, f"test_{law.lower()}_"), (law,), verdict, why)
