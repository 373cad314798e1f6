"""Writes the small store that is kept of a version of the tables, and says what is in it.

    python tests/storecore_postgres/releases/filling.py 3

makes `3.sql` beside this file, by the storecore that is installed, as `pg_dump` writes it. It is
run once for a version, and its file is never made again.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar

START = datetime(2026, 1, 5, tzinfo=UTC)
SEEN = START + timedelta(days=9)


def bar(day, close, volume=7, extra=None, symbol="AAPL"):
    return PriceBar(symbol, START + timedelta(day), 1.0, 2.0, 0.5, close, volume, extra=extra)


def filing(employees, day=0):
    moment = START + timedelta(days=day)
    named = {"company_name": "Apple", "cik": "1", "raw_xml": "<f/>", "employees": employees}
    return FundamentalData(symbol="AAPL", timestamp=moment, **named)


def event(number):
    return Event("split", "AAPL", START + timedelta(number), START, "feed", {"ratio": number})


WRONG = [bar(0, 1000.0, None, {"vwap": 9.5}), bar(1, 1001.0, 2**53 + 1), bar(2, 1002.0)]
RIGHT = [bar(0, 1.0, 0.5, {"venue": "X"}), bar(1, 2.0), bar(3, 4.0, 2**53 + 3)]
DECISION = Decision("AAPL", Action.SELL, 0.25, 0.5, "reason", {"why": "x"})
ORDER = Order("value", "AAPL", "BUY", 1, "LIMIT", 101.5), OrderResult("id", "filled", 101.25, 1)


def fill(store):
    store.write_bars("AAPL", [bar(0, 77.0)])
    store.write_bars("AAPL", [bar(0, 78.0)])
    store.prune_history(store.recorded_now())
    store.write_bars("AAPL", WRONG)
    store.write_bars("old", [bar(0, 5.0, symbol="old")])
    store.write_fundamentals([filing(9), filing(1, 1)])
    store.write_events([event(0), event(1)])
    store.snapshot("first", "before the corrections")
    view = store.at(SEEN)
    view.read_bars("AAPL")
    store.rename_symbol("old", "BRK/B")
    store.write_bars("AAPL", RIGHT)
    store.delete_bars("AAPL", WRONG[2].date, WRONG[2].date)
    store.write_fundamental("AAPL", filing(10))
    store.delete_fundamentals("AAPL", START + timedelta(days=1), SEEN)
    store.delete_events(START + timedelta(days=1), SEEN)
    for number in range(7):
        store.save_strategy_state("value", {"position": number})
    store.log_decision("value", DECISION, as_of=SEEN, reads=view.receipt())
    store.log_order("value", *ORDER)
    store.snapshot("second")


def main(version):
    from storecore_postgres import PostgresDataStore
    from tests.postgres_server import Server  # with the repository as the working directory

    server = Server()
    try:
        with PostgresDataStore(dsn=server.dsn, schema="kept_store") as store:
            fill(store)
        dump = [f"{server.programs}/pg_dump", "-n", "kept_store", "--inserts", "-Ox", server.dsn]
        text = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    finally:
        server.stop()
    kept = re.sub(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\.*)?\n", "", text, flags=re.M)
    Path(__file__).with_name(f"{version}.sql").write_text(kept)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main(sys.argv[1])
