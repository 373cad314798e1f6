"""Looks over a whole store: every document decoded, every bar looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bar_oddities import oddities
from storecore.bar_table import PRICES
from storecore.errors import CorruptData
from storecore.instants import EARLIEST, LATEST, TimeRange
from storecore.reports import Finding, Report
from storecore_postgres.bars import Bars

_EVER = TimeRange(EARLIEST, LATEST, aware=True)


class Documents(Protocol):
    """A room whose rows are documents."""

    def damages(self) -> Iterator[CorruptData | None]:
        """Yield for each row what is wrong with it, None where nothing is."""
        ...


def looked_over(bars: Bars, rooms: Iterable[Documents]) -> Report:
    """Return a report on all rows but those of the audit log."""
    checked, findings, notes = 0, [], []
    for room in rooms:
        for damage in room.damages():
            checked += 1
            if damage is not None:
                findings.append(Finding("damaged", str(damage.path), str(damage)))
    for symbol in bars.symbols(None):
        for timeframe in bars.timeframes(symbol):
            place = f"{symbol} ({timeframe})"
            tables = [table for _, table in bars.read([symbol], timeframe, _EVER)]
            checked += sum(map(len, tables))
            findings += [Finding("damaged", place, each) for each in _unsound(tables)]
            notes += [Finding(kind, place, detail) for kind, detail in oddities(tables)]
    return Report(checked, tuple(findings), notes=tuple(notes))


def _unsound(tables: Sequence[pa.Table]) -> Iterator[str]:
    """Yield what no store would have written: it came in by another way."""
    for table in tables:
        for name in (*PRICES, "volume"):
            wrong = pc.invert(pc.is_finite(table[name]))
            if name == "volume":
                wrong = pc.or_(wrong, pc.less(table[name], 0.0))
            if rows := pc.sum(wrong).as_py():
                first = table["date"][pc.index(wrong, True).as_py()].as_py()
                yield f"{rows:,} bars with no sound {name}, the first of {first}"
