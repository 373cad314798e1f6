"""Checks all rows but those of the audit log: decodes every document, examines every bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.anomalies import anomalies
from storecore.bars.table import PRICES
from storecore.errors import CorruptData, StorageError, StoreClosed
from storecore.reports import Finding, Report
from storecore_postgres.bars import Bars
from storecore_postgres.errors import Unreachable


class Documents(Protocol):
    """A collection whose rows are documents."""

    def issues(self) -> Iterator[StorageError | None]:
        """Yield for each row its error, or None."""
        ...


def check_rows(bars: Bars, collections: Iterable[Documents]) -> Report:
    """Return a report on all rows but those of the audit log.

    A table that cannot be read (no privilege, a statement timeout) is an "unchecked" finding, and
    the other tables are still checked. If no server can be reached, that error is raised.
    """
    checked, findings, notes = 0, list[Finding](), list[Finding]()
    for collection in collections:
        with unchecked(findings, type(collection).__name__.lower()):
            for issue in collection.issues():
                checked += 1
                if issue is not None:
                    findings.append(_finding(issue, str(issue.path)))
    with unchecked(findings, "bars"):
        for symbol, timeframe in bars.series():
            place = f"{symbol} ({timeframe})"
            with unchecked(findings, place):
                numbers = _Numbers()
                found = anomalies(numbers.checked(bars.pages(symbol, timeframe)), timeframe)
                checked += numbers.count
                findings += [Finding("damaged", place, each) for each in numbers.invalid()]
                notes += [Finding(kind, place, detail) for kind, detail in found]
    with unchecked(findings, "bar_history"):
        findings += [Finding("damaged", *each) for each in bars.damaged_versions()]
    return Report(checked, tuple(findings), notes=tuple(notes))


@contextmanager
def unchecked(findings: list[Finding], place: str) -> Iterator[None]:
    """Turn an error in the block into an "unchecked" finding, one for each place.

    A closed store and an unreachable server still raise.
    """
    try:
        yield
    except (StoreClosed, Unreachable):
        raise
    except Exception as error:
        if ("unchecked", place) not in {(each.kind, each.place) for each in findings}:
            findings.append(_finding(error, place))


def _finding(error: Exception, place: str) -> Finding:
    if isinstance(error, CorruptData):
        return Finding("damaged", place, str(error))
    return Finding(
        "unchecked", place, f"could not be checked: {str(error) or type(error).__name__}"
    )


class _Numbers:
    """Counts the bars of a series, and the numbers that storecore never writes."""

    def __init__(self) -> None:
        self.count = 0
        self._wrong: dict[str, tuple[int, datetime]] = {}

    def checked(self, pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield pages after they have been checked."""
        for page in pages:
            self.count += len(page)
            for name in (*PRICES, "volume"):
                self._check(page, name)
            yield page

    def _check(self, page: pa.Table, name: str) -> None:
        wrong = pc.invert(pc.is_finite(page[name]))
        if name == "volume":
            wrong = pc.or_(wrong, pc.less(page[name], 0.0))
        if rows := pc.sum(wrong).as_py():
            first = page["date"][pc.index(wrong, True).as_py()].as_py()
            before, first = self._wrong.get(name, (0, first))
            self._wrong[name] = before + rows, first

    def invalid(self) -> Iterator[str]:
        """Describe the numbers that are invalid: they came in by another way."""
        for name in (*PRICES, "volume"):
            if name in self._wrong:
                rows, first = self._wrong[name]
                yield f"{rows:,} bars with an invalid {name}, the first at {first}"
