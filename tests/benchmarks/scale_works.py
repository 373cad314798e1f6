"""What `scale.py` measures: stores of a size, and the operations on them.

A work is a function of a store, the size and the number of the turn. `ONE` marks one whose answer
or effect stays the same as the store grows: it should not grow. `ALL` marks one that goes through
the whole store: it should grow as the store does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, NamedTuple

import numpy as np
from universe import bar_table, minutes, names, one_day, weekdays

from storecore import Action, Decision, Event, FundamentalData, PriceBar

ONE, ALL = 0.0, 1.0
DAYS = 252
BLOCK = 1_000_000
DAY = datetime(2026, 1, 5)
MINUTE = DAY + timedelta(hours=10), DAY + timedelta(hours=10, seconds=59)
EVER = datetime(1700, 1, 1), datetime(2100, 1, 1)
DECISION = Decision("AAPL", Action.BUY, 0.5, 0.9, "cheap against its own history")
STATE = {"cash": 1.0, "positions": dict.fromkeys(names(20), 10)}


class Work(NamedTuple):
    """An operation, how it may grow, and how to do it. `once`: what it does is done then.

    `most` is the largest size at which it is done: beyond, its answer does not fit into memory.
    """

    name: str
    growth: float
    do: Callable[[Any, int, int], object]
    once: bool = False
    most: float = inf


class Scale(NamedTuple):
    """What grows, the sizes, how to fill a store of a size, and the works on it."""

    what: str
    sizes: tuple[int, ...]
    larger: tuple[int, ...]  # only if they are asked for
    quick: tuple[int, ...]
    fill: Callable[[Any, int], None]
    works: tuple[Work, ...]


def fill_symbols(store: Any, count: int) -> None:
    """Write a year of days and a filing for each symbol, and correct ten bars."""
    for first in range(0, count, 1_000):
        some = names(count)[first : first + 1_000]
        store.write_bar_table(bar_table(some, weekdays(DAYS)))
        store.write_fundamentals([filing(symbol, 0) for symbol in some])
    for symbol in names(10):
        store.write_bars(symbol, [bar(symbol, weekdays(5)[0].item(), 2.0)])


def bar(symbol: str, date: datetime, close: float) -> PriceBar:
    """Return a bar."""
    return PriceBar(symbol, date, 1.0, 3.0, 0.5, close, 10)


def filing(symbol: str, day: int) -> FundamentalData:
    """Return a small filing of a day."""
    return FundamentalData(
        symbol=symbol,
        timestamp=DAY + timedelta(days=day),
        company_name="A company",
        cik="0000320193",
        raw_xml="<f/>" * 50,
    )


def after(turn: int) -> np.datetime64:
    """Return a day after those of `weekdays`, another one each turn."""
    return weekdays(1)[0] + np.timedelta64(turn + 1, "D")


def iterate(items: Any) -> int:
    """Go through something without keeping it."""
    return sum(1 for _ in items)


SYMBOLS = Scale(
    "symbols",
    (200, 2_000, 20_000),
    (),
    (20, 80),
    fill_symbols,
    (
        Work("read a year of one symbol", ONE, lambda s, n, t: s.read_bars("S00007")),
        Work(
            "append a bar to one symbol",
            ONE,
            lambda s, n, t: s.write_bars("S00007", [bar("S00007", after(t).item(), 2.0)]),
        ),
        Work(
            "read a year of one symbol as of a moment",
            ONE,
            lambda s, n, t: s.at(datetime(2025, 12, 1)).read_bars("S00007"),
        ),
        Work(
            "delete a bar of one symbol",
            ONE,
            lambda s, n, t: s.delete_bars("S00008", *2 * [weekdays(9)[t].item()]),
        ),
        Work("bar_coverage of one symbol", ONE, lambda s, n, t: s.bar_coverage("S00007")),
        Work("bar_versions of one symbol", ONE, lambda s, n, t: s.bar_versions("S00007")),
        Work("nearest", ALL, lambda s, n, t: s.nearest("S0000X")),
        Work("corrections of ten bars", ALL, lambda s, n, t: s.corrections()),
        Work("read_fundamental", ONE, lambda s, n, t: s.read_fundamental("S00007")),
        Work(
            "write_fundamental",
            ONE,
            lambda s, n, t: s.write_fundamental("S00007", filing("S00007", t + 1)),
        ),
        Work("symbols", ALL, lambda s, n, t: s.symbols()),
        Work("fundamental_symbols", ALL, lambda s, n, t: s.fundamental_symbols()),
        Work("inventory", ALL, lambda s, n, t: s.inventory()),
        Work("recording", ALL, lambda s, n, t: s.recording()),
        Work(
            "read a month of all symbols",
            ALL,
            lambda s, n, t: s.read_bar_table(names(n), datetime(2025, 6, 1), datetime(2025, 6, 30)),
        ),
        Work("iter_fundamentals", ALL, lambda s, n, t: iterate(s.iter_fundamentals())),
        Work("checkpoint", ALL, lambda s, n, t: s.checkpoint(), once=True),
        Work("verify", ALL, lambda s, n, t: s.verify(), once=True),
        Work(
            "one day for all symbols, one call",
            ALL,
            lambda s, n, t: s.write_bar_table(one_day(names(n), after(t + 20))),
            once=True,
        ),
        Work("compact", ALL, lambda s, n, t: s.compact(), once=True),
        Work("prune_history", ALL, lambda s, n, t: s.prune_history(datetime.now(UTC)), once=True),
        Work("rename_symbol", ONE, lambda s, n, t: s.rename_symbol("S00003", "X"), once=True),
    ),
)


def fill_bars(store: Any, count: int) -> None:
    """Write so many minutes of one symbol, a million at a time."""
    block = minutes(min(BLOCK, count))
    for first in range(0, count, BLOCK):
        earlier = np.timedelta64(count - first - len(block), "m")
        store.write_bar_table(bar_table(["LONG"], block - earlier), timeframe="1m")
    store.write_bars("LONG", [bar("LONG", minute(-9), 2.0)], timeframe="1m")


def minute(turn: int) -> datetime:
    """Return a minute after all others, or before their last one."""
    return (minutes(1)[0] + np.timedelta64(turn + 1, "m")).item()


BARS = Scale(
    "bars",
    (100_000, 1_000_000, 10_000_000),
    (100_000_000,),
    (2_000, 8_000),
    fill_bars,
    (
        Work(
            "append a bar",
            ONE,
            lambda s, n, t: s.write_bars("LONG", [bar("LONG", minute(t), 2.0)], timeframe="1m"),
        ),
        Work(
            "correct an old bar",
            ONE,
            lambda s, n, t: s.write_bars(
                "LONG", [bar("LONG", minute(500 + t - n), 2.5)], timeframe="1m"
            ),
        ),
        Work(
            "read the last 200 bars",
            ONE,
            lambda s, n, t: s.read_bars("LONG", timeframe="1m", last=200),
        ),
        Work(
            "read a day",
            ONE,
            lambda s, n, t: s.read_bar_table(
                "LONG", datetime(2025, 12, 30), datetime(2025, 12, 31), timeframe="1m"
            ),
        ),
        Work(
            "delete an old bar",
            ONE,
            lambda s, n, t: s.delete_bars("LONG", *2 * [minute(600 + t - n)], timeframe="1m"),
        ),
        Work("bar_coverage", ALL, lambda s, n, t: s.bar_coverage("LONG", timeframe="1m")),
        Work("corrections of a few bars", ALL, lambda s, n, t: s.corrections()),
        Work(
            "stream all bars",
            ALL,
            lambda s, n, t: iterate(s.iter_bar_tables("LONG", *EVER, timeframe="1m")),
            once=True,
        ),
        Work(
            "read all bars",
            ALL,
            lambda s, n, t: s.read_bar_table("LONG", timeframe="1m"),
            once=True,
            most=10_000_000,
        ),
        Work("verify", ALL, lambda s, n, t: s.verify(), once=True),
    ),
)


def event(number: int, count: int) -> Event:
    """Return an event of a day that has so many, of 20 symbols."""
    moment = DAY + number * (timedelta(days=1) / count)
    payload = {"price": 100 + number % 977 / 7, "size": number % 100}
    return Event("trade", f"SYM{number % 20:02}", moment, moment, "feed", payload)


def fill_events(store: Any, count: int) -> None:
    """Write the events of a day."""
    for first in range(0, count, 10_000):
        last = min(first + 10_000, count)
        store.write_events([event(number, count) for number in range(first, last)])


def delete_last(store: Any, count: int, turn: int) -> None:
    """Delete the events of the last moments of a day."""
    last = DAY + timedelta(days=1) - 3 * (timedelta(days=1) / count)
    store.delete_events(start=last, end=DAY + timedelta(days=1))


def seal_again(store: Any, count: int, turn: int) -> None:
    """Seal a day that is sealed since events were deleted, and has one event more."""
    store.write_event(event(count - 1, count))
    store.compact()


_OF_EVENTS = (
    Work("write_event", ONE, lambda s, n, t: s.write_event(event(t, 1_000))),
    Work(
        "read a minute of one symbol", ALL, lambda s, n, t: s.read_events(*MINUTE, symbols="SYM03")
    ),
    Work("event_symbols", ALL, lambda s, n, t: s.event_symbols()),
    Work("iter_events", ALL, lambda s, n, t: iterate(s.iter_events()), once=True),
    Work("corrections", ALL, lambda s, n, t: s.corrections(), once=True),
    Work("verify", ALL, lambda s, n, t: s.verify(), once=True),
    Work("delete the last events", ALL, delete_last, once=True),
    Work("corrections, once some are deleted", ALL, lambda s, n, t: s.corrections(), once=True),
)
EVENTS = Scale(
    "events of a day",
    (1_000, 10_000, 100_000),
    (1_000_000,),
    (200, 800),
    fill_events,
    (*_OF_EVENTS, Work("compact (seal the day again)", ALL, seal_again, once=True)),
)


def fill_sealed(store: Any, count: int) -> None:
    """Write the events of a day, and seal it."""
    fill_events(store, count)
    store.compact()


SEALED = EVENTS._replace(what="events of a sealed day", fill=fill_sealed, works=_OF_EVENTS[1:])


def fill_records(store: Any, count: int) -> None:
    """Log decisions of ten strategies."""
    batch = [DECISION] * 1_000
    for first in range(0, count, 1_000):
        store.log_decisions(f"value{first // 1_000 % 10}", batch[: count - first])


def last_moments(store: Any, count: int, turn: int) -> object:
    """Read the decisions of the last ten milliseconds, one at least."""
    store.log_decision("value0", DECISION)
    now = datetime.now(UTC)
    return store.read_decisions(now - timedelta(milliseconds=10), now)


RECORDS = Scale(
    "records",
    (10_000, 100_000, 1_000_000),
    (10_000_000,),
    (500, 2_000),
    fill_records,
    (
        Work("log_decision", ONE, lambda s, n, t: s.log_decision("value0", DECISION)),
        Work("read the decisions of 10 ms", ALL, last_moments),
        Work(
            "iter_audit, the last ten",
            ALL,
            lambda s, n, t: iterate(s.iter_audit("decisions", n - 10)),
        ),
        Work("verify_audit", ALL, lambda s, n, t: s.verify_audit(), once=True),
        Work("verify", ALL, lambda s, n, t: s.verify(), once=True),
    ),
)


def fill_states(store: Any, count: int) -> None:
    """Save a state twice for each strategy."""
    for number in range(count):
        for _ in range(2):
            store.save_strategy_state(f"strategy{number:05}", STATE)


STRATEGIES = Scale(
    "strategies",
    (10, 100, 1_000, 10_000),
    (),
    (5, 20),
    fill_states,
    (
        Work(
            "save_strategy_state",
            ONE,
            lambda s, n, t: s.save_strategy_state("strategy00003", STATE),
        ),
        Work("save the first state", ONE, lambda s, n, t: s.save_strategy_state(f"new{t}", STATE)),
        Work("load_strategy_state", ONE, lambda s, n, t: s.load_strategy_state("strategy00003")),
        Work("state_history", ONE, lambda s, n, t: s.state_history("strategy00003")),
        Work("delete_strategy_state", ONE, lambda s, n, t: s.delete_strategy_state(f"new{t}")),
        Work("strategies", ALL, lambda s, n, t: s.strategies()),
        Work("verify", ALL, lambda s, n, t: s.verify(), once=True),
    ),
)
SCALES = {
    "symbols": SYMBOLS,
    "bars": BARS,
    "events": EVENTS,
    "sealed": SEALED,
    "records": RECORDS,
    "strategies": STRATEGIES,
}


def fill_rows(store: Any, count: int) -> None:
    """Write so many bars of 240 days a symbol, and a filing for each.

    Then vacuum: a rename waits for an autovacuum of its tables, up to the server's
    `deadlock_timeout`.
    """
    symbols = names(count // 240)
    for first in range(0, len(symbols), 1_000):
        some = symbols[first : first + 1_000]
        store.write_bar_table(bar_table(some, weekdays(240)))
        store.write_fundamentals([filing(symbol, 0) for symbol in some])
    for symbol in symbols[:10]:
        store.write_bars(symbol, [bar(symbol, weekdays(5)[0].item(), 2.0)])
    store.compact()


def rename_another(store: Any, count: int, turn: int) -> None:
    """Rename a symbol that has a bar and no events."""
    store.write_bars("OTHER", [bar("OTHER", DAY, 2.0)])
    store.rename_symbol("OTHER", f"OTHER{turn}")


def of_symbols(count: int) -> int:
    """Return how many symbols `fill_rows` writes for so many bars."""
    return count // 240


_LONG = ("checkpoint", "verify")  # minutes for 12 million bars


def _counted(work: Work) -> Work:
    most = 1_200_000 if work.name in _LONG else inf
    return work._replace(do=lambda s, n, t: work.do(s, of_symbols(n), t), most=most)


POSTGRES = {
    "bars": SYMBOLS._replace(
        what="bars of 240 days a symbol",
        sizes=(12_000, 120_000, 1_200_000),
        larger=(12_000_000,),
        quick=(4_800, 19_200),
        fill=fill_rows,
        works=tuple(map(_counted, SYMBOLS.works)),
    ),
    "events": EVENTS._replace(works=(*EVENTS.works, Work("rename_symbol", ALL, rename_another))),
    "records": RECORDS._replace(sizes=(10_000, 100_000), larger=(1_000_000,)),
    "strategies": STRATEGIES._replace(sizes=(10, 100, 1_000), larger=(10_000,)),
}
