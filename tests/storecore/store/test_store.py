"""`Store`: a backend writes five collections, and has the capabilities that they allow."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pytest

import storecore
from storecore import (
    METHODS,
    AuditLog,
    BarCollection,
    BarColumns,
    BarStream,
    BarTables,
    BulkAudit,
    Catalog,
    Coverage,
    DataStore,
    EventCollection,
    FundamentalCollection,
    InvalidData,
    InvalidName,
    StateCollection,
    StorageError,
    Store,
    StoreClosed,
)
from storecore.bars.extra_values import FIELDS
from storecore.builtin.memory import MemoryDataStore
from storecore.store.audit import AuditMethods
from storecore.store.bars import BarMethods
from storecore.store.events import EventMethods
from storecore.store.fundamentals import FundamentalMethods
from storecore.store.states import StateMethods
from storecore.testing.records import bar_table

JAN_5 = datetime(2026, 1, 5)
EVER = datetime.min, datetime.max


class Bars(BarCollection):
    """The smallest collection of bars."""

    def __init__(self):
        self.kept = {}
        self.closed = False

    def write(self, symbol, timeframe, columns):
        self.kept[symbol, timeframe] = columns

    def read(self, symbol, timeframe, span):
        return self.kept.get((symbol, timeframe), BarColumns.none())

    def close(self):
        self.closed = True


class Listed(Bars):
    """One that can list its series too."""

    def series(self):
        return list(self.kept)


class Fundamentals(FundamentalCollection):
    def __init__(self):
        self.batches = []

    def write(self, batch):
        self.batches.append(batch)

    def read(self, symbol, limit):
        self.limit = limit
        return self.batches[-1][-1] if self.batches else None


class Events(EventCollection):
    def __init__(self):
        self.batches = []

    def write(self, batch):
        self.batches.append(batch)

    def read(self, span, types):
        return [each for batch in self.batches for each in batch]


class States(StateCollection):
    def __init__(self):
        self.kept = {}

    def save(self, strategy, document, expect):
        self.kept[strategy] = document, expect

    def load(self, strategy):
        return {"loaded": strategy} if strategy in self.kept else None


class ListedStates(States):
    def strategies(self):
        return list(self.kept)


class Log(AuditLog):
    def __init__(self, name):
        self.name = name
        self.bodies = []

    def write(self, bodies):
        self.bodies.append(bodies)


def smallest(bars=Bars, states=States):
    return Store(
        bars=bars(),
        fundamentals=Fundamentals(),
        events=Events(),
        states=states(),
        audit={name: Log(name) for name in ("decisions", "orders")},
    )


@pytest.fixture
def store():
    return smallest()


def test_the_smallest_store_is_a_data_store_with_what_needs_no_optional_method(store):
    assert isinstance(store, DataStore)
    assert store.capabilities == {"BarTables", "BulkAudit"}
    assert isinstance(store, BarTables)
    assert isinstance(store, BulkAudit)
    assert not isinstance(store, BarStream)


def test_a_store_has_each_capability_whose_collection_methods_it_has():
    store = smallest(Listed, ListedStates)
    assert store.capabilities == {"BarTables", "BulkAudit", "Catalog"}
    assert isinstance(store, Catalog)


def test_a_capability_that_is_only_half_there_is_none():
    store = smallest(Listed)
    assert not isinstance(store, Catalog)
    assert store.symbols() == []
    assert not hasattr(store, "strategies")


@pytest.mark.parametrize("name", [each for each in METHODS if METHODS[each].capability])
def test_a_method_is_missing_or_there_as_its_collections_allow(store, name):
    expected = METHODS[name].capability in ("BarTables", "BulkAudit")
    expected |= name in ("write_events", "write_fundamentals")
    assert hasattr(store, name) is expected


def test_a_missing_method_names_its_capability(store):
    with pytest.raises(AttributeError, match=r"^'Store' .* 'symbols': .* capability Catalog$"):
        store.symbols()


def test_a_subclass_may_bring_a_method_of_its_own():
    class Own(Store):
        def bar_footprint(self, symbol, *, timeframe="1d"):
            return storecore.Footprint(1, 2)

    given = smallest()
    own = Own(
        bars=given._bars,
        fundamentals=given._fundamentals,
        events=given._events,
        states=given._states,
        audit=given._logs,
    )
    assert "DiskUsage" in own.capabilities


def test_a_protocol_that_someone_derives_from_a_capability_is_asked_by_its_methods(listed):
    @runtime_checkable
    class Sub(Catalog, Protocol):
        def more(self): ...

    assert not isinstance(listed, Sub)


def test_the_signature_of_a_method_of_a_capability_is_that_of_its_protocol():
    assert inspect.signature(Store.symbols) == inspect.signature(Catalog.symbols)


def test_closing_a_store_closes_its_collections(store):
    store.close()
    store.close()
    assert store._bars.closed
    with pytest.raises(StoreClosed, match=r"^Store is closed"):
        store.read_events(*EVER)


@pytest.fixture
def listed():
    return smallest(Listed, ListedStates)


def test_bars_are_covered_listed_and_read_as_a_table_by_what_reads_a_series(listed, bar):
    bars = [bar(JAN_5), bar(JAN_5 + timedelta(1))]
    listed.write_bars("AAPL", bars)
    listed.write_bars("AAPL", bars, timeframe="1m")
    assert listed.read_bars("AAPL", *EVER) == bars
    first, last = (each.date.replace(tzinfo=UTC) for each in bars)
    assert listed.bar_coverage("AAPL") == Coverage(first, last, 2)
    assert listed.bar_coverage("MSFT") == Coverage(None, None, 0)
    assert (listed.symbols(), listed.symbols("1w")) == (["AAPL"], [])
    assert listed.timeframes("AAPL") == ["1d", "1m"]
    assert listed.read_bar_table(["MSFT", "AAPL"], *EVER)["symbol"].to_pylist() == ["AAPL"] * 2


def test_a_table_is_written_series_by_series_by_what_writes_one(listed, bar):
    bars = [bar(JAN_5, symbol=symbol) for symbol in ("B", "A")]
    listed.write_bar_table(bar_table(bars))
    assert [listed.read_bars(symbol, *EVER) for symbol in ("A", "B")] == [[bars[1]], [bars[0]]]


def test_bars_may_come_as_a_table_from_the_collection(bar):
    class Tables(Bars):
        def read(self, symbol, timeframe, span):
            from storecore.bars.table import as_table

            return as_table(super().read(symbol, timeframe, span))

    store = smallest(Tables)
    store.write_bars("AAPL", [bar(JAN_5)])
    assert store.read_bars("AAPL", *EVER) == [bar(JAN_5)]


def test_an_empty_batch_reaches_no_collection(store):
    store.write_events([])
    store.write_fundamentals(iter(()))
    store.log_decisions("value", [])
    store.log_orders("value", [])
    assert store._events.batches == store._fundamentals.batches == []
    assert store._logs["decisions"].bodies == store._logs["orders"].bodies == []


def test_without_as_of_a_fundamental_is_the_latest_of_all(store, fundamental):
    store.write_fundamental("AAPL", fundamental(JAN_5))
    assert store.read_fundamental("AAPL") == fundamental(JAN_5)
    assert store._fundamentals.limit == storecore.LATEST


def test_a_store_that_keeps_no_versions_refuses_to_expect_one(store):
    store.save_strategy_state("value", {"cash": 1})
    with pytest.raises(InvalidData, match=r"^expect=1: Store keeps no versions of a state"):
        store.save_strategy_state("value", {"cash": 2}, expect=1)
    assert store._states.kept == {"value": (b'{"cash":1}', None)}
    assert store.load_strategy_state("value") == {"loaded": "value"}


def test_a_log_without_a_head_is_verified_as_far_as_it_goes(store, monkeypatch):
    monkeypatch.setattr(Log, "lines", lambda self, after: iter(()), raising=False)
    report = store.verify_audit()
    assert (report.ok, report.checked) == (True, 0)


def test_the_empty_strategy_is_no_filter_of_a_log():
    store = smallest()
    Log.lines = lambda self, after: iter(())
    try:
        with pytest.raises(InvalidName):
            store.read_decisions(*EVER, "")
        assert store.read_orders(*EVER) == []
    finally:
        del Log.lines


def test_a_check_reports_what_is_damaged_or_cannot_be_read_and_goes_on(bar):
    memory = storecore.open_store("memory", observers=False)
    memory.write_bars("AAPL", [bar(high=1.0, low=2.0)])
    memory.write_bars("MSFT", [bar(symbol="MSFT")])

    def failing(*_):
        raise StorageError("/data/x: Input/output error")

    def damaged(*_):
        raise storecore.CorruptData("/data/y: not what was written")

    memory._events.all = failing
    memory._states.strategies = damaged
    report = memory.verify()
    assert {(each.kind, each.place) for each in report.findings} == {
        ("unchecked", "events"),
        ("damaged", "states"),
    }
    assert [each.place for each in report.notes] == ["AAPL (1d)"] * len(report.notes) != []
    assert report.checked == 2


class AllFundamentals(Fundamentals):
    def all(self):
        return iter(each for batch in self.batches for each in batch)


class AllEvents(Events):
    def all(self):
        return iter(each for batch in self.batches for each in batch)


@pytest.fixture
def whole():
    """A store whose collections have the methods that others have defaults from."""
    given = smallest(Listed, ListedStates)
    return Store(
        bars=given._bars,
        fundamentals=AllFundamentals(),
        events=AllEvents(),
        states=given._states,
        audit=given._logs,
    )


def test_the_extent_of_every_series_is_had_from_what_reads_one(listed, bar):
    for symbol, timeframe in (("B", "1d"), ("A", "1m"), ("A", "1d")):
        listed.write_bars(symbol, [bar(JAN_5, symbol=symbol)], timeframe=timeframe)
    listed._bars.kept["EMPTY", "1d"] = BarColumns.none()
    at = JAN_5.replace(tzinfo=UTC)
    series = [("A", "1d"), ("A", "1m"), ("B", "1d")]
    assert listed.inventory() == [storecore.SeriesCoverage(*key, at, at, 1) for key in series]
    assert listed.nearest("b") == ["B"]


def test_versions_and_symbols_are_had_from_what_gives_all(whole, fundamental, event):
    for day in (2, 1):
        whole.write_fundamental("AAPL", fundamental(timestamp=JAN_5 + timedelta(day)))
    whole.write_fundamental("MSFT", fundamental(symbol="MSFT"))
    found = [each.timestamp for each in whole.fundamentals("AAPL")]
    assert found == [JAN_5 + timedelta(day) for day in (1, 2)]
    assert len(whole.fundamentals("AAPL", JAN_5 + timedelta(2))) == 1
    assert whole.fundamental_symbols() == ["AAPL", "MSFT"]
    for symbol in ("AAPL", None, "MSFT", "AAPL"):
        whole.write_event(event(symbol=symbol))
    assert whole.event_symbols() == ["AAPL", "MSFT"]


def test_events_of_symbols_are_had_from_what_reads_a_range(store, event):
    for hour, symbol in enumerate(("AAPL", None, "MSFT")):
        store.write_event(event(symbol=symbol, ingested_at=JAN_5 + timedelta(hours=hour)))
    (read,) = store.read_events(symbols=[None])
    assert (read.symbol, read.ingested_at) == (None, JAN_5 + timedelta(hours=1))
    known = store.read_events(ingested_by=JAN_5 + timedelta(hours=1))
    assert [each.symbol for each in known] == ["AAPL", None]


def test_a_method_that_was_added_later_says_so_where_it_is_missing(listed):
    with pytest.raises(
        AttributeError, match=r"'fundamentals': .* capability Catalog, .* added lat"
    ):
        listed.fundamentals("AAPL")


def test_a_series_is_not_replaced_where_no_collection_can(listed, bar):
    listed.write_bars("AAPL", [bar(JAN_5)])
    with pytest.raises(StorageError, match=r"^replace=True: .* in one step; write without replace"):
        listed.write_bar_table(bar_table([bar(JAN_5 + timedelta(1))]), replace=True)
    assert listed.read_bars("AAPL") == [bar(JAN_5)]


def test_a_symbol_is_not_renamed_to_itself():
    with MemoryDataStore() as store, pytest.raises(InvalidData, match="old and new are both 'A'"):
        store.rename_symbol("A", "A")


def test_the_last_bars_are_cut_from_what_a_collection_returns(listed, bar):
    bars = [bar(JAN_5 + timedelta(day)) for day in range(4)]
    listed.write_bars("AAPL", bars)
    assert listed.read_bars("AAPL", last=2) == bars[2:]
    assert len(listed.read_bar_table("AAPL", last=3)) == 3


# Further columns of bars (law B6).


class Further(Bars):
    """A collection that keeps further columns, and streams what it has in pieces."""

    keeps_extra = True

    def __init__(self):
        super().__init__()
        self.kinds = {}

    def write(self, symbol, timeframe, columns):
        from storecore.bars.extra import agreed
        from storecore.bars.table import series_table

        known = self.kinds.get((symbol, timeframe), {})
        kinds, table = agreed(known, series_table(columns), lambda column: [], symbol)
        self.kinds[symbol, timeframe] = kinds
        self.kept[symbol, timeframe] = table

    def extra_kinds(self, symbol, timeframe):
        return self.kinds.get((symbol, timeframe), {})

    def stream(self, symbols, timeframe, span, columns, max_bytes):
        self.asked = columns
        for symbol in symbols:
            table = self.kept[symbol, timeframe]
            yield [(symbol, table.drop_columns(table.column_names[6:]))]
            yield [(symbol, table)]


@pytest.mark.parametrize("fields", [{"extra": {"vwap": 1.5}}, {"volume": None}])
def test_b6_a_collection_written_before_further_columns_never_receives_them(listed, bar, fields):
    odd = bar(JAN_5, **fields)
    table = bar_table([odd])
    if odd.extra:
        table = table.append_column("vwap", table["close"])
    for write, given in ((listed.write_bar_table, (table,)), (listed.write_bars, ("AAPL", [odd]))):
        with pytest.raises(InvalidData, match="this backend was written before bars had further"):
            write(*given)
    assert listed.read_bars("AAPL", *EVER) == []
    assert listed.read_bar_table("AAPL", *EVER).column_names == list(FIELDS)
    with pytest.raises(InvalidData, match="unknown column 'vwap'"):
        listed.read_bar_table("AAPL", *EVER, columns=["vwap"])


def test_b6_a_misfit_is_named_by_its_row_in_the_batch(bar):
    store = smallest(Further)
    store.write_bars("AAPL", [bar(extra={"x": 1.5})])
    batch = [bar(JAN_5 + timedelta(1)), bar(extra={"x": "old"}), bar(extra={"x": "X"})]
    with pytest.raises(InvalidData, match=r"^bars\[2\]\.extra\['x'\]='X': expected float64, its"):
        store.write_bars("AAPL", batch)
    with pytest.raises(InvalidData, match=r"^bar of AAPL, 2026-01-05 00:00:00: extra\['x'\]='X'"):
        store.write_bars("AAPL", iter(batch))
    table = bar_table(batch).append_column("x", pa.array([None, "old", "X"]))
    with pytest.raises(InvalidData, match=r"^table\[2\]\.x='X': expected float64, its"):
        store.write_bar_table(table)


def test_b6_a_series_without_bars_in_a_range_tells_its_columns(bar):
    store = smallest(Further)
    store.write_bars("AAPL", [bar(extra={"x": 1.5})])
    store._bars.kept.clear()
    found = store.read_bar_table(["AAPL", "MSFT"], *EVER)
    assert (len(found), found.column_names) == (0, [*FIELDS, "x"])


def test_b6_every_table_of_a_stream_has_the_columns_of_the_query(bar):
    store = smallest(Further)
    store.write_bars("A", [bar(symbol="A", extra={"x": 7, "y": "Y"})])
    store.write_bars("B", [bar(symbol="B", extra={"x": 0.5})])
    tables = list(store.iter_bar_tables(["A", "B"], *EVER))
    assert store._bars.asked == (*FIELDS, "x", "y")
    assert [each["x"].to_pylist() for each in tables] == [[None], [7.0], [None], [0.5]]
    assert {each.schema for each in tables} == {tables[0].schema}
    with pytest.raises(InvalidData, match=r"unknown column 'z'.* x, y"):
        store.iter_bar_tables("A", *EVER, columns=["z"])


@pytest.mark.parametrize(
    ("methods", "own", "question"),
    [
        (BarMethods, "_bars", "inventory"),
        (FundamentalMethods, "_fundamentals", "iter_fundamentals"),
        (EventMethods, "_events", "read_events"),
        (StateMethods, "_states", "strategies"),
        (AuditMethods, "_logs", "read_decisions"),
    ],
)
def test_the_methods_about_one_kind_of_data_need_no_other(methods, own, question, writes):
    store, alone = MemoryDataStore(), methods()
    for method, given in writes.items():
        getattr(store, method)(**given)
    setattr(alone, own, getattr(store, own))
    answer = list(getattr(alone, question)())
    assert len(answer) > 0
    assert answer == list(getattr(store, question)())
