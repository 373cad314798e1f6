"""Records are counted by strategy and run without decoding the rest of them."""

from __future__ import annotations

from collections import Counter

import pytest

from storecore import CorruptData, InvalidData, StorageError, open_store
from storecore.audit import counts
from storecore_file.audit import days

MEMORY = {"backend": "memory"}
STORES = {
    "file": {"durability": "os"},
    "memory": {},
    "mirror": {"primary": MEMORY, "replicas": [MEMORY]},
    "cached": {"store": MEMORY},
    "routed": {"default": MEMORY},
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    options = {"base_path": tmp_path} if request.param == "file" else {}
    with open_store(request.param, **options, **STORES[request.param]) as store:
        yield store


@pytest.fixture
def log(tmp_path, decision):
    """A file store with three decisions, and the file of its log."""
    with open_store("file", base_path=tmp_path, durability="os") as store:
        store.log_decisions("value", [decision()] * 3)
        (file,) = (tmp_path / "audit" / "decisions").glob("*.jsonl")
        yield store, file


def test_records_are_counted_by_strategy_and_run(store, decision, order, monkeypatch):
    monkeypatch.setattr(counts, "_AT_ONCE", 2)
    store.log_decisions("value", [decision()] * 3)
    store.log_decision('a "b"\n', decision(), run="bt-7")
    assert store.audit_counts("decisions") == {("value", None): 3, ('a "b"\n', "bt-7"): 1}
    assert store.audit_counts("orders") == Counter()


def test_a_log_is_one_of_two(store):
    with pytest.raises(InvalidData, match="log='trades'"):
        store.audit_counts("trades")


def test_a_line_that_is_still_being_written_does_not_count(log):
    store, file = log
    file.write_bytes(file.read_bytes() + b'{"seq":4,"timest')
    assert store.audit_counts("decisions").total() == 3


def test_a_line_that_is_no_record_is_reported_with_its_file(log):
    store, file = log
    file.write_bytes(b"x" + file.read_bytes())
    with pytest.raises(CorruptData, match=f"{file.name}: a line is no record"):
        store.audit_counts("decisions")


def test_a_line_that_is_nested_too_deep_is_reported(log):
    store, file = log
    file.write_bytes(file.read_bytes() + b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    with pytest.raises(StorageError, match="nested too deep"):
        store.audit_counts("decisions")


def test_a_file_that_is_gone_by_now_has_no_records(log):
    store, file = log
    assert days.count(store._disk, file.with_name("2020-01-01.jsonl")) == Counter()


def test_a_log_of_many_blocks_is_counted_whole(log, monkeypatch):
    monkeypatch.setattr("storecore_file.fs.logs._LARGE_BLOCK", 50)
    store, _ = log
    assert store.audit_counts("decisions") == {("value", None): 3}
    assert len(list(store.iter_audit("decisions"))) == 3
