"""The versions of bars, beside a model that keeps what the store held after each write."""

import random
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.bars.table import bars_of
from storecore.errors import CorruptData, StorageError
from storecore.knowledge import history
from storecore.knowledge.versions import held_bars
from storecore.values.times import EVER
from storecore_file import FileDataStore
from storecore_file.bars.partition import PartitionFile
from storecore_file.fs.seal import sealed

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


def log_of(store, symbol="A"):
    return store.base_path / "history" / "prices" / symbol / "1d.jsonl"


def test_replaced_bars_keep_their_further_columns(store):
    nan = float("nan")
    values = [{"x": 1}, {"x": nan}, {"x": None, "at": DAY}, {}]
    store.write_bars("A", [bar("A", n, 1.0, **each) for n, each in enumerate(values)])
    old = store.read_bars("A")
    store.write_bars("A", [bar("A", n, 2.0) for n in range(4)])
    past = [each.bar for each in store.bar_versions("A") if each.replaced_at]
    assert list(map(repr, past)) == list(map(repr, old))


def test_a_log_that_another_process_has_pruned_meanwhile_is_left_as_it_is(store):
    for close in (1.0, 2.0, 3.0):
        store.write_bars("A", [bar("A", 0, close)])
    before, content = store.recording_began(), log_of(store).read_bytes()
    store._bars._history.prune(log_of(store), before - 1)
    assert log_of(store).read_bytes() == content


def test_versions_of_no_bars_are_none(store):
    store.write_bars("A", [bar("A", 1, 1.0)])
    assert store.bar_versions("A", DAY - timedelta(9), DAY - timedelta(8)) == []
    assert store.bar_versions("NONE") == []


def test_a_log_of_another_series_is_damage(store):
    for close in (1.0, 2.0):
        store.write_bars("A", [bar("A", 1, close)])
    store.write_bars("B", [bar("B", 1, 1.0)])
    log_of(store, "B").parent.mkdir()
    log_of(store, "B").write_bytes(log_of(store).read_bytes())
    with pytest.raises(CorruptData, match="bars of another series"):
        store.bar_versions("B")


def test_a_log_with_columns_of_a_later_release_says_so(store):
    for close in (1.0, 2.0):
        store.write_bars("A", [bar("A", 1, close, x=1)])
    content = log_of(store).read_bytes()
    line = content.rpartition(b',"crc32"')[0] + b"}"
    log_of(store).write_bytes(sealed(line.replace(b'"int64"', b'"int99"')))
    with pytest.raises(StorageError, match="newer storecore"):
        store.bar_versions("A")
    assert [each.kind for each in store.verify().findings] == ["unchecked"]


def test_logs_of_many_series_are_not_all_kept_in_memory(store, monkeypatch):
    monkeypatch.setattr("storecore_file.bars.history._MOST_KEPT", 1)
    for symbol in ("A", "B", "A"):
        for close in (1.0, 2.0):
            store.write_bars(symbol, [bar(symbol, 1, close)])
    for symbol, number in (("A", 4), ("B", 2), ("A", 4)):
        assert len(store.bar_versions(symbol)) == number
        assert len(store._bars._history._kept) == 1


def read_by(monkeypatch, call):
    """Return how many partitions a call has read bars of."""
    calls, real = [], PartitionFile.rows

    def rows(self, *args, **kwargs):
        calls.append(self)
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(PartitionFile, "rows", rows)
        call()
    return len(calls)


def test_the_corrections_of_a_long_series_read_the_partitions_with_their_dates(
    store, small, monkeypatch
):
    counts, partitions = [], []
    for symbol, days in (("A", 60), ("B", 600)):
        store.write_bar_table(table([bar(symbol, number, 1.0) for number in range(days)]))
        store.compact()
        for number in (days - 9, 5):
            store.write_bars(symbol, [bar(symbol, number, 2.0)])
        partitions.append(len(list((store.base_path / "prices" / symbol).glob("*.parquet"))))
        found = []
        ask = partial(store.corrections, DAY - timedelta(9_999), symbol=symbol)
        counts.append(read_by(monkeypatch, lambda ask=ask, found=found: found.extend(ask())))
        assert [(each.before.close, each.after.close) for each in found] == [(1.0, 2.0)] * 2
    assert counts[0] == counts[1] < partitions[1] / 5


def test_corrections_in_the_journal_and_in_packed_lines_are_all_found(store, small):
    days = range(100)
    for close in (1.0, 2.0):
        store.write_bar_table(table([bar("A", number, close) for number in days]))
    rows = [bar(symbol, 7, 3.0) for symbol in ("A", "B")]
    store.write_bar_table(table(rows))
    found = store.corrections(DAY - timedelta(9_999))
    assert [(each.symbol, each.after.close) for each in found] == [("A", 2.0)] * 100 + [("A", 3.0)]


def test_corrections_make_no_objects_of_other_bars(store, monkeypatch):
    counts, real = [], history.price_bars

    def price_bars(symbol, columns, aware):
        counts.append(len(columns.date))
        return real(symbol, columns, aware)

    store.write_bar_table(table([bar("A", number, 1.0) for number in range(300)]))
    for number in (5, 290):
        store.write_bars("A", [bar("A", number, 2.0)])
    monkeypatch.setattr(history, "price_bars", price_bars)
    assert len(store.corrections()) == 2
    assert sum(counts) == 4


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
