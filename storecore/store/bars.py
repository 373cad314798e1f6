"""The methods of a store about bars: they check arguments and call the collection of bars.

They need no other collection. Lists and tables of bars are read by a range, as views ask for them
(`span_bars`, `span_table`). What needs pyarrow is imported by the first call that works on tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from storecore.bars.extra_values import Misfit
from storecore.bars.rows import (
    MAX_BYTES,
    BarColumns,
    asked_to_replace,
    bar_columns,
    check_max_bytes,
    newest_bars,
    price_bars,
)
from storecore.models import PriceBar
from storecore.reports import Coverage, Footprint, SeriesCoverage
from storecore.store.collections import BarCollection
from storecore.store.methods import Methods, offered
from storecore.store.questions import replacing_unsupported
from storecore.values.suggestions import nearest
from storecore.values.times import Bound, TimeRange, bounded_range, time_range

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped
    from storecore.bars.query import BarQuery
    from storecore.protocols import Day, Extra, Missing, Volume


class BarMethods(Methods):
    """The methods of a store about its bars."""

    _bars: BarCollection

    def write_bars(self, symbol: str, bars: Iterable[PriceBar], *, timeframe: str = "1d") -> None:
        """Insert or replace bars by date, after checking the whole batch.

        Raises `InvalidData`, which names the row and field, or `InvalidName` for the symbol or
        timeframe.
        """
        symbol, timeframe = self._series(symbol, timeframe)
        columns = bar_columns(symbol, bars, extra=self._bars.keeps_extra)
        try:
            self._bars.write(symbol, timeframe, columns)
        except Misfit as error:
            raise error.among(bars) from None

    def read_bars(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        last: int | None = None,
    ) -> list[PriceBar]:
        """Return the bars from `start` to `end`, both included, sorted by date.

        A missing bound is open. With `last`, return only that many, the newest of the range. If the
        bounds are naive, the dates are naive; if they are aware, the dates are aware UTC. Raises
        `InvalidData` if only one bound is aware.
        """
        return self.span_bars(symbol, time_range(start, end, last), timeframe)

    def span_bars(self, symbol: str, span: TimeRange, timeframe: str) -> list[PriceBar]:
        """Return the bars of a range, sorted by date, as `read_bars` does. Views ask for them."""
        symbol, timeframe = self._series(symbol, timeframe)
        found = self._bars.read(symbol, timeframe, span)
        if isinstance(found, BarColumns):
            if span.newest is not None:
                found = newest_bars(found, span.newest)
            return price_bars(symbol, found, span.aware)
        from storecore.bars.table import bars_of, newest_rows

        return bars_of(symbol, newest_rows(found, span.newest), span.aware)

    @offered()
    def write_bar_table(
        self,
        table: Any,
        *,
        symbol: str | None = None,
        timeframe: str = "1d",
        columns: Mapping[str, str] | None = None,
        extra: Extra = "keep",
        missing: Missing = "error",
        day: Day = "instant",
        volume: Volume = "required",
        replace: bool = False,
    ) -> None:
        """Insert or replace the bars of a table of any library, after checking it whole.

        With `replace`, each series of the table becomes exactly its rows, in one step.
        `storecore.write_bar_table` documents the tables and the other keywords. Raises
        `InvalidData`, which names all that is wrong, by row and column.
        """
        from storecore.bars.checks import misfit_in
        from storecore.store.frames.frame import checked_frame
        from storecore.store.frames.options import checked_options

        timeframe = self._name(timeframe, "timeframe")
        replace = asked_to_replace(replace)
        options = checked_options(symbol, columns, extra, missing, day, volume, replace)
        write = self._replace if replace else self._bars.write_many
        keeps: Any = "keep" if self._bars.keeps_extra else "refuse"
        plain, rows = checked_frame(table, timeframe, options, keeps)
        try:
            write(timeframe, rows)
        except Misfit as error:
            raise misfit_in(plain, error) from None

    @offered()
    def read_bar_table(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        last: int | None = None,
    ) -> pa.Table:
        """Return the bars of many symbols as one table, sorted by symbol, then date.

        With `last`, return only that many of each symbol, the newest of the range.
        """
        return self.span_table(symbols, time_range(start, end, last), timeframe, columns)

    def span_table(
        self,
        symbols: str | Iterable[str],
        span: TimeRange,
        timeframe: str,
        columns: Iterable[str] | None,
    ) -> pa.Table:
        """Return the bars of a range, as `read_bar_table` does. Views ask for them."""
        from storecore.bars.query import bar_query, newest_of_each

        timeframe = self._name(timeframe, "timeframe")
        query = bar_query(symbols, columns, extra=self._bars.keeps_extra)
        series = self._bars.read_many(query.symbols, timeframe, span, query.columns)
        if span.newest is not None:
            series = newest_of_each(series, span.newest)
        return self._bar_table(series, query, span, timeframe)

    def _bar_table(self, series: Any, query: BarQuery, span: TimeRange, timeframe: str) -> pa.Table:
        from storecore.bars.metadata import described
        from storecore.bars.query import query_result

        kinds = (self._bars.extra_kinds(each, timeframe) for each in query.symbols)
        others = partial(chain.from_iterable, kinds)
        table = query_result(series, query.columns, span.aware, others)
        return described(table, timeframe, type(self).__name__)

    @offered("bars.stream")
    def iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Iterator[pa.Table]:
        """Yield tables of consecutive ranges of time, each sorted by date, then symbol.

        The iterator holds at most about `max_bytes` of bars in memory. It may miss bars that are
        written during the iteration.
        """
        from storecore.bars.metadata import described
        from storecore.bars.query import bar_query, in_time_order, resolved

        timeframe = self._name(timeframe, "timeframe")
        query = bar_query(symbols, columns, extra=self._bars.keeps_extra)
        span = time_range(start, end)
        check_max_bytes(max_bytes)
        kinds = [(each, self._bars.extra_kinds(each, timeframe)) for each in query.symbols]
        query, asked = resolved(query, kinds)
        found = self._bars.stream(query.symbols, timeframe, span, query.columns, max_bytes)
        tables = (
            in_time_order(series, query.columns, span.aware, asked)
            for series in self._while_open(found)
        )
        return (described(table, timeframe, type(self).__name__) for table in tables)

    @offered("bars.delete")
    def delete_bars(
        self, symbol: str, start: date | str, end: date | str, *, timeframe: str = "1d"
    ) -> int:
        """Remove the bars from `start` to `end`, both included; return their number."""
        symbol, timeframe = self._series(symbol, timeframe)
        return self._bars.delete(symbol, timeframe, bounded_range(start, end))

    @offered("bars.series")
    def symbols(self, timeframe: str | None = None) -> list[str]:
        """Return the symbols that have bars of a timeframe (None: of any), sorted."""
        self._check_open()
        asked = None if timeframe is None else self._name(timeframe, "timeframe")
        return sorted(self._bars.symbols(asked))

    @offered("bars.series")
    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars, sorted."""
        return sorted(self._bars.timeframes(self._name(symbol, "symbol")))

    @offered("bars.series")
    def bar_coverage(self, symbol: str, *, timeframe: str = "1d") -> Coverage:
        """Return the first and last date and the number of bars of a series."""
        return self._bars.coverage(*self._series(symbol, timeframe))

    @offered("bars.series")
    def inventory(self) -> list[SeriesCoverage]:
        """Return every series with its extent, sorted by symbol, then timeframe."""
        self._check_open()
        return sorted(self._bars.inventory(), key=attrgetter("symbol", "timeframe"))

    @offered("bars.series")
    def nearest(self, symbol: str) -> list[str]:
        """Return the symbols with bars that are spelled most like a symbol, the nearest first."""
        return nearest(self._name(symbol, "symbol"), sorted(self._bars.symbols(None)))

    @offered("bars.footprint")
    def bar_footprint(self, symbol: str, *, timeframe: str = "1d") -> Footprint:
        """Return the number of data files of a series and their size in bytes."""
        return self._bars.footprint(*self._series(symbol, timeframe))

    def _replace(self, timeframe: str, batch: Grouped) -> None:
        if not hasattr(self._bars, "replace"):
            raise replacing_unsupported(self)
        if batch.names:
            self._bars.replace(timeframe, batch)
