"""The memory backend: the reference that others are compared with, so each law in small."""

from __future__ import annotations

import inspect
import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from msgspec.structs import replace

from storecore import (
    BackendSpec,
    ConfigError,
    Coverage,
    DataStore,
    InvalidData,
    InvalidName,
    NotSerializable,
    Report,
    StateVersion,
    StorageError,
    StoreClosed,
    open_store,
)
from storecore.builtin.memory import MemoryDataStore, storecore_backend
from storecore.builtin.memory.series import Series
from storecore.protocols import CAPABILITIES

JAN_5 = datetime(2026, 1, 5)
ALWAYS = {"start": datetime.min, "end": datetime.max}
READS = {
    "read_bars": {"symbol": "AAPL", **ALWAYS},
    "read_fundamental": {"symbol": "AAPL"},
    "read_events": ALWAYS,
    "load_strategy_state": {"strategy_name": "value"},
    "symbols": {},
    "timeframes": {"symbol": "AAPL"},
    "bar_coverage": {"symbol": "AAPL"},
    "strategies": {},
    "read_decisions": ALWAYS,
    "read_orders": ALWAYS,
    "verify_audit": {},
    "__enter__": {},
}
WRITES = [
    "write_bars",
    "write_fundamental",
    "write_event",
    "save_strategy_state",
    "log_decision",
    "log_order",
]


@pytest.fixture
def store():
    """An empty store."""
    with MemoryDataStore() as opened:
        yield opened


@pytest.fixture
def spec():
    """What the backend tells of itself."""
    return storecore_backend()


def test_it_is_opened_by_its_name():
    assert type(open_store("memory")) is MemoryDataStore


def test_its_spec_is_one(spec):
    assert isinstance(spec, BackendSpec)


def test_it_is_a_data_store(store):
    assert isinstance(store, DataStore)


@pytest.mark.parametrize("name", CAPABILITIES)
def test_a_capability_is_declared_if_and_only_if_satisfied(store, spec, name):
    assert isinstance(store, CAPABILITIES[name]) is (name in spec.capabilities)


@pytest.mark.parametrize("name", [*WRITES, *READS, "close"])
def test_the_signature_of_a_method_is_that_of_its_protocol(store, spec, name):
    protocols = [DataStore, *(CAPABILITIES[each] for each in spec.capabilities)]
    base, *_, declared = [vars(each)[name] for each in protocols if name in vars(each)] * 2
    assert inspect.signature(getattr(MemoryDataStore, name)) == inspect.signature(declared)
    assert (
        inspect.signature(declared).parameters.items() >= inspect.signature(base).parameters.items()
    )


@pytest.mark.parametrize("name", WRITES)
def test_l1_a_write_after_close_is_store_closed(store, writes, name):
    store.close()
    with pytest.raises(StoreClosed):
        getattr(store, name)(**writes[name])


@pytest.mark.parametrize(("name", "arguments"), READS.items())
def test_l1_a_read_after_close_is_store_closed(store, name, arguments):
    store.close()
    with pytest.raises(StoreClosed):
        getattr(store, name)(**arguments)


def test_what_was_written_is_read(store, writes):
    for name, arguments in writes.items():
        getattr(store, name)(**arguments)
    assert store.read_bars("AAPL", **ALWAYS) == writes["write_bars"]["bars"]
    assert store.read_fundamental("AAPL") == writes["write_fundamental"]["data"]
    assert store.read_events(**ALWAYS) == [writes["write_event"]["event"]]
    assert store.load_strategy_state("value") == writes["save_strategy_state"]["state"]
    (decided,) = store.read_decisions(**ALWAYS)
    assert (decided.strategy, decided.decision) == tuple(writes["log_decision"].values())
    (ordered,) = store.read_orders(**ALWAYS)
    assert (ordered.strategy, ordered.order, ordered.result) == tuple(writes["log_order"].values())


def test_a_new_store_holds_nothing(store):
    assert [
        store.read_bars("AAPL", **ALWAYS),
        store.read_fundamental("AAPL"),
        store.read_events(**ALWAYS),
        store.load_strategy_state("value"),
        store.symbols(),
        store.timeframes("AAPL"),
        store.strategies(),
        store.read_decisions(**ALWAYS),
        store.read_orders(**ALWAYS),
    ] == [[], None, [], None, [], [], [], [], []]


def test_two_stores_share_nothing(store, bar):
    store.write_bars("AAPL", [bar()])
    assert open_store("memory").read_bars("AAPL", **ALWAYS) == []


@pytest.mark.parametrize("name", ["", "\0", "\ud800", None])
@pytest.mark.parametrize(
    "call",
    [
        lambda store, name: store.write_bars(name, []),
        lambda store, name: store.write_bars("AAPL", [], timeframe=name),
        lambda store, name: store.read_bars(name, **ALWAYS),
        lambda store, name: store.read_bars("AAPL", **ALWAYS, timeframe=name),
        lambda store, name: store.write_fundamental(name, None),
        lambda store, name: store.read_fundamental(name),
        lambda store, name: store.save_strategy_state(name, {}),
        lambda store, name: store.load_strategy_state(name),
        lambda store, name: store.log_decision(name, None),
        lambda store, name: store.log_order(name, None, None),
        lambda store, name: store.timeframes(name),
        lambda store, name: store.bar_coverage(name),
        lambda store, name: store.bar_coverage("AAPL", timeframe=name),
    ],
)
def test_n2_what_is_no_name_is_refused_by_every_method(store, call, name):
    with pytest.raises(InvalidName):
        call(store, name)


@pytest.mark.parametrize("name", ["", "\0"])
@pytest.mark.parametrize("read", ["read_decisions", "read_orders"])
def test_n2_a_strategy_that_is_no_name_is_refused_where_one_is_asked_for(store, read, name):
    with pytest.raises(InvalidName):
        getattr(store, read)(**ALWAYS, strategy_name=name)


def test_b1_the_last_write_of_a_date_wins(store, bar):
    store.write_bars("AAPL", [bar(close=1.0), bar(JAN_5 + timedelta(1))])
    store.write_bars("AAPL", [bar(close=2.0)])
    assert [each.close for each in store.read_bars("AAPL", **ALWAYS)] == [2.0, 100.0]


def test_b1_a_timeframe_is_a_series_of_its_own(store, bar):
    store.write_bars("AAPL", [bar()], timeframe="1m")
    assert store.read_bars("AAPL", **ALWAYS) == []


def test_b2_a_bad_bar_changes_nothing(store, bar):
    with pytest.raises(InvalidData):
        store.write_bars("AAPL", [bar(), bar(close="1")])
    assert store.symbols() == []


def test_b3_an_empty_batch_does_nothing(store):
    store.write_bars("AAPL", [])
    assert store.symbols() == []


def test_t3_a_range_includes_both_ends(store, bar):
    days = [JAN_5 + timedelta(day) for day in range(4)]
    store.write_bars("AAPL", map(bar, days))
    read = store.read_bars("AAPL", days[1], date(2026, 1, 7))
    assert [each.date for each in read] == days[1:3]


def test_t2_aware_bounds_give_aware_bars(store, bar):
    store.write_bars("AAPL", [bar()])
    (read,) = store.read_bars("AAPL", JAN_5.replace(tzinfo=UTC), JAN_5.date())
    assert read.date == JAN_5.replace(tzinfo=UTC)


@pytest.mark.parametrize(("as_of", "known"), [(None, 3), (2, 1), (1, 1), (0, None), (3, 3), (9, 3)])
def test_f1_the_latest_fundamental_not_after_a_moment(store, fundamental, as_of, known):
    for day in (3, 1):
        store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(day), employees=day))
    read = store.read_fundamental("AAPL", None if as_of is None else JAN_5 + timedelta(as_of))
    assert (read and read.employees) == known


def test_f2_the_same_moment_is_replaced_whatever_its_zone(store, fundamental):
    store.write_fundamental("AAPL", fundamental(JAN_5, employees=1))
    store.write_fundamental("AAPL", fundamental(JAN_5.replace(tzinfo=UTC), employees=2))
    assert store.read_fundamental("AAPL", JAN_5).employees == 2


def test_t3_as_of_is_no_bare_date(store):
    with pytest.raises(InvalidData, match=r"^as_of="):
        store.read_fundamental("AAPL", date(2026, 1, 5))


def test_e1_identical_events_are_kept_each(store, event):
    for _ in range(2):
        store.write_event(event())
    assert len(store.read_events(**ALWAYS)) == 2


@pytest.mark.parametrize(("types", "count"), [(None, 2), ([], 0), (["news"], 1)])
def test_e2_the_events_of_the_types_asked_for(store, event, types, count):
    for kind in ("news", "split"):
        store.write_event(event(type=kind))
    assert len(store.read_events(**ALWAYS, types=types)) == count


def test_what_is_read_is_the_callers_own(store, event):
    store.write_event(event())
    store.save_strategy_state("value", {"positions": []})
    store.read_events(**ALWAYS)[0].payload["text"] = "down"
    store.load_strategy_state("value")["positions"].append(1)
    assert store.read_events(**ALWAYS) == [event()]
    assert store.load_strategy_state("value") == {"positions": []}


def test_what_was_given_stays_the_callers_own(store):
    state = {"positions": []}
    store.save_strategy_state("value", state)
    state["positions"].append(1)
    assert store.load_strategy_state("value") == {"positions": []}


def test_s1_a_refused_state_leaves_the_old_one(store):
    store.save_strategy_state("value", {"cash": 1})
    with pytest.raises(NotSerializable):
        store.save_strategy_state("value", {"cash": (1,)})
    assert store.load_strategy_state("value") == {"cash": 1}


def test_the_catalog_tells_what_is_stored(store, bar):
    for symbol, timeframe in [("MSFT", "1d"), ("AAPL", "1m"), ("AAPL", "1d")]:
        store.write_bars(symbol, [bar(symbol=symbol)], timeframe=timeframe)
    for strategy in ("value", "momentum"):
        store.save_strategy_state(strategy, {})
    assert store.symbols() == ["AAPL", "MSFT"]
    assert store.symbols("1m") == ["AAPL"]
    assert store.timeframes("AAPL") == ["1d", "1m"]
    assert store.strategies() == ["momentum", "value"]


def test_the_catalog_tells_the_coverage_of_a_series(store, bar):
    store.write_bars("AAPL", [bar(JAN_5 + timedelta(day)) for day in (2, 0, 1)])
    first, last = (JAN_5.replace(tzinfo=UTC) + timedelta(day) for day in (0, 2))
    assert store.bar_coverage("AAPL") == Coverage(first, last, 3)


def test_the_coverage_of_nothing_is_empty(store):
    assert store.bar_coverage("AAPL") == Coverage(None, None, 0)


def test_a3_the_audit_log_proves_itself(store, decision, order, writes):
    store.log_decision("value", decision())
    store.log_decision("value", decision())
    store.log_order(**writes["log_order"])
    report = store.verify_audit()
    assert (report.ok, report.checked) == (True, 3)
    assert report.heads["decisions"] == store.read_decisions(**ALWAYS)[-1].hash


def test_a3_a_changed_record_is_found(store, decision):
    for _ in range(2):
        store.log_decision("value", decision())
    store._logs["decisions"].kept[1] = store._logs["decisions"].kept[1].replace(b"cheap", b"chess")
    (finding,) = store.verify_audit().findings
    assert (finding.kind, finding.place) == ("edited", "decisions, record 2")


def test_a_read_of_the_log_is_of_one_strategy_where_one_is_asked_for(store, writes, order):
    for strategy in ("value", "momentum"):
        store.log_decision(**{**writes["log_decision"], "strategy_name": strategy})
        own = order(strategy_name=strategy)
        store.log_order(**{**writes["log_order"], "strategy_name": strategy, "order": own})
    assert [each.strategy for each in store.read_decisions(**ALWAYS, strategy_name="value")] == [
        "value"
    ]
    assert [each.strategy for each in store.read_orders(**ALWAYS, strategy_name="value")] == [
        "value"
    ]


@pytest.fixture
def many_switches():
    """Let threads interrupt each other as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("many_switches")
def test_d4_threads_may_write_at_once_and_nothing_is_lost(store, bar, fundamental, decision):
    def write(row):
        at = JAN_5 + timedelta(row)
        store.write_bars("AAPL", [bar(at)])
        store.write_fundamental("AAPL", fundamental(at))
        store.log_decision("value", decision())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(80)))
    assert store.bar_coverage("AAPL").count == 80
    assert len(store._fundamentals.by_symbol["AAPL"]) == 80
    assert (store.verify_audit().ok, len(store.read_decisions(**ALWAYS))) == (True, 80)


@pytest.mark.usefixtures("many_switches")
def test_d4_threads_may_ask_what_is_stored_while_others_write(store, bar):
    def write(row):
        symbol = f"S{row}"
        store.write_bars(symbol, [bar(symbol=symbol)])

    def ask(row):
        return store.symbols(), store.timeframes("S1")

    with ThreadPoolExecutor(8) as threads:
        written = threads.map(write, range(400))
        asked = list(threads.map(ask, range(400)))
        list(written)
    assert len(asked[-1][0]) <= len(store.symbols()) == 400


def test_records_are_values_that_nobody_can_change(store, fundamental):
    store.write_fundamental("AAPL", fundamental())
    read = store.read_fundamental("AAPL")
    assert replace(read, employees=5) != store.read_fundamental("AAPL")


def test_a_clock_that_has_no_local_date_logs_nothing(store, decision, sent, monkeypatch):
    def now(zone):
        raise OverflowError("date value out of range")

    with monkeypatch.context() as stopped:
        stopped.setattr(
            "storecore.audit.records.datetime", type("Clock", (), {"now": staticmethod(now)})
        )
        for write in (
            lambda: store.log_decision("value", decision()),
            lambda: store.log_order("value", *sent()),
        ):
            with pytest.raises(StorageError, match="the machine's clock"):
                write()
    store.log_decision("value", decision())
    assert store.verify_audit().checked == 1


def test_an_exception_of_a_signal_handler_finds_all_or_nothing_of_a_record(store, decision):
    """At any step: the chain goes on, and each record has its day."""
    written = 0
    for step in itertools.count(1):
        steps, kept = 0, []

        def profile(frame, event, arg, step=step, kept=kept):
            nonlocal steps
            steps += event in ("call", "c_return")
            if steps == step and not kept:
                kept.append(sys.setprofile(None))
                raise KeyboardInterrupt

        batch = [decision()] * 2
        try:  # nothing else runs in here: an interrupt there would be the test's own
            sys.setprofile(profile)
            store.log_decisions("value", batch)
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        found = len(list(store.iter_audit("decisions")))
        assert found - written in (0, 2)
        written = found
        if steps < step:
            break
    assert store.verify_audit().ok


@pytest.mark.parametrize("name", ["fundamentals", "bars"])
def test_d2_a_batch_that_runs_out_of_memory_changes_nothing(name, bar, fundamental, monkeypatch):
    store = MemoryDataStore()
    rows = [bar(symbol=symbol) for symbol in ("A", "B")]
    table = pa.table(
        {each: [getattr(row, each) for row in rows] for each in bar().__struct_fields__}
    )
    writes = {
        "fundamentals": lambda: store.write_fundamentals(
            fundamental(symbol=symbol) for symbol in ("A", "B")
        ),
        "bars": lambda: store.write_bar_table(table),
    }
    real, calls = dict.__or__, itertools.count()

    class Scarce(dict):
        def __or__(self, other):
            if next(calls) == 1:
                raise MemoryError
            return Scarce(real(self, other))

    series = {(symbol, "1d"): Series(Scarce(), {}, {}) for symbol in "AB"}
    monkeypatch.setattr(store._bars, "by_series", series)
    monkeypatch.setattr(store._fundamentals, "by_symbol", Scarce({s: Scarce() for s in "AB"}))
    with pytest.raises(MemoryError):
        writes[name]()
    assert store.read_bars("A", datetime.min, datetime.max) == []
    assert store.read_fundamental("A") is None


def test_a_check_counts_what_is_held_and_notes_odd_bars(
    store, bar, event, fundamental, decision, sent
):
    assert store.verify() == Report(0)
    store.write_bars("AAPL", [bar(), bar(date=datetime(2026, 1, 6), high=1.0, low=2.0)])
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    for number in range(2):
        store.save_strategy_state("value", {"n": number})
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    report = store.verify()
    assert (report.ok, report.checked) == (True, 8)
    (note,) = report.notes
    assert (note.kind, note.place) == ("high below low", "AAPL (1d)")
    assert store.repair() == store.repair(dry_run=True) == report
    assert store.compact() == Report(0)


def test_a_check_follows_the_audit_log(store, decision):
    store.log_decision("value", decision())
    store._logs["decisions"].kept[0] = store._logs["decisions"].kept[0].replace(b"value", b"other")
    assert [each.kind for each in store.verify().findings] == ["edited"]


def saved(store, number):
    for each in range(number):
        store.save_strategy_state("value", {"number": each})
    return [each.version for each in store.state_history("value")]


@pytest.mark.parametrize(
    ("kept", "versions"), [(1, [7]), (3, [7, 6, 5]), (9, [7, 6, 5, 4, 3, 2, 1])]
)
def test_a_store_keeps_as_many_versions_of_a_state_as_its_option_says(kept, versions):
    with open_store("memory", state_versions=kept) as store:
        assert saved(store, 7) == versions
        store.restore_state("value", [StateVersion(n, {}) for n in range(20, 8, -1)], expect=7)
        restored = [each.version for each in store.state_history("value")]
        assert restored == list(range(20, 20 - kept, -1))


@pytest.mark.parametrize("kept", [0, -1, True, 1.5, "3"])
def test_a_number_of_versions_that_is_none_is_refused(kept):
    with pytest.raises(ConfigError, match="state_versions"):
        MemoryDataStore(kept)


def test_b6_a_series_that_is_replaced_has_the_columns_of_the_table_alone(store):
    def frame(**columns):
        plain = {"symbol": ["A"], "date": [JAN_5], "volume": [7]}
        prices = {name: [1.0] for name in ("open", "high", "low", "close")}
        return pa.table({**plain, **prices, **columns})

    store.write_bar_table(frame(vwap=[1.5], trades=[3]))
    store.write_bar_table(frame(trades=["three"]), replace=True)
    assert [each.extra for each in store.read_bars("A")] == [{"trades": "three"}]
    store.rename_symbol("A", "B")
    assert store.read_bar_table("B").column_names[7:] == ["trades"]
    with pytest.raises(InvalidData, match="trades"):
        store.write_bar_table(frame(trades=[3]).set_column(0, "symbol", pa.array(["B"])))
    store.write_bar_table(frame(), replace=True)
    assert [each.extra for each in store.read_bars("A", last=1)] == [None]


def test_nobody_changes_the_extra_of_a_fundamental_that_was_read(fundamental):
    store = MemoryDataStore()
    store.write_fundamental("AAPL", fundamental(extra={"eps": [1.5]}))
    for read in (
        store.read_fundamental("AAPL"),
        *store.fundamentals("AAPL"),
        *store.iter_fundamentals(),
    ):
        read.extra["eps"].append(2)
        assert store.read_fundamental("AAPL").extra == {"eps": [1.5]}
