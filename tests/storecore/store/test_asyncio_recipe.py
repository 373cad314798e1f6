"""The recipe for asyncio of GUIDE.md: what a call that timed out has done, who waits for whom."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import storecore
from storecore import LockTimeout, OrderResult

GUIDE = Path(storecore.__file__).parent / "store/GUIDE.md"
SINCE = datetime(2026, 1, 1)
SOON, LONG = 0.05, 30.0


@pytest.fixture
def recipe():
    """What the program of the page defines, without its last block, which trades."""
    page = GUIDE.read_text()
    (program,) = (
        each for each in re.findall(r"```python\n(.*?)```", page, re.S) if "asyncio" in each
    )
    first = re.search(r"```python\n(.*?)\nwith", page, re.S)[1]  # the imports of the page
    names = {}
    exec(first + program.partition("\nwith ")[0], names)
    made = SimpleNamespace(**names)
    with made.data, made.orders:
        yield made


@pytest.fixture
def store():
    with storecore.open_store("memory") as opened:
        yield opened


class Slow:
    """A method that begins, and then waits until it is let go."""

    def __init__(self, store, name):
        self.method = getattr(store, name)
        self.begun, self.go = threading.Event(), threading.Event()
        setattr(store, name, self)

    def __call__(self, *arguments, **keywords):
        self.begun.set()
        assert self.go.wait(LONG)
        return self.method(*arguments, **keywords)


@pytest.fixture
def slow(store, recipe):
    """Make a method of the store slow; it is let go before the recipe's threads are waited for."""
    made = []

    def slow(name):
        made.append(Slow(store, name))
        return made[-1]

    yield slow
    for each in made:
        each.go.set()


def order_ids(store):
    return [each.result.order_id for each in store.read_orders(SINCE)]


def test_an_order_that_is_logged_in_time_is_logged(recipe, store, order):
    outcome = asyncio.run(recipe.log_order(store, order(), OrderResult("1", "filled"), LONG))
    assert (outcome, order_ids(store)) == ("logged", ["1"])


def test_a_call_that_times_out_while_it_runs_goes_on_and_is_found(recipe, store, slow, order):
    logging = slow("log_order")

    async def program():
        outcome = await recipe.log_order(store, order(), OrderResult("1", "filled"), SOON)
        before = order_ids(store)
        asking = asyncio.create_task(recipe.was_logged(store, "1", SINCE))
        await asyncio.sleep(SOON)
        waits = not asking.done()
        logging.go.set()
        return outcome, before, waits, await asking

    assert asyncio.run(program()) == ("running", [], True, True)


def test_the_call_of_a_task_that_is_cancelled_goes_on(recipe, store, slow, order):
    logging = slow("log_order")

    async def program():
        call = recipe.log_order(store, order(), OrderResult("1", "filled"), LONG)
        task = asyncio.create_task(call)
        await asyncio.to_thread(logging.begun.wait, LONG)
        task.cancel()
        logging.go.set()
        return await recipe.was_logged(store, "1", SINCE)

    assert asyncio.run(program())


def test_a_call_that_times_out_before_it_begins_is_never_logged(recipe, store, slow, order):
    logging = slow("log_order")

    async def program():
        first = await recipe.log_order(store, order(), OrderResult("1", "filled"), SOON)
        second = await recipe.log_order(store, order(), OrderResult("2", "filled"), SOON)
        logging.go.set()
        return first, second, await recipe.was_logged(store, "2", SINCE)

    assert asyncio.run(program()) == ("running", "dropped", False)
    assert order_ids(store) == ["1"]


def test_an_error_of_the_store_is_raised_even_if_it_is_a_timeout_too(recipe, store, order):
    def locked(*_):
        raise LockTimeout("the log is locked")

    store.log_order = locked
    with pytest.raises(LockTimeout):
        asyncio.run(recipe.log_order(store, order(), OrderResult("1", "filled"), LONG))


def test_an_order_does_not_wait_for_a_table(recipe, store, slow, order, bar):
    writing = slow("write_bar_table")

    async def program():
        table = asyncio.create_task(recipe.write_minute(store, [bar()]))
        await asyncio.to_thread(writing.begun.wait, LONG)
        outcome = await recipe.log_order(store, order(), OrderResult("1", "filled"), LONG)
        waits = not table.done()
        writing.go.set()
        await table
        return outcome, waits

    assert asyncio.run(program()) == ("logged", True)


def test_the_event_loop_goes_on_during_a_call(recipe, store, slow, order):
    logging = slow("log_order")

    async def program():
        call = recipe.log_order(store, order(), OrderResult("1", "filled"), LONG)
        task = asyncio.create_task(call)
        await asyncio.to_thread(logging.begun.wait, LONG)
        for _ in range(100):
            await asyncio.sleep(0)
        waits = not task.done()
        logging.go.set()
        return waits, await task

    assert asyncio.run(program()) == (True, "logged")


def test_the_bars_of_a_minute_are_one_table(recipe, store, slow, bar):
    writing = slow("write_bar_table")
    writing.go.set()
    tables = []
    write = writing.method
    writing.method = lambda table, **named: tables.append(table) or write(table, **named)
    asyncio.run(recipe.write_minute(store, [bar(), bar(symbol="MSFT")]))
    assert [each["symbol"] for each in tables] == [["AAPL", "MSFT"]]
    assert store.symbols("1m") == ["AAPL", "MSFT"]
