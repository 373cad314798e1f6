"""The known backends: what provides each, and how far it is proven.

This is the only place that lists them. It also says how to be listed, and which backends are wished
for. The errors of discovery, `storecore backends --known` and the tables in BACKENDS.md use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

TIERS = {
    "ours": "part of storecore: the kit runs on it before each release",
    "proven": "a package of others; we have repeated the run of the kit on this version",
    "listed": "a package of others; the level is the one that its author reports",
}
"""What a reader may rely on, by the name of the tier."""
NESTED = "that of its stores"


ISSUES = "https://github.com/storecore/storecore/issues"
TO_BE_LISTED = (
    "Publish the package, with the report of the kit in its README.",
    "Open an issue with the backend's name, the package as an argument of pip, its version, and "
    "the report as JSON (`pytest --storecore-report report.json`). It is then listed.",
    "To be proven, add the options with which the kit runs (`--storecore-set`), and how to start "
    "the server if it needs one. We install that version, run the kit, and compare the levels.",
    "A row holds for the version that it names. Open another issue for a newer version or kit.",
    "We remove a row if pip cannot install the package any more. If a user shows that a level is "
    "wrong, we correct the row, and it is no longer proven.",
    "A name in the table belongs to its package, so another package needs another name.",
)
"""How a backend of others gets its row and keeps it."""


class Wish(NamedTuple):
    """A backend that is wished for, what it would be good for, and the way to write it."""

    backend: str
    use: str
    way: str


WISHES = (
    Wish("DuckDB", "bars and events in one file, for queries in SQL", "1"),
    Wish("LMDB", "one file that many processes read at once", "1"),
    Wish("S3 and other object storage", "years of bars for many machines, without a server", "2"),
    Wish("ClickHouse, QuestDB or TimescaleDB", "ticks of a whole market", "2"),
    Wish("MySQL or MariaDB", "a desk that has this server already", "1"),
    Wish("Redis or Valkey", "states and events that several machines read at once", "1"),
    Wish("ArcticDB", "its library for frames, under this protocol", "3"),
    Wish("a wrapper that encrypts", "states and audit logs on a rented machine", "a wrapper"),
)


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
    return _table(HEADINGS, ((f"`{name}`", f"`{pip}`", *rest) for name, pip, *rest in rows()))


def wishes() -> str:
    """Return the table of wishes for a page."""
    return _table(("wished for", "what for", "[way](#writing-a-backend)"), WISHES)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (headings, *rows)]
    return "\n".join([lines[0], "|---" * len(headings) + "|", *lines[1:], ""])
