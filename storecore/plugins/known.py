"""The known backends: what provides each, and how far it is proven.

This is the only place where they are listed: the errors of discovery, `storecore backends --known`
and the table in BACKENDS.md are made of it.
"""

from __future__ import annotations

from typing import NamedTuple

TIERS = {
    "ours": "part of storecore: the kit runs on it before each release",
    "proven": "a package of others; we have repeated the run of the kit on this version",
    "listed": "a package of others; the level is the one that its author reports",
}
"""What a reader may rely on, by the name of the tier."""
NESTED = "that of its stores"


class KnownBackend(NamedTuple):
    """A backend, its package as an argument of pip, and the level that the kit has proven.

    `version` is that of the package, `kit` that of the kit.
    """

    name: str
    package: str
    tier: str
    level: str
    version: str
    kit: str


KNOWN = (
    KnownBackend("cached", "storecore", "ours", NESTED, "0.1.0", "4"),
    KnownBackend("file", "storecore", "ours", "sealed", "0.1.0", "4"),
    KnownBackend("memory", "storecore", "ours", "sound", "0.1.0", "4"),
    KnownBackend("mirror", "storecore", "ours", NESTED, "0.1.0", "4"),
    KnownBackend("postgres", "storecore[postgres]", "ours", "shared", "0.1.0", "4"),
    KnownBackend("readonly", "storecore", "ours", NESTED, "0.1.0", "4"),
    KnownBackend("routed", "storecore", "ours", NESTED, "0.1.0", "4"),
)
HEADINGS = ("backend", "install", "tier", "level", "proven at", "kit")


def rows() -> list[tuple[str, ...]]:
    """Return a row of text for each known backend, under `HEADINGS`."""
    return [
        (each.name, f"pip install '{each.package}'", each.tier, each.level, each.version, each.kit)
        for each in KNOWN
    ]


def markdown() -> str:
    """Return the table for a page."""
    cells = [HEADINGS, *((f"`{name}`", f"`{pip}`", *rest) for name, pip, *rest in rows())]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|---" * len(HEADINGS) + "|", *lines[1:], ""])
