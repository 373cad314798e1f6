"""The `cached` backend: a store around another one that keeps bars in memory once they are read.

It keeps bars and tables of bars, and is for slow stores; a `file` store caches by itself.

```toml
[store]
backend = "cached"
store = { backend = "file", base_path = "data" }
max_bytes = 268_435_456
```
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from sys import getsizeof
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import Struct

from storecore.bars.extra_values import FIELDS, Extra
from storecore.bars.rows import BarColumns, newest_bars, price_bars
from storecore.config.nested import NestedStore
from storecore.errors import InvalidData
from storecore.models import PriceBar
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.protocols import METHODS, DataStore
from storecore.store.questions import read_bars
from storecore.store.wrapper import Wrapper
from storecore.values.names import check_name
from storecore.values.times import Bound, TimeRange, exact_instant, time_range

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_A_BAR = 5 * 8 + 8 + 32  # five columns of 64 bits; the pointer to a volume; the volume
_Key = tuple[str, str, Literal["bars", "table"]]


class CachedConfig(Struct, frozen=True, kw_only=True):
    """The options of the `cached` backend: the nested store, and the limit of cached bytes."""

    store: NestedStore
    max_bytes: int = 256 * 1024 * 1024


class _Held(NamedTuple):
    """The bars of one series between two instants, both included, as columns or as a table."""

    first: int
    last: int
    dates: Sequence[int]
    bytes: int
    rows: _Columns | _Table

    def has(self, span: TimeRange) -> bool:
        """Return whether these are all bars of a range, or all of the newest ones asked for."""
        if span.last > self.last:
            return False
        if self.first <= span.first:
            return True
        return span.newest is not None and bisect_right(self.dates, span.last) >= span.newest


class _Columns(NamedTuple):
    """Bars that were read as bars: few of them are returned faster from columns."""

    numbers: Sequence[Sequence[Any]]
    extra: list[Extra | None] | None

    def bars(self, symbol: str, span: TimeRange) -> list[PriceBar]:
        """Return the bars of a range."""
        dates = self.numbers[0]
        rows = slice(bisect_left(dates, span.first), bisect_right(dates, span.last))
        extra = self.extra and self.extra[rows]
        columns = BarColumns.of([column[rows] for column in self.numbers], extra)
        return price_bars(symbol, newest_bars(columns, span.newest), span.aware)


class _Table(NamedTuple):
    """Bars that were read as a table. `is_whole`: the series has no further columns."""

    series: pa.Table
    is_whole: bool

    def bars(self, symbol: str, span: TimeRange) -> list[PriceBar]:
        """Return the bars of a range."""
        from storecore.bars.table import bars_of

        return bars_of(symbol, self.within(span), span.aware)

    def within(self, span: TimeRange) -> pa.Table:
        """Return the rows of a range as a series table."""
        from storecore.bars.table import between, newest_rows

        return newest_rows(between(self.series, span.first, span.last), span.newest)


class CachedStore(Wrapper):
    """A `DataStore` for programs that read the same bars repeatedly, such as backtests.

    The cache holds the last range of each series that was read from the nested store as bars, and
    the last one that was read as a table. A read within it does not reach the nested store. A table
    also answers reads of bars; of several symbols, only those that are not held are read. Tables
    with further columns and streams are not cached, and all seven columns are read if a table has
    only some of them.

    If the cache would exceed `max_bytes`, the series that was not read for the longest time is
    evicted first. A write through this store evicts its series; a write of a table evicts all
    series. While bars are written, the nested store answers. Writes of other processes are not
    detected, so this store does not have the promise "shared".
    """

    def __init__(
        self, nested: DataStore, max_bytes: int, capabilities: Iterable[str] | None = None
    ) -> None:
        super().__init__(nested, capabilities)
        self._max_bytes = max_bytes
        self._reset()

    def read_bars(
        self,
        symbol: str,
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        last: int | None = None,
    ) -> list[PriceBar]:
        """Return the bars of a range, from memory if it lies within the cached range."""
        self._check_open()
        series = check_name(symbol, "symbol"), check_name(timeframe, "timeframe")
        span = time_range(start, end, last)
        with self._lock:
            held, writes = self._found(*series, span), self._writes
        if held is not None:
            return held.bars(series[0], span)
        bars = read_bars(self._nested, symbol, start, end, timeframe=timeframe, last=last)
        with self._lock:
            if writes == self._writes:  # otherwise they may be older than a write
                self._hold((*series, "bars"), _held_bars(span, bars))
        return bars

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_lock": None, "_held": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def _reset(self) -> None:
        """Start with an empty cache."""
        self._lock = Lock()
        self._held: OrderedDict[_Key, _Held] = OrderedDict()
        self._bytes = 0
        self._writes = 0  # begun, and once more ended
        self._writing = 0
        self._metadata: dict[str, Any] = {}  # of tables, by timeframe

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if method == "read_bar_table":
            return self._read_table(*args, **kwargs)
        return super()._read(method, args, kwargs)

    def _read_table(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        last: int | None = None,
    ) -> pa.Table:
        from storecore.bars.query import bar_query

        span, timeframe = time_range(start, end, last), check_name(timeframe, "timeframe")
        names, chosen = bar_query(symbols, columns)
        is_whole = columns is None

        def nested(symbols: list[str], columns: Sequence[str] | None) -> pa.Table:
            asked = {"timeframe": timeframe, "columns": columns, "last": last}
            return super(CachedStore, self)._read("read_bar_table", (symbols, start, end), asked)

        if not (is_whole or set(chosen) <= set(FIELDS)):
            return nested(names, chosen)
        with self._lock:
            found, writes = self._tables(names, timeframe, span, is_whole), self._writes
        missing = [name for name in names if name not in found]
        if not found:
            read = nested(names, None if is_whole else FIELDS)
            self._hold_tables(read, names, timeframe, span, is_whole, writes)
            return read if is_whole else read.select(chosen)
        if missing:
            read = nested(missing, None if is_whole else FIELDS)
            held = self._hold_tables(read, missing, timeframe, span, is_whole, writes)
            if held is None:  # the two parts may not suit each other
                return nested(names, None if is_whole else chosen)
            found.update(held)
        return self._table(((name, found[name]) for name in names), chosen, span, timeframe)

    def _table(
        self,
        found: Iterable[tuple[str, _Table]],
        columns: tuple[str, ...],
        span: TimeRange,
        timeframe: str,
    ) -> pa.Table:
        """Return held series as the table that the nested store returns."""
        from storecore.bars.query import query_result

        series = [(name, each.within(span)) for name, each in found]
        table = query_result(series, columns, span.aware)
        return table.replace_schema_metadata(self._metadata[timeframe])

    def _found(self, symbol: str, timeframe: str, span: TimeRange) -> _Columns | _Table | None:
        """Return what is held of the bars of a range, if it is all. Call it under the lock."""
        bars = self._used((symbol, timeframe, "bars"), span)
        if bars is not None:
            return bars
        table = self._used((symbol, timeframe, "table"), span)
        return table if isinstance(table, _Table) and table.is_whole else None

    def _tables(
        self, names: list[str], timeframe: str, span: TimeRange, is_whole: bool
    ) -> dict[str, _Table]:
        """Return the held tables that have all bars of a range. Call it under the lock."""
        used = ((name, self._used((name, timeframe, "table"), span)) for name in names)
        tables = {name: each for name, each in used if isinstance(each, _Table)}
        return {name: each for name, each in tables.items() if each.is_whole or not is_whole}

    def _used(self, key: _Key, span: TimeRange) -> _Columns | _Table | None:
        held = self._held.get(key)
        if held is None or self._writing or not held.has(span):
            return None
        self._held.move_to_end(key)
        return held.rows

    def _hold_tables(
        self,
        read: pa.Table,
        names: list[str],
        timeframe: str,
        span: TimeRange,
        is_whole: bool,
        writes: int,
    ) -> dict[str, _Table] | None:
        """Cache a table that was read, and return it by symbol; None if it may not be held."""
        series = _series(read, names)
        if series is None:
            return None
        tables = {name: _Table(each, is_whole) for name, each in series.items()}
        held = {(name, timeframe): _held_table(span, each) for name, each in tables.items()}
        with self._lock:
            if writes != self._writes:  # they may be older than a write
                return None
            self._metadata[timeframe] = read.schema.metadata
            for key, each in held.items():
                self._hold((*key, "table"), each)
        return tables

    def _hold(self, key: _Key, held: _Held) -> None:
        """Cache bars, and evict others until the cache is within `max_bytes`."""
        self._drop([key] if key in self._held else [])
        self._held[key] = held
        self._bytes += held.bytes
        while self._bytes > self._max_bytes:
            self._drop([next(iter(self._held))])

    def _drop(self, keys: Iterable[_Key]) -> None:
        for key in keys:
            self._bytes -= self._held.pop(key).bytes

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if METHODS[method].kind not in ("bars", "store"):
            return super()._write(method, args, kwargs)
        with self._lock:
            self._writes += 1
            self._writing += 1
        try:
            return super()._write(method, args, kwargs)
        finally:  # a write that raised may have changed something
            with self._lock:
                self._writes += 1
                self._writing -= 1
                self._forget(method, kwargs.get("symbol", args[0] if args else None))

    def _forget(self, method: str, symbol: Any) -> None:
        is_one = method in ("write_bars", "delete_bars")
        self._drop([key for key in self._held if not is_one or key[0] == symbol])


def _held_bars(span: TimeRange, bars: list[PriceBar]) -> _Held:
    columns, extra = _columns(bars), _extra(bars)
    size = len(bars) * BYTES_A_BAR + (sum(map(_bytes_of, extra)) if extra else 0)
    return _held(span, columns[0], size, _Columns(columns, extra))


def _held_table(span: TimeRange, table: _Table) -> _Held:
    from storecore.bars.table import instants_of

    return _held(span, instants_of(table.series), table.series.nbytes, table)


def _held(span: TimeRange, dates: Sequence[int], size: int, rows: _Columns | _Table) -> _Held:
    """Return the bars that were read, and the range in which they are all."""
    is_cut = span.newest is not None and len(dates) >= span.newest
    return _Held(dates[0] if is_cut else span.first, span.last, dates, size, rows)


def _series(read: pa.Table, names: list[str]) -> dict[str, pa.Table] | None:
    """Return a table that was read as series tables; None if they could answer otherwise."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from storecore.bars.checks import checked_series
    from storecore.bars.table import EMPTY, MAX_EXACT, owned

    if read.num_columns > len(FIELDS):
        return None
    volumes = read["volume"]
    # Beside a fractional volume, a whole one that no float64 equals was rounded.
    if pa.types.is_floating(volumes.type) and (pc.max(volumes).as_py() or 0) >= MAX_EXACT:
        return None
    try:
        found = dict(checked_series(read))
    except InvalidData:  # the nested store breaks a law, which is not the concern of its reader
        return None
    return {name: owned(found[name]) if name in found else EMPTY for name in names}


def _columns(bars: list[PriceBar]) -> Sequence[Sequence[Any]]:
    instants = array("q", (exact_instant(bar.date, "date") for bar in bars))
    prices = (array("d", (getattr(bar, name) for bar in bars)) for name in _PRICES)
    return (instants, *prices, [bar.volume for bar in bars])


def _extra(bars: list[PriceBar]) -> list[Extra | None] | None:
    """Return the further columns of bars: copies, since the caller may change those of a bar."""
    if all(bar.extra is None for bar in bars):
        return None
    return [bar.extra and dict(bar.extra) for bar in bars]


def _bytes_of(extra: Extra | None) -> int:
    """Return the memory that a dict of further columns takes; the names are shared."""
    return 8 if extra is None else getsizeof(extra) + sum(map(getsizeof, extra.values()))


_PRICES = ("open", "high", "low", "close")


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `cached` backend."""
    return BackendSpec(
        name="cached",
        config=CachedConfig,
        open=_open,
        capabilities=lambda config: config.store.spec.capabilities,
        promises=lambda config: config.store.spec.promises - {"shared"},
        summary="another store; its bars are kept in memory once they are read",
    )


def _open(config: CachedConfig) -> DataStore:
    nested = config.store
    store = nested.open()
    return CachedStore(store, config.max_bytes, nested.capabilities_of(store))
