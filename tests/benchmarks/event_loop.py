"""Measures a store under asyncio: `python tests/benchmarks/event_loop.py [MINUTES] [SYMBOLS]`.

At each minute (of a second here) the bars of all symbols are written, then strategies read a
history, while orders are logged one after another. For each way to make these calls it prints how
late the event loop was (a task that wants to run every millisecond) and how long an order took to
be logged. Absolute times depend on the machine; the ways beside each other are the result.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pyarrow as pa
from universe import bar_table, names, weekdays

import storecore
from storecore import Order, OrderResult, PriceBar

STRATEGIES = 8
BETWEEN = 0.02  # seconds from one order to the next
ORDER = Order("value", "S00001", "BUY", 10, "MARKET")
RESULT = OrderResult("7", "filled", 101.25, 10)


class Way:
    """A way to call a store from coroutines; this one makes each call on the event loop."""

    def __init__(self, store, symbols: list[str], *, one_table: bool) -> None:
        self.store, self.symbols, self.one_table = store, symbols, one_table

    async def call(self, function, *arguments, **keywords):
        """Call for data."""
        return function(*arguments, **keywords)

    async def order(self) -> None:
        """Log an order."""
        await self.call(self.store.log_order, "value", ORDER, RESULT)

    async def minute(self, table) -> None:
        """Write the bars of a minute."""
        if self.one_table:
            await self.call(self.store.write_bar_table, table, timeframe="1m")
        else:
            bars = [PriceBar(**row) for row in table.to_pylist()]
            write = self.store.write_bars
            await asyncio.gather(
                *(self.call(write, each.symbol, [each], timeframe="1m") for each in bars)
            )

    async def read(self) -> None:
        """Read the history that a strategy needs."""
        begin, end = date(2025, 1, 1), date(2025, 12, 31)
        await self.call(self.store.read_bar_table, self.symbols, begin, end)


class DefaultExecutor(Way):
    """All calls share the threads of the loop's default executor."""

    async def call(self, function, *arguments, **keywords):
        """Call for data."""
        return await asyncio.to_thread(function, *arguments, **keywords)


class OwnExecutors(Way):
    """Orders have a thread of their own, all else another: the recipe of GUIDE.md."""

    def __init__(self, store, symbols: list[str], *, one_table: bool) -> None:
        super().__init__(store, symbols, one_table=one_table)
        self.data, self.orders = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    async def call(self, function, *arguments, **keywords):
        """Call for data."""
        return await asyncio.wrap_future(self.data.submit(function, *arguments, **keywords))

    async def order(self) -> None:
        """Log an order."""
        call = self.orders.submit(self.store.log_order, "value", ORDER, RESULT)
        await asyncio.wrap_future(call)


async def watch(late: list[float]) -> None:
    """Note how late the loop runs a task that wants to run every millisecond."""
    while True:
        due = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - due)


async def trade(way: Way, took: list[float]) -> None:
    """Log an order every `BETWEEN`; note how long each took from the time at which it was due."""
    due = time.perf_counter()
    while True:
        await way.order()
        now = time.perf_counter()
        took.append(now - due)
        due = max(due + BETWEEN, now)
        await asyncio.sleep(due - now)


async def run(way: Way, minutes: int, table) -> tuple[list[float], list[float]]:
    """Return how late the loop was, and how long orders took."""
    late: list[float] = []
    took: list[float] = []
    tasks = [asyncio.create_task(watch(late)), asyncio.create_task(trade(way, took))]
    for number in range(minutes):
        begin = time.perf_counter()
        stamp = datetime(2026, 1, 5, 14, 30) + timedelta(minutes=number)
        await way.minute(table.set_column(1, "date", pa.array([stamp] * len(table))))
        await asyncio.gather(*(way.read() for _ in range(STRATEGIES)))
        await asyncio.sleep(max(0, begin + 1 - time.perf_counter()))
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return late, took


def shown(seconds: list[float]) -> str:
    """Return the median, the 99th percentile and the maximum, in milliseconds."""
    values = sorted(seconds)
    picked = (values[len(values) // 2], values[int(len(values) * 0.99)], values[-1])
    return " ".join(f"{1000 * each:9.1f}" for each in picked)


def main() -> None:
    """Measure each way in a store of its own and print a line for each."""
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    symbols = names(int(sys.argv[2]) if len(sys.argv) > 2 else 500)
    ways = [
        ("on the loop, a call for each symbol", Way, False),
        ("on the loop, one table", Way, True),
        ("asyncio.to_thread, a call for each symbol", DefaultExecutor, False),
        ("asyncio.to_thread, one table", DefaultExecutor, True),
        ("two executors, one table", OwnExecutors, True),
    ]
    print(f"{'milliseconds':44}{'loop late':>29}  {'order logged':>29}")
    print(f"{'':44}" + f"{'median':>9} {'99%':>9} {'max':>9}  " * 2)
    history, last = bar_table(symbols, weekdays(260)), bar_table(symbols, weekdays(1))
    for name, kind, one_table in ways:
        with (
            tempfile.TemporaryDirectory(dir=".") as folder,
            storecore.open_store("file", base_path=folder) as store,
        ):
            store.write_bar_table(history)
            way = kind(store, symbols, one_table=one_table)
            late, took = asyncio.run(run(way, minutes, last))
            print(f"{name:44}{shown(late)}  {shown(took)}")


if __name__ == "__main__":
    main()
