"""The room of bars: a folder a series, a Parquet file a calendar month (UTC) of it.

    prices/AAPL/2026-01.parquet          timeframe "1d"
    prices/AAPL/1m/2026-01.parquet       any other, one folder down

A write replaces the files of the months it touches, one by one, under the lock of the series. A
reader takes whole files as they are: each is the old one or the new one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

import pyarrow as pa

from storecore.bars import BarColumns
from storecore.capabilities import Coverage, Footprint
from storecore.errors import CorruptData
from storecore.instants import EARLIEST, LATEST, TimeRange, exact_instant, to_datetime
from storecore_file import bar_file
from storecore_file.bar_table import columns_of, table_of, upserted
from storecore_file.floor.disk import Disk
from storecore_file.floor.locks import Locked
from storecore_file.floor.names import SYMBOLS, TIMEFRAMES

_PART = re.compile(r"(\d{4})-(\d{2})\.parquet")
_DAILY = "1d"


class Bars:
    """The bars of a store, in one folder. Symbols and timeframes are checked names."""

    def __init__(self, folder: Path, disk: Disk, lock_timeout: float) -> None:
        self._folder = folder
        self._disk = disk
        self._lock_timeout = lock_timeout

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Upsert columns that are checked, sorted and unique."""
        if not columns.date:
            return
        folder = self._series(symbol, timeframe)
        self._disk.make_folder(folder, within=self._folder)
        table = table_of(columns)
        with Locked(folder / ".lock", self._lock_timeout):
            # All that can be refused, a damaged file for one, is refused before the first write.
            contents = []
            for start, stop in _months(columns.date):
                path = folder / _part_name(columns.date[start])
                rows = table.slice(start, stop - start)
                contents.append((path, self._upserted(path, symbol, timeframe, rows)))
            for path, content in contents:
                self._disk.replace(path, content)

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> BarColumns:
        """Return the bars of a range."""
        parts = self._parts(self._series(symbol, timeframe), span.first, span.last)
        tables = [self._table(part, symbol, timeframe) for part in parts]
        there = [table for table in tables if table is not None]
        return columns_of(there, span.first, span.last)

    def symbols(self, timeframe: str | None) -> list[str]:
        """Return the symbols that have bars, of one timeframe or of any."""
        symbols = []
        for folder in self._disk.folders(self._folder):
            part = self._first_part(self._series_in(folder, timeframe))
            if part is not None:
                symbols.append(SYMBOLS.decode(folder.name) or self._note(part).symbol)
        return sorted(symbols)

    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars."""
        timeframes = []
        for folder in self._series_in(self._series(symbol, _DAILY), None):
            part = self._first_part([folder])
            if part is not None:
                timeframes.append(self._note(part).timeframe)
        return sorted(timeframes)

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return first and last date and the number of bars."""
        parts = self._parts(self._series(symbol, timeframe))
        tables = [self._table(path, symbol, timeframe) for path in parts]
        dates = [table["date"] for table in tables if table is not None]
        if not dates:
            return Coverage(None, None, 0)
        first, last = dates[0][0].value, dates[-1][-1].value
        count = sum(map(len, dates))
        return Coverage(to_datetime(first, aware=True), to_datetime(last, aware=True), count)

    def footprint(self, symbol: str, timeframe: str) -> Footprint:
        """Return the number of files and their bytes."""
        parts = self._parts(self._series(symbol, timeframe))
        return Footprint(len(parts), sum(self._disk.size(path) or 0 for path in parts))

    def _upserted(self, path: Path, symbol: str, timeframe: str, new: pa.Table) -> bytes:
        """Return what the part at `path` will be with new rows in it."""
        old = self._table(path, symbol, timeframe)
        table = new if old is None else upserted(old, new)
        return bar_file.encode(symbol, timeframe, table)

    def _table(self, path: Path, symbol: str, timeframe: str) -> pa.Table | None:
        """Return the bars of a part, None where there is none. Raises `CorruptData`."""
        content = self._disk.read(path)
        if content is None:
            return None
        table = bar_file.decode(content, path, symbol, timeframe)
        ends = {_part_name(date.value) for date in (*table["date"][:1], *table["date"][-1:])}
        if ends != {path.name}:
            raise CorruptData(f"{path}: expected bars of its month, found {sorted(ends)}", path)
        return table

    def _series(self, symbol: str, timeframe: str) -> Path:
        return self._in_timeframe(self._folder / SYMBOLS.encode(symbol), timeframe)

    def _in_timeframe(self, folder: Path, timeframe: str) -> Path:
        return folder if timeframe == _DAILY else folder / TIMEFRAMES.encode(timeframe)

    def _series_in(self, folder: Path, timeframe: str | None) -> list[Path]:
        """Return the folders of a symbol's series, of one timeframe or all that there may be."""
        if timeframe is not None:
            return [self._in_timeframe(folder, timeframe)]
        return [folder, *self._disk.folders(folder)]

    def _parts(self, folder: Path, first: int = EARLIEST, last: int = LATEST) -> list[Path]:
        """Return the parts whose month overlaps the range, in time order."""
        low, high = _part_name(first), _part_name(last)
        return [
            folder / name
            for name in self._disk.names(folder)
            if _PART.fullmatch(name) and low <= name <= high
        ]

    def _first_part(self, folders: list[Path]) -> Path | None:
        return next((part for folder in folders for part in self._parts(folder)), None)

    def _note(self, part: Path) -> bar_file.FileNote:
        return bar_file.read_note(self._disk.read(part) or b"", part)[0]


def _part_name(instant: int) -> str:
    moment = to_datetime(instant, aware=False)
    return f"{moment.year:04}-{moment.month:02}.parquet"


def _months(dates: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of the rows of each month in sorted instants."""
    start = 0
    while start < len(dates):
        stop = bisect_right(dates, _end_of_month(dates[start]), start)
        yield start, stop
        start = stop


def _end_of_month(instant: int) -> int:
    moment = to_datetime(instant, aware=False)
    last_day = datetime(moment.year, moment.month, monthrange(moment.year, moment.month)[1])
    return exact_instant(datetime.combine(last_day, time.max), "date")
