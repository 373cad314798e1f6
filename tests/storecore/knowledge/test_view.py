"""`store.at(t)`: what a view is, refuses and raises."""

from __future__ import annotations

import errno
import pickle
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import storecore
from storecore import (
    AuditTrail,
    BarTables,
    Catalog,
    DataStore,
    InvalidData,
    InvalidName,
    LookAhead,
    Maintenance,
    OrderResult,
    StorageError,
    Store,
    StoreClosed,
    View,
)
from storecore.builtin.memory import MemoryDataStore
from storecore.protocols import METHODS
from storecore.testing.records import bar_table

from .conftest import FirstTen

T = datetime(2026, 1, 5, 14, 30)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def store(asked, written, bar, fundamental, event):
    """A store of each kind with three bars, filings and events: before, about and after T."""
    for step in (-2, -1, 1):
        at = T + step * DAY
        written.write_bars("AAPL", [bar(at)])
        written.write_fundamental("AAPL", fundamental(at))
        written.write_event(event(at, ingested_at=at))
    return asked


@pytest.fixture
def view(store):
    """A view as of T."""
    return storecore.at(store, T)


# What `t` may be.


@pytest.mark.few(12)
@pytest.mark.parametrize(
    "t",
    [
        T,
        T.replace(tzinfo=UTC),
        T.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Kathmandu")),
        pd.Timestamp(T),
        np.datetime64(T, "us"),
        pd.Timestamp(T) + pd.Timedelta(999, "ns"),
        np.datetime64(T, "ns") + np.timedelta64(999, "ns"),
    ],
)
def test_a_time_is_any_moment_and_rounded_down_to_a_microsecond(store, t):
    shown = [each.date for each in storecore.at(store, t).read_bars("AAPL", timeframe="1d")]
    assert shown == [T - 2 * DAY, T - DAY]
    assert [each.date for each in storecore.at(store, T - TICK).read_bars("AAPL")] == [T - 2 * DAY]


@pytest.mark.few(8)
@pytest.mark.parametrize("t", [date(2026, 1, 5), None, 1767623400, pd.NaT])
def test_a_time_that_is_not_one_moment_is_refused(store, t):
    with pytest.raises(InvalidData, match="t="):
        storecore.at(store, t)


def test_a_future_beyond_all_data_shows_all(store):
    assert len(storecore.at(store, datetime.max).read_bars("AAPL")) == 3


def test_a_past_before_all_data_shows_nothing(store):
    view = storecore.at(store, datetime.min)
    assert view.read_bars("AAPL") == view.read_events() == []
    assert view.read_bars("AAPL", datetime.min.replace(tzinfo=UTC)) == []
    assert view.read_bars("AAPL", timeframe="1y") == []
    assert view.read_fundamental("AAPL") is None


@pytest.mark.parametrize("ask", [{"t": T, "recorded": T}, {"t": "backtest-2026-q1"}])
def test_a_store_without_history_says_what_it_lacks(ask):
    with storecore.open_store("memory") as nested:
        store = FirstTen(nested)
        with pytest.raises(StorageError, match=r"needs the capability History, which FirstTen"):
            storecore.at(store, **ask)
        with pytest.raises(StorageError, match="needs the capability VersionedState"):
            storecore.at(store, T).load_strategy_state("value")


# What a view is.


def test_a_view_is_a_store_and_shows_it_with_its_time(store, view):
    assert isinstance(view, DataStore)
    assert isinstance(view, Store)
    assert repr(view) == f"{store!r}.at(2026-01-05 14:30:00+00:00)"


def test_a_view_has_the_capabilities_of_the_store_that_read(store, view):
    reading = {"BarTables", "BarStream", "Catalog", "AuditTrail", "VersionedState"}
    assert view.capabilities == storecore.capabilities_of(store) & reading
    assert isinstance(view, Catalog) == isinstance(store, Catalog)
    assert hasattr(view, "read_bar_table") == isinstance(store, BarTables)
    assert not isinstance(view, Maintenance)
    with pytest.raises(AttributeError, match="capability Maintenance"):
        view.verify()


def test_a_view_of_a_view_asks_the_store_itself(store, view):
    assert repr(view.at(T + DAY)) == repr(view)
    assert repr(storecore.at(view, T - DAY)) == f"{store!r}.at(2026-01-04 14:30:00+00:00)"


def test_a_view_keeps_the_lengths_of_the_view_that_it_is_of(written, bar):
    written.write_bars("AAPL", [bar(T)], timeframe="session")
    view = written.at(T + DAY, lengths={"session": DAY}).at(T + DAY, lengths={"other": DAY})
    assert len(view.read_bars("AAPL", timeframe="session")) == 1


def test_views_go_to_other_processes(written, bar):
    if type(written).__name__ == "MemoryDataStore":
        return
    written.write_bars("AAPL", [bar(T - DAY), bar(T)])
    copy = pickle.loads(pickle.dumps(written.at(T, lengths={"1d": 2 * DAY})))
    assert copy.read_bars("AAPL") == []
    assert len(copy.at(T).read_bars("AAPL")) == 0


# Its life.


def test_closing_a_view_closes_the_view_alone(store):
    with storecore.at(store, T) as view:
        pass
    view.close()
    calls = [
        lambda: view.read_bars("AAPL"),
        lambda: view.read_fundamental("AAPL"),
        lambda: view.read_events(),
        lambda: view.at(T),
        lambda: view.write_bars("AAPL", []),
    ]
    if isinstance(view, Catalog):
        calls += [view.symbols, lambda: view.read_bar_table("AAPL")]
    for call in calls:
        with pytest.raises(StoreClosed, match=r"\.at\(.*\) is closed; take another view"):
            call()
    assert len(store.read_bars("AAPL", datetime.min, datetime.max)) == 3


def test_a_stream_ends_when_its_view_is_closed(written, bar):
    if not hasattr(written, "iter_bar_tables"):
        return
    written.write_bars("AAPL", [bar(T - step * DAY) for step in range(1, 9)])
    view = written.at(T)
    tables = view.iter_bar_tables("AAPL", max_bytes=1)
    next(tables)
    view.close()
    with pytest.raises(StoreClosed):
        next(tables)


@pytest.mark.parametrize("start", [None, T + DAY])
def test_a_view_of_a_closed_store_raises_that_it_is_closed(written, start):
    view = written.at(T)
    written.close()
    calls = [
        lambda: written.at(T),
        lambda: view.read_bars("AAPL", start),
        lambda: view.read_bar_table("AAPL", start),
        lambda: view.read_fundamental("AAPL"),
        lambda: view.read_events(start),
        lambda: view.read_decisions(start),
        lambda: view.fundamentals("AAPL", start),
        view.symbols,
        view.inventory,
        view.event_symbols,
    ]
    for call in calls:
        with pytest.raises(StoreClosed):
            call()


# Writes.


def test_a_view_refuses_every_write_and_the_store_gets_nothing(store, view, written, writes):
    for method, arguments in writes.items():
        with pytest.raises(
            StorageError, match=f"{method}: .* is a view.*; write to the store"
        ) as caught:
            getattr(view, method)(**arguments)
        assert caught.value.errno == errno.EROFS
    assert len(written.read_events()) == 3
    assert written.read_decisions() == written.strategies() == []


def test_a_view_refuses_the_writes_of_capabilities(view, bar):
    for method in METHODS.values():
        if not method.is_write or method.capability not in view.capabilities:
            continue
        arguments = {
            "write_bar_table": {"table": bar_table([bar()])},
            "save_strategy_state": {"strategy_name": "value", "state": {}, "expect": 0},
            "delete_strategy_state": {"strategy_name": "value"},
        }
        with pytest.raises(StorageError, match="cannot be written"):
            getattr(view, method.name)(**arguments[method.name])


# Questions.


@pytest.mark.few(10)
@pytest.mark.parametrize(
    ("start", "end", "zone"),
    [
        (None, None, None),
        (date(2025, 1, 1), None, None),
        ("2025-01-01T00:00+00:00", None, UTC),
        (None, datetime.max.replace(tzinfo=UTC), UTC),
        (T - 9 * DAY, date(2027, 1, 1), None),
    ],
)
def test_bars_come_back_in_the_kind_of_the_bounds(view, start, end, zone):
    bars = view.read_bars("AAPL", start, end)
    assert [each.date for each in bars] == [(T - n * DAY).replace(tzinfo=zone) for n in (2, 1)]


@pytest.mark.few(10)
@pytest.mark.parametrize("start", [T - DAY + TICK, T, "2026-01-06", T.replace(tzinfo=UTC) + DAY])
def test_a_question_that_lies_in_the_future_has_an_empty_answer(view, start):
    assert view.read_bars("AAPL", start) == view.read_bars("AAPL", start, last=3) == []
    assert len(storecore.read_bar_table(view, "AAPL", start)) == 0


def test_an_empty_table_has_the_columns_that_were_asked_for(written, bar):
    written.write_bars("AAPL", [bar(T, extra={"vwap": 1.5})])
    view = written.at(T)
    whole = written.read_bar_table(["AAPL"])
    assert view.read_bar_table(["AAPL"], T).schema == whole.schema
    chosen = view.read_bar_table(iter(["AAPL"]), T, columns=iter(["date", "vwap"]))
    assert chosen.column_names == ["date", "vwap"]


def test_a_wrong_question_is_refused_as_by_the_store(view, store):
    wrong = [
        (lambda: view.read_bars(""), InvalidName),
        (lambda: view.read_bars("AAPL", timeframe=""), InvalidName),
        (lambda: view.read_bars("AAPL", T, T - DAY), InvalidData),
        (lambda: view.read_bars("AAPL", T, T.replace(tzinfo=UTC)), InvalidData),
        (lambda: view.read_bars("AAPL", last=0), InvalidData),
        (lambda: view.read_bars("AAPL", timeframe="session"), InvalidData),
        (lambda: view.read_fundamental("AAPL", date(2026, 1, 1)), InvalidData),
        (lambda: view.read_events(types="news"), InvalidData),
        (lambda: view.read_events(symbols=[""]), InvalidName),
        (lambda: view.read_events(ingested_by=date(2026, 1, 1)), InvalidData),
    ]
    if isinstance(store, Catalog):
        wrong += [
            (lambda: view.symbols(""), InvalidName),
            (lambda: view.timeframes(""), InvalidName),
            (lambda: view.nearest(""), InvalidName),
            (lambda: view.bar_coverage(""), InvalidName),
            (lambda: view.fundamentals("", T + DAY), InvalidName),
            (lambda: view.read_decisions(strategy_name=""), InvalidName),
            (lambda: view.read_decisions(T + DAY, strategy_name=""), InvalidName),
            (lambda: view.read_bar_table("AAPL", columns=["none"]), InvalidData),
        ]
    for ask, kind in wrong:
        with pytest.raises(kind):
            ask()


def test_a_timeframe_without_a_length_matters_only_if_a_bar_of_it_has_begun(written, bar):
    written.write_bars("AAPL", [bar(T)], timeframe="session")
    assert written.at(T - TICK).symbols() == written.at(T - TICK).inventory() == []
    assert written.at(T - TICK).bar_coverage("AAPL", timeframe="session").count == 0
    for ask in (
        lambda: written.at(T).symbols(),
        lambda: written.at(T).bar_coverage("AAPL", timeframe="session"),
    ):
        with pytest.raises(InvalidData, match="lengths="):
            ask()
    assert written.at(T).symbols("1d") == []


def test_a_bar_that_is_dated_at_its_end_is_known_at_its_date(written, bar):
    written.write_bars("AAPL", [bar(T)])
    assert len(written.at(T, lengths={"1d": timedelta(0)}).read_bars("AAPL")) == 1


def test_an_event_that_lies_ahead_is_known_once_it_was_announced(written, event):
    written.write_event(event(T + 30 * DAY, type="dividend", ingested_at=T))
    assert len(written.at(T).read_events(T, T + 60 * DAY)) == 1
    assert written.at(T - TICK).read_events() == []
    view = written.at(T, on_future="raise")
    assert len(view.read_events(T, T + 60 * DAY, ["dividend"])) == 1


def test_a_series_whose_known_bars_were_deleted_meanwhile_has_no_extent(written, bar):
    class Deleting(type(written)):
        """A store in which another process deletes bars between two questions."""

        def inventory(self):
            found = super().inventory()
            self.delete_bars("AAPL", date.min, T - DAY)
            return found

    if type(written).__name__ != "MemoryDataStore":
        return
    store = Deleting()
    store.write_bars("AAPL", [bar(T - DAY), bar(T)])
    assert store.at(T).inventory() == []


def test_decisions_and_orders_are_those_that_had_been_logged(written, decision, order):
    before = datetime.now(UTC)
    written.log_decision("value", decision())
    written.log_order("value", order(), OrderResult(1, "filled"))
    after = datetime.now(UTC)
    early, late = written.at(before - TICK), written.at(after)
    assert isinstance(late, AuditTrail)
    for read in ("read_decisions", "read_orders"):
        assert getattr(early, read)() == getattr(early, read)(after) == []
        assert getattr(late, read)() == getattr(written, read)()
        assert getattr(late, read)(before, strategy_name="value") == getattr(written, read)(before)
        assert getattr(late, read)(strategy_name="other") == []
    assert early.verify_audit() == written.verify_audit()


# `on_future="raise"`.


def late_questions(view, bound):
    """Return questions that reach beyond T, by the name of the bound."""
    questions = [
        ("read_bars", "start", lambda: view.read_bars("AAPL", bound)),
        ("read_bars", "end", lambda: view.read_bars("AAPL", T - DAY, bound)),
        ("read_fundamental", "as_of", lambda: view.read_fundamental("AAPL", bound)),
        ("read_events", "ingested_by", lambda: view.read_events(ingested_by=bound)),
        ("at", "t", lambda: view.at(bound)),
    ]
    if isinstance(view, Catalog):
        questions += [
            ("read_bar_table", "end", lambda: view.read_bar_table("AAPL", None, bound)),
            ("fundamentals", "start", lambda: view.fundamentals("AAPL", bound)),
            ("fundamentals", "end", lambda: view.fundamentals("AAPL", None, bound)),
            ("read_decisions", "end", lambda: view.read_decisions(None, bound)),
            ("read_orders", "start", lambda: view.read_orders(bound)),
        ]
    if hasattr(view, "iter_bar_tables"):
        questions.append(
            ("iter_bar_tables", "end", lambda: view.iter_bar_tables("AAPL", None, bound))
        )
    return questions


def test_a_question_beyond_the_time_of_the_view_is_a_look_ahead(store):
    view = storecore.at(store, T, on_future="raise")
    for call, name, ask in late_questions(view, T + TICK):
        with pytest.raises(LookAhead, match=rf"^{call}: {name}=.*2026-01-05 14:30:00\+00:00"):
            ask()
    with pytest.raises(
        LookAhead,
        match=r"^read_bars: end=datetime.date\(2026, 1, 5\), the end of that day, is after",
    ):
        view.read_bars("AAPL", T - DAY, T.date())
    with pytest.raises(
        LookAhead, match=r"^read_bars: end='2026-01-06', the end of that day, is after"
    ):
        view.read_bars("AAPL", T - DAY, "2026-01-06")


def test_a_question_up_to_the_time_of_the_view_is_no_look_ahead(store):
    view = storecore.at(store, T, on_future="raise")
    for _, name, ask in late_questions(view, T):
        assert name
        ask()
    assert len(view.read_bars("AAPL")) == len(view.read_events()) == 2
    assert view.read_fundamental("AAPL").timestamp == T - DAY


def test_a_view_of_a_view_that_raises_raises_too_unless_it_is_to_cut(store):
    strict = storecore.at(store, T, on_future="raise")
    with pytest.raises(LookAhead):
        strict.at(T - DAY).read_bars("AAPL", None, T)
    assert len(strict.at(T - DAY, on_future="cut").read_bars("AAPL", None, T)) == 1


@pytest.mark.few(6)
@pytest.mark.parametrize("on_future", ["ignore", True, 1, ["cut"]])
def test_what_is_done_with_the_future_is_one_of_two(store, on_future):
    with pytest.raises(InvalidData, match='expected "cut" or "raise"'):
        storecore.at(store, T, on_future=on_future)


def test_a_view_is_of_the_class_that_is_exported(view):
    assert type(view) is View


class Halved(MemoryDataStore):
    """A store whose class reads in its own way."""

    def read_bars(self, *args, **kwargs):
        return super().read_bars(*args, **kwargs)[::2]

    def read_bar_table(self, *args, **kwargs):
        return super().read_bar_table(*args, **kwargs)[::2]


def test_a_store_that_reads_in_its_own_way_is_read_so_through_a_view(bar):
    with Halved() as store:
        store.write_bars("AAPL", [bar(T + n * DAY, close=float(n)) for n in range(4)])
        view = store.at(T + 9 * DAY)
        assert [each.close for each in view.read_bars("AAPL")] == [0.0, 2.0]
        assert view.read_bar_table("AAPL")["close"].to_pylist() == [0.0, 2.0]


def test_a_method_of_one_store_alone_is_called_through_a_view(monkeypatch):
    with MemoryDataStore() as store:
        monkeypatch.setattr(store, "read_bars", lambda *args, **kwargs: ["mine"])
        assert store.at(T).read_bars("AAPL") == ["mine"]
