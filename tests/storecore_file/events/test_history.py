"""The log of deleted events after a deletion that a crash interrupted."""

from __future__ import annotations

from datetime import UTC, datetime

from storecore import Event
from storecore_file.events.history import EventHistory, Held
from storecore_file.fs.disk import Disk

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)


def test_of_lines_that_name_one_event_those_of_the_last_deletion_count(clock):
    history = EventHistory(clock, Disk("os"))
    gone = Held(Event("split", "AAPL", JAN_5, JAN_5, "test", {}), 1, None, 0)
    history.restore([gone._replace(until=5)])  # a crash came before the day was rewritten
    history.restore([gone._replace(until=9)] * 2)
    assert [each.until for each in history.past(["2026-01-05"], [])] == [9, 9]
