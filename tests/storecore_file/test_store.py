"""The front door: what it makes, what it leaves alone, what it refuses."""

from __future__ import annotations

import inspect
import os
import pickle
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from threading import TIMEOUT_MAX

import pytest

import storecore_file
from storecore import AuditTrail, Catalog, DataStore, DiskUsage
from storecore.errors import ConfigError, LockTimeout, StorageError, StoreClosed
from storecore_file import FileDataStore
from storecore_file.fs.locks import Locked

ALL = date.min, date.max
FOLDERS = ["audit/decisions", "audit/orders", "events", "fundamentals", "prices", "state"]


@pytest.fixture
def filled(store, bar, fundamental, event, decision, sent):
    """The store with one of everything in it."""
    store.write_bars("AAPL", [bar()])
    store.write_fundamental("AAPL", fundamental())
    store.write_event(event())
    store.save_strategy_state("value", {"cash": 1})
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    return store


def tree(folder):
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("protocol", [DataStore, Catalog, AuditTrail, DiskUsage])
def test_it_satisfies_its_protocols(store, protocol):
    assert isinstance(store, protocol)


def test_opening_makes_the_folder_of_each_room(store, base):
    made = [
        str(path.relative_to(base))
        for path in base.rglob("*")
        if path.is_dir() and not any(path.iterdir())
    ]
    assert sorted(made) == FOLDERS


def test_the_folders_above_are_made_too(tmp_path):
    FileDataStore(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / "prices").is_dir()


def test_l2_opening_changes_nothing_that_is_there(filled, base):
    (base / "README").write_text("mine")
    before = tree(base)
    FileDataStore(base).close()
    assert tree(base) == before


def test_l2_opening_makes_what_is_missing(filled, base):
    (base / "audit" / "orders").rename(base / "orders")
    FileDataStore(base).close()
    assert (base / "audit" / "orders").is_dir()


def test_what_one_store_wrote_another_reads(filled, base, bar, fundamental, event, always):
    with FileDataStore(base) as other:
        assert other.read_bars("AAPL", *ALL) == [bar()]
        assert other.read_fundamental("AAPL") == fundamental()
        assert other.read_events(*ALL) == [event()]
        assert other.load_strategy_state("value") == {"cash": 1}
        assert len(other.read_decisions(*always)) == len(other.read_orders(*always)) == 1


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_may_be_a_str_or_a_path(tmp_path, kind):
    with FileDataStore(kind(tmp_path / "data")) as store:
        assert store.base_path == tmp_path / "data"


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with FileDataStore("~/data") as store:
        assert store.base_path == tmp_path / "data"


def test_a_relative_path_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch, bar):
    monkeypatch.chdir(tmp_path)
    with FileDataStore("data") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.write_bars("AAPL", [bar()])
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_its_repr_tells_its_folder(store, base):
    assert repr(store) == f"FileDataStore(base_path={str(base)!r})"


def test_a_file_in_the_place_of_its_folder_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "data"
    path.write_text("mine")
    with pytest.raises(StorageError, match="expected a folder, found a file") as caught:
        FileDataStore(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("durability", ["none", "FULL", "", None, True])
def test_an_unknown_durability_is_refused_and_nothing_made(tmp_path, durability):
    with pytest.raises(ConfigError, match=r"durability=.* expected one of \('full', 'os'\)"):
        FileDataStore(tmp_path / "data", durability=durability)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), TIMEOUT_MAX * 2])
def test_a_lock_timeout_that_cannot_be_waited_is_refused(tmp_path, timeout):
    with pytest.raises(ConfigError, match="lock_timeout="):
        FileDataStore(tmp_path / "data", lock_timeout=timeout)


def test_d1_full_durability_is_the_default(store, syscalls, bar):
    store.write_bars("AAPL", [bar()])
    assert {"fdatasync", "fsync"} <= {name for name, _ in syscalls}


def test_d1_durability_os_syncs_nothing(base, syscalls, bar, event, decision):
    with FileDataStore(base, durability="os") as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
        store.log_decision("value", decision())
    assert not {"fdatasync", "fsync"} & {name for name, _ in syscalls}


@pytest.mark.parametrize(
    ("lock", "write"),
    [
        ("prices/AAPL", lambda store, make: store.write_bars("AAPL", [make("bar")])),
        ("events", lambda store, make: store.write_event(make("event"))),
        ("events", lambda store, make: store.compact()),
        ("audit/decisions", lambda store, make: store.log_decision("value", make("decision"))),
        ("audit/orders", lambda store, make: store.log_order("value", *make("sent"))),
    ],
)
def test_d4_a_writer_waits_for_another_as_long_as_its_timeout_says(
    filled, base, request, lock, write
):
    with (
        FileDataStore(base, lock_timeout=0.01) as store,
        Locked(base / lock / ".lock", 1),
        pytest.raises(LockTimeout, match=r"for 0\.01 s"),
    ):
        write(store, lambda name: request.getfixturevalue(name)())


def test_d4_no_reader_waits_for_a_writer(filled, base, always):
    with FileDataStore(base, lock_timeout=0) as store, ExitStack() as held:
        for lock in ("prices/AAPL", "events", "audit/decisions"):
            held.enter_context(Locked(base / lock / ".lock", 1))
        reads = [
            store.read_bars("AAPL", *ALL),
            store.read_events(*ALL),
            store.read_decisions(*always),
        ]
        assert [len(read) for read in reads] == [1, 1, 1]


ARGUMENTS = {
    "symbol": "AAPL",
    "strategy_name": "value",
    "start": date.min,
    "end": date.max,
    "bars": [],
    "state": {},
}
METHODS = [
    name
    for name, method in inspect.getmembers(FileDataStore, inspect.isfunction)
    if not name.startswith("_") and name != "close"
]


@pytest.mark.parametrize("name", METHODS)
def test_l1_every_method_of_a_closed_store_is_store_closed(store, name):
    if not hasattr(store, name):
        pytest.skip(f"its collections have not what {name} needs")
    store.close()
    method = getattr(store, name)
    parameters = inspect.signature(method).parameters.values()
    given = {
        each.name: ARGUMENTS.get(each.name) for each in parameters if each.default is each.empty
    }
    with pytest.raises(
        StoreClosed, match=rf"^FileDataStore\(base_path='{store.base_path}'\) is closed; open"
    ):
        method(**given)


def test_the_package_offers_the_store_and_nothing_else():
    assert storecore_file.FileDataStore is FileDataStore
    with pytest.raises(AttributeError, match="'storecore_file' has no attribute 'FileStore'"):
        storecore_file.FileStore  # noqa: B018


def test_l1_a_closed_store_holds_no_file_open(base, event, decision, sent):
    store = FileDataStore(base)
    store.write_event(event())
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    store.close()
    held = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
    assert [path for path in held if path.startswith(str(base))] == []


def test_a_store_whose_folder_has_vanished_is_not_made_again(store, base, bar):
    base.rename(base.with_name("unmounted"))
    with pytest.raises(StorageError, match="has vanished"):
        store.write_bars("AAPL", [bar()])
    assert not base.exists()


@pytest.mark.parametrize("lock_timeout", ["5", None])
def test_a_lock_timeout_that_is_no_number_is_a_config_error(base, lock_timeout):
    with pytest.raises(ConfigError, match="expected seconds"):
        FileDataStore(base, lock_timeout=lock_timeout)


def test_a_store_can_be_sent_to_another_process(store, event, decision):
    copied = pickle.loads(pickle.dumps(store))
    for each in (copied, store):
        each.write_event(event())
        each.log_decision("value", decision())
    assert len(store.read_events(date.min, date.max)) == 2
    assert store.verify_audit().checked == 2
    copied.close()


@pytest.mark.parametrize("path", ["a\0b", "~nobody-of-that-name/data"])
def test_a_path_that_cannot_be_is_a_config_error(path):
    with pytest.raises(ConfigError, match="base_path="):
        FileDataStore(path)


def test_a_current_folder_that_is_gone_is_a_config_error(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="base_path='data'"):
        FileDataStore("data")


def test_the_series_of_bars_are_listed(tmp_path, bar):
    with FileDataStore(tmp_path) as store:
        store.write_bars("AAPL", [bar()], timeframe="1m")
        store.write_bars("AAPL", [bar()])
        store.write_bars("MSFT", [bar(symbol="MSFT")])
        assert list(store._bars.series()) == [("AAPL", "1d"), ("AAPL", "1m"), ("MSFT", "1d")]
