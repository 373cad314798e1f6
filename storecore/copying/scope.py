"""Which part of a store a copy takes: kinds of data, symbols, and a time from which on.

States and the audit log have neither symbols nor a beginning: a log is a chain of records, and a
part of it could not be verified. They are copied whole or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from msgspec import Struct

from storecore.errors import InvalidData, shown
from storecore.models import Event, FundamentalData
from storecore.values.suggestions import did_you_mean
from storecore.values.times import EARLIEST, LATEST, Bound, exact_instant, time_range, to_datetime

KINDS = ("bars", "fundamentals", "events", "states", "audit")
WITH_SYMBOLS = KINDS[:3]
_WHOLE = "copied whole or not at all: leave out symbols and since, or copy it by another call"


class Scope(Struct, frozen=True):
    """The part of a store that is copied; `symbols` are names or patterns such as "A*".

    `symbols` is None for all of them, those of events without a symbol too.
    """

    kinds: tuple[str, ...] = KINDS
    symbols: tuple[str, ...] | None = None
    first: int = EARLIEST

    @property
    def is_part(self) -> bool:
        """True if anything may be left out."""
        return self != WHOLE

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The first and the last time of data that is copied."""
        return to_datetime(self.first, aware=True), to_datetime(LATEST, aware=True)

    def has_symbol(self, symbol: str | None) -> bool:
        """Return whether data of a symbol, or of none, is copied."""
        if self.symbols is None:
            return True
        return symbol is not None and any(
            symbol == each or fnmatchcase(symbol, each) for each in self.symbols
        )

    def filings(self, given: Iterable[FundamentalData]) -> Iterable[FundamentalData]:
        """Return the fundamentals that are copied."""
        if not self.is_part:
            return given
        return (each for each in given if self._has(each))

    def events(self, given: Iterable[Event]) -> Iterable[Event]:
        """Return the events that are copied."""
        if not self.is_part:
            return given
        return (each for each in given if self._has(each))

    def _has(self, record: Event | FundamentalData) -> bool:
        at = exact_instant(record.timestamp, "timestamp")
        return at >= self.first and self.has_symbol(record.symbol)


WHOLE = Scope()


def scope_of(only: Collection[str] | None, symbols: Collection[str] | None, since: Bound) -> Scope:
    """Return the part that is asked for. Raises `InvalidData` for one that cannot be copied."""
    for name, given in (("only", only), ("symbols", symbols)):
        if isinstance(given, str) or (given is not None and not given):
            raise InvalidData(f"{name}={shown(given)}: expected a list of one or more names")
    for kind in only or ():
        if kind not in KINDS:
            near = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
            raise InvalidData(
                f"only: no kind of data {shown(kind)}{near}; there are {', '.join(KINDS)}"
            )
    is_split = symbols is not None or since is not None
    for kind in only or ():
        if is_split and kind not in WITH_SYMBOLS:
            what = "the audit log is a chain" if kind == "audit" else "a state has no symbol"
            raise InvalidData(f"only: {what} and is {_WHOLE}")
    kinds = set(only) if only else set(WITH_SYMBOLS if is_split else KINDS)
    return Scope(
        tuple(each for each in KINDS if each in kinds),
        None if symbols is None else tuple(symbols),
        time_range(since).first,
    )
