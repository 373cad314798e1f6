"""The log of deleted events: after a crash, and what a question about it reads."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

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
    assert [each.until for each in history.past(["2026-01-05"], lambda _: [])] == [9, 9]


def day_of(number: int, day: datetime = JAN_5) -> list[Event]:
    times = (day + timedelta(seconds=second) for second in range(number))
    return [Event("tick", f"S{at.second}", at, at, "test", {"text": "x" * 50}) for at in times]


def most_held_of_corrections(store: FileDataStore) -> int:
    tracemalloc.start()
    (removed,) = store.corrections()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert removed.before.timestamp == JAN_5
    return most


def test_corrections_hold_what_was_removed_and_not_the_events_that_are_left(tmp_path):
    with FileDataStore(base_path=tmp_path, durability="os") as store:
        store.write_events(day_of(20_000))
        assert store.delete_events(JAN_5, JAN_5) == 1
        assert most_held_of_corrections(store) < 20_000 * 300  # of some 1,200 bytes each
        store.write_events(day_of(20_000, JAN_5 + timedelta(hours=12)))  # in the day's log
        assert most_held_of_corrections(store) < 20_000 * 300


def test_corrections_read_no_day_of_which_nothing_was_removed(tmp_path):
    with FileDataStore(base_path=tmp_path, durability="os") as store:
        store.write_events([*day_of(2), *day_of(2, JAN_5 + timedelta(days=1))])
        store.delete_events(JAN_5, JAN_5)
        (tmp_path / "events" / "2026-01-06.jsonl").write_bytes(b"no line\n")
        assert [each.before.timestamp for each in store.corrections()] == [JAN_5]


def test_corrections_are_read_again_if_a_writer_deletes_events_meanwhile(tmp_path, monkeypatch):
    real, written = EventHistory.past, []

    def late(self, *given):
        found = real(self, *given)
        if not written:
            written.append(True)
            with FileDataStore(base_path=tmp_path, durability="os") as other:
                other.delete_events(JAN_5 + timedelta(seconds=1), JAN_5 + timedelta(seconds=1))
        return found

    with FileDataStore(base_path=tmp_path, durability="os") as store:
        store.write_events(day_of(3))
        store.delete_events(JAN_5, JAN_5)
        monkeypatch.setattr(EventHistory, "past", late)
        seconds = [each.before.timestamp.second for each in store.corrections()]
    assert seconds == [0, 1]
