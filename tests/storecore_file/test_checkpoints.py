"""A store of files and its checkpoints: taking one changes nothing, and damage hides nothing."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def filled(store, bar, event, fundamental, decision):
    for number, symbol in enumerate(("AAPL", "aapl", "MSFT")):
        day = JAN_5 + timedelta(number)
        store.write_bars(symbol, [bar(symbol=symbol)])
        store.write_fundamental(symbol, fundamental(symbol=symbol))
        store.write_event(event(day))
        store.save_strategy_state(symbol, {})
    store.log_decision("value", decision())
    return store


def test_taking_one_changes_and_makes_no_file(filled, base):
    def files():
        return {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}

    before = files()
    filled.checkpoint()
    assert files() == before


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("prices/+aapl/*.parquet", "bars of aapl (1d)"),
        ("fundamentals/+aapl/*.json", "fundamentals of aapl"),
        ("events/2026-01-06.jsonl", "events of 2026-01-06"),
        ("state/aapl.json", "state of aapl"),
    ],
)
def test_d5_a_damaged_file_is_found_and_all_else_is_held_to_the_checkpoint(
    filled, base, pattern, place
):
    taken = filled.checkpoint()
    (path,) = base.glob(pattern)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    for gone in ("prices/MSFT/*.parquet", "fundamentals/MSFT/*.json", "state/+MSFT.json"):
        for each in base.glob(gone):
            each.unlink()
    damaged, *rest = filled.verify(against=taken).findings
    assert (damaged.kind, damaged.place) == ("damaged", str(path))
    assert {(each.kind, each.place) for each in rest} == {
        ("unchecked", place),
        ("missing", "bars of MSFT (1d)"),
        ("missing", "fundamentals of MSFT"),
        ("missing", "state of MSFT"),
    }


def test_a_plain_copy_of_the_folder_has_the_same_checkpoint(filled, base, tmp_path):
    shutil.copytree(base, tmp_path / "copy")
    with FileDataStore(tmp_path / "copy") as copy:
        taken = copy.checkpoint()
        assert copy.verify(against=filled.checkpoint()).ok
    own = filled.checkpoint()
    assert (taken.bars, taken.fundamentals, taken.events) == (
        own.bars,
        own.fundamentals,
        own.events,
    )
    assert (taken.states, taken.audit) == (own.states, own.audit)


def test_it_is_the_same_before_and_after_the_files_are_merged_and_sealed(filled):
    before = filled.checkpoint()
    filled.compact()
    after = filled.checkpoint()
    assert (before.bars, before.events) == (after.bars, after.events)


def test_a_series_has_the_number_of_its_last_write(filled, bar):
    def written():
        return filled.checkpoint().bars[0].written

    first = written()
    filled.write_bars("AAPL", [bar(close=100.5)])
    second = written()
    filled.delete_bars("AAPL", JAN_5, JAN_5)
    filled.write_bars("AAPL", [bar(date=JAN_5 - timedelta(400))])
    assert 0 < first < second < written()


def test_a_series_that_lies_in_the_journal_has_no_number(store, bar, monkeypatch):
    monkeypatch.setattr("storecore_file.bars.collection.MANY_SERIES", 1)
    names = PriceBar.__struct_fields__
    bars = [bar(symbol=symbol) for symbol in ("A", "B")]
    store.write_bar_table(pa.table({name: [getattr(b, name) for b in bars] for name in names}))
    assert [each.written for each in store.checkpoint().bars] == [0, 0]
    store.compact()
    assert all(each.written for each in store.checkpoint().bars)


def test_an_older_state_of_a_partition_that_is_put_back_is_found(filled, base, bar):
    (path,) = (base / "prices" / "AAPL").glob("*.parquet")
    older = path.read_bytes()
    filled.write_bars("AAPL", [bar(close=100.5)])
    taken = filled.checkpoint()
    path.write_bytes(older)
    assert filled.verify().ok
    (finding,) = filled.verify(against=taken).findings
    assert (finding.kind, finding.place) == ("rolled back", "bars of AAPL (1d)")
    filled.write_bars("AAPL", [bar(close=100.5)])
    assert filled.verify(against=taken).ok
