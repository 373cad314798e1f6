"""Writes the small store that is kept of each release, and says what is in it.

    python tests/storecore_file/releases/filling.py 0.1.0-a

makes the folder of that name beside this file, by the storecore that is installed. It is run once
for a release, and its files are never made again. A release that keeps history also gets one: what
`fill` writes then corrects something.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from storecore_file import FileDataStore

START = datetime(2026, 1, 5, tzinfo=UTC)
DAILY = ["AAPL", "aapl", "BRK/B", "Ünïcødé", "x" * 200]
JOURNALED = [f"J{number}" for number in range(5)]
LARGE = 2**53 + 1  # a volume that no float64 equals


def bar(symbol, moment, close, volume=7):
    return PriceBar(symbol, moment, 1.0, 2.0, 0.5, close, volume)


def daily(symbol):
    """Some bars in two parts: of two years, and of the month that follows them."""
    days = [*range(0, 730, 9), *range(730, 745), 800]
    volumes = (LARGE, 7, 0.5)
    return [
        bar(symbol, START + timedelta(days=day), float(day), volumes[day % 3])
        for day in days
        if not 90 <= day < 120  # were written, and deleted
    ]


def minutes():
    return [bar("AAPL", START + timedelta(minutes=minute), float(minute)) for minute in range(30)]


def further():
    """Bars with further columns, and one whose volume was not reported: from 0.1.0-c on."""
    columns = [{"vwap": 1.5, "trades": 3}, {"trades": 4, "venue": "X"}, None]
    return [
        PriceBar("AAPL", START + timedelta(minutes=5 * n), 1.0, 2.0, 0.5, 1.5, volume, extra=extra)
        for n, (extra, volume) in enumerate(zip(columns, (7, None, LARGE), strict=True))
    ]


def folded(symbol):
    return [bar(symbol, START, 1.0), bar(symbol, START + timedelta(days=1), 2.5)]


def pending(symbol):
    """What lies in the journal: a correction, and a bar more."""
    return [bar(symbol, START + timedelta(days=1), 3.0), bar(symbol, START + timedelta(days=40), 4)]


def fundamental(symbol, day, employees):
    return FundamentalData(
        symbol=symbol,
        timestamp=START + timedelta(days=day),
        company_name="Company",
        cik="0000320193",
        employees=employees,
        shares_outstanding=15_000_000_000,
        float_shares=None,
        industry="Electronics",
        category=None,
        subcategory=None,
        raw_xml="<facts/>",
    )


def fundamentals(symbol):
    return [fundamental(symbol, 0, 10), fundamental(symbol, 90, None)]


def event(number, days=0):
    moment = START + timedelta(days=days, minutes=number)
    symbol = None if number % 3 == 0 else "AAPL"
    return Event("split", symbol, moment, moment + timedelta(hours=1), "feed", {"ratio": number})


def events():
    """A day that is sealed and has got a late one since, and one that is open."""
    return [*(event(number) for number in range(8)), *(event(number, 1) for number in range(4))]


def states():
    return [{"position": number, "cash": 0.1} for number in range(4)]


def decision(number):
    return Decision("AAPL", Action.BUY, 0.25, 0.5, f"reason {number}")


def order(number):
    order = Order("value", "AAPL", "BUY", number, "LIMIT", 101.5)
    return order, OrderResult(f"id-{number}", "filled", 101.25, number)


def table(symbols, bars_of):
    bars = [each for symbol in symbols for each in bars_of(symbol)]
    names = PriceBar.__struct_fields__
    columns = {name: [getattr(each, name) for each in bars] for name in names[:-1]}
    return pa.table({**columns, "volume": [float(each.volume) for each in bars]})


def fill(store):
    """Write all of it. The store is not to be closed, which would fold the journal."""
    for symbol in DAILY:
        bars = daily(symbol)
        store.write_bars(symbol, bars[:-11])
        gone = [bar(symbol, START + timedelta(days=day), 9.0) for day in range(90, 120, 7)]
        store.write_bars(symbol, gone)
        for each in bars[-11:-1]:
            store.write_bars(symbol, [each])
        store.delete_bars(symbol, gone[0].date, gone[-1].date)
    store.write_bars("AAPL", minutes(), timeframe="1m")
    store.write_bar_table(table(JOURNALED, folded))
    store.write_events(events()[:7])
    store.compact()
    store.write_bar_table(table(JOURNALED, pending))
    store.write_events(events()[7:])
    for symbol in DAILY:
        store.write_bars(symbol, daily(symbol)[-1:])
    for symbol in ("AAPL", "ÿ"):
        for each in fundamentals(symbol):
            store.write_fundamental(symbol, each)
    for state in states():
        store.save_strategy_state("Value", state)
    for number in range(3):
        store.log_decision("value", decision(number))
        store.log_order("value", *order(number))


# A history: what was written before `fill`, and is corrected by it.

REST = START + timedelta(minutes=30), START + timedelta(days=1)  # where no minute is right
SEEN = START + timedelta(days=40)  # as of when strategies ask


def wrong(symbol):
    """Some bars that `fill` corrects, and one of a day of its own that is deleted."""
    return [bar(symbol, START + timedelta(days=day), 1000.0 + day) for day in (0, 4, 9, 18)]


def wrong_minutes():
    """Minutes that are corrected, with more that are deleted than a log takes one by one."""
    return [bar("AAPL", START + timedelta(minutes=minute), 1000.0) for minute in range(100)]


def wrong_further():
    return PriceBar("AAPL", START, 1.0, 2.0, 0.5, 1.75, None, extra={"vwap": 9.5, "note": "late"})


def wrong_fundamentals(symbol):
    return [fundamental(symbol, 0, 9), fundamental(symbol, 30, 1)]


def wrong_events():
    return [event(number, -3) for number in (50, 51)]


def corrected(symbol):
    """What the history says of a symbol's days: the date, the close before and the one after."""
    present = {each.date: each.close for each in daily(symbol)}
    errors = {(each.date, each.close, present.get(each.date)) for each in wrong(symbol)}
    days = [START + timedelta(days=day) for day in range(90, 120, 7)]
    return errors | {(day, 9.0, None) for day in days}


def look(view):
    """Read what a strategy reads, and return the receipt."""
    view.read_bars("AAPL", last=2)
    view.read_fundamental("AAPL")
    return view.receipt()


def prune(store):
    """Correct a bar and forget it; return the receipt of who saw the wrong one."""
    for symbol in JOURNALED[:2]:
        store.write_bars(symbol, [bar(symbol, START, 77.0)])
    view = store.at(SEEN)
    view.read_bars(JOURNALED[0])
    for symbol in JOURNALED[:2]:
        store.write_bars(symbol, [bar(symbol, START, 78.0)])
    store.prune_history(store.recorded_now())
    return view.receipt()


def renamed(symbol):
    """The name that a symbol had when it was written first."""
    return "old" if symbol == "BRK/B" else symbol


def err(store):
    """Write what is wrong, name it "first", and delete what `fill` does not write again."""
    for symbol in map(renamed, DAILY):
        store.write_bars(symbol, wrong(symbol))
    store.write_bars("AAPL", wrong_minutes(), timeframe="1m")
    store.write_bars("AAPL", [wrong_further()], timeframe="5m")
    for symbol in ("AAPL", "ÿ"):
        store.write_fundamentals(wrong_fundamentals(symbol))
    store.write_events(wrong_events())
    store.snapshot("first", "before the corrections")
    store.rename_symbol("old", "BRK/B")
    for symbol in DAILY:
        store.delete_bars(symbol, START + timedelta(days=4), START + timedelta(days=4))
    store.delete_bars("AAPL", *REST, timeframe="1m")
    for symbol in ("AAPL", "ÿ"):
        store.delete_fundamentals(symbol, START + timedelta(days=30), START + timedelta(days=30))
    store.delete_events(START - timedelta(days=4), START - timedelta(days=2))


def decide(store, seen):
    """Log a decision for each of the receipts and one more, and an order, of a run too."""
    store.snapshot("second")
    for number, reads in enumerate([*seen, look(store.at(SEEN))], 3):
        store.log_decision("value", decision(number), as_of=SEEN, reads=reads)
    store.log_order("value", *order(3), reads=seen[0])
    with store.at(SEEN, run="bt-7") as view:
        view.log_decision("value", decision(0), reads=look(view))
        view.save_strategy_state("Value", states()[0])


def fill_with_history(store):
    pruned = prune(store)
    err(store)
    wrongly = look(store.at(SEEN))
    fill(store)
    decide(store, [pruned, wrongly])


def main(name):
    folder = Path(__file__).parent / name
    store = FileDataStore(base_path=folder)
    (fill_with_history if hasattr(store, "snapshot") else fill)(store)
    if hasattr(PriceBar, "extra"):
        store.write_bars("AAPL", further(), timeframe="5m")
    for lock in [*folder.rglob(".lock"), *folder.rglob(".*.lock")]:
        if not lock.stat().st_size:
            lock.unlink()  # made by who needs them
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    shutil.rmtree(Path(__file__).parent / sys.argv[1], ignore_errors=True)
    main(sys.argv[1])
