"""The log of deleted events: after a deletion that a crash interrupted, and beside many others."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from storecore import Event
from storecore_file import FileDataStore
from storecore_file.events.history import EventHistory, Held
from storecore_file.fs.disk import Disk

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)


def test_of_lines_that_name_one_event_those_of_the_last_deletion_count(clock):
    history = EventHistory(clock, Disk("os"))
    gone = Held(Event("split", "AAPL", JAN_5, JAN_5, "test", {}), 1, None, 0)
    history.restore([gone._replace(until=5)])  # a crash came before the day was rewritten
    history.restore([gone._replace(until=9)] * 2)
    assert [each.until for each in history.past("2026-01-05", 0, lambda asked: [])] == [9, 9]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_corrections_of_a_long_day_hold_few_of_its_events(store, is_sealed):
    events = [numbered(number) for number in range(20_000)]  # 16 MB as objects
    store.write_events(events)
    first, last = events[0].timestamp, events[-1].timestamp
    store.delete_events(start=first, end=first)
    store.delete_events(start=last, end=last)
    if not is_sealed:
        store.write_events(events[1:-1])
    del events
    found, most = most_memory(store.corrections)
    assert [each.timestamp for each in found] == [first, last]
    assert most < 5_000_000


def test_corrections_do_not_read_a_day_without_any(store, base, monkeypatch):
    for day in range(3):
        store.write_event(Event("split", "AAPL", JAN_5 + timedelta(days=day), JAN_5, "test", {}))
    store.delete_events(start=JAN_5 + timedelta(days=1), end=JAN_5 + timedelta(days=1))
    opened, open_file = list[str](), Disk.opened

    def noted(disk, path):
        opened.append(path.stem)
        return open_file(disk, path)

    monkeypatch.setattr(Disk, "opened", noted)
    assert len(store.corrections()) == 1
    assert set(opened) & {"2026-01-05", "2026-01-06", "2026-01-07"} == {"2026-01-06"}


def numbered(number):
    """One of many events of a day, one a second."""
    moment = JAN_5 + timedelta(seconds=number)
    return Event("trade", f"S{number % 20}", moment, moment, "feed", {"price": number})


def most_memory(do):
    """Return what a function returns, and the most memory that it took."""
    tracemalloc.start()
    try:
        return do(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_corrections_are_read_again_if_a_writer_deletes_events_meanwhile(tmp_path, monkeypatch):
    real, written = EventHistory.past, []

    def late(self, *given):
        found = real(self, *given)
        if not written:
            written.append(True)
            with FileDataStore(base_path=tmp_path, durability="os") as other:
                other.delete_events(numbered(1).timestamp, numbered(1).timestamp)
        return found

    with FileDataStore(base_path=tmp_path, durability="os") as store:
        store.write_events([numbered(number) for number in range(3)])
        store.delete_events(JAN_5, JAN_5)
        monkeypatch.setattr(EventHistory, "past", late)
        seconds = [each.before.timestamp.second for each in store.corrections()]
    assert seconds == [0, 1]
