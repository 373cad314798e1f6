"""Law D6 for events: a sealed day beside a log of another state of the store."""

from __future__ import annotations

import shutil
from datetime import datetime

import pytest

from storecore import Event
from storecore_file import FileDataStore

DAY = datetime(2026, 1, 5)
ALWAYS = datetime(1990, 1, 1), datetime(2100, 1, 1)


def written(base, *numbers):
    with FileDataStore(base, durability="os") as store:
        for number in numbers:
            store.write_event(Event("t", "A", DAY, DAY, "test", {"n": number}))


def numbers(base):
    return [event.payload["n"] for event in FileDataStore(base).read_events(*ALWAYS)]


def findings(base):
    return [each.kind for each in FileDataStore(base).verify().findings]


def compacted(base):
    with FileDataStore(base, durability="os") as store:
        store.compact()


@pytest.fixture
def other(base, tmp_path):
    """A copy of the store that was written to apart from it; both begin with event 1."""
    written(base, 1)
    shutil.copytree(base, tmp_path / "other")
    written(tmp_path / "other", 20, 30)
    return tmp_path / "other"


def copied(name, source, target):
    shutil.copy2(source / "events" / name, target / "events" / name)


def test_d6_a_log_that_a_sealed_day_of_another_copy_hides_is_found_and_kept(base, other, caplog):
    written(base, 2, 3, 4)
    compacted(other)
    copied("2026-01-05.parquet", other, base)
    assert numbers(base) == [1, 20, 30, 4]
    assert findings(base) == ["diverged"]
    log = base / "events" / "2026-01-05.jsonl"
    content = log.read_bytes()
    compacted(base)
    assert (numbers(base), findings(base)) == ([1, 20, 30, 4], [])
    (kept,) = (base / "aside").rglob("*.jsonl")
    assert kept.read_bytes() == content
    assert f"{log}: of another copy of the store: 2 of its events differ" in caplog.text


def test_d6_an_event_is_read_after_an_older_log_came_back_beside_its_sealed_day(base, tmp_path):
    written(base, 1)
    shutil.copytree(base, tmp_path / "older")
    written(base, 2, 3)
    compacted(base)
    copied("2026-01-05.jsonl", tmp_path / "older", base)
    assert (numbers(base), findings(base)) == ([1, 2, 3], [])
    written(base, 4, 5)
    assert (numbers(base), findings(base)) == ([1, 2, 3, 4, 5], [])
    assert not (base / "aside").exists()


def test_d6_an_event_is_read_after_a_shorter_log_of_another_copy_came(base, other):
    written(base, 2, 3, 4)
    compacted(base)
    copied("2026-01-05.jsonl", other, base)
    assert findings(base) == ["diverged"]
    with FileDataStore(base, durability="os") as store:
        events = [Event("t", "A", DAY, DAY, "test", {"n": number}) for number in (5, 6)]
        store.write_events(events)
    assert (numbers(base), findings(base)) == ([1, 2, 3, 4, 5, 6], [])
    assert len(list((base / "aside").rglob("*.jsonl"))) == 1
