"""The versions of bars, beside a model that keeps what the store held after each write."""

import random
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.bars.table import bars_of
from storecore.knowledge.versions import held_bars
from storecore.values.times import EVER
from storecore_file import FileDataStore

DAY = datetime(2026, 1, 1)
NAMES = PriceBar.__struct_fields__[:-1]


def bar(symbol, number, close, **extra):
    date = DAY + timedelta(days=number)
    return PriceBar(
        symbol=symbol,
        date=date,
        open=1.0,
        high=9.0,
        low=0.5,
        close=close,
        volume=7,
        extra=extra or None,
    )


def table(rows):
    return pa.table({name: [getattr(row, name) for row in rows] for name in NAMES})


@pytest.fixture
def store(tmp_path):
    with FileDataStore(tmp_path / "data", durability="os") as opened:
        yield opened


class Model:
    """What a store held after each write, by the instant that was asked for then."""

    def __init__(self, store):
        self.store = store
        self.bars = {"A": {}, "B": {}}
        self.held = []

    def write(self, rng):
        symbol = rng.choice("AB")
        rows = [
            bar(symbol, rng.randrange(40), float(rng.randrange(3)))
            for _ in range(rng.randrange(1, 6))
        ]
        self.store.write_bars(symbol, rows)
        self.bars[symbol] |= {row.date: row for row in rows}

    def journal(self, rng):
        rows = [bar(symbol, rng.randrange(40), float(rng.randrange(3))) for symbol in "AB"]
        self.store.write_bar_table(table(rows))
        for row in rows:
            self.bars[row.symbol][row.date] = row

    def delete(self, rng):
        symbol, first = rng.choice("AB"), DAY + timedelta(days=rng.randrange(40))
        last = first + timedelta(days=rng.randrange(10))
        self.store.delete_bars(symbol, first, last)
        kept = self.bars[symbol].items()
        self.bars[symbol] = {date: row for date, row in kept if not first <= date <= last}

    def replace(self, rng):
        symbol = rng.choice("AB")
        rows = [bar(symbol, number, float(rng.randrange(2))) for number in range(0, 40, 3)]
        self.store.write_bar_table(table(rows), replace=True)
        self.bars[symbol] = {row.date: row for row in rows}

    def compact(self, rng):
        self.store.compact()

    def ask(self):
        now = self.store._clock.ask(None)
        self.held.append((now, {symbol: dict(each) for symbol, each in self.bars.items()}))

    def check(self):
        for at, expected in self.held:
            for symbol, rows in expected.items():
                found = bars_of(
                    symbol, held_bars(self.store._bars.versions(symbol, "1d", EVER), at), False
                )
                assert found == [rows[date] for date in sorted(rows)], (at, symbol)


@pytest.mark.parametrize("seed", range(3))
def test_k3_each_instant_shows_what_the_store_held_then(store, seed):
    rng, model = random.Random(seed), Model(store)
    steps = [model.write] * 4 + [model.journal] * 4 + [model.delete, model.replace, model.compact]
    for _ in range(25):
        rng.choice(steps)(rng)
        model.ask()
    model.check()
