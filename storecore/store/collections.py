"""The five collections that a backend implements: bars, fundamentals, events, states, audit.

`storecore.Store` checks the arguments of its caller. A collection receives values that obey the
laws: valid names, ranges as instants (microseconds since 1970, UTC), batches that were checked
completely. Results must be in the order that the docstring of the method requires.

The abstract methods are required. A method with a body has a default, which a backend may override
with a faster one. A method under `TYPE_CHECKING` is optional and has no default. Its docstring
names the capabilities that need it; a store has them only if its collections have the method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from storecore.audit.chain import verify_chain
from storecore.audit.counts import Counts, counts_of_all
from storecore.audit.records import Link, decode_record, select_records
from storecore.audit.transfer import LOGS
from storecore.bars.rows import BarColumns
from storecore.errors import CorruptData
from storecore.events import EventQuery, between, find_events
from storecore.fundamentals import select_fundamentals
from storecore.knowledge.versions import Forming, Unreplaced, Version, Versions, held_bars
from storecore.models import Event, FundamentalData
from storecore.reports import (
    AuditLine,
    Coverage,
    Finding,
    Footprint,
    SeriesCoverage,
    StateVersion,
)
from storecore.states import KEPT_VERSIONS
from storecore.values.times import EVER, TimeRange, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

    from storecore.bars.groups import Grouped
    from storecore.bars.query import Panel


class Collection:
    """The data of one kind in a store."""

    def close(self) -> None:
        """Release the resources of the collection. A second call does nothing."""


class BarCollection(Collection, ABC):
    """Bars, one for each (symbol, timeframe, date)."""

    if TYPE_CHECKING:

        def series(self) -> Iterable[tuple[str, str]]:
            """Return (symbol, timeframe) of each series that has bars, in any order (`Catalog`)."""

        def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
            """Remove the bars of a range; return their number (`Bulk`)."""

        def replace(self, timeframe: str, batch: Grouped) -> None:
            """Replace whole series by the bars of a batch (`write_bar_table(…, replace=True)`).

            The batch has at least one symbol, and each has at least one bar. A reader sees the old
            or the new bars of a series, also after a crash. After an error no series is replaced,
            or all of them are.
            """

        def stream(
            self,
            symbols: list[str],
            timeframe: str,
            span: TimeRange,
            columns: tuple[str, ...],
            max_bytes: int,
        ) -> Iterator[list[tuple[str, pa.Table]]]:
            """Yield the series tables of consecutive ranges of time (`BarStream`).

            `columns` are names. A table may lack a further column of its series: it is null there.
            """

        def footprint(self, symbol: str, timeframe: str) -> Footprint:
            """Return the number of data files of a series and their size (`DiskUsage`)."""

        def versions(self, symbol: str, timeframe: str, span: TimeRange) -> Versions:
            """Return the versions of the bars of a range, by date, then by `recorded` (`History`).

            Further columns have the types of the present series (`extra_kinds`), if it has them.
            """

        def corrected(self, since: int) -> Iterable[tuple[str, str, TimeRange]]:
            """Return each series with versions that were replaced at or after an instant.

            Series without present bars are among them. The range contains the dates of these
            versions; it may be wider. A series may come with several ranges, which do not overlap.
            They are in any order (`History`).
            """

        def prune(self, before: int) -> int:
            """Remove the versions that were replaced at or before an instant; return their number.

            The clock has moved the horizon to that instant (`History`).
            """

        def restore(self, symbol: str, timeframe: str, versions: Versions) -> None:
            """Take in versions of another store, and return when they are durable.

            One with the date and instant `recorded` of a version that is held replaces it. The last
            version of a date is held now if it has no `replaced` (`restore_versions`).
            """

    keeps_extra: ClassVar[bool] = False
    """Whether further columns and volumes of None are kept (law B6).

    If not, `Store` refuses both, and the other methods never receive them. A collection that sets
    it has `extra_kinds`, and calls `storecore.bars.extra.agreed` when it writes.
    """

    @abstractmethod
    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Insert or replace bars by date, all of them or, after an error, none.

        `columns` are sorted by date, one row per date, and may be empty.
        """

    @abstractmethod
    def read(self, symbol: str, timeframe: str, span: TimeRange) -> BarColumns | pa.Table:
        """Return the bars of a range, sorted by date, as columns or as a series table.

        If `span.newest` is set, only that many are needed, the last ones. More may be returned.
        """

    def extra_kinds(self, symbol: str, timeframe: str) -> dict[str, str]:
        """Return the further columns of a series and their types (`Kinds`).

        A column stays, even if it is null in all bars, until the series is deleted whole.
        """
        return {}

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Insert or replace the bars of several symbols.

        The default writes each symbol separately. Override it if a later write may fail, so that
        after an error no symbol is written (law D2).
        """
        for symbol, columns in batch.columns():
            self.write(symbol, timeframe, columns)

    def read_many(
        self, symbols: list[str], timeframe: str, span: TimeRange, columns: tuple[str, ...]
    ) -> list[tuple[str, pa.Table]] | Panel:
        """Return a series table for each symbol that has bars, in the order of `symbols`.

        A table has the column `date` and all `columns` except "symbol". It may have others. Of the
        further columns it has those that the series has, even if they are null in this range;
        `storecore.bars.extra.EVERY` in `columns` stands for all of them. A series with such columns
        but without bars in the range has a table without rows. Of each symbol only `span.newest`
        bars are needed, if that is set; more may be returned.

        A `storecore.bars.query.Panel` has the rows of all series in one table, without further
        columns, and no more rows than are needed.
        """
        from storecore.bars.extra import completed
        from storecore.bars.table import as_table

        found: list[tuple[str, pa.Table]] = []
        for symbol in symbols:
            table = as_table(self.read(symbol, timeframe, span))
            kinds = self.extra_kinds(symbol, timeframe)
            if kinds or len(table):
                found.append((symbol, completed(table, kinds) if kinds else table))
        return found

    def symbols(self, timeframe: str | None) -> Iterable[str]:
        """Return the symbols that have bars of a timeframe (None: of any), in any order."""
        return {symbol for symbol, each in self.series() if timeframe in (None, each)}

    def timeframes(self, symbol: str) -> Iterable[str]:
        """Return the timeframes in which a symbol has bars, in any order."""
        return {timeframe for each, timeframe in self.series() if each == symbol}

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return the first and last date and the number of bars of a series."""
        from storecore.bars.table import as_columns

        dates = as_columns(self.read(symbol, timeframe, EVER)).date
        if not dates:
            return Coverage(None, None, 0)
        first, last = (to_datetime(at, aware=True) for at in (dates[0], dates[-1]))
        return Coverage(first, last, len(dates))

    def inventory(self) -> Iterable[SeriesCoverage]:
        """Return the extent of each series that has bars, in any order.

        The default asks for the coverage of each series. Override it if one query can answer.
        """
        for symbol, timeframe in self.series():
            found = self.coverage(symbol, timeframe)
            if found.first is not None and found.last is not None:  # not deleted meanwhile
                yield SeriesCoverage(symbol, timeframe, found.first, found.last, found.count)

    def recorded(
        self, symbol: str, timeframe: str, span: TimeRange, at: int
    ) -> BarColumns | pa.Table:
        """Return the bars of a range that were held at an instant of recording (`History`).

        `Store` has moved the clock to it. The default selects among `versions`.
        """
        return held_bars(self.versions(symbol, timeframe, span), at)

    def known(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: tuple[str, ...] | None,
        forming: Forming,
    ) -> Iterable[tuple[str, pa.Table]] | Panel | None:
        """Return a series table for each symbol of what a view shows of a range (`History`).

        They are in the order of `symbols`, each sorted by date.

        None, the default, if the collection cannot answer faster than by `read` and `versions`.
        """
        return None

    def unreplaced(self, symbol: str, timeframe: str, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a range and when they were recorded, if these are all its versions.

        None if a version was replaced. None is also the default, for a collection that cannot
        answer faster than by `versions`. Copies ask for it (`History`).
        """
        return None

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> None:
        """Take in bars of another store into a range without versions, as `restore` does."""
        self.restore(symbol, timeframe, given.versions())

    def generation(self, symbol: str, timeframe: str) -> int:
        """Return a counter that each write to a series increments; 0 if the backend has none."""
        return 0


class FundamentalCollection(Collection, ABC):
    """Fundamentals, one for each (symbol, timestamp)."""

    if TYPE_CHECKING:

        def all(self) -> Iterator[FundamentalData]:
            """Yield all fundamentals by symbol, then timestamp (`Transfer`, `Maintenance`)."""

        def delete(self, symbol: str, span: TimeRange) -> int:
            """Remove the fundamentals of a symbol and range, all or none; return their number."""

        def versions_of(self, symbol: str, span: TimeRange) -> list[Version[FundamentalData]]:
            """Return the versions of a symbol, by timestamp, then by `recorded` (`History`)."""

        def corrected(self, since: int) -> Iterable[str]:
            """Return the symbols with versions replaced at or after an instant (`History`).

            They are in any order; deleted ones are among them.
            """

        def prune(self, before: int) -> int:
            """Remove versions, as `BarCollection.prune` does (`History`)."""

        def restore(self, versions: list[Version[FundamentalData]]) -> None:
            """Take in versions of another store, as `BarCollection.restore` does."""

    @abstractmethod
    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace fundamentals, all or none; the last one of a (symbol, instant) wins."""

    @abstractmethod
    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental whose timestamp is not after the instant `limit`.

        The caller may change its `extra`: it is a copy, or newly decoded.
        """

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        """Return the fundamentals of a symbol and range by timestamp (`Catalog`).

        The default reads all fundamentals of the store, by `all`.
        """
        return select_fundamentals((each for each in self.all() if each.symbol == symbol), span)

    def symbols(self) -> Iterable[str]:
        """Return the symbols that have fundamentals, in any order (`Catalog`).

        The default reads all fundamentals of the store, by `all`.
        """
        return {each.symbol for each in self.all()}


class EventCollection(Collection, ABC):
    """Events. Identical events are all kept."""

    if TYPE_CHECKING:

        def all(self) -> Iterator[Event]:
            """Yield all events by timestamp, then by order of writing, with times in aware UTC.

            `Transfer` and `Maintenance` need it.
            """

        def delete(self, query: EventQuery) -> int:
            """Remove the events that a query asks for, all or none; return their number."""

        def versions(self, query: EventQuery) -> list[Version[Event]]:
            """Return the versions of events, in the order of `select_events` (`History`).

            Their times are in aware UTC.
            """

        def past(self, since: int) -> list[Version[Event]]:
            """Return the versions that were replaced at or after an instant (`History`).

            They are in any order, with their times in aware UTC.
            """

        def prune(self, before: int) -> int:
            """Remove versions, as `BarCollection.prune` does (`History`)."""

        def restore(self, versions: list[Version[Event]]) -> None:
            """Append versions of another store in their order, all or none."""

    @abstractmethod
    def write(self, batch: list[Event]) -> None:
        """Append events in the order given, all or none. Their times are aware UTC."""

    @abstractmethod
    def read(self, span: TimeRange, types: frozenset[str] | None) -> list[Event]:
        """Return the events of a range and types (None: all), in the order of `select_events`."""

    def find(self, query: EventQuery) -> list[Event]:
        """Return the events that a query asks for, in the order of `select_events`.

        `Store` calls it if a query has `symbols` or `ingested_by`, and `read` otherwise. The
        default reads all events of the range and types, and filters them.
        """
        found = self.read(query.span._replace(aware=True), query.types)
        return find_events(found, query)

    def stream(self, span: TimeRange) -> Iterator[Event]:
        """Yield the events of a range in the order of `all`. The default takes them from `all`."""
        return between(self.all(), span)

    def symbols(self) -> Iterable[str]:
        """Return the symbols that have events, without None, in any order (`Catalog`).

        The default reads all events of the store, by `all`.
        """
        return {each.symbol for each in self.all() if each.symbol is not None}


class StateCollection(Collection, ABC):
    """The state of each strategy, a JSON document."""

    kept_versions: int = KEPT_VERSIONS
    """The number of versions that the collection keeps of each state."""

    if TYPE_CHECKING:

        def strategies(self) -> Iterable[str]:
            """Return the names of the strategies that have a state, in any order (`Catalog`)."""

        def history(self, strategy: str) -> list[StateVersion]:
            """Return the stored versions, newest first, with `saved_at` (`VersionedState`)."""

        def restore(
            self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None
        ) -> None:
            """Replace all versions with those of another store: number, document (`Transfer`).

            `saved_at_of` returns the time at which each was saved.
            """

        def delete(self, strategy: str, expect: int | None) -> bool:
            """Remove all versions of a state; return whether there was one (`VersionedState`).

            `expect` is as for `save`. The version after it is 0. The next save has the number that
            follows the last one, so that no writer takes a later state for one that it loaded.
            """

    @abstractmethod
    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace the state of a strategy.

        `expect` is None if the collection has no `history`. Otherwise pass it to `check_expected`
        with the number of the stored version (0: none), within the transaction that replaces it.
        """

    @abstractmethod
    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return a copy of the state of a strategy, or None."""

    def version(self, strategy: str) -> StateVersion:
        """Return the state of a strategy and its version; None and version 0 if it has none."""
        kept = self.history(strategy)
        return kept[0] if kept else StateVersion(0, None)


class AuditLog(Collection, ABC):
    """One of the two logs, "decisions" and "orders": a chain of records (law A3)."""

    if TYPE_CHECKING:

        def lines(self, after: int) -> Iterator[AuditLine]:
            """Yield the records from number `after` + 1 on, by `seq` (`AuditTrail`)."""

        def append(self, day: date, lines: list[bytes]) -> None:
            """Append records that another store logged on a local day, all or none (`Transfer`).

            `Store` has checked them, except that they follow the chain: call `moved_end` for that.
            """

    name: str
    """The name of the log, a key of `LOGS`."""

    @abstractmethod
    def write(self, bodies: list[bytes]) -> None:
        """Append records, all or none.

        A body is a line without its number, time and hashes, which `chain` adds. Read the end of
        the chain within the transaction that appends the records.
        """

    def read(self, span: TimeRange, strategy: str | None) -> list[Any]:
        """Return the records of a range and a strategy (None: all), in the order of `seq`.

        Those of all runs are among them; `Store` selects a run.
        """
        records = (
            self._decoded_record(row, each.line) for row, each in enumerate(self.lines(0), 1)
        )
        return select_records(records, span, strategy)

    def counts(self) -> Counts:
        """Return how many records the log has, by strategy and run."""
        return counts_of_all(each.line for each in self.lines(0))

    def _decoded_record(self, row: int, line: bytes) -> Any:
        try:
            return decode_record(line, LOGS[self.name])
        except ValueError as error:
            raise CorruptData(f"{self.name}, record {row}: {error}") from error

    def head(self) -> Link | None:
        """Return the end of the chain that is recorded beside the log; None if there is none.

        Without it `verify` cannot detect that the end of the log was cut off (law A3).
        """
        return None

    def verify(self) -> tuple[Link, Sequence[Finding]]:
        """Follow the chain; return its end and the first break, if there is one."""
        known = self.head()  # before the lines: those that are logged meanwhile go beyond it
        lines = enumerate(self.lines(0), 1)
        placed = ((f"{self.name}, record {row}", each.line) for row, each in lines)
        end, broken = verify_chain(self.name, placed, known)
        return end, [] if broken is None else [broken]
