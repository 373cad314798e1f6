"""Observers are told of what succeeded, harm nobody, and cost nothing where there is none."""

from __future__ import annotations

import copy
import inspect
import logging
import pickle
import signal
import sys
import threading
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest
from msgspec import structs

import storecore
from storecore import (
    Action,
    ConfigError,
    DataStore,
    Decision,
    InvalidData,
    StateVersion,
    StorageError,
    StoreClosed,
    laws,
    open_store,
)
from storecore.builtin.memory import MemoryDataStore, storecore_backend
from storecore.plugins.discovery import load_spec
from storecore.plugins.observers import load_observers
from storecore.protocols import CAPABILITIES
from storecore.states import RUN_STATES
from storecore.testing import records

WATCH = """
from storecore import hookimpl

calls = []

@hookimpl
def storecore_opened(store, spec):
    calls.append(("opened", spec.name))

@hookimpl
def storecore_written(store, kind, key, count):
    calls.append((kind, key, count))

@hookimpl
def storecore_closed(store):
    calls.append(("closed",))
"""
FAILING = """
from storecore import hookimpl

@hookimpl
def {hook}({arguments}):
    raise RuntimeError("observer bug")
"""
HOOKS = {
    "storecore_opened": "store, spec",
    "storecore_written": "store, kind, key, count",
    "storecore_closed": "store",
}
TOLD = {
    "write_bars": ("bars", "AAPL", 1),
    "write_fundamental": ("fundamentals", "AAPL", 1),
    "write_event": ("events", "news", 1),
    "save_strategy_state": ("state", "value", 1),
    "log_decision": ("decisions", "value", 1),
    "log_order": ("orders", "value", 1),
}
BACKEND = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    pass

{store}

@hookimpl
def storecore_backend():
    return BackendSpec(name="acme", config=Config, open=lambda config: Store())
"""
EXTENDED = """
class Store(MemoryDataStore):
    extra = "more"

    def write_bars(self, symbol, bars, *, timeframe="1d", source=None):
        self.source = source
        super().write_bars(symbol, bars, timeframe=timeframe)

    def __repr__(self):
        return "the store itself"
"""
FORWARDING = """
class Store:
    def __init__(self):
        self._nested = MemoryDataStore()

    def __getattr__(self, name):
        return getattr(self._nested, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def write_event(self, *args, **kwargs):
        self._nested.write_event(*args, **kwargs)
"""


@pytest.fixture
def calls(site):
    """Install an observer and return the list of what it is told."""
    site.install("acme-watch", modules={"acme_watch": WATCH}, plugins={"watch": "acme_watch"})
    load_observers()
    import acme_watch

    return acme_watch.calls


@pytest.fixture
def store(calls):
    """A watched store, its opening forgotten."""
    with open_store("memory") as opened:
        calls.clear()
        yield opened


def acme(site, store):
    """Open a watched store of another backend."""
    site.backend(BACKEND.format(store=store), name="acme")
    return open_store("acme")


@pytest.mark.usefixtures("site")
def test_with_no_observer_the_user_holds_the_backends_own_store():
    assert type(open_store("memory")) is MemoryDataStore


def test_an_observer_is_notified_of_an_opening(calls):
    open_store("memory")
    assert calls == [("opened", "memory")]


@pytest.mark.parametrize("name", TOLD)
def test_an_observer_is_notified_of_a_write_by_keyword(calls, store, writes, name):
    getattr(store, name)(**writes[name])
    assert calls == [TOLD[name]]


@pytest.mark.parametrize("name", TOLD)
def test_an_observer_is_notified_of_a_write_by_position(calls, store, writes, name):
    getattr(store, name)(*writes[name].values())
    assert calls == [TOLD[name]]


@pytest.mark.parametrize("name", TOLD)
def test_a_write_reaches_the_store_itself(store, writes, name):
    getattr(store, name)(**writes[name])
    assert store.verify().checked == 1


def test_a_timeframe_reaches_the_store_itself(store, bar):
    store.write_bars("AAPL", [bar()], timeframe="1m")
    assert store.timeframes("AAPL") == ["1m"]


def test_bars_of_a_generator_are_counted_and_written(calls, store, bar):
    store.write_bars("AAPL", (bar(volume=row) for row in range(3)))
    assert calls == [("bars", "AAPL", 3)]
    assert store.bar_coverage("AAPL").count == 1


COUNTING = """
from msgspec import Struct
from storecore import BackendSpec, NestedStore, Wrapper, hookimpl

seen = []

class Config(Struct):
    store: NestedStore

class Counting(Wrapper):
    def _write(self, method, args, kwargs):
        try:
            result = super()._write(method, args, kwargs)
        except Exception as error:
            seen.append((method, type(error).__name__))
            raise
        seen.append((method, "done"))
        return result

@hookimpl
def storecore_backend():
    return BackendSpec(
        name="counting",
        config=Config,
        open=lambda config: Counting(config.store.open()),
        capabilities=lambda config: config.store.spec.capabilities,
    )
"""
FAILED = {
    "write_bars": lambda store, broken: store.write_bars("AAPL", broken),
    "write_events": lambda store, broken: store.write_events(broken),
    "write_fundamentals": lambda store, broken: store.write_fundamentals(broken),
    "log_decisions": lambda store, broken: store.log_decisions("value", broken),
    "log_orders": lambda store, broken: store.log_orders("value", orders=broken),
    "append_audit": lambda store, broken: store.append_audit("orders", date(2026, 1, 5), broken),
    "restore_state": lambda store, broken: store.restore_state("value", broken, expect=0),
    "delete_events": lambda store, broken: store.delete_events(*EVER, types=broken),
}


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("observers", [True, False])
@pytest.mark.parametrize("method", FAILED)
def test_a_wrapper_sees_that_a_generator_fails_with_and_without_observers(site, method, observers):
    def broken():
        raise KeyError("no more rows")
        yield

    site.backend(COUNTING, name="counting")
    config = {"backend": "counting", "store": {"backend": "memory"}}
    with open_store(config, observers=observers) as store:
        import acme_counting

        with pytest.raises(KeyError, match="no more rows"):
            FAILED[method](store, broken())
    assert acme_counting.seen == [(method, "KeyError")]


@pytest.mark.parametrize("bars", [[], iter(())])
def test_an_empty_batch_is_not_reported(calls, store, bars):
    store.write_bars("AAPL", bars)
    assert calls == []


@pytest.mark.parametrize("bars", [None, [None]])
def test_a_write_that_fails_is_not_reported(calls, store, bars):
    with pytest.raises(InvalidData):
        store.write_bars("AAPL", bars)
    assert calls == []


def test_a_write_with_wrong_arguments_is_a_type_error(store):
    with pytest.raises(TypeError, match="missing a required argument: 'bars'"):
        store.write_bars("AAPL")


def test_a_read_is_not_reported(calls, store):
    assert store.load_strategy_state("value") is None
    assert calls == []


def test_closing_twice_tells_once(calls, store):
    store.close()
    store.close()
    assert calls == [("closed",)]


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StoreClosed):
        store.symbols()


def test_as_a_context_manager_it_gives_itself_and_tells_of_its_closing(calls, store):
    with store as entered:
        assert entered is store
    assert calls == [("closed",)]


def test_a_closed_store_cannot_be_entered(store):
    store.close()
    with pytest.raises(StoreClosed), store:
        pass


def test_an_error_inside_the_context_closes_and_passes(calls, store):
    with pytest.raises(KeyError, match="mine"), store:
        raise KeyError("mine")
    assert calls == [("closed",)]


@pytest.mark.parametrize("protocol", [DataStore, *CAPABILITIES.values()])
def test_a_watched_store_satisfies_what_the_store_itself_does(store, protocol):
    assert isinstance(store, protocol) is isinstance(MemoryDataStore(), protocol)


@pytest.mark.few(12)
@pytest.mark.parametrize(
    "name",
    [
        name
        for protocol in (DataStore, *(CAPABILITIES[each] for each in ("Catalog", "AuditTrail")))
        for name in vars(protocol)
        if not name.startswith("_")
    ],
)
def test_the_signatures_are_those_of_the_store_itself(store, name):
    assert inspect.signature(getattr(store, name)) == inspect.signature(
        getattr(MemoryDataStore(), name)
    )


def test_a_watched_store_has_the_declared_capabilities(store):
    declared = storecore_backend().capabilities
    held = {name for name, protocol in CAPABILITIES.items() if isinstance(store, protocol)}
    assert held == declared == store.capabilities


@pytest.mark.usefixtures("calls")
def test_what_a_backend_offers_beyond_the_protocols_is_there_too(site, bar):
    store = acme(site, EXTENDED)
    store.write_bars("AAPL", [bar()], source="feed")
    assert (store.extra, store.source, repr(store)) == ("more", "feed", "the store itself")


BULKY = """
class Store(MemoryDataStore):
    removed = 3

    def delete_bars(self, symbol, start, end, *, timeframe="1d"):
        return self.removed
"""


@pytest.fixture
def bulky(site, calls):
    """A watched store with the capability Bulk, its opening forgotten."""
    source = BACKEND.format(store=BULKY).replace("Store())", "Store(), capabilities={bulk})")
    site.backend(source.replace("{bulk}", "frozenset({'Bulk'})"), name="acme")
    with open_store("acme") as opened:
        calls.clear()
        yield opened


def test_an_observer_is_notified_of_a_batch_by_type_and_by_symbol(bulky, calls, event, fundamental):
    bulky.write_events(event(type=kind) for kind in ("news", "split", "news"))
    bulky.write_fundamentals(iter([fundamental(), fundamental(symbol="MSFT")]))
    bulky.write_events([])
    assert calls == [
        ("events", "news", 2),
        ("events", "split", 1),
        ("fundamentals", "AAPL", 1),
        ("fundamentals", "MSFT", 1),
    ]


def test_an_observer_does_not_take_a_backtest_for_trading(bulky, calls, decision, sent):
    bulky.log_decision("value", decision(), run="bt-7", as_of=datetime(2026, 1, 5))
    bulky.log_order("value", *sent(), run="bt-7")
    bulky.log_decision("value", decision(), as_of=datetime(2026, 1, 5), reads=[])
    assert calls == [
        ("run_decisions", "value", 1),
        ("run_orders", "value", 1),
        ("decisions", "value", 1),
    ]


def test_an_observer_does_not_take_a_state_of_a_backtest_for_a_live_one(store, calls, decision):
    view = store.at(datetime(2026, 1, 5), run="bt-7")
    view.log_decision("value", decision())
    view.save_strategy_state("value", {"cash": 1})
    view.delete_strategy_state("value")
    kept_as = f"{RUN_STATES}4\x1fbt-7\x1fvalue"
    assert calls == [
        ("run_decisions", "value", 1),
        ("run_state", kept_as, 1),
        ("run_state_deletions", kept_as, 1),
    ]


def test_an_observer_is_notified_of_what_another_store_held_by_strategy(site, calls, decision):
    source = BACKEND.format(store="Store = MemoryDataStore").replace(
        "Store())", "Store(), {given})"
    )
    given = "capabilities=frozenset({'Transfer'})"
    site.backend(source.replace("{given}", given), name="acme")
    bodies = [laws.decision_body(strategy, decision()) for strategy in ("value", "momentum")]
    lines, _ = laws.chain(bodies, datetime(2026, 1, 5, tzinfo=UTC), laws.GENESIS)
    with open_store("acme") as store:
        calls.clear()
        store.append_audit("decisions", date(2026, 1, 5), iter(lines))
        store.restore_state("value", iter([StateVersion(2, {}), StateVersion(1, {})]), expect=0)
        store.restore_state("value", [], expect=2)
        assert calls == [
            ("decisions", "value", 1),
            ("decisions", "momentum", 1),
            ("state", "value", 2),
        ]


def test_copied_records_of_a_run_are_reported_as_those_of_a_run(store, calls):
    with open_store("memory", observers=False) as source:
        source.log_decision("value", Decision("AAPL", Action.BUY, 0.1, 0.5, "cheap"), run="bt-7")
        source.log_decision("value", Decision("AAPL", Action.BUY, 0.1, 0.5, "cheap"))
        logged = list(source.iter_audit("decisions"))
    calls.clear()
    for day, line in logged:
        store.append_audit("decisions", day, [line])
    assert calls == [("run_decisions", "value", 1), ("decisions", "value", 1)]


def test_an_observer_is_told_how_many_bars_were_deleted(store, calls, bar):
    store.write_bars("AAPL", [bar(), bar(date=datetime(2026, 1, 6))])
    calls.clear()
    assert store.delete_bars("AAPL", date.min, date.max) == 2
    assert calls == [("deletions", "AAPL", 2)]


@pytest.mark.parametrize("removed", [0, None])
def test_an_observer_is_not_told_of_a_deletion_that_removed_nothing(bulky, calls, removed):
    bulky._nested.removed = removed
    assert bulky.delete_bars("AAPL", date.min, date.max) is removed
    assert calls == []


@pytest.mark.parametrize("name", TOLD)
def test_a_store_that_passes_its_calls_on_can_be_watched(site, calls, writes, name):
    store = acme(site, FORWARDING)
    calls.clear()
    getattr(store, name)(**writes[name])
    assert calls == [TOLD[name]]


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("name", ["write_event", "read_events"])
def test_a_store_that_passes_its_calls_on_has_the_signatures_of_the_protocol(site, name):
    store = acme(site, FORWARDING)
    assert inspect.signature(getattr(store, name)) == inspect.signature(
        getattr(MemoryDataStore(), name)
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_an_observer_that_raises_is_logged_and_the_others_are_reported(site, writes, caplog, hook):
    source = FAILING.format(hook=hook, arguments=HOOKS[hook])
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"a_bad": "acme_bad"})
    site.install("acme-watch", modules={"acme_watch": WATCH}, plugins={"watch": "acme_watch"})
    with open_store("memory") as store:
        store.write_event(**writes["write_event"])
    import acme_watch

    assert acme_watch.calls == [("opened", "memory"), ("events", "news", 1), ("closed",)]
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        "storecore",
        logging.ERROR,
        f"plugin 'a_bad' from acme-bad 1.0 (entry point 'acme_bad') failed in {hook}; the store "
        "goes on",
    )
    assert "observer bug" in caplog.text


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("1 / 0", "its import failed: ZeroDivisionError: division by zero"),
        ("import no_such_module", "its import failed: No module named 'no_such_module'"),
        (
            WATCH.replace("storecore_written", "storecore_writen"),
            "unknown hook 'storecore_writen' (did you mean 'storecore_written'?)",
        ),
        ("def __dir__(): raise OSError('lazy')", "it cannot be registered: OSError: lazy"),
        ("", "expected a function that is marked with @storecore.hookimpl, found none"),
        (
            "def storecore_written(store): pass",
            "acme_bad.py:1: storecore_written is not marked with @storecore.hookimpl",
        ),
        (
            WATCH + "def storecore_import_formats(): return []",
            "acme_bad.py:17: storecore_import_formats is not marked with @storecore.hookimpl",
        ),
        (
            WATCH.replace("count):", "n):"),
            "acme_bad.py:10: storecore_written has no parameter 'n'; it may name store, kind, "
            "key, count",
        ),
        (
            WATCH.replace("@hookimpl", "@hookimpl(specname='storecore_closed')", 1),
            "acme_bad.py:6: storecore_closed has no parameter 'spec'; it may name store",
        ),
        (
            WATCH.replace("def storecore_written", "async def storecore_written"),
            "acme_bad.py:10: storecore_written is async, and nothing awaits it; write a plain "
            "function",
        ),
        (
            WATCH.replace("def storecore_closed", "async def storecore_closed") + "    yield",
            "acme_bad.py:14: storecore_closed is async, and nothing awaits it; write a plain "
            "function",
        ),
        (
            WATCH + "    yield",
            "acme_bad.py:14: storecore_closed has a yield, and nothing runs it; write a plain "
            "function",
        ),
        (
            WATCH.replace("@hookimpl", "@hookimpl(wrapper=True)", 1),
            "Plugin 'bad' for hook 'storecore_opened' hookimpl definition: "
            "storecore_opened(store, spec) Declared as wrapper=True or hookwrapper=True but "
            "function is not a generator function",
        ),
        (
            "from storecore import hookimpl\n@hookimpl\nclass storecore_written: pass",
            "expected a function that is marked with @storecore.hookimpl, found none",
        ),
    ],
)
def test_an_observer_that_cannot_be_loaded_is_logged_and_left_out(site, caplog, source, cause):
    site.install("acme-bad", "1.5", modules={"acme_bad": source}, plugins={"bad": "acme_bad"})
    assert type(open_store("memory")) is MemoryDataStore
    assert caplog.messages == [
        f"plugin 'bad' from acme-bad 1.5 (entry point 'acme_bad') is left out: {cause}"
    ]


def test_an_observer_that_wraps_the_others_is_no_generator_that_nobody_runs(site):
    source = """
from storecore import hookimpl

calls = []

@hookimpl(wrapper=True)
def storecore_written(key):
    calls.append(key)
    return (yield)
"""
    site.install("acme-around", modules={"acme_around": source}, plugins={"around": "acme_around"})
    open_store("memory").write_event(records.event())
    import acme_around

    assert acme_around.calls == ["news"]


def test_a_hook_that_fails_at_each_write_is_logged_in_full_once_and_then_counted(site, caplog):
    source = FAILING.format(hook="storecore_written", arguments="store, key")
    source = source.replace(
        'RuntimeError("observer bug")', "{'a': OSError, 'b': KeyError}[key](key)"
    )
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"a_bad": "acme_bad"})
    with open_store("memory") as store:
        for key in ["a"] * 100 + ["b"]:
            store.write_event(records.event(type=key))
    failed = "plugin 'a_bad' from acme-bad 1.0 (entry point 'acme_bad') failed in storecore_written"
    assert [(each.getMessage(), bool(each.exc_info)) for each in caplog.records] == [
        (f"{failed}; the store goes on", True),
        (f"{failed} 10 times with OSError", False),
        (f"{failed} 100 times with OSError", False),
        (f"{failed}; the store goes on", True),
    ]


def test_a_password_in_the_error_of_a_hook_is_not_logged(site, caplog):
    source = FAILING.format(hook="storecore_written", arguments="store")
    source = source.replace("observer bug", "cannot reach http://me:hunter2@push.example/")
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"a_bad": "acme_bad"})
    open_store("memory").write_event(records.event())
    assert "RuntimeError: cannot reach http://…@push.example/" in caplog.text
    assert "hunter2" not in caplog.text


def test_an_observer_that_cannot_be_loaded_spoils_no_other(site, calls, monkeypatch):
    site.install("acme-bad", modules={"acme_bad": "1 / 0"}, plugins={"bad": "acme_bad"})
    monkeypatch.setattr("storecore.plugins.observers._loaded", None)
    open_store("memory")
    assert calls == [("opened", "memory")]


def test_observers_are_loaded_once(site, calls):
    open_store("memory")
    site.install("acme-late", modules={"acme_late": WATCH}, plugins={"late": "acme_late"})
    open_store("memory")
    assert [observer.described.split("'")[1] for observer in load_observers().all] == ["watch"]


def test_listing_backends_loads_no_observer(site):
    from storecore import backends
    from storecore.plugins import observers

    site.install("acme-bad", modules={"acme_bad": "1 / 0"}, plugins={"bad": "acme_bad"})
    backends()
    assert observers._loaded is None


def test_an_observer_that_opens_a_store_while_it_is_imported_does_not_block(site):
    source = "import storecore\nstore = storecore.open_store('memory')\n" + WATCH
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    opened = []
    thread = threading.Thread(target=lambda: opened.append(open_store("memory")), daemon=True)
    thread.start()
    thread.join(20)
    import acme_watch

    assert type(acme_watch.store) is MemoryDataStore
    assert acme_watch.calls == [("opened", "memory")]
    assert len(opened) == 1


def test_a_namesake_of_an_observer_is_reported_too(site):
    for name in ("acme-one", "acme-two"):
        module = name.replace("-", "_")
        site.install(name, modules={module: WATCH}, plugins={"watch": module})
    open_store("memory")
    import acme_one
    import acme_two

    assert acme_one.calls == acme_two.calls == [("opened", "memory")]


def test_observers_are_called_by_name_whatever_one_of_them_raises(site):
    order = """
from storecore import hookimpl
import acme_order

@hookimpl(tryfirst={first})
def storecore_written():
    acme_order.calls.append("{name}")
    raise OSError
"""
    site.install("acme-order", modules={"acme_order": "calls = []"})
    for name, first in (("b", False), ("c", True), ("a", False)):
        source = order.format(name=name, first=first)
        site.install(
            f"acme-{name}", modules={f"acme_{name}": source}, plugins={name: f"acme_{name}"}
        )
    open_store("memory").write_event(records.event())
    import acme_order

    assert acme_order.calls == ["a", "b", "c"]


def test_an_observer_that_two_entry_points_name_is_called_once(site):
    both = {"watch": "acme_watch", "again": "acme_watch"}
    site.install("acme-watch", modules={"acme_watch": WATCH}, plugins=both)
    import acme_watch

    with storecore.register(acme_watch):
        open_store("memory")
    assert acme_watch.calls == [("opened", "memory")]


def test_a_watched_store_can_be_copied_like_the_store_itself(store):
    assert copy.copy(store).symbols() == store.symbols()


# Tables of bars.


def bar_table(bar):
    bars = [bar(), bar(symbol="MSFT"), bar(date=datetime(2026, 1, 6))]
    names = type(bars[0]).__struct_fields__
    return pa.table({name: [getattr(each, name) for each in bars] for name in names})


class OneArray:
    """Gives its rows by the interface of a single array alone."""

    def __init__(self, table):
        self._batch = table.to_batches()[0]

    def __arrow_c_array__(self, requested_schema=None):
        return self._batch.__arrow_c_array__(requested_schema)


@pytest.mark.parametrize(
    "given_as",
    [
        lambda table: table,
        lambda table: table.to_reader(),
        lambda table: table.to_batches()[0],
        lambda table: table.to_pandas(),
        pl.from_arrow,
        OneArray,
    ],
    ids=["table", "reader", "record batch", "pandas", "polars", "one array"],
)
def test_an_observer_is_notified_of_a_table_by_symbol(calls, store, bar, given_as):
    store.write_bar_table(given_as(bar_table(bar)))
    assert sorted(calls) == [("bars", "AAPL", 2), ("bars", "MSFT", 1)]
    assert store.symbols() == ["AAPL", "MSFT"]


def test_an_observer_is_notified_of_the_bars_of_a_frame_by_their_symbol(calls, store, bar):
    frame = bar_table(bar).drop_columns("symbol").to_pandas().set_index("date").iloc[:1]
    store.write_bar_table(frame, symbol="IBM", timeframe="1h")
    assert calls == [("bars", "IBM", 1)]
    assert len(store.read_bars("IBM", timeframe="1h")) == 1


@pytest.mark.parametrize("bad", [7, None, "AAPL"])
def test_an_observer_is_not_told_of_what_is_no_table(calls, store, bad):
    with pytest.raises(InvalidData, match="expected a pyarrow"):
        store.write_bar_table(bad)
    assert calls == []


@pytest.mark.parametrize("name", ["repair", "compact", "verify"])
def test_an_observer_is_not_told_of_maintenance(calls, store, name):
    assert getattr(store, name)().ok
    assert calls == []


def test_an_observer_is_not_told_of_an_empty_table(calls, store, bar):
    store.write_bar_table(bar_table(bar).slice(0, 0))
    assert calls == []


# What an observer raises.


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    "raised", ["SystemExit(3)", "GeneratorExit", "asyncio.CancelledError", "BaseException"]
)
def test_whatever_an_observer_raises_harms_no_write(site, event, caplog, hook, raised):
    source = "import asyncio\n" + FAILING.format(hook=hook, arguments=HOOKS[hook])
    source = source.replace('RuntimeError("observer bug")', raised)
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"bad": "acme_bad"})
    with open_store("memory") as store:
        store.write_event(event())
        assert len(store.read_events(datetime.min, datetime.max)) == 1
    assert caplog.messages == [
        f"plugin 'bad' from acme-bad 1.0 (entry point 'acme_bad') failed in {hook}; the store "
        "goes on"
    ]


@pytest.mark.parametrize("raised", ["SystemExit", "GeneratorExit"])
def test_an_observer_whose_import_ends_the_program_is_left_out(site, caplog, raised):
    site.install("acme-bad", modules={"acme_bad": f"raise {raised}"}, plugins={"bad": "acme_bad"})
    assert type(open_store("memory")) is MemoryDataStore
    assert f"is left out: its import failed: {raised}" in caplog.text


def test_an_interrupt_in_a_hook_goes_through_and_observers_go_on(site, event):
    source = FAILING.format(hook="storecore_written", arguments=HOOKS["storecore_written"])
    source = source.replace('RuntimeError("observer bug")', "KeyboardInterrupt")
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"bad": "acme_bad"})
    store = open_store("memory")
    for count in (1, 2):  # the write has taken effect
        with pytest.raises(KeyboardInterrupt):
            store.write_event(event())
        assert len(store.read_events(datetime.min, datetime.max)) == count


def test_a_store_whose_opening_is_interrupted_in_a_hook_is_closed(site, monkeypatch):
    source = FAILING.format(hook="storecore_opened", arguments=HOOKS["storecore_opened"])
    source = source.replace('RuntimeError("observer bug")', "KeyboardInterrupt")
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"bad": "acme_bad"})
    opened = MemoryDataStore()
    monkeypatch.setattr("storecore.builtin.memory.MemoryDataStore", lambda: opened)
    with pytest.raises(KeyboardInterrupt):
        open_store("memory")
    with pytest.raises(StoreClosed):
        opened.symbols()


def test_an_interrupt_while_observers_are_loaded_leaves_them_to_be_loaded_again(site):
    path = site.install(
        "acme-watch", modules={"acme_watch": "raise KeyboardInterrupt"}, plugins={"w": "acme_watch"}
    ).parent
    with pytest.raises(KeyboardInterrupt):
        open_store("memory")
    (path / "acme_watch.py").write_text(WATCH)
    open_store("memory")
    assert len(load_observers().all) == 1


@pytest.mark.parametrize("bound", [False, True])
def test_what_a_signal_handler_of_the_program_raises_in_a_hook_goes_through(site, event, bound):
    class Program:
        def stop(self, number, frame):
            raise SystemExit("stopped")

    source = """
import signal
from storecore import hookimpl

@hookimpl
def storecore_written(store, kind, key, count):
    signal.raise_signal(signal.SIGUSR1)
"""
    site.install("acme-slow", modules={"acme_slow": source}, plugins={"slow": "acme_slow"})
    handler = Program().stop
    before = signal.signal(signal.SIGUSR1, handler if bound else lambda *args: handler(*args))
    try:
        with open_store("memory") as store, pytest.raises(SystemExit, match="stopped"):
            store.write_event(event())
    finally:
        signal.signal(signal.SIGUSR1, before)


# What an observer does.


@pytest.fixture
def writing(site):
    """Install an observer that writes in its hook, and return the list of what it is told."""
    told = "calls.append((kind, key, count))"
    more = """
    store.save_strategy_state(f"{kind} {key}", {"count": count})
    with storecore.open_store("memory") as other:
        other.save_strategy_state("other", {})
"""
    source = "import storecore\n" + WATCH.replace(told, told + more)
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    load_observers()
    import acme_watch

    return acme_watch.calls


def test_an_observer_is_not_told_of_what_it_writes_in_its_hook(writing, event):
    with open_store("memory") as store:
        store.write_event(event())
        store.save_strategy_state("value", {})
        assert store.strategies() == ["events news", "state value", "value"]
    told = [("opened", "memory"), ("events", "news", 1), ("state", "value", 1), ("closed",)]
    assert writing == told


def test_another_thread_is_told_while_one_is_in_a_hook(site, event):
    source = """
import threading
from storecore import hookimpl

calls, entered, left = [], threading.Event(), threading.Event()

@hookimpl
def storecore_written(store, kind, key, count):
    calls.append(key)
    if key == "first":
        entered.set()
        assert left.wait(20)
"""
    site.install("acme-slow", modules={"acme_slow": source}, plugins={"slow": "acme_slow"})
    with open_store("memory") as store:
        import acme_slow

        thread = threading.Thread(target=lambda: store.write_event(event(type="first")))
        thread.start()
        assert acme_slow.entered.wait(20)
        store.write_event(event(type="second"))
        acme_slow.left.set()
        thread.join(20)
    assert acme_slow.calls == ["first", "second"]


def test_a_closed_store_can_be_named_in_the_hook_and_nothing_else(site):
    source = """
from storecore import hookimpl

calls = []

@hookimpl
def storecore_closed(store):
    calls.append(repr(store))
    try:
        store.symbols()
    except Exception as error:
        calls.append(type(error).__name__)
"""
    site.install("acme-last", modules={"acme_last": source}, plugins={"last": "acme_last"})
    open_store("memory").close()
    import acme_last

    named, refused = acme_last.calls
    assert "MemoryDataStore" in named
    assert refused == "StoreClosed"


# How it is turned off, and what is copied.


def test_observers_are_off_for_a_store_that_is_opened_so(calls):
    assert type(open_store("memory", observers=False)) is MemoryDataStore
    assert calls == []


@pytest.mark.parametrize("word", ["off", "OFF", "0", "false", "no"])
def test_observers_are_off_where_the_environment_says_so(site, monkeypatch, word):
    site.install("acme-bad", modules={"acme_bad": "1 / 0"}, plugins={"bad": "acme_bad"})
    monkeypatch.setenv("STORECORE_OBSERVERS", word)
    assert type(open_store("memory")) is MemoryDataStore
    assert "acme_bad" not in sys.modules


@pytest.mark.parametrize("word", ["", "on", "1", "True", "yes"])
def test_observers_are_on_where_the_environment_says_so(calls, monkeypatch, word):
    monkeypatch.setenv("STORECORE_OBSERVERS", word)
    open_store("memory")
    assert calls == [("opened", "memory")]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("word", ["perhaps", "-", "-a,", "-a,b", "off,-a"])
def test_another_word_in_the_environment_is_refused(monkeypatch, word):
    monkeypatch.setenv("STORECORE_OBSERVERS", word)
    said = rf"^STORECORE_OBSERVERS='{word}': expected one of on, 1.* leave out, as in -prometheus,"
    with pytest.raises(ConfigError, match=said):
        open_store("memory")


@pytest.mark.parametrize("word", ["-bad", "-other, -bad"])
def test_observers_that_the_environment_names_are_left_out(site, monkeypatch, calls, word, caplog):
    site.install("acme-bad", modules={"acme_bad": "1 / 0"}, plugins={"bad": "acme_bad"})
    monkeypatch.setenv("STORECORE_OBSERVERS", word)
    open_store("memory")
    assert ("acme_bad" in sys.modules, calls, caplog.messages) == (
        False,
        [("opened", "memory")],
        [],
    )
    monkeypatch.setenv("STORECORE_OBSERVERS", f"{word},-watch")
    assert type(open_store("memory")) is MemoryDataStore


@pytest.mark.parametrize("given", ["off", "", 0, 1, None, ["watch"]])
@pytest.mark.parametrize("name", ["observers", "create"])
def test_an_argument_that_is_no_bool_is_refused(calls, name, given):
    said = f"^open_store: {name}: expected True or False, got {type(given).__name__}"
    with pytest.raises(ConfigError, match=said):
        open_store("memory", **{name: given})
    assert calls == []


def test_a_value_that_names_observers_is_refused_with_the_place_for_names():
    with pytest.raises(
        ConfigError, match="name them in the environment: STORECORE_OBSERVERS=-NAME"
    ):
        open_store("memory", observers="prometheus")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            "observers",
            r"unknown option; .* are switched off by open_store\(…, observers=False\), or",
        ),
        ("create", r"unknown option; .* argument of open_store: open_store\(…, create=False\)"),
    ],
)
def test_an_argument_of_open_store_in_a_config_says_where_it_goes(option, said):
    with pytest.raises(ConfigError, match=said):
        open_store({"backend": "memory", option: False})


@pytest.mark.usefixtures("calls")
def test_two_watched_stores_of_a_kind_are_of_one_type(tmp_path):
    one, other, memory = (
        open_store(*each)
        for each in (
            ({"backend": "file", "base_path": tmp_path / "one"},),
            ({"backend": "file", "base_path": tmp_path / "other"},),
            ("memory",),
        )
    )
    assert type(one) is type(other) is type(memory)
    assert one.capabilities - memory.capabilities == {"BarStream", "DiskUsage"}


def test_a_watched_store_is_pickled_as_what_it_watches_is(calls, tmp_path, bar, monkeypatch):
    with open_store("file", base_path=tmp_path) as store:
        pickled = pickle.dumps(store)
        calls.clear()
        again = pickle.loads(pickled)
        again.write_bars("AAPL", [bar()])
        assert (type(again), calls) == (type(store), [("opened", "file"), ("bars", "AAPL", 1)])
        assert store.symbols() == ["AAPL"]
    again.close()
    assert calls == [("opened", "file"), ("bars", "AAPL", 1), ("closed",), ("closed",)]
    monkeypatch.setenv("STORECORE_OBSERVERS", "off")
    with pickle.loads(pickled) as unwatched:
        assert type(unwatched).__name__ == "FileDataStore"


def test_a_closed_store_that_is_unpickled_is_reported_as_neither_opened_nor_closed(calls, tmp_path):
    store = open_store("file", base_path=tmp_path)
    store.close()
    calls.clear()
    pickle.loads(pickle.dumps(store)).close()
    assert calls == []


def test_an_unpickled_store_gives_its_hook_the_spec_of_its_backend(site, tmp_path):
    source = """
from storecore import hookimpl

specs = []

@hookimpl
def storecore_opened(spec):
    specs.append(spec)
"""
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    nested = {"backend": "file", "base_path": tmp_path}
    with open_store("cached", store=nested) as store, pickle.loads(pickle.dumps(store)) as again:
        pickle.loads(pickle.dumps(again)).close()
    import acme_watch

    first, second, third = acme_watch.specs
    assert first == second == third
    assert (first.name, "pickled" in first.promises) == ("cached", True)


def test_a_store_of_a_backend_that_this_process_lacks_is_unpickled_and_observed(
    calls, tmp_path, event, caplog
):
    spec = structs.replace(load_spec("file"), name="mine")
    with storecore.register(spec), open_store("mine", base_path=tmp_path) as store:
        pickled = pickle.dumps(store)
    calls.clear()
    with pickle.loads(pickled) as again:
        again.write_event(event())
    assert calls == [("events", "news", 1), ("closed",)]
    (said,) = caplog.messages
    assert said.startswith("storecore_opened is not called for an unpickled store: no backend 'm")


def test_a_store_that_is_closed_in_a_hook_is_reported_when_the_program_closes_it(site):
    told = 'calls.append(("opened", spec.name))'
    source = WATCH.replace(told, told + "\n    store.close()")
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    store = open_store("memory")
    import acme_watch

    assert acme_watch.calls == [("opened", "memory")]
    store.close()
    store.close()
    assert acme_watch.calls == [("opened", "memory"), ("closed",)]


def test_a_store_that_is_closed_again_in_the_hook_of_its_closing_is_reported_once(site):
    told = 'calls.append(("closed",))'
    source = WATCH.replace(told, told + "\n    store.close()")
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    open_store("memory").close()
    import acme_watch

    assert acme_watch.calls == [("opened", "memory"), ("closed",)]


def test_a_watched_store_that_cannot_be_pickled_says_why(store):
    with pytest.raises(TypeError, match="a MemoryDataStore cannot be pickled"):
        pickle.dumps(store)


SILENT = """
class Silent:
    __signature__ = "none that Python knows"

    def __call__(self, event):
        store.write_event(event)

store = MemoryDataStore()

class Store(MemoryDataStore):
    write_event = Silent()
"""


def test_a_store_whose_method_shows_no_parameters_can_be_watched(site, calls, event):
    opened = acme(site, SILENT)
    calls.clear()
    opened.write_event(event())
    assert calls == [("events", "news", 1)]


def test_an_observer_is_told_what_was_deleted_renamed_and_replaced(
    store, calls, bar, event, fundamental
):
    store.write_bars("AAPL", [bar(), bar(date=datetime(2026, 1, 6))])
    store.write_events([event(), event(symbol=None), event(type="split"), event(type="split")])
    store.write_fundamentals([fundamental()])
    store.save_strategy_state("value", {})
    calls.clear()
    ever = date.min, date.max
    store.write_bar_table(records.bar_table([bar()]), replace=True)
    store.rename_symbol("AAPL", "NEW")
    store.delete_events(*ever, iter(["news"]), iter(["NEW"]))
    store.delete_events(*ever, ["news", "split"], [None])
    store.delete_events(*ever)
    store.delete_fundamentals("NEW", *ever)
    assert store.delete_strategy_state("value") is True
    assert calls == [
        ("bars", "AAPL", 1),
        ("renames", "AAPL", 1),
        ("renames", "NEW", 1),
        ("event_deletions", "news", 1),
        ("event_deletions", "", 1),
        ("event_deletions", "", 2),
        ("fundamental_deletions", "NEW", 1),
        ("state_deletions", "value", 1),
    ]


def test_an_observer_is_not_told_of_what_was_not_there_or_was_refused(store, calls):
    assert store.delete_events(date.min, date.max) == 0
    assert store.delete_fundamentals("AAPL", date.min, date.max) == 0
    assert store.delete_strategy_state("value") is False
    with pytest.raises(InvalidData):
        store.rename_symbol("AAPL", "NEW")
    assert calls == []


# Writes that were added later: through wrappers, with an observer that raises, and with extras.

EVER = date.min, date.max
LATER_WRITES = {
    "replace": (
        lambda store: store.write_bar_table(
            records.bar_table([records.bar(), records.bar(symbol="MSFT")]), replace=True
        ),
        [("bars", "AAPL", 1), ("bars", "MSFT", 1)],
    ),
    "delete_bars": (
        lambda store: store.delete_bars("MSFT", *EVER),
        [("deletions", "MSFT", 1)],
    ),
    "delete_events": (
        lambda store: store.delete_events(*EVER, types=iter(["news"]), symbols="AAPL"),
        [("event_deletions", "news", 1)],
    ),
    "delete_fundamentals": (
        lambda store: store.delete_fundamentals(symbol="AAPL", start=date.min, end=date.max),
        [("fundamental_deletions", "AAPL", 1)],
    ),
    "rename_symbol": (
        lambda store: store.rename_symbol(new="NEW", old="AAPL"),
        [("renames", "AAPL", 1), ("renames", "NEW", 1)],
    ),
    "delete_strategy_state": (
        lambda store: store.delete_strategy_state("value", expect=1),
        [("state_deletions", "value", 1)],
    ),
    "log_decision": (
        lambda store: store.log_decision(
            "value", records.decision(action=Action.SELL, extra={"a": 1})
        ),
        [("decisions", "value", 1)],
    ),
    "log_orders": (
        lambda store: store.log_orders("value", [records.sent(extra={"route": "X"})] * 2),
        [("orders", "value", 2)],
    ),
}
PLACES = {
    "memory": {"backend": "memory"},
    "cached": {"backend": "cached", "store": {"backend": "memory"}},
    "mirror": {
        "backend": "mirror",
        "primary": {"backend": "memory"},
        "replicas": [{"backend": "memory"}, {"backend": "cached", "store": {"backend": "memory"}}],
    },
}


def fill(store):
    store.write_bars("AAPL", [records.bar()])
    store.write_bars("MSFT", [records.bar(symbol="MSFT", extra={"vwap": 1.5}, volume=None)])
    store.write_event(records.event())
    store.write_fundamental("AAPL", records.fundamental(extra={"eps": 1.5}))
    store.save_strategy_state("value", {})


def decided(store):
    """What a store has, apart from times and hashes of the log."""
    return [
        store.inventory(),
        store.read_bar_table(["AAPL", "MSFT", "NEW"]).to_pylist(),
        store.read_events(*EVER),
        [store.fundamentals(symbol) for symbol in ("AAPL", "NEW")],
        store.load_versioned_state("value"),
        [each.decision for each in store.read_decisions(*EVER)],
        [(each.order, each.result) for each in store.read_orders(*EVER)],
    ]


@pytest.mark.few(12)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", LATER_WRITES)
def test_each_later_write_is_reported_once_through_any_wrapper(calls, name, place):
    write, told = LATER_WRITES[name]
    with open_store(PLACES[place]) as store, MemoryDataStore() as plain:
        for each in (store, plain):
            fill(each)
            decided(each)  # into the cache
        calls.clear()
        write(store)
        assert calls == told
        write(plain)
        assert decided(store) == decided(plain)


@pytest.mark.parametrize("name", LATER_WRITES)
def test_an_observer_that_raises_harms_no_later_write(site, caplog, name):
    source = FAILING.format(hook="storecore_written", arguments=HOOKS["storecore_written"])
    site.install("acme-bad", modules={"acme_bad": source}, plugins={"a_bad": "acme_bad"})
    site.install("acme-watch", modules={"acme_watch": WATCH}, plugins={"watch": "acme_watch"})
    write, told = LATER_WRITES[name]
    with open_store("memory") as store, MemoryDataStore() as plain:
        fill(store)
        fill(plain)
        import acme_watch

        acme_watch.calls.clear()
        caplog.clear()
        assert write(store) == write(plain)
        assert acme_watch.calls == told
        assert decided(store) == decided(plain)
    assert caplog.messages == []  # the first write has logged it


@pytest.mark.parametrize("name", LATER_WRITES)
def test_a_readonly_store_refuses_each_later_write_and_reports_none(calls, name):
    with open_store("readonly", store={"backend": "memory"}) as store:
        fill(store._nested._nested)
        before = decided(store)
        calls.clear()
        with pytest.raises(StorageError, match="is opened for reading only"):
            LATER_WRITES[name][0](store)
        assert (calls, decided(store)) == ([], before)


REFUSING = """
class Store(MemoryDataStore):
    def __init__(self):
        super().__init__()
        self._bars.replace = self._rename = self._refused
        for each in (self._bars, self._fundamentals, self._events, self._states):
            each.delete = self._refused
        for log in self._logs.values():
            log.write = self._refused

    def _refused(self, *args):
        raise OSError("the disk of the replica is gone")
"""


@pytest.mark.few(8)
@pytest.mark.parametrize("name", LATER_WRITES)
@pytest.mark.parametrize("on_failure", ["log", "raise"])
def test_a_replica_that_fails_is_named_and_the_write_is_reported_unless_it_raises(
    site, calls, caplog, name, on_failure
):
    able = f"capabilities={set(storecore_backend().capabilities)}, open="
    site.backend(BACKEND.format(store=REFUSING).replace("open=", able), name="acme")
    write, told = LATER_WRITES[name]
    options = {"primary": {"backend": "memory"}, "replicas": [{"backend": "acme"}]}
    with (
        open_store("mirror", **options, on_failure=on_failure) as store,
        MemoryDataStore() as plain,
    ):
        fill(store)
        fill(plain)
        calls.clear()
        if on_failure == "raise":
            with pytest.raises(StorageError, match="disk of the replica is gone; do not write it"):
                write(store)
        else:
            write(store)
        write(plain)
        assert calls == (told if on_failure == "log" else [])
        assert "the primary has it, but not these replicas" in caplog.text
        assert decided(store) == decided(plain)
