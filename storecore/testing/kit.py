"""The versions of the kit: which laws each had, and what else it asked for.

A law or a capability that is added to the law book belongs to the version in development, or to a
new one if the current version was released. A test compares the two. LAWS.md has the table and the
policy.
"""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """What a version of the kit added to the one before it, and the release that has it."""

    release: str
    laws: str
    capabilities: str
    asks: str


VERSIONS: dict[int, Version] = {
    1: Version(
        "before 0.1.0",
        "P1 P2 P3 N1 N2 N3 T1 T2 T3 B1 B2 B3 B4 B5 F1 F2 E1 E2 E3 S1 A1 A2 A3 A4 "
        "D1 D2 D3 D4 D5 L1 L2",
        "BarTables BarStream Catalog AuditTrail Bulk BulkAudit VersionedState DiskUsage Transfer "
        "Maintenance",
        "the first version",
    ),
    2: Version(
        "none: extended to version 4",
        "D7",
        "",
        "all kinds of data with kills, restarts, several processes and full media; batches equal "
        "single calls; what was not tried is reported",
    ),
    3: Version(
        "none: extended to version 4",
        "B6",
        "",
        "a start after the end is refused (T3); the methods and keywords that were added, of a "
        "backend that has them",
    ),
    4: Version(
        "0.1.0",
        "K1 K2 K3 K4",
        "History",
        "records of runs apart from the live log (A1); views, of every backend; receipts; a "
        "closed store has given up its files and connections (L1)",
    ),
}
KIT = str(max(VERSIONS))
"""The version of this kit, which each report names."""


def laws_of(version: int) -> frozenset[str]:
    """Return the laws and the capabilities that a version of the kit tests."""
    had = [each for number, each in VERSIONS.items() if number <= version]
    return frozenset(name for each in had for name in (each.laws + " " + each.capabilities).split())
