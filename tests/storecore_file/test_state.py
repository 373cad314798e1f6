"""The room of state: a document a strategy, the old one or the new one and nothing else."""

from __future__ import annotations

import json
import shutil

import pytest

from storecore.errors import CorruptData, NotSerializable, StorageError


@pytest.fixture
def folder(base):
    return base / "state"


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        ("value_strategy", "value_strategy.json"),
        ("Value", "+V+alue.json"),
        ("a/b", "a%2Fb.json"),
        ("con", "%63on.json"),
    ],
)
def test_a_state_is_a_document_named_after_its_strategy(store, folder, strategy, name):
    store.save_strategy_state(strategy, {})
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_state_is_json_that_says_whose_it_is(store, folder):
    store.save_strategy_state("value", {"positions": ["AAPL"]})
    fields = json.loads((folder / "value.json").read_text())
    assert len(fields.pop("crc32")) == 8
    assert fields == {"strategy": "value", "state": {"positions": ["AAPL"]}}


def test_a_state_that_was_never_saved_is_none(store):
    assert store.load_strategy_state("value") is None


def test_strategies_are_listed_by_name(store):
    long = "Ünïcødé" * 50
    for strategy in ("value", "Momentum", "a/b", long):
        store.save_strategy_state(strategy, {})
    assert store.strategies() == sorted(["value", "Momentum", "a/b", long])


def test_files_that_are_no_documents_are_no_strategies(store, folder):
    store.save_strategy_state("value", {})
    for name in ("notes.txt", ".value.json.0.tmp"):
        (folder / name).write_bytes(b"garbage")
    assert store.strategies() == ["value"]


def test_d5_every_flipped_bit_of_a_state_is_noticed(store, folder, flipped_bytes):
    store.save_strategy_state("value", {"cash": 100.25, "positions": {"AAPL": 3}})
    for _ in flipped_bytes(folder / "value.json"):
        with pytest.raises(CorruptData, match=r"value\.json: not a whole document"):
            store.load_strategy_state("value")


@pytest.mark.parametrize("length", [0, 1, 20, -1])
def test_d5_a_state_that_was_cut_is_corrupt_and_named(store, folder, length):
    store.save_strategy_state("value", {"cash": 100.25})
    path = folder / "value.json"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CorruptData) as caught:
        store.load_strategy_state("value")
    assert caught.value.path == str(path)


def test_d5_the_state_of_another_strategy_is_not_taken_for_this_one(store, folder):
    store.save_strategy_state("value", {"cash": 1})
    shutil.copy(folder / "value.json", folder / "momentum.json")
    with pytest.raises(CorruptData, match="expected the state of 'momentum', found 'value'"):
        store.load_strategy_state("momentum")


def test_d5_a_document_of_another_kind_is_not_taken_for_a_state(store, base, folder, fundamental):
    store.write_fundamental("AAPL", fundamental())
    (document,) = (base / "fundamentals" / "AAPL").iterdir()
    shutil.copy(document, folder / "value.json")
    with pytest.raises(CorruptData, match="not a whole document"):
        store.load_strategy_state("value")


def test_d5_a_strategy_whose_name_only_a_damaged_document_tells_is_no_guess(store, folder):
    store.save_strategy_state("x" * 300, {})
    (document,) = folder.iterdir()
    document.write_bytes(b"")
    with pytest.raises(CorruptData) as caught:
        store.strategies()
    assert caught.value.path == str(document)


@pytest.mark.parametrize("call", ["write", "fdatasync", "replace"])
def test_d2_a_state_that_cannot_be_replaced_stays(store, failing, call, monkeypatch):
    store.save_strategy_state("value", {"cash": 1})
    failing(call)
    with pytest.raises(StorageError, match=r"value\.json: cannot write"):
        store.save_strategy_state("value", {"cash": 2})
    monkeypatch.undo()
    assert store.load_strategy_state("value") == {"cash": 1}


def test_s1_a_state_that_is_refused_touches_no_file(store, folder):
    with pytest.raises(NotSerializable):
        store.save_strategy_state("value", {"when": {1}})
    assert list(folder.iterdir()) == []
