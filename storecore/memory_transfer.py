"""What the `memory` backend gives and takes for a copy: its capability `Transfer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from threading import RLock

from storecore import laws
from storecore.models import Event, FundamentalData
from storecore.reports import StateVersion


class MemoryTransfer(laws.BarTablesByBars):
    """The methods of `Transfer`, over what `MemoryDataStore` holds."""

    _lock: RLock
    _fundamentals: dict[str, dict[int, FundamentalData]]
    _events: list[bytes]
    _states: dict[str, list[tuple[int, bytes]]]
    _logs: dict[str, list[bytes]]
    _days: dict[str, list[date]]
    _ends: dict[str, laws.Link]

    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp."""
        self._check_open()
        histories = sorted(self._fundamentals.items())
        return self._while_open(history[at] for _, history in histories for at in sorted(history))

    def iter_events(self) -> Iterator[Event]:
        """Yield all events by timestamp, then by order of writing."""
        self._check_open()
        encoded = sorted(self._events, key=lambda each: laws.decode_event(each).timestamp)
        return self._while_open(map(laws.decode_event, encoded))

    def iter_audit(self, log: str, after: int = 0) -> Iterator[laws.AuditLine]:
        """Yield the records of a log from number `after` + 1 on."""
        self._check_open()
        laws.check_log(log, after)
        with self._lock:
            days, lines = self._days[log][after:], self._logs[log][after:]
        return self._while_open(map(laws.AuditLine, days, lines))

    def append_audit(self, log: str, day: date, lines: Iterable[bytes]) -> None:
        """Append records of one local day that were logged elsewhere, all of them or none."""
        self._check_open()
        moved = laws.moved_lines(log, day, lines)
        if moved:
            with self._lock:
                end = laws.moved_end(log, moved, self._ends[log])
                self._keep(log, moved, [day] * len(moved), end)

    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history by versions that another store has, newest first."""
        self._check_open()
        strategy_name = laws.check_name(strategy_name, "strategy_name")
        restored = laws.checked_versions(versions)
        with self._lock:
            stored = self._states.get(strategy_name, [(0, b"")])[0][0]
            laws.check_expected(strategy_name, expect, stored)
            if restored:
                self._states[strategy_name] = restored

    def _keep(self, log: str, lines: list[bytes], days: list[date], end: laws.Link) -> None:
        """Append records and their days to a log, under the lock.

        Nothing is called between these: an exception of a signal handler finds all or none of it.
        """
        self._logs[log] += lines
        self._days[log] += days
        self._ends[log] = end
