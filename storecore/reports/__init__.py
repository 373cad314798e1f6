"""The values in which a store reports on itself: what it holds and what a check found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec import Struct

from storecore.reports.display import counted, html, html_table


class Coverage(Struct, frozen=True):
    """The extent of a series: first and last date (aware UTC; None if empty), number of bars."""

    first: datetime | None
    last: datetime | None
    count: int


class SeriesCoverage(Struct, frozen=True):
    """The extent of a named series: first and last date (aware UTC) and number of bars."""

    symbol: str
    timeframe: str
    first: datetime
    last: datetime
    count: int


class Footprint(Struct, frozen=True):
    """The disk space of a series: the number of its data files and their bytes."""

    files: int
    bytes: int


class Finding(Struct, frozen=True):
    """One finding of a check: its kind, its place and what is wrong.

    For a finding in a file, `file`, `line` (from 1) and `offset` (in bytes) locate it.
    """

    kind: str
    place: str
    detail: str
    file: str | None = None
    line: int | None = None
    offset: int | None = None


class Report(Struct, frozen=True):
    """The result of a check or a maintenance run: the number of things checked, and the findings.

    `actions` describes each change that was made. `notes` deserve a look but are not errors: a bar
    with its high below its low, leftovers of a killed writer.
    """

    checked: int
    findings: tuple[Finding, ...] = ()
    actions: tuple[str, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """True if there are no findings."""
        return not self.findings

    def __repr__(self) -> str:
        parts = ["ok" if self.ok else counted(len(self.findings), "finding")]
        parts.append(f"{self.checked:,} checked")
        parts += [counted(len(self.actions), "action")] if self.actions else []
        parts += [counted(len(self.notes), "note")] if self.notes else []
        first = "".join(f"; first: {each.kind}, {each.detail}" for each in self.findings[:1])
        return f"{type(self).__name__}({', '.join(parts)}{first})"

    def _repr_html_(self) -> str:
        tables = [
            html_table(
                [name, "place", "detail"],
                ((each.kind, each.place, each.detail) for each in found),
                len(found),
            )
            for name, found in (("finding", self.findings), ("note", self.notes))
        ]
        actions = html_table(["action"], ([each] for each in self.actions), len(self.actions))
        return html(repr(self), *tables, actions)


class AuditReport(Report, frozen=True):
    """A report on the audit log; `heads` maps each log to its last hash, to be kept elsewhere."""

    heads: dict[str, str] = {}


class StateVersion(Struct, frozen=True, eq=False, omit_defaults=True, repr_omit_defaults=True):
    """A saved state and its version, from 1; version 0 with state None means that there is none.

    `saved_at` is the instant of the save in aware UTC, None if it is not known. It does not count
    when two versions are compared.
    """

    version: int
    state: dict[str, Any] | None
    saved_at: datetime | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StateVersion):
            return NotImplemented
        return (self.version, self.state) == (other.version, other.state)

    def __hash__(self) -> int:
        return hash(self.version)


class AuditLine(NamedTuple):
    """A record of the audit log as it was logged: the machine's local day and the exact bytes."""

    day: date
    line: bytes
