"""The check of what kills and power cuts leave of a bar's versions: each fault of it is found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from storecore import PriceBar
from storecore_file import FileDataStore
from storecore_file.bars.history import BarHistory

DAY = datetime(2026, 1, 5, tzinfo=UTC)
KEEP = BarHistory.keep


@pytest.fixture
def wrong(base, wrong_versions):
    """Correct a bar twice; return what is wrong with its versions."""

    def written():
        with FileDataStore(base, durability="os") as store:
            for volume in (1, 2, 3):
                store.write_bars("C", [PriceBar("C", DAY, 1, 1, 1, 1, volume)])
            return wrong_versions(store, "C", {1, 2, 3})

    return written


def test_versions_that_are_all_there_are_not_wrong(wrong):
    assert wrong() == []


def test_a_version_that_is_not_kept_is_lost(wrong, monkeypatch):
    monkeypatch.setattr(BarHistory, "keep", lambda self, key, past: None)
    assert wrong() == ["C: version 1 is lost", "C: version 2 is lost"]


def test_a_version_that_ends_before_the_next_begins_is_not_followed_by_it(wrong, monkeypatch):
    def early(self, key, past):
        KEEP(self, key, past._replace(instant=past.instant - 1))

    monkeypatch.setattr(BarHistory, "keep", early)
    assert ["is not followed by" in each for each in wrong()] == [True, True]


def test_a_version_that_does_not_end_is_both_twice_and_not_what_is_read(
    base, wrong_versions, monkeypatch
):
    with FileDataStore(base, durability="os") as store:
        store.write_bars("C", [PriceBar("C", DAY, 1, 1, 1, 1, 1)])
        versions = store.bar_versions("C")
        monkeypatch.setattr(store, "bar_versions", lambda symbol: versions * 2)
        assert "C: version 1 is there twice" in wrong_versions(store, "C", {1})
        monkeypatch.setattr(store, "bar_versions", lambda symbol: [])
        assert "C: [] is read else" in wrong_versions(store, "C", set())
