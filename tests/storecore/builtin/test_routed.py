"""The routed backend keeps each kind of data in the store of its route."""

from __future__ import annotations

import errno
import pickle
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from storecore import (
    BarTables,
    Catalog,
    ConfigError,
    CorruptData,
    DiskUsage,
    History,
    InvalidData,
    Maintenance,
    NoStore,
    StateConflict,
    StorageError,
    StoreClosed,
    UnknownBackend,
    copy_store,
    load_config,
    open_store,
)
from storecore.builtin.cached import CachedStore
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore
from storecore.builtin.readonly import ReadonlyStore
from storecore.builtin.routed import KINDS, RoutedStore
from storecore.config.open import prepare
from storecore.protocols import CAPABILITIES
from storecore.reports import Finding, Report
from storecore.store.base import Store
from storecore.store.wrapper import Wrapper

EVER = date.min, date.max
JAN_5 = datetime(2026, 1, 5)
MEMORY = {"backend": "memory"}
OTHER = {"backend": "memory", "state_versions": 7}


class Failing(MemoryDataStore):
    """A store whose disk is gone."""

    closed = 0

    def read_bars(self, symbol, start=None, end=None, *, timeframe="1d", last=None):
        raise StorageError("the disk is gone", "/fast/bars", errno.EIO)

    def verify(self, *, against=None):
        raise StorageError("the disk is gone")

    def compact(self):
        raise StorageError("the disk is gone")

    def close(self):
        self.closed += 1
        super().close()
        raise StorageError("the disk is gone")


class Reporting(MemoryDataStore):
    """A store with a finding, a note and something that it has repaired."""

    def verify(self, *, against=None):
        return Report(2, (Finding("damaged", "a.parquet", "a flipped bit"),))

    def repair(self, *, dry_run=False):
        return Report(3, (), ("moved b",), (Finding("torn", "b.jsonl", "cut off"),))


class Ten:
    """A store with the ten methods alone, which are those of memory."""

    capabilities = frozenset()

    def __init__(self):
        self._store = MemoryDataStore()

    def __getattr__(self, name):
        if name in ("write_bars", "read_bars", "write_event", "read_events", "close"):
            return getattr(self._store, name)
        raise AttributeError(name)


@pytest.fixture
def file(tmp_path):
    """The table of a file store in a folder of the test."""
    return lambda name, **more: {"backend": "file", "base_path": tmp_path / name, **more}


@pytest.fixture
def each():
    """A store of its own for each kind, and the store that routes to them."""
    stores = {kind: MemoryDataStore() for kind in KINDS}
    with RoutedStore(stores) as store:
        yield store


@pytest.fixture
def pair():
    """Bars and audit in one store, the rest in another, and the store that routes to them."""
    default, other = MemoryDataStore(), MemoryDataStore()
    with RoutedStore({"default": default, "bars": other, "audit": other}) as store:
        yield store, default, other


def test_each_write_goes_to_the_route_of_its_kind_and_is_read_from_there(each, writes):
    for name, given in writes.items():
        getattr(each, name)(**given)
    for kind, store in each.routes.items():
        held = {
            "bars": len(store.read_bars("AAPL")),
            "fundamentals": len(store.fundamentals("AAPL")),
            "events": len(store.read_events()),
            "states": len(store.strategies()),
            "audit": store.verify_audit().checked,
        }
        assert held == {**dict.fromkeys(KINDS, 0), kind: 2 if kind == "audit" else 1}
    assert each.read_bars("AAPL") == writes["write_bars"]["bars"]
    assert each.fundamentals("AAPL") == [writes["write_fundamental"]["data"]]
    assert [one.type for one in each.read_events()] == ["news"]
    assert each.load_strategy_state("value") == {"cash": 1}
    assert len(each.read_decisions()) == len(each.read_orders()) == 1
    assert (each.symbols(), each.strategies(), each.event_symbols()) == (
        ["AAPL"],
        ["value"],
        ["AAPL"],
    )


def test_a_kind_without_a_route_is_in_the_default(pair, bar, event):
    store, default, other = pair
    store.write_bars("AAPL", [bar()])
    store.write_event(event())
    assert (default.symbols(), other.symbols()) == ([], ["AAPL"])
    assert (len(default.read_events()), len(other.read_events())) == (1, 0)


def test_equal_routes_are_one_store(file):
    with open_store("routed", default=MEMORY, bars=file("x"), events=file("x")) as store:
        routes = store.routes
        assert routes["bars"] is routes["events"]
        assert routes["states"] is routes["audit"] is routes["fundamentals"] is not routes["bars"]


def test_routes_are_equal_if_options_that_one_leaves_out_are_the_defaults(file):
    same = {**MEMORY, "history": True}
    wrapped = [
        {"backend": "cached", "store": file("x", **more)} for more in ({}, {"history": True})
    ]
    with open_store(
        "routed", default=MEMORY, audit=same, bars=wrapped[0], events=wrapped[1]
    ) as store:
        routes = store.routes
        assert routes["audit"] is routes["states"]
        assert routes["bars"] is routes["events"]


@pytest.mark.parametrize(
    ("path", "more"), [("x", {"history": False}), ("link", {}), ("y/../x", {"durability": "os"})]
)
def test_one_place_with_other_options_is_refused(file, tmp_path, path, more):
    (tmp_path / "y").mkdir()
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(ConfigError) as caught:
        open_store("routed", default=MEMORY, bars=file("x"), events=file(path, **more))
    message = str(caught.value)
    assert message.startswith("bars and events are the same place, FileDataStore(base_path=")
    assert "give both routes the same options" in message


def test_a_wrapper_around_the_place_of_another_route_is_refused(file):
    bars = {"backend": "cached", "store": file("x")}
    with pytest.raises(ConfigError, match=r"^default and bars, audit are the same place, File"):
        open_store("routed", default=file("x"), bars=bars, audit=bars)


THIRD = """
from pathlib import Path
from msgspec import Struct
from storecore import BackendSpec, RowStore, hookimpl
from storecore.store.row_store import Rows

class Config(Struct):
    path: Path
    timeout: float = 30.0

class NoRows(Rows):
    opened = closed = 0
    def __init__(self):
        NoRows.opened += 1
    def transaction(self, *, write): ...
    def read(self, kind, key, first, last, *, newest=None): ...
    def put(self, kind, rows): ...
    def delete(self, kind, key, first, last): ...
    def keys(self, kind): ...
    def close(self):
        NoRows.closed += 1

@hookimpl
def storecore_backend():
    return BackendSpec(
        name="lite", config=Config, open=lambda config: RowStore(NoRows()), init=lambda config:
        f"grant {config.path.name};"
    )
"""


@pytest.fixture
def lite(site, tmp_path):
    """The table of a store of a third party, which does not tell its place."""
    site.backend(THIRD, name="lite")
    return lambda name, **more: {"backend": "lite", "path": tmp_path / name, **more}


def test_stores_that_do_not_tell_their_places_are_apart_by_their_paths(lite, tmp_path):
    (tmp_path / "link").symlink_to("a")
    with open_store("routed", default=lite("a"), bars=lite("b"), audit=lite("a")) as store:
        assert len({id(route) for route in store.routes.values()}) == 2
    for path, more in (("a", {"timeout": 1.0}), ("link", {})):
        with pytest.raises(ConfigError, match=r"^default and bars are the same place, RowStore"):
            open_store("routed", default=lite("a"), bars=lite(path, **more))
    import acme_lite

    assert acme_lite.NoRows.opened == acme_lite.NoRows.closed == 6


def test_stores_of_two_backends_may_have_the_same_path(lite, site, tmp_path):
    site.backend(THIRD.replace("lite", "other"), name="other")
    other = {"backend": "other", "path": tmp_path / "a"}
    with open_store("routed", default=lite("a"), bars=other) as store:
        assert store.routes["bars"] is not store.routes["audit"]


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ({}, "default: missing; it is the store of bars, fundamentals, events, states, audit"),
        ({"bars": MEMORY, "states": OTHER}, "default: missing; it is the store of fundamentals, e"),
        (dict.fromkeys(("default", *KINDS), MEMORY), "default: each kind of data has a store of"),
        ({"default": MEMORY, "bar": MEMORY}, r"bar: unknown option (did you mean 'bars'?); expec"),
        ({"default": "memory"}, 'default: expected a store, as in { backend = "file", … }, got '),
    ],
)
def test_unusable_routes_are_refused_by_name(routes, message):
    with pytest.raises(ConfigError) as caught:
        open_store("routed", **routes)
    assert re.match(rf"\[store\]:? {re.escape(message)}", str(caught.value))


def test_open_stores_are_refused_for_what_is_no_kind():
    with pytest.raises(ConfigError, match=r"^event: no kind of data \(did you mean 'events'\?\); "):
        RoutedStore({"default": MemoryDataStore(), "event": MemoryDataStore()})


def test_a_mistake_in_a_route_names_its_place(file):
    with pytest.raises(ConfigError, match=r"^\[store\.bars\] base_pth: unknown option"):
        open_store("routed", default=MEMORY, bars=file("x", base_pth=1))
    with pytest.raises(UnknownBackend, match=r"^\[store\.events\] backend: no backend 'fil'"):
        open_store("routed", default=MEMORY, events={"backend": "fil"})


def test_a_route_that_is_none_is_not_given():
    with open_store("routed", default=MEMORY, bars=None) as store:
        assert store.routes["bars"] is store.routes["audit"]


def test_a_config_file_has_variables_and_relative_paths(tmp_path, monkeypatch, bar):
    monkeypatch.setenv("FAST", "fast")
    config = tmp_path / "storecore.toml"
    config.write_text(
        '[store]\nbackend = "routed"\ndefault = { backend = "memory" }\n'
        'bars = { backend = "file", base_path = "${FAST}/bars" }\n'
    )
    with open_store(load_config(config)) as store:
        store.write_bars("AAPL", [bar()])
    assert list((tmp_path / "fast" / "bars" / "prices").iterdir())


def test_a_store_that_cannot_be_opened_is_named_and_the_others_are_closed(monkeypatch, tmp_path):
    opened = MemoryDataStore()
    monkeypatch.setattr("storecore.builtin.memory.MemoryDataStore", lambda **_: opened)
    (tmp_path / "taken").touch()
    bars = {"backend": "file", "base_path": tmp_path / "taken"}
    with pytest.raises(StorageError, match=r"^bars, events: "):
        open_store("routed", default=MEMORY, bars=bars, events=bars)
    with pytest.raises(StoreClosed):
        opened.symbols()


def test_only_stores_that_exist_are_opened_if_nothing_may_be_created(file, tmp_path):
    routes = {"default": file("all"), "bars": file("bars")}
    open_store(file("all")).close()
    with pytest.raises(NoStore, match=r"^bars: "):
        open_store("routed", create=False, **routes)
    assert not (tmp_path / "bars").exists()
    open_store(file("bars")).close()
    open_store("routed", create=False, **routes).close()
    with pytest.raises(ConfigError, match=r"^bars: backend 'memory'.*omit create=False"):
        open_store("routed", create=False, default=file("all"), bars=MEMORY)


def test_a_capability_is_that_of_the_routes_that_it_concerns(file):
    with open_store("routed", default=MEMORY, bars=file("x")) as store:
        assert isinstance(store, DiskUsage)
    with open_store("routed", default=file("x"), bars=MEMORY) as store:
        assert not isinstance(store, DiskUsage)
        assert isinstance(store, History)
    store = RoutedStore({"default": MemoryDataStore(), "audit": Ten()})
    assert store.capabilities == MemoryDataStore().capabilities - {
        *("AuditTrail", "BulkAudit", "Maintenance", "Transfer")
    }
    store = RoutedStore({"default": MemoryDataStore(), "states": Ten()})
    assert not {"Catalog", "VersionedState", "Maintenance"} & store.capabilities
    store = RoutedStore({"default": MemoryDataStore(), "events": Ten()})
    assert not isinstance(store, History | Maintenance | Catalog)
    assert isinstance(store, BarTables)
    with pytest.raises(AttributeError, match="does not have the capability History"):
        store.snapshot("q1")


def test_a_spec_declares_what_its_stores_have_and_the_promises_of_all_routes(file):
    prepared = prepare("routed", default=file("x"), bars=MEMORY)
    with prepared.open() as store:
        assert store.capabilities == prepared.spec.capabilities
    assert prepared.spec.promises == frozenset()
    both = prepare("routed", default=file("x"), bars=file("y"))
    assert both.spec.promises == prepare(file("x")).spec.promises != frozenset()


def test_an_error_names_the_route_once_and_stays_what_it_was():
    inner = RoutedStore({"default": MemoryDataStore(), "bars": Failing()})
    store = RoutedStore({"default": inner, "audit": MemoryDataStore()})
    with pytest.raises(StorageError) as caught:
        store.read_bars("AAPL")
    assert str(caught.value) == "bars: the disk is gone"
    assert (caught.value.path, caught.value.errno) == ("/fast/bars", errno.EIO)
    with pytest.raises(StateConflict, match=r"^states: the state of 'value' is at version 0"):
        store.save_strategy_state("value", {}, expect=7)


def test_an_error_without_a_message_names_the_route():
    class Silent(MemoryDataStore):
        def read_events(self, start=None, end=None, types=None, *, symbols=None, ingested_by=None):
            raise InvalidData

    with pytest.raises(InvalidData, match=r"^events: $"):
        RoutedStore({"default": MemoryDataStore(), "events": Silent()}).read_events()


def test_an_error_in_the_midst_of_a_stream_names_the_route(pair, event):
    class Torn(MemoryDataStore):
        def iter_events(self):
            yield event()
            raise CorruptData("line 7")

    store = RoutedStore({"default": MemoryDataStore(), "events": Torn()})
    found = store.iter_events()
    assert next(found) == event()
    with pytest.raises(CorruptData, match=r"^events: line 7$"):
        next(found)


def test_a_stream_ends_with_the_store(pair, event):
    store, _, _ = pair
    store.write_events([event(), event()])
    found = store.iter_events()
    next(found)
    store.close()
    with pytest.raises(StoreClosed, match=r"^RoutedStore\(default=.* is closed"):
        next(found)


def test_closing_closes_each_store_once_even_if_one_fails():
    default, bars, last = MemoryDataStore(), Failing(), Failing()
    store = RoutedStore({"default": default, "bars": bars, "events": bars, "audit": last})
    with pytest.raises(StorageError, match=r"^bars, events: the disk is gone$"):
        store.close()
    assert (bars.closed, last.closed) == (1, 1)
    with pytest.raises(StoreClosed):
        default.symbols()
    with pytest.raises(StoreClosed, match=r"^RoutedStore\(default=.* is closed"):
        store.read_events()


@pytest.mark.parametrize(
    "call",
    [
        *("corrections", "recorded_now", "snapshots", "verify", "repair", "compact", "checkpoint"),
        *("bar_versions", "prune_history", "snapshot", "drop_snapshot", "held_bars", "known_bars"),
    ],
)
def test_what_concerns_several_stores_is_refused_after_closing(each, call):
    each.close()
    arguments = {
        **{name: ["q1"] for name in ("bar_versions", "snapshot", "drop_snapshot")},
        "prune_history": [JAN_5],
        "held_bars": ["AAPL", None, "1d", 0],
        "known_bars": ["AAPL", None, "1d", None],
    }
    with pytest.raises(StoreClosed, match=r"^RoutedStore\(bars=.* is closed"):
        getattr(each, call)(*arguments.get(call, []))


def test_a_repr_names_the_routes():
    default, other = MemoryDataStore(), MemoryDataStore()
    store = RoutedStore({"bars": other, "default": default, "events": other})
    assert repr(store) == "RoutedStore(default=MemoryDataStore(0 series), bars=events=" + (
        "MemoryDataStore(0 series))"
    )


def test_verify_names_the_route_and_looks_at_each_store_once():
    reporting = Reporting()
    store = RoutedStore({"default": MemoryDataStore(), "bars": reporting, "audit": reporting})
    report = store.verify()
    assert report.findings == (Finding("damaged", "bars, audit: a.parquet", "a flipped bit"),)
    assert report.checked == 2
    repaired = store.repair()
    assert repaired.actions == ("bars, audit: moved b",)
    assert [each.place for each in repaired.notes] == ["bars, audit: b.jsonl"]


def test_verify_finds_damage_although_another_store_cannot_be_read():
    store = RoutedStore({"default": Failing(), "bars": Reporting()})
    unread, damaged = store.verify().findings
    assert unread == Finding("unchecked", "default", "it could not be verified: the disk is gone")
    assert damaged.place == "bars: a.parquet"


def test_each_store_is_compacted_although_another_fails(event):
    compacted = []

    class Compacting(MemoryDataStore):
        def compact(self):
            compacted.append(self)
            return Report(1)

    last = Compacting()
    store = RoutedStore({"default": Failing(), "bars": Failing(), "audit": last})
    with pytest.raises(StorageError, match=r"^default: the disk is gone$"):
        store.compact()
    assert compacted == [last]
    assert RoutedStore({"default": Compacting(), "bars": Compacting()}).compact() == Report(2)


def test_what_a_checkpoint_names_is_looked_for_in_its_route(pair, writes):
    store, default, other = pair
    for name, given in writes.items():
        getattr(store, name)(**given)
    taken = store.checkpoint()
    assert taken.store == "RoutedStore"
    assert store.verify(against=taken).ok
    other.delete_bars("AAPL", *EVER)
    default.delete_events(*EVER)
    default.write_bars("AAPL", writes["write_bars"]["bars"])
    found = {(each.kind, each.place) for each in store.verify(against=taken).findings}
    assert found == {("missing", "bars of AAPL (1d)"), ("missing", "events of 2026-01-05")}


def test_a_checkpoint_has_the_entries_of_each_route_as_its_store_numbers_them(file, bar, event):
    with open_store("routed", default=MEMORY, bars=file("x"), states=file("x")) as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
        store.routes["bars"].write_event(event(type="no longer routed"))
        taken = store.checkpoint()
        assert taken.bars == store.routes["bars"].checkpoint().bars
        assert taken.bars[0].written
        assert taken.events == store.routes["events"].checkpoint().events
        assert store.verify(against=taken).ok


def test_an_unusable_checkpoint_is_refused_before_a_store_is_verified():
    store = RoutedStore({"default": Failing(), "bars": MemoryDataStore()})
    with pytest.raises(InvalidData, match=r"^against=7"):
        store.verify(against=7)


def test_a_symbol_is_renamed_where_the_three_kinds_are_one_store(bar, fundamental, event):
    market = MemoryDataStore()
    routes = dict.fromkeys(("bars", "fundamentals", "events"), market)
    store = RoutedStore({"default": MemoryDataStore(), **routes})
    store.write_bars("FB", [bar(symbol="FB")])
    store.write_event(event(symbol="FB"))
    store.rename_symbol("FB", "META")
    assert (store.symbols(), store.event_symbols()) == (["META"], ["META"])
    with pytest.raises(InvalidData, match=r"^bars: rename_symbol: 'FB' has no bars"):
        store.rename_symbol("FB", "META")


def test_a_symbol_is_not_renamed_in_several_stores_which_is_no_one_step(pair, bar):
    store, _, _ = pair
    assert not hasattr(store, "rename_symbol")
    assert "Bulk" in store.capabilities
    with pytest.raises(AttributeError, match="which cannot rename in one step; rename in each"):
        store.rename_symbol("FB", "META")
    with pytest.raises(AttributeError, match="the capability Bulk"):
        RoutedStore({"default": Ten()}).rename_symbol("FB", "META")
    mirror = MirrorStore(MirrorStore(store, [], "raise"), [], "raise")
    with pytest.raises(StorageError, match=r"has no rename_symbol: bars, fundamentals and events"):
        mirror.rename_symbol("FB", "META")
    store.write_bars("FB", [bar(symbol="FB")])
    store.routes["bars"].rename_symbol("FB", "META")
    assert store.symbols() == ["META"]


def test_a_symbol_is_renamed_in_a_store_that_has_the_three_kinds_whatever_the_others_are(pair):
    store, _, _ = pair
    assert not hasattr(RoutedStore({"default": store, "audit": MemoryDataStore()}), "rename_symbol")
    routes = dict.fromkeys(("bars", "fundamentals", "events"), MemoryDataStore())
    assert hasattr(RoutedStore({"default": store, **routes}), "rename_symbol")


def test_a_store_says_why_it_lacks_a_capability_through_wrappers_and_routes():
    class Clustered(MemoryDataStore):
        @property
        def _reasons(self):
            return {"History": "a cluster keeps none"}

        capabilities = MemoryDataStore().capabilities - {"History"}

    store = ReadonlyStore(RoutedStore({"default": Clustered(), "bars": MemoryDataStore()}))
    with pytest.raises(AttributeError, match="the capability History: default: a cluster keeps n"):
        store.bar_versions("AAPL")


def test_a_capability_that_a_spec_declares_and_an_open_store_lacks_is_missing(lite, site):
    optional = THIRD.replace("init=lambda", "capabilities=CAN, optional=CAN, init=lambda")
    site.backend(
        optional.replace("lite", "maybe") + 'CAN = frozenset({"BarTables", "History"})',
        name="maybe",
    )
    bars = {**lite("a"), "backend": "maybe"}
    with open_store("routed", default=MEMORY, bars=bars, events=bars, fundamentals=bars) as store:
        assert "BarTables" in store.capabilities
        assert "History" not in store.capabilities


def test_a_route_may_be_read_only(file, bar, event):
    with open_store(file("x")) as made:
        made.write_bars("AAPL", [bar()])
    bars = {"backend": "readonly", "store": file("x")}
    with open_store("routed", default=MEMORY, bars=bars) as store:
        assert store.read_bars("AAPL") == [bar()]
        with pytest.raises(StorageError, match=r"^bars: write_bars: ") as caught:
            store.write_bars("AAPL", [bar()])
        assert caught.value.errno == errno.EROFS
        store.write_event(event())


@pytest.mark.parametrize("wrapper", ["cached", "readonly", "mirror", "routed"])
def test_a_wrapper_may_be_around_it(pair, bar, event, wrapper):
    store, _, _ = pair
    store.write_bars("AAPL", [bar()])
    store.write_event(event())
    then = store.recorded_now()
    wrapped = {
        "readonly": lambda: ReadonlyStore(store),
        "mirror": lambda: MirrorStore(store, [MemoryDataStore()], "raise"),
        "cached": lambda: CachedStore(store, 10_000),
        "routed": lambda: RoutedStore({"default": store, "states": MemoryDataStore()}),
    }[wrapper]()
    store.write_bars("AAPL", [bar(close=2.0)])
    assert wrapped.read_bars("AAPL") == [bar(close=2.0)]
    assert [each.bar for each in wrapped.bar_versions("AAPL", recorded=then)] == [bar()]
    view = wrapped.at(datetime(2026, 1, 9), recorded=then)
    assert (view.read_bars("AAPL"), len(view.read_events())) == ([bar()], 1)
    assert wrapped.verify().ok


def test_its_places_are_those_of_all_stores(pair):
    store, default, other = pair
    assert store.places() == store.read_places() == default.places() | other.places()
    with pytest.raises(ConfigError, match=r"^primary and replicas\[0\] are the same place"):
        MirrorStore(store, [other], "raise")
    replica = MemoryDataStore()
    mirror = MirrorStore(MemoryDataStore(), [replica], "raise")
    around = RoutedStore({"default": MemoryDataStore(), "bars": mirror})
    assert around.places() - around.read_places() == replica.places()


def test_a_store_is_copied_into_it_and_out_of_it(pair, writes, file):
    store, default, other = pair
    source, target = MemoryDataStore(), MemoryDataStore()
    for name, given in writes.items():
        getattr(source, name)(**given)
    assert copy_store(source, store).ok
    assert (default.symbols(), other.symbols()) == ([], ["AAPL"])
    assert copy_store(store, target).ok
    for kind in KINDS:
        entries = (getattr(each.checkpoint(), kind) for each in (source, store, target))
        assert len(set(entries)) == 1
    with pytest.raises(ConfigError, match="are the same place"):
        copy_store(store, other)


def test_it_is_pickled_if_its_stores_are(file, bar):
    with open_store("routed", default=file("x"), bars=file("y"), audit=file("y")) as store:
        store.write_bars("AAPL", [bar()])
        with pickle.loads(pickle.dumps(store)) as again:
            assert again.read_bars("AAPL") == [bar()]
            assert again.routes["bars"] is again.routes["audit"]
            assert again.capabilities == store.capabilities


def test_instructions_for_an_administrator_are_those_of_all_stores(lite):
    prepared = prepare("routed", default=lite("a"), bars=lite("b"), audit=lite("a"), states=MEMORY)
    assert prepared.spec.init(prepared.settings) == "grant a;grant b;"


def test_a_backtest_reads_bars_of_one_route_and_logs_in_another(pair, bar, event, decision):
    store, default, other = pair
    store.write_bars("AAPL", [bar(), bar(datetime(2026, 1, 8))])
    store.write_event(event())
    view = store.at(datetime(2026, 1, 7, tzinfo=UTC), run="bt-7")
    assert view.read_bars("AAPL") == [bar()]
    view.save_strategy_state("value", {"cash": 1})
    view.log_decision("value", decision(), reads=view.receipt())
    (record,) = other.read_decisions(run="bt-7")
    assert store.replay(record).status == "same"
    assert (store.strategies(), len(default.read_decisions(run="bt-7"))) == ([], 0)


def test_a_store_of_the_ten_methods_alone_may_be_a_route(bar, event):
    store = RoutedStore({"default": MemoryDataStore(), "bars": Ten()})
    store.write_bars("AAPL", [bar()])
    assert store.read_bars("AAPL", last=1) == [bar()]
    assert not isinstance(store, BarTables)


COMPOSED = {"at", "replay", "capabilities"}  # of other methods of the store
SPANS = {"span_bars", "span_table"}  # a view asks them of a store with `read_bars` of `Store` only


@pytest.mark.parametrize("kind", [RoutedStore, Wrapper])
def test_no_method_of_a_store_reads_collections_that_a_store_of_stores_lacks(kind):
    public = {name for name in dir(Store) if not name.startswith("_")}
    assert public - vars(kind).keys() - COMPOSED - SPANS == set()


def test_a_view_shows_a_forming_bar_of_any_route(bar):
    now = datetime.now(UTC)
    forming = bar(now.replace(microsecond=0))
    for bars in (MemoryDataStore(), ReadonlyStore(market := MemoryDataStore())):
        written = market if isinstance(bars, ReadonlyStore) else bars
        store = RoutedStore({"default": MemoryDataStore(), "bars": bars})
        written.write_bars("AAPL", [bar(datetime(2026, 1, 5, tzinfo=UTC)), forming])
        view = store.at(datetime.now(UTC), lengths={"1d": timedelta(days=1)})
        assert [each.date for each in view.read_bars("AAPL", last=1)] == [
            forming.date.replace(tzinfo=None)
        ]
        assert view.read_bar_table("AAPL").num_rows == 2


def test_all_capabilities_of_core_have_a_route():
    """A capability of one kind, or of the whole store: each method has a place to go."""
    store = RoutedStore({"default": MemoryDataStore(), "bars": MemoryDataStore()}, CAPABILITIES)
    lacking = [name for name in store.capabilities if not isinstance(store, CAPABILITIES[name])]
    assert lacking == []
