"""The capability `Maintenance` of the `memory` backend."""

from __future__ import annotations

from typing import Any

from storecore import laws
from storecore.memory_transfer import MemoryTransfer
from storecore.reports import AuditReport, Finding, Report


class MemoryMaintenance(MemoryTransfer):
    """The methods of `Maintenance`, over what `MemoryDataStore` holds."""

    _bars: dict[tuple[str, str], dict[int, tuple[Any, ...]]]
    _ends: dict[str, laws.Link]

    def verify(self, *, against: laws.Against | None = None) -> Report:
        """Follow both chains of the audit log, check all bars, and compare with a checkpoint."""
        return laws.verify_against(self, against, self._report)

    def checkpoint(self) -> laws.Checkpoint:
        """Return a digest for each series, symbol, day of events, state and log."""
        self._check_open()
        return laws.take_checkpoint(self)

    def repair(self, *, dry_run: bool = False) -> Report:
        """Change nothing: there are no files to move aside."""
        return self.verify()

    def compact(self) -> Report:
        """Change nothing: there are no files to compact."""
        self._check_open()
        return Report(0)

    def verify_audit(self) -> AuditReport:
        """Follow both chains and report the first break."""
        self._check_open()
        with self._lock:  # the ends and the lines are of one moment
            logs = {kind: list(lines) for kind, lines in self._logs.items()}
            ends = dict(self._ends)
        placed = {
            kind: [(f"{kind}, record {row}", line) for row, line in enumerate(lines, 1)]
            for kind, lines in logs.items()
        }
        return laws.audit_report(placed, ends)

    def _report(self) -> Report:
        audit = self.verify_audit()
        series = list(self._bars.items())
        checked = len(self._events) + audit.checked + sum(len(rows) for _, rows in series)
        checked += sum(map(len, list(self._fundamentals.values())))
        checked += sum(map(len, list(self._states.values())))
        notes = (note for key, rows in series for note in _odd(*key, rows))
        return Report(checked, audit.findings, notes=tuple(notes))


def _odd(symbol: str, timeframe: str, rows: dict[int, tuple[Any, ...]]) -> list[Finding]:
    from storecore.bar_oddities import oddities
    from storecore.bar_table import series_table

    ordered = zip(*(rows[at] for at in sorted(rows)), strict=True)
    table = series_table(laws.BarColumns(*map(list, ordered)))
    return [Finding(kind, f"{symbol} ({timeframe})", what) for kind, what in oddities([table])]
