"""The methods of a store about its audit logs: they make the records of decisions and orders.

They need the logs only, not the collections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from storecore.audit.context import check_question, chosen, context
from storecore.audit.counts import Counts
from storecore.audit.records import decision_bodies, decision_body, order_bodies, order_body
from storecore.audit.transfer import check_log, moved_lines
from storecore.models import Decision, DecisionRecord, Order, OrderRecord, OrderResult
from storecore.reports import AuditLine, AuditReport
from storecore.store.collections import AuditLog
from storecore.store.methods import Methods, offered
from storecore.values.names import check_name
from storecore.values.times import EVER, Bound, time_range

if TYPE_CHECKING:
    from storecore.protocols import By, Reads


class AuditMethods(Methods):
    """The methods of a store about its logs of decisions and orders, which it has by name."""

    _logs: Mapping[str, AuditLog]

    def log_decision(
        self,
        strategy_name: str,
        decision: Decision,
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append a decision to the audit log.

        `as_of` is the time of the decision, `run` the name of a backtest, whose records
        are apart from the live log. `reads` are the receipts of what was read for the decision.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        about = context(as_of, run, reads)
        self._logs["decisions"].write([decision_body(strategy_name, decision, about)])

    def log_order(
        self,
        strategy_name: str,
        order: Order,
        result: OrderResult,
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append an order and the broker's response to the audit log.

        See `log_decision` for `as_of`, `run` and `reads`.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        about = context(as_of, run, reads)
        self._logs["orders"].write([order_body(strategy_name, order, result, about)])

    @offered()
    def log_decisions(
        self,
        strategy_name: str,
        decisions: Iterable[Decision],
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append decisions to the audit log, all with the same time; all or none.

        Each has the same `as_of`, `run` and `reads`.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        bodies = decision_bodies(strategy_name, decisions, context(as_of, run, reads))
        if bodies:
            self._logs["decisions"].write(bodies)

    @offered()
    def log_orders(
        self,
        strategy_name: str,
        orders: Iterable[tuple[Order, OrderResult]],
        *,
        as_of: datetime | None = None,
        run: str | None = None,
        reads: Reads = None,
    ) -> None:
        """Append orders and their results to the audit log, all with the same time; all or none.

        Each has the same `as_of`, `run` and `reads`.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        bodies = order_bodies(strategy_name, orders, context(as_of, run, reads))
        if bodies:
            self._logs["orders"].write(bodies)

    @offered("audit.lines")
    def read_decisions(
        self,
        start: Bound = None,
        end: Bound = None,
        strategy_name: str | None = None,
        *,
        by: By = "timestamp",
        run: str | None = None,
    ) -> list[DecisionRecord]:
        """Return the decisions logged from `start` to `end`, in the order of `seq`.

        Without `run` they are those of the live log, with `run` those of a run; "*" stands for
        all. With `by="as_of"`, the range is one of `as_of`.
        """
        return self._records("decisions", start, end, strategy_name, by, run)

    @offered("audit.lines")
    def read_orders(
        self,
        start: Bound = None,
        end: Bound = None,
        strategy_name: str | None = None,
        *,
        by: By = "timestamp",
        run: str | None = None,
    ) -> list[OrderRecord]:
        """Return the orders logged from `start` to `end`, in the order of `seq`.

        See `read_decisions` for `by` and `run`.
        """
        return self._records("orders", start, end, strategy_name, by, run)

    @offered("audit.lines")
    def verify_audit(self) -> AuditReport:
        """Verify both chains; report the first break of each, or that its end was cut off."""
        self._check_open()
        verified = {name: log.verify() for name, log in self._logs.items()}
        return AuditReport(
            checked=sum(end.seq for end, _ in verified.values()),
            findings=tuple(each for _, found in verified.values() for each in found),
            heads={name: end.hash for name, (end, _) in verified.items()},
        )

    @offered("audit.lines")
    def iter_audit(self, log: str, after: int = 0) -> Iterator[AuditLine]:
        """Yield the records of a log from number `after` + 1 on, with the local day of each."""
        self._check_open()
        return self._while_open(self._logs[check_log(log, after)].lines(after))

    def audit_counts(self, log: str) -> Counts:
        """Return how many records a log has, by strategy and run; `verify_audit` proves them.

        `storecore info` asks for it.
        """
        self._check_open()
        return self._logs[check_log(log)].counts()

    @offered("audit.append")
    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that another store logged, all of them or none.

        Raises `InvalidData`, which names a line that is not a complete record of that log, or
        `StateConflict` if the first record does not follow the last stored one.
        """
        self._check_open()
        moved = moved_lines(log, day, lines)
        if moved:
            self._logs[log].append(day, moved)

    def _records(
        self, log: str, start: Bound, end: Bound, strategy: str | None, by: By, run: str | None
    ) -> list[Any]:
        self._check_open()
        if strategy is not None:
            check_name(strategy, "strategy_name")
        check_question(by, run)
        span = time_range(start, end)
        if by == "timestamp":
            return chosen(self._logs[log].read(span, strategy), None, run)
        found = self._logs[log].read(EVER._replace(aware=span.aware), strategy)
        return chosen(found, span, run)
