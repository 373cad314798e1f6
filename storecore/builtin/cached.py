"""The `cached` backend: a store around another one that keeps bars in memory once they are read.

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
from typing import Any, NamedTuple

from msgspec import Struct

from storecore.bars.extra_values import Extra
from storecore.bars.rows import BarColumns, newest_bars, price_bars
from storecore.config.nested import NestedStore
from storecore.models import PriceBar
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.protocols import METHODS, DataStore
from storecore.store.questions import read_bars
from storecore.store.wrapper import Wrapper
from storecore.values.names import check_name
from storecore.values.times import Bound, TimeRange, exact_instant, time_range

BYTES_A_BAR = 5 * 8 + 8 + 32  # five columns of 64 bits; the pointer to a volume; the volume
_Key = tuple[str, str]


class CachedConfig(Struct, frozen=True, kw_only=True):
    """The options of the `cached` backend: the nested store, and the limit of cached bytes."""

    store: NestedStore
    max_bytes: int = 256 * 1024 * 1024


class _Held(NamedTuple):
    """The bars of one series between two instants, both included, as columns."""

    first: int
    last: int
    columns: Sequence[Sequence[Any]]

    extra: list[Extra | None] | None = None

    def has(self, span: TimeRange) -> bool:
        """Return whether these are all bars of a range, or all of the newest ones asked for."""
        if span.last > self.last:
            return False
        if self.first <= span.first:
            return True
        return span.newest is not None and bisect_right(self.columns[0], span.last) >= span.newest

    @property
    def bytes(self) -> int:
        further = sum(map(_bytes_of, self.extra)) if self.extra else 0
        return len(self.columns[0]) * BYTES_A_BAR + further


class CachedStore(Wrapper):
    """A `DataStore` for programs that read the same bars repeatedly, such as backtests.

    The cache holds the last range of each series that was read from the nested store. A read within
    it does not reach the nested store. If the cache would exceed `max_bytes`, the series that was
    not read for the longest time is evicted first. A write through this store evicts its series; a
    write of a table evicts all series. Reads of tables are not cached. Writes of other processes
    are not detected, so this store does not have the promise "shared".
    """

    def __init__(
        self, nested: DataStore, max_bytes: int, capabilities: Iterable[str] | None = None
    ) -> None:
        super().__init__(nested, capabilities)
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._held: OrderedDict[_Key, _Held] = OrderedDict()
        self._writes = 0

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
        key = check_name(symbol, "symbol"), check_name(timeframe, "timeframe")
        span = time_range(start, end, last)
        with self._lock:
            held, writes = self._held.get(key), self._writes
            if held is not None and held.has(span):
                self._held.move_to_end(key)
                return _bars_within(key[0], held, span)
        bars = read_bars(self._nested, symbol, start, end, timeframe=timeframe, last=last)
        with self._lock:
            if writes == self._writes:  # otherwise they may be older than a write
                self._hold(key, _held(span, _columns(bars), _extra(bars)))
        return bars

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_lock": None, "_held": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock(), _held=OrderedDict())  # an empty cache

    def _hold(self, key: _Key, held: _Held) -> None:
        """Cache bars, and evict others until the cache is within `max_bytes`."""
        self._held[key] = held
        self._held.move_to_end(key)
        while sum(each.bytes for each in self._held.values()) > self._max_bytes:
            self._held.popitem(last=False)

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return super()._write(method, args, kwargs)
        finally:  # a write that raised may have changed something
            with self._lock:
                self._writes += 1
                self._forget(method, args, kwargs)

    def _forget(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        symbol = kwargs.get("symbol", args[0] if args else None)
        if method in ("write_bars", "delete_bars"):
            for key in [key for key in self._held if key[0] == symbol]:
                del self._held[key]
        elif METHODS[method].kind in ("bars", "store"):
            self._held.clear()


def _held(
    span: TimeRange, columns: Sequence[Sequence[Any]], extra: list[Extra | None] | None
) -> _Held:
    """Return the bars that were read, and the range in which they are all."""
    dates = columns[0]
    is_cut = span.newest is not None and len(dates) >= span.newest
    return _Held(dates[0] if is_cut else span.first, span.last, columns, extra)


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


def _bars_within(symbol: str, held: _Held, span: TimeRange) -> list[PriceBar]:
    dates = held.columns[0]
    rows = slice(bisect_left(dates, span.first), bisect_right(dates, span.last))
    extra = held.extra and held.extra[rows]
    columns = BarColumns.of([column[rows] for column in held.columns], extra)
    return price_bars(symbol, newest_bars(columns, span.newest), span.aware)


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
