"""The cached backend answers tables from memory exactly as the nested store answers them."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pyarrow as pa
import pytest
from msgspec.structs import replace

from storecore import InvalidData, StoreError, open_store
from storecore.builtin.cached import CachedStore
from storecore.builtin.memory import MemoryDataStore
from storecore.testing.records import bar_table

JAN_1, JAN_31 = datetime(2026, 1, 1), datetime(2026, 1, 31)
SYMBOLS = ("AAPL", "MSFT", "NVDA")
BYTES_A_ROW = 6 * 8


class Counting(MemoryDataStore):
    """Notes which symbols and columns are read, and can be told to do something meanwhile."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.before_reading = self.meanwhile = lambda: None
        self.before_writing = self.after_writing = lambda: None

    def read_bars(self, *args, **kwargs):
        self.asked.append("bars")
        read = super().read_bars(*args, **kwargs)
        self.meanwhile()
        return read

    def read_bar_table(
        self, symbols, start=None, end=None, *, timeframe="1d", columns=None, last=None
    ):
        self.before_reading()
        self.asked.append(symbols)
        asked = {"timeframe": timeframe, "columns": columns, "last": last}
        read = super().read_bar_table(symbols, start, end, **asked)
        self.meanwhile()
        return read

    def write_bar_table(self, *args, **kwargs):
        self.before_writing()
        super().write_bar_table(*args, **kwargs)
        self.after_writing()


@pytest.fixture
def nested(bar):
    store = Counting()
    days = [JAN_1 + timedelta(day) for day in range(31)]
    for symbol in SYMBOLS:
        store.write_bars(symbol, [bar(day, float(day.day), symbol=symbol) for day in days])
    return store


@pytest.fixture
def cached(nested):
    """Make a cached store of a budget in rows."""
    return lambda rows=1000: CachedStore(nested, rows * BYTES_A_ROW)


@pytest.fixture
def store(cached):
    return cached()


def same(table, expected):
    return table.equals(expected) and table.schema.equals(expected.schema, check_metadata=True)


def day(number):
    return JAN_1.replace(day=number)


def test_a_range_within_one_that_was_read_is_answered_from_memory(store, nested):
    for first, last in ((5, 20), (5, 20), (10, 12)):
        read = store.read_bar_table(SYMBOLS, day(first), day(last))
        assert same(read, MemoryDataStore.read_bar_table(nested, SYMBOLS, day(first), day(last)))
    assert len(nested.asked) == 1
    store.read_bar_table(SYMBOLS, day(5), day(21))
    assert len(nested.asked) == 2


def test_only_the_symbols_that_are_not_held_are_read_at_once(store, nested):
    store.read_bar_table(["MSFT"])
    read = store.read_bar_table([*SYMBOLS, "NONE", "AAPL"])
    assert nested.asked == [["MSFT"], ["AAPL", "NONE", "NVDA"]]
    assert same(read, nested.read_bar_table(SYMBOLS))


def test_columns_are_chosen_from_what_is_held(store, nested):
    for columns in (["close"], ["volume", "symbol"], ("date",)):
        read = store.read_bar_table("AAPL", columns=iter(columns))
        assert same(read, MemoryDataStore.read_bar_table(nested, "AAPL", columns=columns))
    assert len(nested.asked) == 1


def test_a_table_answers_reads_of_bars(store, nested):
    store.read_bar_table(SYMBOLS)
    expected = MemoryDataStore.read_bars(nested, "MSFT", day(3), day(9), last=4)
    assert store.read_bars("MSFT", day(3), day(9), last=4) == expected
    assert "bars" not in nested.asked


def test_a_table_of_some_columns_does_not_say_what_bars_have(store, nested, bar):
    nested.write_bars("AAPL", [bar(JAN_1, extra={"vwap": 1.5})])
    store.read_bar_table("AAPL", columns=["close"])
    assert store.read_bars("AAPL", JAN_1, JAN_1)[0].extra == {"vwap": 1.5}
    assert "vwap" in store.read_bar_table("AAPL").column_names


def test_b6_further_columns_are_read_from_the_nested_store(store, nested, bar):
    nested.write_bars("AAPL", [bar(JAN_1, extra={"vwap": 1.5})])
    for columns in (None, ["vwap"], None, ["vwap"]):
        read = store.read_bar_table("AAPL", columns=columns)
        assert same(read, MemoryDataStore.read_bar_table(nested, "AAPL", columns=columns))
    assert len(nested.asked) == 4
    with pytest.raises(InvalidData, match="unknown column 'vwop'"):
        store.read_bar_table("AAPL", columns=["vwop"])


def test_rounded_volumes_are_not_held(store, nested, bar):
    nested.write_bars("AAPL", [bar(JAN_1, volume=2**53 + 1), bar(JAN_31, volume=0.5)])
    assert store.read_bar_table("AAPL")["volume"].type == pa.float64()
    assert store.read_bar_table("AAPL", JAN_1, JAN_1)["volume"].to_pylist() == [2**53 + 1]


def test_a_table_that_breaks_a_law_is_passed_on_and_not_held(nested, cached, monkeypatch):
    numbers = {name: [-1.0] for name in ("open", "high", "low", "close", "volume")}
    none = pa.table({"symbol": ["AAPL"], "date": [JAN_1], **numbers})
    monkeypatch.setattr(Counting, "read_bar_table", lambda *_, **__: none)
    store = cached()
    assert store.read_bar_table("AAPL") is none is store.read_bar_table("AAPL")


def test_a_write_drops_its_series_and_a_table_all(store, nested, bar):
    store.read_bar_table(SYMBOLS)
    store.write_bars("AAPL", [bar(JAN_1, 7.5)])
    assert store.read_bar_table(SYMBOLS, JAN_1, JAN_1)["close"].to_pylist() == [7.5, 1.0, 1.0]
    assert nested.asked[1:] == [["AAPL"]]
    store.write_bar_table(bar_table([bar(JAN_1, 8.5)]))
    assert store.read_bar_table(SYMBOLS, JAN_1, JAN_1)["close"].to_pylist() == [8.5, 1.0, 1.0]
    assert nested.asked[2:] == [list(SYMBOLS)]


def test_a_table_that_was_read_while_bars_were_written_is_not_held(store, nested, bar):
    nested.meanwhile = lambda: store.write_bars("AAPL", [bar(JAN_1, 7.5)])
    assert store.read_bar_table("AAPL", JAN_1, JAN_1)["close"].to_pylist() == [1.0]
    nested.meanwhile = lambda: None
    assert store.read_bar_table("AAPL", JAN_1, JAN_1)["close"].to_pylist() == [7.5]


@pytest.mark.parametrize("method", ["read_bars", "read_bar_table"])
def test_what_was_read_before_a_write_that_ended_meanwhile_is_not_held(store, nested, bar, method):
    begun, go = Event(), Event()
    nested.before_writing = lambda: begun.set() or go.wait(60)
    read = getattr(store, method)
    table = bar_table([bar(JAN_1, 7.5)])
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(store.write_bar_table, table)
        assert begun.wait(60)
        nested.meanwhile = lambda: go.set() or written.result(60)
        before = read("AAPL", JAN_1, JAN_1)
    nested.meanwhile = lambda: None
    expected = getattr(nested, method)("AAPL", JAN_1, JAN_1)
    assert read("AAPL", JAN_1, JAN_1) == expected != before


def test_what_is_held_is_not_joined_with_what_was_written_meanwhile(store, nested, bar):
    store.read_bar_table("MSFT")

    def write():
        nested.meanwhile = lambda: None
        store.write_bar_table(bar_table([bar(JAN_1, 7.5, symbol=each) for each in SYMBOLS]))

    nested.meanwhile = write
    read = store.read_bar_table(SYMBOLS, JAN_1, JAN_1, columns=["close"])
    assert read["close"].to_pylist() == [7.5, 7.5, 7.5]


def test_what_is_held_is_not_joined_with_a_write_that_has_not_ended(store, nested, bar):
    table = bar_table([bar(JAN_1, 7.5, symbol=each) for each in SYMBOLS])
    store.read_bar_table("MSFT")
    begun, go = Event(), Event()
    nested.after_writing = lambda: begun.set() or go.wait(60)
    with ThreadPoolExecutor(1) as pool:

        def write():
            nested.before_reading = lambda: None
            pool.submit(store.write_bar_table, table)
            assert begun.wait(60)

        nested.before_reading = write
        read = store.read_bar_table(SYMBOLS, JAN_1, JAN_1)
        go.set()
    assert read["close"].to_pylist() == [7.5, 7.5, 7.5]


def test_while_a_table_is_written_the_nested_store_answers(store, nested, bar):
    seen = []
    store.read_bar_table(SYMBOLS)

    def look():
        seen.append(store.read_bar_table(SYMBOLS, JAN_1, JAN_1)["close"].to_pylist())
        seen.append([each.close for each in store.read_bars("AAPL", JAN_1, JAN_1)])

    nested.after_writing = look
    store.write_bar_table(bar_table([bar(JAN_1, 7.5, symbol=each) for each in SYMBOLS]))
    assert seen == [[7.5, 7.5, 7.5], [7.5]]


def test_the_series_not_read_for_the_longest_time_goes_first(cached, nested):
    store = cached(rows=62)
    for symbol in ("AAPL", "MSFT", "AAPL", "NVDA", "AAPL", "NVDA"):
        store.read_bar_table(symbol)
    assert nested.asked == [["AAPL"], ["MSFT"], ["NVDA"]]
    store.read_bar_table("MSFT")
    assert len(nested.asked) == 4


def test_a_table_above_the_whole_budget_is_answered_and_not_held(cached, nested):
    store = cached(rows=30)
    for _ in range(2):
        assert len(store.read_bar_table("AAPL")) == 31
    assert len(nested.asked) == 2


def test_a_table_that_is_read_again_counts_once_for_the_budget(cached, nested):
    store = cached(rows=62)
    store.read_bar_table("MSFT")
    for last in range(20, 32):
        store.read_bar_table("AAPL", JAN_1, day(last))
    store.read_bar_table("MSFT")
    assert len(nested.asked) == 13


def test_a_pickled_store_reads_anew_in_another_process(tmp_path, bar):
    with open_store("cached", store={"backend": "file", "base_path": tmp_path}) as store:
        store.write_bars("AAPL", [bar(JAN_1, 7.5)])
        read = store.read_bar_table("AAPL")
        with pickle.loads(pickle.dumps(store)) as other:
            assert same(other.read_bar_table("AAPL"), read)
            assert same(other.read_bar_table("AAPL"), read)


def test_wrong_questions_are_refused_as_by_the_nested_store(store, nested):
    for asked in ({"last": 0}, {"columns": "close"}, {"columns": []}, {"timeframe": ""}):
        for each in (store, nested):
            with pytest.raises(StoreError, match=next(iter(asked))):
                each.read_bar_table("AAPL", **asked)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.read_bar_table("AAPL")


BOUNDS = (
    lambda at: None,
    lambda at: at.date(),
    lambda at: at.isoformat(),
    lambda at: at,
    lambda at: at.replace(tzinfo=UTC),
)
VOLUMES = (1, 0.5, None, 2**53 + 1, 2**63 - 1, 1e19, 2**53, 0, 7)
COLUMNS = (None, None, ["close", "date"], ["volume"], ["symbol", "volume", "open"], ["note"])


def a_question(chance):
    """Return arguments of a read of a table, some of them wrong."""
    first = JAN_1 + timedelta(hours=chance.randrange(12 * 24))
    bound, other = chance.choice(BOUNDS), chance.choice(BOUNDS)
    length = timedelta(hours=chance.choice((0, 5, 24, 99, 300)))
    names = chance.choices((*SYMBOLS, "NONE"), k=chance.randrange(5))
    asked = {"timeframe": chance.choice(("1h", "1d")), "last": chance.choice((None, None, 1, 3))}
    asked["columns"] = chance.choice(COLUMNS)
    return (chance.choice((names, "AAPL")), bound(first), other(first + length)), asked


def a_bar(chance, bar, symbol):
    extra = chance.choice(({}, *[None] * 60))
    at = JAN_1 + timedelta(hours=chance.randrange(12 * 24))
    volume = chance.choice(VOLUMES[: chance.choice((2, 3, len(VOLUMES)))])
    extra = extra if extra is None else {"note": "x"}
    return bar(at, chance.uniform(1, 9), symbol=symbol, volume=volume, extra=extra)


def write_something(chance, bar, store):
    timeframe, symbol = chance.choice(("1h", "1d")), chance.choice(SYMBOLS)
    bars = [a_bar(chance, bar, symbol) for _ in range(chance.randrange(30))]
    kind = chance.randrange(4)
    if kind == 0:
        store.delete_bars(symbol, date.min, date.max, timeframe=timeframe)
    elif kind == 1:
        others = [a_bar(chance, bar, each) for each in SYMBOLS]
        plain = [replace(each, volume=7, extra=None) for each in bars + others]
        store.write_bar_table(bar_table(plain), timeframe=timeframe)
    else:
        store.write_bars(symbol, bars, timeframe=timeframe)


def answer(read, args, asked):
    """Return what a read returns, a table with its schema, or the error."""
    try:
        read = read(*args, **asked)
    except InvalidData as error:
        return str(error)
    if isinstance(read, pa.Table):
        return read.to_pydict(), read.schema, read.schema.metadata
    return read


@pytest.mark.few(6)
@pytest.mark.parametrize("backend", ["memory", "file"])
@pytest.mark.parametrize("seed", range(6))
def test_any_table_and_any_bars_are_those_of_the_nested_store(
    tmp_path, recwarn, bar, backend, seed
):
    options = {"base_path": tmp_path, "durability": "os"} if backend == "file" else {}
    chance = random.Random(seed)
    with open_store(backend, **options) as nested:
        store = CachedStore(nested, chance.choice((2_000, 10**6)))
        for _ in range(120):
            if chance.random() < 0.1:
                write_something(chance, bar, store)
            args, asked = a_question(chance)
            expected = answer(nested.read_bar_table, args, asked)
            assert answer(store.read_bar_table, args, asked) == expected
            bounds, asked = ("AAPL", *args[1:]), {**asked}
            del asked["columns"]
            expected = answer(nested.read_bars, bounds, asked)
            assert answer(store.read_bars, bounds, asked) == expected
