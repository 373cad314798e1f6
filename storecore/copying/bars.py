"""Bars, series by series, in columns: a bounded number of them at once.

A stretch of the source's bars is written where the target's of the same time are not the same, so a
copy that was killed goes on in the middle of a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from storecore.bars import bar_columns
from storecore.capabilities import Catalog
from storecore.copying.report import Copied, LeftOut, Tally, Tell
from storecore.errors import CorruptData
from storecore.instants import EARLIEST, LATEST, to_datetime
from storecore.protocol import DataStore
from storecore.tables import iter_bar_tables, read_bar_table, write_bar_table

if TYPE_CHECKING:
    import pyarrow as pa

_EVER = to_datetime(EARLIEST, aware=True), to_datetime(LATEST, aware=True)
_EXACT_TO = 2.0**53  # from here on a table of floats may not say which whole number it was


class _Series(NamedTuple):
    """One series of one store."""

    store: DataStore
    symbol: str
    timeframe: str

    def pieces(self) -> Iterator[pa.Table]:
        """Yield the series as series tables, in order of time."""
        tables = iter_bar_tables(self.store, self.symbol, *_EVER, timeframe=self.timeframe)
        return (self._exact(table) for table in tables)

    def at_times_of(self, piece: pa.Table) -> pa.Table:
        """Return what the series holds at the times of a piece."""
        import pyarrow.compute as pc

        from storecore.bar_table import EMPTY

        bounds = _bounds(piece)
        table = read_bar_table(self.store, self.symbol, *bounds, timeframe=self.timeframe)
        if not len(table):
            return EMPTY
        held = self._exact(table)
        if len(held) <= len(piece):
            return held
        return held.filter(pc.is_in(held["date"], piece["date"].combine_chunks()))

    def write(self, piece: pa.Table) -> None:
        """Insert or replace the bars of a piece."""
        from storecore.bar_answers import answer
        from storecore.bar_table import EXACT, FIELDS, bars_of

        table = answer([(self.symbol, piece)], FIELDS, aware=True)
        if EXACT in piece.column_names and table["volume"].type != "int64":
            bars = bars_of(self.symbol, piece, aware=True)
            return self.store.write_bars(self.symbol, bars, timeframe=self.timeframe)
        return write_bar_table(self.store, table, timeframe=self.timeframe)

    def _exact(self, table: pa.Table) -> pa.Table:
        """Return a table that the store answered as a series table, all its volumes exact."""
        import pyarrow.compute as pc

        from storecore.bar_checks import checked_series
        from storecore.bar_table import series_table

        if table["volume"].type == "double" and pc.max(table["volume"]).as_py() >= _EXACT_TO:
            first, last = _bounds(table)
            bars = self.store.read_bars(self.symbol, first, last, timeframe=self.timeframe)
            return series_table(bar_columns(self.symbol, bars))
        ((_, series),) = checked_series(table)
        return series


class _Columns:
    """A checksum over each column of a series, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._count = 0
        self._hashes = [sha256() for _ in range(8)]

    def add(self, piece: pa.Table) -> None:
        """Take the next piece of the series."""
        self._count += len(piece)
        for column, content in zip(self._hashes, _content(piece), strict=True):
            column.update(content)

    def tally(self) -> Tally:
        """Return what was added so far."""
        whole = sha256(b"".join(column.digest() for column in self._hashes))
        return Tally(self._count, whole.hexdigest() if self._count else "")


def copy_bars(source: DataStore, target: DataStore, tell: Tell) -> Iterator[Copied | LeftOut]:
    """Copy every series, and report on those that the target alone has too."""
    if not isinstance(source, Catalog):
        why = "the source cannot list its series: it lacks the capability Catalog"
        yield LeftOut("bars", why)
        return
    for symbol, timeframe in sorted({*_listed(source), *_listed(target)}):
        given, kept = _Series(source, symbol, timeframe), _Series(target, symbol, timeframe)
        try:
            taken, added = _copy(given, kept, tell)
            yield Copied("bars", symbol, taken, _tally(kept), timeframe, added)
        except CorruptData as error:  # of the one series: the others are whole
            yield LeftOut("bars", f"{symbol} ({timeframe}): {error}")


def _listed(store: DataStore) -> list[tuple[str, str]]:
    """Return the series of a store; none where it cannot list them."""
    if not isinstance(store, Catalog):
        return []
    return [
        (symbol, timeframe) for symbol in store.symbols() for timeframe in store.timeframes(symbol)
    ]


def _copy(given: _Series, kept: _Series, tell: Tell) -> tuple[Tally, int]:
    """Copy one series; return the source's tally and how many bars were written."""
    columns, added = _Columns(), 0
    for piece in given.pieces():
        columns.add(piece)
        if _content(kept.at_times_of(piece)) != _content(piece):
            kept.write(piece)
            added += len(piece)
        tell("bars", given.symbol, len(piece))
    return columns.tally(), added


def _tally(series: _Series) -> Tally:
    columns = _Columns()
    for piece in series.pieces():
        columns.add(piece)
    return columns.tally()


def _bounds(piece: pa.Table) -> tuple[Any, Any]:
    """Return the times of the first and last bar of a table that has some."""
    from storecore.bar_table import buffer_of

    dates = buffer_of(piece["date"], "q")
    return to_datetime(dates[0], aware=True), to_datetime(dates[-1], aware=True)


def _content(piece: pa.Table) -> list[memoryview]:
    """Return the columns of a series table as bytes, and the volumes that no float64 equals."""
    import pyarrow.compute as pc

    from storecore.bar_table import EXACT, PRICES, buffer_of

    whole = piece.slice(0, 0)
    if EXACT in piece.column_names:
        whole = piece.filter(pc.is_valid(piece[EXACT]))
    volumes = pc.add(piece["volume"], 0.0)  # one of -0.0 is answered as the whole number 0
    columns = [
        buffer_of(piece["date"], "q"),
        *(buffer_of(piece[name], "d") for name in PRICES),
        buffer_of(volumes, "d"),
        buffer_of(whole["date"], "q"),
        buffer_of(whole[EXACT], "q") if len(whole) else memoryview(b""),
    ]
    return [column.cast("B") for column in columns]
