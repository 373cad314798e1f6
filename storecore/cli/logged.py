"""How many records an audit log has, by strategy and run, without holding it in memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import msgspec

from storecore.cli.text import counted
from storecore.protocols import Transfer
from storecore.store.questions import read_decisions, read_orders

_PLAIN = re.compile(rb'"strategy":"([^"\\]+)"')
_Key = tuple[str, str | None]


class _Line(msgspec.Struct):
    strategy: str
    run: str | None = None


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
    """Count the records of a store with `AuditTrail`, as a stream if it has `Transfer`."""
    runs: Counter[str] = Counter()
    decisions, orders = (_live(Counter(_keys(store, log)), runs) for log in ("decisions", "orders"))
    return Logged(decisions, orders, runs)


def _live(counts: Counter[_Key], runs: Counter[str]) -> dict[str, int]:
    """Return the numbers of the live log by strategy; add the others to `runs`."""
    for (_, run), count in counts.items():
        runs.update({} if run is None else {run: count})
    return {name: count for (name, run), count in counts.items() if run is None}


def _keys(store: Any, log: str) -> Iterator[_Key]:
    """Yield strategy and run of each record."""
    if isinstance(store, Transfer):
        yield from (_key(each.line) for each in store.iter_audit(log))
        return
    ask = read_decisions if log == "decisions" else read_orders
    for record in ask(store, date.min, date.max, run="*"):
        yield record.strategy, record.run


def _key(line: bytes) -> _Key:
    """Return strategy and run of a line, which need not be decoded if it is plain."""
    found = _PLAIN.search(line)
    if found is None or b'"run":' in line:
        about = msgspec.json.decode(line, type=_Line)
        return about.strategy, about.run
    return found[1].decode(), None
