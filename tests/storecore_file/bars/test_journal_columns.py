"""Further columns in the journal: only those that partitions know, whatever others do meanwhile."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import random
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.errors import InvalidData, StorageError
from storecore_file import FileDataStore
from storecore_file.bars.journal import Journal
from storecore_file.bars.locked_series import LockedSeries
from storecore_file.fs.disk import Disk
from storecore_file.fs.seal import sealed

DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT", "XOM"]


def table(day=0, symbols=SYMBOLS, volume=7.0, **columns):
    """A batch of one bar a symbol; a column is one value for all, or a list."""
    count = len(symbols)
    given = {"volume": volume, **columns}
    rows = {"symbol": symbols, "date": [DAY + timedelta(day)] * count}
    rows |= {name: [1.0] * count for name in ("open", "high", "low", "close")}
    rows |= {
        name: each if isinstance(each, list) else [each] * count for name, each in given.items()
    }
    return pa.table(rows)


def bar(day=0, symbol="AAPL", **extra):
    return PriceBar(symbol, DAY + timedelta(day), 1.0, 1.0, 1.0, 1.0, 7, extra or None)


def column(store, name, symbol="AAPL"):
    return store.read_bar_table([symbol], *ALWAYS, columns=[name])[name].to_pylist()


@pytest.fixture
def lines(base):
    """Return the lines of the journal."""

    def read():
        paths = sorted((base / "prices" / ".journal").glob("*.jsonl"))
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    return read


@pytest.fixture
def number(base):
    return lambda: json.loads((base / ".storecore").read_text())["format"]


@pytest.fixture
def other(base):
    """Another process that has the store open, as far as files are concerned."""
    with FileDataStore(base) as opened:
        yield opened


def test_the_first_bars_with_a_column_go_into_partitions_and_later_ones_into_a_line(
    store, base, lines, number
):
    store.write_bar_table(table(vwap=1.5))
    assert len([*(base / "prices").rglob("*.parquet")]) == 3
    assert (lines(), number()) == ([], 2)
    store.write_bar_table(table(1, vwap=[2.5, None, 3.5]))
    (line,) = lines()
    assert line["columns"] == {"vwap": ["float64", [2.5, None, 3.5]]}
    assert number() == 3
    assert column(store, "vwap") == [1.5, 2.5]
    assert column(store, "vwap", "MSFT") == [1.5, None]


def test_a_line_of_seven_columns_is_as_it_was_and_the_format_stays(store, lines, number):
    store.write_bar_table(table())
    assert [*lines()[0]] == [
        *("timeframe", "symbol", "date", "open", "high", "low", "close", "volume"),
        *("after", "recorded", "n", "crc32"),
    ]
    assert number() == 2


def test_a_line_of_volumes_that_no_float_equals_stays_as_it_was(store, lines, number):
    store.write_bar_table(table(volume=2**53 + 1))
    assert (lines()[0]["volume"], number()) == ([2**53 + 1] * 3, 2)


def test_a_line_keeps_every_value(store, lines):
    values = {
        "f": [float("nan"), float("-inf"), -0.0],
        "i": [-(2**63), 2**63 - 1, None],
        "b": [True, None, False],
        "s": ['q"\n', "", "é"],
        "t": pa.array([0, None, -1], pa.timestamp("us", "UTC")),
        "volume": [None, 2**53 + 1, 0],
    }
    values["t"] = values["t"].to_pylist()
    store.write_bar_table(table(**values))
    direct = store.read_bar_table(SYMBOLS, *ALWAYS)
    store.write_bar_table(table(1, **values))
    assert len(lines()) == 1
    for when in ("in the journal", "flushed"):
        journaled = store.read_bar_table(SYMBOLS, DAY + timedelta(1), ALWAYS[1])
        for name in values:
            assert list(map(repr, journaled[name].to_pylist())) == (
                list(map(repr, direct[name].to_pylist()))
            ), (when, name)
        store.compact()


def test_volumes_that_were_not_reported_are_journaled(store, lines, number):
    store.write_bar_table(table(volume=[None, 1, 2]))
    assert lines()[0]["volumes"] == [None, 1, 2]
    assert number() == 3
    assert column(store, "volume") == [None]


def test_an_earlier_release_refuses_a_line_that_it_would_drop_values_of(store, lines):
    class Batch(msgspec.Struct):  # as release 0.1.0-b has it
        timeframe: str
        symbol: list[str]
        date: list[int]
        open: list[float]
        high: list[float]
        low: list[float]
        close: list[float]
        volume: list[int | float]
        after: str | None = None
        n: int = 0

    store.write_bar_table(table(vwap=1.5))
    for batch in (table(1, vwap=1.5), table(2, volume=[1, None, 2])):
        store.write_bar_table(batch)
    for line in lines():
        with pytest.raises(msgspec.ValidationError, match="volume"):
            msgspec.convert(line, Batch)


def test_a_kind_of_a_later_release_is_refused_by_name(base, store):
    line = {"timeframe": "1d", "symbol": ["A"], "date": [0], "volumes": [1]}
    line |= {name: [1.0] for name in ("open", "high", "low", "close")}
    line |= {"columns": {"x": ["decimal", ["1.5"]]}, "after": "", "n": 1}
    folder = base / "prices" / ".journal"
    folder.mkdir()
    path = folder / "1764104110123456-0123456789abcdef.jsonl"
    path.write_bytes(sealed(msgspec.json.encode(line)))
    with pytest.raises(StorageError, match="newer storecore: line 1 has columns of the kinds dec"):
        store.read_bars("A", *ALWAYS)


def test_numbers_are_brought_to_the_kind_of_the_series_and_stay_one_line(store, lines):
    store.write_bar_table(table(trades=1.5))
    store.write_bar_table(table(1, trades=3))
    assert lines()[0]["columns"] == {"trades": ["float64", [3.0, 3.0, 3.0]]}
    store.write_bar_table(table(2, trades=2.5))
    assert [line["n"] for line in lines()] == [1, 2]


def test_series_of_another_kind_than_most_are_written_directly(store, lines):
    store.write_bar_table(table(symbols=["AAPL", "MSFT"], trades=1))
    store.write_bar_table(table(symbols=["XOM"], trades=1.5))
    store.write_bar_table(table(1, trades=2))
    (line,) = lines()
    assert (line["symbol"], line["columns"]) == (["AAPL", "MSFT"], {"trades": ["int64", [2, 2]]})
    assert column(store, "trades", "XOM") == [1.5, 2.0]


def test_whole_numbers_that_would_become_floats_are_written_directly(store, lines):
    store.write_bar_table(table(trades=1))
    store.write_bar_table(table(1, trades=2))
    store.write_bar_table(table(2, trades=2.5))
    assert len(lines()) == 1
    assert column(store, "trades") == [1.0, 2.0, 2.5]


def test_numbers_that_no_float_equals_are_refused_in_a_batch(store):
    store.write_bar_table(table(trades=1.5))
    with pytest.raises(InvalidData, match="trades"):
        store.write_bar_table(table(1, trades=2**53 + 1))
    assert column(store, "trades") == [1.5]


# Others that write meanwhile.


def test_d4_kinds_that_another_process_has_changed_are_looked_at_again(store, other, lines):
    store.write_bar_table(table(x=1))
    store.write_bar_table(table(1, x=2))
    for symbol in SYMBOLS:
        other.delete_bars(symbol, *ALWAYS)
    other.write_bar_table(table(2, x="text"))
    with pytest.raises(InvalidData, match="x"):
        store.write_bar_table(table(3, x=3))
    store.write_bar_table(table(4, x="more"))
    assert lines()[-1]["columns"]["x"] == ["string", ["more"] * 3]
    assert column(store, "x") == ["text", "more"]
    store.compact()
    assert store.verify().ok


def test_a_series_that_was_deleted_whole_takes_whole_numbers_as_such_again(store):
    store.write_bar_table(table(x=1.5))
    store.write_bar_table(table(1, x=2.5))
    store.delete_bars("AAPL", *ALWAYS)
    store.write_bar_table(table(2, x=3))
    kinds = [store.read_bar_table(each, *ALWAYS)["x"].type for each in SYMBOLS]
    assert kinds == [pa.int64(), pa.float64(), pa.float64()]


def test_d4_a_series_that_was_deleted_meanwhile_takes_what_is_given(store, other):
    store.write_bar_table(table(x=1))
    store.write_bar_table(table(1, x=2))
    other.delete_bars("AAPL", *ALWAYS)
    store.write_bar_table(table(2, x=3))
    assert column(other, "x") == [3]
    with pytest.raises(InvalidData, match="x"):
        other.write_bars("AAPL", [bar(3, x="text")])
    store.compact()
    assert column(other, "x") == [3]


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something once, right before a method of a class is called."""

    def patch(owner, name, work):
        method = getattr(owner, name)

        def called(self, *given, **more):
            monkeypatch.setattr(owner, name, method)
            work()
            return method(self, *given, **more)

        monkeypatch.setattr(owner, name, called)

    return patch


def test_d4_a_kind_that_changes_right_before_an_append_is_seen(store, other, meanwhile, lines):
    store.write_bar_table(table(x=1))
    meanwhile(Journal, "append", lambda: other.write_bar_table(table(1, x=1.5)))
    store.write_bar_table(table(2, x=3))
    (line,) = lines()
    assert line["columns"]["x"] == ["float64", [3.0] * 3]
    assert column(store, "x") == [1.0, 1.5, 3.0]


def test_d4_a_column_of_others_that_comes_right_before_an_append_is_no_hindrance(
    store, other, meanwhile, lines
):
    store.write_bar_table(table(x=1))
    meanwhile(Journal, "append", lambda: other.write_bars("OTHER", [bar(1, "OTHER", y=1.5)]))
    store.write_bar_table(table(2, x=3))
    assert lines()[0]["columns"]["x"] == ["int64", [3] * 3]


@pytest.mark.parametrize("symbols", [["AAPL"], SYMBOLS], ids=["one series", "several"])
def test_d4_a_row_that_is_journaled_right_before_a_kind_changes_is_counted(
    store, other, meanwhile, symbols
):
    store.write_bar_table(table(x=1))
    large = 2**53 + 1
    meanwhile(LockedSeries, "exchange", lambda: other.write_bar_table(table(1, x=large)))
    with pytest.raises(InvalidData, match=f"x.*{large}"):
        store.write_bar_table(table(2, symbols, x=2.5))
    assert column(store, "x") == [1, large]
    meanwhile(
        LockedSeries, "exchange", lambda: other.write_bar_table(table(3, ["MSFT", "XOM"], x=4))
    )
    store.write_bars("MSFT", [bar(4, "MSFT", y="text")])
    assert column(store, "x", "MSFT") == [1, large, 4, None]
    assert store.verify().ok
    assert list((Path(store.base_path) / "prices").rglob(".*.tmp")) == []
    assert list((Path(store.base_path) / "prices").rglob(".*.rollback")) == []


@pytest.mark.parametrize("symbols", [["AAPL"], SYMBOLS], ids=["one series", "several"])
def test_d4_a_row_that_is_journaled_right_before_and_fits_is_counted_too(
    store, other, meanwhile, symbols
):
    store.write_bar_table(table(x=1))
    meanwhile(LockedSeries, "exchange", lambda: other.write_bar_table(table(1, x=3)))
    store.write_bar_table(table(2, symbols, x=2.5))
    assert column(store, "x") == [1.0, 3.0, 2.5]


def test_d2_kinds_of_a_failed_write_do_not_stay(store, monkeypatch):
    store.write_bar_table(table())
    exchange, failed = Disk.exchange, []

    def fail_for(self, staged, gone):
        staged = list(staged)
        if any("XOM" in str(each.path) for each in staged):
            failed.append(staged)
            raise StorageError("no room")
        exchange(self, staged, gone)

    monkeypatch.setattr(Disk, "exchange", fail_for)
    with pytest.raises(StorageError, match="no room"):
        store.write_bar_table(table(1, x="text"))
    monkeypatch.undo()
    assert failed
    store.write_bar_table(table(1, x=1.5))
    assert column(store, "x") == [None, 1.5]


def test_d4_bars_of_a_failed_write_are_taken_back_beside_those_of_others(store, other, monkeypatch):
    store.write_bar_table(table(x=1.5))
    exchange = Disk.exchange

    def fail_for(self, staged, gone):
        staged = list(staged)
        if any("XOM" in str(each.path) for each in staged):
            monkeypatch.undo()
            other.write_bars("AAPL", [bar(1, x=float("nan"))])
            raise StorageError("no room")
        exchange(self, staged, gone)

    monkeypatch.setattr("storecore_file.bars.collection.WRITERS", 1)
    monkeypatch.setattr(Disk, "exchange", fail_for)
    with pytest.raises(StorageError, match="no room"):
        store.write_bar_table(table(2, x=float("nan"), y=1))
    assert list(map(repr, column(store, "x"))) == ["1.5", "nan"]


# A journal of another state of the store (law D6).


def test_d6_rows_of_another_kind_than_partitions_have_by_now_can_be_flushed(base, lines):
    with FileDataStore(base) as store:
        store.write_bar_table(table(x=1))
    kept = {path: path.read_bytes() for path in (base / "prices").rglob("*.parquet")}
    with FileDataStore(base) as store:
        for symbol in SYMBOLS:
            store.delete_bars(symbol, *ALWAYS)
        store.write_bar_table(table(x="text"))
        store.write_bar_table(table(1, x="more"))
        for path, content in kept.items():  # as a restore over a live folder may lay them
            path.write_bytes(content)
        assert column(store, "x") == ["1", "more"]
        findings = store.verify().findings
        assert [each.kind for each in findings] == ["diverged"] * 3
        assert "columns: 'x' is int64 and string" in findings[0].detail
        store.compact()
        assert column(store, "x") == ["1", "more"]
        assert lines() == []
        store.write_bar_table(table(2, x="text"))
        assert column(store, "x") == ["1", "more", "text"]


# Several processes.

NAMES = "abcdefgh"
LARGE = 2**53 + 1


def write_much(base, seed, seconds, results):
    """Write batches and single series with random columns; report what was acknowledged."""
    chosen, acknowledged = random.Random(seed), []
    until = time.monotonic() + seconds
    with FileDataStore(base, durability="os") as store:
        for day in itertools.count(1_000 * seed):
            if time.monotonic() > until:
                break
            name, value = chosen.choice(NAMES), chosen.choice([1, 7, 7, 7, 2.5, LARGE])
            with suppress(InvalidData):
                if chosen.random() < 0.7:
                    store.write_bar_table(table(day, **{name: value}))
                else:
                    for symbol in SYMBOLS:
                        store.write_bars(symbol, [bar(day, symbol, **{name: value})])
                acknowledged.append((day, name, value))
            if chosen.random() < 0.05:
                store.compact()
    results.put(acknowledged)


@pytest.mark.soak
def test_d4_processes_that_change_kinds_at_once_lose_nothing(base):
    FileDataStore(base).close()
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    writers = [fork.Process(target=write_much, args=(base, seed, 20, results)) for seed in range(3)]
    for each in writers:
        each.start()
    acknowledged = [one for _ in writers for one in results.get(timeout=120)]
    for each in writers:
        each.join()
    assert len(acknowledged) > 50
    with FileDataStore(base) as store:
        assert store.verify().findings == ()
        for symbol in SYMBOLS:
            found = {each.date: each.extra for each in store.read_bars(symbol, *ALWAYS)}
            expected = {DAY + timedelta(day): {name: value} for day, name, value in acknowledged}
            assert {date: found.get(date) for date in expected} == expected
