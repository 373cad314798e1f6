"""Copies fundamentals, symbol by symbol, each exactly as it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from storecore.copying.report import Copied, LeftOut, Progress, batches
from storecore.copying.scope import WHOLE, Scope
from storecore.models import FundamentalData
from storecore.protocols import Bulk, Catalog, DataStore, Transfer
from storecore.store.digests import Digest, canonical_filing, fundamentals_of, moment_of

_AT_ONCE = 64  # a filing may be long
_WITH_BARS = "; those of symbols that have bars were copied"


def copy_fundamentals(
    source: DataStore, target: DataStore, progress: Progress, scope: Scope = WHOLE
) -> Iterator[Copied | LeftOut]:
    """Copy all fundamentals that can be found in the source."""
    symbols = source.symbols() if isinstance(source, Catalog) else []
    if not isinstance(source, Transfer):
        why = "the source cannot list them: it lacks the capability Transfer"
        yield LeftOut("fundamentals", f"{why}{_WITH_BARS if symbols else ''}")
    given, added = dict[str, Digest](), dict[str, int]()
    for batch in batches(scope.filings(_all(source, symbols)), _AT_ONCE):
        for data in batch:
            given.setdefault(data.symbol, Digest()).add(canonical_filing(data))
            progress("fundamentals", data.symbol, 1)
        missing = [data for data in batch if not _holds(target, data)]
        _write(target, missing)
        for data in missing:
            added[data.symbol] = added.get(data.symbol, 0) + 1
    kept = dict[str, Digest]()
    for data in scope.filings(_all(target, given)):
        kept.setdefault(data.symbol, Digest()).add(canonical_filing(data))
    for symbol in sorted({*given, *kept}):
        ours, theirs = (side.get(symbol, Digest()).tally() for side in (given, kept))
        yield Copied("fundamentals", symbol, ours, theirs, added=added.get(symbol, 0))


def _all(store: DataStore, symbols: Iterable[str]) -> Iterator[FundamentalData]:
    """Return all fundamentals of a store, or those of some symbols if it cannot list them."""
    if isinstance(store, Transfer):
        return store.iter_fundamentals()
    return (data for symbol in symbols for data in fundamentals_of(store, symbol))


def _holds(store: DataStore, data: FundamentalData) -> bool:
    kept = store.read_fundamental(data.symbol, moment_of(data))
    return kept is not None and canonical_filing(kept) == canonical_filing(data)


def _write(store: DataStore, fundamentals: list[FundamentalData]) -> None:
    if fundamentals and isinstance(store, Bulk):
        return store.write_fundamentals(fundamentals)
    for data in fundamentals:
        store.write_fundamental(data.symbol, data)
    return None
