"""What a store tells about itself: what it holds, what a check found, which version is stored."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec import Struct


class Coverage(Struct, frozen=True):
    """What a series holds: its first and last date (aware UTC; None when empty) and its bars."""

    first: datetime | None
    last: datetime | None
    count: int


class Footprint(Struct, frozen=True):
    """What a series takes on disk: data files and their bytes."""

    files: int
    bytes: int


class Finding(Struct, frozen=True):
    """One thing that a check found: its kind, where it lies and what is wrong.

    Where it lies in a file, `file`, `line` (from 1) and `offset` (in bytes) say so too.
    """

    kind: str
    place: str
    detail: str
    file: str | None = None
    line: int | None = None
    offset: int | None = None


class Report(Struct, frozen=True):
    """What a check or a maintenance run did: how many things it looked at, and what it found.

    `actions` says in words what was changed. `notes` are worth a look and nothing wrong: a bar with
    its high below its low, what a killed writer has left behind.
    """

    checked: int
    findings: tuple[Finding, ...] = ()
    actions: tuple[str, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing wrong was found."""
        return not self.findings


class AuditReport(Report, frozen=True):
    """A report on the audit log; `heads` holds the last hash of each log, to keep elsewhere."""

    heads: dict[str, str] = {}


class StateVersion(Struct, frozen=True):
    """A state as it was saved, and its version: they count from 1, and 0 is none, without state."""

    version: int
    state: dict[str, Any] | None


class AuditLine(NamedTuple):
    """A record of the audit log as it was logged: the machine's local day, and the exact bytes."""

    day: date
    line: bytes
