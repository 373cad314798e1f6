"""How many records an audit log has, by strategy and run, without holding it in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from storecore.audit.counts import Counts, counts_of_all
from storecore.cli.text import counted
from storecore.protocols import Transfer
from storecore.store.questions import read_decisions, read_orders


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
    decisions, orders = (_live(_counts(store, log), runs) for log in ("decisions", "orders"))
    return Logged(decisions, orders, runs)


def _live(counts: Counts, runs: Counter[str]) -> dict[str, int]:
    """Return the numbers of the live log by strategy; add the others to `runs`."""
    for (_, run), count in counts.items():
        runs.update({} if run is None else {run: count})
    return {name: count for (name, run), count in counts.items() if run is None}


def _counts(store: Any, log: str) -> Counts:
    """Count the records of a log, in the quickest way that the store has."""
    own = getattr(store, "audit_counts", None)  # of a `Store`; others may lack it
    if own is not None:
        found: Counts = own(log)
        return found
    if isinstance(store, Transfer):
        return counts_of_all(each.line for each in store.iter_audit(log))
    ask = read_decisions if log == "decisions" else read_orders
    records = ask(store, date.min, date.max, run="*")
    return Counter((each.strategy, each.run) for each in records)
