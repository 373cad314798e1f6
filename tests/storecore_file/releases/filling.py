"""Writes the small store that is kept of each release, and says what is in it.

    python tests/storecore_file/releases/filling.py 0.1.0-a

makes the folder of that name beside this file, by the storecore that is installed. It is run once
for a release, and its files are never made again.
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


def main(name):
    folder = Path(__file__).parent / name
    fill(FileDataStore(base_path=folder))
    for lock in [*folder.rglob(".lock"), *folder.rglob(".*.lock")]:
        if not lock.stat().st_size:
            lock.unlink()  # made by who needs them
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    shutil.rmtree(Path(__file__).parent / sys.argv[1], ignore_errors=True)
    main(sys.argv[1])
