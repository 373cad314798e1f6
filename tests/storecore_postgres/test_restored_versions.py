"""Versions of another store that are written into a schema."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from msgspec import structs

from storecore import Event, HistoryPruned, PriceBar
from storecore.knowledge.versions import BarVersion, EventVersion
from storecore.values.times import EVER
from storecore_postgres import bar_rows, bars
from storecore_postgres.bar_versions import BarVersions
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


def restorable(count, recorded_at):
    """Return versions of bars of consecutive minutes that are held."""
    return [
        BarVersion(
            PriceBar("AAPL", JAN_5 + timedelta(minutes=n), 1.0, 3.0, 0.5, 2.0, 5), recorded_at, None
        )
        for n in range(count)
    ]


@pytest.fixture
def statements_of_restores(monkeypatch):
    """The number of restores that were not copied."""
    made = []
    plain = BarVersions.restore
    monkeypatch.setattr(bar_rows, "_COPY_FROM", 4)
    monkeypatch.setattr(bar_rows, "_COPY_PER_SERIES", 1)
    monkeypatch.setattr(BarVersions, "restore", lambda *args: made.append(1) or plain(*args))
    return made


@pytest.mark.parametrize("recorded_at", [None, JAN_5.replace(day=6)])
def test_bars_that_share_an_instant_are_copied(store, statements_of_restores, recorded_at):
    versions = restorable(4, recorded_at)
    store.restore_versions(versions, timeframe="1m")
    assert store.bar_versions("AAPL", JAN_5, JAN_5.replace(day=6), timeframe="1m") == versions
    assert statements_of_restores == []


def test_bars_that_are_there_in_part_are_not_copied(store, statements_of_restores):
    versions = restorable(5, JAN_5.replace(day=6))
    store.restore_versions(versions[3:4], timeframe="1m")
    del statements_of_restores[:]
    store.restore_versions(versions, timeframe="1m")
    assert store.bar_versions("AAPL", JAN_5, JAN_5.replace(day=6), timeframe="1m") == versions
    assert statements_of_restores == [1]


def test_bars_of_several_instants_are_not_copied(store, statements_of_restores):
    old, new = restorable(4, JAN_5.replace(day=6)), restorable(4, JAN_5.replace(day=7))
    ended = [structs.replace(each, replaced_at=JAN_5.replace(day=7)) for each in old]
    store.restore_versions([*ended, *new], timeframe="1m")
    found = store.bar_versions("AAPL", JAN_5, JAN_5.replace(day=6), timeframe="1m")
    assert found == [each for pair in zip(ended, new, strict=True) for each in pair]
    assert statements_of_restores == [1]


def test_bars_that_were_replaced_while_they_were_read_are_not_read_in_columns(store, monkeypatch):
    store.restore_versions(restorable(2, JAN_5.replace(day=6)))
    read = bars.Bars.read

    def replaced(self, *args):
        found = read(self, *args)
        store.write_bars("AAPL", [structs.replace(restorable(1, None)[0].bar, close=2.5)])
        return found

    assert store.unreplaced_bars("AAPL", EVER, "1d").recorded.null_count == 0
    monkeypatch.setattr(bars.Bars, "read", replaced)
    assert store.unreplaced_bars("AAPL", EVER, "1d") is None
    assert store.unreplaced_bars("AAPL", EVER, "1d") is None
