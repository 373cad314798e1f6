"""Questions for any store: by its own method as of today, else by those that it had at first."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

import storecore
from storecore import InvalidData, InvalidName, SeriesCoverage, StorageError
from storecore.audit.context import context
from storecore.audit.records import GENESIS, chain, decision_body
from storecore.builtin.cached import CachedStore
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore
from storecore.builtin.readonly import ReadonlyStore
from storecore.states import RUN_STATES
from storecore.store import questions
from storecore.store.tables import read_bar_table, write_bar_table
from storecore.store.wrapper import Wrapper
from storecore.testing.records import bar_table

sys.path.append(str(Path(__file__).parents[1] / "testing" / "broken"))
from plain_store import PlainStore  # a backend as of `api` 1, with its own methods

NOON = datetime(2026, 1, 5, 12)
NOON_UTC = NOON.replace(tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
BETWEEN = "2026-01-05T12:00:00.0000005"  # two microseconds


class TenMethods:
    """A store that has what every store had at first, and no more."""

    def __init__(self):
        self._store = MemoryDataStore()

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        self._store.write_bars(symbol, bars, timeframe=timeframe)

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        return self._store.read_bars(symbol, start, end, timeframe=timeframe)

    def write_fundamental(self, symbol, data):
        self._store.write_fundamental(symbol, data)

    def read_fundamental(self, symbol, as_of=None):
        return self._store.read_fundamental(symbol, as_of)

    def write_event(self, event):
        self._store.write_event(event)

    def read_events(self, start, end, types=None):
        return self._store.read_events(start, end, types)

    def save_strategy_state(self, strategy_name, state):
        self._store.save_strategy_state(strategy_name, state)

    def load_strategy_state(self, strategy_name):
        return self._store.load_strategy_state(strategy_name)

    def log_decision(self, strategy_name, decision):
        self._store.log_decision(strategy_name, decision)

    def log_order(self, strategy_name, order, result):
        self._store.log_order(strategy_name, order, result)

    def close(self):
        self._store.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Forwarding:
    """A store that names no parameters."""

    def __init__(self):
        self._store = PlainStore()

    def __getattr__(self, name):
        return getattr(self._store, name)


STORES = {
    "memory": MemoryDataStore,
    "ten methods": TenMethods,
    "api 1": PlainStore,
    "forwarding": Forwarding,
    "readonly around api 1": lambda: ReadonlyStore(PlainStore()),
    "wrapper around ten methods": lambda: Wrapper(TenMethods()),
    "cached around api 1": lambda: CachedStore(PlainStore(), 10**6),
    "mirror of api 1": lambda: MirrorStore(PlainStore(), [MemoryDataStore()], "raise"),
}
WITH_CAPABILITIES = [name for name in STORES if "ten methods" not in name]


@pytest.fixture
def filled(bar, event, fundamental, decision):
    """Fill a store with some records of each kind."""

    def fill(store):
        for symbol, days in (("AAPL", (3, 1, 2)), ("MSFT", (1,))):
            bars = [
                bar(date=NOON + timedelta(day), close=float(day), symbol=symbol) for day in days
            ]
            store.write_bars(symbol, bars)
        for number, symbol in enumerate(("AAPL", None, "MSFT", "AAPL")):
            at = NOON + number * HOUR
            kind = ("news", "split")[number % 2]
            late = event(type=kind, symbol=symbol, timestamp=at, ingested_at=at + HOUR)
            store.write_event(late)
        for day in (2, 1, 3):
            store.write_fundamental("AAPL", fundamental(timestamp=NOON + timedelta(day)))
        store.write_fundamental("MSFT", fundamental(symbol="MSFT", timestamp=NOON))
        for name in ("value", "momentum", "vol"):
            store.save_strategy_state(name, {})
        store.log_decision("value", decision())
        return store

    return fill


@pytest.fixture(params=STORES)
def any_store(request, filled):
    """A filled store of each kind."""
    store = STORES[request.param]()
    inner = getattr(store, "_nested", store)
    filled(inner)
    return store


@pytest.fixture(params=WITH_CAPABILITIES)
def listing(request, filled):
    """A filled store with capabilities, of each kind."""
    store = STORES[request.param]()
    filled(getattr(store, "_nested", store))
    return store


def closes(bars):
    return [each.close for each in bars]


@pytest.mark.parametrize(
    ("bounds", "options", "expected"),
    [
        ((), {}, [1, 2, 3]),
        ((NOON + timedelta(2),), {}, [2, 3]),
        ((None, NOON + timedelta(2)), {}, [1, 2]),
        ((), {"last": 2}, [2, 3]),
        ((None, NOON + timedelta(2)), {"last": 1}, [2]),
        ((), {"last": 7}, [1, 2, 3]),
        (("2026-01-06", "2026-01-07"), {"last": 5}, [1, 2]),
        ((BETWEEN, BETWEEN), {}, []),
        ((), {"timeframe": "1m"}, []),
    ],
)
def test_any_store_is_asked_for_bars_with_open_bounds_and_for_the_last_ones(
    any_store, bounds, options, expected
):
    assert closes(storecore.read_bars(any_store, "AAPL", *bounds, **options)) == expected


@pytest.mark.parametrize(
    ("bounds", "zone"), [((), None), ((NOON,), None), ((None, NOON_UTC + timedelta(9)), UTC)]
)
def test_t2_without_bounds_any_store_answers_naive(any_store, bounds, zone):
    bars = storecore.read_bars(any_store, "AAPL", *bounds)
    assert {each.date.tzinfo for each in bars} == {zone}
    (event, *_) = storecore.read_events(any_store, *bounds)
    assert (event.timestamp.tzinfo, event.ingested_at.tzinfo) == (zone, zone)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: storecore.read_bars(store, "AAPL", NOON, NOON - TICK),
        lambda store: storecore.read_bars(store, "AAPL", last=0),
        lambda store: storecore.read_bars(store, "AAPL", NOON, NOON_UTC),
        lambda store: storecore.read_events(store, NOON, NOON - TICK),
        lambda store: storecore.read_events(store, types="news"),
        lambda store: storecore.read_events(store, ingested_by=date(2026, 1, 5)),
    ],
)
def test_any_store_refuses_what_is_no_question(any_store, ask):
    with pytest.raises(InvalidData):
        ask(any_store)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: storecore.read_bars(store, "", BETWEEN, BETWEEN),
        lambda store: storecore.read_bars(store, "A", BETWEEN, BETWEEN, timeframe=""),
        lambda store: storecore.read_events(store, symbols=["A", ""]),
        lambda store: storecore.read_events(store, symbols=7),
    ],
)
def test_n2_any_store_refuses_what_is_no_name(any_store, ask):
    with pytest.raises(InvalidName):
        ask(any_store)


def test_one_symbol_may_be_given_for_a_list_and_no_other_bare_text(bar, event):
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
        assert (
            len(store.read_bar_table("AAPL"))
            == sum(map(len, storecore.iter_bar_tables(store, "AAPL")))
            == 1
        )
        assert len(storecore.resample(store, "1w", "AAPL")) == 1
        for refused in ({"columns": "close"}, {"symbols": ["AAPL"], "columns": "close"}):
            with pytest.raises(InvalidData, match=r"give \['close'\]"):
                store.read_bar_table(**{"symbols": "AAPL", **refused})
        for ask in (store.read_events, partial(store.delete_events, datetime.min, datetime.max)):
            with pytest.raises(InvalidData, match=r"give \['news'\]"):
                ask(types="news")
        assert len(store.read_events(symbols="AAPL")) == 1
        assert store.delete_events(datetime.min, datetime.max, symbols="AAPL") == 1


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        ({}, [0, 1, 2, 3]),
        ({"symbols": ["AAPL"]}, [0, 3]),
        ({"symbols": "AAPL"}, [0, 3]),
        ({"symbols": ("AAPL", None)}, [0, 1, 3]),
        ({"symbols": [None]}, [1]),
        ({"symbols": []}, []),
        ({"types": ("split",)}, [1, 3]),
        ({"types": ["split"], "symbols": {"AAPL"}}, [3]),
        ({"ingested_by": NOON + 2 * HOUR}, [0, 1]),
        ({"ingested_by": NOON_UTC + 2 * HOUR - TICK}, [0]),
        ({"ingested_by": "2026-01-05T14:00:00.0000009Z"}, [0, 1]),
        ({"ingested_by": NOON + 3 * HOUR, "symbols": ["MSFT"], "start": NOON}, [2]),
        ({"start": NOON + HOUR, "end": NOON + 2 * HOUR}, [1, 2]),
        ({"start": BETWEEN, "end": BETWEEN}, []),
    ],
)
def test_any_store_is_asked_for_events_of_symbols_that_were_known(any_store, options, hours):
    lists = {name: iter(each) for name, each in options.items() if isinstance(each, tuple)}
    found = storecore.read_events(any_store, **{**options, **lists})
    assert [each.timestamp for each in found] == [NOON + hour * HOUR for hour in hours]


def test_wrappers_offer_the_questions_of_today_for_a_store_of_an_earlier_api(filled):
    for store in (ReadonlyStore(filled(PlainStore())), Wrapper(filled(TenMethods()))):
        assert closes(store.read_bars("AAPL", last=2)) == [2, 3]
        assert len(store.read_events(symbols=["AAPL"], ingested_by=NOON + HOUR)) == 1


@pytest.mark.parametrize("columns", [None, ["close", "symbol"], ["close"], ("date",)])
def test_any_store_is_asked_for_the_last_bars_of_each_symbol_as_a_table(any_store, columns):
    whole = read_bar_table(any_store, ["AAPL", "MSFT"], columns=columns)
    cut = read_bar_table(any_store, ["AAPL", "MSFT", "NONE"], columns=columns, last=2)
    assert len(whole) == 4
    assert cut == whole.slice(1)
    assert len(read_bar_table(any_store, [], last=2)) == 0
    assert len(read_bar_table(any_store, "NONE", last=2)) == 0
    assert read_bar_table(any_store, "AAPL", BETWEEN, BETWEEN, columns=columns) == whole.slice(0, 0)


def test_any_store_is_streamed_with_open_bounds(any_store):
    tables = storecore.iter_bar_tables(any_store, ["AAPL", "MSFT"])
    assert sum(map(len, tables)) == 4


@pytest.mark.parametrize("make", [MemoryDataStore, PlainStore], ids=["today's", "of api 1"])
@pytest.mark.parametrize(
    ("bounds", "days", "aware"),
    [
        ((), [1, 2, 3], True),
        ((NOON + timedelta(1), NOON + timedelta(2)), [1, 2], False),
        ((NOON_UTC + timedelta(2), None), [2, 3], True),
        ((None, "2026-01-06"), [1], False),
        ((BETWEEN, BETWEEN), [], False),
    ],
)
def test_events_of_a_range_stream_from_a_store_whose_method_takes_none(
    make, bounds, days, aware, event
):
    store = make()
    for day in (3, 1, 2):
        store.write_event(event(NOON + timedelta(day)))
    for asked in (partial(questions.iter_events, store), Wrapper(store).iter_events):
        found = [each.timestamp for each in asked(*bounds)]
        assert [each.day - 5 for each in found] == days
        assert all((each.tzinfo is not None) == aware for each in found)


class Streaming(PlainStore):
    """A store whose stream needs both bounds."""

    capabilities = frozenset({"BarTables", "BarStream"})

    def iter_bar_tables(
        self, symbols, start, end, *, timeframe="1d", columns=None, max_bytes=2**20
    ):
        yield self.read_bar_table(symbols, start, end, timeframe=timeframe, columns=columns)


def test_a_stream_that_needs_both_bounds_is_given_them(filled):
    store = filled(Streaming())
    assert [len(each) for each in storecore.iter_bar_tables(store, "AAPL")] == [3]
    assert [len(each) for each in Wrapper(store).iter_bar_tables("AAPL", "2026-01-07")] == [2]


def test_a_store_with_capabilities_lists_its_series_with_their_extent(listing):
    days = [NOON_UTC + timedelta(day) for day in (1, 3)]
    assert questions.inventory(listing) == [
        SeriesCoverage("AAPL", "1d", *days, 3),
        SeriesCoverage("MSFT", "1d", days[0], days[0], 1),
    ]


class Emptying(PlainStore):
    """A store of which a series is deleted after it was listed."""

    def timeframes(self, symbol):
        return ["1d", "1m"]


def test_a_series_that_is_deleted_meanwhile_is_not_in_the_inventory(filled):
    assert [each.timeframe for each in questions.inventory(filled(Emptying()))] == ["1d", "1d"]


def test_a_store_with_capabilities_knows_the_nearest_symbols(listing):
    assert questions.nearest_symbols(listing, "APPL") == ["AAPL"]
    assert questions.nearest_symbols(listing, "xxxxx") == []
    with pytest.raises(InvalidName):
        questions.nearest_symbols(listing, "")


@pytest.mark.parametrize(
    ("bounds", "days"),
    [
        ((), [1, 2, 3]),
        ((NOON + timedelta(2),), [2, 3]),
        (("2026-01-06", "2026-01-07"), [1, 2]),
        ((NOON_UTC + timedelta(2), NOON_UTC + timedelta(2)), [2]),
        ((NOON + timedelta(4),), []),
        ((datetime.min, datetime.min), []),
    ],
)
def test_the_fundamentals_of_a_symbol_are_its_versions_in_a_range(listing, bounds, days):
    stand_in = questions.fundamentals(listing, "AAPL", *bounds)
    assert [each.timestamp for each in stand_in] == [NOON + timedelta(day) for day in days]
    if hasattr(listing, "fundamentals"):
        assert listing.fundamentals("AAPL", *bounds) == stand_in


def test_a_fundamental_that_should_not_be_known_ends_the_search(fundamental):
    class LookingAhead(TenMethods):
        def read_fundamental(self, symbol, as_of=None):
            return fundamental(timestamp=NOON)

    assert questions.fundamentals(LookingAhead(), "AAPL", end=NOON - HOUR) == []


def test_the_symbols_of_fundamentals_and_events_are_listed(listing):
    assert questions.fundamental_symbols(listing) == ["AAPL", "MSFT"]
    assert questions.symbols_of_events(listing) == ["AAPL", "MSFT"]
    if hasattr(listing, "event_symbols"):
        assert (listing.fundamental_symbols(), listing.event_symbols()) == (["AAPL", "MSFT"],) * 2


def test_what_the_ten_methods_cannot_list_says_what_is_missing(filled):
    store = Wrapper(filled(TenMethods()), {"Catalog"})
    assert store.event_symbols() == ["AAPL", "MSFT"]
    with pytest.raises(StorageError, match=r"no fundamental_symbols and not the capability Trans"):
        store.fundamental_symbols()


def test_strategies_are_listed_by_the_beginning_of_their_names(listing):
    wrapped = Wrapper(listing)
    assert wrapped.strategies() == ["momentum", "value", "vol"]
    assert wrapped.strategies("v") == wrapped.strategies(prefix="v") == ["value", "vol"]
    assert wrapped.strategies("x") == []
    with pytest.raises(InvalidData, match=r"^prefix=7: expected a str, got int"):
        wrapped.strategies(7)


def test_states_of_runs_are_listed_only_by_the_beginning_of_their_names(listing):
    inner = getattr(listing, "_nested", listing)
    storecore.at(inner, NOON, run="bt-7").save_strategy_state("value", {"worth": 1})
    wrapped = Wrapper(listing)
    assert wrapped.strategies() == ["momentum", "value", "vol"]
    assert len(wrapped.strategies(RUN_STATES)) == 1
    assert len(wrapped.strategies(RUN_STATES[:1])) == 0
    assert storecore.at(listing, NOON, run="bt-7").strategies() == ["value"]


def test_the_audit_log_is_read_with_open_bounds(listing):
    wrapped = Wrapper(listing)
    assert len(wrapped.read_decisions()) == len(wrapped.read_decisions("2026-01-01")) == 1
    assert wrapped.read_decisions(strategy_name="none") == wrapped.read_orders() == []
    assert wrapped.read_decisions(BETWEEN, BETWEEN) == []
    with pytest.raises(InvalidName):
        wrapped.read_orders(strategy_name="")


DELETIONS = {
    "delete_events": (date.min, date.max),
    "delete_fundamentals": ("AAPL", date.min, date.max),
    "rename_symbol": ("AAPL", "NEW"),
    "delete_strategy_state": ("value",),
}


@pytest.mark.parametrize("method", DELETIONS)
def test_what_only_the_store_itself_can_do_says_that_it_cannot(filled, method):
    store = Wrapper(filled(PlainStore()))
    with pytest.raises(StorageError, match=rf"has no {method}: it implements an earlier \w+; upd"):
        getattr(store, method)(*DELETIONS[method])


@pytest.mark.parametrize("method", DELETIONS)
def test_a_mirror_reports_a_replica_that_cannot_do_it(filled, method):
    store = MirrorStore(filled(MemoryDataStore()), [filled(PlainStore())], "raise")
    with pytest.raises(StorageError, match=rf"^{method}: the primary has it, but not .* earlier"):
        getattr(store, method)(*DELETIONS[method])
    with pytest.raises(StorageError, match=r"^write_bar_table: the primary has it.*replace=True"):
        store.write_bar_table(bar_table([]), replace=True)


@pytest.mark.parametrize("name", ["ten methods", "api 1", "forwarding", "readonly around api 1"])
def test_a_series_is_replaced_in_one_step_or_not_at_all(filled, bar, name):
    store = STORES[name]()
    filled(getattr(store, "_nested", store))
    with pytest.raises(StorageError):
        write_bar_table(store, bar_table([bar()]), replace=True)
    assert len(storecore.read_bars(store, "AAPL")) == 3


def test_core_replaces_a_series_of_a_store_that_can(filled, bar):
    store = filled(MemoryDataStore())
    write_bar_table(store, bar_table([bar(date=NOON)]), replace=True)
    assert store.read_bars("AAPL") == [bar(date=NOON)]
    assert len(store.read_bars("MSFT")) == 1


@pytest.mark.parametrize("replace", [1, "no", None])
def test_what_is_no_answer_to_whether_to_replace_is_refused(filled, bar, replace):
    store = filled(MemoryDataStore())
    for write in (store.write_bar_table, lambda *a, **k: write_bar_table(store, *a, **k)):
        with pytest.raises(InvalidData, match=r"^replace=.*: expected True or False"):
            write(bar_table([bar()]), replace=replace)
    assert len(store.read_bars("AAPL")) == 3


NOT_TAKEN = r"takes no as_of= and no run=: it implements an earlier api; update"


@pytest.mark.parametrize("method", ["log_decision", "log_order", "log_decisions", "log_orders"])
def test_a_store_of_an_earlier_api_logs_without_a_run_and_says_that_it_takes_none(
    decision, sent, method
):
    given = {"log_decision": [decision()], "log_order": [*sent()]}
    given |= {"log_decisions": [[decision()]], "log_orders": [[sent()]]}
    store = Wrapper(PlainStore())
    with pytest.raises(StorageError, match=rf"^{method}: .*PlainStore.* {NOT_TAKEN}"):
        getattr(store, method)("value", *given[method], as_of=NOON, run="bt-7")
    getattr(store, method)(strategy_name="value", **_named(method, given[method]), reads=None)
    assert (len(store.read_decisions(run="*")), len(store.read_orders(run="*"))) in {(1, 0), (0, 1)}


def _named(method, given):
    names = {"log_order": ["order", "result"], "log_orders": ["orders"]}
    return dict(zip(names.get(method, [method.removeprefix("log_")]), given, strict=True))


def test_a_store_of_an_earlier_api_that_was_given_runs_is_asked_for_them(decision):
    """A copy gave it lines that its own methods could not have logged."""
    bodies = [
        decision_body("value", decision(), context(NOON + hours * HOUR, run, None))
        for hours, run in ((0, None), (1, "bt-7"), (2, "bt-7"))
    ]
    lines, _ = chain(bodies, NOON_UTC, GENESIS)
    store = Wrapper(PlainStore())
    store.append_audit("decisions", NOON.date(), lines)
    assert [each.seq for each in store.read_decisions()] == [1]
    assert [each.seq for each in store.read_decisions(by="as_of", run="bt-7")] == [2, 3]
    late = store.read_decisions(NOON + 2 * HOUR, by="as_of", run="*")
    assert [(each.seq, each.as_of) for each in late] == [(3, NOON + 2 * HOUR)]
    with pytest.raises(InvalidData, match=r"^by=7: expected"):
        store.read_decisions(by=7)


def test_records_are_asked_of_any_store_by_one_function(listing, decision):
    now = MemoryDataStore()
    now.log_decision("value", decision(), run="bt-7")
    assert [each.run for each in questions.read_decisions(now, run="bt-7")] == ["bt-7"]
    assert len(questions.read_decisions(listing)) == 1
