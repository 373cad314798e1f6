"""The methods of a store about fundamentals: they check arguments and call the collection of them.

They need no other collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from storecore.fundamentals import checked_fundamental, checked_fundamentals
from storecore.models import FundamentalData
from storecore.store.collections import FundamentalCollection
from storecore.store.methods import Methods, offered
from storecore.values.times import LATEST, Bound, bounded_range, latest_instant, time_range


class FundamentalMethods(Methods):
    """The methods of a store about its fundamentals."""

    _fundamentals: FundamentalCollection

    def write_fundamental(self, symbol: str, data: FundamentalData) -> None:
        """Insert or replace the fundamental of (symbol, timestamp)."""
        symbol = self._name(symbol, "symbol")
        self._fundamentals.write([checked_fundamental(symbol, data)])

    def read_fundamental(
        self, symbol: str, as_of: datetime | None = None
    ) -> FundamentalData | None:
        """Return the latest fundamental not after `as_of` (None: of all), or None."""
        symbol = self._name(symbol, "symbol")
        limit = LATEST if as_of is None else latest_instant(as_of, "as_of")
        return self._fundamentals.read(symbol, limit)

    @offered()
    def write_fundamentals(self, fundamentals: Iterable[FundamentalData]) -> None:
        """Insert or replace fundamentals, each under its own symbol; the last duplicate wins."""
        self._check_open()
        batch = checked_fundamentals(fundamentals)
        if batch:
            self._fundamentals.write(batch)

    @offered("fundamentals.all")
    def fundamentals(
        self, symbol: str, start: Bound = None, end: Bound = None
    ) -> list[FundamentalData]:
        """Return the fundamentals of a symbol with timestamps from `start` to `end`, by timestamp.

        Each is exactly as it was written, whatever the kind of the bounds.
        """
        symbol = self._name(symbol, "symbol")
        return self._fundamentals.versions(symbol, time_range(start, end))

    @offered("fundamentals.all")
    def fundamental_symbols(self) -> list[str]:
        """Return the symbols that have fundamentals, sorted."""
        self._check_open()
        return sorted(self._fundamentals.symbols())

    @offered("fundamentals.delete")
    def delete_fundamentals(self, symbol: str, start: date | str, end: date | str) -> int:
        """Remove the fundamentals of a symbol with timestamps in a range; return their number."""
        symbol = self._name(symbol, "symbol")
        return self._fundamentals.delete(symbol, bounded_range(start, end))

    @offered("fundamentals.all")
    def iter_fundamentals(self) -> Iterator[FundamentalData]:
        """Yield all fundamentals by symbol, then by timestamp, each exactly as it was written."""
        self._check_open()
        return self._while_open(self._fundamentals.all())
