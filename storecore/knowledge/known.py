"""What of a store was known at a time: the present of what had ended, and its history.

A bar that had ended is shown as it is recorded now, or as it was held at `recorded`. A bar that was
still forming is shown as it was last recorded by then: only a store with `History` can tell. If
that version was pruned, or was not kept, the bar is not shown. Only a pruned `recorded` raises
`HistoryPruned`, whatever the time of the view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from storecore.bars.extra_values import FIELDS
from storecore.bars.rows import bar_columns
from storecore.errors import HistoryPruned, StorageError, shown
from storecore.knowledge.lengths import begun_by, last_ended
from storecore.knowledge.versions import Forming
from storecore.models import Event, FundamentalData, PriceBar
from storecore.reports import StateVersion
from storecore.store.questions import has_method, held_bars, recording_began, why_lacking
from storecore.store.tables import pieces_of, read_bar_table
from storecore.store.wrapper import method_of
from storecore.values.times import Bound, TimeRange, exact_instant, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa


class Known(NamedTuple):
    """A store, the instant up to which something may be known, and that of recording.

    `recorded` is None if all that is recorded now counts. `lengths` are those of timeframes.
    """

    store: Any
    at: int
    recorded: int | None
    lengths: Mapping[str, int]

    @property
    def limit(self) -> int:
        """The last instant of recording by which something was known and counts."""
        return self.at if self.recorded is None else min(self.at, self.recorded)

    def ended(self, timeframe: str) -> int:
        """Return the last date of a bar that had ended."""
        return last_ended(timeframe, self.at, self.lengths)

    def is_present(self) -> bool:
        """Return whether the store's own answers are right, cut at what had ended.

        They are if no bar was recorded before it ended, which is so before the first recording.
        """
        return self.recorded is None and (
            self.limit < recording_began(self.store) or not has_method(self.store, "bar_versions")
        )

    def bars(self, symbol: str, span: TimeRange, timeframe: str) -> list[PriceBar]:
        """Return the bars of a range that were known, by date."""
        quickly = self._quickly("known_bars", symbol, span, timeframe)
        if quickly is not None:
            return cast(list[PriceBar], quickly)
        ended = min(span.last, self.ended(timeframe))
        if span.first <= ended:
            bars = self._ended_bars(symbol, span, ended, timeframe)
        else:
            bars = []
            self._check_recorded(symbol, span, timeframe)
        bars += self.forming(symbol, span, timeframe)
        return bars if span.newest is None else bars[-span.newest :]

    def forming(self, symbol: str, span: TimeRange, timeframe: str) -> list[PriceBar]:
        """Return the bars of a range that had not ended, as they were last recorded by then.

        A bar that is dated later than its own length after the time of the view was not forming.
        Before the first recording there are none. A bar whose version of then was pruned is left
        out: it cannot be told from one of which nothing had been recorded by then.
        """
        first = max(span.first, self.ended(timeframe) + 1)
        last = min(span.last, begun_by(timeframe, self.at, self.lengths))
        if first > last or self.limit < recording_began(self.store):
            return []
        bounds = to_datetime(first, span.aware), to_datetime(last, span.aware)
        return [each.bar for each in self._versions(symbol, bounds, timeframe)]

    def present_table(
        self,
        symbols: str | Iterable[str],
        columns: Iterable[str] | None,
        span: TimeRange,
        timeframe: str,
    ) -> pa.Table | None:
        """Return the bars that were known as a table, None if the store has no quick way."""
        return self._quickly("known_table", symbols, span, timeframe, columns)

    def _quickly(
        self, method: str, symbols: str | Iterable[str], span: TimeRange, timeframe: str, *more: Any
    ) -> Any:
        """Return what a method of the store returns that reads bars that were forming with others.

        None if it has none, and if the range has no bars that had ended.
        """
        read = getattr(self.store, method, None)
        if read is None or self.recorded is not None or self.at < recording_began(self.store):
            return None
        forming = Forming(self.ended(timeframe), self.at)
        last = min(span.last, begun_by(timeframe, self.at, self.lengths))
        if span.first > min(last, forming.ended):
            return None
        return read(symbols, span._replace(last=last), timeframe, *more, forming)

    def fundamentals(
        self, symbol: str, start: Bound, until: int, aware: bool
    ) -> list[FundamentalData]:
        """Return the fundamentals of a symbol from `start` to an instant that were held."""
        end = to_datetime(until, aware)
        if self.recorded is None:
            read = method_of(self.store, "fundamentals")
            return cast(list[FundamentalData], read(symbol, start, end))
        versions = self.store.fundamental_versions(symbol, start, end, recorded=self._moment())
        return [each.data for each in versions]

    def fundamental(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental not after an instant that was held."""
        if self.recorded is None:
            moment = to_datetime(limit, aware=True)
            return cast(FundamentalData | None, self.store.read_fundamental(symbol, moment))
        held = self.fundamentals(symbol, None, limit, aware=True)
        return held[-1] if held else None

    def events(
        self,
        start: Bound = None,
        end: Bound = None,
        types: Iterable[str] | None = None,
        symbols: Iterable[str | None] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """Return the events that had been ingested by an instant, and were held."""
        ingested_by = self.at if limit is None else limit
        if self.recorded is None:
            moment = to_datetime(ingested_by, aware=True)
            read = method_of(self.store, "read_events")
            found = read(start, end, types, symbols=symbols, ingested_by=moment)
            return cast(list[Event], found)
        versions = self.store.event_versions(
            start, end, types, symbols=symbols, recorded=self._moment()
        )
        events = [each.event for each in versions]
        return [one for one in events if exact_instant(one.ingested_at, "") <= ingested_by]

    def states(self, strategy: str) -> list[StateVersion]:
        """Return the versions of a live state that were saved by then, the newest first.

        Raises `HistoryPruned` if none that is kept was, but an older one may have been.
        """
        if not has_method(self.store, "state_history"):
            raise lacks(self.store, "VersionedState", "the state of an earlier time")
        kept: list[StateVersion] = self.store.state_history(strategy)
        for row, each in enumerate(kept):
            if each.saved_at is None:
                raise _unknown(strategy, f"when its version {each.version} was saved is not known")
            if exact_instant(each.saved_at, "saved_at") <= self.limit:
                return kept[row:]
        if kept and kept[-1].version != 1:
            raise _unknown(strategy, f"only {len(kept)} later versions are kept (`state_versions`)")
        return []

    def table(
        self,
        bars: Mapping[str, list[PriceBar]],
        columns: Iterable[str] | None,
        span: TimeRange,
        timeframe: str,
    ) -> pa.Table:
        """Return bars by symbol as `read_bar_table` does, with all columns of these series."""
        from storecore.bars.query import bar_query, known_columns

        names, chosen = bar_query(bars, columns)
        moment = to_datetime(span.last, span.aware)
        none = read_bar_table(self.store, names, moment, moment, timeframe=timeframe).slice(0, 0)
        table = _table(bars, none, span.aware)
        further = [name for name in table.column_names if name not in FIELDS]
        return table.select(known_columns(chosen, further))

    def pieces(
        self,
        bars: Mapping[str, list[PriceBar]],
        columns: Iterable[str] | None,
        span: TimeRange,
        timeframe: str,
        max_bytes: int,
    ) -> Iterator[pa.Table]:
        """Yield bars by symbol as `iter_bar_tables` does."""
        if any(bars.values()):
            whole = self.table(bars, None, span, timeframe)
            chosen = whole.column_names if columns is None else list(columns)
            yield from pieces_of(whole, chosen, max_bytes)

    def _ended_bars(
        self, symbol: str, span: TimeRange, until: int, timeframe: str
    ) -> list[PriceBar]:
        if self.recorded is None:
            bounds = to_datetime(span.first, span.aware), to_datetime(until, span.aware)
            read = method_of(self.store, "read_bars")
            return list(read(symbol, *bounds, timeframe=timeframe, last=span.newest))
        held = getattr(self.store, "held_bars", None) or partial(held_bars, self.store)
        bars: list[PriceBar] = held(symbol, span._replace(last=until), timeframe, self.recorded)
        return bars

    def _check_recorded(self, symbol: str, span: TimeRange, timeframe: str) -> None:
        """Ask what was held at `recorded`, of one instant: this raises if it was pruned.

        From then on, no write is recorded at or before it (law K3).
        """
        if self.recorded is not None:
            bound = to_datetime(span.first, span.aware)
            asked = {"timeframe": timeframe, "recorded": self._moment()}
            self.store.bar_versions(symbol, bound, bound, **asked)

    def _versions(self, symbol: str, bounds: tuple[Any, Any], timeframe: str) -> list[Any]:
        """Return the versions of bars that were held at the limit, if it is known since when.

        Those of a time before `recorded` are of the versions that are left.
        """
        limit = to_datetime(self.limit, aware=True)
        asked = {"recorded": limit} if self.recorded == self.limit else {}
        return [
            each
            for each in self.store.bar_versions(symbol, *bounds, timeframe=timeframe, **asked)
            if each.recorded_at is not None
            and each.recorded_at <= limit
            and (each.replaced_at is None or each.replaced_at > limit)
        ]

    def _moment(self) -> Any:
        return None if self.recorded is None else to_datetime(self.recorded, aware=True)


def _table(bars: Mapping[str, list[PriceBar]], like: pa.Table, aware: bool) -> pa.Table:
    """Return bars by symbol as a table that has at least the columns of another one."""
    import pyarrow as pa

    from storecore.bars.extra import EVERY
    from storecore.bars.query import query_result
    from storecore.bars.table import series_table

    series = (
        (symbol, series_table(bar_columns(symbol, each, extra=True)))
        for symbol, each in sorted(bars.items())
    )
    table = query_result(series, (*FIELDS, EVERY), aware)
    for field in like.schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    further = sorted(set(table.column_names) - set(FIELDS))
    return table.select([*FIELDS, *further]).replace_schema_metadata(like.schema.metadata)


def lacks(store: Any, capability: str, what: str) -> StorageError:
    """Return the error for a question that a store cannot answer."""
    why = why_lacking(store, capability) or ": it keeps no earlier versions"
    return StorageError(f"{what} needs the capability {capability}, which {store!r} lacks{why}")


def _unknown(strategy: str, why: str) -> HistoryPruned:
    return HistoryPruned(f"the state of {shown(strategy)} at that time is not known: {why}")
