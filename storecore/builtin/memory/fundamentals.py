"""The collection of fundamentals of a store in memory.

A write replaces the dict of a symbol, so a reader needs no lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from msgspec.structs import replace

from storecore.builtin.memory.clock import MemoryClock, unpruned
from storecore.fundamentals import encode_fundamental, own_copy, select_fundamentals
from storecore.knowledge.versions import Version
from storecore.models import FundamentalData
from storecore.store.collections import FundamentalCollection
from storecore.values.times import EARLIEST, TimeRange, exact_instant

_Held = tuple[Version[FundamentalData], ...]


class MemoryFundamentals(FundamentalCollection):
    """For each symbol a dict of the versions of a fundamental by instant, the last one at the end.

    That is the present one, unless it was removed.
    """

    def __init__(self, clock: MemoryClock) -> None:
        self._clock = clock
        self.by_symbol: dict[str, dict[int, _Held]] = {}

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace fundamentals, all at once."""
        given: dict[str, dict[int, FundamentalData]] = {}
        for data in batch:
            given.setdefault(data.symbol, {})[exact_instant(data.timestamp, "timestamp")] = data
        with self._clock.lock:
            known, now = self.by_symbol, self._clock.tick()
            changed = {
                symbol: known.get(symbol, {}) | self._changed(known.get(symbol, {}), new, now)
                for symbol, new in given.items()
            }
            known.update(changed)

    def _changed(
        self, history: dict[int, _Held], new: Mapping[int, FundamentalData | None], now: int
    ) -> dict[int, _Held]:
        """Return the versions at some instants after a write (None: a deletion) of them."""
        changed: dict[int, _Held] = {}
        for at, data in new.items():
            held = history.get(at, ())
            present = _present(held)
            if not _is_same_filing(data, present):
                added = () if data is None else ((data, now, None),)
                changed[at] = (*self._ended(held, now), *added)
        return changed

    def _ended(self, held: _Held, now: int) -> _Held:
        """Return versions that are all replaced, without the last one if history is not kept."""
        present = _present(held)
        if present is None:
            return held
        if not self._clock.keeps():
            self._clock.prune_to(now)
            return held[:-1]
        return (*held[:-1], (present, held[-1][1], now))

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest fundamental not after an instant."""
        history = self._now(symbol)
        known = [at for at in history if at <= limit]
        return own_copy(history[max(known)]) if known else None

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        """Return the fundamentals of a symbol and range by timestamp."""
        return list(map(own_copy, select_fundamentals(self._now(symbol).values(), span)))

    def _now(self, symbol: str) -> dict[int, FundamentalData]:
        """Return the present fundamentals of a symbol by instant."""
        held = ((at, _present(each)) for at, each in self.by_symbol.get(symbol, {}).items())
        return {at: data for at, data in held if data is not None}

    def versions_of(self, symbol: str, span: TimeRange) -> list[Version[FundamentalData]]:
        """Return all versions of the fundamentals of a range."""
        history = self.by_symbol.get(symbol, {})
        within = sorted(at for at in history if span.first <= at <= span.last)
        found = chain.from_iterable(history[at] for at in within)
        return [(own_copy(data), began, ended) for data, began, ended in found]

    def corrected(self, since: int) -> list[str]:
        """Return the symbols with versions that were replaced at or after an instant."""
        return [
            symbol
            for symbol, history in dict(self.by_symbol).items()
            if any(ended is not None and ended >= since for _, _, ended in _all_of(history))
        ]

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant."""
        with self._clock.lock:
            number = sum(len(list(_all_of(each))) for each in self.by_symbol.values())
            kept = {
                symbol: {at: each for at, held in known.items() if (each := unpruned(held, before))}
                for symbol, known in self.by_symbol.items()
            }
            self.by_symbol = {symbol: each for symbol, each in kept.items() if each}
            return number - sum(len(list(_all_of(each))) for each in kept.values())

    def restore(self, versions: list[Version[FundamentalData]]) -> None:
        """Take in versions of another store."""
        with self._clock.lock:
            for data, began, ended in versions:
                known = dict(self.by_symbol.get(data.symbol, {}))
                at = exact_instant(data.timestamp, "timestamp")
                held = [each for each in known.get(at, ()) if each[1] != began]
                held.append((own_copy(data), began, ended))
                known[at] = tuple(sorted(held, key=_recorded))
                self.by_symbol[data.symbol] = known

    def symbols(self) -> list[str]:
        """Return the symbols that have fundamentals."""
        return [symbol for symbol in dict(self.by_symbol) if self._now(symbol)]

    def delete(self, symbol: str, span: TimeRange) -> int:
        """Remove the fundamentals of a range; return their number."""
        with self._clock.lock:
            gone = dict.fromkeys(at for at in self._now(symbol) if span.first <= at <= span.last)
            if gone:
                history, now = self.by_symbol[symbol], self._clock.tick()
                self.by_symbol[symbol] = history | self._changed(history, gone, now)
        return len(gone)

    def renamed(self, old: str, new: str, now: int) -> dict[str, dict[int, _Held]]:
        """Return the fundamentals by symbol after a renaming. Call it under the lock."""
        by_symbol, present = dict(self.by_symbol), self._now(old)
        if present:
            moved = {at: replace(data, symbol=new) for at, data in present.items()}
            former, history = self.by_symbol[old], self.by_symbol.get(new, {})
            by_symbol[old] = former | self._changed(former, dict.fromkeys(present), now)
            by_symbol[new] = history | self._changed(history, moved, now)
        return by_symbol

    def all(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then timestamp."""
        histories = [self._now(symbol) for symbol in sorted(dict(self.by_symbol))]
        return (own_copy(history[at]) for history in histories for at in sorted(history))


def _recorded(version: Version[Any]) -> int:
    return EARLIEST if version[1] is None else version[1]


def _is_same_filing(one: FundamentalData | None, other: FundamentalData | None) -> bool:
    if one is None or other is None:
        return one is other
    return encode_fundamental(one) == encode_fundamental(other)


def _present(held: _Held) -> FundamentalData | None:
    """Return the present one of the versions of a fundamental; None if it was removed."""
    return held[-1][0] if held and held[-1][2] is None else None


def _all_of(history: dict[int, _Held]) -> Iterator[Version[FundamentalData]]:
    return chain.from_iterable(history.values())
