"""Events that come from another store with their instants: a long day comes in parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storecore import Event, copy_store
from storecore_file import FileDataStore
from storecore_file.events import collection
from storecore_file.fs.seal import sealed

DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALL_DAY = DAY, DAY + timedelta(days=1)


def happened(n, symbol="AAPL"):
    at = DAY + timedelta(seconds=n // 2)  # two of each instant
    return Event("trade", symbol, at, at, "feed", {"n": n})


@pytest.fixture
def sealed_rows(monkeypatch):
    """How many events each sealing has encoded."""
    real, found = collection.encode, []

    def encode(rows, through):
        rows = list(rows)
        found.append(len(rows))
        return real(iter(rows), through)

    monkeypatch.setattr(collection, "encode", encode)
    return found


@pytest.fixture
def in_parts(monkeypatch):
    """Let a copy take ten events at a time."""
    monkeypatch.setattr("storecore.copying.versions._EVENTS", 10)


@pytest.fixture
def source(store):
    store.write_events([happened(n) for n in range(200)])
    return store


def copied(source, tmp_path):
    target = FileDataStore(tmp_path / "copy")
    copy_store(source, target)
    return target


def test_a_long_day_is_not_sealed_again_for_each_part(source, tmp_path, in_parts, sealed_rows):
    with copied(source, tmp_path) as target:
        assert target.read_events(*ALL_DAY) == source.read_events(*ALL_DAY)
    assert sum(sealed_rows) <= 2 * 200
    assert len(sealed_rows) <= 6


def test_a_day_that_comes_at_once_is_sealed(source, tmp_path):
    with copied(source, tmp_path):
        (day,) = (tmp_path / "copy" / "events").glob("2*")
    assert day.name == "2026-01-05.parquet"


@pytest.mark.parametrize("deleted", [(), (3, 77, 150)])
def test_k1_each_event_keeps_its_instants_and_its_place(source, tmp_path, in_parts, deleted):
    for n in deleted:
        at = happened(n).timestamp
        source.delete_events(at, at)
    source.write_event(happened(5, "MSFT"))
    with copied(source, tmp_path) as target:
        assert target.event_versions(*ALL_DAY) == source.event_versions(*ALL_DAY)
        assert target.verify().ok
        before = target.read_events(*ALL_DAY)
        target.compact()
        assert target.read_events(*ALL_DAY) == before
        assert target.event_versions(*ALL_DAY) == source.event_versions(*ALL_DAY)


def test_an_event_is_written_after_those_that_came(source, tmp_path, in_parts):
    with copied(source, tmp_path) as target:
        target.write_event(happened(7, "MSFT"))
        found = target.read_events(DAY + timedelta(seconds=3), DAY + timedelta(seconds=3))
        assert [each.symbol for each in found] == ["AAPL", "AAPL", "MSFT"]
        assert target.verify().ok


def test_events_of_an_unknown_instant_of_recording_stay_so(base):
    with FileDataStore(base) as store:
        events = [happened(n) for n in range(6)]
        store._events.restore([(each, None, None) for each in events[:4]])
        store._events.restore([(each, None, None) for each in events[4:]])
        assert store._events.versions(collection.EventQuery(collection.EVER)) == [
            (each, None, None) for each in store.read_events(*ALL_DAY)
        ]
    (line, _) = (base / "events" / "2026-01-05.jsonl").read_bytes().splitlines(keepends=True)
    assert b"recorded" not in line
    assert sealed(line.rpartition(b',"crc32"')[0] + b"}") == line


def test_d2_a_part_that_cannot_be_appended_leaves_the_day_as_it_was(source, base, monkeypatch):
    source.compact()
    before = source.read_events(*ALL_DAY)

    def fail(self, *given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storecore_file.fs.logs.Log._sync", fail)
    with pytest.raises(OSError, match="No space"):
        source._events.restore([(happened(1, "MSFT"), 5, None)])
    assert source.read_events(*ALL_DAY) == before
