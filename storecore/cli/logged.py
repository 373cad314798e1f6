"""How many records an audit log has, by strategy and run, without holding it in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from storecore.audit.counts import Counts
from storecore.cli.text import counted
from storecore.store.questions import audit_counts


class Logged(NamedTuple):
    """The numbers of records of the live log by strategy, and of all runs by name."""

    decisions: Mapping[str, int]
    orders: Mapping[str, int]
    runs: Counter[str]

    def text(self) -> str:
        """Return the sums of the live log."""
        decisions, orders = (sum(each.values()) for each in (self.decisions, self.orders))
        return f"{counted(decisions, 'decision')}, {counted(orders, 'order')}"

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as one object."""
        return {"decisions": self.decisions, "orders": self.orders, "runs": self.runs}


def logged_in(store: Any) -> Logged:
    """Count the records of a store with `AuditTrail`."""
    runs: Counter[str] = Counter()
    decisions, orders = (_live(audit_counts(store, log), runs) for log in ("decisions", "orders"))
    return Logged(decisions, orders, runs)


def _live(counts: Counts, runs: Counter[str]) -> dict[str, int]:
    """Return the numbers of the live log by strategy; add the others to `runs`."""
    for (_, run), count in counts.items():
        runs.update({} if run is None else {run: count})
    return {name: count for (name, run), count in counts.items() if run is None}
