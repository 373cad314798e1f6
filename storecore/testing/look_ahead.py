"""`look_ahead_of`: whether the decisions of a strategy depend on what nobody knew yet.

The strategy runs twice over the same days. In the first run it gets a store that shows what was
known at the moment of each day and no more. In the second, it gets the whole store, in which noise
takes the place of all that was not known. A strategy that reads only what was known decides the
same in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from random import Random
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.bars.rows import MAX_BYTES
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import HistoryPruned, InvalidData, StorageError, shown
from storecore.knowledge.known import Known
from storecore.knowledge.view import at
from storecore.models import Event, FundamentalData, PriceBar
from storecore.protocols import METHODS, DataStore
from storecore.reports import StateVersion
from storecore.store.tables import pieces_of
from storecore.store.wrapper import Wrapper, capabilities_of, method_of
from storecore.values.times import Bound, exact_datetime, time_range

Strategy = Callable[[Any, datetime], Any]
"""A function of a store and a moment, which returns its decisions of that moment, or logs them."""
_RUN = "look-ahead"
_STAGED = frozenset({"BarTables", "BarStream", "Catalog", "AuditTrail", "VersionedState"})
_STAGED |= {"BulkAudit"}
_LOGGED = ("decision", "order", "result", "decisions", "orders")
_PRICES = ("open", "high", "low", "close")
_NUMBERS = ("employees", "shares_outstanding", "float_shares")


class LookAheadFinding(Struct, frozen=True):
    """The first decision that depends on the future: its day and place, and what it was.

    `known` is the decision if only what was known is shown, `noise` the one with noise in the place
    of the future; None if there was none. `reads` are the calls of that day whose answer reached
    beyond the moment.
    """

    day: datetime
    number: int
    known: Any
    noise: Any
    reads: tuple[str, ...]

    def __str__(self) -> str:
        reads = f"; reads that reached beyond it: {', '.join(self.reads)}" if self.reads else ""
        return (
            f"decision {self.number} of {self.day.isoformat(' ')} depends on what was not known: "
            f"{shown(self.known)} if the future is not shown, {shown(self.noise)} if it is "
            f"noise{reads}"
        )


def look_ahead_of(
    strategy: Strategy,
    store: DataStore,
    days: Iterable[datetime],
    *,
    lengths: Mapping[str, timedelta] | None = None,
    seed: int = 0,
) -> LookAheadFinding | None:
    """Run a strategy twice and return the first decision that looks ahead, or None.

    `strategy(store, day)` is called for each of `days`, the moments at which it decides, in
    ascending order. If it is a class, each run makes an instance first, which may cache. What it
    returns, one decision or a list, and what it logs are its decisions. It gets a store with the
    capabilities of `store` that read, and may log and save states: nothing is written to `store`.
    The store that it gets is cut at no time: a strategy that reads without an `end` looks ahead,
    and one that reads through `store.at(day)` does not. An error that it raises in one run only is
    a difference; one of both runs is raised. Raises `InvalidData` if there are no days: then
    nothing would be proven.
    """
    moments = [exact_datetime(day, f"days[{number}]") for number, day in enumerate(days)]
    if not moments:
        raise InvalidData("days: expected the moments at which the strategy decides, got none")
    known, noisy = (
        _outcomes(strategy, _Staged(store, lengths, noise), moments)
        for noise in (None, Random(seed))
    )
    for day, one, other in zip(moments, known, noisy, strict=True):
        if one.error is not None and type(one.error) is type(other.error):
            raise one.error
        found = _difference([*one.decisions, one.error], [*other.decisions, other.error])
        if found is not None:
            return LookAheadFinding(day, *found, tuple(sorted(other.reads)))
    return None


class _Outcome(NamedTuple):
    """The decisions of a day, the error that ended it, and the reads that reached beyond it."""

    decisions: list[Any]
    error: Exception | None
    reads: set[str]


def _outcomes(strategy: Strategy, store: _Staged, days: list[datetime]) -> list[_Outcome]:
    decide = strategy() if isinstance(strategy, type) else strategy
    found = []
    for day in days:
        store.stand(day)
        error = None
        try:
            decided = decide(store, day)
        except Exception as raised:
            decided, error = None, raised
        given = decided if isinstance(decided, list | tuple) else [decided]
        made = [*store.logged, *(each for each in given if each is not None)]
        found.append(_Outcome(made, error, store.beyond))
    return found


def _difference(known: list[Any], noisy: list[Any]) -> tuple[int, Any, Any] | None:
    for number, (one, other) in enumerate(zip_longest(known, noisy)):
        if repr(one) != repr(other):
            return number, one, other
    return None


class _Staged(Wrapper):
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
        self._written = self._own.at(day, run=_RUN)
        self.logged: list[Any] = []
        self.beyond: set[str] = set()

    def _read(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = tuple(_again(each) for each in args)
        kwargs = {name: _again(each) for name, each in kwargs.items()}
        if method in ("read_bar_table", "iter_bar_tables"):
            return getattr(self, f"_{method}")(*args, **kwargs)
        if self._is_own_state(method, args, kwargs):
            return getattr(self._written, method)(*args, **kwargs)
        answer = self._answer(method, args, kwargs)
        if method in ("read_decisions", "read_orders"):
            return [*answer, *getattr(self._written, method)(*args, **kwargs)]
        return answer

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if method in ("log_decision", "log_order"):
            self.logged.append((*args[1:], *(kwargs[name] for name in kwargs if name in _LOGGED)))
        elif method in ("log_decisions", "log_orders"):
            args = (*args[:1], *map(list, args[1:]))
            kwargs = {name: _again(each) for name, each in kwargs.items()}
            self.logged += [*args[1:], *(kwargs[name] for name in kwargs if name in _LOGGED)]
        return getattr(self._written, method)(*args, **kwargs)

    def _is_own_state(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Return whether the strategy asks for a state that it has saved itself."""
        if METHODS[method].kind != "states" or method == "strategies":
            return False
        return self._written.load_strategy_state(*args, **kwargs) is not None

    def _answer(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._noise is None:
            return getattr(self._view, method)(*args, **kwargs)
        whole = method_of(self._nested, method)(*args, **kwargs)
        try:
            known = getattr(self._view, method)(*args, **kwargs)
        except (
            HistoryPruned,
            StorageError,
        ):  # a state of which nobody knows whether it was saved by then
            known = None
        return self._with_noise(method, args, whole, known)

    def _read_bar_table(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        last: int | None = None,
    ) -> Any:
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        bars = {
            each: self.read_bars(each, start, end, timeframe=timeframe, last=last) for each in names
        }
        span = time_range(start, end)
        return Known(self._nested, 0, None, {}).table(bars, columns, span, timeframe)

    def _iter_bar_tables(
        self,
        symbols: str | Iterable[str],
        start: Bound = None,
        end: Bound = None,
        *,
        timeframe: str = "1d",
        columns: Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Any:
        table = self._read_bar_table(symbols, start, end, timeframe=timeframe)
        chosen = table.column_names if columns is None else list(columns)
        return pieces_of(table, chosen, max_bytes)

    def _with_noise(self, method: str, args: tuple[Any, ...], whole: Any, known: Any) -> Any:
        """Return an answer in which noise takes the place of what was not known."""
        if not isinstance(whole, list):
            is_known = _key(whole) == _key(known)
            return whole if is_known else self._noisy(method, args, whole)
        answer, counted = [], Counter(map(_key, known or []))
        for each in whole:
            key = _key(each)
            answer.append(each if counted[key] > 0 else self._noisy(method, args, each))
            counted[key] -= 1
        return answer

    def _noisy(self, method: str, args: tuple[Any, ...], value: Any) -> Any:
        self.beyond.add(f"{method}({', '.join(map(shown, args))})")
        return _noise_of(value, cast(Random, self._noise))


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
