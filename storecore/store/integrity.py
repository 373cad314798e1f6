"""The default of `verify`: read all stored data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from storecore.errors import CorruptData, StorageError
from storecore.reports import Finding, Report
from storecore.values.times import EVER


def checked(
    *, bars: Any, fundamentals: Any, events: Any, states: Any, audit: Mapping[str, Any]
) -> Report:
    """Read every record of five collections, verify the chains, and return a report.

    Damaged data is a finding of the kind "damaged", unreadable data of the kind "unchecked"; the
    rest is still checked. An anomaly in bars is a note.
    """
    check = _Check()
    for name, log in audit.items():
        with check.of(f"log of {name}"):
            end, broken = log.verify()
            check.count += end.seq
            check.findings += broken
    for kind, collection in (("fundamentals", fundamentals), ("events", events)):
        with check.of(kind):
            check.read(collection.all())
    with check.of("states"):
        for strategy in sorted(states.strategies()):
            with check.of(f"state of {strategy}"):
                check.read(states.history(strategy))
    with check.of("bars"):
        for symbol, timeframe in sorted(bars.series()):
            place = f"{symbol} ({timeframe})"
            with check.of(place):
                check.look_at(place, bars.read(symbol, timeframe, EVER), timeframe)
    return Report(check.count, tuple(check.findings), notes=tuple(check.notes))


class _Check:
    """The number of checked records, and the findings."""

    def __init__(self) -> None:
        self.count = 0
        self.findings: list[Finding] = []
        self.notes: list[Finding] = []

    @contextmanager
    def of(self, place: str) -> Iterator[None]:
        """Turn an error of the medium into a finding with this place."""
        try:
            yield
        except StorageError as error:
            kind = "damaged" if isinstance(error, CorruptData) else "unchecked"
            self.findings.append(Finding(kind, place, str(error)))

    def read(self, records: Iterable[Any]) -> None:
        """Read and count records."""
        for _ in records:
            self.count += 1

    def look_at(self, place: str, bars: Any, timeframe: str) -> None:
        """Count the bars of a series, and add a note for each kind of anomaly."""
        from storecore.bars.anomalies import anomalies
        from storecore.bars.table import as_table

        table = as_table(bars)
        self.count += len(table)
        self.notes += [Finding(kind, place, what) for kind, what in anomalies([table], timeframe)]
