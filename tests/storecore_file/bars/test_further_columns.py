"""Law B6 in files: further columns, and volumes that were not reported."""

from __future__ import annotations

import math
import random
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore import PriceBar
from storecore.bars.extra_values import FIELDS
from storecore.bars.rows import bar_columns
from storecore.bars.table import series_table
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import CorruptData, InvalidData
from storecore_file import FileDataStore
from storecore_file.bars import kinds, series, stream
from storecore_file.bars.layout import MARK
from storecore_file.bars.partition import PartitionFile
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT", "BRK/B"]
VALUES = {
    "vwap": [0.1, -0.0, float("inf"), 2.5],
    "trades": [1, 2**53 + 1, -(2**63)],
    "halted": [True, False],
    "venue": ["XNAS", "", "é" * 40, "a\nb"],
    "settled": [DAY, datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)],
    "exact_volume": [1.5],
    "mixed": [3, 7, 2.5],  # whole numbers that become floats
    "a.b": ["x"],
}


def some_bar(chosen, symbol, day):
    extra = {
        name: chosen.choice(values)
        for name, values in VALUES.items()
        if chosen.random() < 0.4 and name != "mixed"
    }
    volume = chosen.choice([7, 0.5, None])
    date = DAY + timedelta(day)
    return PriceBar(symbol, date, 1.0, 2.0, 0.5, chosen.random(), volume, extra or None)


def table_of(bars):
    """Return bars as a table, with the columns that one of them has."""
    seven = PriceBar.__struct_fields__[:-1]
    columns = {name: [getattr(bar, name) for bar in bars] for name in seven}
    if float in map(type, columns["volume"]):
        columns["volume"] = [None if each is None else float(each) for each in columns["volume"]]
    names = sorted({name for bar in bars for name in bar.extra or ()})
    for name in names:
        values = [(bar.extra or {}).get(name) for bar in bars]
        moment = pa.timestamp("us", "UTC") if name == "settled" else None
        columns[name] = pa.array(values, moment)
    return pa.table(columns)


def some_step(chosen):
    """Return a random change of a store."""
    symbol, first = chosen.choice(SYMBOLS), chosen.randrange(80)
    kinds = ["write", "write", "table", "table", "table", "widen", "delete", "all", "compact"]
    kind = chosen.choice([*kinds, "replace"])
    if kind == "write":
        bars = [some_bar(chosen, symbol, first + each) for each in range(chosen.randrange(1, 12))]
        return lambda store: store.write_bars(symbol, bars)
    if kind == "table":
        count = chosen.randrange(1, 3)
        bars = [some_bar(chosen, each, first + day) for each in SYMBOLS for day in range(count)]
        return lambda store: store.write_bar_table(table_of(bars))
    if kind == "widen":
        value = chosen.choice(VALUES["mixed"])
        bars = [
            PriceBar(each, DAY + timedelta(first), 1.0, 1.0, 1.0, 1.0, 1, {"mixed": value})
            for each in SYMBOLS
        ]
        return lambda store: store.write_bar_table(table_of(bars))
    if kind == "replace":
        bars = [some_bar(chosen, each, first + day) for each in SYMBOLS[:2] for day in range(9)]
        return lambda store: store.write_bar_table(table_of(bars), replace=True)
    if kind == "compact":
        return lambda store: getattr(store, "compact", bool)()
    last = first + 200 if kind == "all" else first + chosen.randrange(20)
    start = 0 if kind == "all" else first
    return lambda store: store.delete_bars(symbol, DAY + timedelta(start), DAY + timedelta(last))


def asked(store, chosen):
    """Return what a store answers, or the kind of its error."""
    first = chosen.randrange(80)
    span = DAY + timedelta(first), DAY + timedelta(first + chosen.randrange(30))
    columns = chosen.choice([None, ["close", "vwap"], ["mixed", "date"], ["volume", "trades"]])
    try:
        table = store.read_bar_table(SYMBOLS, *span, columns=columns)
        whole = store.read_bar_table(SYMBOLS, *ALWAYS)
    except InvalidData:
        return InvalidData
    return table, whole, [store.read_bars(each, *ALWAYS) for each in SYMBOLS]


def check_streams(store):
    """Check that windows are the rows of the whole table, and have the same further columns."""
    windows = list(store.iter_bar_tables(SYMBOLS, *ALWAYS, max_bytes=20 * stream.ROW_BYTES))
    whole = store.read_bar_table(SYMBOLS, *ALWAYS).sort_by(
        [("date", "ascending"), ("symbol", "ascending")]
    )
    for each in windows:
        assert [(field.name, field.type) for field in each.schema if field.name != "volume"] == [
            (field.name, field.type) for field in whole.schema if field.name != "volume"
        ]
    rows = [row for each in windows for row in each.to_pylist()]
    assert rows == whole.to_pylist()


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 30))]
)
def test_b6_files_answer_as_memory_does(base, small, seed):
    chosen = random.Random(seed)
    memory, store = MemoryDataStore(), FileDataStore(base, durability="os")
    for number in range(40):
        step = some_step(chosen)
        for each in (memory, store):
            step(each)
        question = chosen.getrandbits(32)
        expected, found = (asked(each, random.Random(question)) for each in (memory, store))
        assert found == expected, number
        if number % 10 == 9:
            check_streams(store)
            assert not store.verify().findings
            store.close()
            store = FileDataStore(base, durability="os")


# In partitions.


def bar(day=0, symbol="AAPL", volume=7, **extra):
    return PriceBar(symbol, DAY + timedelta(day), 1.0, 2.0, 0.5, 1.5, volume, extra or None)


def partitions(base, symbol="AAPL"):
    return sorted((base / "prices" / symbol).glob("*.parquet"))


def metadata_of(path):
    with Disk("os").opened(path) as file:
        return PartitionFile(file).metadata


def column(store, name, symbol="AAPL", span=ALWAYS):
    return store.read_bar_table([symbol], *span, columns=[name])[name]


def test_further_columns_follow_the_seven_sorted_and_nullable(store, base):
    store.write_bars("AAPL", [bar(vwap=1.5, halted=True, trades=3), bar(1)])
    (path,) = partitions(base)
    schema = pq.read_schema(path)
    assert [*schema.names] == [*FIELDS, "halted", "trades", "vwap"]
    assert [field.nullable for field in schema] == [False] * 7 + [True] * 3
    note = metadata_of(path)
    assert note.version == 4
    assert note.columns == {"halted": "bool", "trades": "int64", "vwap": "float64"}


def test_a_null_volume_makes_only_its_partition_nullable(store, base):
    store.write_bars("AAPL", [bar(volume=None), bar(1)])
    store.write_bars("MSFT", [bar(symbol="MSFT")])
    (nulls,), (plain,) = partitions(base), partitions(base, "MSFT")
    assert pq.read_schema(nulls).field("volume").nullable
    assert not pq.read_schema(plain).field("volume").nullable
    assert [(metadata_of(each).version, metadata_of(each).columns) for each in (nulls, plain)] == [
        (4, None),
        (3, None),
    ]
    assert [each.volume for each in store.read_bars("AAPL", *ALWAYS)] == [None, 7]
    store.write_bars("AAPL", [bar()])
    assert not pq.read_schema(nulls).field("volume").nullable


def test_a_series_without_further_columns_has_no_mark_and_counts_nothing(store, base):
    store.write_bars("AAPL", [bar()])
    store.write_bars("AAPL", [bar(40)])
    store.delete_bars("AAPL", *ALWAYS)
    assert not (base / "prices" / ".journal").exists()
    assert [path.name for path in (base / "prices" / "AAPL").iterdir()] == [".lock"]


def test_an_upsert_replaces_the_whole_bar(store):
    store.write_bars("AAPL", [bar(vwap=1.5, trades=3), bar(1, vwap=2.5)])
    store.write_bars("AAPL", [bar(trades=4)])
    store.write_bars("AAPL", [bar(1)])
    assert [each.extra for each in store.read_bars("AAPL", *ALWAYS)] == [{"trades": 4}, None]
    assert column(store, "vwap").to_pylist() == [None, None]


def test_nan_is_kept_apart_from_null(store):
    store.write_bars("AAPL", [bar(vwap=float("nan")), bar(1)])
    first, second = column(store, "vwap").to_pylist()
    assert math.isnan(first)
    assert second is None


def test_a_column_that_no_partition_of_the_range_has_is_null_there(store, base):
    store.write_bars("AAPL", [bar()])
    store.write_bars("AAPL", [bar(40)])
    store.write_bars("AAPL", [bar(80, vwap=1.5, venue="XNAS")])
    assert [metadata_of(each).version for each in partitions(base)] == [5, 4]
    first = DAY, DAY + timedelta(10)
    assert column(store, "vwap", span=first).to_pylist() == [None]
    assert store.read_bar_table("AAPL", *first).column_names == [*FIELDS, "venue", "vwap"]
    nothing = DAY - timedelta(9), DAY - timedelta(8)
    assert store.read_bar_table("AAPL", *nothing).column_names == [*FIELDS, "venue", "vwap"]


@pytest.mark.parametrize("keywords", [{}, {"last": 1}], ids=["range", "newest"])
def test_b6_whole_numbers_are_floats_once_the_column_has_become_so_elsewhere(store, keywords):
    store.write_bars("AAPL", [bar(trades=5, lots=7)])
    store.write_bars("AAPL", [bar(40)])
    store.write_bars("AAPL", [bar(80, trades=0.5)])
    (found,) = store.read_bars("AAPL", DAY, DAY + timedelta(10), **keywords)
    assert {name: type(each) for name, each in found.extra.items()} == {
        "lots": int,
        "trades": float,
    }


def test_a_window_has_no_column_of_whole_numbers_that_was_not_asked_for(store):
    store.write_bars("AAPL", [bar(lots=7, trades=5)])
    windows = store.iter_bar_tables("AAPL", *ALWAYS, columns=["close", "trades"])
    assert [each.column_names for each in windows] == [["close", "trades"]]


@pytest.fixture
def unmarked(store, base):
    """A series whose partitions were copied without their mark."""
    store.write_bars("AAPL", [bar(vwap=1.5)])
    store.write_bars("AAPL", [bar(40)])
    store.write_bars("AAPL", [bar(80, vwap=2.5)])
    store.write_bars("AAPL", [bar(120)])
    store.compact()
    store.write_bars("AAPL", [bar(160)])
    mark = base / "prices" / "AAPL" / MARK
    mark.unlink()
    return mark


def test_a_column_is_found_by_name_although_the_mark_is_missing(store, unmarked):
    span = DAY + timedelta(155), DAY + timedelta(170)
    assert column(store, "vwap", span=span).to_pylist() == [None]
    assert store.read_bar_table(["AAPL"], columns=["vwap"], last=1).to_pylist() == [{"vwap": None}]
    with pytest.raises(InvalidData, match="unknown column 'other'"):
        column(store, "other", span=span)


def test_a_missing_mark_is_noted_and_made_again_by_a_compaction(store, unmarked):
    report = store.verify()
    assert report.ok
    assert [(each.kind, each.place) for each in report.notes] == [("unmarked", str(unmarked))]
    store.compact()
    assert unmarked.read_bytes() == b""
    assert store.verify().notes == ()


@pytest.mark.parametrize("written", [bar(), bar(160, vwap=3.5)], ids=["over it", "with columns"])
def test_a_missing_mark_is_made_again_by_a_write(store, unmarked, written):
    store.write_bars("AAPL", [written])
    assert unmarked.exists()
    first = DAY + timedelta(155), DAY + timedelta(170)
    assert store.read_bar_table(["AAPL"], *first).column_names == [*FIELDS, "vwap"]


def test_d5_a_damaged_partition_hides_no_column_and_refuses_no_other_range(store, base):
    store.write_bars("AAPL", [bar(vwap=1.5)])
    for day in (40, 80):
        store.write_bars("AAPL", [bar(day, vwap=2.5, trades=3)])
    path = next(each for each in partitions(base) if "01" in each.name)
    path.write_bytes(b"damaged")
    series._kinds_kept.clear()
    later = DAY + timedelta(75), DAY + timedelta(90)
    assert column(store, "vwap", span=later).to_pylist() == [2.5]
    assert store.read_bar_table("AAPL", *later).column_names == [*FIELDS, "trades", "vwap"]
    with pytest.raises(CorruptData, match="2026-01"):
        column(store, "other", span=later)
    with pytest.raises(CorruptData, match="2026-01"):
        store.write_bars("AAPL", [bar(90, other=1)])
    store.write_bars("AAPL", [bar(90)])


def test_the_kinds_that_are_kept_in_memory_are_bounded(store, monkeypatch):
    monkeypatch.setattr(series, "_MOST_KINDS", 1)
    for symbol in SYMBOLS:
        store.write_bars(symbol, [bar(0, symbol, vwap=1.5)])
        assert column(store, "vwap", symbol).to_pylist() == [1.5]
        assert len(series._kinds_kept) == 1


def test_a_mark_that_is_lost_is_made_again_and_hides_nothing_meanwhile(store, base):
    store.write_bars("AAPL", [bar(vwap=1.5)])
    mark = base / "prices" / "AAPL" / MARK
    mark.unlink()
    assert column(store, "vwap").to_pylist() == [1.5]
    assert store.read_bar_table("AAPL", *ALWAYS).column_names == [*FIELDS, "vwap"]
    assert next(iter(store.iter_bar_tables(["AAPL"], *ALWAYS))).column_names == [*FIELDS, "vwap"]
    store.write_bars("AAPL", [bar(1, vwap=2.5)])
    assert mark.read_bytes() == b""
    assert store.verify().notes == ()


def test_whole_numbers_become_floats_without_a_rewrite_of_older_partitions(store, base):
    store.write_bars("AAPL", [bar(trades=3)])
    store.write_bars("AAPL", [bar(40, trades=5)])
    before = partitions(base)[0].read_bytes()
    store.write_bars("AAPL", [bar(40, trades=2.5)])
    assert partitions(base)[0].read_bytes() == before
    assert [metadata_of(each).columns["trades"] for each in partitions(base)] == [
        "int64",
        "float64",
    ]
    january = DAY, DAY + timedelta(20)
    assert column(store, "trades").to_pylist() == [3.0, 2.5]
    assert column(store, "trades", span=january).type == pa.float64()
    store.write_bars("AAPL", [bar(80, trades=7)])
    store.compact()
    assert column(store, "trades").to_pylist() == [3.0, 2.5, 7.0]


@pytest.mark.parametrize("journaled", [False, True])
def test_whole_numbers_that_no_float_equals_stay_whole(store, journaled):
    store.write_bars("AAPL", [bar(trades=1)])
    store.write_bars("MSFT", [bar(symbol="MSFT", trades=1)])
    large = [bar(1, trades=2**53 + 1), bar(1, symbol="MSFT", trades=2)]
    if journaled:
        store.write_bar_table(table_of(large))
    else:
        store.write_bars("AAPL", large[:1])
    before = store.read_bars("AAPL", *ALWAYS)
    with pytest.raises(InvalidData, match=r"bars\[0\].*trades.*2\.5.*9007199254740993"):
        store.write_bars("AAPL", [bar(2, trades=2.5)])
    assert store.read_bars("AAPL", *ALWAYS) == before
    store.write_bars("MSFT", [bar(2, symbol="MSFT", trades=2.5)])
    assert column(store, "trades", "MSFT").type == pa.float64()


def test_b2_a_misfit_in_one_series_changes_none_of_a_batch(store):
    store.write_bars("AAPL", [bar(venue="XNAS")])
    store.write_bars("MSFT", [bar(symbol="MSFT", venue=7)])
    held = {each: store.read_bars(each, *ALWAYS) for each in ("AAPL", "MSFT")}
    for days in (1, 40):
        bars = [bar(1 + day, each, venue="XNYS") for each in held for day in range(days)]
        with pytest.raises(InvalidData, match="venue"):
            store.write_bar_table(table_of(bars))
        assert {each: store.read_bars(each, *ALWAYS) for each in held} == held


def test_a_column_keeps_its_kind_until_the_series_is_deleted_whole(store):
    for days in ([0, 40], [40, 0]):
        store.write_bars("AAPL", [bar(days[0])])
        store.write_bars("AAPL", [bar(80), bar(81)])
        store.write_bars("AAPL", [bar(days[1], vwap=1.5)])
        gone = DAY + timedelta(days[1])
        assert store.delete_bars("AAPL", gone, gone) == 1
        assert column(store, "vwap").to_pylist() == [None] * 3
        with pytest.raises(InvalidData, match="vwap"):
            store.write_bars("AAPL", [bar(1, vwap="text")])
        store.delete_bars("AAPL", *ALWAYS)
        assert store.read_bar_table("AAPL", *ALWAYS).column_names == [*FIELDS]
    store.write_bars("AAPL", [bar(1, vwap="text")])
    assert column(store, "vwap").to_pylist() == ["text"]


@pytest.mark.parametrize("day", [0, 40, 80])
def test_a_partition_that_stays_keeps_the_columns_of_one_that_is_removed(store, small, day):
    for each in (0, 40, 80):
        store.write_bars("AAPL", [bar(each + more) for more in range(6)])
    store.write_bars("AAPL", [bar(day, vwap=1.5), bar(day + 1, trades=3)])
    assert store.delete_bars("AAPL", DAY + timedelta(day), DAY + timedelta(day + 9)) == 6
    assert column(store, "vwap").to_pylist() == [None] * 12
    with pytest.raises(InvalidData, match="trades"):
        store.write_bars("AAPL", [bar(1, trades="text")])
    assert store.verify().findings == ()


def test_a_stream_has_windows_of_as_many_bytes_with_further_columns(store):
    for symbol in ("AAPL", "MSFT"):
        extra = {f"x{each}": 1.0 for each in range(12)} if symbol == "MSFT" else {}
        store.write_bars(symbol, [bar(day, symbol, **extra) for day in range(100)])
    store.write_bars("TEXT", [bar(day, "TEXT", note="x" * 5_000) for day in range(100)])
    counts = {
        symbol: len([*store.iter_bar_tables([symbol], *ALWAYS, max_bytes=50 * stream.ROW_BYTES)])
        for symbol in ("AAPL", "MSFT", "TEXT")
    }
    assert counts["MSFT"] >= 2 * counts["AAPL"]
    assert counts["TEXT"] >= 10 * counts["AAPL"]


def test_b4_a_stream_keeps_the_columns_and_kinds_of_its_beginning(store):
    store.write_bars("AAPL", [bar(day, trades=1) for day in range(100)])
    windows = store.iter_bar_tables(["AAPL"], *ALWAYS, max_bytes=50 * stream.ROW_BYTES)
    first = next(windows)
    store.write_bars("AAPL", [bar(98, vwap=1.5, trades=4)])
    second = next(windows)
    assert second.column_names == first.column_names
    store.write_bars("AAPL", [bar(99, trades=2.5)])
    with pytest.raises(InvalidData, match=r"trades.*: expected int64, its type so far"):
        list(windows)


def test_a_column_of_floats_stays_one_when_its_fractions_are_deleted(store):
    store.write_bars("AAPL", [bar(trades=1), bar(1, trades=2)])
    store.write_bars("AAPL", [bar(40, trades=2.5), bar(80)])
    store.delete_bars("AAPL", DAY + timedelta(30), DAY + timedelta(50))
    assert column(store, "trades").type == pa.float64()
    with pytest.raises(InvalidData, match="trades"):
        store.write_bars("AAPL", [bar(2, trades=2**53 + 1)])


def test_a_deletion_within_a_partition_keeps_its_columns(store, base):
    store.write_bars("AAPL", [bar(vwap=1.5), bar(1), bar(2)])
    store.delete_bars("AAPL", DAY, DAY)
    assert metadata_of(partitions(base)[0]).columns == {"vwap": "float64"}


def test_few_columns_of_a_large_partition_are_read_without_the_rest(base, monkeypatch):
    store = FileDataStore(base, cache_bytes=0)
    rows = 30_000
    chosen = random.Random(1)
    numbers = [chosen.random() for _ in range(rows)]
    minutes = [DAY + timedelta(minutes=each) for each in range(rows)]
    plain = {"symbol": ["AAPL"] * rows, "date": minutes, "volume": numbers}
    plain |= dict.fromkeys(("open", "high", "low", "close"), numbers)
    store.write_bar_table(pa.table(plain), timeframe="1m")
    wide = plain | {f"x{each}": numbers for each in range(5)}
    store.write_bar_table(pa.table(wide), timeframe="wide")
    read, fill = [], OpenFile.fill

    def counted(self, view, start):
        read.append(len(view))
        fill(self, view, start)

    monkeypatch.setattr(OpenFile, "fill", counted)

    def bytes_of(timeframe, columns):
        read.clear()
        store.read_bar_table("AAPL", *ALWAYS, timeframe=timeframe, columns=columns)
        return sum(read)

    few = ["date", "close"]
    assert bytes_of("wide", few) < 1.3 * bytes_of("1m", few)
    assert bytes_of("wide", ["date", "x3"]) < 1.3 * bytes_of("1m", few)
    sizes = {each: store.bar_footprint("AAPL", timeframe=each).bytes for each in ("1m", "wide")}
    assert sizes["wide"] < (10 / 5 + 0.05) * sizes["1m"]  # of random numbers: dates take nothing


# Partitions of another state of the store (law D6).


@pytest.fixture
def diverged(base):
    """A store in which a column is text in one partition and a number in the next."""
    for name, value in (("one", "text"), ("other", 2**53 + 1)):
        with FileDataStore(base.with_name(name)) as store:
            store.write_bars("AAPL", [bar(0 if name == "one" else 40, x=value, y=DAY, z=True)])
    shutil.copytree(base.with_name("one"), base)
    (path,) = partitions(base.with_name("other"))
    shutil.copy(path, base / "prices" / "AAPL")
    return base


def test_d6_a_column_of_two_kinds_is_read_as_text_and_reported(diverged):
    with FileDataStore(diverged) as store:
        assert column(store, "x").to_pylist() == ["text", "9007199254740993"]
        assert column(store, "y").to_pylist() == [DAY, DAY]
        (finding,) = store.verify().findings
        assert (finding.kind, finding.place) == ("diverged", str(diverged / "prices" / "AAPL"))
        assert "'x'" in finding.detail
        store.write_bars("AAPL", [bar(80, x="more")])
        store.write_bars("AAPL", [bar(120)])
        assert column(store, "x").to_pylist() == ["text", "9007199254740993", "more", None]
        store.compact()
        assert column(store, "x").to_pylist() == ["text", "9007199254740993", "more", None]
        assert store.verify().ok


def test_d6_whole_numbers_and_floats_that_do_not_agree_are_read_as_text(diverged):
    shutil.rmtree(diverged.with_name("one"))
    with FileDataStore(diverged.with_name("one")) as store:
        store.write_bars("AAPL", [bar(0, x=1.5, y="text")])
    shutil.copy(partitions(diverged.with_name("one"))[0], diverged / "prices" / "AAPL")
    with FileDataStore(diverged) as store:
        assert column(store, "x").to_pylist() == ["1.5", "9007199254740993"]
        later = DAY + timedelta(30), DAY + timedelta(50)
        assert column(store, "x", span=later).to_pylist() == ["9007199254740993"]
        assert column(store, "y").to_pylist() == ["text", "2026-01-01 00:00:00.000000Z"]
        assert store.read_bar_table("AAPL", DAY, DAY).column_names == [*FIELDS, "x", "y", "z"]


def test_d6_a_table_that_lacks_a_column_of_two_kinds_stays_without_it():
    first, second, plain = (
        series_table(bar_columns("AAPL", [bar(day, **extra)], extra=True))
        for day, extra in enumerate([{"x": 1}, {"x": True}, {}])
    )
    assert kinds.joined([first, second, plain])["x"].to_pylist() == ["1", "true", None]


def test_d6_bars_of_an_older_partition_are_compared_with_their_further_columns(base):
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar(vwap=1.5), bar(1, vwap=float("nan")), bar(2)])
        kept = {path.name: path.read_bytes() for path in partitions(base)}
        for day in (40, 80):
            store.write_bars("AAPL", [bar(day)])
        store.compact()
        store.write_bars("AAPL", [bar(vwap=2.5)])
        for name, content in kept.items():
            (base / "prices" / "AAPL" / name).write_bytes(content)
        (finding,) = store.verify().findings
        assert finding.kind == "older"
        assert column(store, "vwap").to_pylist()[0] == 2.5
        store.write_bars("AAPL", [bar(vwap=1.5)])
        assert store.verify().ok
        assert list((base / "aside").rglob("*.parquet"))
