"""All that a store answers: what tests compare before and after, and with the memory backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from storecore.errors import StoreError
from storecore.testing.records import EVER, NOON, TICK

SYMBOLS, TIMEFRAMES, STRATEGIES = ("AAPL", "MSFT"), ("1d", "1m"), ("value", "momentum")
_VERSIONS = 2  # of a state: how many more are kept is the store's own choice
Read = Callable[[Any], Any]


def reads(declared: Iterable[str]) -> dict[str, Read]:
    """Return every read of a store by its name, those of the declared capabilities included."""
    found: dict[str, Read] = {
        "read_bars": lambda store: _of_series(store.read_bars, *EVER),
        "read_fundamental": lambda store: _filings(store),
        "read_events": lambda store: store.read_events(*EVER),
        "read_events of a type": lambda store: store.read_events(*EVER, ["split"]),
        "load_strategy_state": lambda store: [store.load_strategy_state(s) for s in STRATEGIES],
    }
    for capability in sorted(set(declared) & _MORE.keys()):
        found |= _MORE[capability]
    return found


def answers(store: Any, declared: Iterable[str]) -> dict[str, Any]:
    """Return what a store answers to every read, or the error that it raises."""
    return {name: _answer(store, read) for name, read in reads(declared).items()}


def difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """Return in words which answer is not the expected one; the empty text if all are equal."""
    wrong = [name for name, answer in expected.items() if found[name] != answer]
    return "; ".join(f"{name} gave {found[name]}, not {expected[name]}" for name in wrong[:1])


def _answer(store: Any, read: Read) -> Any:
    try:
        return read(store)
    except StoreError as error:
        return error


def _of_series(read: Callable[..., Any], *bounds: Any) -> dict[tuple[str, str], Any]:
    return {
        (symbol, timeframe): read(symbol, *bounds, timeframe=timeframe)
        for symbol in SYMBOLS
        for timeframe in TIMEFRAMES
    }


def _filings(store: Any) -> list[Any]:
    return [
        store.read_fundamental(symbol, as_of=as_of)
        for symbol in SYMBOLS
        for as_of in (None, NOON, NOON - TICK)
    ]


def _rows(store: Any) -> dict[str, Any]:
    return {
        timeframe: store.read_bar_table(SYMBOLS, *EVER, timeframe=timeframe).to_pylist()
        for timeframe in TIMEFRAMES
    }


def _streamed(store: Any) -> dict[str, Any]:
    """Return the bars of a stream, sorted as a table is."""
    rows = {
        timeframe: [
            row
            for table in store.iter_bar_tables(SYMBOLS, *EVER, timeframe=timeframe)
            for row in table.to_pylist()
        ]
        for timeframe in TIMEFRAMES
    }
    return {
        timeframe: sorted(found, key=lambda row: (row["symbol"], row["date"]))
        for timeframe, found in rows.items()
    }


def _decided(store: Any) -> list[Any]:
    records = [*store.read_decisions(*EVER), *store.read_decisions(*EVER, STRATEGIES[0])]
    return [(each.seq, each.strategy, each.decision) for each in records]


def _ordered(store: Any) -> list[Any]:
    records = [*store.read_orders(*EVER), *store.read_orders(*EVER, STRATEGIES[0])]
    return [(each.seq, each.strategy, each.order, each.result) for each in records]


def _verified(store: Any) -> tuple[bool, int]:
    report = store.verify_audit()
    return report.ok, report.checked


_MORE: dict[str, dict[str, Read]] = {
    "BarTables": {"read_bar_table": _rows},
    "BarStream": {"iter_bar_tables": _streamed},
    "Catalog": {
        "symbols": lambda store: [store.symbols(each) for each in (None, *TIMEFRAMES)],
        "timeframes": lambda store: [store.timeframes(symbol) for symbol in SYMBOLS],
        "bar_coverage": lambda store: _of_series(store.bar_coverage),
        "strategies": lambda store: store.strategies(),
    },
    "inventory": {"inventory": lambda store: store.inventory()},
    "nearest": {"nearest": lambda store: [store.nearest(each) for each in ("APL", "MFST", "TS")]},
    "fundamentals": {"fundamentals": lambda store: [store.fundamentals(s) for s in SYMBOLS]},
    "fundamental_symbols": {"fundamental_symbols": lambda store: store.fundamental_symbols()},
    "event_symbols": {"event_symbols": lambda store: store.event_symbols()},
    "read_bars": {
        "read_bars, the last": lambda store: [store.read_bars(s, last=1) for s in SYMBOLS]
    },
    "read_bar_table": {
        "read_bar_table, the last": lambda store: store.read_bar_table(SYMBOLS, last=1).to_pylist()
    },
    "read_events": {
        "read_events of a symbol": lambda store: store.read_events(symbols=["AAPL"]),
        "read_events known": lambda store: store.read_events(ingested_by=NOON),
    },
    "AuditTrail": {
        "read_decisions": _decided,
        "read_orders": _ordered,
        "verify_audit": _verified,
    },
    "VersionedState": {
        "state_history": lambda store: [store.state_history(s)[:_VERSIONS] for s in STRATEGIES],
        "load_versioned_state": lambda store: [store.load_versioned_state(s) for s in STRATEGIES],
    },
    "Transfer": {
        "iter_fundamentals": lambda store: list(store.iter_fundamentals()),
        "iter_events": lambda store: list(store.iter_events()),
        "iter_audit": lambda store: [
            len(list(store.iter_audit(log))) for log in ("decisions", "orders")
        ],
    },
}
