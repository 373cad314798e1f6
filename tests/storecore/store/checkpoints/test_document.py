"""The document of a checkpoint: written whole, read back equal, refused if it was edited."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta

import pytest

import storecore
from storecore import Checkpoint, CorruptData, Event, InvalidData, PriceBar, StorageError
from storecore.builtin.memory import MemoryDataStore
from storecore.reports.checkpoint import sealed
from storecore.store.checkpoints import loaded
from storecore.testing.records import HOSTILE

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def taken(filled):
    return filled.checkpoint()


@pytest.fixture
def file(tmp_path, taken):
    """The file of a checkpoint."""
    path = tmp_path / "checkpoint.json"
    taken.save(path)
    return path


def test_it_has_an_entry_for_each_series_symbol_day_state_and_log(taken, filled):
    (series,) = taken.bars
    assert (series.symbol, series.timeframe, series.count, series.years) == ("AAPL", "1d", 2, (2,))
    assert (series.first.date(), series.last.date()) == (date(2026, 1, 5), date(2026, 1, 6))
    (filings,) = taken.fundamentals
    assert (filings.symbol, filings.count) == ("AAPL", 2)
    assert [(each.day.day, each.count) for each in taken.events] == [(5, 1), (6, 1)]
    (state,) = taken.states
    assert (state.strategy, state.version) == ("value", 2)
    heads = filled.verify_audit().heads
    assert [(each.log, each.seq, each.hash) for each in taken.audit] == [
        (log, 2, heads[log]) for log in ("decisions", "orders")
    ]


def test_it_says_who_took_it_when_and_of_what(taken):
    assert (taken.format, taken.storecore) == (1, storecore.__version__)
    assert taken.store == "MemoryDataStore"
    assert timedelta(0) <= datetime.now(UTC) - taken.taken_at < timedelta(minutes=1)


def test_its_file_is_json_with_an_entry_a_line(file, taken):
    content = file.read_text()
    assert json.loads(content)["bars"][0][:3] == ["AAPL", "1d", 2]
    assert '\n["AAPL","1d",2,' in content
    assert content.endswith(f'"sha256":"{taken.sha256}"}}\n')


def test_it_comes_back_equal_from_its_file_its_mapping_and_itself(file, taken):
    forms = [taken, file, str(file), json.loads(file.read_text())]
    assert [loaded(each) for each in forms] == [taken] * 4


def test_one_that_was_only_laid_out_anew_is_the_same(file, taken):
    file.write_text(json.dumps(json.loads(file.read_text()), indent=2, sort_keys=True))
    assert loaded(file) == taken


def test_an_empty_store_has_one_too(tmp_path):
    taken = MemoryDataStore().checkpoint()
    taken.save(tmp_path / "empty.json")
    assert loaded(tmp_path / "empty.json") == taken
    kinds = (taken.bars, taken.fundamentals, taken.events, taken.states, taken.audit)
    assert kinds == ((),) * 5


def test_any_name_and_any_time_comes_back(tmp_path):
    store = MemoryDataStore()
    for name in HOSTILE:
        bars = [PriceBar(name, at, 1, 1, 1, 1, 2**53 + 1) for at in (FIRST, LAST)]
        store.write_bars(name, bars, timeframe=name)
        store.save_strategy_state(name, {name: 1})
    store.write_events([Event("x", None, at, at, "", {}) for at in (FIRST, LAST)])
    taken = store.checkpoint()
    taken.save(tmp_path / "checkpoint.json")
    assert loaded(tmp_path / "checkpoint.json") == taken
    assert {len(each.years) for each in taken.bars} == {9999}
    assert store.verify(against=taken).ok


@pytest.mark.parametrize("edit", [("count", b"2,", b"1,"), ("digest", b'"AAPL"', b'"AAPM"')])
def test_an_edited_file_is_refused_by_its_name(file, edit):
    _, old, new = edit
    file.write_bytes(file.read_bytes().replace(old, new, 1))
    with pytest.raises(CorruptData, match=r"checkpoint\.json: .*checksum does not match") as caught:
        loaded(file)
    assert caught.value.path == str(file)


def test_d5_no_flipped_bit_of_the_file_changes_what_it_says_unnoticed(file, taken):
    whole, refused = file.read_bytes(), 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            assert loaded(file) == taken  # "2026-01-05t…" is the same time
        except (CorruptData, InvalidData):
            refused += 1
    assert refused > 0.95 * len(whole)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"PAR1"])
def test_a_file_that_is_no_json_says_what_was_expected(file, content):
    file.write_bytes(content)
    with pytest.raises(
        CorruptData, match="not JSON: expected a document written by `storecore checkp"
    ):
        loaded(file)


@pytest.mark.parametrize("content", [b"[]", b"7", b"{}", b'{"format":1,"cells":[]}'])
def test_another_document_is_no_checkpoint(file, content):
    file.write_bytes(content)
    with pytest.raises(InvalidData, match="not a checkpoint of a store: expected a document"):
        loaded(file)


def test_one_of_a_later_format_names_the_release_that_took_it(file):
    document = json.loads(file.read_text())
    later = {**document, "format": 2, "storecore": "9.1", "snapshots": []}
    with pytest.raises(InvalidData, match=r"format 2, taken by storecore 9\.1; .* up to format 1"):
        loaded(later)


@pytest.mark.parametrize(
    "change", [{"bars": 7}, {"bars": [["AAPL"]]}, {"more": 1}, {"taken_at": None}, {"format": "1"}]
)
def test_a_document_of_another_shape_is_refused(file, change):
    with pytest.raises(CorruptData, match="against: the checkpoint's checksum does not match"):
        loaded({**json.loads(file.read_text()), **change})


@pytest.mark.parametrize("against", [7, b"checkpoint.json", ["checkpoint.json"]])
def test_what_is_no_checkpoint_at_all_is_refused(against):
    with pytest.raises(InvalidData, match="expected a path, a Checkpoint or its mapping"):
        loaded(against)


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"absent\.json: No such file") as caught:
        loaded(tmp_path / "absent.json")
    assert caught.value.path == str(tmp_path / "absent.json")
    with pytest.raises(StorageError, match="Is a directory"):
        loaded(tmp_path)


def test_a_file_that_does_not_fit_in_memory_is_named(tmp_path):
    with (tmp_path / "sparse.json").open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(StorageError, match=r"sparse\.json: too large for memory: expected a doc"):
        loaded(tmp_path / "sparse.json")


def test_saving_replaces_what_is_there_whole(file, taken, tmp_path):
    newer = sealed(Checkpoint(storecore="1", taken_at=taken.taken_at, store="S"))
    newer.save(file)
    assert loaded(file) == newer
    assert os.listdir(tmp_path) == [file.name]


def test_saving_through_a_link_leaves_the_link(file, taken, tmp_path):
    link = tmp_path / "latest.json"
    link.symlink_to(file.name)
    file.write_text("")
    taken.save(link)
    assert link.is_symlink()
    assert loaded(file) == taken


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_save_that_fails_leaves_what_was_there(file, taken, tmp_path, monkeypatch, name):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr(os, name, fail)
    newer = sealed(Checkpoint(storecore="1", taken_at=taken.taken_at, store="S"))
    with pytest.raises(StorageError, match=r"checkpoint\.json: No space left") as caught:
        newer.save(file)
    monkeypatch.undo()
    assert (caught.value.path, caught.value.errno) == (str(file), 28)
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == [file.name]


def test_a_folder_or_device_is_not_replaced(tmp_path, taken):
    for place in (tmp_path, "/dev/null"):
        with pytest.raises(StorageError, match="expected a file, found something else"):
            taken.save(place)
    assert os.stat("/dev/null").st_rdev


def test_a_folder_that_is_missing_is_named(tmp_path, taken):
    with pytest.raises(StorageError, match="No such file or directory"):
        taken.save(tmp_path / "absent" / "checkpoint.json")
