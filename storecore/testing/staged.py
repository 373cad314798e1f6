"""`Staged`: a store at a moment, as a strategy sees it in one of the two runs of `look_ahead_of`.

In the first run, it shows what was known at the moment. In the second, it shows all, with noise in
the place of what was not known, and bars and fundamentals as they were before a correction that
came after the moment. What the strategy logs and saves stays in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from storecore.bars.rows import MAX_BYTES
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import HistoryPruned, StorageError, shown
from storecore.knowledge.known import Known
from storecore.knowledge.view import OnFuture, View, at
from storecore.models import Event, FundamentalData, PriceBar
from storecore.protocols import METHODS, DataStore
from storecore.reports import StateVersion
from storecore.store.methods import offered
from storecore.store.questions import has_method
from storecore.store.tables import pieces_of
from storecore.store.wrapper import Wrapper, capabilities_of, method_of
from storecore.values.times import (
    LATEST,
    Bound,
    exact_instant,
    latest_instant,
    time_range,
    to_datetime,
)

if TYPE_CHECKING:
    import pyarrow as pa

_RUN = "look-ahead"
"""The run of what is logged and saved without one."""
_STAGED = frozenset({"BarTables", "BarStream", "Catalog", "AuditTrail", "VersionedState"})
_STAGED |= {"BulkAudit"}
_LOGGED = ("decision", "order", "result", "decisions", "orders")
_RECORDS = ("read_decisions", "read_orders")
_PRICES = ("open", "high", "low", "close")
_NUMBERS = ("employees", "shares_outstanding", "float_shares")


class Staged(Wrapper):
    """A store at a moment: what was known then, or all with noise in the place of the rest.

    What is logged and saved stays in memory, and is read back beside what the store has.
    """

    def __init__(
        self, store: DataStore, lengths: Mapping[str, timedelta] | None, noise: Random | None
    ) -> None:
        super().__init__(store, capabilities_of(store) & _STAGED)
        self._lengths = lengths
        self._noise = noise
        self._own = MemoryDataStore()

    def stand(self, day: datetime) -> None:
        """Move to the next moment."""
        self._view = at(self._nested, day, lengths=self._lengths)
        self._day = exact_instant(day, "day")
        self.logged: list[Any] = []
        self.beyond: set[str] = set()

    def at(
        self,
        t: datetime | str,
        *,
        recorded: datetime | None = None,
        run: str | None = None,
        on_future: OnFuture | None = None,
        lengths: Mapping[str, timedelta] | None = None,
    ) -> View:
        """Return a view of the store, staged like the store itself."""
        self._check_open()
        view = at(self._nested, t, recorded=recorded, run=run, on_future=on_future, lengths=lengths)
        return _StagedView(self, view)

    def own(self, run: str | None, moment: int) -> View:
        """Return a view of what the strategy has logged and saved, in a run or without one."""
        return self._own.at(to_datetime(moment, aware=True), run=_RUN if run is None else run)

    def own_state(self, own: View, method: str, args: Any, kwargs: Any) -> list[Any]:
        """Return the answer about a state that the strategy has saved itself; empty if not."""
        if METHODS[method].kind != "states" or method == "strategies":
            return []
        if own.load_strategy_state(*args, **kwargs) is None:
            return []
        return [getattr(own, method)(*args, **kwargs)]

    def log(self, own: View, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Keep what the strategy logs or saves."""
        if method in ("log_decisions", "log_orders"):
            args = (*args[:1], *map(list, args[1:]))
            kwargs = {name: _again(each) for name, each in kwargs.items()}
            self.logged += [*args[1:], *(kwargs[name] for name in kwargs if name in _LOGGED)]
        elif method in ("log_decision", "log_order"):
            self.logged.append((*args[1:], *(kwargs[name] for name in kwargs if name in _LOGGED)))
        return getattr(own, method)(*args, **kwargs)

    def answer(self, view: _StagedView, call: str, args: Any, kwargs: Any, whole: Any) -> Any:
        """Return the answer of a staged view, given the answer of a view of the store."""
        moment = view._known().at
        cut: View = view
        known = whole
        if moment > self._day:
            cut = view.of(self._day)
            known = self._known_of(cut, call, args, kwargs)
        if self._noise is None:
            return known
        name = f"at({to_datetime(moment, aware=True).isoformat(' ')}).{call}"
        return self._with_noise(_Asked(name, args, kwargs, cut._known()), whole, known)

    def with_own(self, own: View, method: str, args: Any, kwargs: Any, answer: Any) -> Any:
        """Return records, or names of strategies, with those that the strategy has made itself."""
        if method in _RECORDS:
            return [*answer, *getattr(own, method)(*args, **kwargs)]
        if method == "strategies":
            return sorted({*answer, *own.strategies(*args, **kwargs)})
        return answer

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = tuple(_again(each) for each in args)
        kwargs = {name: _again(each) for name, each in kwargs.items()}
        if method in ("read_bar_table", "iter_bar_tables"):
            return getattr(self, f"_{method}")(*args, **kwargs)
        own = self.own(kwargs.get("run"), self._day)
        found = self.own_state(own, method, args, kwargs)
        if found:
            return found[0]
        return self.with_own(own, method, args, kwargs, self._answer(method, args, kwargs))

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        as_of = kwargs.get("as_of")
        moment = self._day if as_of is None else latest_instant(as_of, "as_of")
        return self.log(self.own(kwargs.get("run"), moment), method, args, kwargs)

    def _answer(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._noise is None:
            return getattr(self._view, method)(*args, **kwargs)
        whole = method_of(self._nested, method)(*args, **kwargs)
        known = self._known_of(self._view, method, args, kwargs)
        return self._with_noise(_Asked(method, args, kwargs, self._view._known()), whole, known)

    def _known_of(self, view: View, method: str, args: Any, kwargs: Any) -> Any:
        """Return what was known at the moment; in the second run, None if nobody knows that."""
        try:
            return getattr(view, method)(*args, **kwargs)
        except (HistoryPruned, StorageError):  # such as a state: whether it was saved by then
            if self._noise is None:
                raise
            return None

    def _read_bar_table(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        last: int | None = None,
    ) -> pa.Table:
        return _table_of(self, self._nested, symbols, start, end, timeframe, columns, last)

    def _iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Iterator[pa.Table]:
        table = self._read_bar_table(symbols, start, end, timeframe=timeframe)
        return pieces_of(table, table.column_names if columns is None else list(columns), max_bytes)

    def _with_noise(self, asked: _Asked, whole: Any, known: Any) -> Any:
        """Return an answer in which noise takes the place of what was not known.

        What was known is as it was before a later correction.
        """
        if not isinstance(whole, list):
            is_known = _key(whole) == _key(known)
            return self._before(asked, whole) if is_known else self._noisy(asked, whole)
        answer, counted = [], Counter(map(_key, known or []))
        for each in whole:
            key = _key(each)
            is_known = counted[key] > 0
            answer.append(self._before(asked, each) if is_known else self._noisy(asked, each))
            counted[key] -= 1
        return answer

    def _noisy(self, asked: _Asked, value: Any) -> Any:
        self.beyond.add(str(asked))
        return _noise_of(value, cast(Random, self._noise))

    def _before(self, asked: _Asked, value: Any) -> Any:
        """Return a bar or fundamental as it was before the corrections after the moment.

        If none was recorded by the moment, it is as it was recorded first.
        """
        key = asked.key_of(value) if self._corrections else None
        if key is None:
            return value
        for recorded, before in self._corrections.get(key, ()):
            if self._day < recorded <= asked.recorded_by(key):
                name = "date" if isinstance(value, PriceBar) else "timestamp"
                earlier = replace(before, **{name: getattr(value, name)})
                if _key(earlier) != _key(value):
                    self.beyond.add(str(asked))
                return earlier
        return value

    @cached_property
    def _corrections(self) -> dict[_Key, list[tuple[int, Any]]]:
        """What was replaced: by key, when and what it was before, by time of recording."""
        found: dict[_Key, list[tuple[int, Any]]] = {}
        if has_method(self._nested, "corrections"):
            for each in cast(Any, self._nested).corrections():
                at = exact_instant(each.timestamp, "timestamp")
                key = _Key(each.kind, each.symbol, each.timeframe, at)
                then = exact_instant(each.recorded_at, "recorded_at")
                found.setdefault(key, []).append((then, each.before))
        return found


class _StagedView(View):
    """A view of the store, as of any time, as a strategy sees it at the moment of the stage."""

    def __init__(self, stage: Staged, view: View) -> None:
        vars(self).update(vars(view))
        self._stage = stage
        self._reads = None

    def at(
        self,
        t: datetime | str,
        *,
        recorded: datetime | None = None,
        run: str | None = None,
        on_future: OnFuture | None = None,
        lengths: Mapping[str, timedelta] | None = None,
    ) -> View:
        """Return the view of an earlier time, staged too."""
        view = super().at(t, recorded=recorded, run=run, on_future=on_future, lengths=lengths)
        return _StagedView(self._stage, view)

    def of(self, moment: int) -> View:
        """Return the view of the store of an earlier moment, not staged."""
        return super().at(to_datetime(moment, aware=True), on_future="cut")

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
        """Return the bars of many symbols as one table."""
        names, chosen = _again(symbols), _again(columns)
        table = self._table(names, start, end, timeframe, chosen, last)
        asked = {"timeframe": timeframe, "columns": chosen, "last": last}
        return super()._noted("read_bar_table", (names, start, end), asked, table)

    @offered()
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
        """Yield the same as tables of consecutive ranges of time."""
        names, chosen = _again(symbols), _again(columns)
        table = self._table(names, start, end, timeframe)
        pieces = pieces_of(table, table.column_names if chosen is None else chosen, max_bytes)
        asked = {"timeframe": timeframe, "columns": chosen, "max_bytes": max_bytes}
        return self._reads_of().stream("iter_bar_tables", (names, start, end), asked, pieces)

    def _table(self, *asked: Any) -> pa.Table:
        unnoted = _StagedView(self._stage, self)
        return _table_of(unnoted, self._nested, *asked)

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._stage.own_state(self._own(), method, args, kwargs)
        if found:
            return super()._noted(method, args, kwargs, found[0])
        return super()._read(method, args, kwargs)

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._run is None or METHODS[method].kind not in ("states", "audit"):
            return super()._write(method, args, kwargs)  # raises
        return self._stage.log(self._own(), method, args, kwargs)

    def _noted(self, call: str, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> Any:
        staged = self._stage.answer(self, call, args, kwargs, answer)
        staged = self._stage.with_own(self._own(), call, args, kwargs, staged)
        return super()._noted(call, args, kwargs, staged)

    def _own(self) -> View:
        return self._stage.own(self._run, self._at)


class _Key(NamedTuple):
    """Which bar or fundamental: its kind, symbol and timeframe, and its instant."""

    kind: str
    symbol: str
    timeframe: str | None
    at: int


class _Asked(NamedTuple):
    """A question: the call and its arguments, and what was known of its answer at the moment."""

    call: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    known: Known

    def key_of(self, value: Any) -> _Key | None:
        """Return which bar or fundamental a value is, None if it is neither."""
        if isinstance(value, PriceBar):
            timeframe = self.kwargs.get("timeframe", "1d")
            return _Key("bars", value.symbol, timeframe, exact_instant(value.date, "date"))
        if isinstance(value, FundamentalData):
            at = exact_instant(value.timestamp, "timestamp")
            return _Key("fundamentals", value.symbol, None, at)
        return None

    def recorded_by(self, key: _Key) -> int:
        """Return the last instant of recording whose version of a bar the answer may show."""
        known = self.known
        if key.timeframe is not None and key.at > known.ended(key.timeframe):
            return known.limit  # it was still forming
        return LATEST if known.recorded is None else known.recorded

    def __str__(self) -> str:
        given = list(self.args)
        while given and given[-1] is None:
            del given[-1]
        return f"{self.call}({', '.join(map(shown, given))})"


def _table_of(
    reader: Any,
    store: DataStore,
    symbols: str | Iterable[str],
    start: Bound,
    end: Bound,
    timeframe: str,
    columns: Iterable[str] | None = None,
    last: int | None = None,
) -> pa.Table:
    """Return the bars of many symbols that a staged store or view shows, as a table."""
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    bars = {
        each: reader.read_bars(each, start, end, timeframe=timeframe, last=last) for each in names
    }
    return Known(store, 0, None, {}).table(bars, columns, time_range(start, end), timeframe)


def _noise_of(value: Any, noise: Random) -> Any:
    """Return a value of the same kind with other numbers and texts; names and times stay."""
    if isinstance(value, PriceBar):
        prices = {name: getattr(value, name) * _factor(noise) for name in _PRICES}
        volume = None if value.volume is None else noise.randrange(10**6)
        return replace(value, **prices, volume=volume, extra=_noise_of(value.extra, noise))
    if isinstance(value, FundamentalData):
        numbers = {name: noise.randrange(10**6) for name in _NUMBERS}
        extra = _noise_of(value.extra, noise)
        return replace(value, **numbers, raw_xml=_text(noise), extra=extra)
    if isinstance(value, Event):
        return replace(value, payload=_noise_of(value.payload, noise))
    if isinstance(value, StateVersion):
        return replace(value, state=_noise_of(value.state, noise))
    if isinstance(value, dict):
        return {name: _noise_of(each, noise) for name, each in value.items()}
    if isinstance(value, list):
        return [_noise_of(each, noise) for each in value]
    if isinstance(value, bool):
        return noise.random() < 0.5
    if isinstance(value, int | float):
        return value * _factor(noise) + noise.random()
    return value


def _factor(noise: Random) -> float:
    return float(10 ** noise.uniform(-1, 1))


def _text(noise: Random) -> str:
    return f"<noise>{noise.getrandbits(64):x}</noise>"


def _key(value: Any) -> bytes:
    """Return what equal answers have in common."""
    return msgspec.json.encode(value)


def _again(value: Any) -> Any:
    """Return what can be read twice: a list of what an iterator yields."""
    return list(value) if isinstance(value, Iterator) else value
