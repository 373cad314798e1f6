"""The mirror backend writes to all of its stores and reads from the first."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from storecore import (
    Catalog,
    InvalidData,
    StateConflict,
    StateVersion,
    StorageError,
    StoreClosed,
    UnknownBackend,
    laws,
    open_store,
)
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.mirror import MirrorStore, storecore_backend
from storecore.config import open as opening
from storecore.protocols import CAPABILITIES, METHODS, DiskUsage, writes
from storecore.testing.records import bar_table

EVER = date.min, date.max


class Failing(MemoryDataStore):
    def write_bars(self, symbol, bars, *, timeframe="1d"):
        raise OSError("the disk is gone")

    def close(self):
        super().close()
        raise OSError("the disk is gone")


@pytest.fixture
def mirror():
    """Make a mirror of these stores."""

    def make(*stores, on_failure="log"):
        primary, *replicas = stores
        return MirrorStore(primary, replicas, on_failure, CAPABILITIES)

    return make


@pytest.fixture
def stores():
    return [MemoryDataStore() for _ in range(3)]


def test_each_write_goes_to_all(mirror, stores, writes):
    store = mirror(*stores)
    for name, given in writes.items():
        getattr(store, name)(**given)
    for each in stores:
        assert each.read_bars("AAPL", *EVER) == writes["write_bars"]["bars"]
        assert each.read_events(*EVER)[0].payload == writes["write_event"]["event"].payload
        assert each.load_strategy_state("value") == {"cash": 1}
        assert len(each.read_decisions(*EVER)) == len(each.read_orders(*EVER)) == 1


def test_a_generator_reaches_all(mirror, stores, bar):
    mirror(*stores).write_bars("AAPL", (each for each in [bar()]))
    assert [each.read_bars("AAPL", *EVER) for each in stores] == [[bar()]] * 3


def test_a_table_reaches_all_also_as_a_stream(mirror, stores, bar):
    mirror(*stores).write_bar_table(bar_table([bar()]).to_reader())
    assert [each.read_bars("AAPL", *EVER) for each in stores] == [[bar()]] * 3


def test_batches_and_deletions_reach_all(mirror, stores, bar, event, fundamental, decision, sent):
    store = mirror(*stores)
    store.write_events(iter([event(), event()]))
    store.write_fundamentals(iter([fundamental()]))
    store.log_decisions("value", iter([decision()]))
    store.log_orders("value", iter([sent(), sent()]))
    store.write_bars("AAPL", [bar()])
    assert store.delete_bars("AAPL", *EVER) == 1
    for each in stores:
        assert each.read_events(*EVER) == [event(), event()]
        assert each.read_fundamental("AAPL") == fundamental()
        assert each.verify_audit().checked == 3
        assert each.symbols() == []


def test_which_version_of_a_state_is_stored_the_primary_decides(mirror, stores, caplog):
    store = mirror(*stores)
    stores[1].save_strategy_state("value", {"old": 1})
    store.save_strategy_state("value", {"cash": 1}, expect=0)
    with pytest.raises(StateConflict):
        store.save_strategy_state("value", {"cash": 2}, expect=0)
    assert [each.load_strategy_state("value") for each in stores] == [{"cash": 1}] * 3
    assert caplog.records == []


def test_what_another_store_held_reaches_all(mirror, stores, caplog, decision):
    store = mirror(*stores)
    now = datetime(2026, 1, 5, tzinfo=UTC)
    lines, _ = laws.chain([laws.decision_body("value", decision())], now, laws.GENESIS)
    store.append_audit("decisions", now.date(), iter(lines))
    store.restore_state("value", iter([StateVersion(3, {"cash": 1})]), expect=0)
    with pytest.raises(StateConflict):
        store.restore_state("value", [StateVersion(4, {})], expect=0)
    for each in stores:
        assert [line for _, line in each.iter_audit("decisions")] == lines
        assert each.load_versioned_state("value") == StateVersion(3, {"cash": 1})
    assert caplog.records == []


def test_reads_are_the_primarys(mirror, stores, bar):
    stores[1].write_bars("AAPL", [bar()])
    assert mirror(*stores).read_bars("AAPL", *EVER) == []


def test_what_the_primary_refuses_no_replica_hears_of(mirror, bar):
    with pytest.raises(InvalidData):
        mirror(MemoryDataStore(), Failing()).write_bars("AAPL", [bar(close="high")])


def test_what_the_primary_fails_at_no_replica_hears_of(mirror, stores, bar):
    with pytest.raises(OSError, match="the disk is gone"):
        mirror(Failing(), *stores).write_bars("AAPL", [bar()])
    assert stores[0].symbols() == []


def test_a_replica_that_fails_is_logged_and_the_others_are_written(mirror, stores, bar, caplog):
    mirror(stores[0], Failing(), stores[1]).write_bars("AAPL", [bar()])
    assert [each.symbols() for each in stores[:2]] == [["AAPL"]] * 2
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "write_bars: the primary has it, but not these replicas: Failing(" in record.getMessage()
    assert "the disk is gone" in record.getMessage()


def test_a_replica_that_fails_is_an_error_where_it_was_asked_for(mirror, stores, bar):
    store = mirror(stores[0], Failing(), stores[1], on_failure="raise")
    with pytest.raises(StorageError, match=r"the primary has it.*do not write it again"):
        store.write_bars("AAPL", [bar()])
    assert [each.symbols() for each in stores[:2]] == [["AAPL"]] * 2


def test_a_replica_that_would_end_the_program_is_a_replica_that_fails(mirror, stores, bar, caplog):
    class Ending(MemoryDataStore):
        raised = SystemExit

        def write_bars(self, symbol, bars, *, timeframe="1d"):
            raise self.raised

    mirror(stores[0], Ending(), stores[1]).write_bars("AAPL", [bar()])
    assert [each.symbols() for each in stores[:2]] == [["AAPL"]] * 2
    assert "SystemExit" in caplog.text
    Ending.raised = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        mirror(stores[0], Ending()).write_bars("AAPL", [bar()])


def test_closing_closes_all_even_where_one_fails(mirror, stores):
    with pytest.raises(OSError, match="the disk is gone"):
        mirror(stores[0], Failing(), stores[1]).close()
    for each in stores[:2]:
        with pytest.raises(StoreClosed):
            each.symbols()


def test_a_replica_that_cannot_be_opened_leaves_the_others_closed(monkeypatch, site):
    opened = MemoryDataStore()
    monkeypatch.setattr("storecore.builtin.memory.MemoryDataStore", lambda: opened)
    site.backend(
        """
        from storecore import BackendSpec, StorageError, hookimpl
        from storecore.builtin.memory import MemoryConfig

        def fail(config):
            raise StorageError("not mounted")

        @hookimpl
        def storecore_backend():
            return BackendSpec(name="gone", config=MemoryConfig, open=fail)
        """,
        name="gone",
    )
    with pytest.raises(StorageError, match="not mounted"):
        open_store("mirror", primary={"backend": "memory"}, replicas=[{"backend": "gone"}])
    with pytest.raises(StoreClosed):
        opened.symbols()


def test_a_capability_that_reads_is_the_primarys_alone(tmp_path):
    file = {"backend": "file", "base_path": tmp_path}
    with open_store("mirror", primary=file, replicas=[{"backend": "memory"}]) as store:
        assert isinstance(store, DiskUsage)
    with open_store("mirror", primary={"backend": "memory"}, replicas=[file]) as store:
        assert isinstance(store, Catalog)
        assert not isinstance(store, DiskUsage)


def test_a_capability_that_writes_needs_every_replica(monkeypatch, tmp_path):
    class Cleaning:
        @writes("store")
        def forget(self):
            """Forget everything."""

    monkeypatch.setitem(CAPABILITIES, "Cleaning", Cleaning)
    monkeypatch.setitem(METHODS, "forget", Cleaning.forget.method)
    able = opening.prepare("memory")
    able = able._replace(spec=able.spec.resolved(None))
    cleaning = able._replace(spec=_with(able.spec, "Cleaning"))
    spec = storecore_backend()
    for replica, expected in ((able, False), (cleaning, True)):
        config = spec.config(primary=cleaning, replicas=[replica])
        assert ("Cleaning" in spec.resolved(config).capabilities) is expected


def _with(spec, name):
    return type(spec)(
        name=spec.name, config=spec.config, open=spec.open, capabilities=spec.capabilities | {name}
    )


def test_an_inner_store_is_unknown_in_its_own_place():
    with pytest.raises(UnknownBackend, match=r"^\[store\.replicas\[1\]\] backend: no backend 'me'"):
        open_store(
            "mirror",
            primary={"backend": "memory"},
            replicas=[{"backend": "memory"}, {"backend": "me"}],
        )


def test_what_is_deleted_renamed_or_replaced_changes_in_all(
    mirror, stores, bar, event, fundamental
):
    store = mirror(*stores)
    store.write_bar_table(bar_table([bar(), bar(symbol="MSFT")]))
    store.write_events([event(), event(symbol=None)])
    store.write_fundamentals([fundamental()])
    stores[2].save_strategy_state("value", {"old": 1})
    store.save_strategy_state("value", {})
    assert store.delete_strategy_state("value", expect=1) is True
    assert store.delete_events(*EVER, iter(["news", "split"]), iter([None])) == 1
    store.rename_symbol("AAPL", "NEW")
    store.write_bar_table(bar_table([bar(symbol="MSFT", close=2.0)]).to_reader(), replace=True)
    for each in stores:
        assert each.read_events(*EVER) == [event(symbol="NEW")]
        assert each.read_bars("MSFT") == [bar(symbol="MSFT", close=2.0)]
        assert each.read_fundamental("NEW") == fundamental(symbol="NEW")
        assert each.load_versioned_state("value") == StateVersion(0, None)
    assert store.delete_fundamentals("NEW", *EVER) == 1
    assert [each.read_fundamental("NEW") for each in stores] == [None] * 3


def test_b6_a_mirror_writes_further_columns_to_all_of_its_stores(mirror, stores, bar):
    given = [bar(extra={"vwap": 1.5}, volume=None)]
    table = bar_table([bar(symbol="MSFT")])
    store = mirror(*stores)
    store.write_bars("AAPL", iter(given))
    store.write_bar_table(table.append_column("vwap", table["close"]))
    for each in stores:
        assert each.read_bars("AAPL", *EVER) == given
        assert each.read_bar_table("MSFT", *EVER)["vwap"].to_pylist() == [bar().close]


def test_b6_a_replica_that_was_written_before_further_columns_is_named(mirror, bar):
    class Before(MemoryDataStore):
        def __init__(self):
            super().__init__()
            self._bars.keeps_extra = False

    store = mirror(MemoryDataStore(), Before(), on_failure="raise")
    with pytest.raises(StorageError, match=r"Before.*: this backend was written before"):
        store.write_bars("AAPL", [bar(extra={"vwap": 1.5})])
    assert store.read_bars("AAPL", *EVER)[0].extra == {"vwap": 1.5}
