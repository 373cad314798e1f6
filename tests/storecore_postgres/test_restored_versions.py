"""Versions of another store that are written into a schema."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from storecore import Event, HistoryPruned
from storecore.knowledge.versions import EventVersion
from storecore_postgres.recording import Unrecorded

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("deleted_at", [None, JAN_5.replace(day=7)])
def test_events_are_restored_once_though_the_answer_to_the_commit_is_lost(
    store, at_commit, deleted_at
):
    def lost_after_commit(connection, send):
        send()
        connection.close()
        raise psycopg.OperationalError("the connection was lost")

    event = Event("split", "AAPL", JAN_5, JAN_5, "feed", {"ratio": 2})
    version = EventVersion(event, JAN_5.replace(day=6), deleted_at)
    at_commit(lost_after_commit)
    store.restore_versions([version])
    assert store.event_versions(JAN_5, JAN_5) == [version]


def test_a_schema_that_has_recorded_nothing_takes_in_no_versions():
    clock = Unrecorded("desk")
    assert not clock.is_kept()
    with pytest.raises(HistoryPruned, match="desk has no history"):
        clock.asked()
    with pytest.raises(HistoryPruned, match="desk has no history"):
        clock.restore(1, 0, [])
