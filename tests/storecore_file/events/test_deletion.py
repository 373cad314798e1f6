"""Events are deleted, in open days and sealed ones: numbers go on, and nothing deleted returns."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from storecore import Event
from storecore.errors import CorruptData, StorageError
from storecore.events import EventQuery
from storecore.values.times import EVER, TimeRange, exact_instant
from storecore_file import FileDataStore
from storecore_file.events import collection
from storecore_file.events.collection import Events
from storecore_file.events.sealed import SealedDay
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import OpenFile
from storecore_file.fs.high_water_marks import HighWaterMarks

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
ALL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
DAYS = 3


def event(number, day=0, symbol="AAPL", kind="tick"):
    at = JAN_5 + timedelta(day, minutes=number)
    return Event(kind, symbol, at, at, "test", {"n": number})


def written(store, numbers, **values):
    store.write_events([event(number, **values) for number in numbers])


def numbers(store, **query):
    return [each.payload["n"] for each in store.read_events(*ALL, **query)]


def files(base):
    return sorted(path.name for path in (base / "events").glob("[!.]*"))


def delete(store, first, last, day=0):
    """Delete the events of some numbers."""
    bounds = (JAN_5 + timedelta(day, minutes=number) for number in (first, last))
    return store.delete_events(*bounds)


@pytest.fixture(params=["open", "sealed", "sealed and late", "crashed in between"])
def filled(request, store, base):
    """A store with a day of ten events, in each form that a day can have."""
    if request.param == "sealed and late":
        written(store, range(6))
        store.compact()
        written(store, range(6, 10))
        return store
    written(store, range(10))
    log = base / "events" / "2026-01-05.jsonl"
    if request.param == "crashed in between":
        shutil.copy(log, base / "copy")
    if request.param != "open":
        store.compact()
    if request.param == "crashed in between":
        shutil.move(base / "copy", log)
    return store


def test_events_of_a_range_are_deleted(filled, base):
    assert delete(filled, 3, 5) == 3
    assert numbers(filled) == [0, 1, 2, 6, 7, 8, 9]
    assert filled.verify().ok
    assert files(base) == ["2026-01-05.parquet"]


def test_the_numbers_of_events_go_on(filled, base):
    delete(filled, 8, 9)
    written(filled, [10, 11])
    assert numbers(filled) == [*range(8), 10, 11]
    assert filled.verify().ok
    assert b'"n":11' in (base / "events" / "2026-01-05.jsonl").read_bytes()
    filled.compact()
    assert numbers(filled) == [*range(8), 10, 11]
    assert filled.verify().ok


def test_events_are_deleted_again_and_again(filled, base):
    for number in (0, 9, 4):
        assert delete(filled, number, number) == 1
        written(filled, [number + 10])
        assert filled.verify().ok
    assert sorted(numbers(filled)) == [1, 2, 3, 5, 6, 7, 8, 10, 14, 19]


def test_a_day_without_events_is_gone_and_begins_again(filled, base):
    assert delete(filled, 0, 9) == 10
    assert files(base) == []
    assert numbers(filled) == []
    assert filled.verify().ok
    written(filled, [3])
    assert numbers(filled) == [3]
    assert filled.verify().ok


def test_deleting_what_is_not_there_changes_no_file(filled, base):
    def looked():  # without the time of the last read, which a read changes
        found = {path: path.stat() for path in (base / "events").glob("[!.]*")}
        return {path: (at.st_ino, at.st_size, at.st_ctime_ns) for path, at in found.items()}

    before = looked()
    assert delete(filled, 100, 200) == 0
    assert filled.delete_events(*ALL, types=[]) == 0
    assert filled.delete_events(*ALL, symbols=["MSFT"]) == 0
    assert looked() == before


def test_another_process_writes_on_after_a_deletion(filled, base):
    with FileDataStore(base) as other:
        written(other, [10])
        delete(filled, 10, 10)
        written(other, [11])
        delete(filled, 0, 9)
        written(other, [12])
        delete(filled, 0, 50)
        written(other, [13])
        assert numbers(filled) == [13]
    assert filled.verify().ok


def test_types_and_symbols_are_chosen(store):
    for number, symbol in enumerate(["AAPL", "MSFT", None]):
        for kind in ("tick", "split"):
            written(store, [number], day=number % 2, symbol=symbol, kind=kind)
    assert store.delete_events(*ALL, types=["split"], symbols=["AAPL", None]) == 2
    assert [(each.symbol, each.type) for each in store.read_events(*ALL)] == [
        ("AAPL", "tick"),
        (None, "tick"),
        ("MSFT", "tick"),
        ("MSFT", "split"),
    ]
    assert store.delete_events(*ALL, symbols=[None]) == 1
    assert store.event_symbols() == ["AAPL", "MSFT"]


def test_a_store_without_events_has_none_to_delete(base):
    (base / "prices").mkdir(parents=True)
    with FileDataStore(base, create=False) as store:
        assert store.delete_events(*ALL) == 0
        assert store.event_symbols() == []
    assert not (base / "events").exists()


def test_symbols_are_those_of_events_that_count(filled, base):
    written(filled, [1], symbol="MSFT", day=1)
    written(filled, [2], symbol=None, day=1)
    assert filled.event_symbols() == ["AAPL", "MSFT"]
    filled.delete_events(*ALL, symbols=["AAPL"])
    assert filled.event_symbols() == ["MSFT"]


def test_events_are_found_by_symbol_and_time_of_ingestion(filled):
    at = JAN_5 + timedelta(minutes=3)
    filled.write_event(Event("tick", "AAPL", at, JAN_5 + timedelta(9), "test", {"n": 33}))
    written(filled, [1], symbol=None)
    assert numbers(filled, symbols=[None]) == [1]
    assert numbers(filled, symbols=["AAPL"], ingested_by=JAN_5 + timedelta(8)) == [*range(10)]
    naive = filled.read_events(symbols=["AAPL"])
    assert {each.timestamp.tzinfo for each in naive} == {None}
    assert len(naive) == 11


def test_a_torn_line_is_kept_beside_the_log(store, base):
    written(store, range(3))
    with (base / "events" / "2026-01-05.jsonl").open("ab") as log:
        log.write(b'{"type":"ti')
    delete(store, 1, 1)
    assert numbers(store) == [0, 2]
    assert (base / "events" / "2026-01-05.jsonl.torn").read_bytes() == b'{"type":"ti\n'


def test_d6_a_log_that_comes_back_brings_no_deleted_event_back(store, base):
    written(store, range(10))
    log = base / "events" / "2026-01-05.jsonl"
    shutil.copy(log, base / "copy")
    delete(store, 3, 5)
    shutil.copy(base / "copy", log)
    assert numbers(store) == [0, 1, 2, 6, 7, 8, 9]
    assert store.event_symbols() == ["AAPL"]
    assert store.verify().ok
    store.compact()
    assert files(base) == ["2026-01-05.parquet"]


def test_d6_a_log_of_another_copy_is_still_diverged_behind_what_was_deleted(store, base):
    written(store, range(10))
    delete(store, 3, 5)
    with FileDataStore(base / "other") as other:
        written(other, range(20, 30))
    shutil.copy(
        base / "other" / "events" / "2026-01-05.jsonl", base / "events" / "2026-01-05.jsonl"
    )
    (finding,) = store.verify().findings
    assert (finding.kind, finding.detail[:60]) == (
        "diverged",
        "of another copy of the store: 4 of its events differ from th",
    )
    delete(store, 0, 0)
    assert store.verify().ok
    assert len(list((base / "aside").rglob("*.jsonl"))) == 1


def test_a_day_that_was_never_changed_is_sealed_as_before(store, base):
    written(store, range(3))
    store.compact()
    content = (base / "events" / "2026-01-05.parquet").read_bytes()
    assert b"changed" not in content
    delete(store, 1, 1)
    path = base / "events" / "2026-01-05.parquet"
    with OpenFile(path) as file:
        assert SealedDay(file).changed == 2


@pytest.fixture
def several_days(store):
    for day in range(DAYS):
        written(store, range(4), day=day)
    store.compact()
    written(store, range(4, 8), day=1)
    return store


def test_d2_no_day_changes_if_one_cannot(several_days, base):
    before = several_days.read_events(*ALL)
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(5, "I/O error")
        return real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(StorageError):
            several_days.delete_events(*ALL, types=["tick"])
    assert several_days.read_events(*ALL) == before
    assert several_days.verify().ok
    hidden = [path for path in base.rglob(".*") if path.suffix in (".tmp", ".rollback")]
    assert hidden == []


def test_d2_a_day_that_cannot_be_read_leaves_all_as_they_were(several_days, base):
    path = base / "events" / "2026-01-07.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptData, match="2026-01-07"):
        several_days.delete_events(*ALL)
    until = JAN_5 + timedelta(2) - timedelta(microseconds=1)
    assert len(several_days.read_events(JAN_5, until)) == 12


def test_a_file_that_cannot_be_removed_is_removed_later(several_days, base, monkeypatch, caplog):
    def fail(self, *logs):
        raise StorageError("it is busy")

    with monkeypatch.context() as patch:
        patch.setattr(HighWaterMarks, "forget", fail)
        assert several_days.delete_events(*ALL) == 16
    assert "removed later" in caplog.text
    assert several_days.read_events(*ALL) == []
    assert several_days.verify().ok
    assert len(files(base)) == DAYS
    assert several_days.delete_events(*ALL) == 0
    assert files(base) == []


def test_many_files_are_removed_a_few_at_a_time(several_days, base, monkeypatch):
    monkeypatch.setattr(collection, "_AT_ONCE", 2)
    assert several_days.delete_events(*ALL) == 16
    assert files(base) == []


def test_d4_events_that_are_written_meanwhile_stay(filled, base, monkeypatch):
    staged = Events._rewritten

    def rewritten(self, *given):
        found = staged(self, *given)
        monkeypatch.setattr(Events, "_rewritten", staged)
        with FileDataStore(base) as other:
            written(other, [2, 50])
        return found

    monkeypatch.setattr(Events, "_rewritten", rewritten)
    assert delete(filled, 2, 3) == 3
    assert numbers(filled) == [0, 1, 4, 5, 6, 7, 8, 9, 50]
    assert filled.verify().ok


def test_d4_what_another_has_deleted_meanwhile_is_not_counted(filled, base, monkeypatch):
    staged = Events._rewritten

    def rewritten(self, *given):
        found = staged(self, *given)
        monkeypatch.setattr(Events, "_rewritten", staged)
        with FileDataStore(base) as other:
            delete(other, 0, 9)
        return found

    monkeypatch.setattr(Events, "_rewritten", rewritten)
    assert delete(filled, 2, 3) == 0
    assert files(base) == []


def test_b4_a_reader_beside_the_end_of_a_day_finds_it_empty(store, base, monkeypatch):
    written(store, range(4))
    store.compact()
    written(store, range(4, 6))
    real = Disk.opened

    def opened(self, path):
        found = real(self, path)
        monkeypatch.setattr(Disk, "opened", real)
        with FileDataStore(base) as other:
            other.delete_events(*ALL)
        return found

    monkeypatch.setattr(Disk, "opened", opened)
    assert numbers(store) == []


def test_a_query_of_no_instant_deletes_nothing(filled):
    at = exact_instant(JAN_5, "date")
    assert filled._events.delete(EventQuery(TimeRange(at + 1, at, True))) == 0
    assert len(filled._events.find(EventQuery(EVER))) == 10
